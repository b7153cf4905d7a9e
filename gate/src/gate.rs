//! The handle that the binary holds. It starts the link to the broker, serves the listeners, and
//! when it stops waits for the last reports.

use std::sync::Arc;
use std::time::Duration;

use expacti_protocol::client::Client;
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept::listener;
use crate::approval::{Approvals, PassedOn};
use crate::broker::link::{Link, LinkParts, LinkStatus};
use crate::broker::log_watch::LogWatch;
use crate::broker::reporter::Reporter;
use crate::config::GateConfig;
use crate::error::GateError;
use crate::keyring::{KeyFile, Keyring};
use crate::shared::Shared;
use crate::upstream::shells::Shells;

/// How long a stopping gate waits for its connections and reports.
const SETTLE: Duration = Duration::from_secs(3);

/// A gate. Dropping it cuts the link to the broker: from then on every command is denied.
pub struct Gate {
    shared: Arc<Shared>,
    stop: CancellationToken,
}

impl Gate {
    /// Makes a gate and starts connecting to its broker. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// When an identity cannot be read or the broker's address cannot be used. An unreachable
    /// broker is not an error: the gate keeps trying, and denies commands meanwhile.
    pub fn new(config: GateConfig) -> Result<Self, GateError> {
        let stop = CancellationToken::new();
        let keyring = Arc::new(Keyring::new(config.key_holder));
        let identities = config.identities;
        if !identities.is_empty() {
            let (_, found) =
                keyring.open_now(identities.clone(), true).map_err(GateError::Identity)?;
            if let Some(why) = found.into_iter().find_map(KeyFile::unusable) {
                return Err(GateError::Identity(why));
            }
        }
        let passed = PassedOn::default();
        let approvals = Approvals::new(config.host_key.clone(), config.approval, passed.clone())
            .map_err(GateError::Approval)?;
        let client = Client::new(config.broker.clone())?;
        let log = config
            .heads
            .map(|heads| LogWatch::new(heads, client.clone(), config.limits.look_at_log));
        let reporter = Reporter::new(config.host_key.clone()).map_err(GateError::Key)?;
        let parts = LinkParts { log, reporter, rulebook: passed };
        let link = Link::start(config.broker, &config.limits, parts, stop.clone());
        let slots = Arc::new(tokio::sync::Semaphore::new(config.limits.connections));
        let shared = Arc::new(Shared {
            link,
            client,
            limits: config.limits,
            host_key: config.host_key,
            approvals: Arc::new(approvals),
            identities,
            keyring,
            default_target: config.default_target,
            host_ca: config.host_ca,
            names: config.names,
            machine: config.machine,
            history: config.history,
            reads: config.reads,
            shells: config.ask_shell.then(Shells::default),
            slots,
            tasks: TaskTracker::new(),
        });
        Ok(Self { shared, stop })
    }

    /// Serves the shims of this user on a Unix socket until `shutdown`; then closes every
    /// connection and returns when the broker knows how the commands ended, or after a few
    /// seconds. Only peers with the gate's own uid are let in, but for the gate of a whole machine.
    ///
    /// # Errors
    /// When the socket fails permanently.
    pub async fn serve_unix(
        &self,
        listener: UnixListener,
        shutdown: CancellationToken,
    ) -> Result<(), GateError> {
        listener::unix(Arc::clone(&self.shared), listener, shutdown).await?;
        self.settle().await;
        Ok(())
    }

    /// Serves the agents of a team over TCP until `shutdown`, then ends like [`Gate::serve_unix`].
    ///
    /// # Errors
    /// When the socket fails permanently.
    pub async fn serve_tcp(
        &self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), GateError> {
        listener::tcp(Arc::clone(&self.shared), listener, shutdown).await?;
        self.settle().await;
        Ok(())
    }

    /// Waits until the connections have ended and their reports have arrived.
    async fn settle(&self) {
        let settled = async {
            // Both serve functions may be ending; closing twice does no harm.
            self.shared.tasks.close();
            self.shared.tasks.wait().await;
            self.shared.link.reported().await;
        };
        if tokio::time::timeout(SETTLE, settled).await.is_err() {
            tracing::warn!("the gate stops although not everything was reported to the broker");
        }
    }

    /// Whether the broker can be reached.
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
