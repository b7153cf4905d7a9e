//! The messages that an agent gets from the gate itself. They must never carry a control character
//! that came from outside.

use expacti_protocol::exit;
use expacti_protocol::gate::DecisionKind;
use expacti_protocol::{BROKER_UNREACHABLE, TIMED_OUT_MESSAGE, denied_message, one_line};

/// Why a channel ends although its command did not run (or nobody can say how it ended).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// One line for the agent's standard error, without the newline.
    pub(crate) message: String,
    /// The exit status.
    pub(crate) status: u8,
    /// The client has the message already.
    pub(crate) is_told: bool,
}

impl Refusal {
    /// Denied by a decision of that kind.
    pub(crate) fn decided(kind: DecisionKind, comment: Option<&str>) -> Self {
        match kind {
            DecisionKind::Reviewer | DecisionKind::Rule => {
                Self { message: denied_message(comment), status: exit::DENIED, is_told: false }
            }
            DecisionKind::Timeout => Self::timed_out(),
            DecisionKind::FailClosed => Self::undecided(comment.unwrap_or("no decision was made")),
        }
    }

    /// Denied by the gate itself, for a reason that the agent can act on.
    pub(crate) fn denied(why: &str) -> Self {
        Self { message: denied_message(Some(why)), status: exit::DENIED, is_told: false }
    }

    /// Nobody decided in time.
    pub(crate) fn timed_out() -> Self {
        Self { message: TIMED_OUT_MESSAGE.to_owned(), status: exit::TIMED_OUT, is_told: false }
    }

    /// The gate cannot get a decision.
    pub(crate) fn undecided(why: &str) -> Self {
        Self { message: denied_message(Some(why)), status: exit::UNDECIDED, is_told: false }
    }

    /// The broker cannot be reached.
    pub(crate) fn unreachable() -> Self {
        Self::undecided(BROKER_UNREACHABLE)
    }

    /// The target cannot be reached, or it refused the login.
    pub(crate) fn target(why: &str) -> Self {
        Self {
            message: format!("expacti: {}", one_line(why)),
            status: exit::CONNECTION_FAILED,
            is_told: false,
        }
    }

    /// The agent withdrew the command; the status is that of `^C` in a shell.
    pub(crate) fn withdrawn() -> Self {
        Self { message: "expacti: command withdrawn".to_owned(), status: 130, is_told: false }
    }

    /// Something the gate does not support.
    pub(crate) fn unsupported(why: &str) -> Self {
        Self { message: format!("expacti: {why}"), status: exit::UNDECIDED, is_told: false }
    }
}
