//! What a gate says of the end of a command, signed with its own key: the broker can pass it on, and not
//! make it.

use expacti_protocol::command::Outcome;
use expacti_protocol::digest::Digest;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::input::InputRef;
use expacti_protocol::signed::SignedText;
use serde::{Deserialize, Serialize};

use crate::keys::fingerprint_of;
use crate::sshsig::Signed;
use crate::statement::{StatementError, VERSION, parse_up_to, text_up_to};

/// The namespace of a gate's signature of a [`Report`].
pub const REPORT_NAMESPACE: &str = "expacti-report";
/// The longest report, in bytes.
const MAX_REPORT: usize = 64 * 1024;

/// The purpose of a [`Report`]; also the namespace of its signature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReportPurpose {
    /// `expacti-report`.
    #[default]
    #[serde(rename = "expacti-report")]
    Report,
}

/// What became of a command, in the gate's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The command, as the broker calls it.
    pub command_id: CommandId,
    /// When the gate knew how it ended, in microseconds since the Unix epoch, by its own clock.
    pub ended_at: i64,
    /// The gate's public key, as in `authorized_keys`.
    pub gate: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Always `expacti-report`.
    pub purpose: ReportPurpose,
    /// What the gate delivered on its release; absent where it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Delivery>,
    /// Always 1.
    pub version: u32,
}

/// What a gate delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// When, in microseconds since the Unix epoch, by the gate's clock.
    pub at: i64,
    /// How many bytes the item has.
    pub bytes: u64,
    /// The standard input that went with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<InputRef>,
    /// The digest of the statement that the gate made of the item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_sha256: Option<Digest>,
    /// In which session.
    pub session_id: SessionId,
    /// The digest of its bytes.
    pub sha256: Digest,
}

impl Report {
    /// The canonical text.
    ///
    /// # Errors
    /// When it cannot be written as JSON, or is too long.
    pub fn text(&self) -> Result<String, StatementError> {
        text_up_to(self, MAX_REPORT)
    }

    /// Reads a report that the key has signed that it names.
    ///
    /// # Errors
    /// When it is none, or its signature does not fit.
    pub fn verify(signed: &SignedText) -> Result<Self, String> {
        let report: Self =
            parse_up_to(&signed.statement, MAX_REPORT).map_err(|error| error.to_string())?;
        if report.version != VERSION {
            return Err(format!("the report has version {}", report.version));
        }
        is_signed_by(signed, REPORT_NAMESPACE, &report.gate)?;
        Ok(report)
    }
}

/// Whether a text has been signed with this key, and for this purpose.
///
/// # Errors
/// With why not.
pub fn is_signed_by(signed: &SignedText, namespace: &str, key: &str) -> Result<(), String> {
    let verified = Signed::parse(&signed.signature)
        .and_then(|signature| signature.verify(namespace, signed.statement.as_bytes()))
        .map_err(|fault| fault.to_string())?;
    let key = fingerprint_of(key).map_err(|fault| fault.to_string())?;
    if verified.key().fingerprint() == key {
        Ok(())
    } else {
        Err(format!("it is signed with {}, and names {key}", verified.key().fingerprint()))
    }
}
