//! Carries out the effects of the line gate: on the target's terminal, on the agent's screen, at
//! the broker. It keeps the approved item between its release and its typing, and every typed item
//! until its end is known, so that nothing is left without an end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use expacti_line::editor::History;
use expacti_line::session::{Effect, LineGate, Submission, Verdict};
use expacti_protocol::command::Outcome;
use expacti_protocol::digest::StreamSummary;
use expacti_protocol::exit::CONNECTION_FAILED;
use expacti_protocol::gate::Stream;
use expacti_protocol::ids::CommandId;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::boundary::{Approved, Ended, Exit, KeyGrant, ShellWriter, Signal, Size, TargetReader};
use crate::broker::event::OpenSession;
use crate::broker::link::Link;
use crate::client::channel::finish;
use crate::client::connection::Connection;
use crate::client::end::{ChannelEnd, Stopped};
use crate::client::recorder::Recorder;
use crate::client::refusal::Refusal;
use crate::client::writer::ClientWriter;
use crate::exec::run::signal_name;
use crate::review::item::ReviewResult;
use crate::upstream::pool::Lease;

/// If the agent takes longer than this in total to read its screen, it has held up the gate, and
/// what was known of the target is out of date.
const STALL: Duration = Duration::from_secs(1);

/// How long a channel whose shell ended may take to close before its connection is dropped.
const CLOSING: Duration = Duration::from_secs(1);

/// An approved item between its release and its typing.
struct ToType {
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

/// A running shell.
pub(super) struct ShellSession<'a> {
    pub(super) link: Link,
    client: &'a ClientWriter,
    pub(super) recorder: Recorder,
    session: OpenSession,
    writer: ShellWriter,
    pub(super) gate: LineGate,
    started: Instant,
    to_type: Option<ToType>,
    /// Typed; the shell has not started it yet.
    typed: Option<Typed>,
    /// Started, and still running.
    lines: Vec<Typed>,
    /// It was started for one command.
    is_command: bool,
    grant: Option<(CommandId, KeyGrant)>,
    check: Option<oneshot::Sender<bool>>,
    /// How long the agent's screen has held everything up since the context was last checked.
    pub(super) stalled: Duration,
}

/// What effects ask for that takes longer than handling one event may.
#[derive(Default)]
pub(super) struct FollowUp {
    pub(super) submit: Option<Box<Submission>>,
    pub(super) withdraw: bool,
    pub(super) probe: bool,
}

/// The agent's or the target's side has gone.
pub(super) enum Broken {
    Client,
    Target,
}

impl<'a> ShellSession<'a> {
    pub(super) fn new(
        connection: &Arc<Connection>,
        client: &'a ClientWriter,
        session: OpenSession,
        writer: ShellWriter,
        gate: LineGate,
    ) -> Self {
        Self {
            link: connection.shared.link.clone(),
            client,
            recorder: Recorder::new(Arc::clone(connection), session.clone(), true),
            session,
            writer,
            gate,
            started: Instant::now(),
            to_type: None,
            typed: None,
            lines: Vec::new(),
            is_command: false,
            grant: None,
            check: None,
            stalled: Duration::ZERO,
        }
    }

    /// Passes a signal on to the command that was started here; a shell of ours gets none.
    pub(super) async fn signal(&self, signal: Signal) -> Result<(), ChannelEnd> {
        if !self.is_command {
            return Ok(());
        }
        self.writer.signal(signal).await.map_err(|_| ChannelEnd::Target(Ended::Lost))
    }

    /// A command runs in it from the start.
    pub(super) fn runs(&mut self, id: CommandId) {
        self.is_command = true;
        self.lines.push(Typed { id, at: self.started, keys: None });
    }

    /// The line gate's clock.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// When something must be done even if nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let gate = self.gate.deadline().map(|at| self.started + at);
        let grant = self.grant.as_ref().map(|(_, grant)| grant.until());
        [gate, grant].into_iter().flatten().min()
    }

    /// The session at the broker.
    pub(super) fn session(&self) -> &OpenSession {
        &self.session
    }

    /// The lines that the agent has typed.
    pub(super) fn history(&self) -> &History {
        self.gate.history()
    }

    /// Whether keys pass unreviewed now.
    pub(super) fn has_grant(&self) -> bool {
        self.grant.is_some()
    }

    /// The agent's terminal has a new size.
    pub(super) async fn resize(
        &mut self,
        size: Size,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ChannelEnd> {
        let (cols, rows) = cells(size);
        let now = self.now();
        self.recorder.resize(size).await;
        self.gate.resize(cols, rows, now, effects);
        self.writer.resize(size).await.map_err(|_| ChannelEnd::Target(Ended::Lost))
    }

    /// Answers whether the context is still the reviewed one.
    pub(super) fn check(&mut self, ask: oneshot::Sender<bool>, effects: &mut Vec<Effect>) {
        self.check = Some(ask);
        self.stalled = Duration::ZERO;
        self.gate.check(self.now(), effects);
    }

    /// Handles the outcome of the item under review.
    pub(super) fn decided(
        &mut self,
        session: Option<OpenSession>,
        result: ReviewResult,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(session) = session
            && session != self.session
        {
            self.recorder = self.recorder.of_session(session.clone());
            self.session = session;
        }
        self.check = None;
        let verdict = match result {
            ReviewResult::Approved(id, approved) => {
                let grant = approved.has_grant();
                self.to_type = Some(ToType { id, approved });
                // What the target has sent meanwhile has not been read yet.
                if self.stalled > STALL { Verdict::Late } else { Verdict::Approved { grant } }
            }
            ReviewResult::Refused(refusal) => Verdict::Refused(refusal.message),
            ReviewResult::Changed => Verdict::Changed,
            ReviewResult::Withdrawn | ReviewResult::Gone => Verdict::Withdrawn,
        };
        self.gate.verdict(verdict, self.now(), effects);
    }

    /// Ends a grant whose time is up.
    pub(super) fn tick_grant(&mut self, effects: &mut Vec<Effect>) {
        if self.grant.as_ref().is_some_and(|(_, grant)| grant.is_over(Instant::now())) {
            self.gate.end_grant(effects);
        }
    }

    /// Carries out the effects in order, except that the agent's screen comes last: otherwise an
    /// agent that does not read could choose when an approved item is typed.
    pub(super) async fn apply(&mut self, effects: Vec<Effect>) -> Result<FollowUp, Broken> {
        let mut effects = VecDeque::from(effects);
        let mut follow_up = FollowUp::default();
        let mut screen = Vec::new();
        let began = Instant::now();
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Screen(bytes) => {
                    self.recorder.output(Stream::Stdout, &bytes).await;
                    screen.extend_from_slice(&bytes);
                }
                Effect::Submit(submission) => follow_up.submit = Some(submission),
                Effect::Withdraw => follow_up.withdraw = true,
                Effect::Probe => follow_up.probe = true,
                Effect::Type(what) => {
                    self.writer.constant(what).await.map_err(|_| Broken::Target)?;
                }
                Effect::TypeItem => self.type_item().await?,
                Effect::Keys(keys) => {
                    let mut more = Vec::new();
                    self.keys(keys, &mut more).await?;
                    effects.extend(more);
                }
                Effect::GrantOver => self.grant_over().await,
                Effect::ContextHolds(still) => {
                    if let Some(check) = self.check.take() {
                        check.send(still).ok();
                    }
                }
                Effect::Unsent(why) => self.unsent(&why.to_string()).await,
                Effect::Passed => self.passed().await,
                Effect::Aborted(why) => self.aborted(&why.to_string()).await,
                Effect::Started => self.lines.extend(self.typed.take()),
                Effect::Ended(status) => self.ended(status).await,
                Effect::Log(text) => self.recorder.mark(text.to_owned()).await,
            }
        }
        if !screen.is_empty() {
            self.client.stdout(screen.into()).await.map_err(|_| Broken::Client)?;
        }
        self.stalled += began.elapsed();
        Ok(follow_up)
    }

    /// Types the approved item. Without one, nothing is typed.
    async fn type_item(&mut self) -> Result<(), Broken> {
        let Some(ToType { id, approved }) = self.to_type.take() else { return Ok(()) };
        // Noted before it is typed: if typing fails halfway, a part may have arrived.
        self.typed = Some(Typed { id: id.clone(), at: Instant::now(), keys: None });
        let grant = self.writer.item(*approved).await.map_err(|_| Broken::Target)?;
        self.grant = grant.map(|grant| (id, grant));
        Ok(())
    }

    /// Types keys under the grant. Without one they go nowhere.
    async fn keys(&mut self, keys: Vec<u8>, effects: &mut Vec<Effect>) -> Result<(), Broken> {
        let Some((_, grant)) = &mut self.grant else { return Ok(()) };
        grant.pass(keys.into()).await.map_err(|_| Broken::Target)?;
        if grant.is_over(Instant::now()) {
            self.gate.end_grant(effects);
        }
        Ok(())
    }

    async fn grant_over(&mut self) {
        let Some((id, grant)) = self.grant.take() else { return };
        let passed = grant.summary();
        let label = format!("grant of {id} over: {} bytes passed", passed.bytes);
        self.recorder.mark(label).await;
        match self.lines.iter_mut().find(|line| line.id == id) {
            // The line that brought it is still running and will report it.
            Some(line) => line.keys = Some(passed),
            None => {
                let stdin = Some(passed);
                self.link.finished(id, Outcome { stdin, ..Outcome::default() }).await;
            }
        }
    }

    /// The approved item is not typed after all.
    async fn unsent(&mut self, why: &str) {
        if let Some(ToType { id, .. }) = self.to_type.take() {
            let why = format!("{why}: it was not sent");
            self.link.finished(id, Outcome::not_sent(why)).await;
        }
    }

    /// An item that has no end of its own was typed completely. If it has a grant, it ends with the
    /// grant.
    async fn passed(&mut self) {
        if let Some(typed) = self.typed.take()
            && self.grant.as_ref().is_none_or(|(id, _)| *id != typed.id)
        {
            self.link.finished(typed.id, Outcome::default()).await;
        }
    }

    /// The item did not arrive as approved and was not run. If it was not typed at all, it must not
    /// stay around, and neither must its grant.
    async fn aborted(&mut self, why: &str) {
        let why = format!("not run: {why}");
        if let Some(ToType { id, .. }) = self.to_type.take() {
            self.link.finished(id, Outcome::not_sent(why.as_str())).await;
        }
        if let Some(Typed { id, .. }) = self.typed.take() {
            self.link.finished(id, Outcome::unknown(why)).await;
        }
        self.grant = None;
    }

    /// The running lines have ended.
    async fn ended(&mut self, status: Option<u32>) {
        for line in std::mem::take(&mut self.lines) {
            let outcome = Outcome {
                exit_status: status,
                stdin: line.keys,
                duration_us: micros_since(line.at),
                ..Outcome::default()
            };
            self.link.finished(line.id, outcome).await;
        }
    }

    /// The shell has ended, one way or another: everything open is reported, and the channel
    /// closed.
    pub(super) async fn end(
        mut self,
        end: ChannelEnd,
        lease: Lease,
        reader: &mut TargetReader,
        gone: &CancellationToken,
        connection: &Arc<Connection>,
    ) -> Result<(), Stopped> {
        let (outcome, verdict) = judge(end);
        self.close_items(&outcome).await;
        if let Ok(exit) = &verdict {
            finish(self.client, gone, exit).await;
        }
        let clean = verdict.is_ok();
        if clean && tokio::time::timeout(CLOSING, reader.closed()).await == Ok(true) {
            connection.pool.give_back(lease);
        } else {
            self.writer.close().await.ok();
        }
        verdict.map(|_| ())
    }

    /// Reports what is still open.
    async fn close_items(&mut self, outcome: &Outcome) {
        self.unsent("the shell ended").await;
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
            let (duration_us, stdin) = (micros_since(typed.at), typed.keys);
            let outcome = Outcome { duration_us, stdin, ..outcome.clone() };
            self.link.finished(typed.id, outcome).await;
        }
    }
}

fn micros_since(at: Instant) -> Option<u64> {
    u64::try_from(at.elapsed().as_micros()).ok()
}

/// What to report of the lines that still run, and what to tell the agent.
fn judge(end: ChannelEnd) -> (Outcome, Result<Exit, Stopped>) {
    let lost = |why: &str| (Outcome::unknown(why), Err(Refusal::target(why).into()));
    match end {
        ChannelEnd::Target(Ended::Exited(exit)) => {
            let mut outcome = Outcome::default();
            match &exit {
                Exit::Status(status) => outcome.exit_status = Some(*status),
                Exit::Signal { name, .. } => outcome.exit_signal = Some(signal_name(name)),
            }
            (outcome, Ok(exit))
        }
        ChannelEnd::Target(Ended::Closed) => {
            (Outcome::default(), Ok(Exit::Status(u32::from(CONNECTION_FAILED))))
        }
        ChannelEnd::Target(Ended::Lost) => lost("the connection to the target was lost"),
        ChannelEnd::Target(Ended::Refused) => lost("the target refused to start a shell"),
        ChannelEnd::Refused(refusal) => (Outcome::unknown("refused"), Err(refusal.into())),
        ChannelEnd::ClientGone => {
            (Outcome::unknown("the client went away while the command ran"), Err(Stopped::Gone))
        }
    }
}

/// A size in the line gate's units.
pub(super) fn cells(size: Size) -> (u16, u16) {
    let cells = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
    (cells(size.cols()), cells(size.rows()))
}
