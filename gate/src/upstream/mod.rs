//! Connecting to a target: transport, host key, login, and a small pool per client connection.
//! It must never hand out a connection whose host key was not checked, and it sends nothing of
//! the agent's: the user name, address and keys come from configuration.

mod handler;
mod hostkey;
mod login;
mod pool;
mod transport;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use expacti_protocol::uplink::{HostKeyChecking, TargetRoute};
use russh::client::Config;
use russh::keys::{Algorithm, HashAlg, PrivateKey, PublicKey};
use russh::{Preferred, SshId, cipher, client, kex};

pub(crate) use self::handler::TargetHandler;
pub(crate) use self::pool::{Lease, Pool};
use crate::boundary::TargetConnection;
use crate::config::Limits;

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

/// With what the gate logs in.
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
    Own(Vec<Arc<PrivateKey>>),
}

/// Where to, and how.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) alias: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) host_keys: HostKeys,
    pub(crate) login: Login,
    pub(crate) transport: Option<Vec<String>>,
    pub(crate) connect_timeout: Duration,
    pub(crate) login_timeout: Duration,
    pub(crate) address_family: Option<String>,
    pub(crate) keepalive: Option<Duration>,
}

impl Target {
    /// From the head of a local connection.
    pub(crate) fn from_route(route: TargetRoute, limits: &Limits) -> Self {
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

    /// As messages name it.
    pub(crate) fn display(&self) -> String {
        if self.port == 22 {
            self.host.clone()
        } else {
            format!("{} port {}", self.host, self.port)
        }
    }
}

/// What is known about a connection besides the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checked {
    /// How the host key was checked, for the reviewer.
    pub(crate) host_key: String,
}

/// Connects, checks the host key, logs in.
pub(crate) async fn connect(target: &Target) -> Result<(TargetConnection, Checked), ConnectError> {
    let check = hostkey::Check::prepare(target)?;
    let config = Arc::new(config(target, &check));
    let report = check.report();
    let connecting = async {
        let stream = transport::open(target).await?;
        let result = client::connect_stream(config, stream, TargetHandler::new(check)).await;
        result.map_err(|e| report.failure().unwrap_or_else(|| handshake_error(target, &e)))
    };
    let mut handle = tokio::time::timeout(target.connect_timeout, connecting)
        .await
        .map_err(|_| timed_out(target, "connecting"))??;
    let checked = report.accepted(target)?;
    tokio::time::timeout(target.login_timeout, login::login(&mut handle, target))
        .await
        .map_err(|_| timed_out(target, "the login"))??;
    Ok((TargetConnection::new(handle), checked))
}

fn timed_out(target: &Target, what: &str) -> ConnectError {
    ConnectError(format!("{what} to {} timed out", target.display()))
}

fn handshake_error(target: &Target, error: &russh::Error) -> ConnectError {
    ConnectError(format!("the SSH handshake with {} failed: {error}", target.display()))
}

/// RSA with SHA-1 is in none of the lists: OpenSSH has refused it since 8.8.
const HOST_KEY_ORDER: &[Algorithm] = &[
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: russh::keys::EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: russh::keys::EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: russh::keys::EcdsaCurve::NistP521 },
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

/// With AES in hardware the fastest are first; the client chooses on its leg, the gate on the
/// target's.
const CIPHER_ORDER: &[cipher::Name] = &[
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// The same without it.
const CIPHER_ORDER_SOFT: &[cipher::Name] = &[
    cipher::CHACHA20_POLY1305,
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

fn hard_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

/// What both of the gate's legs agree to but for the key exchange: russh's defaults (which have neither CBC nor SHA-1
/// MACs, and negotiate strict key exchange) and `aes128-gcm`, without `ssh-rsa`.
pub(crate) fn preferred() -> Preferred {
    Preferred {
        key: Cow::Borrowed(HOST_KEY_ORDER),
        cipher: Cow::Borrowed(if hard_aes() { CIPHER_ORDER } else { CIPHER_ORDER_SOFT }),
        ..Preferred::default()
    }
}

/// What clients may ask of the gate: not the groups beyond 4096 bits, whose arithmetic anybody could
/// make the gate do without having logged in.
const CLIENT_KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::DH_G16_SHA512,
    kex::DH_G14_SHA256,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

/// What the gate agrees to as a server.
pub(crate) fn preferred_of_clients() -> Preferred {
    Preferred { kex: Cow::Borrowed(CLIENT_KEX), ..preferred() }
}

fn config(target: &Target, check: &hostkey::Check) -> Config {
    let mut preferred = preferred();
    preferred.key = Cow::Owned(check.algorithms(HOST_KEY_ORDER));
    preferred.host_key_certificates = Cow::Owned(check.certificate_algorithms(HOST_KEY_ORDER));
    Config {
        client_id: SshId::Standard(Cow::Borrowed(concat!(
            "SSH-2.0-expacti_",
            env!("CARGO_PKG_VERSION")
        ))),
        preferred,
        inactivity_timeout: None,
        keepalive_interval: Some(target.keepalive.unwrap_or(Duration::from_secs(30))),
        keepalive_max: 3,
        nodelay: true,
        window_size: 2 * 1024 * 1024,
        maximum_packet_size: 32 * 1024,
        ..Config::default()
    }
}
