//! A command from its delivery to its end: output back, approved input in, signals and sizes. When
//! either side goes, both go; how it ended is reported once.

use std::time::{Duration, Instant};

use bytes::Bytes;
use expacti_protocol::command::{ItemKind, Outcome};
use expacti_protocol::exit::CONNECTION_FAILED;
use expacti_protocol::ids::CommandId;
use russh::ChannelReadHalf;
use tokio::sync::Mutex;

use crate::boundary::{Approved, GateConst, RawGrant, Running, TargetChannel, TargetWriter};
use crate::channel::{Channel, Control, Hold, Item, Outcomes, collect, finish};
use crate::client::{ClientWriter, Exit};
use crate::inbox::Taken;
use crate::link::{Link, OpenSession};
use crate::message::Refusal;
use crate::output::{Ended, pump};
use crate::push::Head;
use crate::recorder::Recorder;
use crate::scp::{Sink, Transfer};
use crate::status;
use crate::terminal::Terminal;
use crate::upstream::Lease;

/// How long a channel whose command ended may take to close before its connection is dropped.
const CLOSING: Duration = Duration::from_secs(1);

/// Why the command did not come to its own end.
pub(crate) enum Stop {
    /// The target's side ended.
    Ended(Ended),
    /// What was to go in was not approved.
    Refused(Refusal),
    /// Nobody is there any more.
    Gone,
}

/// What delivering a command needs.
pub(crate) struct Start {
    pub(crate) session: OpenSession,
    pub(crate) lease: Lease,
    pub(crate) target: TargetChannel,
    pub(crate) id: CommandId,
    /// The client sends nothing after the item.
    pub(crate) eof: bool,
    /// The command receives files by scp.
    pub(crate) sink: Option<Sink>,
    /// The command receives a push: what it is, in a sentence.
    pub(crate) push: Option<String>,
}

/// Delivers an approved item and sees it through. What is returned is still to be told the agent.
pub(crate) async fn run(
    channel: &mut Channel,
    start: Start,
    approved: Approved,
) -> Option<Refusal> {
    let Start { session, lease, target, id, eof, sink, push } = start;
    let started = Instant::now();
    let link = channel.connection.shared.link.clone();
    let reviewed = approved.size();
    let delivered = tokio::select! {
        // A session that was killed a moment ago sends nothing.
        biased;
        () = channel.gone.cancelled() => {
            // The request may have gone out in part or whole.
            link.finished(id, unknown("the client went away as the command was sent")).await;
            return None;
        }
        delivered = target.deliver(approved) => delivered,
    };
    let Ok(Running { writer, mut reader, grant, initial }) = delivered else {
        let why = "the connection to the target was lost as the command was sent";
        link.finished(id, unknown(why)).await;
        return Some(Refusal::target(&format!("{why}; whether it ran is unknown")));
    };

    let terminal = channel.terminal.is_some();
    let mut recorder =
        Recorder::new(std::sync::Arc::clone(&channel.connection), session.clone(), terminal);
    if let Some(size) = channel.terminal.as_ref().map(Terminal::size) {
        recorder.resize(size).await;
        if reviewed != Some(size) {
            // It changed while the command was held.
            writer.constant(GateConst::WindowChange(size)).await.ok();
        }
    }
    // Items of standard input that were delivered: they end with the command.
    let items = Mutex::new(vec![id.clone()]);
    let stop = {
        let hold = Hold {
            connection: &channel.connection,
            client: None,
            inbox: &channel.inbox,
            gone: &channel.gone,
            environment: &channel.environment,
            watcher: None,
        };
        let client = &channel.client;
        let control = control(&mut channel.control, &writer, &link, &session);
        let work = async {
            if let Some(sink) = sink {
                let (writer, session, lease, items) = (&writer, &session, &lease, &items);
                let command = id.clone();
                let transfer =
                    Transfer { sink, hold, client, writer, session, lease, items, command };
                return transfer.run(&mut reader, &mut recorder).await;
            }
            let (writer, session, items) = (&writer, &session, &items);
            let feed = Feed { hold, client, writer, session, items, push: push.as_deref() };
            let output = pump(&mut reader, client, &mut recorder, terminal);
            let input = feed.run(id.clone(), grant, initial, eof, &channel.terminal);
            tokio::pin!(output, input);
            let mut feeding = true;
            loop {
                tokio::select! {
                    biased;
                    ended = &mut output => return Stop::Ended(ended),
                    refused = &mut input, if feeding => match refused {
                        None => feeding = false,
                        Some(refusal) => return Stop::Refused(refusal),
                    },
                }
            }
        };
        tokio::pin!(work, control);
        tokio::select! {
            biased;
            () = channel.gone.cancelled() => Stop::Gone,
            stop = &mut work => stop,
            // It never ends by itself.
            () = &mut control => Stop::Gone,
        }
    };
    let (outcome, verdict) = judge(stop, &writer, &recorder, started);
    let items = items.into_inner();
    // Before the agent hears of it: an agent that then leaves must not make the end unknown.
    for id in &items {
        link.ended(id.clone(), outcome.clone());
    }
    let told = async {
        if let Ok(exit) = &verdict {
            finish(&channel.client, &channel.gone, exit).await;
        }
        for id in items {
            link.report(id).await;
        }
    };
    // Side by side: the agent need not wait for the target's goodbye, and the connection is free
    // again by the time the agent asks for more.
    tokio::join!(told, close(channel, lease, &writer, &mut reader, verdict.is_ok()));
    match verdict {
        Ok(_) => None,
        Err(refusal) => refusal,
    }
}

fn unknown(why: &str) -> Outcome {
    Outcome { unknown: Some(why.to_owned()), ..Outcome::default() }
}

/// What to report, and what to tell the agent.
fn judge(
    stop: Stop,
    writer: &TargetWriter,
    recorder: &Recorder,
    started: Instant,
) -> (Outcome, Result<Exit, Option<Refusal>>) {
    let (stdout, stderr) = recorder.summaries();
    let base = Outcome {
        stdin: Some(writer.stdin_summary()),
        stdout: Some(stdout),
        stderr: Some(stderr),
        duration_us: u64::try_from(started.elapsed().as_micros()).ok(),
        ..Outcome::default()
    };
    let lost = |why: &str| Outcome { unknown: Some(why.to_owned()), ..base.clone() };
    match stop {
        Stop::Ended(Ended::Exited(exit)) => {
            let mut outcome = base;
            match &exit {
                Exit::Status(status) => outcome.exit_status = Some(*status),
                Exit::Signal { name, .. } => outcome.exit_signal = Some(signal_name(name)),
            }
            (outcome, Ok(exit))
        }
        Stop::Ended(Ended::Closed) => (
            lost("the target closed the channel without an exit status"),
            Ok(Exit::Status(u32::from(CONNECTION_FAILED))),
        ),
        Stop::Ended(Ended::Lost) => (
            lost("connection to the target lost"),
            Err(Some(Refusal::target(
                "the connection to the target was lost; how the command ended is unknown",
            ))),
        ),
        Stop::Ended(Ended::Refused) => (
            lost("the target refused the request: the command did not run"),
            Err(Some(Refusal::target("the target refused to run the command"))),
        ),
        Stop::Ended(Ended::ClientGone) | Stop::Gone => {
            (lost("the client went away while the command ran"), Err(None))
        }
        Stop::Refused(refusal) => (
            lost("its standard input was not approved: the channel was closed"),
            Err(Some(refusal)),
        ),
    }
}

fn signal_name(signal: &russh::Sig) -> String {
    match signal {
        russh::Sig::Custom(name) => expacti_protocol::one_line(name).chars().take(32).collect(),
        other => format!("{other:?}"),
    }
}

/// Signals and sizes, for as long as the command runs.
async fn control(
    control: &mut tokio::sync::mpsc::Receiver<Control>,
    writer: &TargetWriter,
    link: &Link,
    session: &OpenSession,
) {
    while let Some(asked) = control.recv().await {
        let constant = match asked {
            Control::Signal(signal) => GateConst::Signal(signal),
            Control::Resize(size) => {
                link.resize(session, size.cols(), size.rows()).await;
                GateConst::WindowChange(size)
            }
        };
        if writer.constant(constant).await.is_err() {
            break;
        }
    }
    std::future::pending().await
}

/// Feeds a command's standard input.
struct Feed<'a> {
    hold: Hold<'a>,
    client: &'a ClientWriter,
    writer: &'a TargetWriter,
    session: &'a OpenSession,
    items: &'a Mutex<Vec<CommandId>>,
    push: Option<&'a str>,
}

impl Feed<'_> {
    /// Until EOF; a refusal ends the command.
    async fn run(
        &self,
        id: CommandId,
        grant: Option<RawGrant>,
        initial: Option<Approved>,
        eof: bool,
        terminal: &Option<Terminal>,
    ) -> Option<Refusal> {
        if let Some(approved) = initial
            && self.writer.stdin(approved).await.is_err()
        {
            return None;
        }
        if eof {
            self.writer.constant(GateConst::Eof).await.ok();
            return None;
        }
        match grant {
            Some(grant) => self.data(id, &grant).await,
            None => self.code(id, terminal).await,
        }
    }

    async fn data(&self, parent: CommandId, grant: &RawGrant) -> Option<Refusal> {
        if let Some(sentence) = self.push {
            let head = Head::read(self.hold.inbox).await;
            for line in head.lines() {
                self.hold.connection.note(&line).await;
            }
            if let Some(text) = head.to_decide(sentence)
                && let Err(refused) = self.decide(parent, text).await
            {
                return refused;
            }
            if !head.bytes.is_empty() && self.writer.data(grant, head.bytes).await.is_err() {
                return None;
            }
            if head.eof {
                self.writer.constant(GateConst::Eof).await.ok();
                return None;
            }
        }
        loop {
            let sent = match self.hold.inbox.next().await {
                Taken::Bytes(bytes) => self.writer.data(grant, bytes).await,
                Taken::Eof => {
                    self.writer.constant(GateConst::Eof).await.ok();
                    return None;
                }
            };
            // A lost target ends the output as well, and that is what counts.
            if sent.is_err() {
                return None;
            }
        }
    }

    /// One more word on data that was approved together with its command.
    async fn decide(&self, parent: CommandId, text: String) -> Result<(), Option<Refusal>> {
        let mut item = Item::new(ItemKind::File, Bytes::from(text));
        item.parent = Some(parent);
        match self.hold.run(self.session, item, &mut None, None, None).await {
            Outcomes::Approved(id, _) => {
                self.items.lock().await.push(id);
                Ok(())
            }
            Outcomes::Refused(refusal) => Err(Some(refusal)),
            Outcomes::Gone | Outcomes::Changed | Outcomes::Withdrawn => Err(None),
        }
    }

    async fn code(&self, parent: CommandId, terminal: &Option<Terminal>) -> Option<Refusal> {
        loop {
            let (bytes, eof): (Bytes, bool) =
                match collect(self.hold.inbox, self.hold.connection).await {
                    Ok(collected) => collected,
                    Err(refusal) => return Some(refusal),
                };
            if !bytes.is_empty() {
                let item = Item::stdin(parent.clone(), bytes);
                let mut terminal = terminal.clone();
                let held = self.hold.run(self.session, item, &mut terminal, None, None);
                // Programs read standard error, unless it is a terminal.
                let told = async {
                    if self.hold.connection.status_line {
                        let line = status::waiting("what is on standard input");
                        self.client.say(&self.client.line(&line)).await.ok();
                    }
                };
                match status::patiently(held, told).await {
                    Outcomes::Refused(refusal) => return Some(refusal),
                    Outcomes::Gone | Outcomes::Changed | Outcomes::Withdrawn => return None,
                    Outcomes::Approved(id, approved) => {
                        self.items.lock().await.push(id);
                        if self.writer.stdin(*approved).await.is_err() {
                            return None;
                        }
                    }
                }
            }
            if eof {
                self.writer.constant(GateConst::Eof).await.ok();
                return None;
            }
        }
    }
}

/// Closes the target's side; a connection whose channel closed cleanly can be used again.
async fn close(
    channel: &Channel,
    lease: Lease,
    writer: &TargetWriter,
    reader: &mut ChannelReadHalf,
    clean: bool,
) {
    // The target closes first after a clean end, and russh answers it: a close of ours that
    // crosses it on the way would hide it.
    let closed = async {
        while let Some(message) = reader.wait().await {
            if matches!(message, russh::ChannelMsg::Close) {
                return true;
            }
        }
        false
    };
    if clean && tokio::time::timeout(CLOSING, closed).await == Ok(true) {
        channel.connection.pool.give_back(lease);
    } else {
        writer.constant(GateConst::Close).await.ok();
    }
}
