//! What the state needs from outside, and what it asks to be done. No I/O here.

use std::collections::BTreeSet;
use std::time::Instant;

use expacti_protocol::command::CommandState;
use expacti_protocol::gate::{DecisionKind, GateEvent};
use expacti_protocol::http::Approval;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::{ErrorCode, ReviewerEvent};
use expacti_protocol::session::Pty;
use serde::{Deserialize, Serialize};

use super::shown::{Kept, Shown};

/// One moment on both clocks: the wall clock is written down, the monotonic one decides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// Microseconds since the Unix epoch.
    pub(crate) micros: i64,
    /// The monotonic clock, which no clock adjustment moves.
    pub(crate) mono: Instant,
}

impl Now {
    /// Reads both clocks.
    pub(crate) fn read() -> Self {
        Self { micros: expacti_protocol::now_micros(), mono: Instant::now() }
    }

    pub(crate) fn seconds(self) -> i64 {
        self.micros.div_euclid(1_000_000)
    }

    pub(crate) fn rfc3339(self) -> String {
        jiff::Timestamp::from_microsecond(self.micros)
            .map_or_else(|_| "1970-01-01T00:00:00Z".to_owned(), |t| format!("{t:.6}"))
    }
}

/// Who is at the other end of a connection, as the server has established it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The principal's name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// The connection comes from inside a wrap, or cannot be told to come from outside: it may never
    /// decide.
    pub inside_wrap: bool,
}

impl Peer {
    /// Whether this peer may allow or deny at all.
    pub fn may_decide(&self) -> bool {
        self.role.may_decide() && !self.inside_wrap
    }

    /// Whether this peer may change principals, rules and policies.
    pub fn may_administer(&self) -> bool {
        self.role.may_administer() && !self.inside_wrap
    }

    /// Whether this peer may see commands and recordings.
    pub fn may_view(&self) -> bool {
        self.role.may_view() && !self.inside_wrap
    }
}

impl Peer {
    /// This person's approval of something, as of now.
    pub(crate) fn approval(&self, now: Now) -> Approval {
        Approval { by: self.name.clone(), role: self.role, at: now.seconds() }
    }
}

/// Who or what decided a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decider {
    /// Something failed, or the broker stops.
    FailClosed,
    /// Reviewers, by name; several are joined by commas.
    Reviewers(String),
    /// A rule, by id.
    Rule(String),
    /// Nobody, in time.
    Timeout,
}

impl Decider {
    /// What a gate chooses its message and exit status by.
    pub(crate) fn kind(&self) -> DecisionKind {
        match self {
            Self::FailClosed => DecisionKind::FailClosed,
            Self::Reviewers(_) => DecisionKind::Reviewer,
            Self::Rule(_) => DecisionKind::Rule,
            Self::Timeout => DecisionKind::Timeout,
        }
    }
}

/// The names of `decided_by` on the wire and in the log.
impl std::fmt::Display for Decider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::FailClosed => f.write_str("system:fail-closed"),
            Self::Reviewers(names) => f.write_str(names),
            Self::Rule(id) => write!(f, "whitelist:{id}"),
            Self::Timeout => f.write_str("system:timeout"),
        }
    }
}

/// One connection of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct GateId(pub(crate) u64);

/// Why a request was refused; nothing happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What kind.
    pub code: ErrorCode,
    /// What failed and why.
    pub message: String,
}

impl Refusal {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(ErrorCode::NotFound, format!("no such {what}"))
    }

    pub(crate) fn not_entitled(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotEntitled, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Invalid, message)
    }

    /// One vote a person.
    pub(crate) fn already_voted(name: &str) -> Self {
        let message = format!("{name} has approved this already: a second vote does not count");
        Self::new(ErrorCode::AlreadyVoted, message)
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Failed, message)
    }
}

/// The recorder, as far as commands depend on it.
pub(crate) trait Recorder: Send {
    /// Makes sure that the session's recording exists and can be written.
    fn start(&self, session: &SessionId, pty: Option<&Pty>, now: Now) -> Result<(), String>;
    /// Writes a marker; the offset in seconds at which it stands.
    fn mark(&self, session: &SessionId, label: &Shown<String>, now: Now) -> Result<f64, String>;
    /// Writes a line of ours into the output.
    fn show(&self, session: &SessionId, line: &Shown<String>, now: Now) -> Result<(), String>;
    /// Why the recording can no longer be written, if it cannot.
    fn failure(&self, session: &SessionId) -> Option<String>;
}

/// Signs checkpoints.
pub(crate) trait Signer: Send {
    /// The public key, `ssh-ed25519 AAAA…`.
    fn public_key(&self) -> &str;
    /// The signature, armored SSHSIG.
    fn sign(&self, message: &str) -> Result<String, String>;
}

/// What must be on disk before anybody is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Write {
    Audit {
        seq: u64,
        line: String,
        hash: String,
    },
    Baseline {
        agent: String,
        body: Kept,
    },
    Change {
        id: String,
        body: Option<Kept>,
    },
    Command {
        id: CommandId,
        session: SessionId,
        from: Option<CommandState>,
        to: CommandState,
        submitted_at: i64,
        view: Kept,
    },
    /// Somebody was told of this rule of before.
    EarlierRule {
        id: String,
    },
    Policy {
        id: String,
        body: Option<Kept>,
    },
    /// What is known of a principal, whose token stays as it is.
    PrincipalBody {
        id: String,
        body: Kept,
    },
    FormerAgent {
        id: String,
        body: Kept,
    },
    Pause {
        id: String,
        body: Option<Kept>,
    },
    Principal {
        id: String,
        row: Option<PrincipalRow>,
    },
    Reviewer {
        id: String,
        body: Option<Kept>,
    },
    Rule {
        id: String,
        body: Option<Kept>,
    },
    Session {
        id: SessionId,
        opened_at: i64,
        closed_at: Option<i64>,
        view: Kept,
    },
    Rulebook {
        body: Kept,
    },
    SigningKey {
        id: String,
        body: Option<Kept>,
    },
    Taint {
        id: String,
        body: Option<Kept>,
    },
    Target {
        name: String,
        body: Option<Kept>,
    },
}

/// What an agent does on a machine is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pause {
    /// The agent.
    pub(super) agent: String,
    /// The machine, as it was called then.
    pub(super) target: String,
    /// Where it was reached.
    pub(super) host: String,
    /// The port there.
    pub(super) port: u16,
    /// The host key that it showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) host_key_sha256: Option<String>,
    /// Who paused it.
    pub(super) by: BTreeSet<String>,
}

/// What is kept of one person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reviewer {
    pub(crate) name: String,
    /// The PIN's digest: Argon2, in the PHC string format.
    pub(crate) pin: Option<String>,
    /// When keys and PIN were reset on the machine of the broker, in seconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reset_at: Option<i64>,
    /// They have had a key: without one they allow nothing any more.
    pub(crate) signs: bool,
    /// Wrong PINs since the last right one.
    #[serde(default)]
    pub(crate) wrong_pins: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PrincipalRow {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) token_hash: Option<String>,
    pub(crate) public_key: Option<String>,
    pub(crate) body: Kept,
}

/// Who is told, once it is on disk.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outgoing {
    Gate(GateId, Box<GateEvent>),
    /// All of them.
    Gates(Box<GateEvent>),
    Review(Box<News>),
}

/// News for whoever looks on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct News {
    /// As everybody may see it.
    pub(crate) shown: Shown<ReviewerEvent>,
    /// As those see it who decide, while there is something to decide.
    pub(super) exact: Option<ReviewerEvent>,
}

impl News {
    /// The event as somebody gets it.
    pub(crate) fn event(&self, decides: bool) -> ReviewerEvent {
        match &self.exact {
            Some(exact) if decides => exact.clone(),
            _ => self.shown.clone().into_inner(),
        }
    }
}
