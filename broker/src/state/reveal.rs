//! Shows a secret to somebody who decides and asks for it by name; the log says who asked.

use expacti_audit::Entry;
use expacti_protocol::command::{CommandState, CommandText};
use expacti_protocol::ids::CommandId;

use super::model::State;
use super::ports::{Now, Peer, Refusal};
use super::secret::not_kept;

impl State {
    /// The exact text of a command that is not over, for somebody who asks for it by name.
    pub(crate) fn reveal(
        &mut self,
        by: &Peer,
        id: &CommandId,
        now: Now,
    ) -> Result<CommandText, Refusal> {
        if !by.may_decide() {
            return Err(Refusal::not_entitled(format!(
                "{} ({}) may not see secrets",
                by.name, by.role
            )));
        }
        let Some(open) = self.commands.get(id) else {
            return Err(Refusal::not_found(format!("command {id}")));
        };
        if open.view.state.is_final()
            || (open.salted_digest.is_some() && open.view.state != CommandState::Pending)
        {
            return Err(not_kept(id));
        }
        let view = open.view.clone();
        if view.masked.is_some() {
            let entry: Entry =
                self.entry_for("secret_revealed", &view, now).with("by", by.name.as_str());
            self.audit(&entry)?;
        }
        Ok(view.text)
    }
}
