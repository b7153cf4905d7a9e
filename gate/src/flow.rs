//! How much input of one connection is buffered, and whether to go on reading from its client.
//! russh hands out window of its own accord, so the gate holds back at the socket instead; it
//! must never hold back while output waits for a window adjustment that only reading brings.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

/// How long the neighbours of a full channel may be kept waiting before it is closed.
const NEIGHBOURS_WAIT: Duration = Duration::from_secs(5);

/// The state shared between a connection's socket and its channels.
#[derive(Debug)]
pub(crate) struct Flow {
    limit: usize,
    max: usize,
    buffered: AtomicUsize,
    starved: AtomicUsize,
    channels: AtomicUsize,
    paused: Mutex<(Option<Waker>, Option<Instant>)>,
}

impl Flow {
    /// Reading pauses past `limit` bytes; past `max` the connection is over its bounds.
    pub(crate) fn new(limit: usize, max: usize) -> Self {
        Self {
            limit,
            max,
            buffered: AtomicUsize::new(0),
            starved: AtomicUsize::new(0),
            channels: AtomicUsize::new(0),
            paused: Mutex::new((None, None)),
        }
    }

    /// Counts input that was taken in; false when the connection is past its bounds.
    pub(crate) fn add(&self, bytes: usize) -> bool {
        self.buffered.fetch_add(bytes, Ordering::AcqRel).saturating_add(bytes) <= self.max
    }

    /// Counts input that went on its way or was thrown away.
    pub(crate) fn remove(&self, bytes: usize) {
        self.buffered.fetch_sub(bytes, Ordering::AcqRel);
        self.wake();
    }

    /// Whether the socket may be read; if not, `waker` is called when it may be.
    pub(crate) fn may_read(&self, waker: &Waker) -> bool {
        if self.open() {
            self.paused_since(None, false);
            return true;
        }
        self.paused_since(Some(waker.clone()), true);
        // It may have opened between the two looks.
        self.open()
    }

    fn open(&self) -> bool {
        self.buffered.load(Ordering::Acquire) < self.limit
            || self.starved.load(Ordering::Acquire) > 0
    }

    fn paused_since(&self, waker: Option<Waker>, paused: bool) {
        if let Ok(mut slot) = self.paused.lock() {
            slot.0 = waker;
            slot.1 = if paused { slot.1.or_else(|| Some(Instant::now())) } else { None };
        }
    }

    fn wake(&self) {
        if self.open()
            && let Ok(mut slot) = self.paused.lock()
            && let Some(waker) = slot.0.take()
        {
            waker.wake();
        }
    }

    /// Output waits for the client's window until the guard is dropped.
    pub(crate) fn starved(&self) -> Starved<'_> {
        self.starved.fetch_add(1, Ordering::AcqRel);
        self.wake();
        Starved(self)
    }

    /// One more channel is open, until the matching [`Flow::channel_closed`].
    pub(crate) fn channel_opened(&self) {
        self.channels.fetch_add(1, Ordering::AcqRel);
    }

    /// One channel less.
    pub(crate) fn channel_closed(&self) {
        self.channels.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether reading has been paused so long that other channels of the connection suffer.
    pub(crate) fn stalls_neighbours(&self) -> bool {
        self.channels.load(Ordering::Acquire) > 1
            && self
                .paused
                .lock()
                .is_ok_and(|slot| slot.1.is_some_and(|since| since.elapsed() > NEIGHBOURS_WAIT))
    }
}

/// See [`Flow::starved`].
pub(crate) struct Starved<'a>(&'a Flow);

impl Drop for Starved<'_> {
    fn drop(&mut self) {
        self.0.starved.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_past_the_limit_unless_output_starves() {
        let flow = Flow::new(10, 30);
        let waker = Waker::noop();
        assert!(flow.may_read(waker));
        assert!(flow.add(12));
        assert!(!flow.may_read(waker));
        {
            let _starved = flow.starved();
            assert!(flow.may_read(waker));
        }
        assert!(!flow.may_read(waker));
        assert!(!flow.add(20), "past the maximum");
        flow.remove(32);
        assert!(flow.may_read(waker));
    }
}
