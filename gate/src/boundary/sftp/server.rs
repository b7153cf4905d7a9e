//! The only code that can write to a target's SFTP server.
//!
//! It writes [`Query::init`], a [`Query`] (a closed enum that the gate builds and that can change
//! nothing), or the steps of an approved change (see [`super::approved`]), which exists only for
//! changes whose text the broker released. Files that hold secrets are opened only by such a change
//! as well. No function here takes a client's bytes, except for the paths and numbers in a `Query`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use expacti_sftp::{
    Extension, Framer, Query, RemotePath, Reply, ReplyKind, StatusCode, Step, Version, is_secret,
};
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

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

/// Packets that may queue for the writer.
const ON_THE_WAY: usize = 16;

/// The target's incoming answers.
pub(crate) struct Replies {
    reader: ChannelReadHalf,
    framer: Framer,
}

/// A file that was opened for reading, or why not.
pub(crate) enum Opening {
    /// The target's handle, and the real path.
    Opened(Bytes, RemotePath),
    /// It holds a secret: reading it has to be approved.
    Secret(RemotePath),
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

    /// Opens a file for reading by its real path, unless that is a secret's.
    pub(crate) async fn open_read(&self, path: &RemotePath) -> Result<Opening, TargetLost> {
        let real = match self.ask(&Query::Realpath { path: path.clone() }).await? {
            Reply::Name { first: Some(real), .. } if real.is_absolute() => real,
            Reply::Status(code, message) if code != StatusCode::Ok => {
                return Ok(Opening::Refused(Reply::Status(code, message)));
            }
            _ => return Ok(Opening::Refused(unexpected())),
        };
        if is_secret(&real) || is_secret(path) {
            return Ok(Opening::Secret(real));
        }
        Ok(match self.open_real(&real).await? {
            Reply::Handle(handle) => Opening::Opened(handle, real),
            refused => Opening::Refused(refused),
        })
    }

    /// Opens for reading. Private to this folder: what may be read is decided here.
    pub(super) async fn open_real(&self, real: &RemotePath) -> Result<Reply, TargetLost> {
        let query = Query::OpenRead { path: real.clone() };
        let answer = self.request(query.reply_kind(), |id| query.encode(id)).await?;
        answer.await.map_err(|_| TargetLost)
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

fn unexpected() -> Reply {
    Reply::status(StatusCode::Failure, "expacti: the target gave an answer of the wrong kind")
}
