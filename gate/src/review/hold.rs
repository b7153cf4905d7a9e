//! Holds one item: submits it, waits for the outcome, and returns it approved or not at all. It
//! drives the pure [`ItemLifecycle`] with events from the broker, the client and the clock, and
//! must never decide anything itself.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use expacti_engine::Beneath;
use expacti_protocol::command::{CommandText, ItemKind, Outcome, StdinTreatment, Submission};
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::DecisionKind;
use expacti_protocol::ids::CommandId;
use expacti_protocol::signed::SignedText;
use expacti_signing::Limits;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::beneath::{LOOK, NotBeneath, look};
use super::compare::{Compared, existing};
use super::item::{ReviewItem, ReviewResult, Watcher};
use super::joining::Joining;
use super::lifecycle::{End, Event, ItemLifecycle, Step};
use super::status_line::{Status, StatusLine};
use crate::approval::{Claimed, Waiting};
use crate::boundary::{Context, Environment, Signal, TargetChannel, Terminal};
use crate::broker::event::{BrokerEvent, OpenSession, Submitted};
use crate::broker::proof::Decided;
use crate::client::channel::Control;
use crate::client::connection::Connection;
use crate::client::input::{ChannelInput, Taken};
use crate::client::refusal::{About, Refusal};
use crate::client::writer::ClientWriter;
use crate::upstream::pool::Lease;

/// What holding an item needs.
pub(crate) struct Review<'a> {
    pub(crate) connection: &'a Arc<Connection>,
    /// Where the status line goes; `None` while a command is writing there.
    pub(crate) client: Option<&'a ClientWriter>,
    pub(crate) input: &'a ChannelInput,
    pub(crate) gone: &'a CancellationToken,
    pub(crate) environment: &'a Environment,
    /// For items of an interactive shell, whose context can change while they are held.
    pub(crate) watcher: Option<&'a Watcher>,
}

/// What else of the channel to watch while an item is held, where nothing else watches it.
#[derive(Default)]
pub(crate) struct AlsoWatched<'a> {
    /// Signals and sizes from the client.
    pub(crate) control: Option<&'a mut mpsc::Receiver<Control>>,
    /// The channel on which the item would be delivered.
    pub(crate) target: Option<&'a mut TargetChannel>,
    /// The connection on which the gate can look where paths lead on the target.
    pub(crate) lease: Option<&'a Lease>,
}

impl Review<'_> {
    /// Submits an item and waits for its outcome.
    pub(crate) async fn run(
        &self,
        session: &OpenSession,
        item: ReviewItem,
        terminal: &mut Option<Terminal>,
        mut also: AlsoWatched<'_>,
    ) -> ReviewResult {
        let mut held = self.submit(session, item, terminal.as_ref(), also.lease);
        loop {
            if let Some(event) = held.next_event(terminal, &mut also).await
                && let Some(result) = held.on_event(event).await
            {
                return result;
            }
        }
    }

    fn submit<'a>(
        &'a self,
        session: &'a OpenSession,
        item: ReviewItem,
        terminal: Option<&Terminal>,
        lease: Option<&'a Lease>,
    ) -> InReview<'a> {
        let shared = &self.connection.shared;
        let lease = lease.filter(|lease| {
            shared.shells.as_ref().is_none_or(|shells| !shells.lacks_sftp(lease.account()))
        });
        let context = Context {
            terminal: terminal.cloned(),
            environment: self.environment.clone(),
            // Until the broker has said how it is treated.
            stdin: StdinTreatment::Code,
            drop_stdin: false,
            login_shell: item.login_shell,
        };
        let mut submission = Submission {
            session_id: session.id.clone(),
            kind: item.kind,
            parent: item.parent,
            text: CommandText::new(&item.bytes),
            sha256: Digest::of(&item.bytes),
            cwd: item.cwd.unwrap_or_else(|| "~".to_owned()),
            shell: item.shell,
            pty: terminal.map(Terminal::info),
            dropped_env: self.environment.dropped().to_vec(),
            env: self.environment.kept().to_vec(),
            notes: item.notes,
            ready: true,
            resolves_paths: lease.is_some(),
            interactive: item.interactive,
            preview: item.preview,
            item: None,
        };
        let waiting = shared.approvals.hold(&mut submission, &session.info, item.fed);
        let events = shared.link.submit(session.epoch, submission);
        let lifecycle = match self.watcher {
            Some(_) => ItemLifecycle::with_check(session.id.clone(), item.bytes, context),
            None => ItemLifecycle::new(session.id.clone(), item.bytes, context),
        };
        let wanted = terminal.is_some() || self.connection.status_line;
        InReview {
            review: self,
            session,
            lifecycle,
            joins: item.kind == ItemKind::Exec && terminal.is_none() && self.watcher.is_none(),
            joining: Joining::default(),
            reading: None,
            compared: None,
            whole: Vec::new(),
            id: None,
            time: shared.limits.answer,
            about: About::default(),
            events,
            checking: None,
            lease,
            looking: None,
            outside: None,
            deadline: Instant::now() + shared.limits.answer,
            status: StatusLine::new(self.client, wanted),
            has_terminal: terminal.is_some(),
            changed: false,
            waiting,
            claimed: None,
        }
    }
}

/// An item between its submission and its end.
struct InReview<'a> {
    review: &'a Review<'a>,
    session: &'a OpenSession,
    lifecycle: ItemLifecycle,
    /// Standard input that comes while it waits is decided with it.
    joins: bool,
    joining: Joining,
    /// The look at the file that it becomes, while it lasts: nothing is told before its end.
    reading: Option<Look<'a, Option<Compared>>>,
    /// What that has shown.
    compared: Option<Compared>,
    /// All of the input, where it is compared.
    whole: Vec<u8>,
    /// Its id, once it has one.
    id: Option<CommandId>,
    /// How long people have.
    time: Duration,
    /// What an agent may be told of it if it is refused.
    about: About,
    events: mpsc::UnboundedReceiver<BrokerEvent>,
    /// The question whether the context is still the reviewed one, while it is open.
    checking: Option<oneshot::Receiver<bool>>,
    /// The connection on which to look where paths lead.
    lease: Option<&'a Lease>,
    /// The look, while it lasts.
    looking: Option<Look<'a, Result<(), NotBeneath>>>,
    /// What it has shown, if the item must not be delivered.
    outside: Option<String>,
    deadline: Instant,
    status: StatusLine<'a>,
    has_terminal: bool,
    /// The context turned out to have changed.
    changed: bool,
    /// What the gate itself asks for.
    waiting: Arc<Waiting>,
    /// What the broker says was decided.
    claimed: Option<Claim>,
}

/// An allow, as the broker tells of it.
struct Claim {
    beneath: Vec<Beneath>,
    kind: DecisionKind,
    limits: Limits,
    signed: Vec<SignedText>,
}

impl InReview<'_> {
    /// The next thing that concerns the item; `None` when it was something else.
    async fn next_event(
        &mut self,
        terminal: &mut Option<Terminal>,
        also: &mut AlsoWatched<'_>,
    ) -> Option<Event> {
        // Withdrawals come first: an approval that races with one loses.
        tokio::select! {
            biased;
            () = self.review.gone.cancelled() => {
                Some(Event::Withdrawn("the client closed the channel"))
            }
            () = taken_back(self.review.watcher) => Some(Event::Withdrawn("^C")),
            Some(asked) = next_control(&mut also.control) => match asked {
                Control::Signal(signal) if ends(signal) => {
                    Some(Event::Withdrawn("the client sent a signal"))
                }
                Control::Signal(_) => None,
                // The target gets the new size when the command runs.
                Control::Resize(size) => {
                    if let Some(terminal) = terminal.as_mut() {
                        terminal.resized(size);
                    }
                    None
                }
            },
            () = self.review.input.interrupted(),
                if self.has_terminal && also.target.is_some() =>
            {
                Some(Event::Withdrawn("^C"))
            }
            still = answered(&mut self.checking) => {
                self.checking = None;
                self.changed = !still;
                Some(Event::Checked(still))
            }
            looked = done(&mut self.looking) => {
                self.looking = None;
                Some(self.looked(looked))
            }
            // A queue without a sender reads as a lost link.
            event = self.events.recv() => {
                Some(Event::Broker(event.unwrap_or(BrokerEvent::LinkLost)))
            }
            () = lost(&mut also.target), if also.target.is_some() => {
                also.target = None;
                Some(Event::TargetLost)
            }
            () = tokio::time::sleep_until(self.deadline.into()) => {
                let awaited = self.lifecycle.awaits_answer();
                Some(if awaited { Event::NoAnswer } else { Event::Deadline })
            }
            taken = self.review.input.next(), if self.joining.wants() => self.joined(taken),
            compared = done(&mut self.reading) => {
                self.reading = None;
                self.compared = compared;
                None
            }
            () = at(self.joining.next()), if self.reading.is_none() => {
                self.tell_joined();
                None
            }
            () = self.status.tick() => None,
        }
    }

    /// Standard input has come: what there is room for is decided with the item.
    fn joined(&mut self, taken: Taken) -> Option<Event> {
        let now = Instant::now();
        match taken {
            Taken::Bytes(mut bytes) => {
                let rest = bytes.split_off(bytes.len().min(self.joining.room()));
                self.review.input.give_back(rest);
                self.joining.bytes(&bytes, now);
                if self.reading.is_some() || self.compared.is_some() {
                    self.whole.extend_from_slice(&bytes);
                }
                Some(Event::Joined { bytes, ended: false })
            }
            Taken::Eof => {
                self.joining.end(now);
                Some(Event::Joined { bytes: Bytes::new(), ended: true })
            }
        }
    }

    /// Tells the broker what has come, if it is time to.
    fn tell_joined(&mut self) {
        let now = Instant::now();
        let (Some(revision), Some(id)) = (self.joining.revision(now), self.id.clone()) else {
            return;
        };
        let shared = &self.review.connection.shared;
        if revision.restarts {
            self.deadline = now + self.time + shared.limits.deadline_grace;
        }
        let (epoch, session) = (self.session.epoch, self.session.id.clone());
        let what = (revision.offset, revision.bytes);
        // Of a part of a file it is not known what will be different.
        let compared = self.compared.as_ref().filter(|_| revision.input.ended);
        let compared = compared.and_then(|compared| compared.with(&self.whole));
        shared.link.join(epoch, id, session, what, (revision.input, compared));
    }

    /// Passes an event to the lifecycle and does what it says. Returns the result when it has
    /// ended.
    async fn on_event(&mut self, mut event: Event) -> Option<ReviewResult> {
        let withdrawn = match &event {
            Event::Withdrawn(reason) => Some(*reason),
            _ => None,
        };
        if let Event::Broker(BrokerEvent::Submitted(submitted)) = &mut event {
            let approvals = &self.review.connection.shared.approvals;
            submitted.stdin = approvals.treatment(&self.waiting, submitted.stdin);
            self.submitted(submitted);
        }
        if let Event::Broker(BrokerEvent::Decided(decided)) = &event
            && decided.allow
            && decided.kind != DecisionKind::Rule
        {
            self.review.connection.account_may_change();
        }
        if let Event::Broker(BrokerEvent::Decided(decided)) = &event {
            self.joining.close();
            self.about.comment.clone_from(&decided.comment);
            self.about.instead.clone_from(&decided.instead);
        }
        let event = self.with_approval(event);
        let shared = &self.review.connection.shared;
        match self.lifecycle.on(event) {
            Step::Wait => None,
            Step::Check => {
                self.deadline = Instant::now() + shared.limits.answer;
                let (ask, answer) = oneshot::channel();
                if let Some(watcher) = self.review.watcher {
                    watcher.check.send(ask).ok();
                }
                self.checking = Some(answer);
                None
            }
            Step::Look(all) => {
                self.deadline = Instant::now() + LOOK + shared.limits.answer;
                self.looking = Some(match self.lease {
                    Some(lease) => Box::pin(look(lease, all)),
                    // The broker was told that nobody can look there.
                    None => Box::pin(std::future::ready(Err(NotBeneath::NoServer))),
                });
                None
            }
            Step::Release { id, session, sha256, input } => {
                self.deadline = Instant::now() + shared.limits.answer;
                shared.link.release(self.session.epoch, id, session, (sha256, input));
                None
            }
            Step::Deliver(id, approved, rest) => {
                let delivery = self.waiting.delivery(approved.content(), approved.input_ref());
                shared.link.delivering(id.clone(), delivery);
                self.review.input.give_back(rest);
                self.status.erase().await;
                Some(ReviewResult::Approved(id, approved))
            }
            Step::End(end) => Some(self.end(end, withdrawn).await),
        }
    }

    /// Checks an allow, and its release, against what the gate itself asks for.
    fn with_approval(&mut self, event: Event) -> Event {
        let released = match &event {
            // Only the first counts, and only of an item that is known: another one is not looked at.
            Event::Broker(BrokerEvent::Decided(_))
                if self.claimed.is_some() || self.id.is_none() =>
            {
                return event;
            }
            Event::Broker(BrokerEvent::Decided(decided)) if decided.allow => {
                self.claimed = Some(Claim {
                    beneath: decided.beneath.clone(),
                    kind: decided.kind,
                    limits: Limits {
                        grant: decided.grant,
                        input: decided.input,
                        input_grant: decided.input_grant,
                    },
                    signed: decided.signed.clone(),
                });
                decided.released.is_some()
            }
            Event::Broker(BrokerEvent::Released(_)) => true,
            _ => return event,
        };
        let Some(claim) = &self.claimed else { return event };
        let input = claim.limits.input.map_or(0, |input| input.bytes);
        let claimed = Claimed {
            kind: claim.kind,
            limits: claim.limits,
            signed: &claim.signed,
            beneath: &claim.beneath,
            input: if input == 0 { &[] } else { self.lifecycle.joined(input) },
        };
        match self.review.connection.shared.approvals.check(&self.waiting, &claimed) {
            Ok(proven) => {
                self.lifecycle.prove(proven);
                event
            }
            Err(why) => {
                self.outside = Some(why.clone());
                Event::NotApproved { why, released }
            }
        }
    }

    /// What the look at the target has shown.
    fn looked(&mut self, looked: Result<(), NotBeneath>) -> Event {
        if let Err(not) = &looked {
            self.outside = Some(not.why());
            let shells = self.review.connection.shared.shells.as_ref();
            if let (NotBeneath::NoServer, Some(shells), Some(lease)) = (not, shells, self.lease) {
                shells.has_no_sftp(lease.account());
            }
        }
        Event::Looked(looked)
    }

    /// The broker has accepted the item: from now on the deadline is the reviewer's.
    fn submitted(&mut self, submitted: &Submitted) {
        let now = Instant::now();
        let grace = self.review.connection.shared.limits.deadline_grace;
        self.deadline = now + submitted.timeout + grace;
        self.time = submitted.timeout;
        self.id = Some(submitted.id.clone());
        self.waiting.scored(submitted.level);
        self.about.id = Some(submitted.id.to_string());
        self.about.risk_score = Some(submitted.risk_score);
        let asked = submitted.stdin == StdinTreatment::Code && !submitted.drop_stdin;
        if self.joins && submitted.pending && asked {
            self.joining.open(self.review.connection.shared.limits.script);
            let file = submitted.writes.clone();
            let approvals = &self.review.connection.shared.approvals;
            let file = file.filter(|file| approvals.may_compare(&self.waiting, file));
            if let (Some(lease), Some(file)) = (self.lease, file) {
                self.reading = Some(Box::pin(existing(lease, file)));
            }
        }
        self.status.show(Status::new(submitted, now));
        if let Some(watcher) = self.review.watcher {
            watcher.submitted.send(submitted.clone()).ok();
        }
    }

    /// The item will not be delivered: tells the broker, and returns what to tell the agent.
    async fn end(&mut self, mut end: End, withdrawn: Option<&'static str>) -> ReviewResult {
        let link = &self.review.connection.shared.link;
        drain_events(&mut self.events, &mut end, withdrawn.unwrap_or("no longer wanted"));
        if let Some((id, reason)) = end.withdraw {
            let reason = self.outside.as_deref().unwrap_or(reason);
            link.withdraw(self.session.epoch, id, reason);
        }
        if let Some((id, reason)) = end.unsent {
            let reason = self.outside.as_deref().unwrap_or(reason);
            let why = format!("{reason}: the command was not sent");
            link.finished(id, Outcome::not_sent(why)).await;
        }
        self.status.erase().await;
        let gone = self.review.gone.is_cancelled();
        match end.refusal {
            Some(refusal) => {
                let about = Some(Box::new(std::mem::take(&mut self.about)));
                ReviewResult::Refused(Refusal { about, ..refusal })
            }
            None if self.changed => ReviewResult::Changed,
            None if self.review.watcher.is_some() && !gone => ReviewResult::Withdrawn,
            None if withdrawn.is_some() && !gone => ReviewResult::Refused(Refusal::withdrawn()),
            None => ReviewResult::Gone,
        }
    }
}

/// The item has ended here, so it must not stay open at the broker, whatever the broker has said
/// meanwhile. What it says from now on finds the queue closed, and the link answers it.
fn drain_events(
    events: &mut mpsc::UnboundedReceiver<BrokerEvent>,
    end: &mut End,
    why: &'static str,
) {
    // Closed before it is drained: what comes in between is refused, and the link notices.
    events.close();
    while let Ok(event) = events.try_recv() {
        match event {
            BrokerEvent::Submitted(submitted) => end.withdraw = Some((submitted.id, why)),
            BrokerEvent::Released(proof) => end.unsent = Some((proof.id().clone(), why)),
            BrokerEvent::Decided(Decided { released: Some(proof), .. }) => {
                end.unsent = Some((proof.id().clone(), why));
            }
            BrokerEvent::Decided(_) => end.withdraw = None,
            BrokerEvent::LinkLost | BrokerEvent::Refused(_) => {}
        }
    }
    if end.unsent.is_some() {
        end.withdraw = None;
    }
}

fn ends(signal: Signal) -> bool {
    matches!(signal, Signal::Int | Signal::Term | Signal::Hup | Signal::Quit | Signal::Kill)
}

async fn taken_back(watcher: Option<&Watcher>) {
    match watcher {
        Some(watcher) => watcher.withdraw.cancelled().await,
        None => std::future::pending().await,
    }
}

/// Whether the context is still the reviewed one. No answer counts as no.
async fn answered(checking: &mut Option<oneshot::Receiver<bool>>) -> bool {
    match checking {
        Some(answer) => answer.await.unwrap_or(false),
        None => std::future::pending().await,
    }
}

/// A look at the target.
type Look<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The result of a look at the target.
async fn done<T>(look: &mut Option<Look<'_, T>>) -> T {
    match look {
        Some(look) => look.await,
        None => std::future::pending().await,
    }
}

async fn next_control(control: &mut Option<&mut mpsc::Receiver<Control>>) -> Option<Control> {
    match control {
        Some(control) => control.recv().await,
        None => std::future::pending().await,
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

async fn lost(target: &mut Option<&mut TargetChannel>) {
    match target {
        Some(target) => target.lost().await,
        None => std::future::pending().await,
    }
}
