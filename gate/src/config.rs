//! What a gate is told when it starts, and the handle the binary keeps.
//! It must never hold a setting that lets an undecided command run: there is none.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use expacti_protocol::client::{Client, ClientError, Endpoint};
use russh::keys::{Certificate, PrivateKey};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::link::{Link, LinkStatus};
use crate::serve;

/// How long a stopping gate waits for its connections and reports.
const SETTLE: Duration = Duration::from_secs(3);

/// Bounds on what one gate takes on. The defaults suit both modes.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at one time; further ones are closed at once.
    pub connections: usize,
    /// Connections over TCP that have not logged in, at one time; further ones are closed at once.
    pub waiting: usize,
    /// The same of one address (of one /64 for IPv6).
    pub waiting_each: usize,
    /// Session channels open at one time on one connection.
    pub channels: usize,
    /// How long a client may take until it has logged in.
    pub login: Duration,
    /// How long a client may take to send its head line on the Unix socket.
    pub head: Duration,
    /// How long connecting to a target and its key exchange may take, unless `ConnectTimeout`
    /// says otherwise.
    pub connect: Duration,
    /// How long the login on a target may take (a security key may want to be touched).
    pub target_login: Duration,
    /// How long a command waits for the link to the broker before it is denied.
    pub link_wait: Duration,
    /// How long the broker may take to answer one request of the gate.
    pub answer: Duration,
    /// How much longer than the broker's own deadline the gate waits for a decision.
    pub deadline_grace: Duration,
    /// Script on standard input that one item may hold, in bytes.
    pub script: usize,
    /// Silence after which standard input that is code becomes an item though no EOF came.
    pub script_idle: Duration,
    /// Input of one connection that is kept in memory before the gate stops reading from the
    /// client, in bytes.
    pub buffered: usize,
    /// Input of one channel that may wait in a temporary file where pausing would stall something
    /// else, in bytes; past it the channel is closed.
    pub spilled: u64,
    /// Output of a command without a terminal that is recorded, per stream, in bytes.
    pub recorded: u64,
    /// How long the recording may lag before the session's commands are denied.
    pub recording_lag: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            waiting: 128,
            waiting_each: 32,
            channels: 64,
            login: Duration::from_secs(20),
            head: Duration::from_secs(10),
            connect: Duration::from_secs(30),
            target_login: Duration::from_secs(60),
            link_wait: Duration::from_secs(3),
            answer: Duration::from_secs(15),
            deadline_grace: Duration::from_secs(3),
            script: 1024 * 1024,
            script_idle: Duration::from_secs(2),
            buffered: 1024 * 1024,
            spilled: 4 << 30,
            recorded: 1024 * 1024,
            recording_lag: Duration::from_secs(10),
        }
    }
}

/// What a gate needs to know.
pub struct GateConfig {
    /// The key by which clients know the gate; ed25519.
    pub host_key: PrivateKey,
    /// The broker that decides, and the gate's token for it.
    pub broker: Endpoint,
    /// The gate's own private keys for the targets of a team.
    pub identities: Vec<PathBuf>,
    /// The target of clients that name none.
    pub default_target: Option<String>,
    /// The authority that signs the gate's host certificates, one for each target that a client
    /// reaches with `ssh -J`; ed25519.
    pub host_ca: Option<PrivateKey>,
    /// The names by which clients reach the gate itself, for its own certificate.
    pub names: Vec<String>,
    /// Where the lines typed at interactive shells are kept for later sessions; nowhere if `None`.
    pub history: Option<PathBuf>,
    /// Bounds.
    pub limits: Limits,
}

impl GateConfig {
    /// A gate with the default limits, no identities and no default target.
    pub fn new(host_key: PrivateKey, broker: Endpoint) -> Self {
        Self {
            host_key,
            broker,
            identities: Vec::new(),
            default_target: None,
            host_ca: None,
            names: Vec::new(),
            history: None,
            limits: Limits::default(),
        }
    }
}

/// Why a gate cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The broker's address cannot be used.
    #[error(transparent)]
    Broker(#[from] ClientError),
    /// One of the gate's own identities cannot be used.
    #[error("cannot use the identity {path}: {why}")]
    Identity {
        /// Which file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The listening socket failed.
    #[error("the gate cannot accept connections: {0}")]
    Listen(#[source] std::io::Error),
}

/// What every connection of one gate shares.
pub(crate) struct Shared {
    pub(crate) link: Link,
    pub(crate) client: Client,
    pub(crate) limits: Limits,
    pub(crate) host_key: PrivateKey,
    pub(crate) identities: Vec<Arc<PrivateKey>>,
    pub(crate) default_target: Option<String>,
    pub(crate) host_ca: Option<PrivateKey>,
    pub(crate) names: Vec<String>,
    pub(crate) history: Option<PathBuf>,
    pub(crate) slots: Arc<tokio::sync::Semaphore>,
    /// Every task that may have something to report.
    pub(crate) tasks: TaskTracker,
}

impl Shared {
    /// What proves to clients which know the authority that the host key may stand for the names.
    pub(crate) fn host_certificate(&self, names: &[&str]) -> Option<Certificate> {
        crate::certificates::host(self.host_ca.as_ref()?, &self.host_key, names)
    }
}

/// A gate. Dropping it cuts the link to the broker, and with it every connection's hope.
pub struct Gate {
    shared: Arc<Shared>,
    stop: CancellationToken,
}

impl Gate {
    /// Makes a gate and starts connecting to its broker. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// When an identity cannot be read or the broker's address cannot be used. A broker that
    /// cannot be reached is no error: the gate keeps trying, and denies meanwhile.
    pub fn new(config: GateConfig) -> Result<Self, GateError> {
        let stop = CancellationToken::new();
        let mut identities = Vec::new();
        for path in &config.identities {
            let key = crate::keys::load_private_key(path).map_err(|e| GateError::Identity {
                path: path.display().to_string(),
                why: e.to_string(),
            })?;
            identities.push(Arc::new(key));
        }
        let client = Client::new(config.broker.clone())?;
        let link = Link::start(config.broker, &config.limits, stop.clone());
        let slots = Arc::new(tokio::sync::Semaphore::new(config.limits.connections));
        let shared = Arc::new(Shared {
            link,
            client,
            limits: config.limits,
            host_key: config.host_key,
            identities,
            default_target: config.default_target,
            host_ca: config.host_ca,
            names: config.names,
            history: config.history,
            slots,
            tasks: TaskTracker::new(),
        });
        Ok(Self { shared, stop })
    }

    /// Serves the shims of this user on a Unix socket until `shutdown`; then closes every
    /// connection and returns when the broker knows what became of the commands, or after a few
    /// seconds. Only peers with the gate's own uid are let in.
    ///
    /// # Errors
    /// When the socket fails for good.
    pub async fn serve_unix(
        &self,
        listener: UnixListener,
        shutdown: CancellationToken,
    ) -> Result<(), GateError> {
        serve::unix(Arc::clone(&self.shared), listener, shutdown).await?;
        self.settle().await;
        Ok(())
    }

    /// Serves the agents of a team over TCP until `shutdown`; then as [`Gate::serve_unix`].
    ///
    /// # Errors
    /// When the socket fails for good.
    pub async fn serve_tcp(
        &self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), GateError> {
        serve::tcp(Arc::clone(&self.shared), listener, shutdown).await?;
        self.settle().await;
        Ok(())
    }

    /// Waits for the ends of connections and for their reports to arrive.
    async fn settle(&self) {
        let settled = async {
            // Both serve functions may be ending: whoever closes first does no harm.
            self.shared.tasks.close();
            self.shared.tasks.wait().await;
            self.shared.link.reported().await;
        };
        if tokio::time::timeout(SETTLE, settled).await.is_err() {
            tracing::warn!("the gate stops although not everything was reported to the broker");
        }
    }

    /// Whether the broker is there.
    #[must_use]
    pub fn link_status(&self) -> LinkStatus {
        self.shared.link.status()
    }

    /// Waits until the link to the broker is up.
    pub async fn linked(&self) {
        self.shared.link.connected().await;
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
