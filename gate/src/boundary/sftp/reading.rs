//! One file that a client reads: how much of it and for how long, and what the client was given. It
//! must never let a byte of a file pass without taking it down.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use expacti_protocol::digest::StreamDigest;
use expacti_protocol::ids::CommandId;
use expacti_protocol::reads::FileRead;
use expacti_sftp::{RemotePath, Reply, StatusCode};
use tokio::sync::mpsc;

use crate::broker::event::OpenSession;
use crate::limits::Limits;

/// A file that was opened for reading, checked against its path.
#[derive(Debug)]
pub(crate) struct OpenFile {
    /// The target's handle.
    pub(crate) handle: Bytes,
    /// The real path.
    pub(crate) path: RemotePath,
    /// Length when it was opened, in bytes.
    pub(crate) size: u64,
}

/// Why a file may be read.
#[derive(Debug, Clone)]
pub(crate) enum Why {
    /// It is free to be read.
    Free,
    /// An item was approved, in which it had this size.
    Approved(CommandId, u64),
}

/// What was read on one connection.
#[derive(Debug, Default)]
pub(crate) struct ReadCounts {
    /// Bytes read without a decision.
    free: AtomicU64,
    /// Files in the log.
    listed: AtomicU64,
}

impl ReadCounts {
    /// Whether more may be read without a decision.
    pub(crate) fn has_room(&self, limits: &Limits) -> bool {
        self.free.load(Ordering::Relaxed) < limits.free_bytes
    }

    /// Whether one more file is to be listed in the log.
    pub(crate) fn is_listed(&self, limits: &Limits) -> bool {
        self.listed.fetch_add(1, Ordering::Relaxed) < limits.listed_reads
    }
}

/// Files that were read, on their way to the log.
pub(crate) type Reads = mpsc::UnboundedSender<(OpenSession, FileRead)>;

/// A file being read. What was read is told when the last part of the gate lets go of it: after the
/// handle was closed and the last answer came, or when the channel ends.
#[derive(Debug)]
pub(crate) struct Reading {
    path: RemotePath,
    size: u64,
    why: Why,
    session: OpenSession,
    /// How far it may be read, in bytes.
    end: u64,
    until: Instant,
    counts: Arc<ReadCounts>,
    limits: Limits,
    reads: Reads,
    given: Mutex<Given>,
}

/// What the client was given.
#[derive(Default)]
struct Given {
    /// There was an answer, even if it had no bytes.
    any: bool,
    bytes: u64,
    /// Where the next piece begins if the file is read in order.
    next: u64,
    scattered: bool,
    digest: StreamDigest,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Given({} bytes)", self.bytes)
    }
}

/// Bytes of an approved file that has no size of its own, as those of `/proc` have none.
const SIZELESS: u64 = 1024 * 1024;

impl Reading {
    /// Of a file that was just opened.
    pub(crate) fn new(
        file: &OpenFile,
        why: Why,
        session: OpenSession,
        counts: Arc<ReadCounts>,
        limits: &Limits,
        reads: Reads,
    ) -> Arc<Self> {
        let end = match why {
            Why::Free => limits.free_file,
            Why::Approved(_, 0) => SIZELESS,
            Why::Approved(_, size) => size,
        };
        Arc::new(Self {
            path: file.path.clone(),
            size: file.size,
            why,
            session,
            end,
            until: Instant::now() + limits.open_file,
            counts,
            limits: limits.clone(),
            reads,
            given: Mutex::default(),
        })
    }

    /// The session in which it was opened.
    pub(crate) fn session(&self) -> &OpenSession {
        &self.session
    }

    /// How many bytes a client may have from there; otherwise the answer.
    pub(crate) fn admit(&self, offset: u64, length: u32) -> Result<u32, Reply> {
        let denied =
            |why: &str| Err(Reply::Status(StatusCode::PermissionDenied, format!("expacti: {why}")));
        if Instant::now() >= self.until {
            return denied("the file has been open for too long: open it again");
        }
        let left = self.end.saturating_sub(offset);
        match self.why {
            Why::Approved(..) if left == 0 => return Err(Reply::status(StatusCode::Eof, "")),
            Why::Free if left == 0 => {
                return denied("the file is too large to be read without a decision");
            }
            Why::Free if !self.counts.has_room(&self.limits) => {
                return denied("too much was read without a decision: open the file again to ask");
            }
            _ => {}
        }
        Ok(length.min(u32::try_from(left).unwrap_or(u32::MAX)))
    }

    /// Takes down what the target gave from there, before the client gets it.
    pub(crate) fn took(&self, offset: u64, reply: &Reply) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.any = true;
        let Reply::Data(data) = reply else { return };
        let length = data.len() as u64;
        if !given.scattered && offset != given.next {
            given.scattered = true;
            let first = given.digest.summary().sha256;
            given.digest = StreamDigest::default();
            given.digest.update(first.as_bytes());
        }
        if given.scattered {
            given.digest.update(&offset.to_be_bytes());
            given.digest.update(&length.to_be_bytes());
        }
        given.digest.update(data);
        given.next = offset.saturating_add(length);
        given.bytes = given.bytes.saturating_add(length);
        if matches!(self.why, Why::Free) {
            self.counts.free.fetch_add(length, Ordering::Relaxed);
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let given = self.given.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !given.any {
            return;
        }
        let read = FileRead {
            path: self.path.to_string(),
            size: Some(self.size),
            bytes: given.bytes,
            sha256: given.digest.summary().sha256,
            scattered: given.scattered,
            command_id: match &self.why {
                Why::Free => None,
                Why::Approved(id, _) => Some(id.clone()),
            },
        };
        // The receiver ends after the last sender.
        self.reads.send((self.session.clone(), read)).ok();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use expacti_protocol::digest::Digest;
    use expacti_protocol::ids::SessionId;

    use super::*;

    fn reading(
        why: Why,
        limits: &Limits,
    ) -> (Arc<Reading>, mpsc::UnboundedReceiver<(OpenSession, FileRead)>) {
        let path = RemotePath::new(&b"/srv/x"[..]).unwrap();
        let file = OpenFile { handle: Bytes::new(), path, size: 9 };
        let session =
            OpenSession { id: SessionId::new(), epoch: 1, ask_shell: false, info: Arc::default() };
        let (reads, taken) = mpsc::unbounded_channel();
        (Reading::new(&file, why, session, Arc::default(), limits, reads), taken)
    }

    fn data(bytes: &'static [u8]) -> Reply {
        Reply::Data(Bytes::from_static(bytes))
    }

    #[test]
    fn what_was_given_is_told_at_the_end() {
        let (reading, mut taken) = reading(Why::Free, &Limits::default());
        reading.took(0, &data(b"hello "));
        let second = Arc::clone(&reading);
        drop(reading);
        second.took(6, &data(b"you"));
        second.took(9, &Reply::status(StatusCode::Eof, ""));
        assert!(taken.try_recv().is_err(), "told while an answer is awaited");
        drop(second);
        let (_, read) = taken.try_recv().unwrap();
        assert_eq!((read.path.as_str(), read.size, read.bytes), ("/srv/x", Some(9), 9));
        assert_eq!((read.sha256, read.scattered), (Digest::of(b"hello you"), false));
        assert_eq!(read.command_id, None);
    }

    #[test]
    fn other_orders_have_digests_of_their_own() {
        let digest = |pieces: &[(u64, &'static [u8])]| {
            let (reading, mut taken) = reading(Why::Free, &Limits::default());
            for (offset, bytes) in pieces {
                reading.took(*offset, &data(bytes));
            }
            drop(reading);
            let (_, read) = taken.try_recv().unwrap();
            (read.sha256, read.scattered)
        };
        let mut expected = Digest::of(b"ab").as_bytes().to_vec();
        expected.extend([0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1]);
        expected.extend(b"x");
        assert_eq!(digest(&[(0, b"ab"), (5, b"x")]), (Digest::of(&expected), true));
        assert_ne!(digest(&[(1, b"ab")]), digest(&[(0, b"ab")]));
        assert_ne!(digest(&[(0, b"ab"), (0, b"ab")]), digest(&[(0, b"abab")]));
    }

    #[test]
    fn nothing_read_is_nothing_told() {
        let (reading, mut taken) = reading(Why::Free, &Limits::default());
        drop(reading);
        assert!(taken.try_recv().is_err());
    }

    #[test]
    fn limits() {
        let limits = Limits { free_file: 10, free_bytes: 12, ..Limits::default() };
        let (free, _) = reading(Why::Free, &limits);
        assert_eq!(free.admit(8, 100), Ok(2));
        assert!(matches!(free.admit(10, 1), Err(Reply::Status(StatusCode::PermissionDenied, _))));
        free.took(0, &data(b"123456"));
        assert_eq!(free.admit(0, 4), Ok(4));
        free.took(0, &data(b"123456"));
        assert!(free.admit(0, 4).is_err(), "the bytes of the connection are used up");
        let (approved, _) = reading(Why::Approved(CommandId::new(), 9), &limits);
        assert_eq!(approved.admit(5, 100), Ok(4));
        assert!(matches!(approved.admit(9, 1), Err(Reply::Status(StatusCode::Eof, _))));
        let slow = Limits { open_file: std::time::Duration::ZERO, ..Limits::default() };
        assert!(reading(Why::Free, &slow).0.admit(0, 1).is_err());
    }
}
