//! Asks an ssh-agent for a signature.

use std::path::Path;

use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::ssh_encoding::Decode as _;
use russh::keys::{Error, HashAlg, PublicKey};
use tokio::net::UnixStream;

/// Why there is no signature.
pub(super) enum AgentError {
    /// The agent does not have the key.
    NotThere,
    /// It has the key.
    Refused,
    /// It does not answer, or nothing that can be read.
    Lost(String),
}

/// A connection to an ssh-agent.
pub(super) struct Agent(AgentClient<UnixStream>);

impl Agent {
    pub(super) async fn connect(socket: &Path) -> Result<Self, std::io::Error> {
        UnixStream::connect(socket).await.map(|stream| Self(AgentClient::connect(stream)))
    }

    /// Signs exactly this, and returns the signature as it stands in an SSHSIG.
    pub(super) async fn sign(
        &mut self,
        key: &PublicKey,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, AgentError> {
        let identity = AgentIdentity::from(key.clone());
        let length = data.len();
        match self.0.sign_request(&identity, Some(HashAlg::Sha512), data).await {
            // The client puts the signature, with its length, behind what was signed.
            Ok(answer) => {
                let mut rest = answer.get(length..).unwrap_or_default();
                Vec::<u8>::decode(&mut rest).map_err(|error| AgentError::Lost(error.to_string()))
            }
            Err(Error::AgentFailure) if self.has(key).await? => Err(AgentError::Refused),
            Err(Error::AgentFailure) => Err(AgentError::NotThere),
            Err(error) => Err(AgentError::Lost(error.to_string())),
        }
    }

    /// Whether the agent lists the key. A locked agent lists none.
    async fn has(&mut self, key: &PublicKey) -> Result<bool, AgentError> {
        let listed = self.0.request_identities().await;
        let listed = listed.map_err(|error| AgentError::Lost(error.to_string()))?;
        Ok(listed.iter().any(|identity| identity.public_key().key_data() == key.key_data()))
    }
}
