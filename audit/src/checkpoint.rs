//! Checkpoints: entries of kind `checkpoint` that carry the broker's public key (`key`, OpenSSH
//! form) and its signature (`signature`, SSHSIG) over the canonical entry without `signature`.

use serde_json::Value;

use crate::entry::canonical;

/// The SSHSIG namespace of checkpoints.
pub const CHECKPOINT_NAMESPACE: &str = "expacti-checkpoint";

/// The signed part of a checkpoint entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its place.
    pub seq: u64,
    /// What was signed.
    pub message: String,
    /// The signer's public key, `ssh-ed25519 AAAA…`.
    pub key: String,
    /// The signature, armored SSHSIG.
    pub signature: String,
}

/// Takes a checkpoint entry apart; `None` when it is not a complete checkpoint.
pub fn checkpoint_message(entry: &Value) -> Option<Checkpoint> {
    let fields = entry.as_object()?;
    if fields.get("kind")?.as_str()? != "checkpoint" {
        return None;
    }
    let seq = fields.get("seq")?.as_u64()?;
    let key = fields.get("key")?.as_str()?.to_owned();
    let signature = fields.get("signature")?.as_str()?.to_owned();
    let mut signed = fields.clone();
    signed.remove("signature");
    let message = canonical(&Value::Object(signed)).ok()?;
    Some(Checkpoint { seq, message, key, signature })
}
