//! A session: one SSH connection of an agent through the gate.

use serde::{Deserialize, Serialize};

use crate::ids::SessionId;
use crate::uplink::Isolation;

/// What the gate knows of a connection when it opens a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionInfo {
    /// The agent's name: the principal of its key, or what `wrap --agent` said.
    pub agent: String,
    /// The person who answers for the agent; this person's decisions are refused.
    pub owner: Option<String>,
    /// The target as the agent named it (an alias, `web-1`).
    pub target: String,
    /// The host the gate connects to.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The user on the target.
    pub user: String,
    /// Why the agent works there, as `wrap --reason` said.
    pub reason: Option<String>,
    /// The wrapped program and its arguments.
    pub program: Vec<String>,
    /// The SSH client's identification string, or its address in a team's deployment.
    pub client: Option<String>,
    /// How the target's host key was checked, for the reviewer: `known_hosts`, `accept-new`,
    /// `not checked (StrictHostKeyChecking=no)`.
    pub host_key: Option<String>,
    /// The fingerprint of the target's host key, `SHA256:…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_key_sha256: Option<String>,
    /// What keeps the program from going round the gate; none in a team's deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
    /// What the wrapped program may use beside: `docker`, `gpg`, paths.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<String>,
}

impl SessionInfo {
    /// What a reviewer has to know of the wrap (`not isolated`, `with docker, gpg`), most important
    /// first; nothing where no program can go round the gate. What follows `with` comes from a command
    /// line: make it visible before it is shown.
    pub fn cautions(&self) -> Vec<String> {
        let bare = self.isolation == Some(Isolation::PathOnly);
        let bare = bare.then(|| "not isolated".to_owned());
        let with = (!self.with.is_empty()).then(|| format!("with {}", self.with.join(", ")));
        bare.into_iter().chain(with).collect()
    }

    /// The same in one piece of text.
    pub fn caution(&self) -> Option<String> {
        let cautions = self.cautions();
        (!cautions.is_empty()).then(|| cautions.join(", "))
    }
}

/// A session as the broker shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// The session's id.
    pub id: SessionId,
    /// What the gate said of it.
    #[serde(flatten)]
    pub info: SessionInfo,
    /// Opened at, in seconds since the Unix epoch.
    pub opened_at: i64,
    /// Closed at, in seconds since the Unix epoch; null while it is open.
    pub closed_at: Option<i64>,
    /// How many items were submitted in it.
    pub commands: u64,
    /// How many wait for a decision now.
    pub pending: u64,
    /// How many were denied, timed out or withdrawn.
    pub denied: u64,
    /// The text of the last command, made visible.
    pub last_command: Option<String>,
    /// Whether a recording exists.
    pub recorded: bool,
    /// Why the recording stopped, when it did; from then on every command is denied.
    pub recording_error: Option<String>,
    /// Paused by a reviewer: new commands are held even when a rule would allow them.
    #[serde(default)]
    pub paused: bool,
}

/// A pseudo-terminal as the agent's client asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pty {
    /// `TERM`.
    pub term: String,
    /// Width in columns.
    pub cols: u32,
    /// Height in rows.
    pub rows: u32,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reviewer_has_to_know() {
        let caution = |isolation, with: &[&str]| {
            let with = with.iter().map(|w| (*w).to_owned()).collect();
            SessionInfo { isolation, with, ..SessionInfo::default() }.caution()
        };
        for quiet in [None, Some(Isolation::Client), Some(Isolation::Namespace)] {
            assert_eq!(caution(quiet, &[]), None);
            assert_eq!(caution(quiet, &["docker", "gpg"]).unwrap(), "with docker, gpg");
        }
        let bare = Some(Isolation::PathOnly);
        assert_eq!(caution(bare, &[]).unwrap(), "not isolated");
        assert_eq!(caution(bare, &["docker"]).unwrap(), "not isolated, with docker");
    }

    #[test]
    fn the_name_of_an_isolation_is_its_name_on_the_wire() {
        for isolation in [Isolation::Client, Isolation::Namespace, Isolation::PathOnly] {
            let wire = serde_json::to_value(isolation).unwrap();
            assert_eq!(wire.as_str(), Some(isolation.as_str()));
        }
    }
}
