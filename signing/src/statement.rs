//! What is signed: canonical JSON (RFC 8785), so that the same statement always has the same bytes.

use expacti_protocol::command::{
    CommandText, CommandView, Grant, Interactive, ItemKind, PromptLabel, Submission,
};
use expacti_protocol::digest::Digest;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::input::{InputGrant, InputRef};
use expacti_protocol::session::{Pty, SessionInfo};
use expacti_protocol::shell::PosixShell;
use expacti_protocol::uplink::Isolation;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of the statements in this module.
pub const VERSION: u32 = 1;
/// The longest statement, in bytes: a decision on all of the most items.
pub const MAX_STATEMENT: usize = 1024 * 1024;
/// The most decisions that one signature covers.
pub const MAX_DECISIONS: usize = 256;

/// A statement that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// It is no statement of that kind and version.
    #[error("it is no statement of version {VERSION}: {0}")]
    Unreadable(String),
    /// The same content has other bytes in canonical form, or it has fields that are not known.
    #[error("it is not in canonical form, or has fields that this version does not know")]
    NotCanonical,
    /// It is longer than [`MAX_STATEMENT`], or has more decisions than [`MAX_DECISIONS`].
    #[error("it is too long, or has more than {MAX_DECISIONS} decisions")]
    TooLong,
    /// What is shown beside it is not what it is about.
    #[error("{0} is not what the gate signed")]
    Differs(&'static str),
}

/// The purpose of an [`Item`]; also the namespace of the gate's signature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemPurpose {
    /// `expacti-item`.
    #[default]
    #[serde(rename = "expacti-item")]
    Item,
}

/// The purpose of a [`Decision`]; also the namespace of a reviewer's signature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DecisionPurpose {
    /// `expacti-decision`.
    #[default]
    #[serde(rename = "expacti-decision")]
    Decision,
}

/// What the gate holds, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// How many bytes the item has.
    pub bytes: u64,
    /// 32 random bytes in hex, new for each item: no decision fits another.
    pub challenge: Digest,
    /// The working directory that the gate claims.
    pub cwd: String,
    /// Variables that it does not pass on.
    pub dropped_env: Vec<String>,
    /// Variables that go to the target with it.
    pub env: Vec<(String, String)>,
    /// The gate's public key, as in `authorized_keys`.
    pub gate: String,
    /// Where an item of an interactive shell goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interactive: Option<At>,
    /// What kind of bytes.
    pub kind: ItemKind,
    /// When the gate made it, in seconds since the Unix epoch, by its own clock.
    pub made_at: i64,
    /// The digests of what the gate wants a reviewer to know.
    pub notes_sha256: Vec<Digest>,
    /// The command that it is the standard input of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<CommandId>,
    /// The digest of the preview that goes with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview_sha256: Option<Digest>,
    /// Always `expacti-item`.
    pub purpose: ItemPurpose,
    /// The terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pty: Option<Pty>,
    /// Who asks, and where it would run.
    pub session: Session,
    /// The session's id.
    pub session_id: SessionId,
    /// The digest of its bytes.
    pub sha256: Digest,
    /// The shell that reads it, where the gate knows.
    #[serde(
        default,
        deserialize_with = "PosixShell::lenient",
        skip_serializing_if = "Option::is_none"
    )]
    pub shell: Option<PosixShell>,
    /// Always 1.
    pub version: u32,
}

/// Who asks, and where it would run. Texts of the agent's that may hold a secret are named by their digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// The agent's name.
    pub agent: String,
    /// The host the gate connects to.
    pub host: String,
    /// How its host key was checked.
    pub host_key: Option<String>,
    /// The fingerprint of its host key.
    pub host_key_sha256: Option<String>,
    /// What keeps a wrapped program from going round the gate.
    pub isolation: Option<Isolation>,
    /// The person behind the agent.
    pub owner: Option<String>,
    /// The host's port.
    pub port: u16,
    /// The digest of the reason that was given.
    pub reason_sha256: Option<Digest>,
    /// The target as the agent named it.
    pub target: String,
    /// The user on it.
    pub user: String,
    /// What the wrapped program may use beside.
    pub with: Vec<String>,
}

/// Where an item of an interactive shell goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct At {
    /// The digest of the program in the foreground, with its arguments.
    pub foreground_sha256: Option<Digest>,
    /// Whether keys may pass after it.
    pub grantable: bool,
    /// What is known of the prompt.
    pub label: PromptLabel,
    /// Whether it is a password.
    pub secret: bool,
}

impl Session {
    /// Of what the gate knows of a session.
    #[must_use]
    pub fn of(info: &SessionInfo) -> Self {
        Self {
            agent: info.agent.clone(),
            host: info.host.clone(),
            host_key: info.host_key.clone(),
            host_key_sha256: info.host_key_sha256.clone(),
            isolation: info.isolation,
            owner: info.owner.clone(),
            port: info.port,
            reason_sha256: info.reason.as_deref().map(digest),
            target: info.target.clone(),
            user: info.user.clone(),
            with: info.with.clone(),
        }
    }
}

impl At {
    fn of(interactive: &Interactive) -> Self {
        Self {
            foreground_sha256: interactive.foreground.as_deref().map(digest),
            grantable: interactive.grantable,
            label: interactive.label,
            secret: interactive.secret,
        }
    }
}

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// What a reviewer signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What is allowed: each item with the limits within which it is.
    pub decisions: Vec<Allowed>,
    /// Always `expacti-decision`.
    pub purpose: DecisionPurpose,
    /// Always 1.
    pub version: u32,
}

/// The word `allow`: a denial needs no signature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// It may run.
    #[default]
    Allow,
}

/// One item that may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    /// Always `allow`.
    pub decision: Word,
    /// Keys that may pass unreviewed after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// The standard input that may go with it; none where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<InputRef>,
    /// Standard input that may flow after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_grant: Option<InputGrant>,
    /// The item, as the gate made it.
    pub item: Item,
}

impl Item {
    /// The statement of a submission.
    #[must_use]
    pub fn of(
        submission: &Submission,
        bytes: usize,
        session: &SessionInfo,
        gate: String,
        challenge: [u8; 32],
        made_at: i64,
    ) -> Self {
        Self {
            bytes: bytes as u64,
            challenge: Digest::from(challenge),
            cwd: submission.cwd.clone(),
            dropped_env: submission.dropped_env.clone(),
            env: submission.env.clone(),
            gate,
            interactive: submission.interactive.as_ref().map(At::of),
            kind: submission.kind,
            made_at,
            notes_sha256: submission.notes.iter().map(|note| digest(note)).collect(),
            parent: submission.parent.clone(),
            preview_sha256: submission.preview.as_deref().map(digest),
            purpose: ItemPurpose::Item,
            pty: submission.pty.clone(),
            session: Session::of(session),
            session_id: submission.session_id.clone(),
            sha256: submission.sha256,
            shell: submission.shell,
            version: VERSION,
        }
    }

    /// The canonical text.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn text(&self) -> Result<String, StatementError> {
        text_of(self)
    }

    /// Reads a canonical text.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, StatementError> {
        parse(text).and_then(|item: Self| checked(item.version, item))
    }

    /// Whether a command, as the broker shows it, is what the gate holds. What is shown has to be
    /// compared before it is signed: a broker could show something else.
    ///
    /// # Errors
    /// With what differs.
    pub fn is_shown_by(&self, view: &CommandView) -> Result<(), StatementError> {
        let bytes = view.text.bytes().map_err(|_| StatementError::Differs("the command"))?;
        let preview = view.preview.as_deref().map(digest);
        let at = view.interactive.as_ref().map(At::of);
        let notes: Vec<Digest> = view.notes.iter().map(|note| digest(note)).collect();
        // The text that people read is that of the bytes, also where it is not all of them.
        let is_text = CommandText::new(&bytes) == view.text;
        let same = [
            (
                "the command",
                is_text && Digest::of(&bytes) == self.sha256 && view.sha256 == self.sha256,
            ),
            ("its length", bytes.len() as u64 == self.bytes),
            ("its kind", view.kind == self.kind),
            (
                "the session",
                view.session_id == self.session_id && Session::of(&view.session) == self.session,
            ),
            ("the directory", view.cwd == self.cwd),
            ("the shell", view.shell == self.shell),
            ("the terminal", view.pty == self.pty),
            ("the environment", view.env == self.env && view.dropped_env == self.dropped_env),
            ("where it goes", at == self.interactive),
            ("the command that it is input of", view.parent == self.parent),
            ("the preview", preview == self.preview_sha256),
            ("a note", notes.starts_with(&self.notes_sha256)),
        ];
        match same.iter().find(|(_, same)| !same) {
            Some((what, _)) => Err(StatementError::Differs(what)),
            None => Ok(()),
        }
    }
}

impl Allowed {
    /// An item without limits to go with it.
    #[must_use]
    pub fn new(item: Item) -> Self {
        Self { decision: Word::Allow, grant: None, input: None, input_grant: None, item }
    }
}

impl Decision {
    /// The statement that allows these.
    #[must_use]
    pub fn allowing(decisions: Vec<Allowed>) -> Self {
        Self { decisions, purpose: DecisionPurpose::Decision, version: VERSION }
    }

    /// The canonical text.
    ///
    /// # Errors
    /// When it cannot be written as JSON, or is too long.
    pub fn text(&self) -> Result<String, StatementError> {
        if self.decisions.len() > MAX_DECISIONS {
            return Err(StatementError::TooLong);
        }
        text_of(self)
    }

    /// Reads a canonical text.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, StatementError> {
        let read: Self = parse(text)?;
        if read.decisions.len() > MAX_DECISIONS {
            return Err(StatementError::TooLong);
        }
        if read.decisions.iter().any(|allowed| allowed.item.version != VERSION) {
            return Err(StatementError::Unreadable("an item of another version".to_owned()));
        }
        checked(read.version, read)
    }
}

fn checked<T>(version: u32, read: T) -> Result<T, StatementError> {
    if version == VERSION {
        Ok(read)
    } else {
        Err(StatementError::Unreadable(format!("it has version {version}")))
    }
}

fn text_of<T: Serialize>(statement: &T) -> Result<String, StatementError> {
    text_up_to(statement, MAX_STATEMENT)
}

fn parse<T: Serialize + DeserializeOwned>(text: &str) -> Result<T, StatementError> {
    parse_up_to(text, MAX_STATEMENT)
}

/// The canonical text of a statement, up to a length.
pub(crate) fn text_up_to<T: Serialize>(
    statement: &T,
    most: usize,
) -> Result<String, StatementError> {
    let text = serde_json_canonicalizer::to_string(statement)
        .map_err(|error| StatementError::Unreadable(error.to_string()))?;
    if text.len() > most { Err(StatementError::TooLong) } else { Ok(text) }
}

/// Reads a canonical text up to a length.
pub(crate) fn parse_up_to<T: Serialize + DeserializeOwned>(
    text: &str,
    most: usize,
) -> Result<T, StatementError> {
    if text.len() > most {
        return Err(StatementError::TooLong);
    }
    let read: T = serde_json::from_str(text)
        .map_err(|error| StatementError::Unreadable(error.to_string()))?;
    if text_up_to(&read, most)? == text { Ok(read) } else { Err(StatementError::NotCanonical) }
}
