//! Where a connection to a target goes, and which keys log in there. It must never depend on the
//! agent's choice, except, with `wrap`, for what the shim read from the user's SSH configuration.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use expacti_protocol::uplink::{HostKeyChecking, TargetRoute};
use russh::keys::PublicKey;

use crate::keyring::Keyring;
use crate::limits::Limits;

/// Why a target cannot be used; the text is for the agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConnectError(pub(crate) String);

/// How the target's host key is checked.
#[derive(Debug, Clone)]
pub(crate) enum HostKeys {
    /// Against known_hosts files, as `ssh` does.
    Files {
        /// The files, in order.
        files: Vec<PathBuf>,
        /// Where an accepted new key goes.
        add: Option<PathBuf>,
        /// What to do with unknown and changed keys.
        checking: HostKeyChecking,
        /// `HostKeyAlias`.
        alias: Option<String>,
        /// Hash the name of an added host.
        hash: bool,
        /// `HostKeyAlgorithms`, when the user narrowed them.
        algorithms: Vec<String>,
    },
    /// Against the keys the team's administrator pinned.
    Pinned(Vec<PublicKey>),
}

/// How the gate logs in.
#[derive(Debug, Clone)]
pub(crate) enum Login {
    /// As `ssh` would for the user who runs the agent.
    User {
        /// `IdentityFile`.
        identity_files: Vec<PathBuf>,
        /// `CertificateFile`.
        certificate_files: Vec<PathBuf>,
        /// `IdentitiesOnly`.
        identities_only: bool,
        /// The socket of the user's agent.
        agent: Option<PathBuf>,
    },
    /// With the gate's own keys.
    Own(Vec<PathBuf>),
}

/// A target, and how to reach it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) alias: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) host_keys: HostKeys,
    pub(crate) login: Login,
    /// Who has the keys.
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) transport: Option<Vec<String>>,
    pub(crate) connect_timeout: Duration,
    pub(crate) login_timeout: Duration,
    pub(crate) address_family: Option<String>,
    pub(crate) keepalive: Option<Duration>,
}

impl Target {
    /// From the uplink header of a local connection.
    pub(crate) fn from_route(route: TargetRoute, limits: &Limits, keyring: Arc<Keyring>) -> Self {
        let paths = |list: Vec<String>| list.into_iter().map(PathBuf::from).collect();
        let port = if route.port == 0 { 22 } else { route.port };
        Self {
            alias: route.alias,
            host: route.host,
            port,
            user: route.user,
            host_keys: HostKeys::Files {
                files: paths(route.known_hosts_files),
                add: route.known_hosts_add.map(PathBuf::from),
                checking: route.host_key_checking,
                alias: route.host_key_alias,
                hash: route.hash_known_hosts,
                algorithms: route.host_key_algorithms,
            },
            login: Login::User {
                identity_files: paths(route.identity_files),
                certificate_files: paths(route.certificate_files),
                identities_only: route.identities_only,
                agent: route.identity_agent.map(PathBuf::from),
            },
            keyring,
            transport: route.transport.filter(|argv| !argv.is_empty()),
            connect_timeout: route
                .connect_timeout
                .filter(|s| *s > 0)
                .map_or(limits.connect, Duration::from_secs),
            login_timeout: limits.target_login,
            address_family: route.address_family,
            keepalive: route.server_alive_interval.filter(|s| *s > 0).map(Duration::from_secs),
        }
    }

    /// Its name in messages.
    pub(crate) fn display(&self) -> String {
        if self.port == 22 {
            self.host.clone()
        } else {
            format!("{} port {}", self.host, self.port)
        }
    }
}

/// What is known about a connection from setting it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checked {
    /// How the host key was checked, for the reviewer.
    pub(crate) host_key: String,
    /// The fingerprint of the key that was shown.
    pub(crate) fingerprint: String,
}
