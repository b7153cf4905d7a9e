//! What connections share besides the dispatcher, and what the system says of them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

use crate::state::{Now, State};
use crate::wraps::{PeerProcess, Wraps};

/// What the connections share besides the dispatcher.
#[derive(Default)]
pub(crate) struct Shared {
    local_gates: Mutex<HashSet<String>>,
    pub(crate) wraps: Wraps,
    started: std::sync::OnceLock<i64>,
    pub(crate) shutdown: CancellationToken,
    warnings: Mutex<Vec<String>>,
    /// The broker of one person, who approves on the machine on which agents run.
    local: AtomicBool,
}

impl Shared {
    pub(crate) fn add_local_gate(&self, hash: String) {
        self.local_gates.lock().unwrap_or_else(PoisonError::into_inner).insert(hash);
    }

    pub(super) fn is_local_gate(&self, hash: &str) -> bool {
        self.local_gates.lock().unwrap_or_else(PoisonError::into_inner).contains(hash)
    }

    pub(crate) fn add_warning(&self, warning: String) {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(warning);
    }

    /// Agents run on this machine, as the person who approves.
    pub(crate) fn set_local(&self) {
        self.local.store(true, Ordering::Release);
    }

    /// What whoever reviews must know. It depends on the keys that are there now.
    pub(super) fn warnings(&self, state: &State, now: Now) -> Vec<String> {
        let local = self.local.load(Ordering::Acquire);
        let said = self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let of_local = local.then(|| state.local_warning()).flatten();
        of_local.into_iter().chain(state.rulebook_warning(now)).chain(said).collect()
    }

    pub(super) fn started_at(&self) -> i64 {
        *self.started.get_or_init(|| expacti_protocol::now_micros().div_euclid(1_000_000))
    }
}

/// The other end of a connection, as the system told it when the connection was accepted.
#[derive(Debug, Clone)]
pub(crate) enum Conn {
    /// A process of this machine; without a uid it is nobody's.
    Local { uid: Option<u32>, process: Arc<PeerProcess> },
    /// Somebody on the network.
    Remote,
}

impl Connected<IncomingStream<'_, UnixListener>> for Conn {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        let stream = stream.io();
        let credentials = stream.peer_cred().ok();
        let pid = credentials.and_then(|c| c.pid()).and_then(|pid| u32::try_from(pid).ok());
        Self::Local {
            uid: credentials.map(|c| c.uid()),
            process: Arc::new(PeerProcess::of(stream, pid)),
        }
    }
}

impl Connected<IncomingStream<'_, TcpListener>> for Conn {
    fn connect_info(_: IncomingStream<'_, TcpListener>) -> Self {
        Self::Remote
    }
}

impl Connected<std::net::SocketAddr> for Conn {
    fn connect_info(_: std::net::SocketAddr) -> Self {
        Self::Remote
    }
}
