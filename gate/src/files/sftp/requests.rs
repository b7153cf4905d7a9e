//! Handles a client's SFTP requests in order: reads become questions of the gate's own, writes are
//! collected, and changes are queued.

use std::sync::Arc;

use expacti_sftp::{
    Attrs, ClientPacket, Framer, Handle, MAX_PACKET, OpenFlags, Present, Query, RemotePath, Reply,
    Request, StatusCode, Version,
};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::change_queue::{Job, is_change};
use super::handles::{MAX_HANDLES, Open};
use super::pending_write::PendingWrite;
use super::service::{Expected, Service, unrecorded};
use crate::boundary::{Opening, ReadHandle, TargetLost, Why};
use crate::client::input::{ChannelInput, Taken};
use crate::files::describe::{NoChange, failure, follow};
use crate::staging::pending_reply::{Out, PendingReply};

/// Requests that may be open at the same time; a client that sends more has to wait.
const OPEN_REQUESTS: usize = 1024;

/// Answers from pending writes that are in memory at the same time, each up to [`MAX_DATA`] bytes.
const PENDING_WRITE_READS: usize = 8;

/// Bytes in one `READ` or `WRITE`, as in OpenSSH's server: a packet without its header.
const MAX_DATA: u32 = 255 * 1024;

/// Why no more requests follow.
#[derive(Debug)]
pub(crate) enum RequestsEnd {
    /// The client sent EOF.
    Eof,
    /// What the client sends is not SFTP.
    Garbled(String),
    /// The client has gone.
    ClientGone,
    /// The target has gone.
    TargetLost,
}

impl From<TargetLost> for RequestsEnd {
    fn from(_: TargetLost) -> Self {
        Self::TargetLost
    }
}

/// See the module.
pub(crate) struct Requests {
    service: Arc<Service>,
    changes: mpsc::UnboundedSender<Job>,
    out: mpsc::Sender<Out>,
    open: Arc<Semaphore>,
    /// Limits reads of what the client itself has written, whose answers wait in memory.
    pending_write_reads: Arc<Semaphore>,
    /// Tasks of requests that need several questions, such as opens; dropping this ends them.
    tasks: JoinSet<()>,
}

fn no_handle() -> Reply {
    Reply::status(StatusCode::Failure, "expacti: no such handle")
}

impl Service {
    /// Turns a request that only reads into a question of the gate's own, or answers it.
    fn question(&self, request: Request) -> Result<Query, Reply> {
        let mut handles = self.handles();
        if let Request::Lstat { path } | Request::Stat { path } = &request
            && let Some(refusal) = handles.refusal(path)
        {
            return Err(refusal);
        }
        let behind = |handle: Option<Handle>| handles.get(handle).ok_or_else(no_handle);
        Ok(match request {
            Request::ExpandPath { path } => Query::ExpandPath { path },
            Request::HomeDirectory { user } => Query::HomeDirectory { user },
            Request::Readlink { path } => Query::Readlink { path },
            Request::Realpath { path } => Query::Realpath { path },
            Request::Statvfs { path } => Query::Statvfs { path },
            Request::UsersGroups { users, groups } => Query::UsersGroups { users, groups },
            Request::Lstat { path } => match handles.made(&path) {
                Some(attrs) => return Err(Reply::Attrs(attrs)),
                None => Query::Lstat { path },
            },
            Request::Stat { path } => match handles.made(&path) {
                Some(attrs) => return Err(Reply::Attrs(attrs)),
                None => Query::Stat { path },
            },
            Request::Fstat { handle } => match behind(handle)? {
                Open::Directory(handle) => Query::Fstat { handle: handle.clone() },
                Open::File(read, _) => Query::Fstat { handle: read.handle.clone() },
                Open::PendingWrite(write) => return Err(Reply::Attrs(write.attrs())),
            },
            Request::Fstatvfs { handle } => match behind(handle)? {
                Open::Directory(handle) => Query::Fstatvfs { handle: handle.clone() },
                Open::File(read, _) => Query::Fstatvfs { handle: read.handle.clone() },
                Open::PendingWrite(write) => Query::Statvfs { path: write.real.directory() },
            },
            Request::Readdir { handle } => match behind(handle)? {
                Open::Directory(handle) => Query::Readdir { handle: handle.clone() },
                _ => return Err(failure("it is no directory")),
            },
            _ => return Err(failure("not a question")),
        })
    }
}

impl Requests {
    pub(crate) fn new(
        service: Arc<Service>,
        changes: mpsc::UnboundedSender<Job>,
        out: mpsc::Sender<Out>,
    ) -> Self {
        let open = Arc::new(Semaphore::new(OPEN_REQUESTS));
        let pending_write_reads = Arc::new(Semaphore::new(PENDING_WRITE_READS));
        Self { service, changes, out, open, pending_write_reads, tasks: JoinSet::new() }
    }

    /// Runs until the client sends no more, or one side has gone.
    pub(crate) async fn run(mut self, input: &ChannelInput) -> RequestsEnd {
        let mut framer = Framer::default();
        let mut begun = false;
        loop {
            match input.next().await {
                Taken::Bytes(bytes) => framer.push(&bytes),
                Taken::Eof => return RequestsEnd::Eof,
            }
            loop {
                let frame = match framer.next_frame() {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    Err(error) => return RequestsEnd::Garbled(error.to_string()),
                };
                while self.tasks.try_join_next().is_some() {}
                let (id, request) = match (ClientPacket::from_frame(frame), begun) {
                    (ClientPacket::Init { .. }, false) => {
                        begun = true;
                        let extensions = self.service.sftp.extensions().to_vec();
                        let version = Version { version: 3, extensions }.encode();
                        if self.out.send(Out::Packet(version, None)).await.is_err() {
                            return RequestsEnd::ClientGone;
                        }
                        continue;
                    }
                    (ClientPacket::Init { .. }, true) => {
                        return RequestsEnd::Garbled("a second beginning of SFTP".to_owned());
                    }
                    (_, false) => {
                        return RequestsEnd::Garbled("SFTP without its beginning".to_owned());
                    }
                    (ClientPacket::Bad(None, error), true) => {
                        return RequestsEnd::Garbled(error.to_string());
                    }
                    (ClientPacket::Bad(Some(id), error), true) => (id, Err(error)),
                    (ClientPacket::Unsupported(id), true) => (id, Ok(None)),
                    (ClientPacket::Request(id, request), true) => (id, Ok(Some(request))),
                };
                let Ok(permit) = Arc::clone(&self.open).acquire_owned().await else {
                    return RequestsEnd::ClientGone;
                };
                let reply_to = PendingReply::new(id, self.out.clone(), permit);
                let answered = match request {
                    Ok(Some(request)) => self.request(*request, reply_to).await,
                    Ok(None) => {
                        let why = "expacti: the gate does not know this operation";
                        reply_to.answer(&Reply::status(StatusCode::OpUnsupported, why)).await;
                        Ok(())
                    }
                    Err(error) => {
                        let why = format!("expacti: {error}");
                        reply_to.answer(&Reply::Status(StatusCode::BadMessage, why)).await;
                        Ok(())
                    }
                };
                if let Err(TargetLost) = answered {
                    return RequestsEnd::TargetLost;
                }
            }
        }
    }

    async fn request(
        &mut self,
        request: Request,
        reply_to: PendingReply,
    ) -> Result<(), TargetLost> {
        if is_change(&request) {
            self.queue(Job::Change(Box::new(request), reply_to));
            return Ok(());
        }
        let turn = self.service.handles().turn();
        let query = match request {
            Request::Open { path, flags, attrs } => {
                let task =
                    OpenTask { service: Arc::clone(&self.service), changes: self.changes.clone() };
                let paths = [path.clone(), path.clone()];
                let opening = flags.changes().then(|| Expected::new(&self.service, paths));
                self.tasks.spawn(async move {
                    let _opening = opening;
                    task.service.settled(&path, turn).await;
                    if flags.changes() {
                        task.open_write(path, flags, attrs, reply_to).await.ok();
                    } else {
                        task.open_read(path, reply_to).await.ok();
                    }
                });
                return Ok(());
            }
            Request::Opendir { path } => {
                let task =
                    OpenTask { service: Arc::clone(&self.service), changes: self.changes.clone() };
                self.tasks.spawn(async move {
                    task.open_directory(path, reply_to).await.ok();
                });
                return Ok(());
            }
            Request::Close { handle } => return self.close(handle, reply_to).await,
            Request::Write { handle, offset, data } => {
                let reply = self.write(handle, offset, &data);
                reply_to.answer(&reply).await;
                return Ok(());
            }
            Request::Fsetstat { handle, attrs } => {
                self.fsetstat(handle, attrs, reply_to).await;
                return Ok(());
            }
            Request::Fsync { handle } => {
                self.fsync(handle, reply_to).await;
                return Ok(());
            }
            Request::Limits => {
                let (packet, data) = (MAX_PACKET as u64, u64::from(MAX_DATA));
                let reply = Reply::limits(packet, data, data, MAX_HANDLES as u64);
                reply_to.answer(&reply).await;
                return Ok(());
            }
            Request::Read { handle, offset, length } => {
                return self.read(handle, offset, length.min(MAX_DATA), reply_to).await;
            }
            Request::Stat { ref path } | Request::Lstat { ref path }
                if self.service.handles().is_pending(path, turn) =>
            {
                let (service, path) = (Arc::clone(&self.service), path.clone());
                self.tasks.spawn(async move {
                    service.settled(&path, turn).await;
                    match service.question(request) {
                        Ok(query) => drop(service.sftp.forward(&query, reply_to).await),
                        Err(reply) => reply_to.answer(&reply).await,
                    }
                });
                return Ok(());
            }
            other => self.service.question(other),
        };
        match query {
            Ok(query) => self.service.sftp.forward(&query, reply_to).await,
            Err(reply) => {
                reply_to.answer(&reply).await;
                Ok(())
            }
        }
    }

    fn queue(&self, job: Job) {
        // The receiver ends only with the channel.
        self.changes.send(job).ok();
    }

    async fn close(
        &mut self,
        handle: Option<Handle>,
        reply_to: PendingReply,
    ) -> Result<(), TargetLost> {
        let open = self.service.handles().remove(handle);
        match open {
            None => {
                reply_to.answer(&no_handle()).await;
                Ok(())
            }
            Some(Open::Directory(handle)) => {
                self.service.sftp.forward(&Query::Close { handle }, reply_to).await
            }
            Some(Open::File(read, _)) => {
                let query = Query::Close { handle: read.handle.clone() };
                self.service.sftp.forward(&query, reply_to).await
            }
            Some(Open::PendingWrite(mut write)) => {
                if let Some(read) = write.read.take() {
                    self.service.sftp.ask(&Query::Close { handle: read.handle }).await?;
                }
                let expected =
                    Expected::new(&self.service, [write.asked.clone(), write.real.clone()]);
                self.queue(Job::Close(write, reply_to, expected));
                Ok(())
            }
        }
    }

    fn write(&self, handle: Option<Handle>, offset: u64, data: &[u8]) -> Reply {
        match self.service.handles().get_mut(handle) {
            None => no_handle(),
            Some(Open::PendingWrite(write)) if write.has_failed() => {
                failure("an earlier part of this file was not written")
            }
            Some(Open::PendingWrite(write)) => match write.write(offset, data) {
                Ok(()) => Reply::ok(),
                Err(error) => {
                    // A file with a gap must never be written to the target.
                    write.failed.store(true, std::sync::atomic::Ordering::Release);
                    failure(&error.to_string())
                }
            },
            Some(_) => Reply::status(
                StatusCode::PermissionDenied,
                "expacti: the file was not opened for writing",
            ),
        }
    }

    async fn fsetstat(&self, handle: Option<Handle>, attrs: Attrs, reply_to: PendingReply) {
        let reply = {
            let mut handles = self.service.handles();
            match handles.get_mut(handle) {
                None => Err(no_handle()),
                Some(Open::PendingWrite(write)) => {
                    write.set(&attrs);
                    Err(Reply::ok())
                }
                Some(Open::File(_, path)) => Ok(path.clone()),
                Some(Open::Directory(_)) => Err(failure("not of a directory's handle")),
            }
        };
        match reply {
            Ok(path) => {
                self.queue(Job::Change(Box::new(Request::Setstat { path, attrs }), reply_to))
            }
            Err(reply) => reply_to.answer(&reply).await,
        }
    }

    async fn fsync(&self, handle: Option<Handle>, reply_to: PendingReply) {
        let reply = {
            let mut handles = self.service.handles();
            match handles.get_mut(handle) {
                None => Err(no_handle()),
                Some(Open::PendingWrite(write)) => {
                    let next = Box::new(write.successor());
                    Ok(std::mem::replace(write, next))
                }
                Some(_) => Err(Reply::ok()),
            }
        };
        match reply {
            Ok(write) => {
                let expected =
                    Expected::new(&self.service, [write.asked.clone(), write.real.clone()]);
                self.queue(Job::Sync(write, reply_to, expected));
            }
            Err(reply) => reply_to.answer(&reply).await,
        }
    }

    async fn read(
        &mut self,
        handle: Option<Handle>,
        offset: u64,
        length: u32,
        reply_to: PendingReply,
    ) -> Result<(), TargetLost> {
        enum From {
            Target(ReadHandle),
            PendingWrite(Option<ReadHandle>, u64, u64),
            Nothing(Reply),
        }
        let from = match self.service.handles().get(handle) {
            None => From::Nothing(no_handle()),
            Some(Open::Directory(_)) => From::Nothing(failure("it is a directory")),
            Some(Open::File(read, _)) => From::Target(read.clone()),
            Some(Open::PendingWrite(write)) if !write.flags.read() => {
                From::Nothing(failure("the file was not opened for reading"))
            }
            Some(Open::PendingWrite(write)) => {
                From::PendingWrite(write.read.clone(), write.base(), write.length())
            }
        };
        match from {
            From::Target(read) if !self.service.is_recorded(&read) => {
                reply_to.answer(&unrecorded()).await;
                Ok(())
            }
            From::Target(read) => self.service.sftp.read(&read, offset, length, reply_to).await,
            From::Nothing(reply) => {
                reply_to.answer(&reply).await;
                Ok(())
            }
            From::PendingWrite(base, shows, size) => {
                if offset >= size {
                    reply_to.answer(&Reply::status(StatusCode::Eof, "")).await;
                    return Ok(());
                }
                let length = u64::from(length).min(size - offset);
                let service = Arc::clone(&self.service);
                let reads = Arc::clone(&self.pending_write_reads);
                self.tasks.spawn(async move {
                    // Held until it is answered: a client could ask for any amount of zeros.
                    let _permit = reads.acquire_owned().await;
                    let under = match base {
                        Some(base) => under(&service, base, offset, length, shows).await,
                        None => Ok(Vec::new()),
                    };
                    let reply = match under {
                        Ok(under) => over(&service, handle, offset, length, under),
                        Err(reply) => reply,
                    };
                    reply_to.answer(&reply).await;
                });
                Ok(())
            }
        }
    }
}

/// The bytes of the target's file below a pending write.
async fn under(
    service: &Service,
    read: ReadHandle,
    offset: u64,
    length: u64,
    shows: u64,
) -> Result<Vec<u8>, Reply> {
    let mut bytes = Vec::new();
    let wanted = length.min(shows.saturating_sub(offset));
    while (bytes.len() as u64) < wanted {
        let left = wanted - bytes.len() as u64;
        if !service.is_recorded(&read) {
            return Err(unrecorded());
        }
        let offset = offset + bytes.len() as u64;
        let length = u32::try_from(left).unwrap_or(MAX_DATA).min(MAX_DATA);
        let length = match read.reading.admit(offset, length) {
            Err(Reply::Status(StatusCode::Eof, _)) => break,
            admitted => admitted?,
        };
        let query = Query::Read { handle: read.handle.clone(), offset, length };
        let answer = service.sftp.ask(&query).await;
        if let Ok(reply) = &answer {
            read.reading.took(offset, reply);
        }
        match answer {
            Ok(Reply::Data(data)) if !data.is_empty() => bytes.extend_from_slice(&data),
            Ok(Reply::Status(StatusCode::Eof, _)) => break,
            Ok(reply @ Reply::Status(..)) => return Err(reply),
            _ => return Err(failure("the target did not give what is there")),
        }
    }
    bytes.truncate(usize::try_from(wanted).unwrap_or(0));
    Ok(bytes)
}

/// The pending write's own bytes over them.
fn over(
    service: &Service,
    handle: Option<Handle>,
    offset: u64,
    length: u64,
    mut bytes: Vec<u8>,
) -> Reply {
    bytes.resize(usize::try_from(length).unwrap_or(0), 0);
    match service.handles().get(handle) {
        Some(Open::PendingWrite(write)) => match write.overlay(offset, &mut bytes) {
            Ok(()) => Reply::Data(bytes.into()),
            Err(error) => failure(&error.to_string()),
        },
        _ => no_handle(),
    }
}

/// Opens one file or directory, in a task of its own.
struct OpenTask {
    service: Arc<Service>,
    changes: mpsc::UnboundedSender<Job>,
}

impl OpenTask {
    /// Records the opening. Nothing is opened in a session that the broker does not record.
    async fn recorded(&self, line: String) -> Result<(), Reply> {
        match self.service.connection.current().await {
            Ok(_) => {
                self.service.note(&line).await;
                Ok(())
            }
            Err(refusal) => Err(Reply::Status(StatusCode::Failure, refusal.message)),
        }
    }

    async fn open_directory(
        &self,
        path: RemotePath,
        reply_to: PendingReply,
    ) -> Result<(), TargetLost> {
        let reply = match self.recorded(format!("sftp list {path}")).await {
            Err(reply) => reply,
            Ok(()) => match self.service.sftp.ask(&Query::Opendir { path }).await? {
                Reply::Handle(handle) => self.service.give(Open::Directory(handle)).await,
                refused => refused,
            },
        };
        reply_to.answer(&reply).await;
        Ok(())
    }

    async fn open_read(&self, path: RemotePath, reply_to: PendingReply) -> Result<(), TargetLost> {
        let reply = match self.recorded(format!("sftp read {path}")).await {
            Err(reply) => reply,
            Ok(()) => match self.service.open_read(&path).await? {
                Opening::Opened(file) => self.service.opened(file, Why::Free, None).await,
                Opening::Asks(real) => {
                    self.changes.send(Job::Read(real, None, reply_to)).ok();
                    return Ok(());
                }
                Opening::Refused(reply) => reply,
            },
        };
        reply_to.answer(&reply).await;
        Ok(())
    }

    async fn open_write(
        &self,
        path: RemotePath,
        flags: OpenFlags,
        attrs: Attrs,
        reply_to: PendingReply,
    ) -> Result<(), TargetLost> {
        let write = match self.write(path, flags, attrs).await {
            Ok(write) => write,
            Err(NoChange::Answer(reply)) => {
                reply_to.answer(&reply).await;
                return Ok(());
            }
            Err(NoChange::Lost) => return Err(TargetLost),
        };
        let readable = flags.read() && !flags.truncate() && write.present != Present::Missing;
        if !readable {
            let reply = self.service.give(Open::PendingWrite(write)).await;
            reply_to.answer(&reply).await;
            return Ok(());
        }
        let real = write.real.clone();
        let reply = match self.recorded(format!("sftp read {real}")).await {
            Err(reply) => reply,
            Ok(()) => match self.service.open_read(&real).await? {
                Opening::Opened(file) => self.service.opened(file, Why::Free, Some(write)).await,
                Opening::Asks(real) => {
                    self.changes.send(Job::Read(real, Some(write), reply_to)).ok();
                    return Ok(());
                }
                Opening::Refused(reply) => reply,
            },
        };
        reply_to.answer(&reply).await;
        Ok(())
    }

    /// A pending write for what the client opens; nothing is opened on the target.
    async fn write(
        &self,
        path: RemotePath,
        flags: OpenFlags,
        attrs: Attrs,
    ) -> Result<Box<PendingWrite>, NoChange> {
        let sftp = &self.service.sftp;
        if flags.unknown() {
            return Err(Reply::status(StatusCode::OpUnsupported, "unknown flags").into());
        }
        if flags.exclusive() && sftp.present(&path).await? != Present::Missing {
            return Err(failure("something of that name is there already").into());
        }
        let real = follow(sftp, &path).await?;
        let present = sftp.present(&real).await?;
        match present {
            Present::Missing if !flags.create() => {
                return Err(Reply::status(StatusCode::NoSuchFile, "No such file").into());
            }
            Present::There(attrs) if attrs.is_directory() => {
                return Err(failure("it is a directory").into());
            }
            _ => {}
        }
        let budget = Arc::clone(&self.service.budget);
        let create = attrs.permissions();
        let write = PendingWrite::new(path, real, flags, create, present, budget);
        self.service.handles().forget(&write);
        Ok(Box::new(write))
    }
}
