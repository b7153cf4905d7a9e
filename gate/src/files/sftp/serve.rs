//! Serves an `sftp` subsystem: the client talks to the gate, and the gate talks to the target.
//! What is free to be read passes, and every file that was read is in the log; every change, and every
//! other read, is an item. It must never tell a client that something
//! was done before it was approved and the target has done it. The bytes of a file that is being
//! written count only once the file is closed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use expacti_protocol::exit::UNDECIDED;
use tokio::sync::{Notify, mpsc};

use super::change_queue::ChangeQueue;
use super::requests::{Requests, RequestsEnd};
use super::service::Service;
use crate::boundary::{Exit, Replies, TargetChannel, TargetSftp};
use crate::client::channel::{Channel, unless_gone};
use crate::client::end::Stopped;
use crate::client::read_log::ReadLog;
use crate::client::refusal::Refusal;
use crate::client::writer::{ClientWriter, Gone};
use crate::staging::pending_reply::Out;
use crate::staging::spool::Budget;
use crate::upstream::pool::Lease;

/// Answers that may queue for a client; each may be as long as a packet.
const ON_THE_WAY: usize = 16;

/// How long a client may take to read the last answers.
const FLUSH: Duration = Duration::from_secs(5);

/// Serves an `sftp` subsystem to its end.
pub(crate) async fn run(
    channel: &mut Channel,
    lease: Lease,
    target: TargetChannel,
    openssh_symlink: bool,
) -> Result<(), Stopped> {
    let gone = channel.gone.clone();
    let (sftp, mut replies) = unless_gone(&gone, start(channel, target)).await??;
    let (reads, taken) = mpsc::unbounded_channel();
    let log = ReadLog::new(Arc::clone(&channel.connection));
    let log = tokio::spawn(log.run(taken));
    let service = Arc::new(Service {
        connection: Arc::clone(&channel.connection),
        sftp: Arc::clone(&sftp),
        handles: Mutex::default(),
        budget: Budget::of_channel(),
        reads,
        settled: Notify::new(),
        openssh_symlink,
    });
    let (out, mut packets) = mpsc::channel(ON_THE_WAY);
    let (end, status) = run_until_end(channel, &service, &mut replies, out, &mut packets).await;
    sftp.close();
    drop(lease);
    let unfinished = service.handles().unfinished();
    drop(service);
    // Whatever was read is told before the session may end.
    tokio::time::timeout(FLUSH, log).await.ok();
    match end {
        RequestsEnd::ClientGone => Err(Stopped::Gone),
        RequestsEnd::TargetLost => {
            Err(Refusal::target("the connection to the target was lost").into())
        }
        RequestsEnd::Garbled(why) => Err(Refusal::unsupported(&why).into()),
        RequestsEnd::Eof => {
            let flush = flush(&channel.client, &mut packets, status, unfinished);
            tokio::select! {
                _ = tokio::time::timeout(FLUSH, flush) => {}
                () = gone.cancelled() => {}
            }
            Ok(())
        }
    }
}

/// Starts the target's SFTP server.
async fn start(
    channel: &Channel,
    target: TargetChannel,
) -> Result<(Arc<TargetSftp>, Replies), Refusal> {
    let limit = channel.connection.shared.limits.answer;
    match tokio::time::timeout(limit, target.sftp()).await {
        Ok(Ok(started)) => Ok(started),
        Ok(Err(error)) => Err(Refusal::target(&error.to_string())),
        Err(_) => Err(Refusal::target("the target's SFTP server does not answer")),
    }
}

/// Runs requests, changes and answers concurrently until one side ends. Returns how it ended, and
/// the exit status of the channel.
async fn run_until_end(
    channel: &Channel,
    service: &Arc<Service>,
    replies: &mut Replies,
    out: mpsc::Sender<Out>,
    packets: &mut mpsc::Receiver<Out>,
) -> (RequestsEnd, u8) {
    let (jobs, queue) = mpsc::unbounded_channel();
    let dead = channel.gone.child_token();
    let stop = dead.child_token();
    let changes = ChangeQueue {
        service: Arc::clone(service),
        jobs: queue,
        out: out.clone(),
        input: Arc::clone(&channel.input),
        stop: stop.clone(),
        dead: dead.clone(),
        status: 0,
        queue: VecDeque::new(),
    };
    let changes = changes.run();
    tokio::pin!(changes);
    let requests = Requests::new(Arc::clone(service), jobs, out);
    let mut requests = Box::pin(requests.run(&channel.input));
    let traffic = async {
        tokio::select! {
            _ = replies.run(&service.sftp) => RequestsEnd::TargetLost,
            () = pass(packets, &channel.client) => RequestsEnd::ClientGone,
        }
    };
    tokio::pin!(traffic);
    let mut status = None;
    let mut end = tokio::select! {
        biased;
        () = channel.gone.cancelled() => RequestsEnd::ClientGone,
        end = &mut traffic => end,
        end = &mut requests => end,
        early = &mut changes => {
            status = Some(early);
            RequestsEnd::ClientGone
        }
    };
    // What is held is withdrawn; what was released is finished while both sides are there.
    stop.cancel();
    if !matches!(end, RequestsEnd::Eof | RequestsEnd::Garbled(_)) {
        dead.cancel();
    }
    // This drops the last sender of jobs: the change queue ends after its last job.
    drop(requests);
    while status.is_none() {
        tokio::select! {
            early = &mut changes => status = Some(early),
            cut = &mut traffic, if !dead.is_cancelled() => {
                end = cut;
                dead.cancel();
            }
        }
    }
    (end, status.unwrap_or(UNDECIDED))
}

/// Sends the last answers, a message about unfinished uploads, and the exit status.
async fn flush(
    client: &ClientWriter,
    packets: &mut mpsc::Receiver<Out>,
    mut status: u8,
    unfinished: usize,
) -> Result<(), Gone> {
    pass(packets, client).await;
    if unfinished > 0 {
        let why = format!(
            "expacti: {unfinished} upload(s) were not finished by the client: nothing of them \
             was written"
        );
        client.send_text(&client.line(&why)).await?;
        status = if status == 0 { UNDECIDED } else { status };
    }
    client.finish(&Exit::Status(u32::from(status))).await
}

/// Whether the client puts a symbolic link's target first, as OpenSSH does contrary to the SFTP
/// draft. Some clients do so only with a server that calls itself OpenSSH, which the gate does not.
pub(crate) fn sends_openssh_symlink(client: &[u8]) -> bool {
    let client = String::from_utf8_lossy(client).to_ascii_lowercase();
    !["asyncssh", "libssh_"].iter().any(|name| client.contains(name))
}

/// Sends answers to the client until there are no more, or the client has gone.
async fn pass(packets: &mut mpsc::Receiver<Out>, client: &ClientWriter) {
    while let Some(out) = packets.recv().await {
        let sent = match out {
            Out::Packet(packet, _permit) => client.stdout(packet).await,
            Out::Text(line) => client.send_text(&client.line(&line)).await,
        };
        if sent.is_err() {
            return;
        }
    }
}
