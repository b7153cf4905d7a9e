//! Uploads to a target by legacy scp (`scp -t`). The gate plays the receiving side until it has
//! everything the client wants to send, shows it as one item, and only then plays the client
//! towards the target's own scp. libssh2 reads no answer after a file's content: its files are
//! shown when they are announced, and their content passes after that.
//!
//! It must never send the target a byte of an upload that was not approved, nor tell a client that
//! a file was written before the target has said so. The one exception is clients that learn the
//! result from the exit status.

use std::sync::Arc;

use bytes::Bytes;
use expacti_protocol::command::ItemKind;
use expacti_protocol::digest::{StreamDigest, StreamSummary};
use expacti_protocol::ids::CommandId;
use expacti_sftp::scp::Record;
use tokio::sync::Mutex;

use super::answers::{Answer, Answers};
use super::collect::{Collected, Collector, Piece};
use super::command::{ClientKind, ScpUpload};
use super::plan::Resolver;
use crate::boundary::{
    Approved, ApprovedAnnouncement, ApprovedUpload, Ended, GateConst, TargetReader, TargetWriter,
    Unsent,
};
use crate::broker::event::OpenSession;
use crate::client::end::ChannelEnd;
use crate::client::recorder::Recorder;
use crate::client::refusal::Refusal;
use crate::client::writer::ClientWriter;
use crate::files::describe::joined;
use crate::review::hold::{AlsoWatched, Review};
use crate::review::item::{ReviewItem, ReviewResult};
use crate::review::status_line;
use crate::staging::scp_upload::{PlannedUpload, Upload};
use crate::upstream::pool::Lease;

/// Answers a client that would take the end of the channel for a yes, as libssh2 does.
pub(crate) async fn reject(client: &ClientWriter, kind: ClientKind, refusal: &Refusal) {
    if kind == ClientKind::Libssh2 {
        let answer = format!("\x02{}\n", expacti_protocol::one_line(&refusal.message));
        client.stdout(Bytes::from(answer)).await.ok();
    }
}

/// What serving an upload needs.
pub(crate) struct Transfer<'a> {
    pub(crate) upload: &'a ScpUpload,
    pub(crate) review: Review<'a>,
    pub(crate) client: &'a ClientWriter,
    pub(crate) writer: &'a TargetWriter,
    pub(crate) session: &'a OpenSession,
    pub(crate) lease: &'a Lease,
    pub(crate) items: &'a Mutex<Vec<CommandId>>,
    pub(crate) command: CommandId,
}

impl Transfer<'_> {
    /// From the start of the target's scp to its end.
    pub(crate) async fn run(
        &self,
        reader: &mut TargetReader,
        recorder: &mut Recorder,
    ) -> ChannelEnd {
        let mut answers = Answers::new(reader, self.client, recorder);
        match self.serve(&mut answers).await {
            Ok(()) => {
                self.writer.constant(GateConst::Eof).await.ok();
                answers.end().await
            }
            Err(end) => end,
        }
    }

    async fn serve(&self, answers: &mut Answers<'_>) -> Result<(), ChannelEnd> {
        let mut mistakes = match answers.next().await {
            Answer::Done => Mistakes::default(),
            // The target says no before anything was sent: the client gets its message.
            answer => {
                let (Answer::Failed(why) | Answer::Fatal(why)) = &answer else {
                    return Err(answers.end().await);
                };
                self.answer(Some(why)).await?;
                return Ok(());
            }
        };
        self.answer(None).await?;
        let mut collector = Collector::new(self.upload.recursive, self.upload.each);
        let mut resolver = Resolver::new();
        if self.upload.announced {
            return self.announced(collector, resolver, answers).await;
        }
        loop {
            let collected = tokio::select! {
                biased;
                ended = answers.watch() => return Err(ended),
                collected = collector.collect(self.review.input, self.client) => collected,
            };
            let (upload, last) = match collected {
                Ok(Collected::Upload(upload, last)) => (upload, last),
                Ok(Collected::End) => return Ok(()),
                Ok(Collected::Gone) => return Err(ChannelEnd::ClientGone),
                Err(refusal) => return Err(self.refused(refusal, true).await),
            };
            let decided = self.decide(upload, &mut resolver, answers).await;
            let approved = match decided.and_then(|(approved, planned)| {
                ApprovedUpload::new(approved, planned).ok_or_else(|| changed().into())
            }) {
                Ok(approved) => approved,
                Err(NotApproved::Refused(refusal)) => {
                    return Err(self.refused(refusal, !last).await);
                }
                Err(NotApproved::Ended(end)) => return Err(end),
            };
            let fatal = self.deliver(approved, answers, &mut mistakes).await?;
            if last {
                // The client is past the answers: it gets the errors on standard error, and the
                // exit status.
                for why in &mistakes.lines {
                    self.client
                        .send_text(&self.client.line(why))
                        .await
                        .map_err(|_| ChannelEnd::ClientGone)?;
                }
                return Ok(());
            }
            self.answer(mistakes.told().as_deref()).await?;
            if fatal {
                return Ok(());
            }
        }
    }

    /// Submits an upload and waits for the decision.
    async fn decide(
        &self,
        upload: Upload,
        resolver: &mut Resolver,
        answers: &mut Answers<'_>,
    ) -> Result<(Approved, PlannedUpload), NotApproved> {
        let shared = &self.review.connection.shared;
        let limit = shared.limits.answer;
        let upload = Arc::new(upload);
        let planned = tokio::select! {
            biased;
            ended = answers.watch() => return Err(NotApproved::Ended(ended)),
            planned = resolver.plan(self.lease, limit, self.upload, &upload) => planned,
        };
        let planned = planned?;
        let text = planned.text();
        let line = self.client.line(&status_line::waiting(&text));
        let mut item = ReviewItem::new(ItemKind::File, Bytes::from(text));
        item.parent = Some(self.command.clone());
        item.notes = planned.notes().to_vec();
        item.preview = joined(planned.previews().to_vec());
        let mut terminal = None;
        let held = self.review.run(self.session, item, &mut terminal, AlsoWatched::default());
        let held = status_line::with_notice(held, async {
            self.client.send_text(&line).await.ok();
        });
        let held = tokio::select! {
            biased;
            ended = answers.watch() => return Err(NotApproved::Ended(ended)),
            held = held => held,
        };
        let (id, approved) = match held {
            ReviewResult::Approved(id, approved) => (id, approved),
            ReviewResult::Refused(refusal) => return Err(refusal.into()),
            ReviewResult::Gone | ReviewResult::Changed | ReviewResult::Withdrawn => {
                return Err(NotApproved::Ended(ChannelEnd::ClientGone));
            }
        };
        self.items.lock().await.push(id);
        // Planned again from what is there now: an upload goes where it was reviewed to go, over
        // what was there then, or nowhere.
        let planned = tokio::select! {
            biased;
            ended = answers.watch() => return Err(NotApproved::Ended(ended)),
            planned = resolver.plan(self.lease, limit, self.upload, &upload) => planned,
        };
        Ok((*approved, planned?))
    }

    /// Serves a client that sends content only once its announcement has been answered.
    async fn announced(
        &self,
        mut collector: Collector,
        mut resolver: Resolver,
        answers: &mut Answers<'_>,
    ) -> Result<(), ChannelEnd> {
        let input = self.review.input;
        loop {
            let collected = tokio::select! {
                biased;
                ended = answers.watch() => return Err(ended),
                collected = collector.announcement(input, self.client) => collected,
            };
            let upload = match collected {
                Ok(Collected::Upload(upload, _)) => upload,
                Ok(Collected::End) => return Ok(()),
                Ok(Collected::Gone) => return Err(ChannelEnd::ClientGone),
                Err(refusal) => return Err(self.refused(refusal, true).await),
            };
            let (approved, planned) = match self.decide(upload, &mut resolver, answers).await {
                Ok(decided) => decided,
                Err(NotApproved::Refused(refusal)) => {
                    return Err(self.refused(refusal, true).await);
                }
                Err(NotApproved::Ended(end)) => return Err(end),
            };
            let text = planned.text();
            let Some(approved) = ApprovedAnnouncement::new(approved, planned) else {
                return Err(self.refused(changed(), true).await);
            };
            let (records, mut grant) = self.writer.announce(approved);
            for record in records {
                let sent = self.sent(self.writer.announced(record), answers).await?;
                sent.map_err(|why| self.unreadable(&why))?;
                if !self.passed_on(answers).await? {
                    return Ok(());
                }
            }
            self.answer(None).await?;
            let mut digest = StreamDigest::default();
            let done = loop {
                let piece = tokio::select! {
                    biased;
                    ended = answers.watch() => return Err(ended),
                    piece = collector.content(input) => piece,
                };
                match piece {
                    Ok(Piece::Bytes(bytes)) => {
                        digest.update(&bytes);
                        let sent = self.sent(grant.pass(bytes), answers);
                        sent.await?.map_err(|why| self.unreadable(&why))?;
                    }
                    Ok(Piece::Done) => break true,
                    Ok(Piece::End) => break false,
                    Err(refusal) => return Err(self.refused(refusal, true).await),
                }
            };
            let StreamSummary { bytes, sha256, .. } = digest.summary();
            let note = format!("{text}: {bytes} bytes sent, sha256 {sha256}");
            self.review.connection.note(&note).await;
            // libssh2 stops here; the exit status of the target's scp is the result.
            if !done {
                return Ok(());
            }
            let sent = self.sent(grant.finish(), answers).await?;
            sent.map_err(|why| self.unreadable(&why))?;
            if !self.passed_on(answers).await? {
                return Ok(());
            }
            self.answer(None).await?;
        }
    }

    /// Whether the target says yes; if it does not, the client is told.
    async fn passed_on(&self, answers: &mut Answers<'_>) -> Result<bool, ChannelEnd> {
        match answers.next().await {
            Answer::Done => Ok(true),
            Answer::Failed(why) | Answer::Fatal(why) => {
                self.answer(Some(&why)).await?;
                Ok(false)
            }
            Answer::Ended => Err(answers.end().await),
        }
    }

    /// Plays the client towards the target. Returns whether the target's scp has given up.
    async fn deliver(
        &self,
        upload: ApprovedUpload,
        answers: &mut Answers<'_>,
        mistakes: &mut Mistakes,
    ) -> Result<bool, ChannelEnd> {
        // As scp itself does: what the target refuses is skipped, a directory with its contents.
        let (mut out, mut untimed) = (0usize, false);
        for entry in upload.each() {
            let record = entry.record().clone();
            let line = entry.line().map(str::to_owned);
            let skip = std::mem::take(&mut untimed) || out > 0;
            match (&record, skip) {
                (Record::Directory { .. }, true) => out += 1,
                (Record::End, true) => out = out.saturating_sub(1),
                (_, true) => {}
                (_, false) => {
                    let content = self.sent(self.writer.record(entry), answers).await?;
                    let content = content.map_err(|why| self.unreadable(&why))?;
                    let mut answer = answers.next().await;
                    if let (Some(content), Answer::Done) = (content, &answer) {
                        let sent = self.sent(self.writer.content(content), answers).await?;
                        sent.map_err(|why| self.unreadable(&why))?;
                        answer = answers.next().await;
                    }
                    let said = match &answer {
                        Answer::Done => "done",
                        Answer::Failed(why) | Answer::Fatal(why) => why,
                        Answer::Ended => return Err(answers.end().await),
                    };
                    if let Some(line) = line {
                        let note = format!("{line}: {}", expacti_protocol::one_line(said));
                        self.review.connection.note(&note).await;
                    }
                    if answer != Answer::Done {
                        mistakes.lines.push(said.to_owned());
                        untimed = matches!(record, Record::Times { .. });
                        out = usize::from(matches!(record, Record::Directory { .. }));
                    }
                    if matches!(answer, Answer::Fatal(_)) {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    /// Sends, and listens meanwhile: the target may answer or disconnect.
    async fn sent<T>(
        &self,
        sending: impl Future<Output = T>,
        answers: &mut Answers<'_>,
    ) -> Result<T, ChannelEnd> {
        tokio::pin!(sending);
        tokio::select! {
            biased;
            sent = &mut sending => Ok(sent),
            ended = answers.watch() => Err(ended),
        }
    }

    fn unreadable(&self, why: &Unsent) -> ChannelEnd {
        match why {
            Unsent::Lost => ChannelEnd::Target(Ended::Lost),
            Unsent::Altered => ChannelEnd::Refused(Refusal::undecided(
                "the gate could not read back what it had kept of the upload",
            )),
            Unsent::Other => {
                ChannelEnd::Refused(Refusal::undecided("the content is not what was announced"))
            }
            Unsent::Spool(error) => ChannelEnd::Refused(Refusal::undecided(&format!(
                "the gate cannot read the upload back: {error}"
            ))),
        }
    }

    /// Answers the client: `None` is a yes.
    async fn answer(&self, mistake: Option<&str>) -> Result<(), ChannelEnd> {
        let bytes = match mistake {
            None => Bytes::from_static(b"\0"),
            Some(why) => Bytes::from(format!("\x01{}\n", expacti_protocol::one_line(why))),
        };
        self.client.stdout(bytes).await.map_err(|_| ChannelEnd::ClientGone)
    }

    /// Answers a client that waits for an answer.
    async fn refused(&self, mut refusal: Refusal, waits: bool) -> ChannelEnd {
        if waits {
            if self.upload.short {
                // Before the answer, with which the client ends: what comes later, nobody reads.
                let reason = Bytes::from(format!("{}\n", refusal.message));
                refusal.is_told = self.client.stderr(reason).await.is_ok();
            }
            let why =
                if self.upload.short { "expacti: nothing was written" } else { &refusal.message };
            let answer = format!("\x02{}\n", expacti_protocol::one_line(why));
            self.client.stdout(Bytes::from(answer)).await.ok();
        }
        ChannelEnd::Refused(refusal)
    }
}

fn changed() -> Refusal {
    Refusal::undecided("what is there has changed since the review: nothing was written")
}

/// Why an upload was not approved.
enum NotApproved {
    /// The channel has ended meanwhile.
    Ended(ChannelEnd),
    /// The client is to be told why.
    Refused(Refusal),
}

impl From<Refusal> for NotApproved {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Errors from the target.
#[derive(Default)]
struct Mistakes {
    lines: Vec<String>,
}

impl Mistakes {
    /// The answer to one source; clears the errors.
    fn told(&mut self) -> Option<String> {
        let lines = std::mem::take(&mut self.lines);
        let first = lines.first()?;
        Some(match lines.len() {
            1 => first.clone(),
            n => format!("{first} (and {} more were not written)", n - 1),
        })
    }
}
