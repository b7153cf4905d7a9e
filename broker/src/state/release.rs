//! From an allow to its release, which is on disk before the gate hears of it. It must never release a
//! command twice, after its deadline, or without a recording.

use std::time::Duration;

use expacti_protocol::command::{CommandState, ItemKind};
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::DecisionKind;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::input::InputRef;
use expacti_protocol::reviewer::ErrorCode;

use super::input;
use super::model::State;
use super::ports::{Decider, GateId, Now, Refusal};
use super::shown::Shown;

/// How long a gate may take from an allow to its release. The gate releases at once; past this
/// something is wrong, and an unused approval must not stay valid.
pub(super) const RELEASE_WINDOW: Duration = Duration::from_secs(30);

impl State {
    /// The gate is about to send the bytes.
    pub(crate) fn release(
        &mut self,
        gate: GateId,
        id: &CommandId,
        session: &SessionId,
        (sha256, input): (Digest, Option<InputRef>),
        now: Now,
    ) -> Result<(), Refusal> {
        let Some(open) = self.commands.get(id) else {
            return Err(Refusal::not_found(format!("command {id}")));
        };
        if open.gate != Some(gate) || open.view.session_id != *session {
            return Err(Refusal::not_entitled("the command belongs to another session"));
        }
        if open.view.sha256 != sha256 {
            return Err(Refusal::new(
                ErrorCode::Mismatch,
                "those are not the bytes that were approved",
            ));
        }
        if !input::fits(&open.view, input) {
            return Err(Refusal::new(
                ErrorCode::Mismatch,
                "that is not the standard input that was approved",
            ));
        }
        if open.view.state != CommandState::Allowed {
            return Err(Refusal::new(
                ErrorCode::TooLate,
                format!("command {id} is {}, not allowed", open.view.state.as_str()),
            ));
        }
        if now.mono >= open.deadline {
            return Err(Refusal::new(ErrorCode::TooLate, "the approval was not used in time"));
        }
        // Recorded first: a command that the recording does not show must not run.
        let label = format!("allowed by {}", open.view.decided_by.as_deref().unwrap_or("?"));
        match self.mark_released(id, session, &label, now) {
            Ok(offset) => self.set_released(id, offset, now),
            Err(why) => Err(Refusal::failed(format!("recording failed: {why}"))),
        }
    }

    /// Marks the decision in the recording. Output without a terminal does not show which command
    /// it belongs to: there the recording says so.
    pub(crate) fn mark_released(
        &self,
        id: &CommandId,
        session: &SessionId,
        label: &str,
        now: Now,
    ) -> Result<f64, String> {
        let Some(open) = self.commands.get(id) else {
            return Err("the command is gone".to_owned());
        };
        let view = &open.view;
        let text = view.masked.as_ref().unwrap_or(&view.text.command);
        let text = expacti_engine::make_visible(text.as_bytes()).text;
        let label = Shown::text(&format!("{label}: {text}"), &open.secrets);
        let offset = self.recorder.mark(session, &label, now)?;
        if view.pty.is_none() {
            let line = match view.kind {
                ItemKind::Exec => format!("\x1b[2m$ {}\x1b[0m\r\n", text.replace('\n', "\r\n> ")),
                _ => return Ok(offset),
            };
            self.recorder.show(session, &Shown::text(&line, &open.secrets), now)?;
        }
        Ok(offset)
    }

    /// Allowed becomes released.
    pub(crate) fn set_released(
        &mut self,
        id: &CommandId,
        offset: f64,
        now: Now,
    ) -> Result<(), Refusal> {
        let open = self.transition(id, &[CommandState::Allowed], CommandState::Released)?;
        open.view.recording_offset = Some(offset);
        let view = open.view.clone();
        let entry = self
            .entry_for("released", &view, now)
            .with_some("decided_by", view.decided_by.clone())
            .with("recording_offset", offset);
        self.audit(&input::logged(entry, &view, false))?;
        self.store(id, Some(CommandState::Allowed))?;
        self.input_released(id);
        self.give_input(id);
        self.taint(id, now)
    }

    /// An allowed command cannot be released after all.
    pub(crate) fn deny_allowed(
        &mut self,
        id: &CommandId,
        why: &str,
        now: Now,
    ) -> Result<(), Refusal> {
        let open = self.transition(id, &[CommandState::Allowed], CommandState::Denied)?;
        open.view.allow = Some(false);
        open.view.grant = None;
        open.view.decided_by = Some(Decider::FailClosed.to_string());
        open.view.comment = Some(why.to_owned());
        open.kind = Some(DecisionKind::FailClosed);
        let view = open.view.clone();
        let entry = self
            .entry_for("decision", &view, now)
            .with("decision", "deny")
            .with("decided_by", Decider::FailClosed.to_string())
            .with("comment", why);
        self.audit(&entry)?;
        self.store(id, Some(CommandState::Allowed))?;
        self.send_decision(id, false);
        Ok(())
    }
}
