//! How many connections the broker keeps for those it does not know yet, and idle ones for those it
//! does. A stranger never gets one refused that the broker knows, and never one that only comes later:
//! where strangers are too many, the oldest of whoever has most of them makes room.
//!
//! Pure: connections are told to end, they end themselves.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// How many connections there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Connections of every kind; beyond it no stranger is let in for whom none leaves.
    pub(super) connections: usize,
    /// Connections that have not said who they are, or not finished their request's headers.
    pub(super) strangers: usize,
    /// The same per peer: a user of this machine, or an address (per /64 for IPv6).
    pub(super) strangers_each: usize,
    /// Connections of those who are known that wait for a next request.
    pub(super) idle: usize,
    /// The same per peer.
    pub(super) idle_each: usize,
}

impl Limits {
    /// What a process may take that may have that many files open. A connection on the Unix socket
    /// needs two, and the larger part is left to what is connected already, and to a gate in the same
    /// process.
    pub(super) fn for_descriptors(open: usize) -> Self {
        let strangers = (open / 16).clamp(16, 512);
        Self {
            connections: (open / 4).max(32),
            strangers,
            strangers_each: strangers / 2,
            idle: strangers / 2,
            idle_each: strangers / 4,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let open = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let open = open.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
        Self::for_descriptors(open)
    }
}

/// Who connects, as far as the system tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Caller {
    /// A process of this machine.
    Process { uid: Option<u32>, pid: Option<u32> },
    /// An address of the network, a whole /64 for IPv6.
    Network(IpAddr),
}

/// For whom the limits per peer count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Group {
    User(Option<u32>),
    Network(IpAddr),
}

impl Caller {
    /// Somebody at an address. A single client may own a whole IPv6 /64.
    pub(super) fn at(address: IpAddr) -> Self {
        Self::Network(match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & (u128::MAX << 64)).into()),
            v4 @ IpAddr::V4(_) => v4,
        })
    }

    fn group(self) -> Group {
        match self {
            Self::Process { uid, .. } => Group::User(uid),
            Self::Network(network) => Group::Network(network),
        }
    }
}

struct Connection {
    caller: Caller,
    known: bool,
    /// Answers in the making.
    working: usize,
    /// When it came or, for one that is known, when it last began to wait: a running number.
    since: u64,
    leave: CancellationToken,
}

impl Connection {
    fn is_idle(&self) -> bool {
        self.known && self.working == 0
    }
}

#[derive(Default)]
struct Inside {
    number: u64,
    all: HashMap<u64, Connection>,
    refused: u64,
    displaced: u64,
}

impl Inside {
    fn number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    fn count(&self, which: impl Fn(&Connection) -> bool) -> usize {
        self.all.values().filter(|c| which(c)).count()
    }

    /// Ends the oldest connection of those, of the caller that has most of them.
    fn displace(&mut self, which: impl Fn(&Connection) -> bool) -> bool {
        let mut callers: HashMap<Caller, usize> = HashMap::new();
        for connection in self.all.values().filter(|c| which(c)) {
            *callers.entry(connection.caller).or_default() += 1;
        }
        let mine = |c: &Connection| callers.get(&c.caller).copied().unwrap_or(0);
        let oldest = self
            .all
            .iter()
            .filter(|(_, c)| which(c))
            .max_by_key(|(_, c)| (mine(c), std::cmp::Reverse(c.since)))
            .map(|(id, _)| *id);
        let Some(connection) = oldest.and_then(|id| self.all.remove(&id)) else { return false };
        connection.leave.cancel();
        true
    }
}

/// The connections of one broker, over all its sockets.
#[derive(Default)]
pub(super) struct Doors {
    limits: Limits,
    inside: Mutex<Inside>,
}

/// A connection that was let in; what is left of it when the last of these is dropped is nothing.
pub(super) struct Guest {
    doors: Arc<Doors>,
    id: u64,
    known: AtomicBool,
    leave: CancellationToken,
}

/// An answer in the making.
pub(super) struct Work(Option<Arc<Guest>>);

impl Doors {
    #[cfg(test)]
    fn with(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, inside: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a stranger in; an older one may have to leave for it. `None`: no room.
    pub(super) fn enter(self: &Arc<Self>, caller: Caller) -> Option<Arc<Guest>> {
        let limits = self.limits;
        let mut inside = self.lock();
        let inside = &mut *inside;
        let group = caller.group();
        let here = |c: &Connection| !c.known && c.caller.group() == group;
        let stranger = |c: &Connection| !c.known;
        let mut room = true;
        let mut displaced = false;
        if inside.count(here) >= limits.strangers_each {
            room = inside.displace(here);
            displaced = true;
        }
        if room
            && (inside.count(stranger) >= limits.strangers
                || inside.all.len() >= limits.connections)
        {
            room = inside.displace(stranger);
            displaced = true;
        }
        // A flood must not fill the log as well.
        let times = if room { &mut inside.displaced } else { &mut inside.refused };
        if displaced {
            *times += 1;
            if times.is_power_of_two() {
                let what = if room { "the oldest was closed" } else { "a new one was closed" };
                tracing::warn!(?caller, times, "too many connections that say nothing: {what}");
            }
        }
        if !room {
            return None;
        }
        let (id, leave) = (inside.number(), CancellationToken::new());
        let connection =
            Connection { caller, known: false, working: 0, since: id, leave: leave.clone() };
        inside.all.insert(id, connection);
        let known = AtomicBool::new(false);
        Some(Arc::new(Guest { doors: Arc::clone(self), id, known, leave }))
    }
}

impl Guest {
    /// It has said who it is, and may.
    pub(super) fn becomes_known(&self) {
        self.known.store(true, Ordering::Relaxed);
        if let Some(connection) = self.doors.lock().all.get_mut(&self.id) {
            connection.known = true;
        }
    }

    /// It has sent a request's headers.
    pub(super) fn work(self: &Arc<Self>) -> Work {
        if let Some(connection) = self.doors.lock().all.get_mut(&self.id) {
            connection.working += 1;
        }
        Work(Some(Arc::clone(self)))
    }

    /// Returns when it has to leave, with whether it may finish an answer before.
    pub(super) async fn told_to_leave(&self) -> bool {
        self.leave.cancelled().await;
        self.known.load(Ordering::Relaxed)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.doors.lock().all.remove(&self.id);
    }
}

impl Work {
    /// The connection became a WebSocket: it never waits for a request again.
    pub(super) fn never_ends(mut self) {
        self.0 = None;
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let Some(guest) = self.0.take() else { return };
        let limits = guest.doors.limits;
        let mut inside = guest.doors.lock();
        let number = inside.number();
        let Some(connection) = inside.all.get_mut(&guest.id) else { return };
        connection.working = connection.working.saturating_sub(1);
        if !connection.is_idle() {
            return;
        }
        connection.since = number;
        let group = connection.caller.group();
        let here = |c: &Connection| c.is_idle() && c.caller.group() == group;
        if inside.count(here) > limits.idle_each {
            inside.displace(here);
        }
        if inside.count(Connection::is_idle) > limits.idle {
            inside.displace(Connection::is_idle);
        }
        drop(inside);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { connections: 8, strangers: 4, strangers_each: 3, idle: 3, idle_each: 2 };

    fn process(pid: u32) -> Caller {
        Caller::Process { uid: Some(1000), pid: Some(pid) }
    }

    fn left(guest: &Guest) -> bool {
        guest.leave.is_cancelled()
    }

    #[test]
    fn the_oldest_of_whoever_has_most_makes_room() {
        let doors = Doors::with(LIMITS);
        let waiting = doors.enter(process(1)).unwrap();
        let flood: Vec<_> = (0..100).map(|_| doors.enter(process(2)).unwrap()).collect();
        assert!(!left(&waiting), "a flood of one process displaced another's");
        assert_eq!(flood.iter().filter(|g| !left(g)).count(), 2);
        assert!(flood.iter().rev().take(2).all(|g| !left(g)), "the newest stay");
        // Another network displaces nobody while there is room, then whoever has most.
        let other = Caller::at("2001:db8::1".parse().unwrap());
        let same = Caller::at("2001:db8::2".parse().unwrap());
        let one = doors.enter(other).unwrap();
        let two = doors.enter(same).unwrap();
        assert_eq!(other, same);
        assert!(!left(&one) && !left(&two) && !left(&waiting));
        assert_eq!(flood.iter().filter(|g| !left(g)).count(), 1);
        drop((flood, waiting, one, two));
        assert!(doors.lock().all.is_empty());
    }

    #[test]
    fn whoever_is_known_is_never_displaced_by_strangers() {
        let doors = Doors::with(LIMITS);
        let known: Vec<_> = (0..8)
            .map(|_| {
                let guest = doors.enter(process(1)).unwrap();
                guest.becomes_known();
                let work = guest.work();
                (guest, work)
            })
            .collect();
        assert!(doors.enter(process(2)).is_none(), "more connections than there may be");
        assert!(known.iter().all(|(guest, _)| !left(guest)));
        // The connection that ends makes room again.
        drop(known.into_iter().next());
        assert!(doors.enter(process(2)).is_some());
    }

    #[test]
    fn idle_connections_are_few_and_web_sockets_are_none_of_them() {
        let doors = Doors::with(LIMITS);
        let socket = doors.enter(process(1)).unwrap();
        socket.becomes_known();
        socket.work().never_ends();
        let idle: Vec<_> = (0..4)
            .map(|_| {
                let guest = doors.enter(process(1)).unwrap();
                guest.becomes_known();
                drop(guest.work());
                guest
            })
            .collect();
        assert_eq!(idle.iter().map(|g| left(g)).collect::<Vec<_>>(), [true, true, false, false]);
        assert!(!left(&socket));
    }

    #[test]
    fn the_limits_follow_the_descriptors() {
        for open in [64, 1024, 20_000, usize::MAX] {
            let limits = Limits::for_descriptors(open);
            assert!(limits.strangers_each < limits.strangers, "{open}");
            assert!(limits.strangers <= limits.connections, "{open}");
            assert!(limits.idle_each > 0 && limits.connections <= (open / 4).max(32), "{open}");
        }
    }
}
