//! The gate of one shell: its parts, and what happens as time passes. It must never act on a time
//! that is not the caller's.

use std::time::Duration;

use super::clock::Clock;
use super::command::RunningCommand;
use super::display::Display;
use super::effect::Effect;
use super::grant::{Grant, PartialLine};
use super::mode::{Evidence, Mode, TerminalModes};
use super::password::Given;
use super::probe::SideProbe;
use super::state::{Review, State};
use super::type_ahead::TypeAhead;
use crate::editor::{Decoder, Editor, History};
use crate::remote::{Nonce, Phase, Remote};

/// How long a shell may take to say that it is set up; from then on its prompt is unverified.
const HELLO: Duration = Duration::from_secs(3);
/// How long the login files of a shell may be silent before its prompt counts as one that nobody
/// marks.
const LOGIN: Duration = Duration::from_secs(5);
/// Silence after which a lone escape character is a key of its own.
const ESCAPE: Duration = Duration::from_millis(50);
/// Silence after which keys to a program become an item.
pub(super) const KEYS_IDLE: Duration = Duration::from_millis(250);
/// Silence of the target after which no prompt is awaited any more: what was typed ahead counts as
/// input to the program that runs, and a command may have ended without a marker.
pub(super) const SETTLED: Duration = Duration::from_millis(300);

/// See the module [`session`](super).
#[derive(Debug)]
pub struct LineGate {
    pub(super) clock: Clock,
    pub(super) decoder: Decoder,
    pub(super) type_ahead: TypeAhead,
    /// Keys to a program that wait to become an item.
    pub(super) keys: Vec<u8>,
    pub(super) given: Given,
    pub(super) editor: Editor,
    pub(super) display: Display,
    pub(super) mode: Mode,
    pub(super) remote: Remote,
    pub(super) terminal: TerminalModes,
    pub(super) probe: SideProbe,
    pub(super) review: Review,
    /// The command line of the agent that runs.
    pub(super) command: Option<RunningCommand>,
    pub(super) grant: Option<Grant>,
    pub(super) partial_line: PartialLine,
    /// The command that runs, where there is no shell of ours.
    pub(super) program: Option<String>,
}

impl LineGate {
    /// A gate for a fresh shell. `now` is any clock that only grows, as in every call.
    pub fn new(nonce: Nonce, cols: u16, rows: u16, history: History, now: Duration) -> Self {
        Self {
            clock: Clock::new(now),
            decoder: Decoder::default(),
            type_ahead: TypeAhead::default(),
            keys: Vec::new(),
            given: Given::default(),
            editor: Editor::new(history),
            display: Display::new(cols, rows),
            mode: Mode::Boot,
            remote: Remote::new(nonce, cols),
            terminal: TerminalModes::default(),
            probe: SideProbe::new(),
            review: Review::new(),
            command: None,
            grant: None,
            partial_line: PartialLine::default(),
            program: None,
        }
    }

    /// A gate for a command in a terminal: a program reads what is typed from the start.
    pub fn for_command(nonce: Nonce, cols: u16, rows: u16, command: String, now: Duration) -> Self {
        Self {
            mode: Mode::Unverified,
            remote: Remote::of_command(nonce.clone(), cols),
            program: Some(command),
            ..Self::new(nonce, cols, rows, History::default(), now)
        }
    }

    /// The command's terminal is this one: it can be asked about from now on.
    pub fn found_tty(&mut self, tty: String) {
        self.remote.found_tty(tty);
        self.probe.invalidate();
    }

    /// The terminal to ask about, once the shell has said which it is.
    pub fn tty(&self) -> Option<&str> {
        self.remote.tty()
    }

    /// The lines typed in this session, to keep for the next.
    pub fn history(&self) -> &History {
        self.editor.history()
    }

    /// When to call [`LineGate::tick`] at the latest.
    pub fn deadline(&self) -> Option<Duration> {
        let editing = self.review.is_editing();
        let boot = (self.remote.phase() == Phase::Boot).then(|| self.boot_ends());
        let escape = self.decoder.is_pending().then(|| self.clock.last_key + ESCAPE);
        let keys = (!self.keys.is_empty() && editing).then(|| self.clock.last_key + KEYS_IDLE);
        let typed_ahead = (self.command.is_some() && !self.type_ahead.is_empty() && editing)
            .then(|| self.clock.last_delivery + SETTLED);
        let settled = self.settled_at().filter(|_| editing);
        let delivery = match &self.review.state {
            State::Delivering(ongoing) => Some(ongoing.deadline),
            _ => None,
        };
        let end = self.end_probe_due();
        let grant = self.grant.as_ref().map(Grant::probe_due);
        [boot, escape, keys, self.probe.due(), typed_ahead, settled, delivery, end, grant]
            .into_iter()
            .flatten()
            .min()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration, out: &mut Vec<Effect>) {
        self.clock.now = now;
        if self.remote.phase() == Phase::Boot && now >= self.boot_ends() {
            self.remote.give_up();
        }
        if self.decoder.is_pending() && self.clock.has_passed(self.clock.last_key, ESCAPE) {
            let mut keys = Vec::new();
            self.decoder.flush(&mut keys);
            self.queue(keys, out);
        }
        if self.probe.due().is_some_and(|due| now >= due) {
            self.probed(None, now, out);
        }
        self.time_out_delivery(out);
        self.probe_under_grant(out);
        self.probe_for_end(out);
        self.work(out);
    }

    /// The agent's terminal has another size.
    pub fn resize(&mut self, cols: u16, rows: u16, now: Duration, out: &mut Vec<Effect>) {
        self.clock.now = now;
        self.display.resize(cols, rows, &mut self.editor, out);
        self.remote.resize(cols);
        self.draw(out);
    }

    /// When the shell counts as up, though it has shown no prompt of its own. One that has said
    /// hello may be at its login files, which write something now and then.
    fn boot_ends(&self) -> Duration {
        match self.remote.hello() {
            None => self.clock.started + HELLO,
            Some(_) => self.clock.last_output + LOGIN,
        }
    }

    /// What the mode is judged by now.
    pub(super) fn evidence(&self) -> Evidence<'_> {
        Evidence {
            remote: &self.remote,
            probe: &self.probe,
            terminal: self.terminal,
            current_row: self.display.current_row(),
            given: self.given.to(self.probe.last().and_then(|probe| probe.pid)),
            now: self.clock.now,
        }
    }

    /// Erases everything of the gate on the agent's screen.
    pub(super) fn hide(&mut self, out: &mut Vec<Effect>) {
        self.display.hide(&mut self.editor, out);
    }

    /// Draws the editor's line, if it is visible in this state.
    pub(super) fn draw(&mut self, out: &mut Vec<Effect>) {
        if self.review.is_editing() && !self.mode.hides_editor() {
            self.display.draw_editor(&mut self.editor, out);
        }
    }

    /// Leaves the line that was submitted on the screen, as a shell would.
    pub(super) fn leave_line(&mut self, out: &mut Vec<Effect>) {
        if self.mode.hides_editor() {
            // The program itself answers Return to a secret, or does not.
            self.hide(out);
        } else {
            self.display.leave_editor(&mut self.editor, out);
        }
    }

    /// Draws the status of the held item, over the last one.
    pub fn status(&mut self, text: &str, out: &mut Vec<Effect>) {
        let held = matches!(self.review.state, State::Held(_));
        if held && !self.terminal.alternate_screen && self.mode != Mode::Keys {
            self.display.draw_status(text, out);
        }
    }

    /// Says something to the agent on a row of its own. While an item is held or on its way, no
    /// prompt waits after it.
    pub(super) fn notify(&mut self, message: &str, out: &mut Vec<Effect>) {
        self.hide(out);
        if self.terminal.alternate_screen {
            self.display.draw_message_over_program(message, out);
        } else {
            self.display.draw_message(message, out);
        }
    }

    /// Says something to the agent on a row of its own, and draws the prompt again.
    pub(super) fn notify_at_prompt(&mut self, message: &str, out: &mut Vec<Effect>) {
        self.notify(message, out);
        if !self.terminal.alternate_screen {
            self.redraw_prompt(out);
        }
    }

    /// Draws the present prompt on a fresh row.
    pub(super) fn redraw_prompt(&mut self, out: &mut Vec<Effect>) {
        let prompt = self.remote.prompt();
        // A prompt that could not be wrapped comes after its markers.
        if self.mode.is_prompt() && !prompt.is_empty() {
            self.display.write(prompt, out);
        } else {
            self.display.draw_current_row(out);
        }
    }
}
