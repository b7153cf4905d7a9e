//! What the parts of one SFTP conversation share: its handles, and the paths with something
//! pending.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use expacti_sftp::{Query, RemotePath, Reply, StatusCode};
use tokio::sync::Notify;

use super::handles::{Handles, Open};
use super::pending_write::PendingWrite;
use crate::boundary::{OpenFile, Opening, ReadHandle, Reading, Reads, TargetLost, TargetSftp, Why};
use crate::client::connection::Connection;
use crate::reads::ReadPolicy;
use crate::staging::spool::Budget;

/// What the parts of one conversation share.
pub(crate) struct Service {
    pub(super) connection: Arc<Connection>,
    pub(super) sftp: Arc<TargetSftp>,
    pub(super) handles: Mutex<Handles>,
    pub(super) budget: Arc<Budget>,
    /// Where what was read is told.
    pub(super) reads: Reads,
    /// Notified when something is no longer pending.
    pub(super) settled: Notify,
    /// The client sends the two paths of a `SYMLINK` in OpenSSH's order.
    pub(super) openssh_symlink: bool,
}

impl Service {
    pub(super) fn handles(&self) -> MutexGuard<'_, Handles> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the client is still writing a file, so that more may be closed in a moment.
    pub(super) fn is_writing(&self) -> bool {
        self.handles().writes().any(PendingWrite::has_bytes)
    }

    /// Waits while something from before that turn is pending at a path.
    pub(super) async fn settled(&self, path: &RemotePath, turn: u64) {
        loop {
            let changed = self.settled.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if !self.handles().is_pending(path, turn) {
                return;
            }
            changed.await;
        }
    }

    /// Writes a line to the session's recording.
    pub(super) async fn note(&self, line: &str) {
        self.connection.note(line).await;
    }

    /// Opens a file for reading, if it may be read without a decision.
    pub(super) async fn open_read(&self, path: &RemotePath) -> Result<Opening, TargetLost> {
        let shared = &self.connection.shared;
        let room = self.connection.reads.has_room(&shared.limits);
        let policy = if room { &shared.reads } else { &ReadPolicy::Nothing };
        self.sftp.open_read(path, |real| policy.is_free(real)).await
    }

    /// Whether what is read of the file reaches the log.
    pub(super) fn is_recorded(&self, read: &ReadHandle) -> bool {
        self.connection.shared.link.is_current(read.reading.session().epoch)
    }

    /// The target has opened something for reading: the answer for the client.
    pub(super) async fn opened(
        &self,
        file: OpenFile,
        why: Why,
        write: Option<Box<PendingWrite>>,
    ) -> Reply {
        let session = match self.connection.current().await {
            Ok(session) => session,
            Err(refusal) => {
                self.sftp.ask(&Query::Close { handle: file.handle }).await.ok();
                return Reply::Status(StatusCode::Failure, refusal.message);
            }
        };
        let (counts, limits) = (&self.connection.reads, &self.connection.shared.limits);
        let reads = self.reads.clone();
        let reading = Reading::new(&file, why, session, Arc::clone(counts), limits, reads);
        let read = ReadHandle { handle: file.handle, reading };
        let open = match write {
            Some(mut write) => {
                write.read = Some(read);
                Open::PendingWrite(write)
            }
            None => Open::File(read, file.path),
        };
        self.give(open).await
    }

    /// Gives the client a new handle. If there are too many, the file is closed.
    pub(super) async fn give(&self, open: Open) -> Reply {
        let given = self.handles().add(open);
        match given {
            Ok(handle) => Reply::handle(handle),
            Err(open) => {
                self.close(open).await;
                Reply::status(StatusCode::Failure, "expacti: too many files are open")
            }
        }
    }

    /// Closes what is open on the target.
    pub(super) async fn close(&self, open: Open) {
        let handle = match open {
            Open::Directory(handle) => Some(handle),
            Open::File(read, _) => Some(read.handle),
            Open::PendingWrite(write) => write.read.map(|read| read.handle),
        };
        if let Some(handle) = handle {
            self.sftp.ask(&Query::Close { handle }).await.ok();
        }
    }
}

/// What is read has to be taken down.
pub(super) fn unrecorded() -> Reply {
    let why = "expacti: the broker cannot be reached: nothing more is read";
    Reply::status(StatusCode::PermissionDenied, why)
}

/// Paths where a file is being opened for writing, or was closed and waits for its decision.
/// Requests for these paths have to wait, as they would with a server that does one thing after
/// another.
pub(crate) struct Expected {
    service: Arc<Service>,
    pub(super) paths: [RemotePath; 2],
    turn: u64,
}

impl Expected {
    pub(super) fn new(service: &Arc<Service>, paths: [RemotePath; 2]) -> Self {
        let turn = service.handles().expect(&paths);
        Self { service: Arc::clone(service), paths, turn }
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.service.handles().settle(&self.paths, self.turn);
        self.service.settled.notify_waiters();
    }
}
