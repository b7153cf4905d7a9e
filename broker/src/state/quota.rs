//! What one agent may keep waiting, over all its sessions, so that it cannot use up what there is for
//! everybody.

use expacti_protocol::command::CommandState;

use super::model::State;
use super::open::OpenCommand;
use super::ports::Refusal;

/// Items of one agent that wait for a decision.
pub(super) const MAX_WAITING: usize = 256;

/// Items of one agent that are not over: those that wait and those that run.
pub(super) const MAX_OPEN: usize = 2048;

/// The bytes of an agent's items that are not over, and of the standard input that joined them.
pub(super) const MAX_BYTES: usize = 64 * 1024 * 1024;

impl State {
    /// Refuses `more` bytes of an agent that has too much open already.
    pub(super) fn check_bytes(&self, agent: &str, more: usize) -> Result<(), Refusal> {
        let held = self.open_of(agent).map(|c| c.bytes.len().saturating_add(c.joined.bytes.len()));
        let held = held.fold(0, usize::saturating_add);
        if held.saturating_add(more) > MAX_BYTES {
            return Err(Refusal::failed(format!(
                "the items of agent {agent:?} that are not over hold {held} bytes already, and {more} \
                 more are beyond the {MAX_BYTES} that one agent may have: wait until some are decided"
            )));
        }
        Ok(())
    }

    /// Refuses one more item of an agent that has too many.
    pub(super) fn check_items(&self, agent: &str) -> Result<(), Refusal> {
        let waiting = self.open_of(agent).filter(|c| c.view.state == CommandState::Pending);
        if waiting.count() >= MAX_WAITING {
            return Err(Refusal::failed(format!(
                "{MAX_WAITING} items of agent {agent:?} wait for a decision already, over all its \
                 sessions: wait until some are decided"
            )));
        }
        if self.open_of(agent).count() >= MAX_OPEN {
            return Err(Refusal::failed(format!(
                "{MAX_OPEN} items of agent {agent:?} wait or run already, over all its sessions: wait \
                 until some are over"
            )));
        }
        Ok(())
    }

    fn open_of(&self, agent: &str) -> impl Iterator<Item = &OpenCommand> {
        self.commands.values().filter(move |c| c.view.session.agent == agent)
    }
}
