//! What the agent types: decoded, queued, and worked off one key at a time. Nothing here writes
//! to the target but a forwarded `^C`.

use std::time::Duration;

use super::mode::Foreground;
use super::{
    AHEAD, Context, Draft, Effect, KEYS_IDLE, Kind, Label, LineGate, MAX_AHEAD, MAX_KEYS, Mode,
    State,
};
use crate::Const;
use crate::editor::{Key, Line, Outcome, Stroke};
use crate::remote;

/// What a terminal answers by itself when a program asks: its kind, the cursor's place, colours.
/// Nobody typed it, nobody needs to review it, and no program may count on it.
fn is_reply(key: &Key) -> bool {
    let Key::Unknown(bytes) = key else { return false };
    match bytes.as_slice() {
        [0x1b, b'[', parameters @ .., b'c' | b'R' | b'n' | b'y' | b't' | b'I' | b'O'] => {
            parameters.iter().all(|b| b.is_ascii_digit() || b"<=>?;$".contains(b))
        }
        [0x1b, b'P' | b']' | b'_' | b'^' | b'X', ..] => true,
        _ => false,
    }
}

impl LineGate {
    /// The agent typed.
    pub fn agent(&mut self, bytes: &[u8], now: Duration, out: &mut Vec<Effect>) {
        self.now = now;
        if let Some(grant) = &self.grant {
            if grant.foreground.as_ref().is_none_or(Foreground::collects_lines) {
                let ends = |b: &u8| matches!(b, b'\r' | b'\n' | 3 | 4 | 0x15 | 0x1a | 0x1c);
                let (before, rest) = match bytes.iter().rposition(ends) {
                    Some(at) => (0, bytes.len() - at - 1),
                    None => (self.unfinished, bytes.len()),
                };
                self.unfinished = before + rest;
            }
            out.push(Effect::Keys(bytes.to_vec()));
            return;
        }
        self.last_key = now;
        let mut keys = Vec::new();
        self.decoder.feed(bytes, &mut keys);
        self.queue(keys, out);
        self.work(out);
    }

    /// Keys wait here for their turn; `^C` does not wait.
    pub(super) fn queue(&mut self, keys: Vec<Stroke>, out: &mut Vec<Effect>) {
        for typed in keys {
            if is_reply(&typed.key) {
                continue;
            }
            if typed.key == Key::Ctrl(b'c') && self.interrupt(out) {
                continue;
            }
            self.ahead_bytes += typed.raw().len();
            self.ahead.push_back(typed);
        }
        if self.ahead_bytes > MAX_AHEAD {
            // Half of it would be something that nobody typed.
            self.forget_ahead();
            self.bell(out);
            self.notice("expacti: too much typed ahead: all of it was dropped", out);
            if matches!(self.state, State::Edit) {
                self.prompt_again(out);
            }
        }
    }

    pub(super) fn forget_ahead(&mut self) {
        self.ahead.clear();
        self.ahead_bytes = 0;
    }

    /// `^C`: takes back what is held; interrupts what runs; else it is a key of the editor.
    fn interrupt(&mut self, out: &mut Vec<Effect>) -> bool {
        match &self.state {
            State::Held { .. } => {
                self.forget_ahead();
                out.push(Effect::Withdraw);
                true
            }
            State::Released { .. } => {
                self.forget_ahead();
                self.state = State::Edit;
                out.push(Effect::Unsent("interrupted by the agent"));
                self.say("expacti: command withdrawn", out);
                true
            }
            State::Delivering(_) => false,
            State::Edit if self.at_prompt() || self.remote.label() == remote::Label::Boot => {
                // What was typed before it goes with it.
                self.forget_ahead();
                false
            }
            State::Edit => {
                self.forget_ahead();
                self.unfinished = 0;
                self.keys.clear();
                self.again = None;
                self.hide(out);
                self.editor.clear();
                out.push(Effect::Log("^C passed on".to_owned()));
                out.push(Effect::Type(Const::Interrupt));
                self.stale = true;
                true
            }
        }
    }

    /// Goes on with what waits, as far as the state allows.
    pub(super) fn work(&mut self, out: &mut Vec<Effect>) {
        while matches!(self.state, State::Edit) && self.grant.is_none() {
            if self.again.is_some() {
                if !self.enter_mode(out) {
                    break;
                }
                self.review_again(out);
                continue;
            }
            let keys_due = !self.keys.is_empty() && self.now >= self.last_key + KEYS_IDLE;
            if self.ahead.is_empty() && !keys_due {
                break;
            }
            if !self.is_ripe() || !self.enter_mode(out) || self.is_settling() {
                break;
            }
            match self.ahead.pop_front() {
                Some(stroke) => {
                    self.ahead_bytes = self.ahead_bytes.saturating_sub(stroke.raw().len());
                    self.key(&stroke, out);
                }
                None if self.keys.is_empty() => break,
                None => self.submit_keys(out),
            }
        }
        self.show(out);
    }

    /// The shell that was set up reads what is typed now.
    fn at_prompt(&self) -> bool {
        matches!(self.remote.label(), remote::Label::Prompt | remote::Label::Continuation)
    }

    /// What was typed before the last command began waits a moment for the prompt.
    fn is_ripe(&self) -> bool {
        self.at_prompt() || !self.running || self.now >= self.delivered + AHEAD
    }

    /// The shell itself reads keys one by one, and its prompt may be on its way behind what it or
    /// a program has written: what is typed is for the prompt then, not keys for a program.
    fn is_settling(&self) -> bool {
        matches!(self.mode, Mode::Keys | Mode::Editor)
            && self.shell_reads_keys()
            && self.now < self.heard + AHEAD
    }

    fn shell_reads_keys(&self) -> bool {
        self.remote.label() == remote::Label::Running
            && self.probe.as_ref().is_some_and(|(probe, _)| {
                probe.pid.is_some() && probe.foreground.is_none() && !probe.canonical
            })
    }

    /// When keys that wait for the prompt to arrive are taken as keys after all.
    pub(super) fn settled_at(&self) -> Option<Duration> {
        (!self.ahead.is_empty() && self.is_settling()).then(|| self.heard + AHEAD)
    }

    /// Finds out how keys are to be taken in; false when the target has to be asked first, or the
    /// shell is not up yet.
    pub(super) fn enter_mode(&mut self, out: &mut Vec<Effect>) -> bool {
        let Some(mode) = self.mode_now() else {
            self.ask(out);
            return false;
        };
        if mode != self.mode {
            self.hide(out);
            let was_prompt = self.mode.is_prompt();
            self.mode = mode;
            // Keys for one program are not keys for what runs now.
            self.keys.clear();
            if mode == Mode::Secret || (was_prompt && !mode.is_prompt()) {
                // What is in the editor was typed for something else.
                self.editor.clear();
            }
            self.editor.set_mode(self.editor_mode());
        }
        mode != Mode::Boot
    }

    pub(super) fn ask(&mut self, out: &mut Vec<Effect>) {
        if self.probing.is_none() {
            self.probing = Some(self.now);
            self.stale = false;
            out.push(Effect::Probe);
        }
    }

    fn key(&mut self, stroke: &Stroke, out: &mut Vec<Effect>) {
        if self.mode == Mode::Keys {
            self.keys.extend_from_slice(&stroke.raw());
            let ends = stroke.key == Key::Enter || self.keys.len() >= MAX_KEYS;
            if ends {
                self.submit_keys(out);
            }
            return;
        }
        match self.editor.key(&stroke.key) {
            Outcome::Nothing | Outcome::Changed => {}
            Outcome::Bell => self.bell(out),
            Outcome::Submit(line) => self.submit_line(line, out),
            Outcome::Rejected(why) => {
                self.leave_line(out);
                self.say(&format!("expacti: not sent: {why}"), out);
            }
            Outcome::Interrupt => {
                self.leave_line(out);
                self.enter_mode(out);
                self.prompt_again(out);
            }
            Outcome::Eof => self.control(Const::Eof, "^D: end of input", out),
            // A shell at its prompt ignores both.
            Outcome::Suspend | Outcome::Quit if self.mode.is_prompt() => self.bell(out),
            Outcome::Suspend => self.control(Const::Suspend, "^Z: suspend", out),
            Outcome::Quit => self.control(Const::Quit, "^\\: quit", out),
            Outcome::ClearScreen => {
                self.hide(out);
                self.emit(b"\x1b[H\x1b[2J", out);
                self.prompt_again(out);
            }
        }
    }

    pub(super) fn draft(&self, kind: Kind, bytes: Vec<u8>) -> Draft {
        let label = match self.mode {
            // What checked the line is gone.
            Mode::Prompt | Mode::Continuation if self.remote.is_mute() => Label::Unverified,
            mode => mode.label(),
        };
        let probe = self.probe.as_ref().filter(|_| !self.mode.is_prompt()).map(|(probe, _)| probe);
        Draft {
            kind,
            bytes,
            label,
            foreground: probe.and_then(|p| p.foreground.clone()),
            cwd: probe.and_then(|p| p.cwd.clone()).or_else(|| self.remote.cwd().map(str::to_owned)),
            secret: self.mode == Mode::Secret,
            grantable: matches!(kind, Kind::Keys)
                || (kind == Kind::Line && label == Label::Verified),
            notes: Vec::new(),
            preview: None,
        }
    }

    fn submit_line(&mut self, line: Line, out: &mut Vec<Effect>) {
        if line.bytes.is_empty() && self.mode.is_prompt() {
            // Nothing would run: a shell shows its prompt again.
            self.leave_line(out);
            self.prompt_again(out);
            return;
        }
        let kind = match self.mode {
            Mode::Prompt | Mode::Continuation => Kind::Line,
            // Nobody knows who reads it: as a line of a shell, unless a program is known.
            Mode::Unverified if !self.can_probe() || self.own_shell_reads() => Kind::Line,
            _ => Kind::Input,
        };
        let mut draft = self.draft(kind, line.bytes);
        // They would tell something of a secret.
        draft.notes = if draft.secret { Vec::new() } else { line.notes };
        if self.unfinished > 0 && !draft.secret && draft.label != Label::Verified {
            draft.notes.push(format!(
                "{} bytes typed under a grant without Return may stand before it",
                self.unfinished
            ));
        }
        self.leave_line(out);
        self.hold(draft, out);
    }

    fn submit_keys(&mut self, out: &mut Vec<Effect>) {
        let bytes = std::mem::take(&mut self.keys);
        let mut draft = self.draft(Kind::Keys, bytes);
        draft.preview = Some(super::review::decoded(&draft.bytes));
        self.hold(draft, out);
    }

    fn control(&mut self, what: Const, name: &str, out: &mut Vec<Effect>) {
        let mut draft = self.draft(Kind::Control, what.bytes().to_vec());
        draft.preview = Some(name.to_owned());
        self.hide(out);
        self.hold(draft, out);
    }

    /// From here on the item is under review, and what is typed waits.
    pub(super) fn hold(&mut self, draft: Draft, out: &mut Vec<Effect>) {
        let probe = (!self.mode.is_prompt()).then(|| self.foreground()).flatten();
        let context = Context { epoch: self.remote.epoch(), probe, draft: draft.clone() };
        self.state = State::Held { context };
        out.push(Effect::Submit(Box::new(draft)));
    }
}
