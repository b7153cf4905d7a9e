//! Standard input that is decided together with its command, and permission to let more of it flow.

use expacti_engine::InputReport;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// Exactly these bytes of a command's standard input, from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputRef {
    /// How many.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: Digest,
    /// Nothing comes after them.
    pub ended: bool,
}

/// Permission to let the standard input of one approved command flow without showing it. It ends at the
/// first of its limits, and what comes after that is asked about. Length and digest of what flowed go to
/// the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputGrant {
    /// The most bytes: 1 to 1 TiB.
    pub bytes: u64,
    /// The longest time in seconds, from the delivery: 1 to 86,400.
    pub seconds: u64,
}

impl InputGrant {
    /// The most bytes: 1 TiB.
    pub const MAX_BYTES: u64 = 1 << 40;
    /// The longest time, in seconds: a day.
    pub const MAX_SECONDS: u64 = 86_400;

    /// What is granted unless something else is asked for: 1 GiB in an hour.
    #[must_use]
    pub fn usual() -> Self {
        Self { bytes: 1 << 30, seconds: 3600 }
    }

    /// Whether both limits are within their bounds.
    #[must_use]
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

/// The standard input that came with a command, as reviewers see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputView {
    /// Which bytes.
    #[serde(flatten)]
    pub given: InputRef,
    /// What kind of content it is: `text`, `archive`, `binary`.
    pub kind: String,
    /// The text, where it is text. Secrets in it are not masked while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What can be said of it otherwise, line by line: what an archive holds, the first bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preview: Vec<String>,
}

/// What a command does with its standard input, and what came so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CommandInput {
    /// What the command does with it.
    #[serde(flatten)]
    pub report: InputReport,
    /// What came while the command waited; an allow that names it covers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub came: Option<InputView>,
    /// What was approved together with the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<InputRef>,
    /// It holds a secret, or is one: after the decision it is masked, and the digests of it that are
    /// shown and written down are not those of its bytes alone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
    /// An allow may come with an [`InputGrant`].
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub grantable: bool,
    /// The grant that came with the allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<InputGrant>,
}
