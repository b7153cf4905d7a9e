//! Makes signatures with a person's key: in this process, through the ssh-agent, or with `ssh-keygen` for a
//! security key. It must never wait where it cannot be cancelled: dropping the future ends all it started.

mod agent;
mod child;

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode as _;
use russh::keys::ssh_key::{Certificate, SshSig};
use russh::keys::{HashAlg, PrivateKey, PublicKey};

use crate::keys::{self, KeyFault};
use crate::sshsig::{Envelope, Signed};
use agent::{Agent, AgentError};

/// The longest key file, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// What failed, why, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The file cannot be read.
    #[error("cannot read the key {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Others may read the private key.
    #[error("others may read the private key {0}: chmod 600 {0}", path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
    },
    /// It is no key that this program can use.
    #[error("{} cannot sign: {why}", path.display())]
    NotAKey {
        /// Which file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// There is no ssh-agent to ask.
    #[error("no ssh-agent answers for the key {}: {why}; start one (`eval $(ssh-agent)`), and add the key: ssh-add {}", path.display(), add.display())]
    NoAgent {
        /// The key.
        path: PathBuf,
        /// Why not.
        why: String,
        /// What to add to the agent.
        add: PathBuf,
    },
    /// The ssh-agent does not have the key, or says so because it is locked.
    #[error("the ssh-agent does not have the key {}, or it is locked (ssh-add -X): ssh-add {}", path.display(), add.display())]
    NotInAgent {
        /// The key.
        path: PathBuf,
        /// What to add to the agent.
        add: PathBuf,
    },
    /// The ssh-agent has the key and did not sign.
    #[error("the ssh-agent did not sign with the key {}: {why}", path.display())]
    Refused {
        /// The key.
        path: PathBuf,
        /// Why not, and what to do.
        why: &'static str,
    },
    /// `ssh-keygen` did not sign.
    #[error("ssh-keygen did not sign with the key {}: {why}", path.display())]
    Keygen {
        /// The key.
        path: PathBuf,
        /// Why not, and what to do.
        why: String,
    },
    /// What came is not a signature that counts.
    #[error("the signature made with the key {} does not count: {why}", path.display())]
    Unusable {
        /// The key.
        path: PathBuf,
        /// Why not, and what to do.
        why: String,
    },
}

/// What signs, other than this process.
#[derive(Debug, Clone, Default)]
pub struct Via {
    /// The socket of the ssh-agent.
    pub agent: Option<PathBuf>,
    /// The library through which `ssh-keygen` reaches security keys, if it is not its own.
    pub provider: Option<PathBuf>,
}

impl Via {
    /// The ssh-agent at `SSH_AUTH_SOCK`.
    #[must_use]
    pub fn from_env() -> Self {
        let agent = env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty());
        Self { agent: agent.map(PathBuf::from), provider: None }
    }
}

/// A key that signs.
#[derive(Debug)]
pub struct SigningKey {
    path: PathBuf,
    public: PublicKey,
    /// The word of an authority that goes with each signature.
    certificate: Option<Box<Certificate>>,
    how: How,
    via: Via,
}

#[derive(Debug)]
enum How {
    /// With the private key, here.
    Here(Box<PrivateKey>),
    /// Through the ssh-agent.
    Agent,
    /// Through the ssh-agent if it has the key, and otherwise with `ssh-keygen`.
    SecurityKey,
}

impl SigningKey {
    /// Loads a private key, a public key or a certificate. What cannot sign by itself signs through the
    /// ssh-agent at `SSH_AUTH_SOCK`.
    ///
    /// # Errors
    /// When the file cannot be read, holds no key that counts, or is a private key that others may read.
    pub fn load(path: &Path) -> Result<Self, SignerError> {
        Self::load_via(path, Via::from_env())
    }

    /// As [`Self::load`], with what signs other than this process.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_via(path: &Path, via: Via) -> Result<Self, SignerError> {
        let text = read(path)?;
        if text.contains("-----BEGIN ") {
            return Self::private(path, &text, via);
        }
        let unusable = |why: String| SignerError::NotAKey { path: path.to_owned(), why };
        if let Ok(certificate) = Certificate::from_openssh(text.trim()) {
            return Self::certified(path, certificate, via);
        }
        let public = PublicKey::from_openssh(text.trim()).map_err(|_| {
            unusable("it is neither a private nor a public key of OpenSSH".to_owned())
        })?;
        keys::check(public.key_data()).map_err(|fault| unusable(fault.to_string()))?;
        Ok(Self { path: path.to_owned(), public, certificate: None, how: How::Agent, via })
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Its fingerprint, `SHA256:…`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        keys::fingerprint(self.public.key_data())
    }

    /// Whether somebody has to touch something for each signature.
    #[must_use]
    pub fn needs_touch(&self) -> bool {
        keys::is_sk(self.public.key_data())
    }

    /// Signs, and returns the armoured SSHSIG. It may wait for a touch as long as the key does. Dropping
    /// the future ends it.
    ///
    /// # Errors
    /// When no signature that counts was made.
    pub async fn sign(&self, namespace: &str, message: &[u8]) -> Result<String, SignerError> {
        let armored = match &self.how {
            How::Here(key) => self.sign_here(key, namespace, message)?,
            How::Agent => self.sign_by_agent(namespace, message).await?,
            How::SecurityKey => match self.sign_by_agent(namespace, message).await {
                Err(SignerError::NoAgent { .. } | SignerError::NotInAgent { .. }) => {
                    child::sign(&self.path, self.via.provider.as_deref(), namespace, message)
                        .await
                        .map_err(|why| SignerError::Keygen { path: self.path.clone(), why })?
                }
                other => other?,
            },
        };
        self.check(&armored, namespace, message)?;
        Ok(armored)
    }

    fn sign_here(
        &self,
        key: &PrivateKey,
        namespace: &str,
        message: &[u8],
    ) -> Result<String, SignerError> {
        let data = self.signed_data(namespace, message)?;
        let signature = key.try_sign(&data).map_err(|error| self.unusable(&error.to_string()))?;
        let signature =
            signature.encode_vec().map_err(|_| self.unusable("it cannot be written"))?;
        self.envelope(namespace, signature)
    }

    async fn sign_by_agent(&self, namespace: &str, message: &[u8]) -> Result<String, SignerError> {
        let path = self.path.clone();
        let add = private_of(&self.path);
        let no_agent =
            |why: String| SignerError::NoAgent { path: path.clone(), why, add: add.clone() };
        let Some(socket) = &self.via.agent else {
            return Err(no_agent("SSH_AUTH_SOCK is not set".to_owned()));
        };
        let data = self.signed_data(namespace, message)?;
        let mut agent = Agent::connect(socket)
            .await
            .map_err(|error| no_agent(format!("{}: {error}", socket.display())))?;
        match agent.sign(&self.public, data).await {
            Ok(signature) => self.envelope(namespace, signature),
            Err(AgentError::NotThere) => Err(SignerError::NotInAgent { path, add }),
            Err(AgentError::Refused) => Err(SignerError::Refused {
                path,
                why: if self.needs_touch() {
                    "the touch was refused or timed out, or the security key is not plugged in; \
                     try again, and touch it when it blinks"
                } else {
                    "it was not confirmed; try again"
                },
            }),
            Err(AgentError::Lost(why)) => Err(no_agent(why)),
        }
    }

    fn signed_data(&self, namespace: &str, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        SshSig::signed_data(namespace, HashAlg::Sha512, message)
            .map_err(|error| self.unusable(&error.to_string()))
    }

    fn envelope(&self, namespace: &str, signature: Vec<u8>) -> Result<String, SignerError> {
        let key = match &self.certificate {
            Some(certificate) => certificate.to_bytes().ok(),
            None => self.public.to_bytes().ok(),
        };
        let envelope = key.map(|key| Envelope {
            key,
            namespace: namespace.to_owned(),
            hash: HashAlg::Sha512.as_str().to_owned(),
            signature,
        });
        let armored = envelope.and_then(|envelope| envelope.armored());
        armored.ok_or_else(|| self.unusable("it cannot be written"))
    }

    /// What an agent or a program gives back is checked before anybody relies on it.
    fn check(&self, armored: &str, namespace: &str, message: &[u8]) -> Result<(), SignerError> {
        let verified = Signed::parse(armored)
            .and_then(|signed| signed.verify(namespace, message))
            .map_err(|fault| self.unusable(&fault.to_string()))?;
        if verified.key().public() != self.public.key_data() {
            return Err(self.unusable("it was made with another key"));
        }
        if verified.presence().is_some_and(|presence| !presence.touched) {
            return Err(self.unusable(
                "nobody touched the security key; make one without -O no-touch-required",
            ));
        }
        Ok(())
    }

    fn unusable(&self, why: &str) -> SignerError {
        SignerError::Unusable { path: self.path.clone(), why: why.to_owned() }
    }

    fn private(path: &Path, text: &str, via: Via) -> Result<Self, SignerError> {
        let unusable = |why: String| SignerError::NotAKey { path: path.to_owned(), why };
        let mode = fs::metadata(path)
            .map_err(|source| SignerError::Read { path: path.to_owned(), source })?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            return Err(SignerError::Exposed { path: path.to_owned() });
        }
        let key = PrivateKey::from_openssh(text).map_err(|error| {
            unusable(format!(
                "it is no private key in OpenSSH's format ({error}); an old one is converted by: \
                 ssh-keygen -p -f {}",
                path.display()
            ))
        })?;
        let public = key.public_key().clone();
        keys::check(public.key_data()).map_err(|fault| unusable(fault.to_string()))?;
        let how = match (key.is_encrypted(), keys::is_sk(public.key_data())) {
            (false, false) => How::Here(Box::new(key)),
            (false, true) => How::SecurityKey,
            (true, _) => How::Agent,
        };
        Ok(Self { path: path.to_owned(), public, certificate: None, how, via })
    }

    /// A certificate signs with the private key beside it, and otherwise through the ssh-agent.
    fn certified(path: &Path, certificate: Certificate, via: Via) -> Result<Self, SignerError> {
        let unusable = |why: String| SignerError::NotAKey { path: path.to_owned(), why };
        let bytes = certificate.to_bytes().map_err(|error| unusable(error.to_string()))?;
        let certificate =
            keys::certificate(&bytes).map_err(|fault: KeyFault| unusable(fault.to_string()))?;
        let public = PublicKey::new(certificate.public_key().clone(), certificate.comment());
        let beside = private_of(path);
        let how = if beside != path && beside.exists() {
            let key = Self::private(&beside, &read(&beside)?, via.clone())?;
            if key.public.key_data() != public.key_data() {
                return Err(unusable(format!(
                    "{} is not the private key of this certificate",
                    beside.display()
                )));
            }
            key.how
        } else {
            How::Agent
        };
        let certificate = Some(Box::new(certificate));
        Ok(Self { path: path.to_owned(), public, certificate, how, via })
    }
}

/// The private key that belongs to a file by its name.
fn private_of(path: &Path) -> PathBuf {
    let text = path.to_str().unwrap_or_default();
    let stem = text.strip_suffix("-cert.pub").or_else(|| text.strip_suffix(".pub"));
    stem.filter(|stem| !stem.is_empty()).map_or_else(|| path.to_owned(), PathBuf::from)
}

fn read(path: &Path) -> Result<String, SignerError> {
    let failed = |source| SignerError::Read { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(failed)?;
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}
