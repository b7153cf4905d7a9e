//! The growing end of the log. It never forgets and never goes back.

use crate::entry::{Entry, EntryError};
use crate::hash::{GENESIS, line_hash};

/// The head of a chain: the place and `prev` of the next entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    next_seq: u64,
    head: String,
}

/// A chained entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its place, from 1.
    pub seq: u64,
    /// Its line, without a newline.
    pub line: String,
    /// SHA-256 of the line, in hex.
    pub hash: String,
}

impl Default for Chain {
    fn default() -> Self {
        Self { next_seq: 1, head: GENESIS.to_owned() }
    }
}

impl Chain {
    /// Goes on after the entry with that place and line.
    pub fn after(seq: u64, line: &[u8]) -> Self {
        Self { next_seq: seq.saturating_add(1), head: line_hash(line) }
    }

    /// How many entries there are.
    pub fn len(&self) -> u64 {
        self.next_seq.saturating_sub(1)
    }

    /// Whether there is no entry yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// SHA-256 of the last line, in hex; 64 zeros for an empty log.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// Chains an entry. On an error the chain is as it was.
    pub fn append(&mut self, entry: &Entry) -> Result<Link, EntryError> {
        let line = entry.line(self.next_seq, &self.head)?;
        let hash = line_hash(line.as_bytes());
        let link = Link { seq: self.next_seq, line, hash: hash.clone() };
        self.next_seq = self.next_seq.saturating_add(1);
        self.head = hash;
        Ok(link)
    }

    /// What a checkpoint at this place must sign: the entry as it will be chained, without its
    /// signature.
    pub fn checkpoint_message(&self, checkpoint: &Entry) -> Result<String, EntryError> {
        checkpoint.line(self.next_seq, &self.head)
    }
}
