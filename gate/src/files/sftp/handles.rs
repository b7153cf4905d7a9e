//! The handles that the gate has given to one client, and what each refers to. A number is never
//! used twice, and the target's own handles must never reach the client.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use expacti_sftp::{Attrs, Handle, Present, RemotePath, Reply};

use super::pending_write::PendingWrite;
use crate::boundary::ReadHandle;

/// The most open handles of one channel.
pub(crate) const MAX_HANDLES: usize = 256;

/// What a handle refers to.
#[derive(Debug)]
pub(crate) enum Open {
    /// A directory being listed.
    Directory(Bytes),
    /// A file being read.
    File(ReadHandle, RemotePath),
    /// A file being written.
    PendingWrite(Box<PendingWrite>),
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    last: u64,
    open: HashMap<Handle, Open>,
    /// Paths of files that are being opened for writing, or were closed and are not decided yet,
    /// with the turn of each.
    pending: HashMap<RemotePath, BTreeSet<u64>>,
    turn: u64,
    /// Uploads that were not written, and the answers to their clients.
    refused: HashMap<RemotePath, Reply>,
}

/// How many refused uploads are remembered.
const MAX_REFUSED: usize = 256;

impl Handles {
    /// A new handle. When there are too many, `open` is returned.
    pub(crate) fn add(&mut self, open: Open) -> Result<Handle, Open> {
        if self.open.len() >= MAX_HANDLES {
            return Err(open);
        }
        self.last += 1;
        let handle = Handle(self.last);
        self.open.insert(handle, open);
        Ok(handle)
    }

    /// What a handle refers to.
    pub(crate) fn get(&self, handle: Option<Handle>) -> Option<&Open> {
        self.open.get(&handle?)
    }

    /// What a handle refers to, for changes.
    pub(crate) fn get_mut(&mut self, handle: Option<Handle>) -> Option<&mut Open> {
        self.open.get_mut(&handle?)
    }

    /// Removes a handle.
    pub(crate) fn remove(&mut self, handle: Option<Handle>) -> Option<Open> {
        self.open.remove(&handle?)
    }

    /// The number of files with changes that were never closed, and so never reviewed.
    pub(crate) fn unfinished(&self) -> usize {
        self.writes().filter(|write| write.is_dirty()).count()
    }

    /// The files being written.
    pub(crate) fn writes(&self) -> impl Iterator<Item = &PendingWrite> {
        self.open.values().filter_map(|open| match open {
            Open::PendingWrite(write) => Some(&**write),
            _ => None,
        })
    }

    /// The turn of a request that comes now.
    pub(crate) fn turn(&self) -> u64 {
        self.turn
    }

    /// Whether something from before that turn is pending at the path.
    pub(crate) fn is_pending(&self, path: &RemotePath, turn: u64) -> bool {
        self.pending.get(path).is_some_and(|turns| turns.first().is_some_and(|first| *first < turn))
    }

    /// Marks something as pending at these paths, and returns its turn.
    pub(super) fn expect(&mut self, paths: &[RemotePath]) -> u64 {
        let turn = self.turn;
        self.turn += 1;
        for path in paths {
            self.pending.entry(path.clone()).or_default().insert(turn);
        }
        turn
    }

    /// Ends what is pending at these paths.
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

    /// Remembers that an upload to these paths was not written. Some clients (paramiko) drop the
    /// answer to a `CLOSE` and look at the file instead; the next look repeats the answer.
    pub(crate) fn refuse(&mut self, paths: [RemotePath; 2], reply: &Reply) {
        for path in paths {
            if self.refused.len() < MAX_REFUSED {
                self.refused.insert(path, reply.clone());
            }
        }
    }

    /// The refusal of an upload to that path; it is returned once.
    pub(crate) fn refusal(&mut self, path: &RemotePath) -> Option<Reply> {
        self.refused.remove(path)
    }

    /// A new upload has begun: forgets the refusal of an earlier one.
    pub(crate) fn forget(&mut self, write: &PendingWrite) {
        self.refused.remove(&write.asked);
        self.refused.remove(&write.real);
    }

    /// The attributes of a file that the client has created and not closed yet: for that client it
    /// exists.
    pub(crate) fn made(&self, path: &RemotePath) -> Option<Attrs> {
        self.writes()
            .find(|write| {
                write.present == Present::Missing && (write.asked == *path || write.real == *path)
            })
            .map(PendingWrite::attrs)
    }
}
