//! Team mode: identifies an agent by its public key or certificate, and finds the target it asks
//! for. The broker answers both questions; when it cannot be asked, nobody gets in.

use std::net::SocketAddr;
use std::sync::Arc;

use expacti_protocol::http::{AgentKeyQuery, PrincipalView, Target as TargetRecord};
use expacti_protocol::principal::Role;
use expacti_protocol::session::SessionInfo;
use russh::keys::{Certificate, PublicKey};
use tokio_util::sync::CancellationToken;

use super::user_certs::{self, Terms};
use crate::client::connection::Connection;
use crate::shared::Shared;
use crate::upstream::route::{HostKeys, Login, Target};

/// Keys one client may ask about before it is ignored.
const MAX_KEYS: usize = 16;

/// What is known so far of one client that logs in.
#[derive(Default)]
pub(crate) struct Team {
    asked: Vec<(String, Option<AgentIdentity>)>,
    /// The agents that log in with certificates, once the broker was asked.
    certified: Option<Vec<PrincipalView>>,
}

/// An agent that the broker knows.
#[derive(Clone)]
pub(crate) struct AgentIdentity {
    pub(crate) principal: PrincipalView,
    /// What its certificate permits.
    pub(crate) terms: Terms,
    proof: Proof,
}

/// How an agent has proved its identity.
#[derive(Clone)]
enum Proof {
    Key(String),
    Certificate { certificate: Arc<Certificate>, peer: Option<SocketAddr> },
}

/// An agent that has proved its identity, and the target it wants. Nothing is open for it yet.
pub(crate) struct Admitted {
    pub(crate) identity: AgentIdentity,
    pub(crate) wanted: Wanted,
}

/// The target that a user name asks for.
pub(crate) enum Wanted {
    /// The target it names.
    Named(Box<Target>),
    /// It names none: the default target, if the client opens a session at all. A client that only
    /// jumps to another target through this connection (`ssh -J`) does not need it.
    Default(Box<Target>),
    /// No target; sessions are told why.
    Nothing(String),
}

impl Team {
    /// The agent with that key.
    pub(crate) async fn identify(
        &mut self,
        shared: &Shared,
        key: &PublicKey,
    ) -> Option<AgentIdentity> {
        let public_key = bare(key)?;
        if let Some((_, agent)) = self.asked.iter().find(|(k, _)| *k == public_key) {
            return agent.clone();
        }
        if self.asked.len() >= MAX_KEYS {
            return None;
        }
        let agent = agent_of_key(shared, &public_key).await;
        self.asked.push((public_key, agent.clone()));
        agent
    }

    /// Whether any agent logs in with a certificate. russh does not say whether an offered key
    /// comes with one.
    pub(crate) async fn expects_certificates(&mut self, shared: &Shared) -> bool {
        match &mut self.certified {
            Some(certified) => !certified.is_empty(),
            unasked => !unasked.insert(certified(shared).await.unwrap_or_default()).is_empty(),
        }
    }
}

impl Admitted {
    /// The agent, and the target that the user name means.
    pub(crate) async fn new(shared: &Shared, user: &str, identity: AgentIdentity) -> Option<Self> {
        let wanted = wanted(shared, user).await?;
        Some(Self { identity, wanted })
    }
}

/// The agent that the certificate belongs to. Its signature was verified before, and that the
/// client holds its key.
pub(crate) async fn agent_of_certificate(
    shared: &Shared,
    certificate: &Arc<Certificate>,
    peer: Option<SocketAddr>,
) -> Option<AgentIdentity> {
    let certified = certified(shared).await?;
    match user_certs::judge(certificate, &certified, peer) {
        Ok((principal, terms)) => Some(AgentIdentity {
            principal: principal.clone(),
            terms,
            proof: Proof::Certificate { certificate: Arc::clone(certificate), peer },
        }),
        Err(why) => {
            let id = user_certs::name(certificate);
            tracing::warn!(certificate = %id, %why, "an agent's certificate was refused");
            None
        }
    }
}

async fn certified(shared: &Shared) -> Option<Vec<PrincipalView>> {
    match shared.client.get("/v1/gate/authorities").await {
        Ok(certified) => Some(certified),
        Err(error) => {
            tracing::warn!(%error, "the agents' authorities cannot be read");
            None
        }
    }
}

impl AgentIdentity {
    /// Whether the broker still knows it, a while later.
    pub(crate) async fn still_known(&self, shared: &Shared) -> bool {
        let known = match &self.proof {
            Proof::Key(key) => agent_of_key(shared, key).await,
            Proof::Certificate { certificate, peer } => {
                agent_of_certificate(shared, certificate, *peer).await
            }
        };
        known.is_some_and(|now| now.principal.name == self.principal.name)
    }

    /// How it proved its identity, where a reviewer should know.
    fn shown(&self) -> String {
        match &self.proof {
            Proof::Key(_) => String::new(),
            Proof::Certificate { certificate, .. } => {
                format!(" certificate {}", user_certs::name(certificate))
            }
        }
    }
}

/// A public key without its comment.
fn bare(key: &PublicKey) -> Option<String> {
    let mut bare = key.clone();
    bare.set_comment("");
    Some(bare.to_openssh().ok()?.trim_end().to_owned())
}

async fn agent_of_key(shared: &Shared, public_key: &str) -> Option<AgentIdentity> {
    let query = AgentKeyQuery { public_key: public_key.to_owned() };
    let principal: PrincipalView = match shared.client.post("/v1/gate/agent-key", &query).await {
        Ok(principal) => principal,
        Err(error) => {
            tracing::info!(%error, "an agent's key was refused");
            return None;
        }
    };
    if principal.role != Role::Agent {
        tracing::warn!(principal = %principal.name, "a key that is not an agent's was refused");
        return None;
    }
    let proof = Proof::Key(public_key.to_owned());
    Some(AgentIdentity { principal, terms: Terms::default(), proof })
}

/// The targets that the broker knows.
pub(crate) async fn targets(shared: &Shared) -> Option<Vec<TargetRecord>> {
    match shared.client.get("/v1/targets").await {
        Ok(targets) => Some(targets),
        Err(error) => {
            tracing::warn!(%error, "the targets cannot be read");
            None
        }
    }
}

async fn wanted(shared: &Shared, user: &str) -> Option<Wanted> {
    let targets = targets(shared).await?;
    let Some((login, name, named)) = choose(user, &targets, shared.default_target.as_deref())
    else {
        return Some(Wanted::Nothing(
            "no target was named: use ssh USER%TARGET@GATE or ssh -J GATE USER@TARGET".to_owned(),
        ));
    };
    let found = targets.iter().find(|t| t.name == name).cloned();
    let target = match found {
        Some(record) => resolve(shared, record, login),
        None => Err(unknown(name)),
    };
    Some(match target {
        Ok(target) if named => Wanted::Named(Box::new(target)),
        Ok(target) => Wanted::Default(Box::new(target)),
        Err(why) => Wanted::Nothing(why),
    })
}

/// The message about a name that is not a target.
pub(crate) fn unknown(name: &str) -> String {
    let name: String = expacti_protocol::one_line(name).chars().take(64).collect();
    format!("there is no target {name:?}; an administrator adds one with: expacti target add")
}

/// `user%target`, `target`, or the default target for any other user name: the login, the target,
/// and whether it was named.
fn choose<'a>(
    user: &'a str,
    targets: &[TargetRecord],
    default: Option<&'a str>,
) -> Option<(Option<&'a str>, &'a str, bool)> {
    if let Some((login, name)) = user.rsplit_once('%') {
        return Some((Some(login).filter(|l| !l.is_empty()), name, true));
    }
    if targets.iter().any(|t| t.name == user) {
        return Some((None, user, true));
    }
    default.map(|name| (Some(user), name, false))
}

/// How to reach a target as that user.
pub(crate) fn resolve(
    shared: &Shared,
    record: TargetRecord,
    login: Option<&str>,
) -> Result<Target, String> {
    let pinned: Vec<PublicKey> =
        record.host_keys.iter().filter_map(|k| PublicKey::from_openssh(k.trim()).ok()).collect();
    if pinned.is_empty() {
        tracing::warn!(target = %record.name, "no usable host key is pinned: refused");
        return Err(format!("no usable host key is pinned for the target {:?}", record.name));
    }
    let user = login.unwrap_or(&record.user).to_owned();
    // The agent may have chosen it, and it is the only thing of the agent's that the target sees
    // before anything is approved: it must be a plain name.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-@".contains(&b);
    if user.is_empty() || user.len() > 64 || user.starts_with('-') || !user.bytes().all(plain) {
        return Err("the user name is refused: letters, digits, '.', '_', '-', '@'".to_owned());
    }
    if !may_log_in(&record, &user) {
        return Err(format!(
            "agents may not log in as {user:?} on the target {:?}, only as: {}",
            record.name,
            expacti_protocol::one_line(&record.logins.join(", "))
        ));
    }
    Ok(Target {
        alias: record.name,
        host: record.host,
        port: record.port,
        user,
        host_keys: HostKeys::Pinned(pinned),
        login: Login::Own(shared.identities.clone()),
        keyring: Arc::clone(&shared.keyring),
        transport: None,
        connect_timeout: shared.limits.connect,
        login_timeout: shared.limits.target_login,
        address_family: None,
        keepalive: None,
    })
}

/// Whether agents may be that user on a target: the target's list says so, where it has one.
fn may_log_in(record: &TargetRecord, user: &str) -> bool {
    record.logins.is_empty() || record.logins.iter().any(|login| login == user)
}

/// Starts the connection of a logged-in agent to its target.
pub(crate) fn connect(
    shared: Arc<Shared>,
    cancel: CancellationToken,
    identity: &AgentIdentity,
    target: Target,
    peer: Option<SocketAddr>,
    client: &str,
) -> Arc<Connection> {
    let client = expacti_protocol::one_line(client);
    let client = peer.map_or(client.clone(), |peer| format!("{peer} {client}"));
    let client = format!("{client}{}", identity.shown());
    let info = SessionInfo {
        agent: identity.principal.name.clone(),
        owner: identity.principal.owner.clone(),
        target: target.alias.clone(),
        host: target.host.clone(),
        port: target.port,
        user: target.user.clone(),
        client: Some(client),
        ..SessionInfo::default()
    };
    Connection::new(shared, cancel, target, info, (false, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_choose_targets() {
        let record = TargetRecord {
            name: "web-1".to_owned(),
            user: "deploy".to_owned(),
            host: "10.0.0.1".to_owned(),
            port: 22,
            host_keys: Vec::new(),
            tags: Vec::new(),
            logins: Vec::new(),
        };
        let listed = TargetRecord { logins: vec!["root".to_owned()], ..record.clone() };
        assert!(may_log_in(&record, "anybody") && may_log_in(&listed, "root"));
        for other in ["deploy", "Root", "root ", "", "roo"] {
            assert!(!may_log_in(&listed, other), "{other:?}");
        }
        let targets = [record];
        assert_eq!(choose("bob%web-1", &targets, None), Some((Some("bob"), "web-1", true)));
        assert_eq!(choose("%web-1", &targets, None), Some((None, "web-1", true)));
        assert_eq!(choose("web-1", &targets, Some("db")), Some((None, "web-1", true)));
        assert_eq!(choose("bob", &targets, Some("db")), Some((Some("bob"), "db", false)));
        assert_eq!(choose("bob", &targets, None), None);
    }
}
