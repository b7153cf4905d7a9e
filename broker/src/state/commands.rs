//! Open commands: how one changes its state, and who is told.

use expacti_protocol::command::{CommandState, CommandView};
use expacti_protocol::gate::GateEvent;
use expacti_protocol::ids::CommandId;
use expacti_protocol::reviewer::{ErrorCode, ReviewerEvent};

use super::model::State;
use super::open::OpenCommand;
use super::ports::{GateId, News, Outgoing, Refusal, Write};

/// The refusal of a decision on a command that is over.
pub(crate) fn too_late_for(view: &CommandView) -> Refusal {
    let by = view.decided_by.as_deref().unwrap_or("the system");
    let what = match view.state {
        CommandState::Expired => "timed out".to_owned(),
        CommandState::Withdrawn => "was withdrawn by the agent".to_owned(),
        CommandState::Denied => format!("was denied by {by}"),
        _ => format!("was allowed by {by}"),
    };
    Refusal::new(ErrorCode::TooLate, format!("too late: command {} {what}", view.id))
}

impl State {
    /// The compare-and-set in memory; the same one is repeated on disk by the write.
    pub(crate) fn transition(
        &mut self,
        id: &CommandId,
        from: &[CommandState],
        to: CommandState,
    ) -> Result<&mut OpenCommand, Refusal> {
        let Some(open) = self.commands.get_mut(id) else {
            return Err(Refusal::not_found(format!("command {id}")));
        };
        if !from.contains(&open.view.state) {
            return Err(too_late_for(&open.view));
        }
        open.view.state = to;
        Ok(open)
    }

    /// Has a command's present state written and told, with its compare-and-set on disk.
    pub(crate) fn store(
        &mut self,
        id: &CommandId,
        from: Option<CommandState>,
    ) -> Result<(), Refusal> {
        let may_decide = match self.commands.get(id) {
            Some(open) if open.view.state == CommandState::Pending => {
                self.may_decide(&open.view, &open.ballots)
            }
            _ => Vec::new(),
        };
        let Some(open) = self.commands.get_mut(id) else {
            return Err(Refusal::not_found(format!("command {id}")));
        };
        open.view.may_decide = may_decide;
        open.view.revision = open.view.revision.saturating_add(1);
        let shown = open.shown()?;
        let view = &open.view;
        let event = if from.is_none() && view.state == CommandState::Pending {
            ReviewerEvent::PendingCommand
        } else {
            ReviewerEvent::CommandUpdated
        };
        // Secrets are for those who decide, while they do.
        let exact =
            (view.state == CommandState::Pending).then(|| event(Box::new(open.view.clone())));
        self.writes.push(Write::Command {
            id: id.clone(),
            session: view.session_id.clone(),
            from,
            to: view.state,
            submitted_at: view.timestamp.saturating_mul(1_000_000),
            view: shown.kept()?,
        });
        let news = News { shown: shown.within(event), exact };
        self.outgoing.push(Outgoing::Review(Box::new(news)));
        Ok(())
    }

    /// Tells the gate that holds a command.
    pub(crate) fn tell_gate(&mut self, gate: GateId, event: GateEvent) {
        self.outgoing.push(Outgoing::Gate(gate, Box::new(event)));
    }

    /// The commands that wait for a decision.
    pub(crate) fn pending(&self) -> impl Iterator<Item = &CommandView> {
        self.commands.values().map(|c| &c.view).filter(|v| v.state == CommandState::Pending)
    }

    /// The open commands as those see them who decide, oldest first.
    pub(crate) fn open_commands(&self) -> Result<Vec<CommandView>, Refusal> {
        let mut all: Vec<_> =
            self.commands.values().map(OpenCommand::for_deciders).collect::<Result<_, _>>()?;
        all.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(all)
    }
}
