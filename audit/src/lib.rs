//! The tamper-evident log: entries, the hash chain, checkpoints and their verification.
//!
//! Pure: no I/O, no clock, no randomness. An entry is one line of canonical JSON (RFC 8785) that
//! names the SHA-256 of the line before it, so altering, dropping, inserting or swapping any entry
//! breaks every later one. A checkpoint is an entry signed by the broker's key: it proves that
//! everything up to it was there when it was signed, so that a missing tail shows too. A Merkle tree over
//! the lines lets others check one entry, or that a log only grew, without all of it.

mod chain;
mod checkpoint;
mod entry;
mod evidence;
mod hash;
mod merkle;
mod note;
mod verify;

pub use chain::{Chain, Link};
pub use checkpoint::{CHECKPOINT_NAMESPACE, Checkpoint, checkpoint_message};
pub use entry::{Entry, EntryError, MAX_LINE};
pub use evidence::{Evidence, EvidenceError, Proven, ProvenEntry, Purpose, SignedStatement};
pub use hash::{GENESIS, line_hash};
pub use merkle::{CompactRange, Tree, TreeHash, extends, includes, leaf_hash};
pub use note::{
    Ed25519Check, Note, NoteError, NoteKey, NoteSignature, TreeHead, cosigned, decode_hash,
    encode_hash, log_origin,
};
pub use verify::{Fault, SignatureCheck, Summary, Tail, verify};
