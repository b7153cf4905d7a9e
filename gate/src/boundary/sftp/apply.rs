//! Carries out one approved change. First it checks once more that the target is as it was when the
//! change was reviewed; then it sends exactly the steps of that change.

use std::collections::VecDeque;

use bytes::Bytes;
use expacti_protocol::digest::StreamDigest;
use expacti_sftp::{
    Attrs, Change, OpenMode, Present, Query, RemotePath, Reply, StatusCode, Step, Upload,
};
use tokio::sync::oneshot;

use super::approved::ApprovedChange;
use super::reading::OpenFile;
use super::server::{Opened, TargetSftp, may_become};
use crate::boundary::channel::TargetLost;
use crate::staging::spool::Sealed;

/// Bytes in one `WRITE`: what every server accepts (the SFTP draft demands a little over 32 KiB).
const PIECE: usize = 32 * 1024;

/// `WRITE`s in flight at the same time.
const ON_THE_WAY: usize = 32;

/// The result of an approved change.
#[derive(Debug)]
pub(crate) enum Applied {
    /// Done.
    Done,
    /// A file was opened for reading.
    Opened(OpenFile),
    /// Nothing was sent: it would no longer do what was reviewed.
    Changed(&'static str),
    /// The target refused; if it had begun, a part may have been written.
    Refused {
        /// The target's answer.
        reply: Reply,
        /// The target had already accepted something.
        begun: bool,
    },
}

impl TargetSftp {
    /// Carries out the change, once.
    pub(crate) async fn apply(&self, approved: &ApprovedChange) -> Result<Applied, TargetLost> {
        let change = approved.change();
        if let Some(why) = self.changed(change).await? {
            return Ok(Applied::Changed(why));
        }
        let attrs_of = |mode: &Option<u32>| Attrs { mode: *mode, ..Attrs::default() };
        let step = match change {
            Change::Write(upload) => {
                return match approved.content() {
                    Some(content) => self.write(upload, content).await,
                    None => Ok(Applied::Changed("its content is missing")),
                };
            }
            Change::Read { path, present } => return self.open_approved(path, present).await,
            Change::Hardlink { old, new } => Step::Hardlink { old, new },
            Change::Mkdir { path, mode } => Step::Mkdir { path, attrs: attrs_of(mode) },
            Change::Remove { path, .. } => Step::Remove { path },
            Change::Rename { old, new, posix: true, .. } => Step::PosixRename { old, new },
            Change::Rename { old, new, posix: false, .. } => Step::Rename { old, new },
            Change::Rmdir { path } => Step::Rmdir { path },
            Change::Setstat { path, attrs, link: true, .. } => {
                Step::Lsetstat { path, attrs: *attrs }
            }
            Change::Setstat { path, attrs, link: false, .. } => {
                Step::Setstat { path, attrs: *attrs }
            }
            Change::Symlink { target, link, openssh } => {
                Step::Symlink { target, link, openssh: *openssh }
            }
        };
        let reply = self.done(&step).await?;
        Ok(if reply.is_ok() { Applied::Done } else { Applied::Refused { reply, begun: false } })
    }

    async fn open_approved(
        &self,
        path: &RemotePath,
        reviewed: &Present,
    ) -> Result<Applied, TargetLost> {
        match self.open_real(path).await? {
            Opened::File(file, attrs) if has_grown(reviewed, &Present::There(attrs)) => {
                Ok(Applied::Opened(file))
            }
            Opened::File(file, _) => {
                self.ask(&Query::Close { handle: file.handle }).await?;
                Ok(Applied::Changed(OTHER))
            }
            Opened::Elsewhere => Ok(Applied::Changed(MOVED)),
            Opened::Refused(reply) => Ok(Applied::Refused { reply, begun: false }),
        }
    }

    async fn done(&self, step: &Step<'_>) -> Result<Reply, TargetLost> {
        self.step(step).await?.await.map_err(|_| TargetLost)
    }

    /// Why the change no longer is what was reviewed: a path leads elsewhere, or something else is
    /// there. `None` when all is as reviewed.
    async fn changed(&self, change: &Change) -> Result<Option<&'static str>, TargetLost> {
        for path in change.paths() {
            if matches!(change, Change::Symlink { target, .. } if target == path) {
                continue;
            }
            if !self.is_real(path).await? {
                return Ok(Some(MOVED));
            }
        }
        let (path, present) = match change {
            Change::Write(upload) => (&upload.path, &upload.present),
            Change::Read { path, present } => {
                let now = self.present(path).await?;
                return Ok((!has_grown(present, &now)).then_some(OTHER));
            }
            Change::Remove { path, present } | Change::Setstat { path, present, .. } => {
                (path, present)
            }
            Change::Rename { new, over, .. } => (new, over),
            Change::Hardlink { .. }
            | Change::Mkdir { .. }
            | Change::Rmdir { .. }
            | Change::Symlink { .. } => return Ok(None),
        };
        Ok((!same(present, &self.present(path).await?)).then_some(OTHER))
    }

    /// Whether no part of the path's directory is a link.
    async fn is_real(&self, path: &RemotePath) -> Result<bool, TargetLost> {
        let Some((directory, name)) = path.split_name() else {
            // The root.
            return Ok(path.as_bytes() == b"/");
        };
        let real = match self.ask(&Query::Realpath { path: directory }).await? {
            Reply::Name { first: Some(real), .. } => real,
            _ => return Ok(false),
        };
        Ok(real.join(&name).is_ok_and(|whole| whole == *path))
    }

    /// What is at a path, without following a link there. In doubt, something is there.
    pub(crate) async fn present(&self, path: &RemotePath) -> Result<Present, TargetLost> {
        Ok(match self.ask(&Query::Lstat { path: path.clone() }).await? {
            Reply::Attrs(attrs) => Present::There(attrs),
            reply if reply.is_missing() => Present::Missing,
            _ => Present::There(Attrs::default()),
        })
    }

    async fn write(&self, upload: &Upload, content: &Sealed) -> Result<Applied, TargetLost> {
        let create = Attrs { mode: upload.create, ..Attrs::default() };
        let attrs = if upload.mode == OpenMode::CreateNew { create } else { Attrs::default() };
        let open = Step::OpenWrite { path: &upload.path, mode: upload.mode, attrs };
        let handle = match self.done(&open).await? {
            Reply::Handle(handle) => handle,
            reply => return Ok(Applied::Refused { reply, begun: false }),
        };
        let written = match self.fill(&handle, upload, content).await {
            Ok(()) => None,
            Err(NotWritten::Refused(reply)) => Some(reply),
            Err(NotWritten::Lost) => return Err(TargetLost),
        };
        // Closed in any case: some servers report only then that something was not written.
        let closed = self.ask(&Query::Close { handle }).await?;
        Ok(match written {
            Some(reply) => Applied::Refused { reply, begun: true },
            None if closed.is_ok() => Applied::Done,
            None => Applied::Refused { reply: closed, begun: true },
        })
    }

    /// Everything between opening and closing.
    async fn fill(
        &self,
        handle: &Bytes,
        upload: &Upload,
        content: &Sealed,
    ) -> Result<(), NotWritten> {
        if let Some(cut) = upload.cut {
            let attrs = Attrs { size: Some(cut), ..Attrs::default() };
            accepted(self.done(&Step::Fsetstat { handle, attrs }).await?)?;
        }
        self.bytes(handle, content).await?;
        let attrs = (!upload.attrs.is_empty()).then_some(upload.attrs);
        let set = attrs.map(|attrs| Step::Fsetstat { handle, attrs });
        let sync = upload.sync.then_some(Step::Fsync { handle });
        for step in [set, sync].into_iter().flatten() {
            accepted(self.done(&step).await?)?;
        }
        Ok(())
    }

    /// Writes the bytes of all pieces, and hashes them again on the way.
    async fn bytes(&self, handle: &Bytes, content: &Sealed) -> Result<(), NotWritten> {
        let mut sent = StreamDigest::default();
        let mut waiting: VecDeque<oneshot::Receiver<Reply>> = VecDeque::new();
        let scattered = content.is_scattered();
        for piece in content.pieces() {
            if scattered {
                sent.update(&piece.offset.to_be_bytes());
                sent.update(&piece.length.to_be_bytes());
            }
            let mut done = 0;
            while done < piece.length {
                let Ok(data) = content.read(&piece, done, PIECE) else {
                    return Err(NotWritten::Refused(lost_bytes()));
                };
                sent.update(&data);
                let offset = piece.offset + done;
                done += data.len() as u64;
                waiting.push_back(self.step(&Step::Write { handle, offset, data: &data }).await?);
                if waiting.len() >= ON_THE_WAY
                    && let Some(first) = waiting.pop_front()
                {
                    accepted(first.await.map_err(|_| TargetLost)?)?;
                }
            }
        }
        for last in waiting {
            accepted(last.await.map_err(|_| TargetLost)?)?;
        }
        let right = sent.summary().sha256.as_bytes() == &content.summary().sha256;
        if right { Ok(()) } else { Err(NotWritten::Refused(lost_bytes())) }
    }
}

/// Why a file was not written completely.
enum NotWritten {
    /// The target has gone.
    Lost,
    /// The answer for the client.
    Refused(Reply),
}

impl From<TargetLost> for NotWritten {
    fn from(_: TargetLost) -> Self {
        Self::Lost
    }
}

fn accepted(reply: Reply) -> Result<(), NotWritten> {
    if reply.is_ok() { Ok(()) } else { Err(NotWritten::Refused(reply)) }
}

fn lost_bytes() -> Reply {
    let why = "expacti: the gate could not read back what it had kept of the upload";
    Reply::status(StatusCode::Failure, why)
}

const MOVED: &str = "a path leads elsewhere than when it was reviewed";
const OTHER: &str = "what is there has changed since the review";

/// Whether a file is the one that was reviewed, or has grown since: no more than its size then is read.
fn has_grown(reviewed: &Present, now: &Present) -> bool {
    matches!((reviewed, now), (Present::There(then), Present::There(now)) if may_become(then, now))
}

/// Whether what is there is what was reviewed. The times and size of a directory change with its
/// files and do not count.
fn same(reviewed: &Present, now: &Present) -> bool {
    match (reviewed, now) {
        (Present::Missing, Present::Missing) => true,
        (Present::There(a), Present::There(b)) if a.is_directory() => {
            (a.mode, a.owner) == (b.mode, b.owner)
        }
        (Present::There(a), Present::There(b)) => {
            let modified = |attrs: &Attrs| attrs.times.map(|(_, modified)| modified);
            (a.mode, a.owner, a.size, modified(a)) == (b.mode, b.owner, b.size, modified(b))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_as_the_same() {
        let file = |size, modified| {
            Present::There(Attrs {
                size: Some(size),
                owner: Some((0, 0)),
                mode: Some(0o100_644),
                times: Some((modified + 7, modified)),
            })
        };
        assert!(same(&Present::Missing, &Present::Missing));
        assert!(!same(&Present::Missing, &file(1, 1)) && !same(&file(1, 1), &Present::Missing));
        assert!(same(&file(1, 1), &file(1, 1)));
        assert!(!same(&file(1, 1), &file(2, 1)) && !same(&file(1, 1), &file(1, 2)));
        let directory = |size| {
            Present::There(Attrs { size: Some(size), mode: Some(0o040_755), ..Attrs::default() })
        };
        assert!(same(&directory(1), &directory(2)));
        assert!(!same(&directory(1), &file(1, 1)));
    }
}
