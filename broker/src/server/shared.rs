//! What connections share besides the dispatcher, and what the system says of them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use super::challenges::Challenges;
use super::doors::{Caller, Doors};
use super::pin_door::PinDoor;
use crate::state::{Now, State};
use crate::wraps::{PeerProcess, Wraps};

/// What the connections share besides the dispatcher.
#[derive(Default)]
pub(crate) struct Shared {
    pub(super) doors: Arc<Doors>,
    local_gates: Mutex<HashSet<String>>,
    pub(crate) wraps: Wraps,
    started: std::sync::OnceLock<i64>,
    pub(crate) shutdown: CancellationToken,
    warnings: Mutex<Vec<String>>,
    /// What witnesses have found wrong.
    witnessed: Mutex<Vec<String>>,
    /// The broker of one person, who approves on the machine on which agents run.
    local: AtomicBool,
    /// The broker of a whole machine: every user may connect to its socket.
    machine: AtomicBool,
    /// What people are asked to prove requests with.
    pub(super) challenges: Challenges,
    pub(super) pins: PinDoor,
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

    /// What witnesses found wrong when they were asked last.
    pub(crate) fn set_witnessed(&self, warnings: Vec<String>) {
        *self.witnessed.lock().unwrap_or_else(PoisonError::into_inner) = warnings;
    }

    /// Agents run on this machine, as the person who approves.
    pub(crate) fn set_local(&self) {
        self.local.store(true, Ordering::Release);
    }

    /// Every user of this machine may connect.
    pub(super) fn set_machine(&self) {
        self.machine.store(true, Ordering::Release);
    }

    /// Whether every user of this machine may connect.
    pub(super) fn serves_machine(&self) -> bool {
        self.machine.load(Ordering::Acquire)
    }

    /// What whoever reviews must know. It depends on the keys that are there now.
    pub(super) fn warnings(&self, state: &State, now: Now) -> Vec<String> {
        let local = self.local.load(Ordering::Acquire);
        let said = self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let witnessed = self.witnessed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let of_local = local.then(|| state.local_warning()).flatten();
        let reset = state.reset_warnings(now);
        of_local
            .into_iter()
            .chain(state.rulebook_warning(now))
            .chain(reset)
            .chain(witnessed)
            .chain(said)
            .collect()
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

impl Conn {
    /// Who connected to a Unix socket.
    pub(super) fn caller(stream: &UnixStream) -> Caller {
        let credentials = stream.peer_cred().ok();
        let pid = credentials.and_then(|c| c.pid()).and_then(|pid| u32::try_from(pid).ok());
        Caller::Process { uid: credentials.map(|c| c.uid()), pid }
    }

    /// The other end of a Unix socket.
    pub(super) fn local(stream: &UnixStream, caller: Caller) -> Self {
        let (uid, pid) = match caller {
            Caller::Process { uid, pid } => (uid, pid),
            Caller::Network(_) => (None, None),
        };
        Self::Local { uid, process: Arc::new(PeerProcess::of(stream, pid)) }
    }
}
