//! An interactive shell: carries bytes between the agent, the line gate and the target, and one
//! item at a time to the broker. It must never write anything to the target but what the line
//! gate's effects name: constants, the approved item, keys under a grant.

use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use expacti_line::editor::History;
use expacti_line::remote::{Nonce, Probe, parse_probe};
use expacti_line::session::{Effect, Kind, Label, LineGate, Submission, Verdict};
use expacti_protocol::command::{Interactive, ItemKind, Outcome, PromptLabel};
use expacti_protocol::digest::StreamSummary;
use expacti_protocol::gate::Stream;
use expacti_protocol::ids::{CommandId, SessionId};
use russh::{ChannelMsg, ChannelReadHalf};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::channel::{Channel, Control, Hold, Item, Outcomes, Watcher, finish};
use crate::client::{ClientWriter, Exit};
use crate::history::Store;
use crate::inbox::Taken;
use crate::link::{Link, OpenSession, Submitted};
use crate::message::Refusal;
use crate::recorder::Recorder;
use crate::status::Status;
use crate::target::{Approved, KeyGrant, Shell, ShellWriter, Signal, TargetChannel};
use crate::terminal::{Size, Terminal};
use crate::upstream::Lease;

/// How long the target may take to answer a question about its terminal.
const PROBE: Duration = Duration::from_secs(2);
/// The longest answer to it, in bytes.
const PROBE_BYTES: usize = 64 * 1024;
/// The longest name of a program or directory that reviewers are told, in characters; PATH_MAX of
/// Linux.
const MAX_SAID: usize = 4096;
/// An agent that takes longer to read its screen, all in all, has held up the gate; what was known
/// of the target before is old.
const STALL: Duration = Duration::from_secs(1);
/// What is decided at once leaves no flicker of a status line.
const STATUS_DELAY: Duration = Duration::from_millis(150);

/// How the shell ended.
enum Stop {
    /// By itself; with its status, when the target said so.
    Ended(Option<Exit>),
    /// The connection to the target broke.
    Lost,
    /// The target would not start it.
    Refused,
    /// The agent went away.
    Gone,
}

/// An item under review: a future that ends with its fate, and the way to talk with it.
struct Held<'a> {
    fate: Pin<Box<dyn Future<Output = (Option<OpenSession>, Outcomes)> + Send + 'a>>,
    withdraw: CancellationToken,
    news: mpsc::UnboundedReceiver<Submitted>,
    checks: mpsc::UnboundedReceiver<oneshot::Sender<bool>>,
    /// The status line, and when to draw it next.
    status: Option<(Status, Instant)>,
}

/// An approved item between its release and its typing.
struct Ready {
    id: CommandId,
    approved: Box<Approved>,
}

/// A command line or item that was typed and whose end is not known yet.
struct Typed {
    id: CommandId,
    at: Instant,
    /// What passed under the grant that came with it.
    keys: Option<StreamSummary>,
}

struct Running<'a> {
    link: Link,
    client: &'a ClientWriter,
    recorder: Recorder,
    session: OpenSession,
    writer: ShellWriter,
    gate: LineGate,
    started: Instant,
    ready: Option<Ready>,
    typed: Option<Typed>,
    lines: Vec<Typed>,
    grant: Option<(CommandId, KeyGrant)>,
    check: Option<oneshot::Sender<bool>>,
    /// For how long the agent's screen has held everything up since the context was looked at last.
    stalled: Duration,
}

/// What the loop has to do besides what was done already.
#[derive(Default)]
struct Todo {
    submit: Option<Box<Submission>>,
    withdraw: bool,
    probe: bool,
}

/// The agent's or the target's side is gone.
enum Broken {
    Client,
    Target,
}

/// Runs a login shell for the agent. What is returned is still to be told it.
pub(crate) async fn run(
    channel: &mut Channel,
    session: OpenSession,
    lease: Lease,
    target: TargetChannel,
) -> Option<Refusal> {
    let Channel { connection, client, inbox, control, gone, terminal, environment, .. } = channel;
    let terminal = terminal.clone()?;
    let mut secret = [0; 16];
    if getrandom::fill(&mut secret).is_err() {
        return Some(Refusal::undecided("no random numbers: the shell cannot be set up"));
    }
    let nonce = Nonce::new(secret);
    let opened = tokio::select! {
        biased;
        () = gone.cancelled() => return None,
        opened = target.shell(&terminal, environment, &nonce) => opened,
    };
    let Ok(Shell { writer, mut reader }) = opened else {
        return Some(Refusal::target("the connection to the target was lost"));
    };
    let recorder = Recorder::new(std::sync::Arc::clone(connection), session.clone(), true);
    recorder.resize(terminal.size()).await;
    let (cols, rows) = cells(terminal.size());
    let store = connection.history();
    let (store, history) = load(store).await;
    let known = history.len();
    let gate = LineGate::new(nonce, cols, rows, history, Duration::ZERO);
    let mut running = Running {
        link: connection.shared.link.clone(),
        client,
        recorder,
        session,
        writer,
        gate,
        started: Instant::now(),
        ready: None,
        typed: None,
        lines: Vec::new(),
        grant: None,
        check: None,
        stalled: Duration::ZERO,
    };
    let mut held: Option<Held<'_>> = None;
    let mut probe: Option<Pin<Box<dyn Future<Output = Option<Probe>> + Send + '_>>> = None;
    let mut size = terminal.size();
    let mut input_open = true;
    let mut replies = Replies::default();
    let link = running.link.clone();
    let mut grants_over = link.grants_over();
    let stop = loop {
        let mut effects = Vec::new();
        let deadline = running.deadline();
        let message = tokio::select! {
            biased;
            () = gone.cancelled() => break Stop::Gone,
            asked = control.recv() => {
                match asked {
                    Some(Control::Resize(new)) => {
                        size = new;
                        let (cols, rows) = cells(new);
                        let now = running.now();
                        running.recorder.resize(new).await;
                        running.gate.resize(cols, rows, now, &mut effects);
                        if running.writer.resize(new).await.is_err() {
                            break Stop::Lost;
                        }
                    }
                    Some(Control::Signal(Signal::Int)) => {
                        running.gate.agent(b"\x03", running.now(), &mut effects);
                    }
                    Some(Control::Signal(_)) => {}
                    None => break Stop::Gone,
                }
                None
            }
            taken = inbox.next(), if input_open => {
                match taken {
                    Taken::Bytes(bytes) => running.gate.agent(&bytes, running.now(), &mut effects),
                    // As sshd does: the terminal stays, and so does what was typed.
                    Taken::Eof => input_open = false,
                }
                None
            }
            () = grant_over(&running.grant, &running.session, &link, &mut grants_over) => {
                running.gate.end_grant(&mut effects);
                None
            }
            happened = happened(&mut held) => {
                match happened {
                    Happened::Fate(session, fate) => {
                        held = None;
                        running.decided(session, *fate, &mut effects);
                    }
                    Happened::Check(ask) => {
                        running.check = Some(ask);
                        running.stalled = Duration::ZERO;
                        running.gate.check(running.now(), &mut effects);
                    }
                    Happened::Status(text) => running.gate.status(&text, &mut effects),
                }
                None
            }
            answer = answered(&mut probe) => {
                probe = None;
                running.gate.probed(answer, running.now(), &mut effects);
                None
            }
            message = reader.wait() => Some(message),
            () = sleep_until(deadline) => {
                running.gate.tick(running.now(), &mut effects);
                running.tick_grant(&mut effects);
                None
            }
        };
        if let Some(message) = message {
            match replies.take(message) {
                Said::Output(bytes) => running.gate.target(&bytes, running.now(), &mut effects),
                Said::Nothing => {}
                Said::Stop(stop) => break stop,
            }
        }
        let mut todo = Todo::default();
        match running.carry_out(effects, &mut todo).await {
            Ok(()) => {}
            Err(Broken::Client) => break Stop::Gone,
            Err(Broken::Target) => break Stop::Lost,
        }
        if todo.withdraw
            && let Some(held) = &held
        {
            held.withdraw.cancel();
        }
        if todo.probe {
            let tty = running.gate.tty().map(str::to_owned);
            let lease = &lease;
            probe = Some(Box::pin(async move { ask(lease, tty?).await }));
        }
        if let Some(draft) = todo.submit {
            let hold = Hold { connection, client: None, inbox, gone, environment, watcher: None };
            // From here on the end of a grant counts that this item may bring.
            grants_over = link.grants_over();
            let mut terminal = terminal.clone();
            terminal.resized(size);
            running.stalled = Duration::ZERO;
            held = Some(submit(hold, *draft, terminal));
        }
    };
    if let Some(held) = held.take() {
        // It ends at once: the agent or the target has gone.
        held.withdraw.cancel();
        let (_, fate) = held.fate.await;
        if let Outcomes::Approved(id, _) = fate {
            running.link.finished(id, unknown("the shell ended: it was not sent")).await;
        }
    }
    drop(probe);
    let typed = running.gate.history().clone();
    tokio::task::spawn_blocking(move || store.save(&typed, known));
    running.end(stop, lease, &mut reader, gone, connection).await
}

impl Held<'_> {
    fn status_due(&self) -> Option<Instant> {
        self.status.as_ref().map(|(_, due)| *due)
    }
}

/// The lines typed in earlier sessions.
async fn load(store: Store) -> (Store, History) {
    let loading = tokio::task::spawn_blocking({
        let store = store.clone();
        move || store.load()
    });
    (store, loading.await.unwrap_or_default())
}

/// Begins the review of an item.
fn submit<'a>(hold: Hold<'a>, draft: Submission, terminal: Terminal) -> Held<'a> {
    let (news_tx, news) = mpsc::unbounded_channel();
    let (check_tx, checks) = mpsc::unbounded_channel();
    let withdraw = CancellationToken::new();
    let watcher = Watcher { withdraw: withdraw.clone(), news: news_tx, check: check_tx };
    let fate = async move {
        let session = match hold.connection.current().await {
            Ok(session) => session,
            Err(refusal) => return (None, Outcomes::Refused(refusal)),
        };
        let hold = Hold { watcher: Some(&watcher), ..hold };
        let mut terminal = Some(terminal);
        let fate = hold.run(&session, item(draft), &mut terminal, None, None).await;
        (Some(session), fate)
    };
    Held { fate: Box::pin(fate), withdraw, news, checks, status: None }
}

fn item(draft: Submission) -> Item {
    let kind = match draft.kind {
        Kind::Line => ItemKind::Line,
        Kind::Input => ItemKind::Input,
        Kind::Keys => ItemKind::Keys,
        Kind::Control => ItemKind::Control,
    };
    let label = match draft.label {
        Label::Verified => PromptLabel::Verified,
        Label::Continuation => PromptLabel::Continuation,
        Label::Unverified => PromptLabel::Unverified,
        Label::Cooked => PromptLabel::Cooked,
        Label::NoEcho => PromptLabel::NoEcho,
        Label::Raw => PromptLabel::Raw,
    };
    let foreground = draft.foreground.map(|name| bounded(&name));
    let interactive =
        Interactive { label, foreground, secret: draft.secret, grantable: draft.grantable };
    Item {
        notes: draft.notes,
        cwd: draft.cwd.map(|cwd| bounded(&cwd)),
        interactive: Some(interactive),
        preview: draft.preview,
        ..Item::new(kind, Bytes::from(draft.bytes))
    }
}

/// What the target says of itself, as one line that leaves a reviewer's screen to the item.
fn bounded(text: &str) -> String {
    let line = expacti_protocol::one_line(text);
    let mut short: String = line.chars().take(MAX_SAID).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

fn cells(size: Size) -> (u16, u16) {
    let cells = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
    (cells(size.cols()), cells(size.rows()))
}

fn unknown(why: &str) -> Outcome {
    Outcome { unknown: Some(why.to_owned()), ..Outcome::default() }
}

/// What happened to the item under review.
enum Happened {
    Fate(Option<OpenSession>, Box<Outcomes>),
    Check(oneshot::Sender<bool>),
    Status(String),
}

async fn happened(held: &mut Option<Held<'_>>) -> Happened {
    let Some(held) = held else { return std::future::pending().await };
    loop {
        let due = held.status_due();
        tokio::select! {
            biased;
            (session, fate) = held.fate.as_mut() => {
                return Happened::Fate(session, Box::new(fate));
            }
            Some(ask) = held.checks.recv() => return Happened::Check(ask),
            Some(news) = held.news.recv() => {
                let now = Instant::now();
                held.status = Some((Status::new(&news, now), now + STATUS_DELAY));
            }
            () = sleep_until(due) => {
                if let Some((status, due)) = &mut held.status {
                    *due += Duration::from_secs(1);
                    return Happened::Status(status.text(Instant::now()));
                }
            }
        }
    }
}

/// While a grant lasts: until nobody watches any more, or nobody could say so.
async fn grant_over(
    grant: &Option<(CommandId, KeyGrant)>,
    session: &OpenSession,
    link: &Link,
    over: &mut broadcast::Receiver<SessionId>,
) {
    if grant.is_none() {
        return std::future::pending().await;
    }
    let ended = async {
        loop {
            match over.recv().await {
                Ok(id) if id != session.id => {}
                // What was missed may have been about this one.
                Ok(_) | Err(_) => return,
            }
        }
    };
    tokio::select! {
        () = ended => {}
        () = link.outdated(session.epoch) => {}
    }
}

async fn answered(
    probe: &mut Option<Pin<Box<dyn Future<Output = Option<Probe>> + Send + '_>>>,
) -> Option<Probe> {
    match probe {
        Some(probe) => probe.as_mut().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// Asks the target about its terminal, on a channel of its own.
async fn ask(lease: &Lease, tty: String) -> Option<Probe> {
    let asking = async {
        let mut reader = lease.side_channel().await?.probe(&tty).await.ok()?;
        let mut answer = Vec::new();
        while let Some(message) = reader.wait().await {
            match message {
                ChannelMsg::Data { data } if answer.len() + data.len() <= PROBE_BYTES => {
                    answer.extend_from_slice(&data);
                }
                ChannelMsg::Data { .. } => return None,
                ChannelMsg::Eof | ChannelMsg::Close => break,
                _ => {}
            }
        }
        parse_probe(&answer)
    };
    tokio::time::timeout(PROBE, asking).await.ok().flatten()
}

/// What the target's side of the channel said.
enum Said {
    Output(Bytes),
    Nothing,
    Stop(Stop),
}

/// Follows the replies and the end of the channel.
#[derive(Default)]
struct Replies {
    answered: u8,
    exit: Option<Exit>,
    eof: bool,
}

impl Replies {
    fn take(&mut self, message: Option<ChannelMsg>) -> Said {
        let Some(message) = message else {
            return Said::Stop(match self.exit.take() {
                Some(exit) => Stop::Ended(Some(exit)),
                None => Stop::Lost,
            });
        };
        match message {
            ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. } => {
                return Said::Output(data);
            }
            // The terminal first, then the shell.
            ChannelMsg::Success => self.answered = self.answered.saturating_add(1),
            ChannelMsg::Failure if self.answered == 0 => {
                self.answered = 1;
                return Said::Output(Bytes::from_static(
                    b"expacti: the target gave no terminal\r\n",
                ));
            }
            ChannelMsg::Failure => return Said::Stop(Stop::Refused),
            ChannelMsg::ExitStatus { exit_status } => self.exit = Some(Exit::Status(exit_status)),
            ChannelMsg::ExitSignal { signal_name, core_dumped, error_message, .. } => {
                self.exit = Some(Exit::Signal {
                    name: signal_name,
                    core: core_dumped,
                    message: error_message,
                });
            }
            ChannelMsg::Eof => self.eof = true,
            ChannelMsg::Close => return Said::Stop(Stop::Ended(self.exit.take())),
            _ => {}
        }
        if self.eof && self.exit.is_some() {
            return Said::Stop(Stop::Ended(self.exit.take()));
        }
        Said::Nothing
    }
}

impl Running<'_> {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn deadline(&self) -> Option<Instant> {
        let gate = self.gate.deadline().map(|at| self.started + at);
        let grant = self.grant.as_ref().map(|(_, grant)| grant.until());
        [gate, grant].into_iter().flatten().min()
    }

    /// What became of the item under review.
    fn decided(&mut self, session: Option<OpenSession>, fate: Outcomes, effects: &mut Vec<Effect>) {
        if let Some(session) = session
            && session != self.session
        {
            self.recorder = self.recorder.of_session(session.clone());
            self.session = session;
        }
        self.check = None;
        let verdict = match fate {
            Outcomes::Approved(id, approved) => {
                let grant = approved.has_grant();
                self.ready = Some(Ready { id, approved });
                // What the target has said meanwhile was not heard yet.
                if self.stalled > STALL { Verdict::Late } else { Verdict::Approved { grant } }
            }
            Outcomes::Refused(refusal) => Verdict::Refused(refusal.message),
            Outcomes::Changed => Verdict::Changed,
            Outcomes::Withdrawn | Outcomes::Gone => Verdict::Withdrawn,
        };
        self.gate.verdict(verdict, self.now(), effects);
    }

    fn tick_grant(&mut self, effects: &mut Vec<Effect>) {
        if self.grant.as_ref().is_some_and(|(_, grant)| grant.is_over(Instant::now())) {
            self.gate.end_grant(effects);
        }
    }

    /// Does what the line gate says, in order; but the agent's screen comes last: an agent that
    /// does not read could otherwise choose when an approved item is typed.
    async fn carry_out(&mut self, effects: Vec<Effect>, todo: &mut Todo) -> Result<(), Broken> {
        let mut effects = std::collections::VecDeque::from(effects);
        let mut screen = Vec::new();
        let began = Instant::now();
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Screen(bytes) => {
                    self.recorder.output(Stream::Stdout, &bytes).await;
                    screen.extend_from_slice(&bytes);
                }
                Effect::Submit(draft) => todo.submit = Some(draft),
                Effect::Withdraw => todo.withdraw = true,
                Effect::Probe => todo.probe = true,
                Effect::Type(what) => {
                    self.writer.constant(what).await.map_err(|_| Broken::Target)?;
                }
                Effect::TypeItem => {
                    // Without an approved item at hand nothing is typed.
                    if let Some(Ready { id, approved }) = self.ready.take() {
                        let at = Instant::now();
                        self.typed = Some(Typed { id: id.clone(), at, keys: None });
                        let grant =
                            self.writer.item(*approved).await.map_err(|_| Broken::Target)?;
                        self.grant = grant.map(|grant| (id, grant));
                    }
                }
                Effect::Keys(keys) => {
                    if let Some((_, grant)) = &mut self.grant {
                        self.writer.keys(grant, keys.into()).await.map_err(|_| Broken::Target)?;
                        if grant.is_over(Instant::now()) {
                            let mut more = Vec::new();
                            self.gate.end_grant(&mut more);
                            effects.extend(more);
                        }
                    }
                }
                Effect::GrantOver => {
                    if let Some((id, grant)) = self.grant.take() {
                        let passed = grant.summary();
                        let label = format!("grant of {id} over: {} bytes passed", passed.bytes);
                        self.recorder.mark(label).await;
                        if let Some(line) = self.lines.iter_mut().find(|line| line.id == id) {
                            line.keys = Some(passed);
                        } else {
                            let stdin = Some(passed);
                            self.link.finished(id, Outcome { stdin, ..Outcome::default() }).await;
                        }
                    }
                }
                Effect::ContextHolds(still) => {
                    if let Some(check) = self.check.take() {
                        check.send(still).ok();
                    }
                }
                Effect::Unsent(why) => {
                    if let Some(Ready { id, .. }) = self.ready.take() {
                        self.link.finished(id, unknown(&format!("{why}: it was not sent"))).await;
                    }
                }
                // With a grant it is done with when that is over.
                Effect::Passed => {
                    if let Some(typed) = self.typed.take()
                        && self.grant.as_ref().is_none_or(|(id, _)| *id != typed.id)
                    {
                        self.link.finished(typed.id, Outcome::default()).await;
                    }
                }
                Effect::Aborted(why) => {
                    // Given up before it was typed, it must not lie around either, nor its grant.
                    let ready = self.ready.take().map(|ready| ready.id);
                    let typed = self.typed.take().map(|typed| typed.id);
                    for id in ready.into_iter().chain(typed) {
                        self.link.finished(id, unknown(&format!("not run: {why}"))).await;
                    }
                    self.grant = None;
                }
                Effect::Started => self.lines.extend(self.typed.take()),
                Effect::Ended(status) => {
                    for line in std::mem::take(&mut self.lines) {
                        let outcome = Outcome { stdin: line.keys, ..ended(line.at, status) };
                        self.link.finished(line.id, outcome).await;
                    }
                }
                Effect::Log(text) => self.recorder.mark(text.to_owned()).await,
            }
        }
        if !screen.is_empty() {
            self.client.stdout(screen.into()).await.map_err(|_| Broken::Client)?;
        }
        self.stalled += began.elapsed();
        Ok(())
    }

    /// The shell is over, one way or the other: everything that is open gets an end.
    async fn end(
        mut self,
        stop: Stop,
        lease: Lease,
        reader: &mut ChannelReadHalf,
        gone: &CancellationToken,
        connection: &std::sync::Arc<crate::session::Connection>,
    ) -> Option<Refusal> {
        let (outcome, exit, refusal) = match stop {
            Stop::Ended(exit) => {
                let status = match &exit {
                    Some(Exit::Status(status)) => Some(*status),
                    _ => None,
                };
                let exit = exit
                    .unwrap_or(Exit::Status(u32::from(expacti_protocol::exit::CONNECTION_FAILED)));
                (Outcome { exit_status: status, ..Outcome::default() }, Some(exit), None)
            }
            Stop::Lost => {
                let why = "the connection to the target was lost";
                (unknown(why), None, Some(Refusal::target(why)))
            }
            Stop::Refused => {
                let why = "the target refused to start a shell";
                (unknown(why), None, Some(Refusal::target(why)))
            }
            Stop::Gone => (unknown("the client went away while the command ran"), None, None),
        };
        if let Some(Ready { id, .. }) = self.ready.take() {
            self.link.finished(id, unknown("the shell ended: it was not sent")).await;
        }
        let granted = self.grant.take().map(|(id, grant)| (id, grant.summary()));
        let mut open: Vec<Typed> = self.typed.take().into_iter().collect();
        open.append(&mut self.lines);
        if let Some((id, passed)) = granted {
            match open.iter_mut().find(|typed| typed.id == id) {
                Some(typed) => typed.keys = Some(passed),
                None => open.push(Typed { id, at: self.started, keys: Some(passed) }),
            }
        }
        for typed in open {
            let duration_us = u64::try_from(typed.at.elapsed().as_micros()).ok();
            self.link
                .finished(typed.id, Outcome { duration_us, stdin: typed.keys, ..outcome.clone() })
                .await;
        }
        if let Some(exit) = &exit {
            finish(self.client, gone, exit).await;
        }
        let closed = async {
            while let Some(message) = reader.wait().await {
                if matches!(message, ChannelMsg::Close) {
                    return true;
                }
            }
            false
        };
        let clean = exit.is_some();
        if clean && tokio::time::timeout(Duration::from_secs(1), closed).await == Ok(true) {
            connection.pool.give_back(lease);
        } else {
            self.writer.close().await.ok();
        }
        refusal
    }
}

fn ended(at: Instant, status: Option<u32>) -> Outcome {
    Outcome {
        exit_status: status,
        duration_us: u64::try_from(at.elapsed().as_micros()).ok(),
        ..Outcome::default()
    }
}
