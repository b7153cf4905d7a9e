//! Bare Ed25519 keys, as notes have them.

use russh::keys::signature::Verifier as _;
use russh::keys::ssh_key::public::{Ed25519PublicKey, KeyData};
use russh::keys::ssh_key::{Algorithm, PublicKey, Signature};

/// Checks a bare Ed25519 signature.
#[must_use]
pub fn check_ed25519(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    Signature::new(Algorithm::Ed25519, signature.as_slice())
        .and_then(|s| Ok(KeyData::Ed25519(Ed25519PublicKey(*public)).verify(message, &s)?))
        .is_ok()
}

/// The bare key of an Ed25519 public key in OpenSSH's form.
#[must_use]
pub fn read_ed25519(key: &str) -> Option<[u8; 32]> {
    PublicKey::from_openssh(key).ok()?.key_data().ed25519().map(|key| key.0)
}
