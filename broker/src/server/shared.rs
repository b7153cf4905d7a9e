//! What connections share besides the dispatcher, and what the system says of them.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use expacti_protocol::uplink::WrapRegistration;
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

/// What the connections share besides the dispatcher.
#[derive(Default)]
pub(crate) struct Shared {
    local_gates: Mutex<HashSet<String>>,
    wraps: Mutex<Vec<WrapRegistration>>,
    started: std::sync::OnceLock<i64>,
    pub(crate) shutdown: CancellationToken,
    warnings: Mutex<Vec<String>>,
}

impl Shared {
    pub(crate) fn add_local_gate(&self, hash: String) {
        self.local_gates.lock().unwrap_or_else(PoisonError::into_inner).insert(hash);
    }

    pub(super) fn is_local_gate(&self, hash: &str) -> bool {
        self.local_gates.lock().unwrap_or_else(PoisonError::into_inner).contains(hash)
    }

    pub(super) fn add_wrap(&self, wrap: WrapRegistration) {
        let mut wraps = self.wraps.lock().unwrap_or_else(PoisonError::into_inner);
        wraps.retain(|w| w.pid != wrap.pid && is_alive(w.pid));
        wraps.push(wrap);
    }

    pub(super) fn wraps(&self) -> Vec<WrapRegistration> {
        self.wraps.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn add_warning(&self, warning: String) {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(warning);
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn started_at(&self) -> i64 {
        *self.started.get_or_init(|| expacti_protocol::now_micros().div_euclid(1_000_000))
    }
}

/// The other end of a connection, as the system tells it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Conn {
    /// A process of this machine.
    Local { uid: u32, pid: Option<i32> },
    /// Somebody on the network.
    Remote,
}

impl Connected<IncomingStream<'_, UnixListener>> for Conn {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        match stream.io().peer_cred() {
            Ok(cred) => Self::Local { uid: cred.uid(), pid: cred.pid() },
            // Without credentials a peer is nobody.
            Err(_) => Self::Remote,
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

/// Whether a process exists.
fn is_alive(pid: u32) -> bool {
    i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}
