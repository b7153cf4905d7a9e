//! Legacy scp towards a target (`scp -t`): the gate plays the receiving side until it has all that
//! the client wants to send, shows it as one item, and only then plays the client towards the
//! target's own scp. libssh2 looks at no answer behind a content: its files are shown as they are
//! announced, and their content passes after that. It must never send the target a byte of an upload that was not approved, nor
//! tell a client that a file was written before the target said so - except to clients that learn
//! it from the exit status.

mod answers;
mod collect;
mod plan;

use std::sync::Arc;

use bytes::Bytes;
use expacti_engine::{ScpSink, scp_sink};
use expacti_protocol::command::ItemKind;
use expacti_protocol::digest::{StreamDigest, StreamSummary};
use expacti_protocol::ids::CommandId;
use expacti_sftp::RemotePath;
use expacti_sftp::scp::Record;
use russh::ChannelReadHalf;
use tokio::sync::Mutex;

use self::answers::{Answer, Answers};
use self::collect::{Collected, Collector, Piece};
pub(crate) use self::collect::{Entry, Upload};
pub(crate) use self::plan::Planned;
use self::plan::Resolver;
use crate::channel::{Hold, Item, Outcomes};
use crate::client::ClientWriter;
use crate::link::OpenSession;
use crate::message::Refusal;
use crate::output::Ended;
use crate::recorder::Recorder;
use crate::running::Stop;
use crate::status;
use crate::target::{
    Approved, ApprovedAnnouncement, ApprovedUpload, GateConst, TargetWriter, Unsent,
};
use crate::upstream::Lease;

/// The client, as far as it matters how it learns the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientKind {
    /// Looks at the exit status.
    OpenSsh,
    /// Looks at nothing once it has sent a file's content, so it is answered before.
    Libssh2,
    /// Looks at the answer to each file.
    Other,
}

impl ClientKind {
    /// From the client's identification.
    pub(crate) fn of(identification: &[u8]) -> Self {
        let software = identification.strip_prefix(b"SSH-2.0-").unwrap_or_default();
        if software.starts_with(b"OpenSSH") {
            Self::OpenSsh
        } else if software.to_ascii_lowercase().starts_with(b"libssh2") {
            Self::Libssh2
        } else {
            Self::Other
        }
    }
}

/// An upload that a command asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sink {
    path: RemotePath,
    recursive: bool,
    preserve: bool,
    /// Standard error is read by the same person as the answers.
    short: bool,
    /// Each source gets its last answer only after its decision. Otherwise all sources are one
    /// item, and the client hears of it by the exit status.
    each: bool,
    /// Files are decided on as they are announced, without their content.
    announced: bool,
}

/// The note on the command's own item.
pub(crate) const NOTE: &str =
    "receives files: they are shown in an item of their own before anything is written";

impl Sink {
    /// Reads a command; a refusal when what it would write cannot be shown, or not honestly.
    pub(crate) fn of(
        command: &[u8],
        client: ClientKind,
        terminal: bool,
    ) -> Result<Option<Self>, Refusal> {
        let refuse = |why: &str| Err(Refusal::unsupported(why));
        match scp_sink(command) {
            ScpSink::No => Ok(None),
            ScpSink::Unclear => refuse(
                "this scp would write where cannot be told for certain: write its path out in \
                 plain characters, or use sftp (scp without -O)",
            ),
            ScpSink::Plain { .. } if terminal => refuse("an upload by scp needs no terminal"),
            ScpSink::Plain { recursive: true, .. } if client == ClientKind::Libssh2 => {
                refuse("this client uploads directories by sftp only")
            }
            ScpSink::Plain { path, recursive, directory, preserve } => {
                let Ok(path) = RemotePath::new(path.into_bytes()) else {
                    return refuse("the path of the upload is too long");
                };
                let each = !(directory && client == ClientKind::OpenSsh);
                let short = client == ClientKind::OpenSsh;
                let announced = client == ClientKind::Libssh2;
                Ok(Some(Self { path, recursive, preserve, short, each, announced }))
            }
        }
    }
}

/// Answers a client that would take the end of the channel for a yes: libssh2 does.
pub(crate) async fn turn_away(client: &ClientWriter, kind: ClientKind, refusal: &Refusal) {
    if kind == ClientKind::Libssh2 {
        let answer = format!("\x02{}\n", expacti_protocol::one_line(&refusal.message));
        client.stdout(Bytes::from(answer)).await.ok();
    }
}

/// What serving an upload needs.
pub(crate) struct Transfer<'a> {
    pub(crate) sink: Sink,
    pub(crate) hold: Hold<'a>,
    pub(crate) client: &'a ClientWriter,
    pub(crate) writer: &'a TargetWriter,
    pub(crate) session: &'a OpenSession,
    pub(crate) lease: &'a Lease,
    pub(crate) items: &'a Mutex<Vec<CommandId>>,
    pub(crate) command: CommandId,
}

impl Transfer<'_> {
    /// From the start of the target's scp to its end.
    pub(crate) async fn run(&self, reader: &mut ChannelReadHalf, recorder: &mut Recorder) -> Stop {
        let mut answers = Answers::new(reader, self.client, recorder);
        match self.serve(&mut answers).await {
            Ok(()) => {
                self.writer.constant(GateConst::Eof).await.ok();
                Stop::Ended(answers.end().await)
            }
            Err(stop) => stop,
        }
    }

    async fn serve(&self, answers: &mut Answers<'_>) -> Result<(), Stop> {
        let mut mistakes = match answers.next().await {
            Answer::Done => Mistakes::default(),
            // The target says no before anything was sent: its words are the client's answer.
            answer => {
                let (Answer::Failed(why) | Answer::Fatal(why)) = &answer else {
                    return Err(Stop::Ended(answers.end().await));
                };
                self.answer(Some(why)).await?;
                return Ok(());
            }
        };
        self.answer(None).await?;
        let mut collector = Collector::new(self.sink.recursive, self.sink.each);
        let mut resolver = Resolver::default();
        if self.sink.announced {
            return self.announced(collector, resolver, answers).await;
        }
        loop {
            let collected = tokio::select! {
                biased;
                ended = answers.watch() => return Err(Stop::Ended(ended)),
                collected = collector.collect(self.hold.inbox, self.client) => collected,
            };
            let (upload, last) = match collected {
                Ok(Collected::Upload(upload, last)) => (upload, last),
                Ok(Collected::End) => return Ok(()),
                Ok(Collected::Gone) => return Err(Stop::Gone),
                Err(refusal) => return Err(self.refused(refusal, true).await),
            };
            let decided = self.decide(upload, &mut resolver, answers).await;
            let approved = match decided.and_then(|(approved, planned)| {
                ApprovedUpload::new(approved, planned).ok_or_else(|| Ok(changed()))
            }) {
                Ok(approved) => approved,
                Err(Ok(refusal)) => return Err(self.refused(refusal, !last).await),
                Err(Err(stop)) => return Err(stop),
            };
            let fatal = self.deliver(approved, answers, &mut mistakes).await?;
            if last {
                // The client has gone on: what went wrong it reads, and sees in the exit status.
                for why in &mistakes.lines {
                    self.client.say(&self.client.line(why)).await.map_err(|_| Stop::Gone)?;
                }
                return Ok(());
            }
            self.answer(mistakes.told().as_deref()).await?;
            if fatal {
                return Ok(());
            }
        }
    }

    /// Shows an upload and waits for the decision. Without an approval a refusal, or the end.
    async fn decide(
        &self,
        upload: Upload,
        resolver: &mut Resolver,
        answers: &mut Answers<'_>,
    ) -> Result<(Approved, Planned), Result<Refusal, Stop>> {
        let shared = &self.hold.connection.shared;
        let limit = shared.limits.answer;
        let upload = Arc::new(upload);
        let planned = tokio::select! {
            biased;
            ended = answers.watch() => return Err(Err(Stop::Ended(ended))),
            planned = resolver.plan(self.lease, limit, &self.sink, &upload) => planned,
        };
        let planned = planned.map_err(Ok)?;
        let mut item = Item::new(ItemKind::File, Bytes::from(planned.text().to_owned()));
        item.parent = Some(self.command.clone());
        item.notes = planned.notes().to_vec();
        item.preview = planned.preview();
        let line = self.client.line(&status::waiting(planned.text()));
        let mut terminal = None;
        let held = self.hold.run(self.session, item, &mut terminal, None, None);
        let held = status::patiently(held, async {
            self.client.say(&line).await.ok();
        });
        let held = tokio::select! {
            biased;
            ended = answers.watch() => return Err(Err(Stop::Ended(ended))),
            held = held => held,
        };
        let (id, approved) = match held {
            Outcomes::Approved(id, approved) => (id, approved),
            Outcomes::Refused(refusal) => return Err(Ok(refusal)),
            Outcomes::Gone | Outcomes::Changed | Outcomes::Withdrawn => {
                return Err(Err(Stop::Gone));
            }
        };
        self.items.lock().await.push(id);
        // Once more, as it is now: an upload goes where it was reviewed to go, over what was
        // there then, or nowhere.
        let planned = tokio::select! {
            biased;
            ended = answers.watch() => return Err(Err(Stop::Ended(ended))),
            planned = resolver.plan(self.lease, limit, &self.sink, &upload) => planned,
        };
        Ok((*approved, planned.map_err(Ok)?))
    }

    /// Files whose client sends a content only once it has the answer to its announcement.
    async fn announced(
        &self,
        mut collector: Collector,
        mut resolver: Resolver,
        answers: &mut Answers<'_>,
    ) -> Result<(), Stop> {
        let inbox = self.hold.inbox;
        loop {
            let collected = tokio::select! {
                biased;
                ended = answers.watch() => return Err(Stop::Ended(ended)),
                collected = collector.announcement(inbox, self.client) => collected,
            };
            let upload = match collected {
                Ok(Collected::Upload(upload, _)) => upload,
                Ok(Collected::End) => return Ok(()),
                Ok(Collected::Gone) => return Err(Stop::Gone),
                Err(refusal) => return Err(self.refused(refusal, true).await),
            };
            let (approved, planned) = match self.decide(upload, &mut resolver, answers).await {
                Ok(decided) => decided,
                Err(Ok(refusal)) => return Err(self.refused(refusal, true).await),
                Err(Err(stop)) => return Err(stop),
            };
            let text = planned.text().to_owned();
            let Some(approved) = ApprovedAnnouncement::new(approved, planned) else {
                return Err(self.refused(changed(), true).await);
            };
            let (records, mut grant) = approved.into_parts();
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
                    ended = answers.watch() => return Err(Stop::Ended(ended)),
                    piece = collector.content(inbox) => piece,
                };
                match piece {
                    Ok(Piece::Bytes(bytes)) => {
                        digest.update(&bytes);
                        let sent = self.sent(self.writer.granted(&mut grant, bytes), answers);
                        sent.await?.map_err(|why| self.unreadable(&why))?;
                    }
                    Ok(Piece::Done) => break true,
                    Ok(Piece::End) => break false,
                    Err(refusal) => return Err(self.refused(refusal, true).await),
                }
            };
            let StreamSummary { bytes, sha256, .. } = digest.summary();
            let note = format!("{text}: {bytes} bytes sent, sha256 {sha256}");
            self.hold.connection.note(&note).await;
            // libssh2 ends here: the target's scp says in its exit status what it thinks of that.
            if !done {
                return Ok(());
            }
            let sent = self.sent(self.writer.whole(grant), answers).await?;
            sent.map_err(|why| self.unreadable(&why))?;
            if !self.passed_on(answers).await? {
                return Ok(());
            }
            self.answer(None).await?;
        }
    }

    /// Whether the target says yes; the client is told when it does not.
    async fn passed_on(&self, answers: &mut Answers<'_>) -> Result<bool, Stop> {
        match answers.next().await {
            Answer::Done => Ok(true),
            Answer::Failed(why) | Answer::Fatal(why) => {
                self.answer(Some(&why)).await?;
                Ok(false)
            }
            Answer::Ended => Err(Stop::Ended(answers.end().await)),
        }
    }

    /// Plays the client towards the target. True when the target's scp has given up.
    async fn deliver(
        &self,
        upload: ApprovedUpload,
        answers: &mut Answers<'_>,
        mistakes: &mut Mistakes,
    ) -> Result<bool, Stop> {
        // As scp's own source: what the target refuses is left out, a directory with all in it.
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
                        Answer::Ended => return Err(Stop::Ended(answers.end().await)),
                    };
                    if let Some(line) = line {
                        let note = format!("{line}: {}", expacti_protocol::one_line(said));
                        self.hold.connection.note(&note).await;
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

    /// Sends, and meanwhile listens: the target may say something, or go.
    async fn sent<T>(
        &self,
        sending: impl Future<Output = T>,
        answers: &mut Answers<'_>,
    ) -> Result<T, Stop> {
        tokio::pin!(sending);
        tokio::select! {
            biased;
            sent = &mut sending => Ok(sent),
            ended = answers.watch() => Err(Stop::Ended(ended)),
        }
    }

    fn unreadable(&self, why: &Unsent) -> Stop {
        match why {
            Unsent::Lost => Stop::Ended(Ended::Lost),
            Unsent::Other => {
                Stop::Refused(Refusal::undecided("the content is not what was announced"))
            }
            Unsent::Spool(error) => Stop::Refused(Refusal::undecided(&format!(
                "the gate cannot read the upload back: {error}"
            ))),
        }
    }

    /// Answers the client: `None` is a yes.
    async fn answer(&self, mistake: Option<&str>) -> Result<(), Stop> {
        let bytes = match mistake {
            None => Bytes::from_static(b"\0"),
            Some(why) => Bytes::from(format!("\x01{}\n", expacti_protocol::one_line(why))),
        };
        self.client.stdout(bytes).await.map_err(|_| Stop::Gone)
    }

    /// A client that waits for an answer gets one; what is on standard error says why.
    async fn refused(&self, refusal: Refusal, waits: bool) -> Stop {
        if waits {
            let why =
                if self.sink.short { "expacti: nothing was written" } else { &refusal.message };
            let answer = format!("\x02{}\n", expacti_protocol::one_line(why));
            self.client.stdout(Bytes::from(answer)).await.ok();
        }
        Stop::Refused(refusal)
    }
}

fn changed() -> Refusal {
    Refusal::undecided("what is there has changed since the review: nothing was written")
}

/// What the target refused.
#[derive(Default)]
struct Mistakes {
    lines: Vec<String>,
}

impl Mistakes {
    /// For the answer to one source, and forgotten then.
    fn told(&mut self) -> Option<String> {
        let lines = std::mem::take(&mut self.lines);
        let first = lines.first()?;
        Some(match lines.len() {
            1 => first.clone(),
            n => format!("{first} (and {} more were not written)", n - 1),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn clients_learn_the_truth_each_in_their_way() {
        for (id, kind) in [
            (&b"SSH-2.0-OpenSSH_9.2p1 Debian"[..], ClientKind::OpenSsh),
            (b"SSH-2.0-libssh2_1.10.0", ClientKind::Libssh2),
            (b"SSH-2.0-PuTTY_Release_0.78", ClientKind::Other),
            (b"", ClientKind::Other),
        ] {
            assert_eq!(ClientKind::of(id), kind);
        }
        let each = |command: &str, kind| {
            Sink::of(command.as_bytes(), kind, false).map(|sink| sink.map(|sink| sink.each))
        };
        assert_eq!(each("scp -t x", ClientKind::OpenSsh), Ok(Some(true)));
        assert_eq!(each("scp -d -t x", ClientKind::OpenSsh), Ok(Some(false)));
        assert_eq!(each("scp -d -t x", ClientKind::Other), Ok(Some(true)));
        assert_eq!(each("scp -f x", ClientKind::Libssh2), Ok(None));
        let libssh2 = |command: &[u8]| Sink::of(command, ClientKind::Libssh2, false);
        assert!(libssh2(b"scp -t x").unwrap().unwrap().announced);
        assert!(!Sink::of(b"scp -t x", ClientKind::Other, false).unwrap().unwrap().announced);
        assert!(libssh2(b"scp -r -t x").is_err());
        assert!(each("scp -t $x", ClientKind::OpenSsh).is_err());
        assert!(Sink::of(b"scp -t x", ClientKind::OpenSsh, true).is_err());
    }
}
