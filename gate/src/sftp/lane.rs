//! Changes, one after another: prepared, held, and only when they were approved carried out. Files
//! that are closed together are one item. A client hears of a change only what became of it.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use expacti_protocol::command::{ItemKind, Outcome};
use expacti_protocol::digest::{Digest, StreamDigest, StreamSummary};
use expacti_protocol::ids::CommandId;
use expacti_sftp::{RemotePath, Reply, Request, StatusCode};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::draft::Draft;
use super::prepare::{self, Prepared, Ready};
use super::ticket::{Out, Ticket};
use super::{Expected, Service};
use crate::boundary::{ApprovedChanges, Carried, Planned, TargetLost, item_text};
use crate::channel::{Hold, Item, Outcomes};
use crate::environment::Environment;
use crate::inbox::Inbox;
use crate::message::Refusal;
use crate::status;

/// How long a file that was closed waits for others that are being written at the same time.
const TOGETHER: Duration = Duration::from_millis(300);

/// Files of one item.
const MOST_TOGETHER: usize = 256;

/// Notes of one item; past it their number is told.
const NOTES: usize = 64;

/// Longest preview of one item, in bytes.
const PREVIEW: usize = 256 * 1024;

/// Something that needs a decision, or at least its turn.
pub(crate) enum Job {
    /// Anything but an upload.
    Change(Box<Request>, Ticket),
    /// A file was closed.
    Close(Box<Draft>, Ticket, Expected),
    /// A secret is to be read; a file opened for writing as well goes on as a draft.
    Read(RemotePath, Option<Box<Draft>>, Ticket),
    /// A file is to be on the disk.
    Sync(Box<Draft>, Ticket, Expected),
}

/// What is to be done with a change's outcome.
enum After {
    /// Nothing more.
    Nothing,
    /// The draft it was made of can go on only if it was done, and who looks at its paths is to
    /// know if it was not.
    Draft(Arc<AtomicBool>, Expected),
    /// The handle goes to the client.
    Open(RemotePath, Option<Box<Draft>>),
}

struct Waiting {
    ready: Ready,
    ticket: Ticket,
    after: After,
}

/// See the module.
pub(crate) struct Lane {
    pub(crate) service: Arc<Service>,
    pub(crate) jobs: mpsc::UnboundedReceiver<Job>,
    pub(crate) out: mpsc::Sender<Out>,
    pub(crate) inbox: Arc<Inbox>,
    /// Nothing that is held may go on.
    pub(crate) stop: CancellationToken,
    /// Nobody is there any more, on one side or the other.
    pub(crate) dead: CancellationToken,
    /// The last refusal's exit status; zero when everything was done.
    pub(crate) status: u8,
    pub(crate) queue: VecDeque<Job>,
}

impl Lane {
    /// Until there are no more jobs; gives the exit status of the channel.
    pub(crate) async fn run(mut self) -> u8 {
        while let Some(job) = self.next().await {
            let batch = self.batch(job).await;
            let mut waiting = Vec::new();
            for job in batch {
                match self.prepare(job).await {
                    Ok(Some(one)) => waiting.push(one),
                    Ok(None) => {}
                    // Its ticket is gone with it; the channel ends.
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

    /// The job, and when it is a closed file, others that are closed right behind it. Nobody waits
    /// for files of a client that writes one after another.
    async fn batch(&mut self, job: Job) -> Vec<Job> {
        let Job::Close(draft, ..) = &job else { return vec![job] };
        let mut paths = HashSet::from([draft.real.clone()]);
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
                Job::Close(draft, ..) if paths.insert(draft.real.clone()) => batch.push(next),
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
        let (prepared, ticket, after) = match job {
            Job::Change(request, ticket) => {
                let order = self.service.openssh_symlink;
                (prepare::change(sftp, &request, order).await?, ticket, After::Nothing)
            }
            Job::Read(path, draft, ticket) => {
                (prepare::read(sftp, path.clone()).await?, ticket, After::Open(path, draft))
            }
            Job::Close(draft, ticket, expected) => {
                let after = After::Draft(Arc::clone(&draft.failed), expected);
                (self.upload(*draft, false).await?, ticket, after)
            }
            Job::Sync(draft, ticket, expected) => {
                let after = After::Draft(Arc::clone(&draft.failed), expected);
                (self.upload(*draft, true).await?, ticket, after)
            }
        };
        match prepared {
            Prepared::Change(ready) => Ok(Some(Waiting { ready: *ready, ticket, after })),
            Prepared::Answer(reply) => {
                if !reply.is_ok() {
                    after.failed(&self.service, &reply);
                }
                ticket.answer(&reply).await;
                Ok(None)
            }
        }
    }

    async fn upload(&self, draft: Draft, sync: bool) -> Result<Prepared, TargetLost> {
        if draft.has_failed() {
            let why = "expacti: an earlier part of this file was not written";
            return Ok(Prepared::Answer(Reply::status(StatusCode::PermissionDenied, why)));
        }
        if !draft.is_dirty() {
            return Ok(Prepared::Answer(Reply::ok()));
        }
        prepare::upload(&self.service.sftp, draft, sync).await
    }

    /// Holds the changes as one item and carries them out if it is approved.
    async fn decide(&mut self, waiting: Vec<Waiting>) {
        let (mut planned, mut tickets) = (Vec::new(), Vec::new());
        let (mut notes, mut previews) = (HashSet::new(), Vec::new());
        for one in waiting {
            let path = one.ready.planned.change().path().to_string();
            previews.extend(one.ready.preview.map(|preview| (path, preview)));
            notes.extend(one.ready.notes);
            planned.push(one.ready.planned);
            tickets.push((one.ticket, one.after));
        }
        let text = item_text(&planned);
        let mut item = Item::new(ItemKind::File, Bytes::from(text.clone()));
        item.notes = bounded(notes);
        item.preview = joined(previews);
        let started = Instant::now();
        let (id, approved) = match self.hold(item).await {
            Ok(approved) => approved,
            Err(refusal) => return self.refuse(tickets, &refusal).await,
        };
        let written = summary(&planned);
        let Some(changes) = ApprovedChanges::new(*approved, planned) else {
            let why = "the approval was not about these changes: nothing was done";
            self.finished(id, unknown(why)).await;
            return self.refuse(tickets, &Refusal::undecided(why)).await;
        };
        let mut failed = 0u32;
        let mut tickets = VecDeque::from(tickets);
        for change in changes.each() {
            let Some((ticket, after)) = tickets.pop_front() else { break };
            let sftp = Arc::clone(&self.service.sftp);
            let carried = tokio::select! {
                biased;
                () = self.dead.cancelled() => Err(TargetLost),
                carried = sftp.carry_out(&change) => carried,
            };
            let line = change.change().to_string();
            let reply = match carried {
                Ok(carried) => self.outcome(carried, after, &line).await,
                Err(TargetLost) => {
                    let why = "the client or the target went away as the change was carried out";
                    self.finished(id, Outcome { stdin: written, ..unknown(why) }).await;
                    return;
                }
            };
            if !reply.is_ok() && !matches!(reply, Reply::Handle(_)) {
                failed += 1;
            }
            ticket.answer(&reply).await;
        }
        let outcome = Outcome {
            exit_status: Some(u32::from(failed > 0)),
            stdin: written,
            duration_us: u64::try_from(started.elapsed().as_micros()).ok(),
            ..Outcome::default()
        };
        self.finished(id, outcome).await;
    }

    /// What to answer, and a line in the recording.
    async fn outcome(&mut self, carried: Carried, after: After, line: &str) -> Reply {
        let (reply, word) = match carried {
            Carried::Done => (Reply::ok(), "done".to_owned()),
            Carried::Opened(handle) => match after {
                After::Open(path, draft) => {
                    let opened = self.service.opened(handle, path, draft).await;
                    self.service.note(&format!("{line}: opened")).await;
                    return opened;
                }
                _ => (Reply::ok(), "opened".to_owned()),
            },
            Carried::Changed(why) => {
                self.status = expacti_protocol::exit::UNDECIDED;
                let why = format!("expacti: not done: {why}");
                self.say(&why).await;
                let reply = Reply::Status(StatusCode::Failure, why.clone());
                after.failed(&self.service, &reply);
                (reply, why)
            }
            Carried::Refused { reply, begun } => {
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

    async fn hold(
        &self,
        item: Item,
    ) -> Result<(CommandId, Box<crate::boundary::Approved>), Refusal> {
        let gone = || Refusal {
            message: "expacti: change withdrawn".to_owned(),
            status: expacti_protocol::exit::UNDECIDED,
        };
        if self.stop.is_cancelled() {
            return Err(gone());
        }
        let connection = &self.service.connection;
        let session = connection.current().await?;
        let environment = Environment::default();
        let hold = Hold {
            connection,
            client: None,
            inbox: &self.inbox,
            gone: &self.stop,
            environment: &environment,
            watcher: None,
        };
        let line = status::waiting(&String::from_utf8_lossy(&item.bytes));
        let mut terminal = None;
        let held = hold.run(&session, item, &mut terminal, None, None);
        match status::patiently(held, self.say(&line)).await {
            Outcomes::Approved(id, approved) => Ok((id, approved)),
            Outcomes::Refused(refusal) => Err(refusal),
            _ => Err(gone()),
        }
    }

    async fn refuse(&mut self, tickets: Vec<(Ticket, After)>, refusal: &Refusal) {
        self.status = refusal.status;
        self.say(&refusal.message).await;
        self.service.note(&refusal.message).await;
        let reply = Reply::Status(StatusCode::PermissionDenied, refusal.message.clone());
        for (ticket, after) in tickets {
            after.failed(&self.service, &reply);
            ticket.answer(&reply).await;
        }
    }

    /// OpenSSH's clients do not show the message of a status.
    async fn say(&self, message: &str) {
        self.out.send(Out::Say(message.to_owned())).await.ok();
    }

    async fn finished(&self, id: CommandId, outcome: Outcome) {
        self.service.connection.shared.link.finished(id, outcome).await;
    }
}

impl After {
    fn failed(self, service: &Service, reply: &Reply) {
        if let Self::Draft(failed, expected) = self {
            failed.store(true, Ordering::Release);
            service.handles().refuse(expected.paths.clone(), reply);
        }
    }
}

/// The notes of one item, warnings first: an agent can make as many of the others as it likes.
pub(crate) fn bounded(notes: HashSet<String>) -> Vec<String> {
    let mut notes: Vec<_> = notes.into_iter().collect();
    notes.sort_by_cached_key(|note| (note.starts_with(prepare::ASKED_AS), note.clone()));
    let more = notes.len().saturating_sub(NOTES);
    if more > 0 {
        notes.truncate(NOTES);
        notes.push(format!("{more} further notes are not shown: deny, and ask for fewer files"));
    }
    notes
}

fn unknown(why: &str) -> Outcome {
    Outcome { unknown: Some(why.to_owned()), ..Outcome::default() }
}

/// Length and digest of what was written: of the one upload, or of all their digests.
fn summary(planned: &[Planned]) -> Option<StreamSummary> {
    let contents: Vec<_> =
        planned.iter().filter_map(|p| p.content().map(crate::sftp::Sealed::summary)).collect();
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

/// The previews of one item, each under its path when there are several.
pub(crate) fn joined(previews: Vec<(String, String)>) -> Option<String> {
    if previews.len() < 2 {
        return previews.into_iter().next().map(|(_, preview)| preview);
    }
    let mut all = String::new();
    for (path, preview) in previews {
        if all.len() + preview.len() > PREVIEW {
            all.push_str("[cut here: further files are not shown; their digests stand above]\n");
            break;
        }
        all.push_str(&format!("==> {path} <==\n{preview}"));
        if !all.ends_with('\n') {
            all.push('\n');
        }
    }
    Some(all)
}

/// A request is a change with a place in the lane.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_not_drowned_in_other_notes() {
        let asked = |i| format!("{}/a//{i}", prepare::ASKED_AS);
        let warning = "/root/.ssh/authorized_keys: SSH's own files".to_owned();
        let mut notes: HashSet<String> = (0..200).map(asked).collect();
        notes.insert(warning.clone());
        let shown = bounded(notes);
        assert_eq!(shown.first(), Some(&warning));
        assert_eq!(shown.len(), NOTES + 1);
        assert!(shown.last().is_some_and(|last| last.starts_with("137 further notes")));
    }
}
