//! What links one entry to the next: the hash of its line. It must never depend on anything but the
//! line's bytes.

use sha2::Digest as _;

/// `prev` of the first entry.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// SHA-256 of a line (without its newline), in hex.
pub fn line_hash(line: &[u8]) -> String {
    hex::encode(sha2::Sha256::digest(line))
}
