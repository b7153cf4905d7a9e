//! The algorithms that the gate agrees to, as a server and as a client. It must never agree to RSA
//! with SHA-1, CBC or a SHA-1 MAC.

use std::borrow::Cow;

use russh::keys::{Algorithm, HashAlg};
use russh::{Preferred, cipher, kex};

/// RSA with SHA-1 is in none of the lists: OpenSSH has refused it since 8.8.
pub(crate) const HOST_KEY_ORDER: &[Algorithm] = &[
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: russh::keys::EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: russh::keys::EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: russh::keys::EcdsaCurve::NistP521 },
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

/// The fastest ciphers first, with AES in hardware. Towards clients the client chooses; towards
/// targets the gate does.
const CIPHER_ORDER: &[cipher::Name] = &[
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// The same without AES in hardware.
const CIPHER_ORDER_SOFT: &[cipher::Name] = &[
    cipher::CHACHA20_POLY1305,
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

fn hard_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

/// What both of the gate's legs agree to but for the key exchange: russh's defaults (which have
/// neither CBC nor SHA-1 MACs, and negotiate strict key exchange) and `aes128-gcm`, without
/// `ssh-rsa`.
pub(crate) fn preferred() -> Preferred {
    Preferred {
        key: Cow::Borrowed(HOST_KEY_ORDER),
        cipher: Cow::Borrowed(if hard_aes() { CIPHER_ORDER } else { CIPHER_ORDER_SOFT }),
        ..Preferred::default()
    }
}

/// What clients may ask of the gate: not the groups beyond 4096 bits, whose arithmetic anybody
/// could make the gate do without having logged in.
const CLIENT_KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::DH_G16_SHA512,
    kex::DH_G14_SHA256,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

/// What the gate agrees to as a server.
pub(crate) fn preferred_of_clients() -> Preferred {
    Preferred { kex: Cow::Borrowed(CLIENT_KEX), ..preferred() }
}
