//! The tree over the log, and what the broker signs of it for others. It is made from what is on disk when
//! somebody first asks, and must never take in a line that is not chained to the one before it.

use std::borrow::Cow;
use std::sync::Arc;

use expacti_audit::{
    Evidence, GENESIS, Note, NoteKey, ProvenEntry, SignedStatement, Tree, TreeHead, encode_hash,
    line_hash, log_origin,
};
use expacti_heads::AddCheckpoint;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

use crate::keys::CheckpointKey;
use crate::state::Refusal;
use crate::store::Reader;
use crate::witnesses::Proving;

/// The SSHSIG namespace of what the broker signs of a proof's contents.
pub const CONTENTS_NAMESPACE: &str = "expacti-contents";

/// Lines that are read at once.
const PAGE: u64 = 5000;

/// What the broker signs of a proof's contents, so that nothing is left out of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// The command.
    pub command: String,
    /// The places, from 0, of all entries about it.
    pub entries: Vec<u64>,
    /// Always `expacti-contents`.
    pub purpose: String,
    /// What is there of the recording of its session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<RecordingDigest>,
    /// How many entries the log had.
    pub size: u64,
    /// Always 1.
    pub version: u32,
}

/// A recording, as it was when it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordingDigest {
    /// Its length.
    pub bytes: u64,
    /// Whether the session is over, so that nothing is added any more.
    pub complete: bool,
    /// Whose recording it is.
    pub session_id: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
}

/// What the broker proves.
pub(crate) struct Proofs {
    grown: Mutex<Grown>,
}

/// The tree as far as it was asked for.
struct Grown {
    key: Arc<CheckpointKey>,
    tree: Tree,
    origin: String,
    /// SHA-256 of the last line, in hex.
    head: String,
    /// The signed head, until the log grows.
    note: Option<String>,
}

/// The log up to a head, as it was asked for.
pub(crate) struct UpToHead<'a>(MutexGuard<'a, Grown>);

/// What chains an entry to the one before it. A log may have millions: nothing else of it is read.
#[derive(Deserialize)]
struct Chained<'a> {
    #[serde(borrow)]
    prev: Cow<'a, str>,
}

/// A signed head, and the proof that it adds to an earlier one.
#[derive(Serialize)]
pub(crate) struct Consistency {
    checkpoint: String,
    key: String,
    /// Absent where the log is shorter than the earlier head.
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<Vec<String>>,
}

impl Proofs {
    pub(crate) fn new(key: Arc<CheckpointKey>) -> Self {
        let grown = Grown {
            key,
            tree: Tree::default(),
            origin: String::new(),
            head: GENESIS.to_owned(),
            note: None,
        };
        Self { grown: Mutex::new(grown) }
    }

    /// Takes in what was written up to a head that the broker's state has, or beyond it where somebody else
    /// has asked meanwhile.
    pub(crate) async fn up_to(
        &self,
        reader: &Reader,
        size: u64,
        head: &str,
    ) -> Result<UpToHead<'_>, Refusal> {
        if size == 0 {
            return Err(Refusal::not_found("checkpoint: the log has no entry yet"));
        }
        let mut grown = self.grown.lock().await;
        while grown.tree.size() < size {
            let after = grown.tree.size();
            let lines = reader.audit(after, PAGE.min(size - after)).await?;
            if lines.is_empty() {
                return Err(altered(after.saturating_add(1)));
            }
            for (seq, line) in lines {
                grown.add(seq, &line)?;
            }
            tokio::task::yield_now().await;
        }
        if grown.tree.size() == size && grown.head != head {
            return Err(altered(size));
        }
        Ok(UpToHead(grown))
    }
}

fn altered(seq: u64) -> Refusal {
    Refusal::failed(format!(
        "the log on disk is not the one that the broker wrote (entry {seq}): nothing is signed; \
         see expacti audit verify"
    ))
}

impl Grown {
    fn add(&mut self, seq: u64, line: &str) -> Result<(), Refusal> {
        let entry: Chained<'_> = serde_json::from_str(line).map_err(|_| altered(seq))?;
        let follows = entry.prev == self.head;
        if !follows || self.tree.size().checked_add(1) != Some(seq) {
            return Err(altered(seq));
        }
        if seq == 1 {
            self.origin = log_origin(line.as_bytes());
        }
        self.tree.append(line.as_bytes());
        self.head = line_hash(line.as_bytes());
        self.note = None;
        Ok(())
    }

    fn sign(&self) -> Result<String, Refusal> {
        let failed = |why: &str| Refusal::failed(format!("failed to sign a checkpoint: {why}"));
        let size = self.tree.size();
        let root = self.tree.root(size).ok_or_else(|| failed("the tree has no root"))?;
        let head = TreeHead { origin: self.origin.clone(), size, root };
        let public = self.key.ed25519().ok_or_else(|| failed("its key is no Ed25519 key"))?;
        let body = head.body();
        let signature = self.key.sign_note(&body).map_err(|why| failed(&why))?;
        let line = NoteKey::of_log(&head.origin, public).line(None, &signature);
        Ok(Note { body, signatures: vec![line] }.text())
    }
}

impl Grown {
    fn sign_contents(&self, contents: &Contents) -> Result<SignedStatement, Refusal> {
        let failed = |why: String| Refusal::failed(format!("failed to sign a proof: {why}"));
        // Its fields are in order and its numbers whole: that is the canonical text.
        let statement = serde_json::to_string(contents).map_err(|e| failed(e.to_string()))?;
        let signature = self.key.sign_for(CONTENTS_NAMESPACE, &statement).map_err(failed)?;
        Ok(SignedStatement { statement, signature })
    }
}

/// The first lines of the log, for a witness to cosign.
pub(crate) struct ForWitnesses<'a> {
    proofs: &'a Proofs,
    size: u64,
    checkpoint: String,
}

impl Proofs {
    /// A head that was signed.
    pub(crate) fn for_witnesses(&self, size: u64, checkpoint: String) -> ForWitnesses<'_> {
        ForWitnesses { proofs: self, size, checkpoint }
    }
}

impl Proving for ForWitnesses<'_> {
    async fn from(&self, old: u64) -> Option<AddCheckpoint> {
        let proof = self.proofs.grown.lock().await.tree.consistency(old, self.size)?;
        Some(AddCheckpoint { old, proof, checkpoint: self.checkpoint.clone() })
    }
}

impl UpToHead<'_> {
    /// How many lines.
    pub(crate) fn size(&self) -> u64 {
        self.0.tree.size()
    }

    /// The signed head.
    pub(crate) fn checkpoint(&mut self) -> Result<String, Refusal> {
        if let Some(note) = &self.0.note {
            return Ok(note.clone());
        }
        let note = self.0.sign()?;
        self.0.note = Some(note.clone());
        Ok(note)
    }

    /// The signed head, and that it adds to the first `from` lines.
    pub(crate) fn consistency(&mut self, from: u64) -> Result<Consistency, Refusal> {
        let proof = self.0.tree.consistency(from, self.size());
        let proof = proof.map(|hashes| hashes.iter().map(encode_hash).collect());
        let key = self.0.key.public().to_owned();
        Ok(Consistency { checkpoint: self.checkpoint()?, key, proof })
    }

    /// Lines about a command, and that they are in the log.
    pub(crate) fn evidence(
        &mut self,
        command: &str,
        lines: Vec<(u64, String)>,
        recording: Option<RecordingDigest>,
    ) -> Result<Evidence, Refusal> {
        let mut entries = Vec::new();
        for (seq, line) in lines {
            let read: Value = serde_json::from_str(&line).map_err(|_| altered(seq))?;
            if read.get("command_id").and_then(Value::as_str) != Some(command) {
                continue;
            }
            let index = seq.checked_sub(1).ok_or_else(|| altered(seq))?;
            let proof = self.0.tree.inclusion(index, self.size()).ok_or_else(|| altered(seq))?;
            let proof = proof.iter().map(encode_hash).collect();
            entries.push(ProvenEntry { index, line, proof });
        }
        let contents = Contents {
            command: command.to_owned(),
            entries: entries.iter().map(|entry| entry.index).collect(),
            purpose: CONTENTS_NAMESPACE.to_owned(),
            recording,
            size: self.size(),
            version: 1,
        };
        let contents = self.0.sign_contents(&contents)?;
        let key = self.0.key.public().to_owned();
        Ok(Evidence::new(command.to_owned(), key, self.checkpoint()?, contents, entries))
    }
}
