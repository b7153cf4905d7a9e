//! The item under review was decided. An approval is for one item in one context: it must never be
//! used for another item, in another context, or twice.

use std::time::Duration;

use super::command::RunningCommand;
use super::effect::{Effect, Unsent, Verdict};
use super::line_gate::{LineGate, SETTLED};
use super::mode::own_shell_reads;
use super::state::{Context, State};
use crate::remote::{Phase, Probe};

impl LineGate {
    /// The item under review was allowed: is its context still the one it was reviewed in? Answered
    /// by [`Effect::ContextHolds`], at once or after a probe.
    pub fn check(&mut self, now: Duration, out: &mut Vec<Effect>) {
        self.clock.now = now;
        match &self.review.state {
            State::Held(context) if context.epoch == self.remote.epoch() => {
                if context.foreground.is_some() {
                    self.review.is_checking = true;
                    self.ask(out);
                } else {
                    out.push(Effect::ContextHolds(true));
                }
            }
            _ => out.push(Effect::ContextHolds(false)),
        }
    }

    /// The answer to [`Effect::Probe`]; `None` when there was none.
    pub fn probed(&mut self, answer: Option<Probe>, now: Duration, out: &mut Vec<Effect>) {
        self.clock.now = now;
        if !self.probe.is_pending() {
            return;
        }
        // The remote side first: another program is another epoch, by which what follows is judged.
        if let Some(probe) = &answer {
            self.remote.probed(probe);
        }
        let answered = answer.is_some();
        self.probe.answered(answer, now);
        // The item before the keys: what was typed after it is processed only once the item's fate
        // is known.
        self.answer_check(answered, out);
        self.finish_release(answered, out);
        self.estimate_end(answered, out);
        self.check_grant(answered, out);
        self.work(out);
        self.probe.forget_timeout();
    }

    /// What became of the item under review.
    pub fn verdict(&mut self, verdict: Verdict, now: Duration, out: &mut Vec<Effect>) {
        self.clock.now = now;
        let Some(context) = self.review.take_held() else {
            if matches!(verdict, Verdict::Approved { .. } | Verdict::Late) {
                out.push(Effect::Unsent(Unsent::NothingUnderReview));
            }
            return;
        };
        self.hide(out);
        match verdict {
            Verdict::Approved { grant } => self.release(context, grant, out),
            Verdict::Late => self.void(context, out),
            Verdict::Changed => self.review.resubmit = Some(context.submission),
            Verdict::Refused(message) => self.notify_at_prompt(&message, out),
            Verdict::Withdrawn => self.notify_at_prompt("expacti: command withdrawn", out),
        }
        self.work(out);
    }

    /// The item may be typed if its context has not changed. The caller has asked
    /// before the release, but since then the broker has written it down: what reads the terminal
    /// may have changed, and where it is known only by a probe it is looked at once more.
    fn release(&mut self, context: Context, grant: bool, out: &mut Vec<Effect>) {
        if context.epoch != self.remote.epoch() {
            self.void(context, out);
        } else if context.foreground.is_some() && !self.probe.is_fresh_for_delivery(self.clock.now)
        {
            self.review.state = State::Released { context, grant };
            self.ask(out);
        } else {
            self.deliver(context.submission, grant, out);
        }
    }

    /// The approval is void: nothing is sent, and the item is reviewed again.
    fn void(&mut self, context: Context, out: &mut Vec<Effect>) {
        out.push(Effect::Unsent(Unsent::ContextChanged));
        self.review.resubmit = Some(context.submission);
    }

    /// The probe that [`check`](Self::check) waited for was answered, or was not.
    fn answer_check(&mut self, answered: bool, out: &mut Vec<Effect>) {
        if std::mem::take(&mut self.review.is_checking) {
            // The item may have been decided or withdrawn meanwhile.
            let holds = match &self.review.state {
                State::Held(context) => answered && self.holds(context),
                _ => false,
            };
            out.push(Effect::ContextHolds(holds));
        }
    }

    /// The last look before a released item is typed was answered, or was not. A missing
    /// answer counts as a change.
    fn finish_release(&mut self, answered: bool, out: &mut Vec<Effect>) {
        let Some((context, grant)) = self.review.take_released() else { return };
        if answered && self.holds(&context) {
            self.deliver(context.submission, grant, out);
        } else {
            self.void(context, out);
        }
    }

    /// Whether the item's context is still the one it was reviewed in, as of the last probe.
    fn holds(&self, context: &Context) -> bool {
        context.epoch == self.remote.epoch() && context.foreground == self.probe.foreground()
    }

    /// A grant is for the program that was in the foreground first.
    fn check_grant(&mut self, answered: bool, out: &mut Vec<Effect>) {
        let foreground = self.probe.foreground();
        let over = answered
            && self.grant.as_mut().is_some_and(|grant| !grant.holds_for(foreground.as_ref()));
        if over {
            self.end_grant(out);
        }
    }

    /// When to look whether a command has ended whose end no marker will tell: after a silence,
    /// and not again until something was heard.
    pub(super) fn end_probe_due(&self) -> Option<Duration> {
        let looked = self.command.as_ref().and_then(RunningCommand::looked_for_end)?;
        let heard_since = self.clock.last_output >= looked;
        let may_ask = self.tty().is_some() && !self.probe.is_pending();
        (heard_since && may_ask && self.may_read_again())
            .then(|| self.clock.last_output.max(self.clock.last_delivery) + SETTLED)
    }

    /// Looks whether a command has ended, when that is due.
    pub(super) fn probe_for_end(&mut self, out: &mut Vec<Effect>) {
        if self.end_probe_due().is_some_and(|due| self.clock.now >= due) {
            if let Some(command) = &mut self.command {
                command.look_for_end(self.clock.now);
            }
            self.ask(out);
        }
    }

    /// A shell with a line editor switches bracketed paste on when it reads its next line, or has
    /// said how the last one ended: its prompt may go somewhere else.
    fn may_read_again(&self) -> bool {
        let reported =
            self.remote.phase() == Phase::Running && self.remote.last_status().is_reported();
        reported || self.terminal.bracketed_paste || self.remote.reads_plain_lines()
    }

    /// The shell itself reads its terminal again: what it was given is over, as far as can be told.
    fn estimate_end(&mut self, answered: bool, out: &mut Vec<Effect>) {
        let estimated = self.command.as_ref().and_then(RunningCommand::looked_for_end).is_some();
        let quiet = self.clock.has_passed(self.clock.last_output, SETTLED);
        let reads = own_shell_reads(&self.remote, &self.probe)
            || (self.may_read_again() && self.probe.sees_own_line_editor());
        if answered && estimated && quiet && reads {
            self.command = None;
            out.push(Effect::Log("the end of the command is estimated"));
            out.push(Effect::Ended(self.remote.last_status().status()));
        }
    }
}
