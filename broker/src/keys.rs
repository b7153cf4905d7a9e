//! The broker's key: it signs checkpoints, heads of the log as notes, and what a proof holds. The three
//! cannot be taken for each other: the first and the last are SSHSIG with namespaces of their own, and a note
//! begins with its log's origin.

use std::path::Path;
use std::sync::Arc;

use expacti_audit::{CHECKPOINT_NAMESPACE, Checkpoint};
use russh::keys::signature::Signer as _;
use russh::keys::ssh_key::{HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

use crate::state::Signer;

/// An Ed25519 key in OpenSSH's format.
pub(crate) struct CheckpointKey {
    key: PrivateKey,
    public: String,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[error("failed to {what} the checkpoint key {path}: {why}")]
pub struct KeyError {
    what: &'static str,
    path: String,
    why: String,
}

impl CheckpointKey {
    /// Reads the key, or makes one.
    pub(crate) fn open(path: &Path) -> Result<Self, KeyError> {
        let fail = |what: &'static str, why: String| KeyError {
            what,
            path: path.display().to_string(),
            why,
        };
        let key = match expacti_protocol::private::read(path) {
            Ok(text) => PrivateKey::from_openssh(&text).map_err(|e| fail("read", e.to_string()))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let key = generate().map_err(|e| fail("make", e))?;
                let text =
                    key.to_openssh(LineEnding::LF).map_err(|e| fail("write", e.to_string()))?;
                crate::files::write_private(path, text.as_bytes())
                    .map_err(|e| fail("write", e.to_string()))?;
                key
            }
            Err(e) => return Err(fail("read", e.to_string())),
        };
        let mut public = key.public_key().clone();
        public.set_comment("");
        let public = public.to_openssh().map_err(|e| fail("read", e.to_string()))?;
        Ok(Self { key, public: public.trim().to_owned() })
    }

    /// The public key, `ssh-ed25519 AAAA…`.
    pub(crate) fn public(&self) -> &str {
        &self.public
    }

    /// The public key as notes have it; `None` for a key of another kind.
    pub(crate) fn ed25519(&self) -> Option<[u8; 32]> {
        self.key.public_key().key_data().ed25519().map(|key| key.0)
    }

    /// A signature as notes have it.
    pub(crate) fn sign_note(&self, body: &str) -> Result<[u8; 64], String> {
        let signature = self.key.try_sign(body.as_bytes()).map_err(|e| e.to_string())?;
        signature.as_bytes().try_into().map_err(|_| "it is no Ed25519 key".to_owned())
    }

    /// An armored SSHSIG.
    pub(crate) fn sign_for(&self, namespace: &str, message: &str) -> Result<String, String> {
        self.key
            .sign(namespace, HashAlg::Sha512, message.as_bytes())
            .and_then(|s| s.to_pem(LineEnding::LF))
            .map_err(|e| e.to_string())
    }
}

fn generate() -> Result<PrivateKey, String> {
    let mut seed = [0_u8; 32];
    getrandom::fill(&mut seed).map_err(|e| e.to_string())?;
    let pair = russh::keys::ssh_key::private::Ed25519Keypair::from_seed(&seed);
    PrivateKey::new(pair.into(), "expacti checkpoints").map_err(|e| e.to_string())
}

impl Signer for Arc<CheckpointKey> {
    fn public_key(&self) -> &str {
        &self.public
    }

    fn sign(&self, message: &str) -> Result<String, String> {
        self.sign_for(CHECKPOINT_NAMESPACE, message)
    }
}

/// Checks a signature of the broker over a statement that is no checkpoint.
#[must_use]
pub fn check_statement(key: &str, namespace: &str, message: &str, signature: &str) -> bool {
    let key = PublicKey::from_openssh(key);
    let signature = SshSig::from_pem(signature)
        .ok()
        .filter(|read| read.to_pem(LineEnding::LF).is_ok_and(|written| written == signature));
    match (key, signature) {
        (Ok(key), Some(signature)) => key.verify(namespace, message.as_bytes(), &signature).is_ok(),
        _ => false,
    }
}

/// Checks the signature of a checkpoint against the key it names.
pub fn check_checkpoint(checkpoint: &Checkpoint) -> Result<(), String> {
    let bad = |what: &str| Err(format!("altered: the checkpoint's {what}"));
    let Ok(key) = PublicKey::from_openssh(&checkpoint.key) else {
        return bad("key cannot be read");
    };
    let Ok(signature) = SshSig::from_pem(checkpoint.signature.as_bytes()) else {
        return bad("signature cannot be read");
    };
    // One signature has one form: a different armor of the same bytes is an alteration, too.
    if signature.to_pem(LineEnding::LF).ok().as_deref() != Some(checkpoint.signature.as_str())
        || key.to_openssh().ok().as_deref().map(str::trim) != Some(checkpoint.key.as_str())
    {
        return bad("signature or key was rewritten");
    }
    match key.verify(CHECKPOINT_NAMESPACE, checkpoint.message.as_bytes(), &signature) {
        Ok(()) => Ok(()),
        Err(_) => bad("signature does not fit"),
    }
}
