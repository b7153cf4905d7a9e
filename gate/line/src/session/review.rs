//! The item under review: what becomes of it, the check of its context, its delivery.

use std::time::Duration;

use super::{
    AHEAD, Context, DELIVERY, Delivering, Draft, Effect, GRANT_LOOK, Grant, Kind, Label, LineGate,
    Mode, RECHECK, State, Verdict,
};
use crate::Const;
use crate::editor::Key;
use crate::remote::{self, Event, Probe, Step};

/// Keys in readable form: text as it is, control keys by name.
pub(super) fn decoded(bytes: &[u8]) -> String {
    let mut decoder = crate::editor::Decoder::default();
    let mut keys = Vec::new();
    decoder.feed(bytes, &mut keys);
    decoder.flush(&mut keys);
    keys.iter().map(|stroke| name(&stroke.key)).collect()
}

fn name(key: &Key) -> String {
    let named = match key {
        Key::Char(c) => return c.to_string(),
        Key::Alt(c) => return format!("<Alt-{c}>"),
        Key::Ctrl(letter) => return format!("<^{}>", char::from(letter.to_ascii_uppercase())),
        Key::Paste(text) => return format!("<paste>{}</paste>", String::from_utf8_lossy(text)),
        Key::Unknown(bytes) | Key::Invalid(bytes) => return format!("<{}>", hex::encode(bytes)),
        key => format!("{key:?}"),
    };
    format!("<{named}>")
}

impl LineGate {
    /// The item under review was allowed: would it still go where it was reviewed for? Answered
    /// by [`Effect::Still`], at once or after a probe.
    pub fn check(&mut self, now: Duration, out: &mut Vec<Effect>) {
        self.now = now;
        let State::Held { context } = &self.state else {
            out.push(Effect::Still(false));
            return;
        };
        if context.epoch != self.remote.epoch() {
            out.push(Effect::Still(false));
        } else if context.probe.is_some() {
            self.checking = true;
            self.ask(out);
        } else {
            out.push(Effect::Still(true));
        }
    }

    /// The answer to [`Effect::Probe`]; `None` when there was none.
    pub fn probed(&mut self, probe: Option<Probe>, now: Duration, out: &mut Vec<Effect>) {
        self.now = now;
        if self.probing.take().is_none() {
            return;
        }
        let answered = probe.is_some();
        if let Some(probe) = &probe {
            self.remote.probed(probe);
        }
        // It counts for what is typed now, though the program may go on writing meanwhile.
        self.probe = probe.map(|probe| (probe, now));
        self.stale = false;
        // Without an answer the terminal's state is a guess, and the label says so.
        self.unprobed = !answered;
        if std::mem::take(&mut self.checking) {
            let still = match &self.state {
                State::Held { context } => {
                    context.epoch == self.remote.epoch()
                        && answered
                        && context.probe == self.foreground()
                }
                _ => false,
            };
            out.push(Effect::Still(still));
        }
        self.rechecked(answered, out);
        self.estimate_end(answered, out);
        let foreground = self.foreground();
        if let Some(grant) = self.grant.as_mut().filter(|_| answered) {
            match &grant.foreground {
                None => grant.foreground = foreground,
                Some(first) if foreground.as_ref() == Some(first) => {}
                Some(_) => self.end_grant(out),
            }
        }
        self.work(out);
        self.unprobed = false;
    }

    /// What became of the item under review.
    pub fn verdict(&mut self, verdict: Verdict, now: Duration, out: &mut Vec<Effect>) {
        self.now = now;
        let state = std::mem::replace(&mut self.state, State::Edit);
        let State::Held { context } = state else {
            self.state = state;
            if matches!(verdict, Verdict::Approved { .. } | Verdict::Late) {
                out.push(Effect::Unsent("nothing was under review"));
            }
            return;
        };
        self.hide(out);
        match verdict {
            Verdict::Approved { grant } => {
                let old = |(_, at): &(Probe, Duration)| now.saturating_sub(*at) > RECHECK;
                if context.epoch != self.remote.epoch() {
                    out.push(Effect::Unsent("context changed"));
                    self.changed(context);
                } else if context.probe.is_some() && self.probe.as_ref().is_none_or(old) {
                    self.state = State::Released { context, grant };
                    self.ask(out);
                } else {
                    self.deliver(context, grant, out);
                }
            }
            Verdict::Late => {
                out.push(Effect::Unsent("context changed"));
                self.changed(context);
            }
            Verdict::Changed => self.changed(context),
            Verdict::Refused(message) => self.say(&message, out),
            Verdict::Withdrawn => self.say("expacti: command withdrawn", out),
        }
        self.work(out);
    }

    /// The last look before a released item is typed was answered, or was not.
    fn rechecked(&mut self, answered: bool, out: &mut Vec<Effect>) {
        let state = std::mem::replace(&mut self.state, State::Edit);
        let State::Released { context, grant } = state else {
            self.state = state;
            return;
        };
        let same = context.epoch == self.remote.epoch() && context.probe == self.foreground();
        if answered && same {
            self.deliver(context, grant, out);
        } else {
            out.push(Effect::Unsent("context changed"));
            self.changed(context);
        }
    }

    /// When to look whether a command has ended whose end no marker will tell: after a silence,
    /// and not again until something was heard.
    pub(super) fn end_looked_at(&self) -> Option<Duration> {
        let looked = self.estimated.filter(|_| self.running && self.probing.is_none())?;
        let due = self.heard.max(self.delivered) + AHEAD;
        (self.heard >= looked && self.can_probe() && self.may_read_again()).then_some(due)
    }

    /// A shell with a line editor switches bracketed paste on when it reads its next line, or has
    /// said how the last one ended: its prompt may go somewhere else.
    fn may_read_again(&self) -> bool {
        let said =
            self.remote.label() == remote::Label::Running && self.remote.said_status().is_some();
        said || self.paste_mode || self.remote.reads_plain_lines()
    }

    /// The shell itself reads its terminal again: what it was given is over, as far as can be told.
    fn estimate_end(&mut self, answered: bool, out: &mut Vec<Effect>) {
        let quiet = self.now >= self.heard + AHEAD;
        let edits = |(probe, _): &(Probe, Duration)| {
            probe.pid.is_some() && probe.foreground.is_none() && !probe.canonical
        };
        let reads = self.own_shell_reads()
            || (self.may_read_again() && self.probe.as_ref().is_some_and(edits));
        if answered && self.estimated.is_some() && quiet && reads {
            self.estimated = None;
            if std::mem::take(&mut self.running) {
                out.push(Effect::Log("the end of the command is estimated".to_owned()));
                out.push(Effect::Ended(self.remote.said_status().flatten()));
            }
        }
    }

    fn changed(&mut self, context: Context) {
        self.again = Some((context.draft, context.epoch));
    }

    /// An item whose context changed while it was held comes back to the reviewer.
    pub(super) fn review_again(&mut self, out: &mut Vec<Effect>) {
        let Some((old, _)) = self.again.take() else { return };
        let was = old.label;
        if old.secret && self.mode != Mode::Secret {
            // A password is no command, and nothing that a shell should echo and remember.
            self.say("expacti: not sent: what asked for it without echo has gone", out);
            return;
        }
        let mut draft = match old.kind {
            Kind::Line | Kind::Input => {
                let kind = if self.mode.is_prompt() { Kind::Line } else { Kind::Input };
                Draft { kind, ..self.draft(kind, old.bytes) }
            }
            Kind::Keys | Kind::Control => {
                // Keys for one program are not keys for another.
                self.say("expacti: not sent: what runs has changed meanwhile", out);
                return;
            }
        };
        draft.secret |= old.secret;
        draft.notes = old.notes;
        let note = format!("context changed: it was typed for {}", describe(was));
        if !draft.notes.contains(&note) {
            draft.notes.push(note);
        }
        self.hold(draft, out);
    }

    fn deliver(&mut self, context: Context, grant: bool, out: &mut Vec<Effect>) {
        let draft = context.draft;
        let whole_line = matches!(
            (draft.kind, self.mode),
            (Kind::Line, _) | (Kind::Input, Mode::Editor | Mode::Unverified)
        );
        self.stale = true;
        if !whole_line {
            out.push(Effect::TypeItem);
            if draft.kind == Kind::Input {
                self.tail.clear();
                self.unfinished = 0;
                if draft.label == Label::Cooked {
                    let echo = String::from_utf8_lossy(&draft.bytes).replace('\n', "\r\n");
                    self.echo = Some((format!("{echo}\r\n").into_bytes(), 0));
                }
                out.push(Effect::Type(Const::Return));
            }
            out.push(Effect::Passed);
            self.delivered = self.now;
            if grant {
                self.begin_grant(out);
            }
            return;
        }
        let mut delivery = match self.remote.delivery(&draft.bytes, self.own_shell_reads()) {
            Ok(delivery) => delivery,
            Err(why) => {
                out.push(Effect::Unsent("it cannot be typed exactly"));
                self.say(&format!("expacti: command not run — {why}"), out);
                return;
            }
        };
        let steps = delivery.start();
        // A new prompt has no markers where the shell can only be told once how to show them.
        let unmarks = |line: &str| line.contains("PS1") || line.contains("__expacti_");
        let untold = !self.mode.is_prompt()
            || !self.remote.reads_plain_lines()
            || unmarks(&String::from_utf8_lossy(&draft.bytes));
        let delivering = Delivering {
            untold,
            delivery,
            until: self.now + DELIVERY,
            aborted: None,
            accepted: false,
            passes: draft.kind == Kind::Input,
            grant,
        };
        self.state = State::Delivering(Box::new(delivering));
        self.take_steps(steps, out);
    }

    pub(super) fn take_steps(&mut self, steps: Vec<Step>, out: &mut Vec<Effect>) {
        for step in steps {
            match step {
                Step::Const(what) => out.push(Effect::Type(what)),
                Step::Item => out.push(Effect::TypeItem),
                Step::Wait => {}
                Step::Show(bytes) => self.output(&bytes, out),
                Step::Accepted => self.accepted(out),
                Step::Aborted(why) => {
                    self.remote.interrupted();
                    if let State::Delivering(delivering) = &mut self.state {
                        if delivering.delivery.is_unanswered() {
                            self.remote.unanswered();
                        }
                        delivering.aborted = Some(why);
                        delivering.until = self.now + DELIVERY;
                    }
                }
            }
        }
        self.delivered_wholly(out);
    }

    /// Return was sent: from here on it runs.
    fn accepted(&mut self, out: &mut Vec<Effect>) {
        let State::Delivering(delivering) = &mut self.state else { return };
        delivering.accepted = true;
        delivering.until = self.now + DELIVERY;
        self.delivered = self.now;
        // The row it was typed in is left.
        self.tail.clear();
        self.unfinished = 0;
        let (passes, untold) = (delivering.passes, delivering.untold);
        self.remote.accepted();
        if passes {
            out.push(Effect::Passed);
        } else {
            self.running = true;
            self.estimated = untold.then_some(self.now);
            out.push(Effect::Started);
        }
    }

    /// The shell has left its line editor: what it says from now on is for the agent.
    fn delivered_wholly(&mut self, out: &mut Vec<Effect>) {
        let State::Delivering(delivering) = &self.state else { return };
        if !delivering.delivery.is_done() {
            return;
        }
        let State::Delivering(delivering) = std::mem::replace(&mut self.state, State::Edit) else {
            return;
        };
        if let Some(why) = delivering.aborted {
            out.push(Effect::Aborted(why.clone()));
            self.forget_ahead();
            self.enter_mode(out);
            self.say(&format!("expacti: command not run — {why}"), out);
        } else if delivering.grant {
            self.begin_grant(out);
        }
    }

    /// What the target says while an item is on its way; true when that is only its echo.
    pub(super) fn delivering(&mut self, event: &Event, out: &mut Vec<Effect>) -> bool {
        let State::Delivering(delivering) = &mut self.state else { return false };
        let steps = delivering.delivery.on(event);
        if steps.iter().any(|step| matches!(step, Step::Const(_) | Step::Item)) {
            delivering.until = self.now + DELIVERY;
        }
        self.take_steps(steps, out);
        matches!(event, Event::Output(_))
    }

    pub(super) fn tick_delivery(&mut self, out: &mut Vec<Effect>) {
        let State::Delivering(delivering) = &mut self.state else { return };
        if self.now >= delivering.until {
            delivering.until = self.now + DELIVERY;
            let steps = delivering.delivery.timeout();
            self.take_steps(steps, out);
        }
    }

    fn begin_grant(&mut self, out: &mut Vec<Effect>) {
        self.grant = Some(Grant { foreground: None, looked: self.now });
        self.keys.clear();
        out.push(Effect::Log("a grant has begun: keys pass unreviewed".to_owned()));
        // What was typed ahead of the grant was not typed under it.
        self.forget_ahead();
    }

    /// The grant is over: by its limits, a kill, or because nobody watches.
    pub fn end_grant(&mut self, out: &mut Vec<Effect>) {
        if self.grant.take().is_some() {
            out.push(Effect::GrantOver);
            out.push(Effect::Log("the grant is over".to_owned()));
        }
    }

    pub(super) fn look_at_grant(&mut self, out: &mut Vec<Effect>) {
        let due = self.grant.as_ref().is_some_and(|g| self.now >= g.looked + GRANT_LOOK);
        if due && self.remote.label() == remote::Label::Running && self.can_probe() {
            if let Some(grant) = &mut self.grant {
                grant.looked = self.now;
            }
            self.ask(out);
        }
    }
}

fn describe(label: Label) -> &'static str {
    match label {
        Label::Verified => "the shell's prompt",
        Label::Continuation => "the shell's continuation prompt",
        Label::Unverified => "an unverified prompt",
        Label::Cooked => "a program that ran then",
        Label::NoEcho => "a program that asked without echo",
        Label::Raw => "a program that read keys",
    }
}
