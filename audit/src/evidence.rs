//! What others need to check, without the broker, what its log says of one command: the entries with a proof
//! for each, and a signed head. It is one JSON document; who reads it must trust nothing in it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entry::MAX_LINE;
use crate::merkle::{includes, leaf_hash};
use crate::note::{Ed25519Check, Note, NoteError, NoteKey, NoteSignature, TreeHead, decode_hash};

/// The version of these documents.
const VERSION: u32 = 1;
/// The most hashes of a proof: a log has fewer than 2^64 lines.
const MAX_PROOF: usize = 64;

/// Which document it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Entries and their proofs.
    #[serde(rename = "expacti-proof")]
    Proof,
    /// The same with what people signed.
    #[serde(rename = "expacti-bundle")]
    Bundle,
}

/// A text and its signature (SSHSIG, armored).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedStatement {
    /// The text.
    pub statement: String,
    /// The signature.
    pub signature: String,
}

/// An entry of the log and the proof that it is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvenEntry {
    /// Its place, from 0.
    pub index: u64,
    /// Its line.
    pub line: String,
    /// The hashes that lead from it to the root, in base64.
    pub proof: Vec<String>,
}

/// What the log says of one command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The signed head of the log.
    pub checkpoint: String,
    /// The command's id.
    pub command: String,
    /// What witnesses have said of it: their lines (c2sp.org/tlog-cosignature).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cosignatures: Vec<String>,
    /// What the broker signed: which entries are about it, and the digest of the recording.
    pub contents: SignedStatement,
    /// The entries about it, in order.
    pub entries: Vec<ProvenEntry>,
    /// The public key that signed the head, `ssh-ed25519 AAAA…`.
    pub key: String,
    /// Which document it is.
    pub purpose: Purpose,
    /// What people signed, in a bundle: the same as in the entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Vec<SignedStatement>>,
    /// Always 1.
    pub version: u32,
}

/// Why a document proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// It is none.
    #[error("it is no proof or bundle that this version reads: {0}")]
    Unreadable(String),
    /// Its checkpoint is not good.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// An entry is not in the log.
    #[error("entry {0} is not in the log that the checkpoint is about")]
    NotInTheLog(u64),
    /// An entry is about something else.
    #[error("entry {0} is not about the command")]
    OtherCommand(u64),
    /// It has no entries, or the same twice, or not in order.
    #[error("its entries are missing or not in order")]
    Order,
    /// What it says that people signed is not what the entries say.
    #[error("what it says that people signed is not what the entries say")]
    Signed,
}

/// What a document proves.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven {
    /// The head of the log.
    pub head: TreeHead,
    /// The entries.
    pub entries: Vec<Value>,
}

impl Evidence {
    /// Entries with their proofs, as a bundle or without what only bundles have.
    #[must_use]
    pub fn new(
        command: String,
        key: String,
        checkpoint: String,
        contents: SignedStatement,
        entries: Vec<ProvenEntry>,
    ) -> Self {
        Self {
            checkpoint,
            command,
            contents,
            cosignatures: Vec::new(),
            entries,
            key,
            purpose: Purpose::Proof,
            signed: None,
            version: VERSION,
        }
    }

    /// Reads a document.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &[u8]) -> Result<Self, EvidenceError> {
        let read: Self = serde_json::from_slice(text)
            .map_err(|error| EvidenceError::Unreadable(error.to_string()))?;
        let is_bundle = read.purpose == Purpose::Bundle;
        if read.version != VERSION {
            return Err(EvidenceError::Unreadable(format!("it has version {}", read.version)));
        }
        if is_bundle != read.signed.is_some() {
            let what = "only a bundle has what people signed";
            return Err(EvidenceError::Unreadable(what.to_owned()));
        }
        Ok(read)
    }

    /// The lines of witnesses, whoever they are.
    ///
    /// # Errors
    /// When one is none.
    pub fn cosigned(&self) -> Result<Vec<NoteSignature>, NoteError> {
        self.cosignatures.iter().map(|line| NoteSignature::parse(line)).collect()
    }

    /// Makes a bundle of it, with what the entries say that people signed.
    #[must_use]
    pub fn into_bundle(self) -> Self {
        let entries: Vec<Value> =
            self.entries.iter().filter_map(|e| serde_json::from_str(&e.line).ok()).collect();
        Self { signed: Some(signed_in(&entries)), purpose: Purpose::Bundle, ..self }
    }

    /// Leaves out what only a bundle has.
    #[must_use]
    pub fn into_proof(self) -> Self {
        Self { signed: None, purpose: Purpose::Proof, ..self }
    }

    /// Checks the checkpoint and each entry, not what the broker signed of the contents. `key` is the Ed25519 key that has to have signed it, `witnesses`
    /// are those that have to have cosigned it as well.
    ///
    /// # Errors
    /// With the first thing that is wrong.
    pub fn verify(
        &self,
        key: [u8; 32],
        witnesses: &[NoteKey],
        ed25519: Ed25519Check<'_>,
    ) -> Result<Proven, EvidenceError> {
        let mut note = Note::parse(&self.checkpoint)?;
        // Those of other witnesses say nothing here.
        for line in self.cosigned()? {
            if witnesses.iter().any(|key| key.made(&line)) && !note.signatures.contains(&line) {
                note.signatures.push(line);
            }
        }
        let head = TreeHead::parse(&note.body)?;
        let log = NoteKey::of_log(&head.origin, key);
        let keys: Vec<&NoteKey> = [&log].into_iter().chain(witnesses).collect();
        note.check(&keys, ed25519)?;
        let mut entries = Vec::new();
        let mut next = 0;
        for entry in &self.entries {
            let seq = entry.index.saturating_add(1);
            if entry.index < next {
                return Err(EvidenceError::Order);
            }
            next = seq;
            let read = proven(entry, &head).ok_or(EvidenceError::NotInTheLog(seq))?;
            if read.get("command_id").and_then(Value::as_str) != Some(&self.command) {
                return Err(EvidenceError::OtherCommand(seq));
            }
            entries.push(read);
        }
        if entries.is_empty() {
            return Err(EvidenceError::Order);
        }
        if self.signed.as_ref().is_some_and(|signed| *signed != signed_in(&entries)) {
            return Err(EvidenceError::Signed);
        }
        Ok(Proven { head, entries })
    }
}

/// The entry, if it is in the log at its place.
fn proven(entry: &ProvenEntry, head: &TreeHead) -> Option<Value> {
    if entry.line.len() > MAX_LINE || entry.proof.len() > MAX_PROOF {
        return None;
    }
    let proof = entry.proof.iter().map(|hash| decode_hash(hash)).collect::<Option<Vec<_>>>()?;
    let leaf = leaf_hash(entry.line.as_bytes());
    if !includes(&head.root, head.size, entry.index, &leaf, &proof) {
        return None;
    }
    let read: Value = serde_json::from_str(&entry.line).ok()?;
    let seq = read.get("seq").and_then(Value::as_u64);
    (seq == entry.index.checked_add(1)).then_some(read)
}

/// What people signed of the decisions among these entries.
fn signed_in(entries: &[Value]) -> Vec<SignedStatement> {
    let signed = entries.iter().filter_map(|entry| entry.get("signed")?.as_array());
    signed.flatten().filter_map(|one| serde_json::from_value(one.clone()).ok()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::chain::Chain;
    use crate::entry::Entry;
    use crate::merkle::Tree;
    use crate::note::{encode_hash, log_origin};

    /// Not a signature, but it holds for one key and one message only.
    fn sign(public: &[u8; 32], message: &[u8]) -> [u8; 64] {
        let one = leaf_hash(&[public.as_slice(), message].concat());
        [one, one].concat().try_into().unwrap()
    }

    fn check(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        sign(public, message) == *signature
    }

    fn evidence() -> Evidence {
        let (mut chain, mut tree, mut lines) = (Chain::default(), Tree::default(), Vec::new());
        for number in 0..9 {
            let signed = serde_json::json!([{"statement": "s", "signature": "t"}]);
            let entry = Entry::new("decision", "2026-12-01T00:00:00Z")
                .with("command_id", if number % 3 == 0 { "cmd_a" } else { "cmd_b" })
                .with("signed", signed);
            lines.push(chain.append(&entry).unwrap().line);
        }
        lines.iter().for_each(|line| tree.append(line.as_bytes()));
        let root = tree.root(9).unwrap();
        let head = TreeHead { origin: log_origin(lines[0].as_bytes()), size: 9, root };
        let body = head.body();
        let line =
            NoteKey::of_log(&head.origin, [1; 32]).line(None, &sign(&[1; 32], body.as_bytes()));
        let entries = [0, 3, 6].map(|index: u64| ProvenEntry {
            index,
            line: lines[index as usize].clone(),
            proof: tree.inclusion(index, 9).unwrap().iter().map(encode_hash).collect(),
        });
        let note = Note { body, signatures: vec![line] }.text();
        let contents = SignedStatement { statement: String::new(), signature: String::new() };
        Evidence::new("cmd_a".to_owned(), "key".to_owned(), note, contents, entries.to_vec())
    }

    fn good(evidence: &Evidence) -> bool {
        let text = serde_json::to_vec(evidence).unwrap();
        Evidence::parse(&text).is_ok_and(|e| e.verify([1; 32], &[], &check).is_ok())
    }

    #[test]
    fn a_document_proves_what_it_says_and_nothing_else() {
        for whole in [evidence(), evidence().into_bundle()] {
            let proven = whole.verify([1; 32], &[], &check).unwrap();
            assert_eq!((proven.head.size, proven.entries.len()), (9, 3));
            assert!(good(&whole) && whole.verify([2; 32], &[], &check).is_err());
            let changed = |change: &dyn Fn(&mut Evidence)| {
                let mut other = whole.clone();
                change(&mut other);
                assert!(!good(&other), "{other:?}");
            };
            changed(&|e| e.command = "cmd_b".to_owned());
            changed(&|e| e.entries.clear());
            changed(&|e| e.entries.swap(0, 1));
            changed(&|e| e.entries[1] = e.entries[0].clone());
            changed(&|e| e.entries[1].index = 4);
            changed(&|e| e.entries[1].line = e.entries[1].line.replace("cmd_a", "cmd_b"));
            changed(&|e| drop(e.entries[1].proof.pop()));
            changed(&|e| e.entries[1].proof.swap(0, 1));
            changed(&|e| e.checkpoint = e.checkpoint.replace("\n9\n", "\n8\n"));
            changed(&|e| e.version = 2);
            changed(&|e| e.signed = Some(Vec::new()));
        }
    }
}
