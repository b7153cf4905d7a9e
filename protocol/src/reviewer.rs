//! The reviewer's side of the wire: `GET /v1/ws/reviewer`, JSON text messages both ways.

use serde::{Deserialize, Serialize};

use crate::command::{CommandView, Grant};
use crate::digest::Digest;
use crate::gate::Stream;
use crate::ids::{CommandId, SessionId};
use crate::input::{InputGrant, InputRef};
use crate::principal::Role;
use crate::proof::Pin;
use crate::session::SessionView;

/// Broker to reviewer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ReviewerEvent {
    /// First message on every connection, followed by `session_opened` for every open session
    /// and `pending_command` for every open command.
    Hello {
        /// [`crate::PROTOCOL_VERSION`].
        protocol: u32,
        /// The broker's version.
        version: String,
        /// Who the broker takes the client for.
        principal: String,
        /// With which role.
        role: Role,
        /// The broker's clock, in milliseconds since the Unix epoch: deadlines are in its time.
        now_ms: i64,
        /// Things a reviewer must know (`anything running as you can approve: …`).
        #[serde(default)]
        warnings: Vec<String>,
        /// Whoever connected has set a PIN: every allow needs it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pin: bool,
    },
    /// All open sessions and commands were sent; what follows is news.
    Synced,
    /// A command waits for a decision.
    PendingCommand(Box<CommandView>),
    /// A command changed: votes, withdrawn, expired, decided, released, finished.
    CommandUpdated(Box<CommandView>),
    /// A session was opened.
    SessionOpened(Box<SessionView>),
    /// A session was closed.
    SessionClosed(Box<SessionView>),
    /// Output of a watched session.
    SessionOutput {
        /// Which session.
        session_id: SessionId,
        /// Whose bytes.
        stream: Stream,
        /// Seconds since the session's recording began.
        offset: f64,
        /// The bytes, base64.
        data: String,
    },
    /// The size of a watched session's terminal.
    SessionResized {
        /// Which session.
        session_id: SessionId,
        /// Columns.
        cols: u32,
        /// Rows.
        rows: u32,
    },
    /// Rules or policies changed.
    RuleChanged {
        /// How.
        change: RuleChange,
        /// The id of the rule, of the policy, or of the change that waits.
        id: String,
        /// Who changed it.
        by: String,
    },
    /// A client message was carried out and its effect is on disk.
    Ack {
        /// Which message.
        r#ref: Option<u64>,
    },
    /// A client message was refused; nothing happened.
    Error {
        /// Which message, when it could be read.
        r#ref: Option<u64>,
        /// `already_voted`, `not_found`, `too_late`, `mismatch`, `not_entitled`, `invalid`, `failed`.
        code: ErrorCode,
        /// What failed and why.
        message: String,
    },
    /// Sent every 15 s; answer nothing.
    Ping,
}

/// How rules or policies changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleChange {
    /// A rule was added.
    Added,
    /// A rule, or a change that waits, has one more approval.
    Approved,
    /// A policy was added or removed.
    PolicyChanged,
    /// A change waits for approval.
    Proposed,
    /// A change that waited comes to nothing.
    Rejected,
    /// A rule was removed.
    Removed,
    /// A rule covers more than it did: a terminal, or standard input.
    Widened,
    /// Something a newer broker says. Only read, never sent.
    #[serde(other)]
    Unrecognized,
}

impl RuleChange {
    /// The word for it, on the wire and for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Approved => "approved",
            Self::PolicyChanged => "policy_changed",
            Self::Proposed => "proposed",
            Self::Rejected => "rejected",
            Self::Removed => "removed",
            Self::Widened => "widened",
            Self::Unrecognized => "changed",
        }
    }
}

/// What kind of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// One vote a person: this one was given already.
    AlreadyVoted,
    /// The broker failed; nothing happened.
    Failed,
    /// The message could not be understood.
    Invalid,
    /// The digest is not that of the command.
    Mismatch,
    /// No such thing.
    NotFound,
    /// This principal may not.
    NotEntitled,
    /// The command is decided, expired or withdrawn already.
    TooLate,
    /// A code of a newer broker: some refusal. Only read, never sent.
    #[serde(other)]
    Unrecognized,
}

/// A reviewer's decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionMessage {
    /// Chosen by the client; the answer repeats it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#ref: Option<u64>,
    /// Which command.
    pub id: CommandId,
    /// Allow or deny.
    pub allow: bool,
    /// For the agent (when denied) and the log; at most 4,000 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// SHA-256 of the command as it was shown; a mismatch is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// The revision that was shown; an older one is refused when an allow could rest on
    /// something the reviewer has not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// With an allow of a grantable item: keys that may pass unreviewed after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// With an allow: the standard input that was shown with the command and is allowed with it. It is
    /// refused unless it is exactly what came so far. Without it nothing of that input is allowed, and
    /// all of it is asked about once the command runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<InputRef>,
    /// With an allow of a command whose `input` is `grantable`: standard input that may flow after what
    /// was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_grant: Option<InputGrant>,
    /// With an allow: go on trusting what only looks in that account, whatever this may change, and
    /// forget what may have changed it before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trust: bool,
    /// With an allow: what the reviewer has signed, canonical JSON as in `docs/SIGNING.md`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// The reviewer's signature of `statement`: SSHSIG, armored, namespace `expacti-decision`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// With an allow of somebody who has set one: the reviewer's PIN. It is written down nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
}

/// Reviewer to broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ReviewerRequest {
    /// Allow or deny.
    Decision(Box<DecisionMessage>),
    /// Send the output of a session from now on; the recording so far comes first.
    Watch {
        /// Chosen by the client.
        #[serde(default)]
        r#ref: Option<u64>,
        /// Which session.
        session_id: SessionId,
    },
    /// Stop sending it.
    Unwatch {
        /// Chosen by the client.
        #[serde(default)]
        r#ref: Option<u64>,
        /// Which session.
        session_id: SessionId,
    },
    /// The exact text of a command whose secrets are masked; the log says who asked. The `ack`
    /// has `command` (and `command_base64`) beside its `ref`.
    Reveal {
        /// Chosen by the client.
        #[serde(default)]
        r#ref: Option<u64>,
        /// Which command.
        id: CommandId,
    },
    /// End a session.
    Kill {
        /// Chosen by the client.
        #[serde(default)]
        r#ref: Option<u64>,
        /// Which session.
        session_id: SessionId,
    },
}
