//! What ends or changes by itself when its time has come. One command whose end is refused must
//! never hold up the others.

use std::time::{Duration, Instant};

use expacti_protocol::command::CommandState;
use expacti_protocol::ids::CommandId;

use super::model::State;
use super::open::{OpenCommand, PutOff};
use super::ports::{Decider, Now, Refusal};

/// How long an end that was refused is put off: at first, and at most.
const PUT_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// When something is to be done about a command, if ever.
fn due_at(open: &OpenCommand) -> Option<Instant> {
    match open.view.state {
        CommandState::Pending => {
            Some(open.escalate_at.map_or(open.deadline, |at| at.min(open.deadline)))
        }
        CommandState::Allowed => Some(open.deadline),
        _ => None,
    }
}

impl State {
    /// The next moment at which something is due.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.commands.iter().filter_map(|(id, open)| self.next_try(id, open)).min()
    }

    /// When something is to be done about a command, or to be tried again.
    fn next_try(&self, id: &CommandId, open: &OpenCommand) -> Option<Instant> {
        let due = due_at(open)?;
        Some(self.put_off.get(id).map_or(due, |put_off| due.max(put_off.until)))
    }

    /// The commands whose time has come, those that end before those that escalate.
    pub(crate) fn due(&self, now: Now) -> Vec<CommandId> {
        let mut due: Vec<_> = self
            .commands
            .iter()
            .filter(|(id, open)| self.next_try(id, open).is_some_and(|at| at <= now.mono))
            .map(|(id, open)| (now.mono < open.deadline, id.clone()))
            .collect();
        due.sort();
        due.into_iter().map(|(_, id)| id).collect()
    }

    /// Does what is due about a command, as a job of its own. What is refused is put off, so that it
    /// is neither forgotten nor tried without a pause; nobody can decide on it meanwhile.
    pub(crate) fn end_due(&mut self, id: &CommandId, now: Now) -> Result<(), Refusal> {
        let result = self.job(|state| state.do_what_is_due(id, now));
        if result.is_err() {
            self.put_off(id, now);
        }
        result
    }

    /// Puts off what is due about a command: longer each time, up to a bound.
    pub(crate) fn put_off(&mut self, id: &CommandId, now: Now) {
        let pause = self.put_off.get(id).map_or(PUT_OFF.0, |last| (last.pause * 2).min(PUT_OFF.1));
        self.put_off.insert(id.clone(), PutOff { until: now.mono + pause, pause });
    }

    fn do_what_is_due(&mut self, id: &CommandId, now: Now) -> Result<(), Refusal> {
        let Some(open) = self.commands.get(id) else { return Ok(()) };
        match open.view.state {
            CommandState::Pending if open.deadline <= now.mono => self.expire(id, now),
            CommandState::Pending if open.escalate_at.is_some_and(|at| at <= now.mono) => {
                self.escalate(id, now)
            }
            CommandState::Allowed if open.deadline <= now.mono => {
                self.end_undelivered(id, "the gate did not release it in time", now)
            }
            _ => Ok(()),
        }
    }

    /// Nobody decided in time.
    pub(crate) fn expire(&mut self, id: &CommandId, now: Now) -> Result<(), Refusal> {
        self.decided(id, false, &Decider::Timeout, None, now)?;
        self.send_decision(id, false);
        Ok(())
    }

    /// The first part of the time has passed: others may decide, too.
    pub(crate) fn escalate(&mut self, id: &CommandId, now: Now) -> Result<(), Refusal> {
        let Some(open) = self.commands.get_mut(id) else { return Ok(()) };
        open.escalate_at = None;
        open.view.requirement.escalate();
        let to = open.view.requirement.escalates_to();
        open.view.requirement.why.push_str(&format!(", by now also {}", to.join(", ")));
        let view = open.view.clone();
        let entry = self
            .entry_for("escalated", &view, now)
            .with("to", to)
            .with_some("after_seconds", view.requirement.escalate_after_seconds);
        self.audit(&entry)?;
        self.store(id, Some(CommandState::Pending))
    }
}
