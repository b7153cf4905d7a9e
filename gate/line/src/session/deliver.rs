//! An approved item is typed. It must only ever be named, once ([`Effect::TypeItem`]), and Return
//! only where the delivery has shown that the line is there as approved.

use std::time::Duration;

use super::command::RunningCommand;
use super::effect::{Effect, Unsent};
use super::grant::Grant;
use super::item::{Kind, Label, Submission};
use super::line_gate::LineGate;
use super::mode::{Mode, own_shell_reads};
use super::state::{OngoingDelivery, State};
use crate::constant::Const;
use crate::remote::{AbortReason, Delivery, Event, Phase, Step};

/// How long a delivery may take to get on.
const TIMEOUT: Duration = Duration::from_millis(Delivery::TIMEOUT_MS);

impl LineGate {
    /// Types the item. Whoever calls this has used the approval.
    pub(super) fn deliver(&mut self, item: Submission, grant: bool, out: &mut Vec<Effect>) {
        // What is typed may change what reads the terminal.
        self.probe.invalidate();
        let whole_line = match (item.kind, self.mode) {
            (Kind::Line, _) | (Kind::Input, Mode::Editor | Mode::Unverified) => true,
            (Kind::Input | Kind::Keys | Kind::Control, _) => false,
        };
        if whole_line {
            self.deliver_line(&item, grant, out);
        } else {
            self.deliver_unchecked(&item, grant, out);
        }
    }

    /// To a program that has no line editor to be checked: the item as it is.
    fn deliver_unchecked(&mut self, item: &Submission, grant: bool, out: &mut Vec<Effect>) {
        out.push(Effect::TypeItem);
        if item.kind == Kind::Input {
            self.display.leave_row();
            self.partial_line.clear();
            if item.label == Label::Cooked {
                self.display.expect_echo(&item.bytes);
            }
            out.push(Effect::Type(Const::Return));
        }
        out.push(Effect::Passed);
        self.clock.last_delivery = self.clock.now;
        if grant {
            self.begin_grant(out);
        }
    }

    /// To a shell or another line editor: step by step, and checked before Return.
    fn deliver_line(&mut self, item: &Submission, grant: bool, out: &mut Vec<Effect>) {
        let own_shell = own_shell_reads(&self.remote, &self.probe);
        let mut delivery = match self.remote.delivery(&item.bytes, own_shell) {
            Ok(delivery) => delivery,
            Err(why) => {
                out.push(Effect::Unsent(Unsent::Undeliverable));
                self.notify_at_prompt(&format!("expacti: command not run — {why}"), out);
                return;
            }
        };
        let steps = delivery.start();
        let ongoing = OngoingDelivery {
            delivery,
            deadline: self.clock.now + TIMEOUT,
            aborted: None,
            to_program: item.kind == Kind::Input,
            end_unmarked: self.end_may_be_unmarked(&item.bytes),
            grant,
        };
        self.review.state = State::Delivering(Box::new(ongoing));
        self.follow(steps, out);
    }

    /// Whether there may be no marker at the end of this command. A new prompt has none where the
    /// shell can only be told once how to show them.
    fn end_may_be_unmarked(&self, line: &[u8]) -> bool {
        let line = String::from_utf8_lossy(line);
        let removes_markers = line.contains("PS1") || line.contains("__expacti_");
        !self.mode.is_prompt() || !self.remote.reads_plain_lines() || removes_markers
    }

    /// Does what the delivery says, in its order.
    fn follow(&mut self, steps: Vec<Step>, out: &mut Vec<Effect>) {
        for step in steps {
            match step {
                Step::Const(what) => out.push(Effect::Type(what)),
                Step::Item => out.push(Effect::TypeItem),
                Step::Wait => {}
                Step::Show(bytes) => self.show_output(&bytes, out),
                Step::Accepted => self.accepted(out),
                Step::Aborted(why) => self.aborted(why),
            }
        }
        self.finish_delivery(out);
    }

    /// Return was sent: from here on it runs.
    fn accepted(&mut self, out: &mut Vec<Effect>) {
        let now = self.clock.now;
        let Some(ongoing) = self.review.delivering() else { return };
        ongoing.deadline = now + TIMEOUT;
        let (to_program, end_unmarked) = (ongoing.to_program, ongoing.end_unmarked);
        self.clock.last_delivery = now;
        // The row it was typed in is left.
        self.display.leave_row();
        self.partial_line.clear();
        self.remote.accepted();
        if to_program {
            out.push(Effect::Passed);
        } else {
            self.command = Some(RunningCommand::new(end_unmarked, now));
            out.push(Effect::Started);
        }
    }

    /// `^C` was sent: nothing runs. The agent is told once the shell has tidied up: its prompt
    /// would be drawn over the message.
    fn aborted(&mut self, why: AbortReason) {
        let now = self.clock.now;
        self.remote.interrupted();
        let Some(ongoing) = self.review.delivering() else { return };
        ongoing.aborted = Some(why);
        ongoing.deadline = now + TIMEOUT;
        if ongoing.delivery.is_unanswered() {
            self.remote.check_key_unanswered();
        }
    }

    /// The shell has left its line editor: what it says from now on is for the agent.
    fn finish_delivery(&mut self, out: &mut Vec<Effect>) {
        let Some(ongoing) = self.review.take_finished() else { return };
        if let Some(why) = ongoing.aborted {
            out.push(Effect::Aborted(why));
            // What was typed ahead assumed that the line would run.
            self.type_ahead.clear();
            self.update_mode(out);
            self.notify_at_prompt(&format!("expacti: command not run — {why}"), out);
        } else if ongoing.grant {
            // Only now: under a grant keys pass at once, and before this they could have joined the
            // line.
            self.begin_grant(out);
        }
    }

    /// What the target says while an item is being typed; true when that is only its echo.
    pub(super) fn feed_delivery(&mut self, event: &Event, out: &mut Vec<Effect>) -> bool {
        let now = self.clock.now;
        let Some(ongoing) = self.review.delivering() else { return false };
        let steps = ongoing.delivery.on(event);
        // Whatever is sent has the full time to be answered.
        if steps.iter().any(|step| matches!(step, Step::Const(_) | Step::Item)) {
            ongoing.deadline = now + TIMEOUT;
        }
        self.follow(steps, out);
        matches!(event, Event::Output(_))
    }

    pub(super) fn time_out_delivery(&mut self, out: &mut Vec<Effect>) {
        let now = self.clock.now;
        let Some(ongoing) = self.review.delivering() else { return };
        if now >= ongoing.deadline {
            ongoing.deadline = now + TIMEOUT;
            let steps = ongoing.delivery.timeout();
            self.follow(steps, out);
        }
    }

    fn begin_grant(&mut self, out: &mut Vec<Effect>) {
        self.grant = Some(Grant::new(self.clock.now));
        self.keys.clear();
        out.push(Effect::Log("a grant has begun: keys pass unreviewed"));
        // What was typed ahead of the grant was not typed under it.
        self.type_ahead.clear();
    }

    /// The grant is over: by its limits, a kill, or because nobody watches.
    pub fn end_grant(&mut self, out: &mut Vec<Effect>) {
        if self.grant.take().is_some() {
            out.push(Effect::GrantOver);
            out.push(Effect::Log("the grant is over"));
        }
    }

    /// Looks at the program in the foreground now and then: a grant must not outlive it.
    pub(super) fn probe_under_grant(&mut self, out: &mut Vec<Effect>) {
        let now = self.clock.now;
        let may_ask = self.remote.phase() == Phase::Running && self.tty().is_some();
        let Some(grant) = self.grant.as_mut().filter(|grant| now >= grant.probe_due()) else {
            return;
        };
        if may_ask {
            grant.probe_begun(now);
            self.ask(out);
        }
    }
}
