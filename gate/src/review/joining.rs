//! Standard input that comes while its command waits: what of it the broker has, and when it hears of
//! more. Pure; [`super::hold`] drives it. It must never say that something came which did not.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use expacti_protocol::digest::StreamDigest;
use expacti_protocol::input::InputRef;

/// The shortest time between two revisions.
const PAUSE: Duration = Duration::from_millis(250);

/// Silence after which nothing more joins: what comes later is an item of its own.
const IDLE: Duration = Duration::from_secs(2);

/// The most revisions of one item.
const MAX_REVISIONS: u32 = 10;

/// How many of them give people the whole time again, as the broker counts.
const MAX_RESTARTS: u32 = 3;

/// More of a command's standard input, for the broker.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Revision {
    /// How much of it the broker has.
    pub(crate) offset: u64,
    /// What comes after that.
    pub(crate) bytes: Bytes,
    /// What it is with that.
    pub(crate) input: InputRef,
    /// People have the whole time again.
    pub(crate) restarts: bool,
}

/// The state of one command's input.
#[derive(Default)]
pub(crate) struct Joining {
    /// It can join at all, and still does.
    open: bool,
    max: usize,
    digest: StreamDigest,
    unsent: BytesMut,
    ended: bool,
    end_sent: bool,
    revisions: u32,
    began: Option<Instant>,
    latest: Option<Instant>,
    sent: Option<Instant>,
}

impl Joining {
    /// Input joins from now on, up to so many bytes.
    pub(crate) fn open(&mut self, max: usize) {
        self.open = true;
        self.max = max;
    }

    /// Nothing joins any more.
    pub(crate) fn close(&mut self) {
        self.open = false;
    }

    /// Whether more input is to be taken.
    pub(crate) fn wants(&self) -> bool {
        self.open && !self.ended && self.room() > 0 && self.revisions < MAX_REVISIONS
    }

    /// How many more bytes may join.
    pub(crate) fn room(&self) -> usize {
        self.max.saturating_sub(usize::try_from(self.digest.bytes()).unwrap_or(usize::MAX))
    }

    /// Bytes have come; no more than there is room for.
    pub(crate) fn bytes(&mut self, bytes: &[u8], now: Instant) {
        self.digest.update(bytes);
        self.unsent.extend_from_slice(bytes);
        self.began.get_or_insert(now);
        self.latest = Some(now);
    }

    /// The end has come. Of empty input it is nothing to decide on.
    pub(crate) fn end(&mut self, now: Instant) {
        if self.digest.bytes() == 0 {
            return self.close();
        }
        self.ended = true;
        self.latest = Some(now);
    }

    /// When there is something to do: a revision to send, or the silence to note.
    pub(crate) fn next(&self) -> Option<Instant> {
        if !self.open {
            return None;
        }
        let latest = self.latest?;
        if self.has_news() {
            let soon = self.sent.or(self.began).map_or(latest, |since| since + self.pause());
            // Nothing comes after the end, or once it is full: why wait?
            return Some(if self.ended || self.room() == 0 { latest } else { soon });
        }
        Some(latest + IDLE)
    }

    fn has_news(&self) -> bool {
        !self.unsent.is_empty() || self.ended && !self.end_sent
    }

    /// Fewer as time passes, so that slow input joins for a while.
    fn pause(&self) -> Duration {
        let age = match (self.began, self.sent) {
            (Some(began), Some(sent)) => sent.saturating_duration_since(began),
            _ => Duration::ZERO,
        };
        PAUSE.max(age / 3)
    }

    /// The revision that is due; `None` if none is.
    pub(crate) fn revision(&mut self, now: Instant) -> Option<Revision> {
        if !self.open || self.next().is_none_or(|next| now < next) {
            return None;
        }
        if !self.has_news() {
            self.close();
            return None;
        }
        let bytes = std::mem::take(&mut self.unsent).freeze();
        let summary = self.digest.summary();
        self.end_sent = self.ended;
        self.sent = Some(now);
        self.revisions += 1;
        if self.ended || self.revisions >= MAX_REVISIONS || self.room() == 0 {
            self.close();
        }
        Some(Revision {
            offset: summary.bytes.saturating_sub(bytes.len() as u64),
            bytes,
            input: InputRef { bytes: summary.bytes, sha256: summary.sha256, ended: self.ended },
            restarts: self.revisions <= MAX_RESTARTS,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use expacti_protocol::digest::Digest;
    use proptest::prelude::*;

    use super::*;

    fn opened(max: usize) -> Joining {
        let mut joining = Joining::default();
        joining.open(max);
        joining
    }

    #[test]
    fn a_script_with_its_end_is_one_revision_at_once() {
        let now = Instant::now();
        let mut joining = opened(100);
        assert!(joining.wants());
        assert_eq!(joining.next(), None);
        joining.bytes(b"ls\n", now);
        assert!(joining.revision(now).is_none());
        joining.bytes(b"id\n", now);
        joining.end(now);
        let revision = joining.revision(now).unwrap();
        assert_eq!(revision.bytes.as_ref(), b"ls\nid\n");
        let all = InputRef { bytes: 6, sha256: Digest::of(b"ls\nid\n"), ended: true };
        assert_eq!((revision.offset, revision.input), (0, all));
        assert!(!joining.wants());
        assert_eq!(joining.next(), None);
    }

    #[test]
    fn the_end_of_nothing_is_nothing() {
        let now = Instant::now();
        let mut joining = opened(100);
        joining.end(now);
        assert!(!joining.wants());
        assert!(joining.revision(now + IDLE).is_none());
    }

    #[test]
    fn silence_closes_it_and_nothing_comes_before_it_is_open() {
        let now = Instant::now();
        let mut joining = Joining::default();
        assert!(!joining.wants());
        joining.open(100);
        joining.bytes(b"ls\n", now);
        assert_eq!(joining.next(), Some(now + PAUSE));
        assert!(!joining.revision(now + PAUSE).unwrap().input.ended);
        assert!(joining.wants());
        assert_eq!(joining.next(), Some(now + IDLE));
        assert!(joining.revision(now + IDLE).is_none());
        assert!(!joining.wants());
    }

    proptest! {
        /// Whatever the rhythm: the revisions put together are what came, within every bound.
        #[test]
        fn revisions_add_up(
            pieces in proptest::collection::vec((1usize..40, 0u64..900, any::<bool>()), 1..60),
            max in 1usize..400,
        ) {
            let mut now = Instant::now();
            let mut joining = opened(max);
            let (mut came, mut got, mut revisions) = (Vec::new(), Vec::new(), 0);
            for (n, ms, end) in pieces {
                now += Duration::from_millis(ms);
                if let Some(revision) = joining.revision(now) {
                    prop_assert_eq!(revision.offset, got.len() as u64);
                    got.extend_from_slice(&revision.bytes);
                    prop_assert_eq!(revision.input.sha256, Digest::of(&got));
                    revisions += 1;
                }
                if joining.wants() {
                    let bytes = vec![7; n.min(joining.room())];
                    joining.bytes(&bytes, now);
                    came.extend(bytes);
                    if end {
                        joining.end(now);
                    }
                }
            }
            prop_assert!(came.starts_with(&got));
            prop_assert!(came.len() <= max);
            prop_assert!(revisions <= MAX_REVISIONS);
        }
    }
}
