//! Logs in to a target as `ssh` would for the user: agent keys, identity files, certificates. It
//! must never use anything the agent sent, nor a private key itself: the holder of keys and the user's
//! ssh-agent sign.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::MethodKind;
use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey};
use tokio::net::UnixStream;

use super::route::{ConnectError, Login, Target};
use crate::boundary::TargetHandler;
use crate::keyring::{KeyFile, Keyring};

type Agent = AgentClient<UnixStream>;

/// The state of the login attempts so far.
struct Attempt<'a> {
    handle: &'a mut Handle<TargetHandler>,
    user: &'a str,
    methods: Vec<MethodKind>,
    tried: usize,
    /// What was tried last: a fingerprint, or a whole certificate.
    last: String,
    notes: Vec<String>,
}

fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

fn broken(error: &russh::Error) -> ConnectError {
    ConnectError(format!("the login on the target failed: {error}"))
}

/// Logs in, and says with which key or certificate; or says why not and what would help.
pub(super) async fn login(
    handle: &mut Handle<TargetHandler>,
    target: &Target,
) -> Result<String, ConnectError> {
    let mut attempt = Attempt {
        handle,
        user: &target.user,
        methods: vec![MethodKind::PublicKey],
        tried: 0,
        last: String::new(),
        notes: Vec::new(),
    };
    let done = match &target.login {
        Login::Own(files) => own(&mut attempt, &target.keyring, files).await?,
        Login::User { identity_files, certificate_files, identities_only, agent } => {
            let certificates = certificates(identity_files, certificate_files);
            let (mut held, files) =
                identities(&target.keyring, identity_files, &mut attempt.notes).await;
            let agent = connect_agent(agent.as_deref(), &mut attempt.notes).await;
            let keys = Keys { files: &files, held: &mut held, agent };
            user(&mut attempt, keys, &certificates, *identities_only).await?
        }
    };
    if done || attempt.none().await? {
        return Ok(attempt.last);
    }
    Err(attempt.explain(target))
}

impl Attempt<'_> {
    fn settle(&mut self, result: AuthResult) -> bool {
        match result {
            AuthResult::Success => true,
            AuthResult::Failure { remaining_methods, partial_success } => {
                self.methods = remaining_methods.iter().copied().collect();
                if partial_success {
                    self.notes.push("the key was accepted, but the target wants more".to_owned());
                }
                false
            }
        }
    }

    fn over(&self) -> bool {
        self.handle.is_closed() || !self.methods.contains(&MethodKind::PublicKey)
    }

    async fn rsa_hash(&self, algorithm: &Algorithm) -> Option<HashAlg> {
        if !matches!(algorithm, Algorithm::Rsa { .. }) {
            return None;
        }
        match self.handle.best_supported_rsa_hash().await {
            Ok(Some(Some(hash))) => Some(hash),
            // Without server-sig-algs, SHA-512 is tried; SHA-1 never is.
            _ => Some(HashAlg::Sha512),
        }
    }

    async fn agent(
        &mut self,
        agent: &mut Agent,
        identity: &AgentIdentity,
        certificate: Option<&Certificate>,
    ) -> Result<bool, ConnectError> {
        self.tried += 1;
        let hash = self.rsa_hash(&identity.public_key().algorithm()).await;
        self.last = match (identity, certificate) {
            (AgentIdentity::Certificate { certificate, .. }, _) | (_, Some(certificate)) => {
                certificate.to_openssh().unwrap_or_default()
            }
            (AgentIdentity::PublicKey { key, .. }, None) => fingerprint(key),
        };
        let result = match (identity, certificate) {
            (AgentIdentity::Certificate { certificate, .. }, _) | (_, Some(certificate)) => {
                let certificate = certificate.clone();
                self.handle.authenticate_certificate_with(self.user, certificate, hash, agent).await
            }
            (AgentIdentity::PublicKey { key, .. }, None) => {
                self.handle.authenticate_publickey_with(self.user, key.clone(), hash, agent).await
            }
        };
        match result {
            Ok(result) => Ok(self.settle(result)),
            Err(error) => {
                self.notes.push(format!("the agent did not sign: {error}"));
                Ok(false)
            }
        }
    }

    async fn none(&mut self) -> Result<bool, ConnectError> {
        if self.handle.is_closed() {
            return Ok(false);
        }
        self.last = "none".to_owned();
        let result = self.handle.authenticate_none(self.user).await;
        Ok(self.settle(result.map_err(|e| broken(&e))?))
    }

    fn explain(&self, target: &Target) -> ConnectError {
        let names: Vec<&str> = self.methods.iter().map(Into::into).collect();
        let mut text = format!("{}@{}: Permission denied", target.user, target.display());
        if !names.is_empty() {
            text.push_str(&format!(" ({})", names.join(",")));
        }
        if self.tried == 0 && self.notes.is_empty() {
            text.push_str("; no key was found to log in with: check IdentityFile and ssh-agent");
        }
        if !self.methods.contains(&MethodKind::PublicKey)
            && self
                .methods
                .iter()
                .any(|m| matches!(m, MethodKind::Password | MethodKind::KeyboardInteractive))
        {
            text.push_str("; the gate logs in with keys only: install one with ssh-copy-id");
        }
        for note in &self.notes {
            text.push_str("; ");
            text.push_str(note);
        }
        ConnectError(text)
    }
}

async fn own(
    attempt: &mut Attempt<'_>,
    keyring: &Arc<Keyring>,
    files: &[PathBuf],
) -> Result<bool, ConnectError> {
    if files.is_empty() {
        attempt.notes.push("the gate has no key of its own: start it with --identity".to_owned());
        return Ok(false);
    }
    let (mut held, found) = match keyring.open(files.to_vec(), true).await {
        Ok(opened) => opened,
        Err(why) => {
            attempt.notes.push(why);
            return Ok(false);
        }
    };
    for file in found {
        if attempt.over() {
            break;
        }
        match file {
            KeyFile::Key(key) => {
                if attempt.agent(&mut held, &identity(key), None).await? {
                    return Ok(true);
                }
            }
            other => attempt.notes.extend(other.unusable()),
        }
    }
    Ok(false)
}

/// A key as agents name it.
fn identity(key: PublicKey) -> AgentIdentity {
    AgentIdentity::PublicKey { key, comment: String::new() }
}

/// One `IdentityFile`.
struct Identity {
    path: PathBuf,
    public: Option<PublicKey>,
    /// Whether the holder of keys signs with it; why not otherwise.
    signs: Result<(), String>,
}

/// The identity files, and who signs with them.
async fn identities(
    keyring: &Arc<Keyring>,
    files: &[PathBuf],
    notes: &mut Vec<String>,
) -> (Option<Agent>, Vec<Identity>) {
    if files.is_empty() {
        return (None, Vec::new());
    }
    let (held, found) = match keyring.open(files.to_vec(), false).await {
        Ok((held, found)) => (held, found),
        Err(why) => {
            notes.push(why);
            return (None, Vec::new());
        }
    };
    let identities = files.iter().zip(found).map(|(path, found)| {
        let (public, signs) = match found {
            KeyFile::Key(key) => (Some(key), Ok(())),
            KeyFile::Encrypted => {
                let path = path.display();
                let why = format!("{path} is encrypted and not in the agent: run ssh-add {path}");
                (None, Err(why))
            }
            KeyFile::Unusable(why) => {
                (None, Err(format!("{} cannot be used: {why}", path.display())))
            }
        };
        Identity { path: path.clone(), public: public.or_else(|| read_public(path)), signs }
    });
    (Some(held), identities.collect())
}

/// The public half next to a private key, or the file itself if it is a public key, which is how
/// `IdentityFile` selects one of the agent's keys.
fn read_public(path: &Path) -> Option<PublicKey> {
    let beside = with_suffix(path, ".pub");
    [beside.as_path(), path].iter().find_map(|p| {
        let text = std::fs::read_to_string(p).ok()?;
        PublicKey::from_openssh(text.trim()).ok()
    })
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn certificates(identity_files: &[PathBuf], certificate_files: &[PathBuf]) -> Vec<Certificate> {
    let beside = identity_files.iter().map(|p| with_suffix(p, "-cert.pub"));
    certificate_files
        .iter()
        .cloned()
        .chain(beside)
        .filter_map(|p| {
            let text = std::fs::read_to_string(p).ok()?;
            Certificate::from_openssh(text.trim()).ok()
        })
        .collect()
}

async fn connect_agent(socket: Option<&Path>, notes: &mut Vec<String>) -> Option<Agent> {
    let socket = socket?;
    match AgentClient::connect_uds(socket).await {
        Ok(agent) => Some(agent),
        Err(error) => {
            let what = "the ssh-agent cannot be reached";
            notes.push(format!("{what} at {}: {error}", socket.display()));
            None
        }
    }
}

/// What a user may log in with.
struct Keys<'a> {
    files: &'a [Identity],
    /// Who signs with those.
    held: &'a mut Option<Agent>,
    /// The user's own ssh-agent.
    agent: Option<Agent>,
}

/// In the order of `ssh`: identity files whose key is in the agent, the agent's other keys (unless
/// `IdentitiesOnly`), the remaining identity files.
async fn user(
    attempt: &mut Attempt<'_>,
    keys: Keys<'_>,
    certificates: &[Certificate],
    identities_only: bool,
) -> Result<bool, ConnectError> {
    let Keys { files, held, mut agent } = keys;
    let mut in_agent: Vec<AgentIdentity> = match &mut agent {
        Some(agent) => agent.request_identities().await.unwrap_or_else(|error| {
            attempt.notes.push(format!("the ssh-agent does not list its keys: {error}"));
            Vec::new()
        }),
        None => Vec::new(),
    };
    let position = |identity: &AgentIdentity| {
        let key = identity.public_key();
        files
            .iter()
            .position(|f| f.public.as_ref().is_some_and(|p| p.key_data() == key.key_data()))
            .unwrap_or(usize::MAX)
    };
    in_agent.retain(|identity| !identities_only || position(identity) != usize::MAX);
    in_agent.sort_by_key(position);

    let mut done = HashSet::new();
    if let Some(agent) = &mut agent {
        for identity in &in_agent {
            let key = identity.public_key().into_owned();
            let own = certificates.iter().find(|c| c.public_key() == key.key_data());
            if let Some(certificate) = own
                && !attempt.over()
                && attempt.agent(agent, identity, Some(certificate)).await?
            {
                return Ok(true);
            }
            if !attempt.over() && attempt.agent(agent, identity, None).await? {
                return Ok(true);
            }
            done.insert(key.fingerprint(HashAlg::Sha256).to_string());
        }
    }
    for file in files {
        let known = file.public.as_ref().map(|p| p.fingerprint(HashAlg::Sha256).to_string());
        if known.is_some_and(|k| done.contains(&k)) {
            continue;
        }
        match (&file.signs, &file.public, held.as_mut()) {
            (Ok(()), Some(public), Some(held)) => {
                let key = identity(public.clone());
                let own = certificates.iter().find(|c| c.public_key() == public.key_data());
                if let Some(certificate) = own
                    && !attempt.over()
                    && attempt.agent(held, &key, Some(certificate)).await?
                {
                    return Ok(true);
                }
                if !attempt.over() && attempt.agent(held, &key, None).await? {
                    return Ok(true);
                }
            }
            (Ok(()), ..) => {}
            (Err(note), ..) => {
                tracing::debug!(path = %file.path.display(), %note, "identity skipped");
                attempt.notes.push(note.clone());
            }
        }
    }
    Ok(false)
}
