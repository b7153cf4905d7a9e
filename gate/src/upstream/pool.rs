//! The connections to the target that belong to one client connection: one for each running
//! channel. The first is started before anyone asks for it, and idle ones are reused. They must
//! never be shared between clients.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::connect::{Connected, connect};
use super::route::{Checked, ConnectError, Target};
use super::shells::Account;
use crate::boundary::TargetChannel;

/// How many idle connections are kept.
const IDLE: usize = 4;

type Connecting = JoinHandle<Result<Connected, ConnectError>>;

/// See the module.
pub(crate) struct Pool {
    /// None: there is nothing to connect to.
    target: Option<Arc<Target>>,
    cancel: CancellationToken,
    warm: Mutex<Option<Connecting>>,
    idle: Mutex<Vec<Connected>>,
    checked: watch::Sender<Option<Result<Checked, ConnectError>>>,
}

/// A connection in use by one channel.
pub(crate) struct Lease {
    connected: Connected,
}

impl Lease {
    /// The account that it is logged in to.
    pub(crate) fn account(&self) -> &Account {
        &self.connected.account
    }

    /// A second channel on the same connection, for the gate's own questions to the target.
    pub(crate) async fn side_channel(&self) -> Option<TargetChannel> {
        self.connected.connection.open().await.ok()
    }
}

fn nowhere() -> ConnectError {
    ConnectError("this connection leads to no target".to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    /// Starts the first connection at once; `cancel` ends them all.
    pub(crate) fn new(target: Arc<Target>, cancel: CancellationToken) -> Arc<Self> {
        let pool = Self::of(Some(target), cancel);
        let first = Arc::clone(&pool);
        *lock(&pool.warm) = Some(tokio::spawn(async move { first.connect().await }));
        pool
    }

    /// Connects to nothing, ever.
    pub(crate) fn closed(cancel: CancellationToken) -> Arc<Self> {
        let pool = Self::of(None, cancel);
        pool.checked.send_replace(Some(Err(nowhere())));
        pool
    }

    fn of(target: Option<Arc<Target>>, cancel: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            target,
            cancel,
            warm: Mutex::new(None),
            idle: Mutex::default(),
            checked: watch::channel(None).0,
        })
    }

    async fn connect(&self) -> Result<Connected, ConnectError> {
        let target = self.target.as_ref().ok_or_else(nowhere)?;
        let result = tokio::select! {
            result = connect(target) => result,
            () = self.cancel.cancelled() => Err(ConnectError("the client went away".to_owned())),
        };
        let outcome =
            result.as_ref().map(|connected| connected.checked.clone()).map_err(Clone::clone);
        if let Err(error) = &outcome {
            tracing::info!(target = %target.display(), %error, "no connection to the target");
        }
        self.checked.send_replace(Some(outcome));
        result
    }

    /// The result of the latest attempt to connect; waits for the first.
    pub(crate) async fn checked(&self) -> Result<Checked, ConnectError> {
        let mut checked = self.checked.subscribe();
        match checked.wait_for(Option::is_some).await {
            Ok(outcome) => match &*outcome {
                Some(result) => result.clone(),
                None => Err(ConnectError("no connection to the target".to_owned())),
            },
            Err(_) => Err(ConnectError("no connection to the target".to_owned())),
        }
    }

    /// A connection for the caller alone, with an open session channel on it.
    pub(crate) async fn channel(&self) -> Result<(Lease, TargetChannel), ConnectError> {
        let warm = lock(&self.warm).take();
        if let Some(warm) = warm {
            let connected = warm
                .await
                .unwrap_or_else(|_| Err(ConnectError("connecting to the target failed".into())))?;
            return self.open(connected).await;
        }
        loop {
            let Some(connected) = lock(&self.idle).pop() else { break };
            if connected.connection.is_closed() {
                continue;
            }
            // An idle connection may have died unnoticed: then try the next, or connect again.
            if let Ok(opened) = self.open(connected).await {
                return Ok(opened);
            }
        }
        let connected = self.connect().await?;
        self.open(connected).await
    }

    async fn open(&self, connected: Connected) -> Result<(Lease, TargetChannel), ConnectError> {
        let target = self.target.as_ref().ok_or_else(nowhere)?;
        let opening = tokio::time::timeout(target.connect_timeout, connected.connection.open());
        match opening.await {
            Ok(Ok(channel)) => Ok((Lease { connected }, channel)),
            Ok(Err(error)) => Err(ConnectError(format!(
                "{} refused to open a session: {error}",
                target.display()
            ))),
            Err(_) => {
                Err(ConnectError(format!("{} did not open a session in time", target.display())))
            }
        }
    }

    /// Where it leads, if anywhere.
    pub(crate) fn target(&self) -> Option<&Target> {
        self.target.as_deref()
    }

    /// Returns a connection whose channel was closed cleanly.
    pub(crate) fn give_back(&self, lease: Lease) {
        let mut idle = lock(&self.idle);
        if !self.cancel.is_cancelled()
            && !lease.connected.connection.is_closed()
            && idle.len() < IDLE
        {
            idle.push(lease.connected);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
