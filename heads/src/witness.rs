//! A witness: it cosigns a log's head only if that adds to the last one that it cosigned
//! (c2sp.org/tlog-witness). What it has cosigned is on disk before its signature leaves.

use std::path::PathBuf;

use expacti_audit::{
    CompactRange, Note, NoteKey, TreeHash, TreeHead, cosigned, decode_hash, encode_hash, extends,
};
use russh::keys::PrivateKey;
use russh::keys::signature::Signer as _;

use crate::judge::SeenHead;
use crate::keys::check_ed25519;
use crate::store::Store;

/// The longest request, in bytes.
pub const MAX_REQUEST: usize = 64 * 1024;
/// The most lines of a proof.
const MAX_PROOF: usize = 63;

/// What a log asks of a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// How many lines the head has that the witness cosigned last.
    pub old: u64,
    /// That the new head adds to it.
    pub proof: Vec<TreeHash>,
    /// The new head, signed by the log.
    pub checkpoint: String,
}

impl AddCheckpoint {
    /// As it is sent.
    #[must_use]
    pub fn text(&self) -> String {
        let proof: String =
            self.proof.iter().map(|hash| format!("{}\n", encode_hash(hash))).collect();
        format!("old {}\n{proof}\n{}", self.old, self.checkpoint)
    }

    /// Reads what was sent; `None` where it is not written as it has to be.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (head, checkpoint) = text.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let old = lines.next()?.strip_prefix("old ")?.parse().ok()?;
        let proof = lines.map(decode_hash).collect::<Option<Vec<_>>>()?;
        let read = Self { old, proof, checkpoint: checkpoint.to_owned() };
        (read.proof.len() <= MAX_PROOF && read.text() == text).then_some(read)
    }
}

/// Why a witness does not cosign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WitnessRefusal {
    /// The request is none.
    #[error("{0}")]
    Malformed(String),
    /// The log is none of those that it looks at.
    #[error("{0} is no log that is witnessed here")]
    UnknownLog(String),
    /// The log's key has not signed the head.
    #[error("the log's key has not signed this head")]
    Unsigned,
    /// It was asked to go on from another head than the last.
    #[error("the head that was cosigned last has {0} entries")]
    Other(u64),
    /// The log has two heads of one size.
    #[error("{0}")]
    Forks(String),
    /// Nothing proves that the log adds to the last head.
    #[error("{0}")]
    Unproven(String),
    /// It cannot remember.
    #[error("{0}")]
    Failed(String),
}

/// A witness with its key, and what it has cosigned.
pub struct Witness {
    key: PrivateKey,
    public: NoteKey,
    logs: Vec<NoteKey>,
    store: Store,
}

impl Witness {
    /// A witness of these logs, which keeps what it has cosigned in `file`.
    ///
    /// # Errors
    /// When the key is no Ed25519 key, the name cannot be one, or what was kept cannot be read.
    pub fn new(
        name: &str,
        key: PrivateKey,
        logs: Vec<NoteKey>,
        file: PathBuf,
    ) -> Result<Self, String> {
        let public = key.public_key().key_data().ed25519().ok_or("its key is no Ed25519 key")?.0;
        let public = NoteKey::of_witness(name, public)
            .ok_or_else(|| format!("{name:?} is no name of a witness: no spaces and no +"))?;
        let store = Store::new(file);
        store.read().map_err(|e| e.to_string())?;
        Ok(Self { key, public, logs, store })
    }

    /// Its public key, as it is handed on.
    #[must_use]
    pub fn key(&self) -> &NoteKey {
        &self.public
    }

    /// Cosigns a head; the line with the signature. `time` is in seconds since the Unix epoch.
    ///
    /// # Errors
    /// With why not. Nothing is cosigned then.
    pub fn add_checkpoint(&self, request: &[u8], time: u64) -> Result<String, WitnessRefusal> {
        let malformed = |why: &str| WitnessRefusal::Malformed(why.to_owned());
        let text = std::str::from_utf8(request).map_err(|_| malformed("the request is no text"))?;
        let asked = AddCheckpoint::parse(text)
            .ok_or_else(|| malformed("the request is not `old SIZE`, a proof and a checkpoint"))?;
        let note = Note::parse(&asked.checkpoint).map_err(|e| malformed(&e.to_string()))?;
        let head = TreeHead::parse(&note.body).map_err(|e| malformed(&e.to_string()))?;
        let mut logs = self.logs.iter().filter(|log| log.name() == head.origin).peekable();
        if logs.peek().is_none() {
            return Err(WitnessRefusal::UnknownLog(head.origin));
        }
        // Other lines say nothing here.
        let log = logs.find(|log| note.is_signed_by(log, &check_ed25519));
        let log = log.ok_or(WitnessRefusal::Unsigned)?;
        if asked.old > head.size {
            return Err(malformed("the old size is larger than the new one"));
        }
        let now = SeenHead {
            key: log.text(),
            origin: head.origin.clone(),
            root: encode_hash(&head.root),
            size: head.size,
        };
        // Checked and kept in one step: two requests at a time must not undo each other.
        self.store
            .change(|all| {
                let seen = all.get(&head.origin);
                follows(seen, &head, &asked)?;
                if seen != Some(&now) {
                    all.insert(head.origin.clone(), now.clone());
                }
                Ok(())
            })
            .map_err(|e| WitnessRefusal::Failed(e.to_string()))??;
        self.cosign(&note.body, time)
    }

    fn cosign(&self, body: &str, time: u64) -> Result<String, WitnessRefusal> {
        let failed = |why: String| WitnessRefusal::Failed(format!("failed to cosign: {why}"));
        let signature = self
            .key
            .try_sign(cosigned(time, body).as_bytes())
            .map_err(|e| failed(e.to_string()))?;
        let signature =
            signature.as_bytes().try_into().map_err(|_| failed("no Ed25519".to_owned()))?;
        Ok(self.public.line(Some(time), signature).text())
    }
}

/// Whether a head adds to the one that was cosigned last.
fn follows(
    seen: Option<&SeenHead>,
    head: &TreeHead,
    asked: &AddCheckpoint,
) -> Result<(), WitnessRefusal> {
    let nothing = CompactRange::default().root();
    let size = seen.map_or(0, |seen| seen.size);
    if asked.old != size {
        return Err(WitnessRefusal::Other(size));
    }
    let root = match seen {
        Some(seen) => decode_hash(&seen.root).ok_or_else(|| {
            WitnessRefusal::Failed("what was cosigned last has no root".to_owned())
        })?,
        None => nothing,
    };
    let both = || {
        let seen = seen.map_or("nothing".to_owned(), ToString::to_string);
        let (size, root) = (head.size, encode_hash(&head.root));
        format!(
            "{seen} was cosigned, and {} with {size} entries and the root {root} was shown",
            head.origin
        )
    };
    if size == head.size && root != head.root {
        return Err(WitnessRefusal::Forks(format!("the log forks: {}", both())));
    }
    if extends(size, &root, head.size, &head.root, &asked.proof) {
        Ok(())
    } else {
        let why = format!("nothing proves that the log only grew: {}", both());
        Err(WitnessRefusal::Unproven(why))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use expacti_audit::{Tree, log_origin};
    use russh::keys::ssh_key::private::Ed25519Keypair;

    use super::*;

    fn key(seed: u8) -> PrivateKey {
        PrivateKey::new(Ed25519Keypair::from_seed(&[seed; 32]).into(), "").unwrap()
    }

    fn public(key: &PrivateKey) -> [u8; 32] {
        key.public_key().key_data().ed25519().unwrap().0
    }

    /// A log of these lines, whose key is 1: what it asks for after so many.
    fn asked(lines: &str, old: u64, signer: u8) -> AddCheckpoint {
        let mut tree = Tree::default();
        lines.split(' ').for_each(|line| tree.append(line.as_bytes()));
        let origin = log_origin(lines.split(' ').next().unwrap().as_bytes());
        let body = TreeHead {
            origin: origin.clone(),
            size: tree.size(),
            root: tree.root(tree.size()).unwrap(),
        }
        .body();
        let key = key(signer);
        let signature = key.try_sign(body.as_bytes()).unwrap();
        let line = NoteKey::of_log(&origin, public(&key))
            .line(None, signature.as_bytes().try_into().unwrap());
        let proof = tree.consistency(old, tree.size()).unwrap_or_default();
        AddCheckpoint { old, proof, checkpoint: Note { body, signatures: vec![line] }.text() }
    }

    fn witness(file: &std::path::Path) -> Witness {
        let log = NoteKey::of_log(&log_origin(b"a"), public(&key(1)));
        Witness::new("witness.example/w1", key(9), vec![log], file.to_owned()).unwrap()
    }

    fn add(witness: &Witness, asked: &AddCheckpoint) -> Result<String, WitnessRefusal> {
        witness.add_checkpoint(asked.text().as_bytes(), 1_700_000_000)
    }

    #[test]
    fn a_log_that_only_grows_is_cosigned_and_every_other_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("witness.json");
        let w = witness(&file);
        let first = asked("a b c", 0, 1);
        let line = add(&w, &first).unwrap();
        // The line is a cosignature of that head, by the witness's key.
        let note = format!("{}{line}", first.checkpoint);
        let note = Note::parse(&note).unwrap();
        let log = NoteKey::of_log(&log_origin(b"a"), public(&key(1)));
        note.check(&[&log, w.key()], &check_ed25519).unwrap();
        // Again, as after a lost answer.
        add(&w, &asked("a b c", 3, 1)).unwrap();
        // What it has cosigned outlives it.
        drop(w);
        let w = witness(&file);
        let kept = std::fs::read(&file).unwrap();
        for (what, asked, refusal) in [
            ("back", asked("a b", 2, 1), "Other(3)"),
            ("larger than it is", AddCheckpoint { old: 3, ..asked("a b", 2, 1) }, "Malformed"),
            ("from the beginning", asked("a b c d", 0, 1), "Other(3)"),
            ("same size", asked("a b x", 3, 1), "Forks"),
            ("fork", asked("a b x d", 3, 1), "Unproven"),
            ("no proof", AddCheckpoint { proof: Vec::new(), ..asked("a b c d", 3, 1) }, "Unproven"),
            ("another key", asked("a b c d", 3, 2), "Unsigned"),
            ("another log", asked("z b c d", 3, 1), "UnknownLog"),
        ] {
            let refused = format!("{:?}", add(&w, &asked).unwrap_err());
            assert!(refused.starts_with(refusal), "{what}: {refused}");
            assert_eq!(std::fs::read(&file).unwrap(), kept, "{what} was kept");
        }
        let forks = add(&w, &asked("a b x", 3, 1)).unwrap_err().to_string();
        assert_eq!(forks.matches("with 3 entries and the root").count(), 2, "{forks}");
        add(&w, &asked("a b c d e", 3, 1)).unwrap();
        // Garbage is no beginning.
        std::fs::write(&file, "{").unwrap();
        assert!(matches!(add(&w, &asked("a b c d e f", 5, 1)), Err(WitnessRefusal::Failed(_))));
        assert!(Witness::new("w", key(9), Vec::new(), file).is_err());
    }

    #[test]
    fn a_request_has_one_form() {
        let good = asked("a b c d e", 3, 1);
        assert_eq!(AddCheckpoint::parse(&good.text()), Some(good.clone()));
        let text = good.text();
        for other in [
            text.replace("old 3", "old 03"),
            text.replace("old 3", "old +3"),
            text.replace("old 3", "new 3"),
            text.replace("old 3\n", "old 3\n\n"),
            text.replace("old 3\n", "old 3\nAAAA\n"),
            text.replacen('\n', "\r\n", 1),
            String::new(),
        ] {
            assert!(
                AddCheckpoint::parse(&other).is_none_or(|read| read.proof != good.proof),
                "{other:?}"
            );
        }
        let many = AddCheckpoint { proof: vec![[0; 32]; 64], ..good };
        assert_eq!(AddCheckpoint::parse(&many.text()), None);
    }
}
