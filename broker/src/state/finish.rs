//! How commands end: taken back before anything was sent, or reported by the gate that sent them.

use expacti_audit::Entry;
use expacti_protocol::command::{CommandState, CommandView, Outcome};
use expacti_protocol::ids::CommandId;
use expacti_protocol::signed::SignedText;

use super::commands::too_late_for;
use super::holder::Holder;
use super::model::State;
use super::open::OpenCommand;
use super::ports::{GateId, Now, Refusal};
use super::shown::Shown;

/// What the gate says of a command that it did not send.
fn why_not_sent(outcome: &Outcome) -> String {
    outcome.unknown.clone().unwrap_or_else(|| "the gate did not send it".to_owned())
}

impl State {
    /// Pending or allowed becomes withdrawn: its bytes were not sent and never will be.
    pub(crate) fn end_undelivered(
        &mut self,
        id: &CommandId,
        why: &str,
        now: Now,
    ) -> Result<(), Refusal> {
        self.set_withdrawn(id, &[CommandState::Pending, CommandState::Allowed], why, now)
    }

    /// The gate says that it has sent nothing of a command and never will. It may say so of one that
    /// is on record as released: its word and the release crossed on the wire.
    fn not_sent(&mut self, id: &CommandId, why: &str, now: Now) -> Result<(), Refusal> {
        let from = [CommandState::Pending, CommandState::Allowed, CommandState::Released];
        let released = self
            .commands
            .get(id)
            .filter(|open| open.view.state == CommandState::Released)
            .map(|open| open.view.session_id.clone());
        self.set_withdrawn(id, &from, why, now)?;
        if let Some(session) = released {
            // The recording says "allowed" there already. It need not take this any more: nothing
            // depends on it.
            let _ = self.recorder.mark(&session, &Shown::plain(&format!("not sent: {why}")), now);
            self.end_children(id, now)?;
        }
        Ok(())
    }

    fn set_withdrawn(
        &mut self,
        id: &CommandId,
        from: &[CommandState],
        why: &str,
        now: Now,
    ) -> Result<(), Refusal> {
        let before = self.commands.get(id).map(|c| c.view.state);
        let open = self.transition(id, from, CommandState::Withdrawn)?;
        open.view.comment = Some(why.to_owned());
        open.view.decided_at = Some(now.seconds());
        open.view.outcome = None;
        let view = open.view.clone();
        let report = self.commands.get(id).and_then(OpenCommand::report_in_the_log);
        let entry = self
            .entry_for("withdrawn", &view, now)
            .with("comment", why)
            .with_some("report", report);
        self.audit(&entry)?;
        self.store(id, before)
    }

    /// The agent took the command back. From this moment the gate sends nothing of it, whatever it
    /// hears of a decision or a release that was on its way.
    pub(crate) fn withdraw(
        &mut self,
        gate: GateId,
        id: &CommandId,
        why: &str,
        now: Now,
    ) -> Result<(), Refusal> {
        self.check_holder(gate, id)?;
        self.not_sent(id, why, now)
    }

    fn check_holder(&self, gate: GateId, id: &CommandId) -> Result<(), Refusal> {
        match self.commands.get(id) {
            Some(open) if open.gate == Some(gate) => Ok(()),
            Some(_) => Err(Refusal::not_entitled("the command belongs to another gate")),
            None => Err(Refusal::not_found(format!("command {id}"))),
        }
    }

    /// A released command ended, or its end cannot be known.
    pub(crate) fn finished(
        &mut self,
        gate: GateId,
        id: &CommandId,
        (outcome, report): (Outcome, Option<SignedText>),
        now: Now,
    ) -> Result<(), Refusal> {
        self.check_holder(gate, id)?;
        self.take_report(id, &outcome, report)?;
        if outcome.not_sent {
            return self.not_sent(id, &why_not_sent(&outcome), now);
        }
        self.end_released(id, outcome, now)
    }

    /// Released becomes finished or unknown.
    pub(crate) fn end_released(
        &mut self,
        id: &CommandId,
        outcome: Outcome,
        now: Now,
    ) -> Result<(), Refusal> {
        let to =
            if outcome.unknown.is_some() { CommandState::Unknown } else { CommandState::Finished };
        let open = self.transition(id, &[CommandState::Released], to)?;
        open.view.outcome = Some(outcome.clone());
        let (view, report) = (open.view.clone(), open.report_in_the_log());
        let entry = Self::outcome_fields(self.entry_for(to.as_str(), &view, now), &outcome)
            .with_some("recording_offset", view.recording_offset)
            .with_some("report", report);
        self.audit(&entry)?;
        self.store(id, Some(CommandState::Released))?;
        self.end_children(id, now)
    }

    /// What still waits to be fed to a command has nowhere to go.
    fn end_children(&mut self, id: &CommandId, now: Now) -> Result<(), Refusal> {
        let waiting: Vec<_> = self
            .commands
            .iter()
            .filter(|(_, c)| {
                c.view.parent.as_ref() == Some(id)
                    && matches!(c.view.state, CommandState::Pending | CommandState::Allowed)
            })
            .map(|(id, _)| id.clone())
            .collect();
        for child in waiting {
            self.end_undelivered(&child, "the command it belongs to has ended", now)?;
        }
        Ok(())
    }

    /// A gate that was cut off reports the end of a command it was running: what nobody knew is
    /// known after all. `view` is the command as the disk has it.
    pub(crate) fn finished_after_all(
        &mut self,
        view: CommandView,
        holder: Holder,
        (outcome, report): (Outcome, Option<SignedText>),
        now: Now,
    ) -> Result<(), Refusal> {
        if view.state != CommandState::Unknown {
            return Err(too_late_for(&view));
        }
        if outcome.unknown.is_some() && !outcome.not_sent {
            return Ok(());
        }
        let id = view.id.clone();
        self.adopt(view, now);
        if let Some(open) = self.commands.get_mut(&id) {
            open.holder = holder;
        }
        self.take_report(&id, &outcome, report)?;
        if outcome.not_sent {
            let why = why_not_sent(&outcome);
            return self.set_withdrawn(&id, &[CommandState::Unknown], &why, now);
        }
        let open = self.transition(&id, &[CommandState::Unknown], CommandState::Finished)?;
        open.view.outcome = Some(outcome.clone());
        let (view, report) = (open.view.clone(), open.report_in_the_log());
        let entry = Self::outcome_fields(self.entry_for("finished", &view, now), &outcome)
            .with_some("recording_offset", view.recording_offset)
            .with_some("report", report);
        self.audit(&entry)?;
        self.store(&id, Some(CommandState::Unknown))
    }

    pub(crate) fn outcome_fields(entry: Entry, outcome: &Outcome) -> Entry {
        let mut entry = entry
            .with_some("exit_status", outcome.exit_status)
            .with_some("exit_signal", outcome.exit_signal.clone())
            .with_some("duration_us", outcome.duration_us)
            .with_some("comment", outcome.unknown.clone());
        for (name, stream) in
            [("stdin", &outcome.stdin), ("stdout", &outcome.stdout), ("stderr", &outcome.stderr)]
        {
            if let Some(stream) = stream {
                entry = entry
                    .with(&format!("{name}_bytes"), stream.bytes)
                    .with(&format!("{name}_sha256"), stream.sha256.to_string());
            }
        }
        entry
    }
}
