//! The messages that an agent gets from the gate itself. They must never carry a control character
//! that came from outside.

use expacti_protocol::exit;
use expacti_protocol::gate::DecisionKind;
use expacti_protocol::{BROKER_UNREACHABLE, TIMED_OUT_MESSAGE, denied_message, one_line};
use serde::Serialize;

/// Why a channel ends although its command did not run (or nobody can say how it ended).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// One line for the agent's standard error, without the newline.
    pub(crate) message: String,
    /// The exit status.
    pub(crate) status: u8,
    /// The client has the message already.
    pub(crate) is_told: bool,
    /// What is known of the command, for agents that read JSON.
    pub(crate) about: Option<Box<About>>,
}

/// What is known of a command that was refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct About {
    /// Its id at the broker.
    pub(crate) id: Option<String>,
    /// What the reviewer said.
    pub(crate) comment: Option<String>,
    /// 0 to 100.
    pub(crate) risk_score: Option<u8>,
    /// The nearest form that a rule would let through.
    pub(crate) instead: Option<String>,
}

/// A refusal as one line of JSON.
#[derive(Debug, Serialize)]
struct Denial<'a> {
    /// `deny`, `timeout`, or `undecided`.
    decision: &'static str,
    id: Option<&'a str>,
    reason: &'a str,
    comment: Option<&'a str>,
    risk_score: Option<u8>,
    /// After how many seconds it makes sense to ask again; null: not at all as it is.
    retry_after: Option<u32>,
    allowed_instead: Option<&'a str>,
    exit_status: u8,
}

impl Refusal {
    /// Denied by a decision of that kind.
    pub(crate) fn decided(kind: DecisionKind, comment: Option<&str>) -> Self {
        match kind {
            DecisionKind::Reviewer | DecisionKind::Rule => Self {
                message: denied_message(comment),
                status: exit::DENIED,
                is_told: false,
                about: None,
            },
            DecisionKind::Timeout => Self::timed_out(),
            DecisionKind::FailClosed => Self::undecided(comment.unwrap_or("no decision was made")),
        }
    }

    /// Denied by the gate itself, for a reason that the agent can act on.
    pub(crate) fn denied(why: &str) -> Self {
        Self {
            message: denied_message(Some(why)),
            status: exit::DENIED,
            is_told: false,
            about: None,
        }
    }

    /// As one line of JSON. Characters that are not ASCII are escaped: nothing in it can act on a
    /// terminal.
    pub(crate) fn as_json(&self) -> String {
        let nothing = About::default();
        let about = self.about.as_deref().unwrap_or(&nothing);
        let (decision, retry_after) = match self.status {
            exit::DENIED => ("deny", None),
            // Somebody may be there in a while.
            exit::TIMED_OUT => ("timeout", Some(60)),
            _ => ("undecided", Some(10)),
        };
        let denial = Denial {
            decision,
            id: about.id.as_deref(),
            reason: self.message.trim_start_matches("expacti: "),
            comment: about.comment.as_deref(),
            risk_score: about.risk_score,
            retry_after,
            allowed_instead: about.instead.as_deref(),
            exit_status: self.status,
        };
        let json = serde_json::to_string(&denial).unwrap_or_else(|_| "{}".to_owned());
        let mut line = String::with_capacity(json.len());
        for c in json.chars() {
            if c.is_ascii() {
                line.push(c);
            } else {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    line.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
        line
    }

    /// Nobody decided in time.
    pub(crate) fn timed_out() -> Self {
        Self {
            message: TIMED_OUT_MESSAGE.to_owned(),
            status: exit::TIMED_OUT,
            is_told: false,
            about: None,
        }
    }

    /// The gate cannot get a decision.
    pub(crate) fn undecided(why: &str) -> Self {
        Self {
            message: denied_message(Some(why)),
            status: exit::UNDECIDED,
            is_told: false,
            about: None,
        }
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
            about: None,
        }
    }

    /// The agent withdrew the command; the status is that of `^C` in a shell.
    pub(crate) fn withdrawn() -> Self {
        Self {
            message: "expacti: command withdrawn".to_owned(),
            status: 130,
            is_told: false,
            about: None,
        }
    }

    /// Something the gate does not support.
    pub(crate) fn unsupported(why: &str) -> Self {
        Self {
            message: format!("expacti: {why}"),
            status: exit::UNDECIDED,
            is_told: false,
            about: None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_in_json_is_one_line_of_ascii() {
        let mut refusal = Refusal::decided(DecisionKind::Reviewer, Some("nein, größer\u{202e}\n"));
        refusal.about = Some(Box::new(About {
            id: Some("cmd_1".to_owned()),
            comment: Some("nein, größer\u{202e}\n".to_owned()),
            risk_score: Some(82),
            instead: Some("systemctl status *".to_owned()),
        }));
        let line = refusal.as_json();
        assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{line}");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["decision"], "deny");
        assert_eq!(read["comment"], "nein, größer\u{202e}\n");
        assert_eq!(read["allowed_instead"], "systemctl status *");
        assert_eq!(read["retry_after"], serde_json::Value::Null);
        let line = Refusal::timed_out().as_json();
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&read["decision"], &read["exit_status"]), (&"timeout".into(), &78.into()));
    }
}
