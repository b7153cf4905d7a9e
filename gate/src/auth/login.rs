//! How a client logs in: which proofs count, and for what. It opens nothing, and must never accept
//! a proof it does not know.

use std::net::SocketAddr;
use std::sync::Arc;

use expacti_protocol::http::Target as TargetRecord;
use russh::keys::{Certificate, PublicKey};

use super::agents::{Admitted, AgentIdentity, Team, Wanted, agent_of_certificate, resolve};
use crate::client::connection::Connection;
use crate::shared::Shared;

/// How clients of a connection log in.
pub(crate) enum Authenticator {
    /// Over the Unix socket: the kernel has identified the peer, and its target is known.
    Local(Arc<Connection>),
    /// Over TCP: by a public key or an authority that the broker knows.
    Team(Box<Team>),
    /// Inside the connection of an agent that has logged in (`ssh -J`), to a known target.
    Jumped(Box<Jumped>),
    /// Inside such a connection, to an unknown target: the banner says so, and nobody gets in.
    Closed(String),
}

/// See [`Authenticator::Jumped`].
pub(crate) struct Jumped {
    pub(crate) identity: AgentIdentity,
    pub(crate) record: TargetRecord,
    /// Further proofs that the client offers must be the same agent's.
    pub(crate) team: Team,
}

/// A client that was let in.
pub(crate) enum Admission {
    Local(Arc<Connection>),
    Agent(Box<Admitted>),
}

impl Authenticator {
    /// Without a proof.
    pub(crate) fn none(&self, shared: &Shared, user: &str) -> Option<Admission> {
        match self {
            Self::Local(connection) => Some(Admission::Local(Arc::clone(connection))),
            // The outer connection has proved its identity.
            Self::Jumped(jumped) => Some(jumped.admit(shared, user)),
            Self::Team(_) | Self::Closed(_) => None,
        }
    }

    /// Whether a signature by that key would help.
    pub(crate) async fn offered(&mut self, shared: &Shared, key: &PublicKey) -> bool {
        match self {
            Self::Team(team) => {
                team.identify(shared, key).await.is_some()
                    || team.expects_certificates(shared).await
            }
            Self::Jumped(jumped) => {
                jumped.is_the_agents(shared, key).await
                    || jumped.team.expects_certificates(shared).await
            }
            Self::Local(_) | Self::Closed(_) => false,
        }
    }

    /// With a certificate that is genuine and valid now, and whose key the client holds.
    pub(crate) async fn certificate(
        &mut self,
        shared: &Shared,
        user: &str,
        certificate: &Certificate,
        peer: Option<SocketAddr>,
    ) -> Option<Admission> {
        let certificate = Arc::new(certificate.clone());
        match self {
            Self::Team(_) => {
                let identity = agent_of_certificate(shared, &certificate, peer).await?;
                Some(Admission::Agent(Box::new(Admitted::new(shared, user, identity).await?)))
            }
            Self::Jumped(jumped) => {
                let agent = agent_of_certificate(shared, &certificate, peer).await?;
                jumped.is(&agent).then(|| jumped.admit(shared, user))
            }
            Self::Local(_) | Self::Closed(_) => None,
        }
    }

    /// With a key that the client has proved to hold.
    pub(crate) async fn key(
        &mut self,
        shared: &Shared,
        user: &str,
        key: &PublicKey,
    ) -> Option<Admission> {
        match self {
            Self::Team(team) => {
                let identity = team.identify(shared, key).await?;
                Some(Admission::Agent(Box::new(Admitted::new(shared, user, identity).await?)))
            }
            Self::Jumped(jumped) => {
                let known = jumped.is_the_agents(shared, key).await;
                known.then(|| jumped.admit(shared, user))
            }
            Self::Local(_) | Self::Closed(_) => None,
        }
    }

    /// What the client reads before it logs in.
    pub(crate) fn banner(&self) -> Option<String> {
        match self {
            Self::Closed(why) => Some(format!("expacti: {why}\r\n")),
            Self::Local(_) | Self::Team(_) | Self::Jumped(_) => None,
        }
    }

    /// Whether other targets may be reached through this connection.
    pub(crate) fn may_jump(&self) -> bool {
        matches!(self, Self::Team(_))
    }
}

impl Jumped {
    async fn is_the_agents(&mut self, shared: &Shared, key: &PublicKey) -> bool {
        let agent = self.team.identify(shared, key).await;
        agent.is_some_and(|agent| self.is(&agent))
    }

    fn is(&self, agent: &AgentIdentity) -> bool {
        agent.principal.name == self.identity.principal.name
    }

    fn admit(&self, shared: &Shared, user: &str) -> Admission {
        let wanted = match resolve(shared, self.record.clone(), Some(user)) {
            Ok(target) => Wanted::Named(Box::new(target)),
            Err(why) => Wanted::Nothing(why),
        };
        Admission::Agent(Box::new(Admitted { identity: self.identity.clone(), wanted }))
    }
}
