//! What a client has read of a target's files: facts for the log, told when a file is closed.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::ids::CommandId;

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRead {
    /// The real path, as one word of a shell: a path need not be text.
    pub path: String,
    /// How long the file was when it was opened, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Bytes that the client was given.
    pub bytes: u64,
    /// SHA-256 of them.
    pub sha256: Digest,
    /// They were not read from the first to the last: the digest is that of the first bytes, as far as
    /// they were read in order, and of each later piece with its offset and length (64 bits each,
    /// big-endian).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub scattered: bool,
    /// The item that allowed it, if it was not free to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_id: Option<CommandId>,
}

/// Files that were read after so many others that they are not listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoreRead {
    /// How many.
    pub files: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// SHA-256 of their list: a line `SHA256 BYTES PATH` for each, as the recording has them.
    pub sha256: Digest,
}
