//! How much input of one connection is in memory, and whether to go on reading from its client.
//! russh grants window of its own accord, so the gate holds back at the socket instead. It must
//! never hold back indefinitely while that would stall something else: other channels of the
//! connection, or output that waits for a window adjustment queued behind the input.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

/// Amount of input in files above which a paused socket is not read at all, in bytes.
const TRICKLE_MAX: u64 = 256 * 1024 * 1024;

/// The state shared between a connection's socket and its channels.
#[derive(Debug)]
pub(crate) struct Backpressure {
    limit: usize,
    spill: u64,
    buffered: AtomicUsize,
    spilled: AtomicU64,
    starved: AtomicUsize,
    channels: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Backpressure {
    /// Above `limit` bytes in memory, reading pauses. Where it must not pause, more input goes to a
    /// file, up to `spill` bytes per channel.
    pub(crate) fn new(limit: usize, spill: u64) -> Self {
        Self {
            limit,
            spill,
            buffered: AtomicUsize::new(0),
            spilled: AtomicU64::new(0),
            starved: AtomicUsize::new(0),
            channels: AtomicUsize::new(0),
            waker: Mutex::new(None),
        }
    }

    /// Counts input that was taken into memory.
    pub(crate) fn add(&self, bytes: usize) {
        self.buffered.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Counts input that left memory.
    pub(crate) fn remove(&self, bytes: usize) {
        self.buffered.fetch_sub(bytes, Ordering::AcqRel);
        self.wake();
    }

    /// Whether memory is used up.
    pub(crate) fn is_full(&self) -> bool {
        self.buffered.load(Ordering::Acquire) >= self.limit
    }

    /// How much one channel may put into a file.
    pub(crate) fn spill(&self) -> u64 {
        self.spill
    }

    /// Counts input that went into a file.
    pub(crate) fn add_spilled(&self, bytes: usize) {
        self.spilled.fetch_add(bytes as u64, Ordering::AcqRel);
    }

    /// Counts input that left a file.
    pub(crate) fn remove_spilled(&self, bytes: u64) {
        self.spilled.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Whether a paused socket may be read a little.
    pub(crate) fn may_trickle(&self) -> bool {
        self.spilled.load(Ordering::Acquire) < TRICKLE_MAX
    }

    /// Whether the socket may be read; if not, `waker` is called when it may be.
    pub(crate) fn may_read(&self, waker: &Waker) -> bool {
        if self.open() {
            return true;
        }
        if let Ok(mut slot) = self.waker.lock() {
            *slot = Some(waker.clone());
        }
        // It may have become readable between the two checks.
        self.open()
    }

    fn open(&self) -> bool {
        !self.is_full()
            || self.starved.load(Ordering::Acquire) > 0
            || self.channels.load(Ordering::Acquire) > 1
    }

    fn wake(&self) {
        if self.open()
            && let Ok(mut slot) = self.waker.lock()
            && let Some(waker) = slot.take()
        {
            waker.wake();
        }
    }

    /// Output waits for the client's window until the guard is dropped.
    pub(crate) fn starved(self: &Arc<Self>) -> Starved {
        self.starved.fetch_add(1, Ordering::AcqRel);
        self.wake();
        Starved(Arc::clone(self))
    }

    /// One more channel is open, until the guard is dropped.
    pub(crate) fn channel(self: &Arc<Self>) -> OpenChannel {
        self.channels.fetch_add(1, Ordering::AcqRel);
        self.wake();
        OpenChannel(Arc::clone(self))
    }
}

/// See [`Backpressure::channel`].
pub(crate) struct OpenChannel(Arc<Backpressure>);

impl Drop for OpenChannel {
    fn drop(&mut self) {
        self.0.channels.fetch_sub(1, Ordering::AcqRel);
    }
}

/// See [`Backpressure::starved`].
pub(crate) struct Starved(Arc<Backpressure>);

impl Drop for Starved {
    fn drop(&mut self) {
        self.0.starved.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_when_full_unless_something_would_stall() {
        let backpressure = Arc::new(Backpressure::new(10, 30));
        let waker = Waker::noop();
        let _first = backpressure.channel();
        assert!(backpressure.may_read(waker));
        backpressure.add(12);
        assert!(!backpressure.may_read(waker));
        {
            let _starved = backpressure.starved();
            assert!(backpressure.may_read(waker));
        }
        assert!(!backpressure.may_read(waker));
        let second = backpressure.channel();
        assert!(backpressure.may_read(waker), "a neighbour must not wait");
        drop(second);
        assert!(!backpressure.may_read(waker));
        backpressure.remove(12);
        assert!(backpressure.may_read(waker));
    }
}
