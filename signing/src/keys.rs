//! Which keys count. It must never let one through whose signatures somebody else could make.

use ed25519_dalek::VerifyingKey;
use russh::keys::ssh_encoding::{Decode as _, Encode as _};
use russh::keys::ssh_key::certificate::Certificate;
use russh::keys::ssh_key::public::{EcdsaPublicKey, Ed25519PublicKey, KeyData, RsaPublicKey};
use russh::keys::{Algorithm, HashAlg};

/// The shortest RSA key, in bits.
const MIN_RSA_BITS: usize = 2048;
/// The longest RSA key that can be checked, in bits.
const MAX_RSA_BITS: usize = 8192;
/// What the application of a security key begins with; others are keys of websites.
const APPLICATION: &str = "ssh:";
/// Decoding a certificate recurses into the key that signed it. Each level has this in its name.
const CERTIFICATE_MARK: &[u8] = b"-cert-v01@";
/// More levels than any certificate has, and fewer than the stack: principals may hold the mark too.
const MAX_CERTIFICATE_MARKS: usize = 8;

/// A key that does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// It is no key, or is not written as OpenSSH writes it.
    #[error("it is no SSH public key in the form that OpenSSH writes")]
    Unreadable,
    /// DSA, or something that is not known here.
    #[error("{0} keys cannot sign: use ed25519, ecdsa, rsa or a security key")]
    Kind(String),
    /// An RSA key that is too short or too long.
    #[error("an RSA key of {0} bits cannot sign: it needs {MIN_RSA_BITS} to {MAX_RSA_BITS}")]
    RsaBits(usize),
    /// A security key that was made for something else than SSH.
    #[error(
        "the security key was made for {0:?}, not for an application that begins with \"ssh:\""
    )]
    Application(String),
    /// A key for which anybody can make signatures.
    #[error("anybody can sign with it: it is no key that ssh-keygen makes")]
    Weak,
    /// A certificate where a key is expected.
    #[error("it is a certificate: give the key itself")]
    Certificate,
}

/// The fingerprint as `ssh-keygen -l` shows it: `SHA256:…`.
pub(crate) fn fingerprint(key: &KeyData) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// The fingerprint of a key that may sign, from the line of a `.pub` file.
///
/// # Errors
/// When it is none, or of a kind that does not count.
pub fn fingerprint_of(line: &str) -> Result<String, KeyFault> {
    let key =
        russh::keys::PublicKey::from_openssh(line.trim()).map_err(|_| KeyFault::Unreadable)?;
    check(key.key_data())?;
    Ok(fingerprint(key.key_data()))
}

/// The fingerprint of any public key, whether or not it may sign; `None` where it is none.
#[must_use]
pub fn fingerprint_of_any(line: &str) -> Option<String> {
    let key = russh::keys::PublicKey::from_openssh(line.trim()).ok()?;
    Some(fingerprint(key.key_data()))
}

/// Whether a key is of the kinds that use a security key, with its flags in each signature.
pub(crate) fn is_sk(key: &KeyData) -> bool {
    matches!(key, KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_))
}

/// Refuses kinds and sizes that do not count.
pub(crate) fn check(key: &KeyData) -> Result<(), KeyFault> {
    match key {
        KeyData::Ed25519(key) => check_order(key),
        KeyData::Ecdsa(key) => check_point(key.as_sec1_bytes()),
        KeyData::Rsa(key) => check_rsa(key),
        KeyData::SkEd25519(key) => {
            check_application(key.application()).and_then(|()| check_order(key.public_key()))
        }
        KeyData::SkEcdsaSha2NistP256(key) => {
            let point = EcdsaPublicKey::NistP256(*key.ec_point());
            check_point(point.as_sec1_bytes()).and_then(|()| check_application(key.application()))
        }
        KeyData::Certificate(_) => Err(KeyFault::Certificate),
        other => Err(KeyFault::Kind(other.algorithm().as_str().to_owned())),
    }
}

/// Whether a signature of this algorithm is one of this key. RSA with SHA-1 is none.
pub(crate) fn signs_with(key: &KeyData, algorithm: &Algorithm) -> bool {
    match algorithm {
        Algorithm::Rsa { hash } => hash.is_some() && matches!(key, KeyData::Rsa(_)),
        other => *other == key.algorithm(),
    }
}

/// Reads a plain key in the only form that OpenSSH writes it in.
pub(crate) fn plain(blob: &[u8]) -> Result<KeyData, KeyFault> {
    let name = name(blob)?;
    if Algorithm::new_certificate(&name).is_ok() {
        return Err(KeyFault::Certificate);
    }
    let mut rest = blob;
    let key = KeyData::decode(&mut rest).map_err(|_| KeyFault::Unreadable)?;
    check(&key)?;
    canonical(rest, blob, key.encode_vec().ok()).map(|()| key)
}

/// Reads a certificate in the only form that OpenSSH writes it in. Its authority is not checked.
pub(crate) fn certificate(blob: &[u8]) -> Result<Certificate, KeyFault> {
    let marks = blob.windows(CERTIFICATE_MARK.len()).filter(|window| *window == CERTIFICATE_MARK);
    if marks.count() > MAX_CERTIFICATE_MARKS {
        return Err(KeyFault::Unreadable);
    }
    let name = name(blob)?;
    match Algorithm::new_certificate(&name) {
        Ok(Algorithm::Dsa | Algorithm::Other(_)) | Err(_) => return Err(KeyFault::Kind(name)),
        Ok(_) => {}
    }
    let mut rest = blob;
    let certificate = Certificate::decode(&mut rest).map_err(|_| KeyFault::Unreadable)?;
    check(certificate.public_key())?;
    check(certificate.signature_key())?;
    canonical(rest, blob, certificate.encode_vec().ok()).map(|()| certificate)
}

/// Whether a blob is a certificate by its name.
pub(crate) fn is_certificate(blob: &[u8]) -> bool {
    name(blob).is_ok_and(|name| Algorithm::new_certificate(&name).is_ok())
}

fn name(blob: &[u8]) -> Result<String, KeyFault> {
    let mut rest = blob;
    String::decode(&mut rest).map_err(|_| KeyFault::Unreadable)
}

/// Nothing follows, and writing it again gives the same bytes.
fn canonical(rest: &[u8], blob: &[u8], again: Option<Vec<u8>>) -> Result<(), KeyFault> {
    if rest.is_empty() && again.as_deref() == Some(blob) {
        Ok(())
    } else {
        Err(KeyFault::Unreadable)
    }
}

/// OpenSSH knows only points that are not compressed, and so does the fingerprint.
fn check_point(point: &[u8]) -> Result<(), KeyFault> {
    if point.first() == Some(&4) { Ok(()) } else { Err(KeyFault::Unreadable) }
}

/// Points of a small order verify signatures that need no private key.
fn check_order(key: &Ed25519PublicKey) -> Result<(), KeyFault> {
    // What is no point at all verifies nothing.
    let weak = VerifyingKey::from_bytes(&key.0).is_ok_and(|key| key.is_weak());
    if weak { Err(KeyFault::Weak) } else { Ok(()) }
}

fn check_application(application: &str) -> Result<(), KeyFault> {
    if application.starts_with(APPLICATION) {
        Ok(())
    } else {
        Err(KeyFault::Application(application.to_owned()))
    }
}

fn check_rsa(key: &RsaPublicKey) -> Result<(), KeyFault> {
    // With the exponent 1 a signature is the padded digest itself.
    let exponent = key.e().as_positive_bytes().unwrap_or_default();
    if exponent == [1] || exponent.last().is_none_or(|byte| byte % 2 == 0) {
        return Err(KeyFault::Weak);
    }
    let modulus = key.n().as_positive_bytes().ok_or(KeyFault::Unreadable)?;
    let unused = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
    let bits = (modulus.len() * 8).saturating_sub(unused);
    if (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
        Ok(())
    } else {
        Err(KeyFault::RsaBits(bits))
    }
}
