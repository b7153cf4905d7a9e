//! SFTP, ended in the gate: a client talks to the gate, and the gate talks to the target. Reading
//! flows and is recorded; everything that changes something is an item. It must never tell a
//! client that something was done before it was approved and the target has done it; bytes of a
//! file that is being written count only when the file is closed.

mod draft;
mod handles;
mod lane;
mod prepare;
mod requests;
mod spool;
mod ticket;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use expacti_protocol::exit::UNDECIDED;
use expacti_sftp::{Query, RemotePath, Reply, StatusCode};
use tokio::sync::{Notify, mpsc};

use self::draft::Draft;
use self::handles::{Handles, Open};
use self::lane::Lane;
pub(crate) use self::lane::{bounded, joined};
pub(crate) use self::prepare::{follow, now, warnings};
use self::requests::{Requests, Stop};
pub(crate) use self::spool::{Budget, Sealed, Spool};
use self::ticket::Out;
pub(crate) use self::ticket::Ticket;
use crate::boundary::{TargetChannel, TargetSftp};
use crate::channel::Channel;
use crate::client::{ClientWriter, Exit};
use crate::message::Refusal;
use crate::session::Connection;
use crate::upstream::Lease;

/// Answers on their way to a client; each may be as long as a packet.
const ON_THE_WAY: usize = 16;

/// How long a client may take to read the last answers.
const FLUSH: Duration = Duration::from_secs(5);

/// What the parts of one conversation share.
pub(crate) struct Service {
    connection: Arc<Connection>,
    sftp: Arc<TargetSftp>,
    handles: Mutex<Handles>,
    budget: Arc<Budget>,
    /// Something that was pending is not any more.
    settled: Notify,
    /// The client sends the two paths of a `SYMLINK` in OpenSSH's order.
    openssh_symlink: bool,
}

impl Service {
    fn handles(&self) -> MutexGuard<'_, Handles> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the client is still writing some file: more may be closed in a moment.
    fn is_writing(&self) -> bool {
        self.handles().drafts().any(Draft::has_bytes)
    }

    /// Waits while something that came before that turn is pending at a path.
    async fn settled(&self, path: &RemotePath, turn: u64) {
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

    /// A line in the session's recording.
    async fn note(&self, line: &str) {
        self.connection.note(line).await;
    }

    /// The target has opened something for reading: the answer for the client.
    async fn opened(&self, handle: Bytes, path: RemotePath, draft: Option<Box<Draft>>) -> Reply {
        let open = match draft {
            Some(mut draft) => {
                draft.read = Some(handle);
                Open::Draft(draft)
            }
            None => Open::File(handle, path),
        };
        self.give(open).await
    }

    /// A new handle for the client; what cannot have one is closed.
    async fn give(&self, open: Open) -> Reply {
        let given = self.handles().add(open);
        match given {
            Ok(handle) => Reply::handle(handle),
            Err(open) => {
                self.close(open).await;
                Reply::status(StatusCode::Failure, "expacti: too many files are open")
            }
        }
    }

    /// Closes what the target has open for it.
    async fn close(&self, open: Open) {
        let handle = match open {
            Open::Directory(handle) | Open::File(handle, _) => Some(handle),
            Open::Draft(draft) => draft.read,
        };
        if let Some(handle) = handle {
            self.sftp.ask(&Query::Close { handle }).await.ok();
        }
    }
}

/// Paths at which a file is being opened for writing, or was closed and waits for its decision:
/// who looks there has to wait as well, as behind a server that does one thing after another.
pub(crate) struct Expected {
    service: Arc<Service>,
    paths: [RemotePath; 2],
    turn: u64,
}

impl Expected {
    fn new(service: &Arc<Service>, paths: [RemotePath; 2]) -> Self {
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

/// Serves an `sftp` subsystem to its end. What is returned is still to be told the client.
pub(crate) async fn run(
    channel: &mut Channel,
    lease: Lease,
    target: TargetChannel,
    openssh_symlink: bool,
) -> Option<Refusal> {
    let gone = channel.gone.clone();
    let limit = channel.connection.shared.limits.answer;
    let started = tokio::select! {
        biased;
        () = gone.cancelled() => return None,
        started = tokio::time::timeout(limit, target.sftp()) => started,
    };
    let (sftp, mut replies) = match started {
        Ok(Ok(started)) => started,
        Ok(Err(error)) => return Some(Refusal::target(&error.to_string())),
        Err(_) => return Some(Refusal::target("the target's SFTP server does not answer")),
    };
    let service = Arc::new(Service {
        connection: Arc::clone(&channel.connection),
        sftp: Arc::clone(&sftp),
        handles: Mutex::default(),
        budget: Budget::of_channel(),
        settled: Notify::new(),
        openssh_symlink,
    });
    let (out, mut packets) = mpsc::channel(ON_THE_WAY);
    let (jobs, queue) = mpsc::unbounded_channel();
    let dead = gone.child_token();
    let stop = dead.child_token();
    let lane = Lane {
        service: Arc::clone(&service),
        jobs: queue,
        out: out.clone(),
        inbox: Arc::clone(&channel.inbox),
        stop: stop.clone(),
        dead: dead.clone(),
        status: 0,
        queue: VecDeque::new(),
    };
    let requests = Requests::new(Arc::clone(&service), jobs, out);
    let (ended, status) = {
        let lane = lane.run();
        tokio::pin!(lane);
        let inbox = Arc::clone(&channel.inbox);
        let mut requests = Box::pin(requests.run(&inbox));
        let traffic = async {
            tokio::select! {
                _ = replies.run(&sftp) => Stop::TargetLost,
                () = pass(&mut packets, &channel.client) => Stop::ClientGone,
            }
        };
        tokio::pin!(traffic);
        let mut status = None;
        let mut ended = tokio::select! {
            biased;
            () = gone.cancelled() => Stop::ClientGone,
            ended = &mut traffic => ended,
            ended = &mut requests => ended,
            early = &mut lane => {
                status = Some(early);
                Stop::ClientGone
            }
        };
        // What is held is withdrawn; what was released comes to its end while there is anybody.
        stop.cancel();
        if !matches!(ended, Stop::Eof | Stop::Garbled(_)) {
            dead.cancel();
        }
        drop(requests);
        while status.is_none() {
            tokio::select! {
                early = &mut lane => status = Some(early),
                cut = &mut traffic, if !dead.is_cancelled() => {
                    ended = cut;
                    dead.cancel();
                }
            }
        }
        (ended, status.unwrap_or(UNDECIDED))
    };
    sftp.close();
    drop(lease);
    let unfinished = service.handles().unfinished();
    drop(service);
    match ended {
        Stop::ClientGone => None,
        Stop::TargetLost => Some(Refusal::target("the connection to the target was lost")),
        Stop::Garbled(why) => Some(Refusal::unsupported(&why)),
        Stop::Eof => {
            let flush = async {
                pass(&mut packets, &channel.client).await;
                let mut status = status;
                if unfinished > 0 {
                    let why = format!(
                        "expacti: {unfinished} upload(s) were not finished by the client: \
                         nothing of them was written"
                    );
                    channel.client.say(&channel.client.line(&why)).await?;
                    status = if status == 0 { UNDECIDED } else { status };
                }
                channel.client.finish(&Exit::Status(u32::from(status))).await
            };
            tokio::select! {
                _ = tokio::time::timeout(FLUSH, flush) => {}
                () = gone.cancelled() => {}
            }
            None
        }
    }
}

/// Whether the client puts a symbolic link's target first, as OpenSSH does against the draft. Some
/// clients do so only with a server that calls itself OpenSSH, which the gate does not.
pub(crate) fn sends_openssh_symlink(client: &[u8]) -> bool {
    let client = String::from_utf8_lossy(client).to_ascii_lowercase();
    !["asyncssh", "libssh_"].iter().any(|name| client.contains(name))
}

/// Answers on their way to the client; ends with them, or when the client has gone.
async fn pass(packets: &mut mpsc::Receiver<Out>, client: &ClientWriter) {
    while let Some(out) = packets.recv().await {
        let sent = match out {
            Out::Packet(packet, _permit) => client.stdout(packet).await,
            Out::Say(line) => client.say(&client.line(&line)).await,
        };
        if sent.is_err() {
            return;
        }
    }
}
