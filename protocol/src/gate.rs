//! The gate's side of the wire: `GET /v1/ws/gate`, JSON text messages both ways.
//!
//! Every request of the gate carries a `ref` of its choice; the broker answers each exactly once
//! with `ack`, `submitted`, `released` or `error` of the same `ref`. `decision` comes by itself.

use expacti_engine::{Beneath, WrittenFile};
use serde::{Deserialize, Serialize};

use crate::command::{CommandState, CommandText, Grant, Outcome, StdinTreatment, Submission};
use crate::digest::Digest;
use crate::ids::{CommandId, SessionId};
use crate::input::{InputGrant, InputRef};
use crate::reads::{FileRead, MoreRead};
use crate::session::SessionInfo;
use crate::signed::{SignedRulebook, SignedText};

/// Whose bytes a piece of a recording is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// What the agent's screen shows: the target's standard output, or the gate's own messages.
    Stdout,
    /// The target's standard error.
    Stderr,
    /// What the agent typed (never bytes typed while the target's echo was off). Our gate records
    /// what was typed by its echo only and does not send this; a gate of somebody else may, and
    /// recordings may hold it (event `i` of asciicast), so it is read.
    Stdin,
}

/// Gate to broker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum GateRequest {
    /// First message on every connection.
    Hello {
        /// [`crate::PROTOCOL_VERSION`].
        protocol: u32,
        /// The gate's own version, for people.
        version: String,
    },
    /// An agent has logged in. Answered by `ack` with `session_id`.
    OpenSession {
        /// Names this request.
        r#ref: u64,
        /// Who and where.
        session: SessionInfo,
    },
    /// The agent's connection is gone. Pending commands of the session are withdrawn.
    CloseSession {
        /// Names this request.
        r#ref: u64,
        /// Which one.
        session_id: SessionId,
    },
    /// The gate would ask the target which shell reads this command: an act of its own, with a
    /// constant text. `ack`: the entry is on disk, and it may. `error`: no rule would use the answer.
    /// Only where the answer to `open_session` had `ask_shell`.
    AskShell {
        /// Names this request.
        r#ref: u64,
        /// Which session.
        session_id: SessionId,
        /// The command that the answer is for.
        #[serde(flatten)]
        text: CommandText,
    },
    /// May these bytes run? Answered by `submitted`, later by one `decision`.
    Submit {
        /// Names this request.
        r#ref: u64,
        /// What.
        #[serde(flatten)]
        submission: Box<Submission>,
    },
    /// More of a pending command's standard input has come, and is to be decided with it. `ack`: it is.
    /// `error`: it is not (it was decided meanwhile), and belongs to an item of its own.
    Join {
        /// Names this request.
        r#ref: u64,
        /// Which command.
        id: CommandId,
        /// The session that holds it.
        session_id: SessionId,
        /// How many bytes of it the broker has already.
        offset: u64,
        /// The bytes after those, base64.
        data: String,
        /// What it is with them.
        #[serde(flatten)]
        input: InputRef,
        /// How the file that it becomes is different then, for reviewers: a unified diff, or that there
        /// is no such file. At most 128 KiB; absent where it is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        compared: Option<String>,
    },
    /// The agent took the command back. The gate has sent nothing of it and never will, also if a
    /// decision or a release for it is on its way: the broker takes this of a released command too.
    Withdraw {
        /// Names this request.
        r#ref: u64,
        /// Which one.
        id: CommandId,
        /// `^C`, `the client closed the channel`.
        reason: String,
    },
    /// The gate is about to send the bytes of an allowed command. Only after the answer
    /// `released`, which means that the entry is on disk, may it send them, and only once.
    Release {
        /// Names this request.
        r#ref: u64,
        /// Which one.
        id: CommandId,
        /// The session that will deliver it.
        session_id: SessionId,
        /// SHA-256 of the bytes about to be sent.
        sha256: Digest,
        /// The standard input that is about to be sent with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<InputRef>,
    },
    /// A released command ended.
    Finished {
        /// Names this request.
        r#ref: u64,
        /// Which one.
        id: CommandId,
        /// How.
        #[serde(flatten)]
        outcome: Outcome,
        /// The same in the gate's own words, signed by the gate.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        report: Option<SignedText>,
    },
    /// Files that the agent has read and closed. Also of a session that is closed already, when the
    /// link was lost meanwhile.
    FilesRead {
        /// Names this request.
        r#ref: u64,
        /// Which session.
        session_id: SessionId,
        /// At most [`GateRequest::MOST_READ`].
        files: Vec<FileRead>,
        /// Those that are not listed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        more: Option<MoreRead>,
    },
    /// A piece of the session's terminal input or output, for recording and live view.
    Output {
        /// Which session.
        session_id: SessionId,
        /// Whose bytes.
        stream: Stream,
        /// When, in microseconds since the Unix epoch.
        time_us: i64,
        /// The bytes, base64.
        data: String,
    },
    /// The agent's terminal changed its size.
    Resize {
        /// Which session.
        session_id: SessionId,
        /// When, in microseconds since the Unix epoch.
        time_us: i64,
        /// Columns.
        cols: u32,
        /// Rows.
        rows: u32,
    },
    /// A marker in the recording that is not a decision (`output of cmd_… truncated`).
    Marker {
        /// Which session.
        session_id: SessionId,
        /// When, in microseconds since the Unix epoch.
        time_us: i64,
        /// One line.
        label: String,
    },
}

impl GateRequest {
    /// The most files that one message lists.
    pub const MOST_READ: usize = 64;
}

/// Why a command was decided as it was; the gate chooses its message and exit status by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// A reviewer, or several.
    Reviewer,
    /// A rule (allow or deny).
    Rule,
    /// Something failed: denied, exit status 79.
    FailClosed,
    /// Nobody decided in time: denied, exit status 78.
    Timeout,
}

/// A decision as the gate receives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Which command.
    pub id: CommandId,
    /// Whether it may run.
    pub allow: bool,
    /// What the reviewer said, or what failed.
    pub comment: Option<String>,
    /// SHA-256 of the bytes that were decided on.
    pub sha256: Digest,
    /// The session it was decided for.
    pub session_id: SessionId,
    /// `alice`, `whitelist:RULE`, `system:timeout`, `system:fail-closed`.
    pub decided_by: String,
    /// Why.
    pub kind: DecisionKind,
    /// The `released` entry is on disk already: the gate need not ask for it.
    #[serde(default)]
    pub released: bool,
    /// Keys that may pass unreviewed after the item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// The standard input that is allowed with the command; nothing of it where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<InputRef>,
    /// Standard input that may flow after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_grant: Option<InputGrant>,
    /// Paths that must lie beneath a directory of the target: a rule allows it on that condition. The
    /// gate looks before it asks for the release, and withdraws the command if one does not. Only for
    /// submissions with `resolves_paths`, and never with `released`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beneath: Vec<Beneath>,
    /// With a denial: the nearest form that a rule would let through, as its pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
    /// What reviewers have signed. The gate checks it against its own signers and settings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed: Vec<SignedText>,
}

/// Broker to gate.
#[expect(clippy::large_enum_variant, reason = "a decision is made once for each command")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum GateEvent {
    /// First message on every connection.
    Hello {
        /// [`crate::PROTOCOL_VERSION`].
        protocol: u32,
        /// The broker's version.
        version: String,
    },
    /// A request was carried out and its effect is on disk.
    Ack {
        /// Which request.
        r#ref: u64,
        /// The new session, in the answer to `open_session`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_id: Option<SessionId>,
        /// In the answer to `open_session`: there are rules to which it may matter which shell reads
        /// a line, so the gate may send `ask_shell`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ask_shell: bool,
    },
    /// A submission is on disk. Its `decision` follows, at once or later.
    Submitted {
        /// Which request.
        r#ref: u64,
        /// The command's id from now on.
        id: CommandId,
        /// Where it is: `pending`, or decided already.
        state: CommandState,
        /// 0 to 100, for the agent's status line.
        risk_score: u8,
        /// LOW, MEDIUM, HIGH or CRITICAL.
        level: expacti_engine::Level,
        /// Whole time to decide, in seconds.
        timeout_seconds: u64,
        /// How standard input is to be treated.
        stdin: StdinTreatment,
        /// The command does not read it: what comes is kept from it and dropped, and nobody is asked.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        drop_stdin: bool,
        /// The file that it becomes: the gate looks at what that holds now, for the first `join` that ends
        /// the input.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        writes: Option<WrittenFile>,
        /// No reviewer is connected.
        #[serde(default)]
        unattended: bool,
    },
    /// A command was decided.
    Decision(Decision),
    /// The `released` entry is on disk: the gate may send the bytes, once.
    Released {
        /// Which request.
        r#ref: u64,
        /// Which command.
        id: CommandId,
    },
    /// A request was refused; nothing happened.
    Error {
        /// Which request.
        r#ref: u64,
        /// What failed and why.
        message: String,
    },
    /// A reviewer ended the session: close the connection, forward nothing more.
    Kill {
        /// Which session.
        session_id: SessionId,
        /// Who.
        by: String,
    },
    /// Grants of keys in this session are over: nobody watches what passes any more.
    EndGrants {
        /// Which session.
        session_id: SessionId,
        /// For the recording.
        reason: String,
    },
    /// The rules, policies and owners that people have signed; after `hello`, and whenever others are.
    Rulebook(SignedRulebook),
    /// Keeps the connection alive.
    Ping,
}
