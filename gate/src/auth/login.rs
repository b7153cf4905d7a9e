//! How a client logs in: which proofs count, and for what. It opens nothing, and must never accept
//! a proof it does not know.

use std::net::SocketAddr;
use std::sync::Arc;

use expacti_protocol::http::Target as TargetRecord;
use expacti_protocol::session::SessionInfo;
use russh::keys::{Certificate, PublicKey};
use tokio_util::sync::CancellationToken;

use super::agents::{Admitted, AgentIdentity, Team, Wanted, agent_of_certificate, resolve};
use super::registered::Registered;
use crate::client::connection::Connection;
use crate::shared::Shared;
use crate::upstream::route::Target;

/// How clients of a connection log in.
pub(crate) enum Authenticator {
    /// Over the Unix socket: the kernel has identified the peer, and its target is known.
    Local(Arc<Connection>),
    /// The same for a library, which may know no other way in than a password: any is good, since
    /// it proves nothing. The user that it logs in as is the user on the target.
    Library(Box<Library>),
    /// Over TCP: by a public key or an authority that the broker knows.
    Team(Box<Team>),
    /// Inside the connection of an agent that has logged in (`ssh -J`), to a known target.
    Jumped(Box<Jumped>),
    /// Inside such a connection, to an unknown target: the banner says so, and nobody gets in.
    Closed(String),
}

/// See [`Authenticator::Library`].
pub(crate) struct Library {
    /// Where to, but for the user, and what the reviewer is told; `None` when the broker could not be
    /// asked whose connection this is.
    pub(crate) known: Option<(Target, SessionInfo)>,
    /// The registered target that it is, with the gate of a whole machine.
    pub(crate) registered: Option<Registered>,
    pub(crate) cancel: CancellationToken,
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
    pub(crate) fn none(&self, shared: &Arc<Shared>, user: &str) -> Option<Admission> {
        match self {
            Self::Local(connection) => Some(Admission::Local(Arc::clone(connection))),
            Self::Library(library) => library.admit(shared, user),
            // The outer connection has proved its identity.
            Self::Jumped(jumped) => Some(jumped.admit(shared, user)),
            Self::Team(_) | Self::Closed(_) => None,
        }
    }

    /// With a password, or in a conversation: what was said is not looked at.
    pub(crate) fn unproved(&self, shared: &Arc<Shared>, user: &str) -> Option<Admission> {
        match self {
            Self::Library(library) => library.admit(shared, user),
            Self::Local(_) | Self::Team(_) | Self::Jumped(_) | Self::Closed(_) => None,
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
            Self::Local(_) | Self::Library(_) | Self::Closed(_) => false,
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
            Self::Local(_) | Self::Library(_) | Self::Closed(_) => None,
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
            Self::Local(_) | Self::Library(_) | Self::Closed(_) => None,
        }
    }

    /// What the client reads before it logs in.
    pub(crate) fn banner(&self) -> Option<String> {
        match self {
            Self::Closed(why) => Some(format!("expacti: {why}\r\n")),
            Self::Local(_) | Self::Library(_) | Self::Team(_) | Self::Jumped(_) => None,
        }
    }

    /// Whether other targets may be reached through this connection.
    pub(crate) fn may_jump(&self) -> bool {
        matches!(self, Self::Team(_))
    }
}

impl Library {
    /// The connection to the target begins here, and not earlier: only now the user is known.
    fn admit(&self, shared: &Arc<Shared>, user: &str) -> Option<Admission> {
        if !is_plain_user(user) {
            return None;
        }
        let (shared, cancel) = (Arc::clone(shared), self.cancel.clone());
        Some(Admission::Local(match &self.known {
            Some((target, info)) => {
                let target = match &self.registered {
                    Some(registered) => match registered.target_as(&shared, user) {
                        Ok(target) => target,
                        Err(why) => {
                            tracing::warn!(%why, "a library's login was refused");
                            return None;
                        }
                    },
                    None => Target { user: user.to_owned(), ..target.clone() },
                };
                let info = SessionInfo { user: user.to_owned(), ..info.clone() };
                Connection::new(shared, cancel, target, info, (false, false))
            }
            None => Connection::unknown(shared, cancel),
        }))
    }
}

/// The longest user name, in bytes.
const MAX_USER: usize = 255;

/// Whether this can be the name of a user. The stock client lets more through; here is nothing that a
/// shell, or a reviewer's eye, would read as something else.
fn is_plain_user(user: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "._-+=@\\".contains(c);
    !user.is_empty()
        && user.len() <= MAX_USER
        && !user.starts_with('-')
        && !user.ends_with('\\')
        && user.chars().all(plain)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_one_plain_word() {
        for user in
            ["root", "deploy-1", "j.doe", "DOMAIN\\jdoe", "jdoe@example.com", "müller", "a+b"]
        {
            assert!(is_plain_user(user), "{user}");
        }
        let long = "u".repeat(MAX_USER + 1);
        for user in [
            "",
            "-l",
            "a b",
            "a\nb",
            "a\u{1b}[2J",
            "$(id)",
            "a;b",
            "`id`",
            "a/b",
            "a\u{202e}b",
            "a%b",
            "a\\",
            &long,
        ] {
            assert!(!is_plain_user(user), "{user:?}");
        }
    }
}
