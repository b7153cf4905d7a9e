//! Signed heads of the log in the form that others know: checkpoints (c2sp.org/tlog-checkpoint) as signed
//! notes (c2sp.org/signed-note), and the lines of witnesses (c2sp.org/tlog-cosignature). Who checks a note
//! must never take a line for good whose key is not known.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::hash::line_hash;
use crate::merkle::TreeHash;

/// Checks an Ed25519 signature: the public key, the message, the signature.
pub type Ed25519Check<'a> = &'a dyn Fn(&[u8; 32], &[u8], &[u8; 64]) -> bool;

/// The longest note, in bytes.
const MAX_NOTE: usize = 64 * 1024;
/// What the origin of every log of expacti begins with.
const ORIGIN: &str = "expacti/";
/// What stands before a signature.
const DASH: &str = "\u{2014} ";
/// Signature types of signed notes.
const ED25519: u8 = 0x01;
const COSIGNATURE: u8 = 0x04;

/// What is wrong with a note.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is none, or not written as it has to be.
    #[error("it is no checkpoint: {0}")]
    Form(&'static str),
    /// The key that has to have signed it has not.
    #[error("{0} has not signed the checkpoint")]
    Unsigned(String),
    /// A signature of a known key does not fit.
    #[error("the signature of {0} does not fit the checkpoint")]
    Invalid(String),
    /// A line by a key that is not known.
    #[error("the checkpoint has a signature line of {0} by a key that is not known here")]
    Unknown(String),
}

/// The head of a log: how many lines, and the root of the tree over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeHead {
    /// Which log.
    pub origin: String,
    /// How many lines.
    pub size: u64,
    /// The root.
    pub root: TreeHash,
}

/// The name of a log, which its first line gives it: it stays the same when the broker moves.
#[must_use]
pub fn log_origin(first_line: &[u8]) -> String {
    let id: String = line_hash(first_line).chars().take(32).collect();
    format!("{ORIGIN}{id}")
}

/// A hash as notes and proofs have it.
#[must_use]
pub fn encode_hash(hash: &TreeHash) -> String {
    STANDARD.encode(hash)
}

/// Reads such a hash.
#[must_use]
pub fn decode_hash(text: &str) -> Option<TreeHash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

impl TreeHead {
    /// The text that is signed.
    #[must_use]
    pub fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, encode_hash(&self.root))
    }

    /// Reads a text that is signed; exactly the three lines.
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(body: &str) -> Result<Self, NoteError> {
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root), Some(""), None) =
            (lines.next(), lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(NoteError::Form("it does not have three lines: origin, size and root"));
        };
        let size = size.parse().map_err(|_| NoteError::Form("its size is no number"))?;
        let root = decode_hash(root).ok_or(NoteError::Form("its root is no hash in base64"))?;
        let head = Self { origin: origin.to_owned(), size, root };
        if !is_name(origin) || head.body() != body {
            return Err(NoteError::Form("it is not written in the one form that it has"));
        }
        Ok(head)
    }
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key.
    pub name: String,
    /// The four bytes that tell keys of one name apart, and the signature.
    pub blob: Vec<u8>,
}

impl NoteSignature {
    /// Reads a line, without its line feed.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        signature(line)
    }

    /// The line, with its line feed.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{DASH}{} {}\n", self.name, STANDARD.encode(&self.blob))
    }
}

/// A text and its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text that is signed, with the line feed at its end.
    pub body: String,
    /// The signature lines.
    pub signatures: Vec<NoteSignature>,
}

impl Note {
    /// Reads a note.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        if text.len() > MAX_NOTE {
            return Err(NoteError::Form("it is too long"));
        }
        let (body, rest) =
            text.rsplit_once("\n\n").ok_or(NoteError::Form("it has no signatures"))?;
        let lines = rest.strip_suffix('\n').ok_or(NoteError::Form("its last line has no end"))?;
        let signatures = lines.split('\n').map(signature).collect::<Result<Vec<_>, _>>()?;
        let note = Self { body: format!("{body}\n"), signatures };
        // One note has one form, down to the last bit of base64.
        if note.text() == text {
            Ok(note)
        } else {
            Err(NoteError::Form("it is not written in the one form that it has"))
        }
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.body);
        text.extend(self.signatures.iter().map(NoteSignature::text));
        text
    }

    /// Whether this key has signed, whoever else has.
    #[must_use]
    pub fn is_signed_by(&self, key: &NoteKey, ed25519: Ed25519Check<'_>) -> bool {
        self.signatures.iter().any(|line| key.made(line) && key.verifies(&self.body, line, ed25519))
    }

    /// Checks that each of these keys has signed, and that nobody else has.
    ///
    /// # Errors
    /// When one has not, a signature does not fit, or a line is by another key.
    pub fn check(&self, keys: &[&NoteKey], ed25519: Ed25519Check<'_>) -> Result<(), NoteError> {
        for line in &self.signatures {
            let key = keys.iter().find(|key| key.made(line));
            let key = key.ok_or_else(|| NoteError::Unknown(line.name.clone()))?;
            if !key.verifies(&self.body, line, ed25519) {
                return Err(NoteError::Invalid(line.name.clone()));
            }
        }
        match keys.iter().find(|key| !self.signatures.iter().any(|line| key.made(line))) {
            Some(missing) => Err(NoteError::Unsigned(missing.name.clone())),
            None => Ok(()),
        }
    }
}

fn signature(line: &str) -> Result<NoteSignature, NoteError> {
    let form = NoteError::Form("a signature line is not `— NAME BASE64`");
    let parts = line.strip_prefix(DASH).and_then(|line| line.split_once(' '));
    let Some((name, blob)) = parts else { return Err(form) };
    match STANDARD.decode(blob) {
        Ok(blob) if is_name(name) && blob.len() > 4 => {
            Ok(NoteSignature { name: name.to_owned(), blob })
        }
        _ => Err(form),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// A key that signs notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    kind: u8,
    public: [u8; 32],
}

impl NoteKey {
    /// The Ed25519 key of a log: its name is the log's origin.
    #[must_use]
    pub fn of_log(origin: &str, public: [u8; 32]) -> Self {
        Self { name: origin.to_owned(), kind: ED25519, public }
    }

    /// The Ed25519 key of a witness. `None` for a name that cannot be one.
    #[must_use]
    pub fn of_witness(name: &str, public: [u8; 32]) -> Option<Self> {
        let key = Self { name: name.to_owned(), kind: COSIGNATURE, public };
        is_name(name).then_some(key)
    }

    /// Reads the form in which such keys are handed on: `NAME+ID+BASE64`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('+')?;
        let (_, key) = rest.split_once('+')?;
        let key = STANDARD.decode(key).ok()?;
        let (kind, public) = key.split_first()?;
        let key = Self { name: name.to_owned(), kind: *kind, public: public.try_into().ok()? };
        let known = matches!(key.kind, ED25519 | COSIGNATURE) && is_name(name);
        (known && key.text() == text).then_some(key)
    }

    /// That form.
    #[must_use]
    pub fn text(&self) -> String {
        let key: Vec<u8> = [self.kind].into_iter().chain(self.public).collect();
        format!("{}+{}+{}", self.name, hex::encode(self.id()), STANDARD.encode(key))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is that of a witness.
    #[must_use]
    pub fn is_witness(&self) -> bool {
        self.kind == COSIGNATURE
    }

    /// A line with a signature of this key, over what [`TreeHead::body`] or [`cosigned`] says; a witness
    /// says when, in seconds since the Unix epoch.
    #[must_use]
    pub fn line(&self, time: Option<u64>, signature: &[u8; 64]) -> NoteSignature {
        let time = time.map(u64::to_be_bytes);
        let mut blob = self.id().to_vec();
        blob.extend(time.iter().flatten());
        blob.extend(signature);
        NoteSignature { name: self.name.clone(), blob }
    }

    fn id(&self) -> [u8; 4] {
        let digest: [u8; 32] = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', self.kind])
            .chain_update(self.public)
            .finalize()
            .into();
        let [a, b, c, d, ..] = digest;
        [a, b, c, d]
    }

    /// Whether a line says that it is by this key.
    #[must_use]
    pub fn made(&self, line: &NoteSignature) -> bool {
        line.name == self.name && line.blob.starts_with(&self.id())
    }

    fn verifies(&self, body: &str, line: &NoteSignature, ed25519: Ed25519Check<'_>) -> bool {
        let Some(rest) = line.blob.strip_prefix(&self.id()) else { return false };
        let (message, signature) = if self.kind == COSIGNATURE {
            let Some((time, signature)) = rest.split_first_chunk::<8>() else { return false };
            (cosigned(u64::from_be_bytes(*time), body), signature)
        } else {
            (body.to_owned(), rest)
        };
        signature.try_into().is_ok_and(|sig| ed25519(&self.public, message.as_bytes(), sig))
    }
}

/// What a witness signs of a checkpoint.
#[must_use]
pub fn cosigned(time: u64, body: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{body}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Not a signature: the digest of key and message, twice. Whoever knows the key can make it.
    fn sign(public: &[u8; 32], message: &[u8]) -> [u8; 64] {
        let half = Sha256::new().chain_update(public).chain_update(message).finalize();
        [half, half].concat().try_into().unwrap()
    }

    fn check(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        sign(public, message) == *signature
    }

    fn head() -> TreeHead {
        TreeHead { origin: log_origin(b"{}"), size: 12, root: [7; 32] }
    }

    #[test]
    fn the_key_of_the_specification() {
        // The example of c2sp.org/signed-note, which Go's package note uses as well.
        let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let key = NoteKey::parse(text).unwrap();
        assert_eq!(
            (key.name(), key.is_witness(), key.text().as_str()),
            ("PeterNeumann", false, text)
        );
        assert_eq!(NoteKey::parse(&text.replace("c74f20a3", "c74f20a4")), None);
    }

    #[test]
    fn a_note_is_what_its_keys_signed_and_nothing_else() {
        let body = head().body();
        let log = NoteKey::of_log(&head().origin, [1; 32]);
        let witness = NoteKey::of_witness("witness.example/w", [2; 32]).unwrap();
        let own = log.line(None, &sign(&[1; 32], body.as_bytes()));
        let other = witness.line(Some(9), &sign(&[2; 32], cosigned(9, &body).as_bytes()));
        let note = Note { body: body.clone(), signatures: vec![own.clone(), other.clone()] };
        let read = Note::parse(&note.text()).unwrap();
        assert_eq!(read, note);
        assert_eq!(TreeHead::parse(&read.body), Ok(head()));
        read.check(&[&log, &witness], &check).unwrap();
        // A line more, a line less, the wrong time, another text.
        assert_eq!(
            read.check(&[&log], &check),
            Err(NoteError::Unknown("witness.example/w".to_owned()))
        );
        let alone = Note { body: body.clone(), signatures: vec![own] };
        alone.check(&[&log], &check).unwrap();
        assert!(matches!(alone.check(&[&log, &witness], &check), Err(NoteError::Unsigned(_))));
        let later = witness.line(Some(10), &sign(&[2; 32], cosigned(9, &body).as_bytes()));
        let note = Note { body, signatures: vec![later] };
        assert!(matches!(note.check(&[&witness], &check), Err(NoteError::Invalid(_))));
    }

    #[test]
    fn every_bit_of_a_note_counts() {
        let log = NoteKey::of_log(&head().origin, [1; 32]);
        let body = head().body();
        let line = log.line(None, &sign(&[1; 32], body.as_bytes()));
        let text = Note { body, signatures: vec![line] }.text();
        let good = |text: &str| {
            Note::parse(text)
                .is_ok_and(|n| n.check(&[&log], &check).is_ok() && TreeHead::parse(&n.body).is_ok())
        };
        assert!(good(&text));
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                *bytes.get_mut(at).unwrap() ^= 1 << bit;
                assert!(!String::from_utf8(bytes).is_ok_and(|t| good(&t)), "{at} {bit}");
            }
            assert!(text.get(..at).is_none_or(|part| !good(part)), "{at}");
        }
        assert!(!good(&format!("{text}\n")) && !good(&text.replace("\n12\n", "\n012\n")));
    }
}
