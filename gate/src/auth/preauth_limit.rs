//! Limits how many clients may be connected before they have logged in, per network and in total.
//! It must never count clients that have logged in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// See the module.
pub(crate) struct PreAuthLimiter {
    total: usize,
    each: usize,
    waiting: Mutex<Waiting>,
    refused: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    all: usize,
    by: HashMap<IpAddr, usize>,
}

/// A slot taken by a client that has not logged in; dropping it frees the slot.
pub(crate) struct Slot {
    limiter: Arc<PreAuthLimiter>,
    network: IpAddr,
}

impl PreAuthLimiter {
    /// Allows `total` clients at the same time, and `each` per network.
    pub(crate) fn new(total: usize, each: usize) -> Arc<Self> {
        let refused = AtomicU64::new(0);
        Arc::new(Self { total, each, waiting: Mutex::default(), refused })
    }

    /// A slot for a client from that address; `None` when there are too many already.
    pub(crate) fn acquire(self: &Arc<Self>, address: IpAddr) -> Option<Slot> {
        let network = network(address);
        let entered = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let here = waiting.by.get(&network).copied().unwrap_or(0);
            let room = waiting.all < self.total && here < self.each;
            if room {
                waiting.all += 1;
                waiting.by.insert(network, here + 1);
            }
            room
        };
        if entered {
            return Some(Slot { limiter: Arc::clone(self), network });
        }
        // A flood must not fill the log as well.
        let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        if refused.is_power_of_two() {
            tracing::warn!(%address, refused, "too many clients that have not logged in: refused");
        }
        None
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut waiting = self.limiter.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.all = waiting.all.saturating_sub(1);
        let left = waiting.by.get(&self.network).map_or(0, |here| here.saturating_sub(1));
        if left == 0 {
            waiting.by.remove(&self.network);
        } else {
            waiting.by.insert(self.network, left);
        }
    }
}

/// The network an address counts for. A single client may own a whole IPv6 /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & (u128::MAX << 64)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn bounded_by_network_and_in_all() {
        let limiter = PreAuthLimiter::new(3, 2);
        let enter = |address: &str| limiter.acquire(address.parse().unwrap());
        let a = enter("10.0.0.1").unwrap();
        let _b = enter("::ffff:10.0.0.1").unwrap();
        assert!(enter("10.0.0.1").is_none());
        let c = enter("2001:db8::1").unwrap();
        assert!(enter("10.0.0.2").is_none(), "three in all");
        drop(a);
        let _d = enter("2001:db8::ffff:1").unwrap();
        assert!(enter("10.0.0.1").is_none());
        drop(c);
        assert!(enter("10.0.0.1").is_some());
        drop((_b, _d));
        let waiting = limiter.waiting.lock().unwrap();
        assert!(waiting.all == 0 && waiting.by.is_empty());
    }
}
