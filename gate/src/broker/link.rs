//! Handles to the broker link, for any task to use. They queue requests for the one task that owns
//! the WebSocket (see [`super::task`]) and never talk to the broker themselves.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use expacti_protocol::client::Endpoint;
use expacti_protocol::command::{CommandText, Outcome, Submission};
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::{GateRequest, Stream};
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::input::InputRef;
use expacti_protocol::now_micros;
use expacti_protocol::reads::{FileRead, MoreRead};
use expacti_protocol::session::SessionInfo;
use expacti_signing::Delivery;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::event::{BrokerEvent, OpenSession};
use super::log_watch::LogWatch;
pub use super::queue::LinkStatus;
use super::queue::{LinkError, LinkRequest, LinkState, OrderedMessage, ReadsReport};
use super::reporter::{Ended, Reporter};
use super::task::Task;
use crate::approval::PassedOn;
use crate::limits::Limits;

/// Pieces of recordings on their way to the broker; at most 32 KiB each.
const ORDERED: usize = 128;

/// A handle to the link.
#[derive(Clone)]
pub(crate) struct Link {
    requests: mpsc::UnboundedSender<LinkRequest>,
    ordered: mpsc::Sender<OrderedMessage>,
    status: watch::Receiver<LinkStatus>,
    state: Arc<LinkState>,
    wait: Duration,
    answer: Duration,
}

/// What the link works with.
pub(crate) struct LinkParts {
    /// What this gate has seen of the broker's log; `None`: it does not look.
    pub(crate) log: Option<LogWatch>,
    /// Who signs what is reported.
    pub(crate) reporter: Reporter,
    /// Where signed rules go.
    pub(crate) rulebook: PassedOn,
}

/// Ends of grants that may queue for a receiver; a receiver that misses one assumes it was its own.
const GRANTS: usize = 256;

/// Reports of reads kept while the broker is unreachable; beyond that the oldest are dropped. Nothing
/// more is read without a link, so there are only those of what was open when it was lost.
const MAX_READS: usize = 10_000;

/// Outcomes kept while the broker is unreachable; beyond that the oldest are dropped.
const MAX_FINISHED: usize = 10_000;

impl Link {
    /// Starts connecting, until `stop`.
    pub(crate) fn start(
        endpoint: Endpoint,
        limits: &Limits,
        parts: LinkParts,
        stop: CancellationToken,
    ) -> Self {
        let (requests, request_rx) = mpsc::unbounded_channel();
        let (ordered, ordered_rx) = mpsc::channel(ORDERED);
        let why = "not connected yet".to_owned();
        let (status_tx, status) = watch::channel(LinkStatus::Disconnected { why });
        let state = Arc::new(LinkState {
            epoch: AtomicU64::new(0),
            next_ref: AtomicU64::new(1),
            finished: Mutex::default(),
            delivered: Mutex::default(),
            reads: Mutex::default(),
            grants_over: broadcast::channel(GRANTS).0,
            log: parts.log.map(Arc::new),
            reporter: parts.reporter,
            rulebook: parts.rulebook,
        });
        let task = Task::new(endpoint, request_rx, status_tx, Arc::clone(&state));
        tokio::spawn(async move {
            tokio::select! {
                () = task.run(ordered_rx) => {}
                () = stop.cancelled() => {}
            }
        });
        Self { requests, ordered, status, state, wait: limits.link_wait, answer: limits.answer }
    }

    /// Whether the broker is connected.
    pub(crate) fn status(&self) -> LinkStatus {
        self.status.borrow().clone()
    }

    /// Waits until the broker is connected.
    pub(crate) async fn connected(&self) {
        let mut status = self.status.clone();
        status.wait_for(|s| *s == LinkStatus::Connected).await.ok();
    }

    /// Whether a session opened in that epoch still exists.
    pub(crate) fn is_current(&self, epoch: u64) -> bool {
        self.state.epoch.load(Ordering::Acquire) == epoch
            && *self.status.borrow() == LinkStatus::Connected
    }

    /// Receives the sessions whose grants of keys have ended.
    pub(crate) fn grants_over(&self) -> broadcast::Receiver<SessionId> {
        self.state.grants_over.subscribe()
    }

    /// Waits until the sessions of that epoch no longer exist.
    pub(crate) async fn outdated(&self, epoch: u64) {
        let mut status = self.status.clone();
        while self.is_current(epoch) && status.changed().await.is_ok() {}
    }

    /// Opens a session; waits a moment for a link that is being established.
    pub(crate) async fn open(
        &self,
        info: SessionInfo,
        kill: CancellationToken,
    ) -> Result<OpenSession, LinkError> {
        if tokio::time::timeout(self.wait, self.connected()).await.is_err() {
            let log = self.state.log.as_ref();
            // The broker is there, and reads its log.
            let looking = log.is_some_and(|log| log.is_looking());
            if !looking || tokio::time::timeout(self.answer, self.connected()).await.is_err() {
                let refused = log.is_some_and(|log| log.is_refused());
                return Err(if refused { LinkError::OtherLog } else { LinkError::Down });
            }
        }
        let (reply, answer) = oneshot::channel();
        let request = LinkRequest::Open { info: Box::new(info), kill, reply };
        self.requests.send(request).map_err(|_| LinkError::Down)?;
        match tokio::time::timeout(self.answer, answer).await {
            Ok(answered) => answered.unwrap_or(Err(LinkError::Down)),
            Err(_) => Err(LinkError::Timeout),
        }
    }

    /// Whether the gate may ask the target which shell reads this command. If so, that is in the log.
    pub(crate) async fn may_ask_shell(&self, session: &OpenSession, command: &[u8]) -> bool {
        let (reply, answer) = oneshot::channel();
        let text = CommandText::new(command);
        let (epoch, session) = (session.epoch, session.id.clone());
        self.requests.send(LinkRequest::AskShell { epoch, session, text, reply }).ok();
        // Any other answer, a lost link included, drops the sender.
        answer.await.is_ok()
    }

    /// Submits an item. What happens to it arrives as events, `LinkLost` included.
    pub(crate) fn submit(
        &self,
        epoch: u64,
        submission: Submission,
    ) -> mpsc::UnboundedReceiver<BrokerEvent> {
        let (events, receiver) = mpsc::unbounded_channel();
        let submission = Box::new(submission);
        // A dropped sender reads as a lost link.
        self.requests.send(LinkRequest::Submit { epoch, submission, events }).ok();
        receiver
    }

    /// Withdraws an item.
    pub(crate) fn withdraw(&self, epoch: u64, id: CommandId, reason: &str) {
        let reason = reason.to_owned();
        self.requests.send(LinkRequest::Withdraw { epoch, id, reason }).ok();
    }

    /// Asks for the release of an allowed item; the answer comes as an event of the item.
    pub(crate) fn release(
        &self,
        epoch: u64,
        id: CommandId,
        session: SessionId,
        (sha256, input): (Digest, Option<InputRef>),
    ) {
        self.requests.send(LinkRequest::Release { epoch, id, session, sha256, input }).ok();
    }

    /// Tells of more standard input of a pending item. If the broker does not take it, the decision
    /// will not name it, and it becomes an item of its own.
    pub(crate) fn join(
        &self,
        epoch: u64,
        id: CommandId,
        session: SessionId,
        (offset, data): (u64, bytes::Bytes),
        (input, compared): (InputRef, Option<String>),
    ) {
        let join = LinkRequest::Join { epoch, id, session, offset, data, input, compared };
        self.requests.send(join).ok();
    }

    /// Closes a session; returns when the broker knows, or cannot be told.
    pub(crate) async fn close(&self, session: OpenSession) {
        // Requests overtake recordings: whatever the session still has to record must go first.
        let (sent, all_sent) = oneshot::channel();
        if self.ordered.send(OrderedMessage::Barrier(sent)).await.is_ok() {
            all_sent.await.ok();
        }
        let (done, closed) = oneshot::channel();
        self.requests
            .send(LinkRequest::Close { epoch: session.epoch, session: session.id, done })
            .ok();
        closed.await.ok();
    }

    /// Notes what is delivered from now on, for the report of its end.
    pub(crate) fn delivering(&self, id: CommandId, delivery: Delivery) {
        let mut delivered = self.state.delivered();
        if delivered.len() >= MAX_FINISHED {
            delivered.pop_first();
        }
        delivered.insert(id, delivery);
    }

    /// Reports how a released command ended, now or when the broker is back.
    pub(crate) async fn finished(&self, id: CommandId, outcome: Outcome) {
        self.ended(id.clone(), outcome);
        self.report(id).await;
    }

    /// Notes how a released command ended. The broker is told before any session is closed, and
    /// otherwise as soon as [`Link::report`] is called.
    pub(crate) fn ended(&self, id: CommandId, outcome: Outcome) {
        let delivery = self.state.delivered().remove(&id);
        let mut finished = self.state.finished();
        if finished.len() >= MAX_FINISHED {
            tracing::error!("too many unreported outcomes: the oldest is given up");
            finished.pop_first();
        }
        finished.insert(id, Ended::now(outcome, delivery));
    }

    /// Reports what was noted of a command, unless it has been reported meanwhile.
    pub(crate) async fn report(&self, id: CommandId) {
        // While the link is down the queue is drained; the map is what counts.
        self.ordered.send(OrderedMessage::Finished(id)).await.ok();
    }

    /// Reports files that were read, now or when the broker is back.
    pub(crate) fn files_read(
        &self,
        session: &OpenSession,
        files: Vec<FileRead>,
        more: Option<MoreRead>,
    ) {
        let number = self.state.next_ref();
        let report = ReadsReport { session: session.id.clone(), files, more, sent: None };
        {
            let mut reads = self.state.reads();
            if reads.len() >= MAX_READS {
                tracing::error!("too many unreported reads of files: the oldest are given up");
                reads.pop_first();
            }
            reads.insert(number, report);
        }
        self.requests.send(LinkRequest::Reads(number)).ok();
    }

    /// Waits until the broker has acknowledged every outcome and what was read.
    pub(crate) async fn reported(&self) {
        while !self.state.finished().is_empty() || !self.state.reads().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Records output (or input) of a session.
    pub(crate) async fn output(&self, session: &OpenSession, stream: Stream, bytes: &[u8]) {
        let message = GateRequest::Output {
            session_id: session.id.clone(),
            stream,
            time_us: now_micros(),
            data: base64::engine::general_purpose::STANDARD.encode(bytes),
        };
        self.record(session, message).await;
    }

    async fn record(&self, session: &OpenSession, message: GateRequest) {
        let (epoch, message) = (session.epoch, Box::new(message));
        self.ordered.send(OrderedMessage::Recording { epoch, message }).await.ok();
    }

    /// Records a change of the terminal's size.
    pub(crate) async fn resize(&self, session: &OpenSession, cols: u32, rows: u32) {
        let (session_id, time_us) = (session.id.clone(), now_micros());
        let message = GateRequest::Resize { session_id, time_us, cols, rows };
        self.record(session, message).await;
    }

    /// Records a marker.
    pub(crate) async fn marker(&self, session: &OpenSession, label: String) {
        let (session_id, time_us) = (session.id.clone(), now_micros());
        let message = GateRequest::Marker { session_id, time_us, label };
        self.record(session, message).await;
    }
}
