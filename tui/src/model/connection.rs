//! The connection to the broker, as the screen knows it. It must never call a connection synced
//! before everything open was sent.

use std::collections::BTreeSet;

use expacti_protocol::ids::{CommandId, SessionId};

use crate::text::clean;
use crate::time::Millis;

/// Names one connection among those of this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// The state of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LinkState {
    /// Being made.
    Connecting,
    /// Broken; nothing can be decided until it is back.
    Down {
        /// Since when.
        since: Millis,
        /// The next attempt.
        retry_at: Millis,
        /// What failed, clean.
        why: String,
    },
    /// Up; `synced` once everything open was sent.
    Up {
        /// Whether all open requests are known.
        synced: bool,
    },
}

/// What a new connection has brought so far. Whatever else was open before it is over.
#[derive(Debug, Default)]
pub(crate) struct Reported {
    /// Open requests.
    pub requests: BTreeSet<CommandId>,
    /// Open sessions.
    pub sessions: BTreeSet<SessionId>,
}

/// The connection to the broker.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The broker's address, clean.
    pub address: String,
    /// Its state.
    pub link: LinkState,
    /// The last measured round trip, in milliseconds.
    pub latency: Option<u64>,
    /// What the broker wants a reviewer to know, clean.
    pub warnings: Vec<String>,
    /// What was reported since the connection came up, until it is synced.
    pub reported: Reported,
    next_ref: u64,
}

impl Connection {
    /// A connection that is about to be made.
    pub(crate) fn new(address: &str) -> Self {
        Self {
            address: clean(address, 80),
            link: LinkState::Connecting,
            latency: None,
            warnings: Vec::new(),
            reported: Reported::default(),
            next_ref: 1,
        }
    }

    /// Whether messages can be exchanged and everything open is known.
    pub(crate) fn is_synced(&self) -> bool {
        self.link == LinkState::Up { synced: true }
    }

    /// Whether there is a connection at all.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.link, LinkState::Up { .. })
    }

    /// A name for a message of ours, by which the broker answers it; never the same twice.
    pub(crate) fn next_ref(&mut self) -> u64 {
        let next = self.next_ref;
        self.next_ref += 1;
        next
    }
}
