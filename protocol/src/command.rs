//! A command under review: what the gate submits and what reviewers see.

use base64::Engine as _;
use expacti_engine::{
    Anomaly, Closest, Context, History, ItemSyntax, Level, Requirement, Snapshot, Term, judge_as,
};
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, StreamSummary};
use crate::ids::{CommandId, SessionId};
use crate::input::CommandInput;
use crate::session::{Pty, SessionInfo};
use crate::shell::PosixShell;
use crate::signed::SignedText;

/// What kind of bytes an item holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// The command string of an `exec` request.
    #[default]
    Exec,
    /// One line (or one whole multi-line construct) typed at an interactive shell.
    Line,
    /// Code on the standard input of an approved command, or of a login shell without a terminal.
    ///
    /// `shell` is read as this: descriptions of the protocol named it, a gate written after them may
    /// send it, and it was treated as this in all but the name. No gate of ours ever sent it.
    #[serde(alias = "shell")]
    Stdin,
    /// A line for the program in the foreground of an interactive shell, which is not at its
    /// prompt.
    Input,
    /// Keys for a program that reads them one by one; `preview` shows them decoded.
    Keys,
    /// A control key of an interactive shell: end of input, suspend, quit.
    Control,
    /// A change of a file through SFTP: the text says what would be done, to which path, and
    /// the size and SHA-256 of the content.
    File,
    /// A signature with a key of the user's own agent, in words: nothing goes to a target.
    Signature,
}

impl ItemKind {
    /// Whether such an item goes to a shell or a program that has its terminal already.
    fn is_for_a_shell(self) -> bool {
        match self {
            Self::Control | Self::Input | Self::Keys | Self::Line => true,
            Self::Exec | Self::File | Self::Signature | Self::Stdin => false,
        }
    }

    /// The kind's name on the wire and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Exec => "exec",
            Self::File => "file",
            Self::Input => "input",
            Self::Keys => "keys",
            Self::Line => "line",
            Self::Signature => "signature",
            Self::Stdin => "stdin",
        }
    }
}

/// What the gate knows of the remote terminal at the moment an item is submitted. It is for the
/// reviewer; it never approves anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptLabel {
    /// The shell that the gate set up is at its prompt and said so.
    Verified,
    /// As `Verified`, at the continuation prompt of an incomplete construct.
    Continuation,
    /// Something that looks like a prompt, or nothing is known.
    Unverified,
    /// A program runs and reads whole lines.
    Cooked,
    /// A program runs and reads lines without echo: a password if `secret` is set, else anything.
    NoEcho,
    /// A program runs and reads keys.
    Raw,
}

impl PromptLabel {
    /// The label in words, for reviewers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "at the prompt",
            Self::Continuation => "at the continuation prompt",
            Self::Unverified => "unverified prompt",
            Self::Cooked => "input to a program",
            Self::NoEcho => "input without echo",
            Self::Raw => "keys to a program",
        }
    }
}

/// Where an item of an interactive shell would go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interactive {
    /// What is known of the prompt.
    pub label: PromptLabel,
    /// The program in the foreground with its arguments (`psql -d shop`), when it is not the
    /// shell that the gate set up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreground: Option<String>,
    /// A password: typed without echo at the password prompt of a program that is known to ask for one.
    /// Reviewers see it masked, nothing keeps it in clear.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
    /// Allowing it may carry a [`Grant`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub grantable: bool,
}

/// Permission to pass keys unreviewed to the program in the foreground: an ungated shell for as
/// long as it lasts. It ends at the first of its limits, at the next prompt, when the session is
/// killed, or when no reviewer watches any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Longest duration, in seconds; 1 to 3,600.
    pub seconds: u64,
    /// Most bytes; 1 to 16 MiB.
    pub bytes: u64,
}

impl Grant {
    /// The longest duration, in seconds.
    pub const MAX_SECONDS: u64 = 3600;
    /// The most bytes: 16 MiB.
    pub const MAX_BYTES: u64 = 16 * 1024 * 1024;

    /// Whether both limits are within their bounds.
    pub fn is_valid(self) -> bool {
        (1..=Self::MAX_SECONDS).contains(&self.seconds)
            && (1..=Self::MAX_BYTES).contains(&self.bytes)
    }

    /// The permission that is within both.
    #[must_use]
    pub fn smallest(self, other: Self) -> Self {
        Self { seconds: self.seconds.min(other.seconds), bytes: self.bytes.min(other.bytes) }
    }
}

/// What stands in the place of what was typed without echo; it does not tell the length.
pub const SECRET_MASK: &str = "••••••";

/// How the standard input of an `exec` request is treated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StdinTreatment {
    /// Nobody lets it through unseen: what comes while the command waits is decided with it, and what
    /// comes later is an item of its own.
    #[default]
    Code,
    /// It flows: the command only looks, or speaks a protocol of which it is one side. Its length and
    /// digest go to the log.
    Data,
}

/// Where a command is in its life. `Submitted -> Pending -> Allowed -> Released -> Finished` is
/// the way of a command that runs; every other end means that it did not run, except `Unknown`:
/// it was released and nobody can say whether it ran. It is never sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// Waits for a decision.
    Pending,
    /// Allowed; the gate has not released it yet.
    Allowed,
    /// Denied by a person, a rule or the system.
    Denied,
    /// Nobody decided before the deadline.
    Expired,
    /// Nothing of it was sent, and nothing will be: the agent took it back or went away.
    Withdrawn,
    /// On record as sent to the target.
    Released,
    /// Ran to its end.
    Finished,
    /// Released, and its outcome cannot be known.
    Unknown,
}

impl CommandState {
    /// The state's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Released => "released",
            Self::Finished => "finished",
            Self::Unknown => "unknown",
        }
    }

    /// The state with that name.
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Pending,
            Self::Allowed,
            Self::Denied,
            Self::Expired,
            Self::Withdrawn,
            Self::Released,
            Self::Finished,
            Self::Unknown,
        ]
        .into_iter()
        .find(|state| state.as_str() == name)
    }

    /// Whether nothing more can happen to the command.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Allowed | Self::Released)
    }
}

/// The bytes of a command on the wire: `command` is always readable text, and `command_base64`
/// holds the exact bytes when they are not valid UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandText {
    /// The command; for bytes that are not UTF-8, with U+FFFD in place of the invalid ones.
    pub command: String,
    /// The exact bytes in base64, only when `command` is not exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_base64: Option<String>,
}

/// `command_base64` is not base64.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("command_base64 is not valid base64")]
pub struct CommandTextError;

impl CommandText {
    /// The wire form of `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { command: text.to_owned(), command_base64: None },
            Err(_) => Self {
                command: String::from_utf8_lossy(bytes).into_owned(),
                command_base64: Some(base64::engine::general_purpose::STANDARD.encode(bytes)),
            },
        }
    }

    /// The exact bytes.
    pub fn bytes(&self) -> Result<Vec<u8>, CommandTextError> {
        match &self.command_base64 {
            None => Ok(self.command.as_bytes().to_vec()),
            Some(text) => {
                base64::engine::general_purpose::STANDARD.decode(text).map_err(|_| CommandTextError)
            }
        }
    }
}

/// What the gate asks about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// The session it belongs to.
    pub session_id: SessionId,
    /// What kind of bytes.
    pub kind: ItemKind,
    /// The command this item is the standard input of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<CommandId>,
    /// The bytes.
    #[serde(flatten)]
    pub text: CommandText,
    /// SHA-256 of the bytes; the broker refuses a submission in which they differ.
    pub sha256: Digest,
    /// The working directory on the target, `~` for the login directory.
    pub cwd: String,
    /// The shell that will read it, where the gate knows.
    #[serde(
        default,
        deserialize_with = "PosixShell::lenient",
        skip_serializing_if = "Option::is_none"
    )]
    pub shell: Option<PosixShell>,
    /// The terminal, when one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pty: Option<Pty>,
    /// Names of environment variables the client sent and the gate dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped_env: Vec<String>,
    /// Environment variables that go to the target with the command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, String)>,
    /// What the gate wants the reviewer to know (`unverified prompt`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The gate can deliver at once: an automatic allow is released in the same transaction.
    #[serde(default)]
    pub ready: bool,
    /// The gate can look where paths lead on the target before it delivers, and does if the decision
    /// says so. Only then rules that need it apply.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resolves_paths: bool,
    /// Where an item of an interactive shell would go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interactive: Option<Interactive>,
    /// What goes with the item for reading: decoded keys, a diff, the text of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
    /// All of this in the gate's own words, signed by the gate: what a reviewer signs repeats it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<SignedText>,
}

/// How the engine is to read an item.
fn syntax_of(kind: ItemKind, interactive: Option<&Interactive>) -> ItemSyntax<'_> {
    let foreground = interactive.and_then(|i| i.foreground.as_deref());
    let label = interactive.map(|i| i.label);
    match kind {
        ItemKind::Control => ItemSyntax::Control { foreground },
        // What continues another line, or may not be read by the shell at all, is not the command that
        // a rule was written for.
        ItemKind::Line if label != Some(PromptLabel::Verified) => {
            ItemSyntax::Input { foreground: Some("sh") }
        }
        ItemKind::Exec | ItemKind::Line | ItemKind::Stdin => ItemSyntax::Command,
        ItemKind::File => ItemSyntax::File,
        ItemKind::Input => ItemSyntax::Input { foreground },
        ItemKind::Keys => ItemSyntax::Keys { foreground },
        ItemKind::Signature => ItemSyntax::Signature,
    }
}

impl CommandView {
    /// The level by what is shown of it alone, whatever the broker says: for whoever signs, and does not
    /// go by the broker's word.
    pub fn own_level(&self, tables: &Snapshot) -> Level {
        let Ok(bytes) = self.text.bytes() else { return Level::Critical };
        let context = Context {
            agent: self.session.agent.clone(),
            target: self.session.target.clone(),
            user: self.session.user.clone(),
            cwd: Some(self.cwd.clone()),
            pty: self.pty.is_some() || self.kind == ItemKind::Line,
            in_shell: self.kind.is_for_a_shell(),
            shell: self.shell.map(|shell| shell.as_str().to_owned()),
            has_stdin_script: self.kind == ItemKind::Stdin,
            ..Context::default()
        };
        let syntax = syntax_of(self.kind, self.interactive.as_ref());
        judge_as(tables, syntax, &bytes, &context, &History::default()).assessment.level
    }
}

impl Submission {
    /// How the engine is to read it.
    pub fn syntax(&self) -> ItemSyntax<'_> {
        syntax_of(self.kind, self.interactive.as_ref())
    }

    /// The shell that reads it: of a command the account's, of a line the one that was started for the
    /// session and is at its prompt. What reads anything else is not known.
    pub fn reader(&self) -> Option<PosixShell> {
        let label = self.interactive.as_ref().map(|i| i.label);
        match (self.kind, label) {
            (ItemKind::Exec, None) | (ItemKind::Line, Some(PromptLabel::Verified)) => self.shell,
            _ => None,
        }
    }

    /// What the engine may know of it, beside what it may know of the session.
    pub fn context(&self, session: Context) -> Context {
        Context {
            cwd: Some(self.cwd.clone()),
            pty: self.pty.is_some() || self.kind == ItemKind::Line,
            in_shell: self.kind.is_for_a_shell(),
            shell: self.reader().map(|shell| shell.as_str().to_owned()),
            has_stdin_script: self.kind == ItemKind::Stdin,
            resolves_paths: self.resolves_paths && self.kind == ItemKind::Exec,
            ..session
        }
    }
}

/// One reviewer's word on a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteView {
    /// Who.
    pub by: String,
    /// Allow or deny.
    pub allow: bool,
    /// When, in seconds since the Unix epoch.
    pub at: i64,
    /// What the reviewer said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// A command as reviewers see it: the body of `pending_command` and `command_updated`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandView {
    /// The command's id.
    pub id: CommandId,
    /// The session it belongs to.
    pub session_id: SessionId,
    /// The exact command. Secrets in it are not masked here; `masked` is the text for
    /// notifications and other places where bystanders look.
    #[serde(flatten)]
    pub text: CommandText,
    /// The command with secrets masked, only when it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked: Option<String>,
    /// SHA-256 of the exact bytes; a decision repeats it.
    pub sha256: Digest,
    /// Counts the changes of this command; grows with each `command_updated`.
    pub revision: u64,
    /// Where it is in its life.
    pub state: CommandState,
    /// What kind of bytes.
    pub kind: ItemKind,
    /// What a command that moves files does, in one plain sentence (`git push to /srv/repo.git`);
    /// only where that is certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headline: Option<String>,
    /// The command this is the standard input of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<CommandId>,
    /// The working directory on the target.
    pub cwd: String,
    /// The shell that will read it, where the gate knows.
    #[serde(
        default,
        deserialize_with = "PosixShell::lenient",
        skip_serializing_if = "Option::is_none"
    )]
    pub shell: Option<PosixShell>,
    /// Submitted at, in seconds since the Unix epoch.
    pub timestamp: i64,
    /// 0 to 100.
    pub risk_score: u8,
    /// LOW, MEDIUM, HIGH or CRITICAL.
    pub level: Level,
    /// Each contribution to the score; they add up to it (before clamping to 0..100).
    #[serde(default)]
    pub terms: Vec<Term>,
    /// The engine could not look into all of it.
    #[serde(default)]
    pub uninspectable: bool,
    /// Whether an anomaly was found.
    pub anomaly: bool,
    /// The anomalies' names.
    pub anomaly_reasons: Vec<String>,
    /// The anomalies with their evidence.
    #[serde(default)]
    pub anomalies: Vec<Anomaly>,
    /// The session's agent, target, user and so on.
    pub session: SessionInfo,
    /// The terminal, when one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pty: Option<Pty>,
    /// How standard input is treated.
    pub stdin: StdinTreatment,
    /// What the command does with its standard input, and what of that came with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Box<CommandInput>>,
    /// Names of dropped environment variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped_env: Vec<String>,
    /// Environment variables that go to the target with the command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, String)>,
    /// What the gate wants the reviewer to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Where an item of an interactive shell would go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interactive: Option<Interactive>,
    /// What goes with the item for reading: decoded keys, a diff, the text of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
    /// The item in the gate's own words, signed by the gate, while it waits: what a reviewer signs repeats
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<SignedText>,
    /// The grant that came with the allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// Why the rules did not decide, or which one did.
    pub rule_why: String,
    /// Why it may change the account so that what only looks is asked about there, once it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taints: Option<String>,
    /// What may have changed the account before: why what only looks is asked about there now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tainted: Option<String>,
    /// The nearest rule and how the command differs from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closest: Option<Closest>,
    /// The approvals needed, frozen when the command was submitted.
    pub requirement: Requirement,
    /// The votes so far.
    #[serde(default)]
    pub votes: Vec<VoteView>,
    /// Approvals still missing.
    #[serde(default)]
    pub approvals_missing: u32,
    /// Who may still decide, by name, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may_decide: Vec<String>,
    /// The deadline, in milliseconds since the Unix epoch.
    pub deadline_ms: i64,
    /// Whole time to decide, in seconds.
    pub timeout_seconds: u64,
    /// A command with the same bytes was denied earlier in this session.
    #[serde(default)]
    pub retry_of_denied: bool,
    /// The decision, once there is one: true allowed, false denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<bool>,
    /// `alice`, `whitelist:RULE`, `system:timeout`, `system:fail-closed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// What the reviewer said, or why the system denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Decided at, in seconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<i64>,
    /// Result of a finished command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Seconds into the session's recording at which the decision stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_offset: Option<f64>,
}

/// How a command ended on the target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Exit status, 0 to 255 (the protocol allows 32 bits).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_status: Option<u32>,
    /// Name of the signal that ended it, without `SIG`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_signal: Option<String>,
    /// Standard input that went to the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<StreamSummary>,
    /// Standard output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<StreamSummary>,
    /// Standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<StreamSummary>,
    /// Microseconds the target took, from release to exit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
    /// Why the outcome is unknown (`connection to the target lost`); null when it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
    /// The gate is certain that no byte of the command went to the target; `unknown` says why. It
    /// goes with `unknown` because a broker that does not know this field must not take the command
    /// for finished.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_sent: bool,
}

impl Outcome {
    /// No byte of it went to the target, and none will.
    #[must_use]
    pub fn not_sent(why: impl Into<String>) -> Self {
        Self { not_sent: true, ..Self::unknown(why) }
    }

    /// How it ended is not known, and nothing else of it either.
    #[must_use]
    pub fn unknown(why: impl Into<String>) -> Self {
        Self { unknown: Some(why.into()), ..Self::default() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_login_shell_of_earlier_descriptions_is_read_as_a_script() {
        let kind = |text: &str| serde_json::from_str::<ItemKind>(text).unwrap();
        assert_eq!(kind("\"shell\""), ItemKind::Stdin);
        for name in ["control", "exec", "file", "input", "keys", "line", "signature", "stdin"] {
            assert_eq!(kind(&format!("\"{name}\"")).as_str(), name);
        }
    }
}
