//! How much input of one connection is in memory, and whether to go on reading from its client.
//! russh hands out window of its own accord, so the gate holds back at the socket instead. It
//! must never hold back while that would stall something else: other channels of the connection,
//! or output that waits for a window adjustment which stands behind the input.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

/// The state shared between a connection's socket and its channels.
#[derive(Debug)]
pub(crate) struct Flow {
    limit: usize,
    spill: u64,
    buffered: AtomicUsize,
    starved: AtomicUsize,
    channels: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Flow {
    /// Past `limit` bytes in memory reading pauses; where it must not, further input goes to a
    /// file, up to `spill` bytes for each channel.
    pub(crate) fn new(limit: usize, spill: u64) -> Self {
        Self {
            limit,
            spill,
            buffered: AtomicUsize::new(0),
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

    /// Whether the socket may be read; if not, `waker` is called when it may be.
    pub(crate) fn may_read(&self, waker: &Waker) -> bool {
        if self.open() {
            return true;
        }
        if let Ok(mut slot) = self.waker.lock() {
            *slot = Some(waker.clone());
        }
        // It may have opened between the two looks.
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
    pub(crate) fn starved(&self) -> Starved<'_> {
        self.starved.fetch_add(1, Ordering::AcqRel);
        self.wake();
        Starved(self)
    }

    /// One more channel is open, until the matching [`Flow::channel_closed`].
    pub(crate) fn channel_opened(&self) {
        self.channels.fetch_add(1, Ordering::AcqRel);
        self.wake();
    }

    /// One channel less.
    pub(crate) fn channel_closed(&self) {
        self.channels.fetch_sub(1, Ordering::AcqRel);
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
    fn pauses_when_full_unless_something_would_stall() {
        let flow = Flow::new(10, 30);
        let waker = Waker::noop();
        flow.channel_opened();
        assert!(flow.may_read(waker));
        flow.add(12);
        assert!(!flow.may_read(waker));
        {
            let _starved = flow.starved();
            assert!(flow.may_read(waker));
        }
        assert!(!flow.may_read(waker));
        flow.channel_opened();
        assert!(flow.may_read(waker), "a neighbour must not wait");
        flow.channel_closed();
        assert!(!flow.may_read(waker));
        flow.remove(12);
        assert!(flow.may_read(waker));
    }
}
