//! A gate may ask a target which shell reads a command: an act of the gate's own, with a constant
//! text. It is allowed only where a rule waits for the answer, and is in the log before it is done.
//!
//! Whatever an account runs in place of a command (a forced command, a menu) would run then. Where a
//! rule waits for the answer, it lets commands of this agent run there undecided already.

use expacti_protocol::ids::SessionId;

use super::model::State;
use super::ports::{GateId, Now, Refusal};
use super::sessions::session_entry;

impl State {
    /// Whether the gate may ask in this session at all.
    pub(crate) fn may_ask_shell(&self, id: &SessionId, now: Now) -> bool {
        self.sessions
            .get(id)
            .is_some_and(|session| self.snapshot.rules.may_need_the_shell(&session.context(now)))
    }

    /// The gate would ask which shell reads this command.
    pub(crate) fn ask_shell(
        &mut self,
        gate: GateId,
        id: &SessionId,
        command: &[u8],
        now: Now,
    ) -> Result<(), Refusal> {
        let session =
            self.sessions.get(id).ok_or_else(|| Refusal::not_found(format!("session {id}")))?;
        if session.gate != gate {
            return Err(Refusal::not_entitled("the session belongs to another gate"));
        }
        if self.stopping || session.view.paused {
            return Err(Refusal::failed("no rule decides now"));
        }
        if !self.snapshot.rules.need_the_shell(command, &self.context_of(session, now)) {
            return Err(Refusal::failed("no rule waits for the answer"));
        }
        let entry = session_entry("shell_asked", &session.view, now);
        self.audit(&entry)
    }
}
