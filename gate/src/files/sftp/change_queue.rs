//! Prepares changes one after another, holds them, and carries them out only once they are
//! approved. Files that are closed together become one item. A client must never hear of a change
//! before its outcome is known.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use expacti_protocol::command::{ItemKind, Outcome};
use expacti_protocol::digest::{Digest, StreamDigest, StreamSummary};
use expacti_protocol::ids::CommandId;
use expacti_sftp::{Change, RemotePath, Reply, Request, StatusCode};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::pending_write::PendingWrite;
use super::prepare::{self, PreparedChange};
use super::service::{Expected, Service};
use crate::boundary::{
    Applied, Approved, ApprovedChanges, Environment, PlannedChange, TargetLost, Why, item_text,
};
use crate::client::input::ChannelInput;
use crate::client::refusal::Refusal;
use crate::files::describe::{NoChange, bounded, joined};
use crate::review::hold::{AlsoWatched, Review};
use crate::review::item::{ReviewItem, ReviewResult};
use crate::review::status_line;
use crate::staging::pending_reply::{Out, PendingReply};
use crate::staging::spool::Sealed;

/// How long a closed file waits for others that are being written at the same time.
const TOGETHER: Duration = Duration::from_millis(300);

/// The most files in one item.
const MOST_TOGETHER: usize = 256;

/// Something that needs a decision, or has to wait for its turn.
pub(crate) enum Job {
    /// Anything but an upload.
    Change(Box<Request>, PendingReply),
    /// A file was closed.
    Close(Box<PendingWrite>, PendingReply, Expected),
    /// A file is to be read that is not free to be. If it was opened for writing as well, a write follows.
    Read(RemotePath, Option<Box<PendingWrite>>, PendingReply),
    /// A file is to be synced to disk.
    Sync(Box<PendingWrite>, PendingReply, Expected),
}

/// What to do once a change's outcome is known.
enum After {
    /// Nothing more.
    Nothing,
    /// The write it came from may continue only if it was done. If it was not, a later look at its
    /// paths reports that.
    PendingWrite(Arc<AtomicBool>, Expected),
    /// The handle goes to the client.
    Open(Option<Box<PendingWrite>>),
}

struct Waiting {
    change: PreparedChange,
    reply_to: PendingReply,
    after: After,
}

/// See the module.
pub(crate) struct ChangeQueue {
    pub(crate) service: Arc<Service>,
    pub(crate) jobs: mpsc::UnboundedReceiver<Job>,
    pub(crate) out: mpsc::Sender<Out>,
    pub(crate) input: Arc<ChannelInput>,
    /// Withdraws what is held.
    pub(crate) stop: CancellationToken,
    /// The client or the target has gone.
    pub(crate) dead: CancellationToken,
    /// The exit status of the last refusal; zero when everything was done.
    pub(crate) status: u8,
    pub(crate) queue: VecDeque<Job>,
}

impl ChangeQueue {
    /// Runs until there are no more jobs. Returns the exit status of the channel.
    pub(crate) async fn run(mut self) -> u8 {
        while let Some(job) = self.next().await {
            let batch = self.batch(job).await;
            let mut waiting = Vec::new();
            for job in batch {
                match self.prepare(job).await {
                    Ok(Some(one)) => waiting.push(one),
                    Ok(None) => {}
                    // Its reply is dropped unanswered; the channel ends.
                    Err(TargetLost) => {}
                }
            }
            if !waiting.is_empty() {
                self.decide(waiting).await;
            }
        }
        self.status
    }

    async fn next(&mut self) -> Option<Job> {
        match self.queue.pop_front() {
            Some(job) => Some(job),
            None => self.jobs.recv().await,
        }
    }

    /// The job; for a closed file also the files closed right after it. A client that writes one
    /// file after another is not made to wait.
    async fn batch(&mut self, job: Job) -> Vec<Job> {
        let Job::Close(write, ..) = &job else { return vec![job] };
        let mut paths = HashSet::from([write.real.clone()]);
        let mut batch = vec![job];
        while batch.len() < MOST_TOGETHER {
            let next = match self.queue.pop_front() {
                Some(next) => next,
                None => match self.jobs.try_recv() {
                    Ok(next) => next,
                    Err(_) if self.service.is_writing() && !self.stop.is_cancelled() => {
                        match tokio::time::timeout(TOGETHER, self.jobs.recv()).await {
                            Ok(Some(next)) => next,
                            _ => break,
                        }
                    }
                    Err(_) => break,
                },
            };
            match &next {
                Job::Close(write, ..) if paths.insert(write.real.clone()) => batch.push(next),
                _ => {
                    self.queue.push_front(next);
                    break;
                }
            }
        }
        batch
    }

    async fn prepare(&self, job: Job) -> Result<Option<Waiting>, TargetLost> {
        let sftp = &self.service.sftp;
        let (prepared, reply_to, after) = match job {
            Job::Change(request, reply_to) => {
                let order = self.service.openssh_symlink;
                (prepare::change(sftp, &request, order).await, reply_to, After::Nothing)
            }
            Job::Read(path, write, reply_to) => {
                (prepare::read(sftp, path).await, reply_to, After::Open(write))
            }
            Job::Close(write, reply_to, expected) => {
                let after = After::PendingWrite(Arc::clone(&write.failed), expected);
                (self.upload(*write, false).await, reply_to, after)
            }
            Job::Sync(write, reply_to, expected) => {
                let after = After::PendingWrite(Arc::clone(&write.failed), expected);
                (self.upload(*write, true).await, reply_to, after)
            }
        };
        match prepared {
            Ok(change) => Ok(Some(Waiting { change, reply_to, after })),
            Err(NoChange::Answer(reply)) => {
                if !reply.is_ok() {
                    after.failed(&self.service, &reply);
                }
                reply_to.answer(&reply).await;
                Ok(None)
            }
            Err(NoChange::Lost) => Err(TargetLost),
        }
    }

    async fn upload(&self, write: PendingWrite, sync: bool) -> Result<PreparedChange, NoChange> {
        if write.has_failed() {
            let why = "expacti: an earlier part of this file was not written";
            return Err(Reply::status(StatusCode::PermissionDenied, why).into());
        }
        if !write.is_dirty() {
            return Err(Reply::ok().into());
        }
        prepare::upload(&self.service.sftp, write, sync).await
    }

    /// Holds the changes as one item, and carries them out if it is approved.
    async fn decide(&mut self, waiting: Vec<Waiting>) {
        let (mut planned, mut pending_replies) = (Vec::new(), Vec::new());
        let (mut notes, mut previews) = (HashSet::new(), Vec::new());
        for one in waiting {
            let path = one.change.planned.change().path().to_string();
            previews.extend(one.change.preview.map(|preview| (path, preview)));
            notes.extend(one.change.notes);
            planned.push(one.change.planned);
            pending_replies.push((one.reply_to, one.after));
        }
        let text = item_text(&planned);
        let mut item = ReviewItem::new(ItemKind::File, Bytes::from(text.clone()));
        item.notes = bounded(notes);
        item.preview = joined(previews);
        let started = Instant::now();
        let (id, approved) = match self.hold(item).await {
            Ok(approved) => approved,
            Err(refusal) => return self.refuse(pending_replies, &refusal).await,
        };
        let written = summary(&planned);
        let Some(changes) = ApprovedChanges::new(*approved, planned) else {
            let why = "the approval was not about these changes: nothing was done";
            self.finished(id, Outcome::unknown(why)).await;
            return self.refuse(pending_replies, &Refusal::undecided(why)).await;
        };
        let mut failed = 0u32;
        let mut pending_replies = VecDeque::from(pending_replies);
        for change in changes.each() {
            let Some((reply_to, after)) = pending_replies.pop_front() else { break };
            let sftp = Arc::clone(&self.service.sftp);
            let applied = tokio::select! {
                biased;
                () = self.dead.cancelled() => Err(TargetLost),
                applied = sftp.apply(&change) => applied,
            };
            let reply = match applied {
                Ok(applied) => self.outcome(applied, after, &id, change.change()).await,
                Err(TargetLost) => {
                    let why = "the client or the target went away as the change was carried out";
                    self.finished(id, Outcome { stdin: written, ..Outcome::unknown(why) }).await;
                    return;
                }
            };
            if !reply.is_ok() && !matches!(reply, Reply::Handle(_)) {
                failed += 1;
            }
            reply_to.answer(&reply).await;
        }
        let outcome = Outcome {
            exit_status: Some(u32::from(failed > 0)),
            stdin: written,
            duration_us: u64::try_from(started.elapsed().as_micros()).ok(),
            ..Outcome::default()
        };
        self.finished(id, outcome).await;
    }

    /// Notes a change's result in the recording, and returns the answer to the client.
    async fn outcome(
        &mut self,
        applied: Applied,
        after: After,
        id: &CommandId,
        change: &Change,
    ) -> Reply {
        let line = change.to_string();
        let (reply, word) = match applied {
            Applied::Done => (Reply::ok(), "done".to_owned()),
            Applied::Opened(file) => match (after, change) {
                (After::Open(write), Change::Read { present, .. }) => {
                    let why = Why::Approved(id.clone(), present.size());
                    let opened = self.service.opened(file, why, write).await;
                    self.service.note(&format!("{line}: opened")).await;
                    return opened;
                }
                _ => (Reply::ok(), "opened".to_owned()),
            },
            Applied::Changed(why) => {
                self.status = expacti_protocol::exit::UNDECIDED;
                let why = format!("expacti: not done: {why}");
                self.send_text(&why).await;
                let reply = Reply::Status(StatusCode::Failure, why.clone());
                after.failed(&self.service, &reply);
                (reply, why)
            }
            Applied::Refused { reply, begun } => {
                after.failed(&self.service, &reply);
                let word = match &reply {
                    Reply::Status(_, message) => expacti_protocol::one_line(message),
                    _ => "an answer of the wrong kind".to_owned(),
                };
                let part = if begun { " (a part may have been written)" } else { "" };
                (reply, format!("refused by the target: {word}{part}"))
            }
        };
        self.service.note(&format!("{line}: {word}")).await;
        reply
    }

    async fn hold(&self, item: ReviewItem) -> Result<(CommandId, Box<Approved>), Refusal> {
        let gone = || Refusal {
            message: "expacti: change withdrawn".to_owned(),
            status: expacti_protocol::exit::UNDECIDED,
            is_told: false,
            about: None,
        };
        if self.stop.is_cancelled() {
            return Err(gone());
        }
        let connection = &self.service.connection;
        let session = connection.current().await?;
        let environment = Environment::default();
        let review = Review {
            connection,
            client: None,
            input: &self.input,
            gone: &self.stop,
            environment: &environment,
            watcher: None,
        };
        let line = status_line::waiting(&String::from_utf8_lossy(&item.bytes));
        let mut terminal = None;
        let held = review.run(&session, item, &mut terminal, AlsoWatched::default());
        match status_line::with_notice(held, self.send_text(&line)).await {
            ReviewResult::Approved(id, approved) => Ok((id, approved)),
            ReviewResult::Refused(refusal) => Err(refusal),
            _ => Err(gone()),
        }
    }

    async fn refuse(&mut self, pending_replies: Vec<(PendingReply, After)>, refusal: &Refusal) {
        self.status = refusal.status;
        self.send_text(&refusal.message).await;
        self.service.note(&refusal.message).await;
        let reply = Reply::Status(StatusCode::PermissionDenied, refusal.message.clone());
        for (reply_to, after) in pending_replies {
            after.failed(&self.service, &reply);
            reply_to.answer(&reply).await;
        }
    }

    /// Sends text to standard error: OpenSSH's clients do not show the message of a status.
    async fn send_text(&self, message: &str) {
        self.out.send(Out::Text(message.to_owned())).await.ok();
    }

    async fn finished(&self, id: CommandId, outcome: Outcome) {
        self.service.connection.shared.link.finished(id, outcome).await;
    }
}

impl After {
    fn failed(self, service: &Service, reply: &Reply) {
        if let Self::PendingWrite(failed, expected) = self {
            failed.store(true, Ordering::Release);
            service.handles().refuse(expected.paths.clone(), reply);
        }
    }
}

/// Length and digest of what was written: those of a single upload, or the digest of all digests.
fn summary(planned: &[PlannedChange]) -> Option<StreamSummary> {
    let contents: Vec<_> =
        planned.iter().filter_map(|p| p.content().map(Sealed::summary)).collect();
    if let [one] = &contents[..] {
        let sha256 = one.sha256.iter().map(|b| format!("{b:02x}")).collect::<String>();
        return Some(StreamSummary { bytes: one.bytes, sha256: sha256.parse::<Digest>().ok()? });
    }
    if contents.is_empty() {
        return None;
    }
    let mut digest = StreamDigest::default();
    contents.iter().for_each(|content| digest.update(&content.sha256));
    let bytes = contents.iter().map(|content| content.bytes).sum();
    Some(StreamSummary { bytes, sha256: digest.summary().sha256 })
}

/// Whether a request is a change, which goes through the queue.
pub(crate) fn is_change(request: &Request) -> bool {
    matches!(
        request,
        Request::Hardlink { .. }
            | Request::Lsetstat { .. }
            | Request::Mkdir { .. }
            | Request::PosixRename { .. }
            | Request::Remove { .. }
            | Request::Rename { .. }
            | Request::Rmdir { .. }
            | Request::Setstat { .. }
            | Request::Symlink { .. }
    )
}
