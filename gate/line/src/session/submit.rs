//! What was typed becomes an item. Nothing here types it: an item only ever leaves as
//! [`Effect::Submit`].

use super::effect::Effect;
use super::item::{Kind, Label, Submission};
use super::key_names::readable;
use super::line_gate::LineGate;
use super::mode::{Mode, own_shell_reads};
use super::state::{Context, State};
use crate::constant::Const;
use crate::editor::Line;

/// The note on a line that nobody saw on the agent's screen.
const SILENT: &str = "typed without echo where no program is known to ask for a password: it is kept \
                      as it is shown here";

impl LineGate {
    /// The item as it would be submitted now.
    fn submission(&self, kind: Kind, bytes: Vec<u8>) -> Submission {
        let label = match self.mode {
            // What checked the line is gone.
            Mode::Prompt | Mode::Continuation if self.remote.ignores_check_key() => {
                Label::Unverified
            }
            mode => mode.label(),
        };
        let shell = self.remote.hello().filter(|_| label == Label::Verified);
        let probe = self.probe.last().filter(|_| !self.mode.is_prompt());
        Submission {
            kind,
            bytes,
            label,
            foreground: probe.and_then(|p| p.foreground.clone()).or_else(|| self.program.clone()),
            cwd: probe.and_then(|p| p.cwd.clone()).or_else(|| self.remote.cwd().map(str::to_owned)),
            shell: shell.map(|hello| hello.shell.clone()),
            secret: self.mode == Mode::Secret,
            grantable: matches!(kind, Kind::Keys)
                || (kind == Kind::Line && label == Label::Verified),
            notes: Vec::new(),
            preview: None,
        }
    }

    pub(super) fn submit_line(&mut self, line: Line, out: &mut Vec<Effect>) {
        if line.bytes.is_empty() && self.mode.is_prompt() {
            // Nothing would run: a shell shows its prompt again.
            self.leave_line(out);
            self.redraw_prompt(out);
            return;
        }
        let kind = match self.mode {
            Mode::Prompt | Mode::Continuation => Kind::Line,
            // Nobody knows who reads it: as a line of a shell, unless a program is known.
            Mode::Unverified
                if self.program.is_none()
                    && (self.tty().is_none() || own_shell_reads(&self.remote, &self.probe)) =>
            {
                Kind::Line
            }
            _ => Kind::Input,
        };
        let mut submission = self.submission(kind, line.bytes);
        // Notes would reveal something about a secret.
        submission.notes = if submission.secret { Vec::new() } else { line.notes };
        if self.mode == Mode::Silent {
            submission.notes.push(SILENT.to_owned());
        }
        let partial = self.partial_line.bytes();
        if partial > 0 && !submission.secret && submission.label != Label::Verified {
            submission.notes.push(format!(
                "{partial} bytes typed under a grant without Return may stand before it"
            ));
        }
        self.leave_line(out);
        self.submit(submission, out);
    }

    pub(super) fn submit_keys(&mut self, out: &mut Vec<Effect>) {
        let bytes = std::mem::take(&mut self.keys);
        let mut submission = self.submission(Kind::Keys, bytes);
        submission.preview = Some(readable(&submission.bytes));
        self.submit(submission, out);
    }

    pub(super) fn submit_control(&mut self, key: Const, name: &str, out: &mut Vec<Effect>) {
        let mut submission = self.submission(Kind::Control, key.bytes().to_vec());
        submission.preview = Some(name.to_owned());
        self.hide(out);
        self.submit(submission, out);
    }

    /// An item whose context changed while it was held comes back to the reviewer.
    pub(super) fn resubmit(&mut self, out: &mut Vec<Effect>) {
        let Some(old) = self.review.resubmit.take() else { return };
        if old.label == Label::NoEcho && !self.mode.is_silent() {
            // A password is no command, and nothing that a shell should echo and remember.
            let message = "expacti: not sent: what asked for it without echo has gone";
            self.notify_at_prompt(message, out);
            return;
        }
        let kind = match old.kind {
            Kind::Line | Kind::Input if self.mode.is_prompt() => Kind::Line,
            Kind::Line | Kind::Input => Kind::Input,
            Kind::Keys | Kind::Control => {
                // Keys for one program are not keys for another.
                let message = "expacti: not sent: what runs has changed meanwhile";
                self.notify_at_prompt(message, out);
                return;
            }
        };
        let mut submission = self.submission(kind, old.bytes);
        submission.secret |= old.secret;
        submission.notes = old.notes;
        let was = old.label.description();
        let note = format!("context changed: it was typed for {was}");
        if !submission.notes.contains(&note) {
            submission.notes.push(note);
        }
        self.submit(submission, out);
    }

    /// From here on the item is under review, and what is typed waits.
    fn submit(&mut self, submission: Submission, out: &mut Vec<Effect>) {
        // At a prompt the epoch tells every change. Elsewhere one program may replace another
        // without any marker.
        let foreground = (!self.mode.is_prompt()).then(|| self.probe.foreground()).flatten();
        let context =
            Context { submission: submission.clone(), epoch: self.remote.epoch(), foreground };
        if !self.mode.is_prompt() && matches!(submission.kind, Kind::Line | Kind::Input) {
            self.given.count(self.probe.last().and_then(|probe| probe.pid));
        }
        self.review.state = State::Held(context);
        out.push(Effect::Submit(Box::new(submission)));
    }
}
