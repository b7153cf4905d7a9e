//! Whether a head that is shown adds to the one that was seen. Pure.

use expacti_audit::{Note, NoteKey, TreeHead, decode_hash, encode_hash, extends};
use serde::{Deserialize, Serialize};

use crate::keys::{check_ed25519, read_ed25519};

/// The last head of one broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenHead {
    /// The public key that signed it, `ssh-ed25519 AAAA…`.
    pub key: String,
    /// Which log.
    pub origin: String,
    /// The root over its entries, in base64.
    pub root: String,
    /// How many entries.
    pub size: u64,
}

/// What a broker says of its log: `GET /v1/checkpoint/consistency`.
#[derive(Debug, Clone, Deserialize)]
pub struct ShownHead {
    /// The signed head.
    pub checkpoint: String,
    /// The key that signed it.
    pub key: String,
    /// That it adds to the head that was asked about; absent where the log is shorter.
    pub proof: Option<Vec<String>>,
}

impl std::fmt::Display for SeenHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { origin, root, size, .. } = self;
        write!(f, "{origin} with {size} entries and the root {root}")
    }
}

/// The head that is shown, if it is good and adds to the one that was seen.
///
/// # Errors
/// With why it is neither, in words that end a sentence.
pub fn judge(seen: Option<&SeenHead>, shown: &ShownHead) -> Result<SeenHead, String> {
    let key = read_ed25519(&shown.key).ok_or("its key is no Ed25519 key")?;
    let note = Note::parse(&shown.checkpoint).map_err(|e| e.to_string())?;
    let head = TreeHead::parse(&note.body).map_err(|e| e.to_string())?;
    note.check(&[&NoteKey::of_log(&head.origin, key)], &check_ed25519)
        .map_err(|e| e.to_string())?;
    let now = SeenHead {
        key: shown.key.clone(),
        origin: head.origin.clone(),
        root: encode_hash(&head.root),
        size: head.size,
    };
    let Some(seen) = seen else { return Ok(now) };
    if seen.key != now.key {
        return Err(format!("{now} is signed by {}, not by {}", now.key, seen.key));
    }
    if seen.origin != now.origin {
        return Err(format!("it now shows another log, {now}"));
    }
    if now.size < seen.size {
        return Err(format!("it went back, to {now}"));
    }
    let proof = shown.proof.iter().flatten().map(|hash| decode_hash(hash));
    let proof = proof.collect::<Option<Vec<_>>>();
    let root = decode_hash(&seen.root);
    match (proof, root) {
        (Some(proof), Some(root)) if extends(seen.size, &root, now.size, &head.root, &proof) => {
            Ok(now)
        }
        _ => Err(format!("it forks: nothing proves that what was seen is the beginning of {now}")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use expacti_audit::{Tree, log_origin};
    use russh::keys::PrivateKey;
    use russh::keys::signature::Signer as _;
    use russh::keys::ssh_key::private::Ed25519Keypair;

    use super::*;

    /// A log whose lines are these, as a broker with that key shows it to somebody who has seen `from`.
    fn shown(lines: &[&str], seed: u8, from: u64) -> ShownHead {
        let key = PrivateKey::new(Ed25519Keypair::from_seed(&[seed; 32]).into(), "").unwrap();
        let mut tree = Tree::default();
        lines.iter().for_each(|line| tree.append(line.as_bytes()));
        let origin = log_origin(lines.first().unwrap().as_bytes());
        let root = tree.root(tree.size()).unwrap();
        let body = TreeHead { origin: origin.clone(), size: tree.size(), root }.body();
        let signature = key.try_sign(body.as_bytes()).unwrap();
        let public = key.public_key().key_data().ed25519().unwrap().0;
        let line =
            NoteKey::of_log(&origin, public).line(None, signature.as_bytes().try_into().unwrap());
        let proof = tree.consistency(from, tree.size());
        ShownHead {
            checkpoint: Note { body, signatures: vec![line] }.text(),
            key: key.public_key().to_openssh().unwrap(),
            proof: proof.map(|hashes| hashes.iter().map(encode_hash).collect()),
        }
    }

    #[test]
    fn only_what_adds_to_what_was_seen_is_taken() {
        let seen = judge(None, &shown(&["a", "b", "c"], 1, 0)).unwrap();
        assert_eq!(seen.size, 3);
        let now = judge(Some(&seen), &shown(&["a", "b", "c", "d", "e"], 1, 3)).unwrap();
        assert_eq!(now.size, 5);
        assert_eq!(judge(Some(&seen), &shown(&["a", "b", "c"], 1, 3)).unwrap(), seen);
        for (lines, key, from, why) in [
            (&["a", "b"][..], 1, 3, "it went back, to expacti/"),
            (&["a", "b", "x"], 1, 3, "it forks"),
            (&["a", "b", "x", "d", "e"], 1, 3, "it forks"),
            (&["x", "b", "c", "d"], 1, 3, "another log"),
            (&["a", "b", "c", "d"], 2, 3, "is signed by"),
            // Another proof than the one that was asked for.
            (&["a", "b", "c", "d"], 1, 2, "it forks"),
        ] {
            let refused = judge(Some(&seen), &shown(lines, key, from)).unwrap_err();
            assert!(refused.contains(why), "{lines:?}: {refused}");
        }
        // A head that its key has not signed.
        let mut made_up = shown(&["a", "b", "c", "d"], 1, 3);
        made_up.key = shown(&["a"], 2, 0).key;
        assert!(judge(None, &made_up).is_err());
    }
}
