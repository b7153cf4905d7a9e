//! A command from its delivery to its end: passes output back, approved input in, and signals and
//! sizes on. It must never feed a command anything but what [`super::stdin`] lets through.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use expacti_protocol::command::Outcome;
use expacti_protocol::exit::CONNECTION_FAILED;
use expacti_protocol::gate::Stream;
use expacti_protocol::ids::CommandId;
use tokio::sync::{Mutex, mpsc};

use super::stdin::{Feed, StdinFeed};
use crate::boundary::{
    Delivered, Ended, Exit, GateConst, Signal, Stdin, TargetEvent, TargetReader, TargetWriter,
    Terminal,
};
use crate::broker::event::OpenSession;
use crate::broker::link::Link;
use crate::client::channel::{Channel, Control};
use crate::client::end::{ChannelEnd, Stopped};
use crate::client::recorder::{Recorder, Watch};
use crate::client::refusal::Refusal;
use crate::client::writer::{ClientWriter, Gone};
use crate::files::scp::serve::Transfer;
use crate::review::hold::Review;
use crate::upstream::pool::Lease;

/// How long a command whose input was denied may take to end by itself, once it is told to.
const ENDING: Duration = Duration::from_millis(500);

/// A delivered command.
pub(crate) struct RunningCommand {
    id: CommandId,
    session: OpenSession,
    recorder: Recorder,
    started: Instant,
    pub(crate) writer: TargetWriter,
    pub(crate) reader: TargetReader,
    /// The command, and the items delivered to its standard input, which end with it.
    pub(crate) items: Mutex<Vec<CommandId>>,
}

impl RunningCommand {
    /// A command that was just delivered, and what may be written to its standard input.
    pub(crate) async fn new(
        channel: &Channel,
        id: CommandId,
        session: OpenSession,
        started: Instant,
        delivered: Delivered,
    ) -> (Self, Stdin) {
        let Delivered { writer, reader, stdin, size: asked_for } = delivered;
        let terminal = channel.terminal.as_ref().map(Terminal::size);
        let connection = Arc::clone(&channel.connection);
        let recorder = Recorder::new(connection, session.clone(), terminal.is_some());
        if let Some(size) = terminal {
            recorder.resize(size).await;
            if asked_for != Some(size) {
                // It changed while the command was held.
                writer.constant(GateConst::WindowChange(size)).await.ok();
            }
        }
        let items = Mutex::new(vec![id.clone()]);
        (Self { id, session, recorder, started, writer, reader, items }, stdin)
    }

    /// Passes input and output on until one side has ended.
    pub(crate) async fn follow(
        &mut self,
        channel: &mut Channel,
        lease: &Lease,
        stdin: Stdin,
        feed: Feed,
    ) -> ChannelEnd {
        let Self { id, session, recorder, writer, reader, items, .. } = self;
        let Channel { connection, client, input, control, gone, terminal, environment, .. } =
            channel;
        let (id, session, writer, items, client) = (&*id, &*session, &*writer, &*items, &*client);
        let review = Review { connection, client: None, input, gone, environment, watcher: None };
        let link = &connection.shared.link;
        let work = async {
            let (push, eof) = match &feed {
                Feed::ScpUpload(upload) => {
                    let command = id.clone();
                    let transfer =
                        Transfer { upload, review, client, writer, session, lease, items, command };
                    return transfer.run(reader, recorder).await;
                }
                Feed::GitPush(sentence) => (Some(sentence.as_str()), false),
                Feed::Plain { eof } => (None, *eof),
            };
            let feed = StdinFeed { review, client, writer, session, command: id, items };
            let input = feed.run(stdin, push, eof, terminal);
            pass_both(pass_output(reader, client, recorder), input, writer).await
        };
        tokio::select! {
            biased;
            () = gone.cancelled() => ChannelEnd::ClientGone,
            end = work => end,
            never = pass_control(control, writer, link, session) => match never {},
        }
    }

    /// From now on this looks at standard output.
    pub(crate) fn watch(&mut self, watch: Box<dyn Watch>) {
        self.recorder.watch(watch);
    }

    /// What to report, and what to tell the agent.
    pub(crate) fn judge(&self, end: ChannelEnd) -> (Outcome, Result<Exit, Stopped>) {
        let (stdout, stderr) = self.recorder.summaries();
        let base = Outcome {
            stdin: Some(self.writer.stdin_summary()),
            stdout: Some(stdout),
            stderr: Some(stderr),
            duration_us: u64::try_from(self.started.elapsed().as_micros()).ok(),
            ..Outcome::default()
        };
        let lost = |why: &str| Outcome { unknown: Some(why.to_owned()), ..base.clone() };
        let told = |why: &str| Err(Stopped::Refused(Refusal::target(why)));
        match end {
            ChannelEnd::Target(Ended::Exited(exit)) => {
                let mut outcome = base;
                match &exit {
                    Exit::Status(status) => outcome.exit_status = Some(*status),
                    Exit::Signal { name, .. } => outcome.exit_signal = Some(signal_name(name)),
                }
                (outcome, Ok(exit))
            }
            ChannelEnd::Target(Ended::Closed) => (
                lost("the target closed the channel without an exit status"),
                Ok(Exit::Status(u32::from(CONNECTION_FAILED))),
            ),
            ChannelEnd::Target(Ended::Lost) => (
                lost("connection to the target lost"),
                told("the connection to the target was lost; how the command ended is unknown"),
            ),
            ChannelEnd::Target(Ended::Refused) => (
                lost("the target refused the request: the command did not run"),
                told("the target refused to run the command"),
            ),
            ChannelEnd::ClientGone => {
                (lost("the client went away while the command ran"), Err(Stopped::Gone))
            }
            ChannelEnd::Refused(refusal) => (
                lost("its standard input was not approved: the channel was closed"),
                Err(Stopped::Refused(refusal)),
            ),
        }
    }
}

/// The name of a signal, without `SIG`.
pub(crate) fn signal_name(signal: &russh::Sig) -> String {
    match signal {
        russh::Sig::Custom(name) => expacti_protocol::one_line(name).chars().take(32).collect(),
        other => format!("{other:?}"),
    }
}

/// What an agent is told besides, whose command had begun to run.
const STOPPED: &str =
    " (the command had started: it was stopped, and may have seen the end of its input)";

/// Passes output and input until the output ends. The end of the input leaves the output running;
/// input that was refused ends both.
async fn pass_both(
    output: impl Future<Output = ChannelEnd>,
    input: impl Future<Output = Result<(), Stopped>>,
    writer: &TargetWriter,
) -> ChannelEnd {
    tokio::pin!(output, input);
    let mut feeding = true;
    loop {
        // Output comes first: a refusal of more input must not hide an end that is known.
        tokio::select! {
            biased;
            end = &mut output => return end,
            fed = &mut input, if feeding => match fed {
                Ok(()) => feeding = false,
                Err(Stopped::Refused(mut refusal)) => {
                    // Closing the channel ends its input, which a program may take for the end of what
                    // was approved: it is told to end before that, and made to.
                    writer.constant(GateConst::Signal(Signal::Term)).await.ok();
                    if tokio::time::timeout(ENDING, &mut output).await.is_err() {
                        writer.constant(GateConst::Signal(Signal::Kill)).await.ok();
                    }
                    refusal.message.push_str(STOPPED);
                    return ChannelEnd::Refused(refusal);
                }
                Err(Stopped::Gone) => feeding = false,
            },
        }
    }
}

/// Passes output on, byte for byte, until the command has ended and all its output has come.
async fn pass_output(
    reader: &mut TargetReader,
    client: &ClientWriter,
    recorder: &mut Recorder,
) -> ChannelEnd {
    loop {
        let passed = match reader.next().await {
            TargetEvent::Stdout(data) => pass(client, recorder, Stream::Stdout, data).await,
            TargetEvent::Stderr(data) => pass(client, recorder, Stream::Stderr, data).await,
            TargetEvent::NoTerminal => {
                let text = client.line("expacti: the target gave no terminal");
                recorder.message(text.as_bytes()).await;
                client.send_text(&text).await
            }
            TargetEvent::Ended(ended) => return ChannelEnd::Target(ended),
        };
        if passed.is_err() {
            return ChannelEnd::ClientGone;
        }
    }
}

async fn pass(
    client: &ClientWriter,
    recorder: &mut Recorder,
    stream: Stream,
    data: Bytes,
) -> Result<(), Gone> {
    recorder.output(stream, &data).await;
    if stream == Stream::Stderr { client.stderr(data).await } else { client.stdout(data).await }
}

/// Passes signals and sizes on, for as long as the command runs.
async fn pass_control(
    control: &mut mpsc::Receiver<Control>,
    writer: &TargetWriter,
    link: &Link,
    session: &OpenSession,
) -> std::convert::Infallible {
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
