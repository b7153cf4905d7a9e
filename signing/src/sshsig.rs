//! The signature format of `ssh-keygen -Y` (OpenSSH's PROTOCOL.sshsig). It must never take a signature for
//! valid that is written in another way than OpenSSH writes it, or say of a security key what its
//! signature does not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use russh::keys::HashAlg;
use russh::keys::signature::Verifier as _;
use russh::keys::ssh_encoding::{Decode, Encode};
use russh::keys::ssh_key::certificate::Certificate;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::ssh_key::{Signature, SshSig};

use crate::keys::{self, KeyFault};

/// The longest signature, in bytes of its armoured text.
pub const MAX_SIGNATURE: usize = 64 * 1024;

const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----\n";
/// How long a line of the armour is.
const LINE: usize = 70;
/// Flags of a security key's signature (OpenSSH's PROTOCOL.u2f).
const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
/// The flags and the counter at the end of a security key's signature.
const TRAILER: usize = 5;

/// A signature that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigFault {
    /// It is longer than [`MAX_SIGNATURE`].
    #[error("the signature is longer than {MAX_SIGNATURE} bytes")]
    TooLong,
    /// It is no armoured SSHSIG, or not exactly as OpenSSH writes it.
    #[error("it is no signature of `ssh-keygen -Y sign`, written as that writes it")]
    Unreadable,
    /// A version that is not known here.
    #[error("the signature has version {0}; this program knows version {VERSION}")]
    Version(u32),
    /// It has something in the reserved field.
    #[error("the signature has something in its reserved field")]
    Reserved,
    /// The message is hashed with something else than SHA-256 or SHA-512.
    #[error("the signature is made with the hash {0:?}: use sha256 or sha512")]
    Hash(String),
    /// A key that does not count.
    #[error("the key of the signature does not count: {0}")]
    Key(#[from] KeyFault),
    /// The signature has an algorithm that is not one of its key, or RSA with SHA-1.
    #[error("the signature has the algorithm {0}, which does not fit its key")]
    Algorithm(String),
    /// It was made for something else.
    #[error("the signature was made for {found:?}, not for {wanted:?}")]
    Namespace {
        /// What it has to be for.
        wanted: String,
        /// What it is for.
        found: String,
    },
    /// It is not a signature of this message by its key.
    #[error("the signature is not one of this text by its key")]
    Invalid,
}

/// Who signed, before it is known who that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignerKey {
    /// A key by itself.
    Plain(KeyData),
    /// A key with the word of an authority, which is not checked yet.
    Certificate(Box<Certificate>),
}

impl SignerKey {
    /// The key that signed.
    #[must_use]
    pub fn public(&self) -> &KeyData {
        match self {
            Self::Plain(key) => key,
            Self::Certificate(certificate) => certificate.public_key(),
        }
    }

    /// The key's fingerprint, `SHA256:…`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        keys::fingerprint(self.public())
    }
}

/// What a security key says of the person at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// Somebody touched the key.
    pub touched: bool,
    /// The key knew who, by a PIN or a finger.
    pub verified: bool,
    /// How often it signed, as it says.
    pub counter: u32,
}

/// A signature of which it is known that its key made it for this text. Only [`Signed::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    key: SignerKey,
    presence: Option<Presence>,
    namespace: String,
}

impl Verified {
    /// The key that made it.
    #[must_use]
    pub fn key(&self) -> &SignerKey {
        &self.key
    }

    /// What the security key says of the person at it; `None` for keys of other kinds.
    #[must_use]
    pub fn presence(&self) -> Option<Presence> {
        self.presence
    }

    /// What it was made for.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }
}

/// An SSHSIG that is well-formed, by a key of a kind that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    key: SignerKey,
    namespace: String,
    hash: HashAlg,
    signature: Signature,
}

impl Signed {
    /// Reads an armoured signature. The line feed at its end may be missing.
    ///
    /// # Errors
    /// When it is none, is not written as OpenSSH writes it, or its key or algorithm does not count.
    pub fn parse(armored: &str) -> Result<Self, SigFault> {
        if armored.len() > MAX_SIGNATURE {
            return Err(SigFault::TooLong);
        }
        let envelope = Envelope::decode_all(&unarmor(armored)?)?;
        let key = if keys::is_certificate(&envelope.key) {
            SignerKey::Certificate(Box::new(keys::certificate(&envelope.key)?))
        } else {
            SignerKey::Plain(keys::plain(&envelope.key)?)
        };
        let hash = match envelope.hash.as_str() {
            "sha256" => HashAlg::Sha256,
            "sha512" => HashAlg::Sha512,
            _ => return Err(SigFault::Hash(envelope.hash)),
        };
        let signature = canonical_signature(&envelope.signature)?;
        if !keys::signs_with(key.public(), &signature.algorithm()) {
            return Err(SigFault::Algorithm(signature.algorithm().as_str().to_owned()));
        }
        Ok(Self { key, namespace: envelope.namespace, hash, signature })
    }

    /// The key that claims to have made it.
    #[must_use]
    pub fn key(&self) -> &SignerKey {
        &self.key
    }

    /// Checks it against what was signed.
    ///
    /// # Errors
    /// When it was made for another namespace or of another message.
    pub fn verify(&self, namespace: &str, message: &[u8]) -> Result<Verified, SigFault> {
        if self.namespace != namespace {
            return Err(SigFault::Namespace {
                wanted: namespace.to_owned(),
                found: self.namespace.clone(),
            });
        }
        let data =
            SshSig::signed_data(namespace, self.hash, message).map_err(|_| SigFault::Unreadable)?;
        self.key.public().verify(&data, &self.signature).map_err(|_| SigFault::Invalid)?;
        let presence = if keys::is_sk(self.key.public()) { Some(self.presence()?) } else { None };
        Ok(Verified { key: self.key.clone(), presence, namespace: namespace.to_owned() })
    }

    /// The flags and the counter that were signed.
    fn presence(&self) -> Result<Presence, SigFault> {
        let (_, trailer) =
            self.signature.as_bytes().split_last_chunk::<TRAILER>().ok_or(SigFault::Unreadable)?;
        let [flags, a, b, c, d] = *trailer;
        Ok(Presence {
            touched: flags & USER_PRESENT != 0,
            verified: flags & USER_VERIFIED != 0,
            counter: u32::from_be_bytes([a, b, c, d]),
        })
    }
}

/// The fields of an SSHSIG, in their order.
pub(crate) struct Envelope {
    /// The public key or the certificate.
    pub(crate) key: Vec<u8>,
    pub(crate) namespace: String,
    /// `sha256` or `sha512`.
    pub(crate) hash: String,
    pub(crate) signature: Vec<u8>,
}

impl Envelope {
    /// The text that OpenSSH would write.
    pub(crate) fn armored(&self) -> Option<String> {
        self.encoded().ok().map(|bytes| armor(&bytes))
    }

    fn encoded(&self) -> Result<Vec<u8>, russh::keys::ssh_encoding::Error> {
        let mut out = MAGIC.to_vec();
        VERSION.encode(&mut out)?;
        self.key.encode(&mut out)?;
        self.namespace.encode(&mut out)?;
        Vec::<u8>::new().encode(&mut out)?;
        self.hash.encode(&mut out)?;
        self.signature.encode(&mut out)?;
        Ok(out)
    }

    fn decode_all(bytes: &[u8]) -> Result<Self, SigFault> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(SigFault::Unreadable)?;
        let version: u32 = field(&mut rest)?;
        if version != VERSION {
            return Err(SigFault::Version(version));
        }
        let key = field(&mut rest)?;
        let namespace: String = field(&mut rest)?;
        let reserved: Vec<u8> = field(&mut rest)?;
        let hash = field(&mut rest)?;
        let signature = field(&mut rest)?;
        if !reserved.is_empty() {
            return Err(SigFault::Reserved);
        }
        if !rest.is_empty() || namespace.is_empty() {
            return Err(SigFault::Unreadable);
        }
        Ok(Self { key, namespace, hash, signature })
    }
}

fn field<T: Decode>(rest: &mut &[u8]) -> Result<T, SigFault> {
    T::decode(rest).map_err(|_| SigFault::Unreadable)
}

fn canonical_signature(bytes: &[u8]) -> Result<Signature, SigFault> {
    let mut rest = bytes;
    let signature = Signature::decode(&mut rest).map_err(|_| SigFault::Unreadable)?;
    let again = signature.encode_vec().map_err(|_| SigFault::Unreadable)?;
    if rest.is_empty() && again == bytes { Ok(signature) } else { Err(SigFault::Unreadable) }
}

fn armor(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut out = String::from(BEGIN);
    for (at, letter) in text.chars().enumerate() {
        if at > 0 && at % LINE == 0 {
            out.push('\n');
        }
        out.push(letter);
    }
    out.push('\n');
    out.push_str(END);
    out
}

/// The bytes in an armour that is exactly as [`armor`] writes it.
fn unarmor(text: &str) -> Result<Vec<u8>, SigFault> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let body = text
        .strip_prefix(BEGIN)
        .and_then(|text| text.strip_suffix(END.trim_end()))
        .ok_or(SigFault::Unreadable)?;
    let bytes = STANDARD.decode(body.replace('\n', "")).map_err(|_| SigFault::Unreadable)?;
    if armor(&bytes).trim_end() == text { Ok(bytes) } else { Err(SigFault::Unreadable) }
}
