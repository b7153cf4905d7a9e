//! A statement with the signature of whoever made it. What a statement says is read by the crate
//! `signing`; here it is text that is passed on as it is.

use serde::{Deserialize, Serialize};

/// A signed statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedText {
    /// Canonical JSON (RFC 8785).
    pub statement: String,
    /// Over exactly those bytes: SSHSIG, armored.
    pub signature: String,
}

impl SignedText {
    /// Both parts of a message, where both are there.
    pub fn of(statement: Option<&String>, signature: Option<&String>) -> Option<Self> {
        Some(Self { statement: statement?.clone(), signature: signature?.clone() })
    }
}

/// All rules, policies and owners of one moment, with the signatures of those who agreed on them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedRulebook {
    /// Canonical JSON (RFC 8785).
    pub statement: String,
    /// Each over exactly those bytes: SSHSIG, armored, namespace `expacti-rules`.
    pub signatures: Vec<String>,
}
