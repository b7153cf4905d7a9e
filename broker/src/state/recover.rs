//! What the last broker left open is ended, never run.

use std::sync::Arc;

use expacti_engine::{GivenInput, Taint};
use expacti_protocol::command::{CommandState, CommandView, Outcome};
use expacti_protocol::reviewer::ReviewerEvent;
use expacti_protocol::session::SessionView;

use super::digest_key::DigestKey;
use super::holder::Holder;
use super::model::State;
use super::open::OpenCommand;
use super::ports::{Decider, Now, Refusal};
use super::sessions::session_entry;
use super::shown::Secrets;

impl State {
    /// Ends a command that the last broker left open.
    pub(crate) fn recover_command(&mut self, view: CommandView, now: Now) -> Result<(), Refusal> {
        let (id, state, session) = (view.id.clone(), view.state, view.session_id.clone());
        self.adopt(view, now);
        let why = "the broker restarted";
        match state {
            CommandState::Pending => self.decided(&id, false, &Decider::FailClosed, Some(why), now),
            CommandState::Allowed => self.end_undelivered(&id, why, now),
            CommandState::Released => {
                let outcome = Outcome { unknown: Some(why.to_owned()), ..Outcome::default() };
                self.end_released(&id, outcome, now)
            }
            _ => Err(Refusal::failed(format!("command {id} of session {session} is over already"))),
        }
    }

    /// Takes a command from the disk into memory, where no gate holds it.
    pub(crate) fn adopt(&mut self, mut view: CommandView, now: Now) {
        let bytes: Arc<[u8]> = view.text.bytes().unwrap_or_default().into();
        // A row of an earlier version may hold what is known to be a secret by now.
        let secrets = Secrets::of(&bytes);
        view.masked = secrets.masked().map(str::to_owned).or(view.masked);
        let open = OpenCommand {
            beneath: Vec::new(),
            rules: Vec::new(),
            taint: Taint::default(),
            trust: false,
            reads: Default::default(),
            key: DigestKey::recovered(&view),
            secrets,
            bytes,
            holder: Holder::default(),
            report: None,
            gate: None,
            deadline: now.mono,
            escalate_at: None,
            joined: Default::default(),
            covered: Default::default(),
            given: GivenInput::default(),
            ballots: Vec::new(),
            kind: None,
            // The digest on the disk is a salted one already.
            salted_digest: view
                .interactive
                .as_ref()
                .is_some_and(|i| i.secret)
                .then_some(view.sha256),
            view,
        };
        self.commands.insert(open.view.id.clone(), open);
    }

    /// Closes a session that the last broker left open.
    pub(crate) fn recover_session(
        &mut self,
        mut view: SessionView,
        now: Now,
    ) -> Result<(), Refusal> {
        view.closed_at = Some(now.seconds());
        self.audit(
            &session_entry("session_closed", &view, now).with("comment", "the broker restarted"),
        )?;
        self.push_session(view, now, ReviewerEvent::SessionClosed)
    }
}
