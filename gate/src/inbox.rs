//! What a client sent on one channel and nobody has taken yet. It must never give bytes to anyone
//! but the owner of the channel, who may only submit or, once granted, forward them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::flow::Flow;

#[derive(Default)]
struct State {
    queue: VecDeque<Bytes>,
    bytes: usize,
    eof: bool,
    overflow: bool,
    discarding: bool,
}

/// The input of one channel.
pub(crate) struct Inbox {
    state: Mutex<State>,
    changed: Notify,
    flow: Arc<Flow>,
}

/// What [`Inbox::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The next bytes.
    Bytes(Bytes),
    /// The client sends nothing more.
    Eof,
}

impl Inbox {
    /// An empty inbox of a connection.
    pub(crate) fn new(flow: Arc<Flow>) -> Self {
        Self { state: Mutex::default(), changed: Notify::new(), flow }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in bytes; never waits. False when they do not fit: the channel has to be closed.
    pub(crate) fn push(&self, bytes: Bytes) -> bool {
        let fits = {
            let mut state = self.lock();
            if state.discarding || state.overflow || bytes.is_empty() {
                return true;
            }
            let fits = self.flow.add(bytes.len());
            state.bytes += bytes.len();
            state.queue.push_back(bytes);
            state.overflow = !fits;
            fits
        };
        self.changed.notify_one();
        fits
    }

    /// The client has sent all it will.
    pub(crate) fn push_eof(&self) {
        self.lock().eof = true;
        self.changed.notify_one();
    }

    /// Throws away what is there and what will come.
    pub(crate) fn discard(&self) {
        let freed = {
            let mut state = self.lock();
            state.discarding = true;
            state.queue.clear();
            std::mem::take(&mut state.bytes)
        };
        self.flow.remove(freed);
        self.changed.notify_one();
    }

    /// The next bytes, or the end. One caller at a time.
    pub(crate) async fn next(&self) -> Taken {
        loop {
            let taken = {
                let mut state = self.lock();
                let next = state.queue.pop_front();
                if let Some(bytes) = &next {
                    state.bytes = state.bytes.saturating_sub(bytes.len());
                }
                match next {
                    Some(bytes) => Some(Taken::Bytes(bytes)),
                    None if state.eof => Some(Taken::Eof),
                    None => None,
                }
            };
            match taken {
                Some(Taken::Bytes(bytes)) => {
                    self.flow.remove(bytes.len());
                    return Taken::Bytes(bytes);
                }
                Some(Taken::Eof) => return Taken::Eof,
                None => self.changed.notified().await,
            }
        }
    }

    /// Whether more came than is allowed.
    pub(crate) fn overflowed(&self) -> bool {
        self.lock().overflow
    }

    /// Waits until the waiting bytes hold a `^C`. Not while another waits for [`Inbox::next`].
    pub(crate) async fn interrupted(&self) {
        while !self.holds_interrupt() {
            self.changed.notified().await;
        }
    }

    /// Whether the waiting bytes hold a `^C`.
    pub(crate) fn holds_interrupt(&self) -> bool {
        self.lock().queue.iter().any(|bytes| bytes.contains(&3))
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.discard();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn in_order_then_eof_and_accounted() {
        let flow = Arc::new(Flow::new(4, 8));
        let inbox = Inbox::new(Arc::clone(&flow));
        assert!(inbox.push(Bytes::from_static(b"abc")));
        assert!(inbox.push(Bytes::from_static(b"\x03e")));
        assert!(inbox.holds_interrupt());
        inbox.push_eof();
        assert!(!flow.may_read(std::task::Waker::noop()));
        assert_eq!(inbox.next().await, Taken::Bytes(Bytes::from_static(b"abc")));
        assert!(flow.may_read(std::task::Waker::noop()));
        assert_eq!(inbox.next().await, Taken::Bytes(Bytes::from_static(b"\x03e")));
        assert_eq!(inbox.next().await, Taken::Eof);
    }

    #[test]
    fn overflow_is_told_once_and_discard_frees() {
        let flow = Arc::new(Flow::new(4, 8));
        let inbox = Inbox::new(Arc::clone(&flow));
        assert!(!inbox.push(Bytes::from_static(b"123456789")));
        assert!(inbox.overflowed());
        inbox.discard();
        assert!(flow.add(8));
    }
}
