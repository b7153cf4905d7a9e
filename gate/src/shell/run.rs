//! The main loop of an interactive shell: waits for one event at a time from the agent, the target,
//! the review or the clock, hands it to the line gate, and carries out the effects. It must never
//! write anything to the target but what those effects name: constants, the approved item, keys
//! under a grant.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use expacti_line::editor::History;
use expacti_line::remote::{Nonce, Probe, parse_found, parse_probe};
use expacti_line::session::{Effect, LineGate};
use expacti_protocol::command::Outcome;
use expacti_protocol::ids::{CommandId, SessionId};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use super::effects::{Broken, ShellSession, cells};
use super::history::Store;
use super::in_review::{ItemEvent, ItemInReview, sleep_until};
use crate::boundary::{
    Approved, Ended, Environment, Shell, Signal, TargetChannel, TargetEvent, TargetReader, Terminal,
};
use crate::broker::event::OpenSession;
use crate::broker::link::Link;
use crate::client::channel::{Channel, Control, unless_gone};
use crate::client::connection::Connection;
use crate::client::end::{ChannelEnd, Stopped};
use crate::client::input::{ChannelInput, Taken};
use crate::client::refusal::Refusal;
use crate::review::hold::Review;
use crate::review::item::ReviewResult;
use crate::upstream::pool::Lease;

/// How long the target may take to answer a question about its terminal.
const PROBE: Duration = Duration::from_secs(2);

/// The longest answer to such a question, in bytes.
const PROBE_BYTES: usize = 64 * 1024;

/// One thing that happened to an interactive shell.
enum ShellEvent {
    /// The client went away.
    ClientGone,
    /// The client sent a signal or a new size; `None` if it never will again.
    Control(Option<Control>),
    /// Nobody watches the grant any more, or that cannot be known.
    GrantOver,
    /// Which terminal the command has, if that can be told.
    Found(Option<String>),
    /// The client sent input.
    Input(Taken),
    /// Something happened to the item under review.
    Item(ItemEvent),
    /// The answer about the target's terminal; `None` if there is none.
    Probed(Option<Probe>),
    /// The target sent something.
    Target(TargetEvent),
    /// A deadline of the line gate or of a grant has passed.
    Tick,
}

type Finding<'a> = Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>>;

type Probing<'a> = Pin<Box<dyn Future<Output = Option<Probe>> + Send + 'a>>;

/// Where events come from.
struct Sources<'a> {
    control: &'a mut mpsc::Receiver<Control>,
    input: &'a ChannelInput,
    gone: &'a CancellationToken,
    reader: &'a mut TargetReader,
    grants_over: broadcast::Receiver<SessionId>,
    /// The item under review.
    item: Option<ItemInReview<'a>>,
    /// The question about the target's terminal, while it is open.
    probe: Option<Probing<'a>>,
    /// The question which terminal the command has, while it is open.
    finding: Option<Finding<'a>>,
    /// The client has not sent the end of its input yet.
    input_open: bool,
}

impl Sources<'_> {
    /// Waits for the next event. The client's end comes first, and its input before its effects.
    async fn next(&mut self, shell: &ShellSession<'_>) -> ShellEvent {
        let deadline = shell.deadline();
        tokio::select! {
            biased;
            () = self.gone.cancelled() => ShellEvent::ClientGone,
            asked = self.control.recv() => ShellEvent::Control(asked),
            // What is typed waits until it can be told what reads it.
            taken = self.input.next(), if self.input_open && self.finding.is_none() => {
                ShellEvent::Input(taken)
            }
            () = grant_over(shell, &mut self.grants_over) => ShellEvent::GrantOver,
            event = next_of_item(&mut self.item) => ShellEvent::Item(event),
            answer = answered(&mut self.probe) => {
                self.probe = None;
                ShellEvent::Probed(answer)
            }
            found = answered(&mut self.finding) => {
                self.finding = None;
                ShellEvent::Found(found)
            }
            event = self.reader.next() => ShellEvent::Target(event),
            () = sleep_until(deadline) => ShellEvent::Tick,
        }
    }
}

/// Runs a login shell for the agent until it ends.
pub(crate) async fn run(
    channel: &mut Channel,
    session: OpenSession,
    lease: Lease,
    target: TargetChannel,
) -> Result<(), Stopped> {
    let Some(terminal) = channel.terminal.clone() else { return Err(Stopped::Gone) };
    let nonce = nonce()?;
    let starting = start(target, &terminal, &channel.environment, &nonce);
    let Shell { writer, mut reader } = unless_gone(&channel.gone, starting).await??;
    let (store, history) = load(store(&channel.connection)).await;
    let known = history.len();
    let (cols, rows) = cells(terminal.size());
    let gate = LineGate::new(nonce, cols, rows, history, Duration::ZERO);
    let Channel { connection, client, input, control, gone, environment, .. } = channel;
    let mut shell = ShellSession::new(connection, client, session, writer, gate);
    shell.recorder.resize(terminal.size()).await;
    let parts = ChannelParts { connection, input, gone, environment, lease: &lease };
    let end = run_until_end(&mut shell, parts, control, &mut reader, terminal, None).await;
    let typed = shell.history().clone();
    tokio::task::spawn_blocking(move || store.save(&typed, known));
    shell.end(end, lease, &mut reader, gone, connection).await
}

/// Runs an approved command in its terminal until it ends. What is typed at it is held as in a shell:
/// lines and keys, whatever the command is.
pub(crate) async fn run_command(
    channel: &mut Channel,
    session: OpenSession,
    lease: Lease,
    target: TargetChannel,
    (id, approved): (CommandId, Approved),
    command: String,
) -> Result<(), Stopped> {
    let Some(terminal) = channel.terminal.clone() else { return Err(Stopped::Gone) };
    let nonce = nonce()?;
    let link = channel.connection.shared.link.clone();
    let lost = |why: &'static str| link.finished(id.clone(), Outcome::unknown(why));
    let delivery = unless_gone(&channel.gone, target.command_in_terminal(approved)).await;
    let (Shell { writer, mut reader }, size) = match delivery {
        Ok(Ok(started)) => started,
        // Some or all of the request may have gone out.
        Ok(Err(_)) => {
            let why = "the connection to the target was lost as the command was sent";
            lost(why).await;
            let told = format!("{why}; whether it ran is unknown");
            return Err(Refusal::target(&told).into());
        }
        Err(stopped) => {
            lost("the client went away as the command was sent").await;
            return Err(stopped);
        }
    };
    if size != terminal.size() {
        // It changed while the command was held.
        writer.resize(terminal.size()).await.ok();
    }
    let (cols, rows) = cells(terminal.size());
    let gate = LineGate::for_command(nonce, cols, rows, command, Duration::ZERO);
    let Channel { connection, client, input, control, gone, environment, .. } = channel;
    let mut shell = ShellSession::new(connection, client, session, writer, gate);
    shell.runs(id);
    shell.recorder.resize(terminal.size()).await;
    let parts = ChannelParts { connection, input, gone, environment, lease: &lease };
    let finding: Finding<'_> = Box::pin(find(&lease));
    let end = run_until_end(&mut shell, parts, control, &mut reader, terminal, Some(finding)).await;
    shell.end(end, lease, &mut reader, gone, connection).await
}

/// Asks the target which terminal the command has, on a channel of its own.
async fn find(lease: &Lease) -> Option<String> {
    let asking = async {
        let reader = lease.side_channel().await?.find_terminal().await.ok()?;
        parse_found(&reader.read_to_end(PROBE_BYTES).await?)
    };
    tokio::time::timeout(PROBE, asking).await.ok().flatten()
}

/// The parts of the channel and its connection that do not change while the shell runs.
#[derive(Clone, Copy)]
struct ChannelParts<'a> {
    connection: &'a Arc<Connection>,
    input: &'a ChannelInput,
    gone: &'a CancellationToken,
    environment: &'a Environment,
    lease: &'a Lease,
}

/// Handles one event after another until one of them is the end.
async fn run_until_end(
    shell: &mut ShellSession<'_>,
    parts: ChannelParts<'_>,
    control: &mut mpsc::Receiver<Control>,
    reader: &mut TargetReader,
    mut terminal: Terminal,
    finding: Option<Finding<'_>>,
) -> ChannelEnd {
    let ChannelParts { connection, input, gone, environment, lease } = parts;
    let link = shell.link.clone();
    let mut sources = Sources {
        control,
        input,
        gone,
        reader,
        grants_over: link.grants_over(),
        item: None,
        probe: None,
        finding,
        input_open: true,
    };
    let end = loop {
        let event = sources.next(shell).await;
        let effects = match on(event, shell, &mut sources, &mut terminal).await {
            Ok(effects) => effects,
            Err(end) => break end,
        };
        let follow_up = match shell.apply(effects).await {
            Ok(follow_up) => follow_up,
            Err(Broken::Client) => break ChannelEnd::ClientGone,
            Err(Broken::Target) => break ChannelEnd::Target(Ended::Lost),
        };
        if follow_up.withdraw
            && let Some(item) = &sources.item
        {
            item.withdraw();
        }
        if follow_up.probe {
            let tty = shell.gate.tty().map(str::to_owned);
            sources.probe = Some(Box::pin(async move { ask(lease, tty?).await }));
        }
        if let Some(submission) = follow_up.submit {
            let review =
                Review { connection, client: None, input, gone, environment, watcher: None };
            // From here on, count ends of the grant that this item may bring.
            sources.grants_over = link.grants_over();
            shell.stalled = Duration::ZERO;
            sources.item = Some(ItemInReview::submit(review, *submission, terminal.clone()));
        }
    };
    abandon(sources.item.take(), &link).await;
    end
}

/// Passes one event to the line gate. Returns its effects, or how the shell ended.
async fn on(
    event: ShellEvent,
    shell: &mut ShellSession<'_>,
    sources: &mut Sources<'_>,
    terminal: &mut Terminal,
) -> Result<Vec<Effect>, ChannelEnd> {
    let mut effects = Vec::new();
    let now = shell.now();
    match event {
        ShellEvent::ClientGone | ShellEvent::Control(None) => return Err(ChannelEnd::ClientGone),
        ShellEvent::Control(Some(Control::Resize(size))) => {
            terminal.resized(size);
            shell.resize(size, &mut effects).await?;
        }
        ShellEvent::Control(Some(Control::Signal(Signal::Int))) => {
            shell.gate.agent(b"\x03", now, &mut effects);
        }
        ShellEvent::Control(Some(Control::Signal(signal))) => shell.signal(signal).await?,
        ShellEvent::Found(tty) => {
            if let Some(tty) = tty {
                shell.gate.found_tty(tty);
            }
        }
        ShellEvent::GrantOver => shell.gate.end_grant(&mut effects),
        ShellEvent::Input(Taken::Bytes(bytes)) => shell.gate.agent(&bytes, now, &mut effects),
        // As with sshd: the terminal stays, and so does what was typed.
        ShellEvent::Input(Taken::Eof) => sources.input_open = false,
        ShellEvent::Item(ItemEvent::Check(ask)) => shell.check(ask, &mut effects),
        ShellEvent::Item(ItemEvent::Result(session, result)) => {
            sources.item = None;
            shell.decided(session, *result, &mut effects);
        }
        ShellEvent::Item(ItemEvent::Status(text)) => shell.gate.status(&text, &mut effects),
        ShellEvent::Probed(answer) => shell.gate.probed(answer, now, &mut effects),
        ShellEvent::Target(TargetEvent::Stdout(bytes) | TargetEvent::Stderr(bytes)) => {
            shell.gate.target(&bytes, now, &mut effects);
        }
        ShellEvent::Target(TargetEvent::NoTerminal) => {
            let text = b"expacti: the target gave no terminal\r\n";
            shell.gate.target(text, now, &mut effects);
        }
        ShellEvent::Target(TargetEvent::Ended(ended)) => return Err(ChannelEnd::Target(ended)),
        ShellEvent::Tick => {
            shell.gate.tick(now, &mut effects);
            shell.tick_grant(&mut effects);
        }
    }
    Ok(effects)
}

fn nonce() -> Result<Nonce, Refusal> {
    let mut secret = [0; 16];
    match getrandom::fill(&mut secret) {
        Ok(()) => Ok(Nonce::new(secret)),
        Err(_) => Err(Refusal::undecided("no random numbers: the shell cannot be set up")),
    }
}

async fn start(
    target: TargetChannel,
    terminal: &Terminal,
    environment: &Environment,
    nonce: &Nonce,
) -> Result<Shell, Refusal> {
    let started = target.shell(terminal, environment, nonce).await;
    started.map_err(|_| Refusal::target("the connection to the target was lost"))
}

/// Ends the item at once: the agent or the target has gone. If it was approved at that moment, it
/// is reported as not sent.
async fn abandon(item: Option<ItemInReview<'_>>, link: &Link) {
    let Some(item) = item else { return };
    if let ReviewResult::Approved(id, _) = item.abandon().await {
        link.finished(id, Outcome::not_sent("the shell ended: it was not sent")).await;
    }
}

/// The file for lines that this agent types at shells on this target.
fn store(connection: &Arc<Connection>) -> Store {
    let info = connection.info();
    let target = format!("{}@{}:{}", info.user, info.host, info.port);
    Store::new(connection.shared.history.as_deref(), &info.agent, &target)
}

/// The lines typed in earlier sessions.
async fn load(store: Store) -> (Store, History) {
    let loading = tokio::task::spawn_blocking({
        let store = store.clone();
        move || store.load()
    });
    (store, loading.await.unwrap_or_default())
}

/// Waits, while a grant lasts, until nobody watches it any more or that cannot be known.
async fn grant_over(shell: &ShellSession<'_>, over: &mut broadcast::Receiver<SessionId>) {
    if !shell.has_grant() {
        return std::future::pending().await;
    }
    let session = shell.session();
    let ended = async {
        loop {
            match over.recv().await {
                Ok(id) if id != session.id => {}
                // A missed message may have been about this session.
                Ok(_) | Err(_) => return,
            }
        }
    };
    tokio::select! {
        () = ended => {}
        () = shell.link.outdated(session.epoch) => {}
    }
}

async fn next_of_item(item: &mut Option<ItemInReview<'_>>) -> ItemEvent {
    match item {
        Some(item) => item.next().await,
        None => std::future::pending().await,
    }
}

async fn answered<T>(
    probe: &mut Option<Pin<Box<dyn Future<Output = Option<T>> + Send + '_>>>,
) -> Option<T> {
    match probe {
        Some(probe) => probe.as_mut().await,
        None => std::future::pending().await,
    }
}

/// Asks the target about its terminal, on a channel of its own.
async fn ask(lease: &Lease, tty: String) -> Option<Probe> {
    let asking = async {
        let reader = lease.side_channel().await?.probe(&tty).await.ok()?;
        parse_probe(&reader.read_to_end(PROBE_BYTES).await?)
    };
    tokio::time::timeout(PROBE, asking).await.ok().flatten()
}
