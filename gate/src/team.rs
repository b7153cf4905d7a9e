//! Team mode: who an agent is by its public key, and which target it asks for. The broker answers
//! both; a broker that cannot be asked means that nobody gets in.

use std::net::SocketAddr;
use std::sync::Arc;

use expacti_protocol::http::{AgentKeyQuery, PrincipalView, Target as TargetRecord};
use expacti_protocol::principal::Role;
use expacti_protocol::session::SessionInfo;
use russh::keys::PublicKey;
use tokio_util::sync::CancellationToken;

use crate::config::Shared;
use crate::session::Connection;
use crate::upstream::{HostKeys, Login, Target};

/// Keys one client may ask about before it is ignored.
const MAX_KEYS: usize = 16;

/// The login of one client.
#[derive(Default)]
pub(crate) struct Team {
    asked: Vec<(String, String, Option<VerifiedAgent>)>,
}

/// An agent that may use a target. Nothing has been opened for it yet.
#[derive(Clone)]
pub(crate) struct VerifiedAgent {
    principal: PrincipalView,
    target: Target,
}

impl Team {
    /// Whether the broker knows that key as an agent's and the target exists.
    pub(crate) async fn knows(&mut self, shared: &Shared, user: &str, key: &PublicKey) -> bool {
        self.admit(shared, user, key).await.is_some()
    }

    /// The agent with that key, for the target that the user name means.
    pub(crate) async fn admit(
        &mut self,
        shared: &Shared,
        user: &str,
        key: &PublicKey,
    ) -> Option<VerifiedAgent> {
        let mut bare = key.clone();
        bare.set_comment("");
        let public_key = bare.to_openssh().ok()?.trim_end().to_owned();
        if let Some((_, _, agent)) =
            self.asked.iter().find(|(u, k, _)| u == user && *k == public_key)
        {
            return agent.clone();
        }
        if self.asked.len() >= MAX_KEYS {
            return None;
        }
        let agent = ask(shared, user, &public_key).await;
        self.asked.push((user.to_owned(), public_key, agent.clone()));
        agent
    }
}

async fn ask(shared: &Shared, user: &str, public_key: &str) -> Option<VerifiedAgent> {
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
    let targets: Vec<TargetRecord> = match shared.client.get("/v1/targets").await {
        Ok(targets) => targets,
        Err(error) => {
            tracing::warn!(%error, "the targets cannot be read");
            return None;
        }
    };
    let (login, name) = wanted(user, &targets, shared.default_target.as_deref())?;
    let record = targets.into_iter().find(|t| t.name == name)?;
    let target = resolve(shared, record, login)?;
    Some(VerifiedAgent { principal, target })
}

/// `user%target`, `target`, or the default target for any other user name.
fn wanted<'a>(
    user: &'a str,
    targets: &[TargetRecord],
    default: Option<&'a str>,
) -> Option<(Option<&'a str>, &'a str)> {
    if let Some((login, name)) = user.rsplit_once('%') {
        return Some((Some(login).filter(|l| !l.is_empty()), name));
    }
    if targets.iter().any(|t| t.name == user) {
        return Some((None, user));
    }
    default.map(|name| (Some(user), name))
}

fn resolve(shared: &Shared, record: TargetRecord, login: Option<&str>) -> Option<Target> {
    let pinned: Vec<PublicKey> =
        record.host_keys.iter().filter_map(|k| PublicKey::from_openssh(k.trim()).ok()).collect();
    if pinned.is_empty() {
        tracing::warn!(target = %record.name, "no usable host key is pinned: refused");
        return None;
    }
    let user = login.unwrap_or(&record.user).to_owned();
    // The agent may have chosen it, and it is the one thing of its choice that a target hears
    // before anything is approved: a plain name and nothing else.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-@".contains(&b);
    if user.is_empty() || user.len() > 64 || user.starts_with('-') || !user.bytes().all(plain) {
        return None;
    }
    Some(Target {
        alias: record.name,
        host: record.host,
        port: record.port,
        user,
        host_keys: HostKeys::Pinned(pinned),
        login: Login::Own(shared.identities.clone()),
        transport: None,
        connect_timeout: shared.limits.connect,
        login_timeout: shared.limits.target_login,
        address_family: None,
        keepalive: None,
    })
}

impl VerifiedAgent {
    /// Begins the connection of an agent that has logged in.
    pub(crate) fn connect(
        self,
        shared: Arc<Shared>,
        cancel: CancellationToken,
        peer: Option<SocketAddr>,
        client: &str,
    ) -> Arc<Connection> {
        let client = expacti_protocol::one_line(client);
        let client = peer.map_or(client.clone(), |peer| format!("{peer} {client}"));
        let info = SessionInfo {
            agent: self.principal.name,
            owner: self.principal.owner,
            target: self.target.alias.clone(),
            host: self.target.host.clone(),
            port: self.target.port,
            user: self.target.user.clone(),
            reason: None,
            program: Vec::new(),
            client: Some(client),
            host_key: None,
        };
        Connection::new(shared, cancel, self.target, info, false)
    }
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
        };
        let targets = [record];
        assert_eq!(wanted("bob%web-1", &targets, None), Some((Some("bob"), "web-1")));
        assert_eq!(wanted("%web-1", &targets, None), Some((None, "web-1")));
        assert_eq!(wanted("web-1", &targets, Some("db")), Some((None, "web-1")));
        assert_eq!(wanted("bob", &targets, Some("db")), Some((Some("bob"), "db")));
        assert_eq!(wanted("bob", &targets, None), None);
    }
}
