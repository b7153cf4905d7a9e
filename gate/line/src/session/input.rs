//! What the agent types: decoded, queued, and processed one key at a time. Nothing here may be
//! written to the target but a forwarded `^C`, and keys while a grant lasts.

use std::time::Duration;

use super::effect::{Effect, Unsent};
use super::line_gate::{KEYS_IDLE, LineGate, SETTLED};
use super::mode::Mode;
use super::state::State;
use crate::constant::Const;
use crate::editor::{Key, Outcome, Stroke};
use crate::remote::Phase;

/// Keys to a program that one item may hold, in bytes.
const MAX_KEYS: usize = 4096;

/// Whether a terminal sent this by itself, as the answer to a program: its type, the cursor's
/// position, colours. Nobody typed it, a reviewer could not judge it, and no program may rely on
/// it.
fn is_terminal_reply(key: &Key) -> bool {
    let Key::Unknown(bytes) = key else { return false };
    match bytes.as_slice() {
        [0x1b, b'[', parameters @ .., b'c' | b'R' | b'n' | b'y' | b't' | b'I' | b'O'] => {
            parameters.iter().all(|b| b.is_ascii_digit() || b"<=>?;$".contains(b))
        }
        [0x1b, b'P' | b']' | b'_' | b'^' | b'X', ..] => true,
        _ => false,
    }
}

/// What `^C` did.
#[derive(Debug, PartialEq, Eq)]
enum Interrupt {
    /// It is a key of the editor, and waits for its turn.
    Key,
    /// It has been carried out.
    Done,
}

impl LineGate {
    /// The agent typed.
    pub fn agent(&mut self, bytes: &[u8], now: Duration, out: &mut Vec<Effect>) {
        self.clock.now = now;
        if let Some(grant) = &self.grant {
            if grant.collects_lines() {
                self.partial_line.passed(bytes);
            }
            out.push(Effect::Keys(bytes.to_vec()));
            return;
        }
        self.clock.last_key = now;
        let mut keys = Vec::new();
        self.decoder.feed(bytes, &mut keys);
        self.queue(keys, out);
        self.work(out);
    }

    /// Keys wait here for their turn; `^C` does not wait.
    pub(super) fn queue(&mut self, keys: Vec<Stroke>, out: &mut Vec<Effect>) {
        for typed in keys {
            if is_terminal_reply(&typed.key) {
                continue;
            }
            if typed.key == Key::Ctrl(b'c') && self.interrupt(out) == Interrupt::Done {
                continue;
            }
            self.type_ahead.push(typed);
        }
        if self.type_ahead.is_too_long() {
            self.type_ahead.clear();
            self.display.bell(out);
            self.notify("expacti: too much typed ahead: all of it was dropped", out);
            if self.review.is_editing() {
                self.redraw_prompt(out);
            }
        }
    }

    /// `^C`: withdraws what is held; interrupts what runs; otherwise it is a key of the editor.
    fn interrupt(&mut self, out: &mut Vec<Effect>) -> Interrupt {
        match &self.review.state {
            // The caller answers with a verdict. Until then the item stays held: a decision that
            // was made meanwhile may come first.
            State::Held(_) => {
                self.type_ahead.clear();
                out.push(Effect::Withdraw);
                Interrupt::Done
            }
            // Nothing of it has been typed: the approval ends here.
            State::Released { .. } => {
                self.type_ahead.clear();
                self.review.state = State::Editing;
                out.push(Effect::Unsent(Unsent::Interrupted));
                self.notify_at_prompt("expacti: command withdrawn", out);
                Interrupt::Done
            }
            // A `^C` between the line and its Return would interrupt the delivery: it waits like
            // any key.
            State::Delivering(_) => Interrupt::Key,
            State::Editing if self.at_prompt() || self.remote.phase() == Phase::Boot => {
                // It drops what was typed before it.
                self.type_ahead.clear();
                Interrupt::Key
            }
            State::Editing => {
                self.type_ahead.clear();
                self.partial_line.clear();
                self.keys.clear();
                self.review.resubmit = None;
                self.hide(out);
                self.editor.clear();
                out.push(Effect::Log("^C passed on"));
                out.push(Effect::Type(Const::Interrupt));
                self.probe.invalidate();
                Interrupt::Done
            }
        }
    }

    /// Processes the keys that wait, one at a time, until an item is held or the target has to be
    /// asked first.
    pub(super) fn work(&mut self, out: &mut Vec<Effect>) {
        while self.review.is_editing() && self.grant.is_none() {
            if self.review.resubmit.is_some() {
                // Before any key: what was typed later must not overtake it.
                if !self.update_mode(out) {
                    break;
                }
                self.resubmit(out);
                continue;
            }
            let idle = self.clock.has_passed(self.clock.last_key, KEYS_IDLE);
            let keys_due = !self.keys.is_empty() && idle;
            if self.type_ahead.is_empty() && !keys_due {
                break;
            }
            // The order counts: the mode, which may drop collected keys, is judged before a key is
            // taken out of the queue.
            if !self.may_be_input() || !self.update_mode(out) || self.is_prompt_awaited() {
                break;
            }
            match self.type_ahead.pop() {
                Some(stroke) => self.key(&stroke, out),
                None if self.keys.is_empty() => break,
                None => self.submit_keys(out),
            }
        }
        self.draw(out);
    }

    /// The provisioned shell reads what is typed now.
    fn at_prompt(&self) -> bool {
        self.remote.phase().is_prompt()
    }

    /// What was typed before the last command began waits a moment for the prompt, before it
    /// counts as input to that command.
    fn may_be_input(&self) -> bool {
        self.at_prompt()
            || self.command.is_none()
            || self.clock.has_passed(self.clock.last_delivery, SETTLED)
    }

    /// The shell itself reads keys one by one, and its prompt may be on its way after what it or
    /// a program has written: what is typed is for the prompt then, not keys for a program.
    fn is_prompt_awaited(&self) -> bool {
        matches!(self.mode, Mode::Keys | Mode::Editor)
            && self.remote.phase() == Phase::Running
            && self.probe.sees_own_line_editor()
            && !self.clock.has_passed(self.clock.last_output, SETTLED)
    }

    /// When keys that wait for the prompt to arrive are taken as keys after all.
    pub(super) fn settled_at(&self) -> Option<Duration> {
        (!self.type_ahead.is_empty() && self.is_prompt_awaited())
            .then(|| self.clock.last_output + SETTLED)
    }

    /// Finds out how keys are to be taken in; false when the target has to be asked first, or the
    /// shell is not up yet.
    pub(super) fn update_mode(&mut self, out: &mut Vec<Effect>) -> bool {
        let Some(mode) = self.evidence().mode() else {
            self.ask(out);
            return false;
        };
        if mode != self.mode {
            self.hide(out);
            let was_prompt = self.mode.is_prompt();
            self.mode = mode;
            // Keys for one program are not keys for what runs now.
            self.keys.clear();
            if mode.is_silent() || (was_prompt && !mode.is_prompt()) {
                // What is in the editor was typed for something else.
                self.editor.clear();
            }
            self.editor.set_mode(mode.editor_mode());
        }
        mode != Mode::Boot
    }

    /// Asks the target about its terminal.
    pub(super) fn ask(&mut self, out: &mut Vec<Effect>) {
        self.probe.ask(self.clock.now, out);
    }

    fn key(&mut self, stroke: &Stroke, out: &mut Vec<Effect>) {
        if self.mode == Mode::Keys {
            self.keys.extend_from_slice(&stroke.raw());
            if stroke.key == Key::Enter || self.keys.len() >= MAX_KEYS {
                self.submit_keys(out);
            }
            return;
        }
        match self.editor.key(&stroke.key) {
            Outcome::Nothing | Outcome::Changed => {}
            Outcome::Bell => self.display.bell(out),
            Outcome::Submit(line) => self.submit_line(line, out),
            Outcome::Rejected(why) => {
                self.leave_line(out);
                self.notify_at_prompt(&format!("expacti: not sent: {why}"), out);
            }
            Outcome::Interrupt => {
                self.leave_line(out);
                self.update_mode(out);
                self.redraw_prompt(out);
            }
            Outcome::Eof => self.submit_control(Const::Eof, "^D: end of input", out),
            // A shell at its prompt ignores both.
            Outcome::Suspend | Outcome::Quit if self.mode.is_prompt() => self.display.bell(out),
            Outcome::Suspend => self.submit_control(Const::Suspend, "^Z: suspend", out),
            Outcome::Quit => self.submit_control(Const::Quit, "^\\: quit", out),
            Outcome::ClearScreen => {
                self.hide(out);
                self.display.clear_screen(out);
                self.redraw_prompt(out);
            }
        }
    }
}
