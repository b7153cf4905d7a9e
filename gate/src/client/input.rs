//! What a client has sent on one channel and nobody has taken yet, in order: in memory first, and
//! past a limit in a nameless temporary file. It must never give bytes to anyone but the owner of
//! the channel, who may only submit them or, once granted, forward them.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::transport::backpressure::Backpressure;

/// Bytes read back from the file at a time.
const PIECE: u64 = 64 * 1024;

#[derive(Default)]
struct State {
    queue: VecDeque<Bytes>,
    bytes: usize,
    spill: Option<Spill>,
    eof: bool,
    /// No more input is accepted.
    closed: bool,
}

/// The part of the input that did not fit into memory. The file has no name: nobody else can open
/// it, and it disappears with the process.
struct Spill {
    file: File,
    read: u64,
    written: u64,
}

/// The input of one channel.
pub(crate) struct ChannelInput {
    state: Mutex<State>,
    changed: Notify,
    backpressure: Arc<Backpressure>,
}

/// What [`ChannelInput::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The next bytes.
    Bytes(Bytes),
    /// The client sends nothing more.
    Eof,
}

impl Spill {
    fn push(state: &mut Option<Self>, bytes: &[u8], max: u64) -> std::io::Result<()> {
        let spill = match state {
            Some(spill) => spill,
            None => state.insert(Self { file: tempfile::tempfile()?, read: 0, written: 0 }),
        };
        if spill.written - spill.read + bytes.len() as u64 > max {
            return Err(std::io::Error::other("the limit is reached"));
        }
        spill.file.write_all_at(bytes, spill.written)?;
        spill.written += bytes.len() as u64;
        Ok(())
    }

    fn pop(&mut self) -> std::io::Result<Bytes> {
        let n = (self.written - self.read).min(PIECE);
        let mut piece = vec![0; usize::try_from(n).unwrap_or(0)];
        self.file.read_exact_at(&mut piece, self.read)?;
        self.read += n;
        Ok(piece.into())
    }
}

impl ChannelInput {
    /// An empty input of a channel on that connection.
    pub(crate) fn new(backpressure: Arc<Backpressure>) -> Self {
        Self { state: Mutex::default(), changed: Notify::new(), backpressure }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds bytes; never waits. False when they cannot be kept: then the channel must be closed.
    pub(crate) fn push(&self, bytes: Bytes) -> bool {
        let kept = {
            let mut state = self.lock();
            if state.closed || bytes.is_empty() {
                return true;
            }
            if state.spill.is_some() || self.backpressure.is_full() {
                match Spill::push(&mut state.spill, &bytes, self.backpressure.spill()) {
                    Ok(()) => {
                        self.backpressure.add_spilled(bytes.len());
                        true
                    }
                    Err(error) => {
                        tracing::warn!(%error, "input of a channel cannot be kept");
                        state.closed = true;
                        false
                    }
                }
            } else {
                self.backpressure.add(bytes.len());
                state.bytes += bytes.len();
                state.queue.push_back(bytes);
                true
            }
        };
        self.changed.notify_one();
        kept
    }

    /// Puts back what was taken and not used: it comes next.
    pub(crate) fn give_back(&self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        {
            let mut state = self.lock();
            if state.closed {
                return;
            }
            self.backpressure.add(bytes.len());
            state.bytes += bytes.len();
            state.queue.push_front(bytes);
        }
        self.changed.notify_one();
    }

    /// Marks the end of the input.
    pub(crate) fn push_eof(&self) {
        self.lock().eof = true;
        self.changed.notify_one();
    }

    /// Whether no more input will come.
    pub(crate) fn has_ended(&self) -> bool {
        let state = self.lock();
        state.eof || state.closed
    }

    /// Drops what is there and what is still to come.
    pub(crate) fn discard(&self) {
        let freed = {
            let mut state = self.lock();
            state.closed = true;
            state.queue.clear();
            if let Some(spill) = state.spill.take() {
                self.backpressure.remove_spilled(spill.written - spill.read);
            }
            std::mem::take(&mut state.bytes)
        };
        self.backpressure.remove(freed);
        self.changed.notify_one();
    }

    /// The next bytes, or the end. One caller at a time.
    pub(crate) async fn next(&self) -> Taken {
        loop {
            if let Some(taken) = self.take() {
                return taken;
            }
            self.changed.notified().await;
        }
    }

    fn take(&self) -> Option<Taken> {
        let mut state = self.lock();
        if let Some(bytes) = state.queue.pop_front() {
            state.bytes = state.bytes.saturating_sub(bytes.len());
            drop(state);
            self.backpressure.remove(bytes.len());
            return Some(Taken::Bytes(bytes));
        }
        if let Some(spill) = &mut state.spill {
            let waiting = spill.written - spill.read;
            let popped = spill.pop();
            if spill.read == spill.written {
                state.spill = None;
            }
            match popped {
                Ok(bytes) => {
                    self.backpressure.remove_spilled(bytes.len() as u64);
                    return Some(Taken::Bytes(bytes));
                }
                Err(error) => {
                    self.backpressure.remove_spilled(waiting);
                    // A gap must not look like the stream: nothing more is returned, not even EOF,
                    // and the command waits until its client gives up.
                    tracing::error!(%error, "input of a channel was lost; it is not passed on");
                    state.spill = None;
                    state.closed = true;
                    state.eof = false;
                }
            }
        }
        state.eof.then_some(Taken::Eof)
    }

    /// Waits until the queued bytes contain a `^C`. Must not be used while someone else waits for
    /// [`ChannelInput::next`].
    pub(crate) async fn interrupted(&self) {
        while !self.holds_interrupt() {
            self.changed.notified().await;
        }
    }

    fn holds_interrupt(&self) -> bool {
        self.lock().queue.iter().any(|bytes| bytes.contains(&3))
    }
}

impl Drop for ChannelInput {
    fn drop(&mut self) {
        self.discard();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[tokio::test]
    async fn in_order_then_eof_and_accounted() {
        let backpressure = Arc::new(Backpressure::new(4, 8));
        let input = ChannelInput::new(Arc::clone(&backpressure));
        assert!(input.push(Bytes::from_static(b"abc")));
        assert!(input.push(Bytes::from_static(b"\x03e")));
        assert!(input.holds_interrupt());
        input.push_eof();
        assert!(backpressure.is_full());
        assert_eq!(input.next().await, Taken::Bytes(Bytes::from_static(b"abc")));
        assert!(!backpressure.is_full());
        assert_eq!(input.next().await, Taken::Bytes(Bytes::from_static(b"\x03e")));
        assert_eq!(input.next().await, Taken::Eof);
    }

    #[tokio::test]
    async fn what_is_given_back_comes_next() {
        let backpressure = Arc::new(Backpressure::new(64, 64));
        let input = ChannelInput::new(Arc::clone(&backpressure));
        assert!(input.push(Bytes::from_static(b"abc")));
        assert!(input.push(Bytes::from_static(b"d")));
        input.push_eof();
        let Taken::Bytes(mut bytes) = input.next().await else { panic!("no bytes") };
        input.give_back(bytes.split_off(1));
        assert_eq!(input.next().await, Taken::Bytes(Bytes::from_static(b"bc")));
        assert_eq!(input.next().await, Taken::Bytes(Bytes::from_static(b"d")));
        assert_eq!(input.next().await, Taken::Eof);
    }

    #[test]
    fn past_all_bounds_it_refuses() {
        let backpressure = Arc::new(Backpressure::new(4, 8));
        let input = ChannelInput::new(Arc::clone(&backpressure));
        assert!(input.push(Bytes::from_static(b"1234")));
        assert!(input.push(Bytes::from_static(b"12345678")));
        assert!(!input.push(Bytes::from_static(b"9")));
        input.discard();
        assert!(!backpressure.is_full());
        assert!(input.push(Bytes::from_static(b"ignored")));
    }

    proptest! {
        /// Whatever the bounds and the rhythm, what comes out is what went in.
        #[test]
        fn a_stream_stays_a_stream(
            pieces in proptest::collection::vec((1usize..200, any::<bool>()), 1..60),
            limit in 1usize..300,
        ) {
            let input = ChannelInput::new(Arc::new(Backpressure::new(limit, 1 << 20)));
            let (mut sent, mut got) = (Vec::new(), Vec::new());
            for (n, read) in pieces {
                let start = sent.len();
                sent.extend((start..start + n).map(|i| (i % 251) as u8));
                prop_assert!(input.push(Bytes::copy_from_slice(&sent[start..])));
                if read && let Some(Taken::Bytes(bytes)) = input.take() {
                    got.extend_from_slice(&bytes);
                }
            }
            input.push_eof();
            loop {
                match input.take() {
                    Some(Taken::Bytes(bytes)) => got.extend_from_slice(&bytes),
                    Some(Taken::Eof) => break,
                    None => panic!("the end is missing"),
                }
            }
            prop_assert_eq!(got, sent);
        }
    }
}
