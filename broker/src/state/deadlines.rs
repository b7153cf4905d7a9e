//! What ends or changes by itself when its time has come.

use std::time::Instant;

use expacti_protocol::command::CommandState;
use expacti_protocol::gate::DecisionKind;
use expacti_protocol::ids::CommandId;

use super::model::State;
use super::ports::{Now, Refusal};

impl State {
    /// The next moment at which [`State::tick`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.commands
            .values()
            .filter(|c| matches!(c.view.state, CommandState::Pending | CommandState::Allowed))
            .map(|c| match c.escalate_at {
                Some(at) if c.view.state == CommandState::Pending => at.min(c.deadline),
                _ => c.deadline,
            })
            .min()
    }

    /// Ends what has passed its deadline.
    pub(crate) fn tick(&mut self, now: Now) -> Result<(), Refusal> {
        let due: Vec<_> = self
            .commands
            .iter()
            .filter(|(_, c)| {
                c.deadline <= now.mono
                    && matches!(c.view.state, CommandState::Pending | CommandState::Allowed)
            })
            .map(|(id, c)| (id.clone(), c.view.state))
            .collect();
        for (id, state) in due {
            if state == CommandState::Pending {
                self.expire(&id, now)?;
            } else {
                self.end_undelivered(&id, "the gate did not release it in time", now)?;
            }
        }
        let due: Vec<_> = self
            .commands
            .iter()
            .filter(|(_, c)| {
                c.view.state == CommandState::Pending
                    && c.escalate_at.is_some_and(|at| at <= now.mono)
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            self.escalate(&id, now)?;
        }
        Ok(())
    }

    /// Nobody decided in time.
    pub(crate) fn expire(&mut self, id: &CommandId, now: Now) -> Result<(), Refusal> {
        self.decided(id, false, "system:timeout", None, DecisionKind::Timeout, now)?;
        self.send_decision(id, false);
        Ok(())
    }

    /// The first part of the time has passed: others may decide, too.
    pub(crate) fn escalate(&mut self, id: &CommandId, now: Now) -> Result<(), Refusal> {
        let Some(open) = self.commands.get_mut(id) else { return Ok(()) };
        open.escalate_at = None;
        open.view.requirement.escalated = true;
        let to = open.view.requirement.escalate_to.clone();
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
