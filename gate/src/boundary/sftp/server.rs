//! The only code that can write to a target's SFTP server.
//!
//! It writes [`Query::init`], a [`Query`] (a closed enum that the gate builds and that can change
//! nothing), or the steps of an approved change (see [`super::approved`]), which exists only for
//! changes whose text the broker released. Files that are not free to be read are opened only by such
//! a change as well. No function here takes a client's bytes, except for the paths and numbers in a `Query`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use expacti_sftp::{
    Attrs, Extension, Framer, Query, RemotePath, Reply, ReplyKind, StatusCode, Step, Version,
    is_secret,
};
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::reading::{OpenFile, Reading};
use crate::boundary::channel::{TargetChannel, TargetLost};
use crate::staging::pending_reply::PendingReply;

/// Why there is no SFTP with a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoSftp {
    /// It refused the subsystem, or its server gave no usable answer.
    #[error("the target has no SFTP server that the gate can talk to")]
    Refused,
    /// The connection broke.
    #[error(transparent)]
    Lost(#[from] TargetLost),
}

/// Who waits for an answer.
enum Waiter {
    /// Code of the gate.
    Gate(oneshot::Sender<Reply>),
    /// The client, which gets the answer unchanged.
    Client(PendingReply),
    /// The client, which gets what was read of a file from there.
    Reader(PendingReply, Arc<Reading>, u64),
}

#[derive(Default)]
struct Pending {
    next: u32,
    waiting: HashMap<u32, (ReplyKind, Waiter)>,
    /// The target has gone: there will be no more answers.
    lost: bool,
}

/// A conversation with the SFTP server of a target.
pub(crate) struct TargetSftp {
    packets: mpsc::Sender<Bytes>,
    closing: CancellationToken,
    pending: Mutex<Pending>,
    extensions: Vec<Extension>,
}

/// A file that a client reads.
#[derive(Debug, Clone)]
pub(crate) struct ReadHandle {
    /// The target's handle.
    pub(crate) handle: Bytes,
    /// What may be read of it, and what was.
    pub(crate) reading: Arc<Reading>,
}

/// What came of opening a real path.
pub(super) enum Opened {
    /// The file, with its attributes.
    File(OpenFile, Attrs),
    /// Something else was opened, and closed again.
    Elsewhere,
    /// The target's refusal.
    Refused(Reply),
}

/// Packets that may queue for the writer.
const ON_THE_WAY: usize = 16;

/// The target's incoming answers.
pub(crate) struct Replies {
    reader: ChannelReadHalf,
    framer: Framer,
}

/// A file that was opened for reading, or why not.
pub(crate) enum Opening {
    /// The file.
    Opened(OpenFile),
    /// Reading it has to be approved; the real path.
    Asks(RemotePath),
    /// The target's refusal.
    Refused(Reply),
}

impl TargetChannel {
    /// Starts the target's SFTP server on the channel. Nothing of the client's goes there.
    pub(crate) async fn sftp(self) -> Result<(Arc<TargetSftp>, Replies), NoSftp> {
        let Self { mut reader, half } = self;
        half.request_subsystem(true, "sftp").await.map_err(TargetLost::from)?;
        let mut framer = Framer::default();
        let version = loop {
            match reader.wait().await {
                Some(ChannelMsg::Data { data }) => framer.push(&data),
                Some(ChannelMsg::Success) => {
                    half.data_bytes(Query::init()).await.map_err(TargetLost::from)?;
                }
                Some(ChannelMsg::Failure | ChannelMsg::Close) => return Err(NoSftp::Refused),
                Some(_) => {}
                None => return Err(TargetLost.into()),
            }
            if let Some(frame) = framer.next_frame().map_err(|_| NoSftp::Refused)? {
                break Version::from_frame(frame).ok_or(NoSftp::Refused)?;
            }
        };
        if version.version < 3 {
            return Err(NoSftp::Refused);
        }
        let (packets, queue) = mpsc::channel(ON_THE_WAY);
        let closing = CancellationToken::new();
        tokio::spawn(write(half, queue, closing.clone()));
        let sftp = TargetSftp {
            packets,
            closing,
            pending: Mutex::default(),
            extensions: version.extensions,
        };
        Ok((Arc::new(sftp), Replies { reader, framer }))
    }
}

impl TargetSftp {
    /// What the target's server can do besides version 3.
    pub(crate) fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// Whether the target's server supports it.
    pub(crate) fn has(&self, extension: Extension) -> bool {
        self.extensions.contains(&extension)
    }

    /// Asks a question of the gate's own.
    pub(crate) async fn ask(&self, query: &Query) -> Result<Reply, TargetLost> {
        if let Some(refused) = self.refused(query) {
            return Ok(refused);
        }
        self.request(query.reply_kind(), |id| query.encode(id)).await?.await.map_err(|_| TargetLost)
    }

    /// Asks on behalf of the client, which gets the answer unchanged.
    pub(crate) async fn forward(
        &self,
        query: &Query,
        reply_to: PendingReply,
    ) -> Result<(), TargetLost> {
        if let Some(refused) = self.refused(query) {
            reply_to.answer(&refused).await;
            return Ok(());
        }
        let id = self.wait_for(query.reply_kind(), Waiter::Client(reply_to))?;
        self.send(query.encode(id)).await
    }

    /// Reads a piece of a file on behalf of the client. What the client is given is taken down.
    pub(crate) async fn read(
        &self,
        file: &ReadHandle,
        offset: u64,
        length: u32,
        reply_to: PendingReply,
    ) -> Result<(), TargetLost> {
        let length = match file.reading.admit(offset, length) {
            Ok(length) => length,
            Err(reply) => {
                reply_to.answer(&reply).await;
                return Ok(());
            }
        };
        let query = Query::Read { handle: file.handle.clone(), offset, length };
        let waiter = Waiter::Reader(reply_to, Arc::clone(&file.reading), offset);
        let id = self.wait_for(query.reply_kind(), waiter)?;
        self.send(query.encode(id)).await
    }

    /// Opens a file for reading by its real path, if that is free to be read.
    pub(crate) async fn open_read(
        &self,
        path: &RemotePath,
        is_free: impl Fn(&RemotePath) -> bool,
    ) -> Result<Opening, TargetLost> {
        let (real, stat) =
            (Query::Realpath { path: path.clone() }, Query::Stat { path: path.clone() });
        let (real, there) = tokio::try_join!(self.ask(&real), self.ask(&stat))?;
        let real = match real {
            Reply::Name { first: Some(real), .. } if real.is_absolute() => real,
            Reply::Status(code, message) if code != StatusCode::Ok => {
                return Ok(Opening::Refused(Reply::Status(code, message)));
            }
            _ => return Ok(Opening::Refused(unexpected())),
        };
        match there {
            Reply::Attrs(attrs) if attrs.is_directory() => {
                return Ok(Opening::Refused(refusal("it is a directory")));
            }
            Reply::Attrs(attrs) if attrs.is_file() && is_free(&real) && !is_secret(path) => {}
            Reply::Attrs(_) => return Ok(Opening::Asks(real)),
            refused => return Ok(Opening::Refused(refused)),
        }
        Ok(match self.open_real(&real).await? {
            Opened::File(file, attrs) if attrs.is_file() => Opening::Opened(file),
            Opened::File(file, _) => {
                self.ask(&Query::Close { handle: file.handle }).await?;
                Opening::Refused(refusal("it is no regular file"))
            }
            Opened::Elsewhere => Opening::Refused(refusal(
                "the path led elsewhere as the file was opened: try again",
            )),
            Opened::Refused(reply) => Opening::Refused(reply),
        })
    }

    /// Opens for reading, and makes sure that what was opened is what lies at the path. Private to this
    /// folder: what may be read is decided here.
    pub(super) async fn open_real(&self, real: &RemotePath) -> Result<Opened, TargetLost> {
        let query = Query::OpenRead { path: real.clone() };
        let answer = self.request(query.reply_kind(), |id| query.encode(id)).await?;
        let handle = match answer.await.map_err(|_| TargetLost)? {
            Reply::Handle(handle) => handle,
            reply => return Ok(Opened::Refused(reply)),
        };
        // The server has no question for the path of a handle: the attributes must be the same.
        let (path, fstat) = (real.clone(), Query::Fstat { handle: handle.clone() });
        let (lstat, realpath) = (Query::Lstat { path: path.clone() }, Query::Realpath { path });
        let (before, opened, after, again) = tokio::try_join!(
            self.ask(&lstat),
            self.ask(&fstat),
            self.ask(&lstat),
            self.ask(&realpath),
        )?;
        if let (Reply::Attrs(before), Reply::Attrs(attrs), Reply::Attrs(after)) =
            (before, opened, after)
            && matches!(again, Reply::Name { first: Some(again), .. } if again == *real)
            && may_become(&before, &attrs)
            && may_become(&attrs, &after)
        {
            let size = attrs.size.unwrap_or(0);
            return Ok(Opened::File(OpenFile { handle, path: real.clone(), size }, attrs));
        }
        self.ask(&Query::Close { handle }).await?;
        Ok(Opened::Elsewhere)
    }

    /// Sends one step of a change. Private to this folder: only an approved change has steps.
    pub(super) async fn step(
        &self,
        step: &Step<'_>,
    ) -> Result<oneshot::Receiver<Reply>, TargetLost> {
        let answer = match step {
            Step::OpenWrite { .. } => ReplyKind::Handle,
            _ => ReplyKind::Status,
        };
        self.request(answer, |id| step.encode(id)).await
    }

    /// The answer to questions that the gate does not pass on.
    fn refused(&self, query: &Query) -> Option<Reply> {
        if matches!(query, Query::OpenRead { .. }) {
            let why = "expacti: files are opened by their real path only";
            return Some(Reply::status(StatusCode::PermissionDenied, why));
        }
        let missing = query.extension().is_some_and(|extension| !self.has(extension));
        missing.then(|| Reply::status(StatusCode::OpUnsupported, "the target cannot do that"))
    }

    async fn request(
        &self,
        answer: ReplyKind,
        encode: impl FnOnce(u32) -> Bytes,
    ) -> Result<oneshot::Receiver<Reply>, TargetLost> {
        let (sender, receiver) = oneshot::channel();
        let id = self.wait_for(answer, Waiter::Gate(sender))?;
        self.send(encode(id)).await?;
        Ok(receiver)
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for(&self, answer: ReplyKind, waiter: Waiter) -> Result<u32, TargetLost> {
        let mut pending = self.pending();
        if pending.lost {
            return Err(TargetLost);
        }
        loop {
            let id = pending.next;
            pending.next = pending.next.wrapping_add(1);
            if let Entry::Vacant(free) = pending.waiting.entry(id) {
                free.insert((answer, waiter));
                return Ok(id);
            }
        }
    }

    async fn send(&self, packet: Bytes) -> Result<(), TargetLost> {
        self.packets.send(packet).await.map_err(|_| TargetLost)
    }

    /// Ends the conversation. There are no more answers after that.
    pub(crate) fn close(&self) {
        self.closing.cancel();
        self.lost();
    }
}

impl Drop for TargetSftp {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

/// Writes complete packets, one after another. It is a task of its own because a caller may be
/// dropped at any moment: after half a packet the target would misread the next one, which may
/// carry a client's bytes.
async fn write(
    half: ChannelWriteHalf<Msg>,
    mut queue: mpsc::Receiver<Bytes>,
    closing: CancellationToken,
) {
    loop {
        let packet = tokio::select! {
            biased;
            () = closing.cancelled() => break,
            packet = queue.recv() => packet,
        };
        let Some(packet) = packet else { break };
        if half.data_bytes(packet).await.is_err() {
            return;
        }
    }
    half.eof().await.ok();
    half.close().await.ok();
}

impl Replies {
    /// Distributes answers until the target has gone or sends something that is not SFTP.
    pub(crate) async fn run(&mut self, sftp: &TargetSftp) -> TargetLost {
        while let Some(message) = self.reader.wait().await {
            match message {
                ChannelMsg::Data { data } => self.framer.push(&data),
                // Standard error is for the server's administrator.
                ChannelMsg::ExtendedData { .. } => continue,
                ChannelMsg::Close | ChannelMsg::Eof => break,
                _ => continue,
            }
            loop {
                let frame = match self.framer.next_frame() {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    Err(error) => {
                        tracing::warn!(%error, "the target's SFTP server cannot be followed");
                        return sftp.lost();
                    }
                };
                let Ok((id, reply)) = Reply::from_frame(frame) else {
                    tracing::warn!("the target's SFTP server sent a malformed answer");
                    return sftp.lost();
                };
                sftp.answered(id, reply).await;
            }
        }
        sftp.lost()
    }
}

impl TargetSftp {
    async fn answered(&self, id: u32, reply: Reply) {
        let Some((answer, waiter)) = self.pending().waiting.remove(&id) else {
            tracing::warn!("the target's SFTP server answered what was not asked");
            return;
        };
        let reply = if reply.is(answer) { reply } else { unexpected() };
        match waiter {
            Waiter::Gate(sender) => drop(sender.send(reply)),
            Waiter::Client(reply_to) => reply_to.answer(&reply).await,
            Waiter::Reader(reply_to, reading, offset) => {
                reading.took(offset, &reply);
                reply_to.answer(&reply).await;
            }
        }
    }

    /// Drops everyone who waits: there will be no more answers.
    fn lost(&self) -> TargetLost {
        let mut pending = self.pending();
        pending.lost = true;
        pending.waiting.clear();
        TargetLost
    }
}

/// Whether these may be the attributes of one file, the later ones last: it may have grown.
pub(super) fn may_become(earlier: &Attrs, later: &Attrs) -> bool {
    let modified = |attrs: &Attrs| attrs.times.map(|(_, modified)| modified);
    earlier.mode.is_some()
        && (earlier.mode, earlier.owner) == (later.mode, later.owner)
        && earlier.size <= later.size
        && modified(earlier) <= modified(later)
}

fn refusal(why: &str) -> Reply {
    Reply::Status(StatusCode::Failure, format!("expacti: {why}"))
}

fn unexpected() -> Reply {
    Reply::status(StatusCode::Failure, "expacti: the target gave an answer of the wrong kind")
}
