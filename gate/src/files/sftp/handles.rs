//! The handles that the gate has given to one client, and what each refers to. A number is never
//! used twice, and the target's own handles must never reach the client.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use expacti_sftp::{Attrs, Handle, Present, RemotePath, Reply};

use super::pending_write::PendingWrite;

/// Handles of one channel at one time.
pub(crate) const MAX_HANDLES: usize = 256;

/// What is behind a handle.
#[derive(Debug)]
pub(crate) enum Open {
    /// A directory that is listed.
    Directory(Bytes),
    /// A file that is read.
    File(Bytes, RemotePath),
    /// A file that is written.
    PendingWrite(Box<PendingWrite>),
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    last: u64,
    open: HashMap<Handle, Open>,
    /// Paths of files that are being opened for writing or were closed and are not decided on
    /// yet, with the turn of each.
    pending: HashMap<RemotePath, BTreeSet<u64>>,
    turn: u64,
    /// Uploads that were not written, and what their clients were told.
    refused: HashMap<RemotePath, Reply>,
}

/// Refused uploads that are kept in mind.
const MAX_REFUSED: usize = 256;

impl Handles {
    /// A new handle; nothing when there are too many: what was to be behind it comes back.
    pub(crate) fn add(&mut self, open: Open) -> Result<Handle, Open> {
        if self.open.len() >= MAX_HANDLES {
            return Err(open);
        }
        self.last += 1;
        let handle = Handle(self.last);
        self.open.insert(handle, open);
        Ok(handle)
    }

    /// What is behind it.
    pub(crate) fn get(&self, handle: Option<Handle>) -> Option<&Open> {
        self.open.get(&handle?)
    }

    /// What is behind it, to be changed.
    pub(crate) fn get_mut(&mut self, handle: Option<Handle>) -> Option<&mut Open> {
        self.open.get_mut(&handle?)
    }

    /// The handle is given back.
    pub(crate) fn remove(&mut self, handle: Option<Handle>) -> Option<Open> {
        self.open.remove(&handle?)
    }

    /// Files that hold something that was never closed, so never reviewed.
    pub(crate) fn unfinished(&self) -> usize {
        self.writes().filter(|write| write.is_dirty()).count()
    }

    /// Files that are being written.
    pub(crate) fn writes(&self) -> impl Iterator<Item = &PendingWrite> {
        self.open.values().filter_map(|open| match open {
            Open::PendingWrite(write) => Some(&**write),
            _ => None,
        })
    }

    /// The turn of what comes now.
    pub(crate) fn turn(&self) -> u64 {
        self.turn
    }

    /// Whether something that came before that turn is pending at the path.
    pub(crate) fn is_pending(&self, path: &RemotePath, turn: u64) -> bool {
        self.pending.get(path).is_some_and(|turns| turns.first().is_some_and(|first| *first < turn))
    }

    /// Something is pending at these paths; gives its turn.
    pub(super) fn expect(&mut self, paths: &[RemotePath]) -> u64 {
        let turn = self.turn;
        self.turn += 1;
        for path in paths {
            self.pending.entry(path.clone()).or_default().insert(turn);
        }
        turn
    }

    /// It is not any more.
    pub(super) fn settle(&mut self, paths: &[RemotePath], turn: u64) {
        for path in paths {
            if let Some(turns) = self.pending.get_mut(path) {
                turns.remove(&turn);
                if turns.is_empty() {
                    self.pending.remove(path);
                }
            }
        }
    }

    /// An upload to these paths was not written. Some clients (paramiko) drop the answer to a
    /// `CLOSE` and look at the file instead: the next look says it once more.
    pub(crate) fn refuse(&mut self, paths: [RemotePath; 2], reply: &Reply) {
        for path in paths {
            if self.refused.len() < MAX_REFUSED {
                self.refused.insert(path, reply.clone());
            }
        }
    }

    /// What became of an upload to that path, once.
    pub(crate) fn refusal(&mut self, path: &RemotePath) -> Option<Reply> {
        self.refused.remove(path)
    }

    /// A new upload has begun: what became of an earlier one no longer matters.
    pub(crate) fn forget(&mut self, write: &PendingWrite) {
        self.refused.remove(&write.asked);
        self.refused.remove(&write.real);
    }

    /// A file that its client has made and not closed yet: it is there for that client.
    pub(crate) fn made(&self, path: &RemotePath) -> Option<Attrs> {
        self.writes()
            .find(|write| {
                write.present == Present::Missing && (write.asked == *path || write.real == *path)
            })
            .map(PendingWrite::attrs)
    }
}
