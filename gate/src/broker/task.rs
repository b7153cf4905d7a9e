//! The task that owns the WebSocket to the broker, and the only place where the broker's word
//! becomes a [`Decided`] or a [`Released`]. It must never make one from anything but a message of
//! the broker, nor let one outlive its connection. When the connection breaks, every open item is
//! told so, and none is submitted again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine as _;
use expacti_protocol::PROTOCOL_VERSION;
use expacti_protocol::client::{self, Endpoint, WsReceiver, WsSender};
use expacti_protocol::command::{CommandState, Outcome};
use expacti_protocol::gate::{GateEvent, GateRequest};
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::session::SessionInfo;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::event::{BrokerEvent, OpenSession, Submitted};
use super::log_watch;
use super::proof::{Decided, ReleaseAsked, Released};
use super::queue::{LinkError, LinkRequest, LinkState, LinkStatus, OrderedMessage};
use super::reporter::Ended;
use super::writer::write;

/// Reconnection: first wait and longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How long the broker may take to send its `hello`.
const HELLO: Duration = Duration::from_secs(10);

enum Awaited {
    Open {
        info: Arc<SessionInfo>,
        kill: CancellationToken,
        reply: oneshot::Sender<Result<OpenSession, LinkError>>,
    },
    /// Answered only if the broker agrees; dropped otherwise.
    AskShell(oneshot::Sender<()>),
    Submit {
        session: SessionId,
        events: mpsc::UnboundedSender<BrokerEvent>,
    },
    Release(ReleaseAsked),
    /// Dropped when an answer of any kind has come.
    Close(#[expect(dead_code, reason = "its drop is the message")] oneshot::Sender<()>),
}

struct OpenItem {
    session: SessionId,
    events: mpsc::UnboundedSender<BrokerEvent>,
}

pub(super) struct Task {
    endpoint: Endpoint,
    requests: mpsc::UnboundedReceiver<LinkRequest>,
    status: watch::Sender<LinkStatus>,
    state: Arc<LinkState>,
    epoch: u64,
    awaited: HashMap<u64, Awaited>,
    items: HashMap<CommandId, OpenItem>,
    kills: HashMap<SessionId, CancellationToken>,
    out: mpsc::UnboundedSender<GateRequest>,
}

type Writer = JoinHandle<mpsc::Receiver<OrderedMessage>>;

impl Task {
    pub(super) fn new(
        endpoint: Endpoint,
        requests: mpsc::UnboundedReceiver<LinkRequest>,
        status: watch::Sender<LinkStatus>,
        state: Arc<LinkState>,
    ) -> Self {
        Self {
            endpoint,
            requests,
            status,
            state,
            epoch: 0,
            awaited: HashMap::new(),
            items: HashMap::new(),
            kills: HashMap::new(),
            out: mpsc::unbounded_channel().0,
        }
    }

    /// Runs until every handle has been dropped.
    pub(super) async fn run(mut self, mut ordered: mpsc::Receiver<OrderedMessage>) {
        let mut pause = BACKOFF.0;
        loop {
            let why = match self.connect(&mut ordered).await {
                Ok(Some((sender, receiver))) => {
                    pause = BACKOFF.0;
                    let (why, returned) = self.run_connection(sender, receiver, ordered).await;
                    ordered = returned;
                    why
                }
                Ok(None) => return,
                Err(why) => why,
            };
            tracing::warn!(%why, "no link to the broker");
            self.status.send_replace(LinkStatus::Disconnected { why });
            self.forget();
            if !self.idle(jittered(pause), &mut ordered).await {
                return;
            }
            pause = (pause * 2).min(BACKOFF.1);
        }
    }

    /// Connects, exchanges `hello` and looks at the broker's log; meanwhile every request is refused. `None`
    /// when no handle is left.
    async fn connect(
        &mut self,
        ordered: &mut mpsc::Receiver<OrderedMessage>,
    ) -> Result<Option<(WsSender<GateRequest>, WsReceiver<GateEvent>)>, String> {
        let (endpoint, log) = (self.endpoint.clone(), self.state.log.clone());
        let greeting = async {
            let (mut sender, mut receiver) =
                client::connect::<GateRequest, GateEvent>(&endpoint, "/v1/ws/gate")
                    .await
                    .map_err(|e| e.to_string())?;
            let version = env!("CARGO_PKG_VERSION").to_owned();
            let hello = GateRequest::Hello { protocol: PROTOCOL_VERSION, version };
            sender.send(&hello).await.map_err(|e| e.to_string())?;
            match tokio::time::timeout(HELLO, receiver.recv()).await {
                Ok(Some(Ok(GateEvent::Hello { protocol, .. }))) if protocol == PROTOCOL_VERSION => {
                    log_watch::check(log.as_deref()).await?;
                    Ok((sender, receiver))
                }
                Ok(Some(Ok(GateEvent::Hello { protocol, .. }))) => Err(format!(
                    "the broker speaks protocol {protocol}, this gate {PROTOCOL_VERSION}: \
                     install the same version of expacti on both"
                )),
                Ok(Some(Ok(_))) => Err("the broker did not greet".to_owned()),
                Ok(Some(Err(e))) => Err(e.to_string()),
                Ok(None) => Err("the broker closed the connection".to_owned()),
                Err(_) => Err("the broker did not greet in time".to_owned()),
            }
        };
        tokio::pin!(greeting);
        loop {
            tokio::select! {
                result = &mut greeting => return result.map(Some),
                request = self.requests.recv() => match request {
                    Some(request) => refuse(request),
                    None => return Ok(None),
                },
                // Recordings made without a link are lost; their sessions say so later.
                _ = ordered.recv() => {}
            }
        }
    }

    async fn idle(
        &mut self,
        pause: Duration,
        ordered: &mut mpsc::Receiver<OrderedMessage>,
    ) -> bool {
        let sleep = tokio::time::sleep(pause);
        tokio::pin!(sleep);
        loop {
            tokio::select! {
                () = &mut sleep => return true,
                request = self.requests.recv() => match request {
                    Some(request) => refuse(request),
                    None => return false,
                },
                _ = ordered.recv() => {}
            }
        }
    }

    /// Runs one connection until it breaks. Returns why, and the queue.
    async fn run_connection(
        &mut self,
        sender: WsSender<GateRequest>,
        mut receiver: WsReceiver<GateEvent>,
        ordered: mpsc::Receiver<OrderedMessage>,
    ) -> (String, mpsc::Receiver<OrderedMessage>) {
        self.epoch += 1;
        self.state.epoch.store(self.epoch, Ordering::Release);
        let (out, out_rx) = mpsc::unbounded_channel();
        self.out = out;
        let broken = CancellationToken::new();
        let mut writer: Writer = tokio::spawn(write(
            sender,
            out_rx,
            ordered,
            Arc::clone(&self.state),
            self.epoch,
            broken.clone(),
        ));
        self.report_finished();
        self.status.send_replace(LinkStatus::Connected);
        tracing::info!("linked to the broker");
        let log = self.state.log.clone();
        let refused = log_watch::refused(log.as_deref());
        tokio::pin!(refused);
        let why = loop {
            tokio::select! {
                why = &mut refused => break why,
                event = receiver.recv() => match event {
                    Some(Ok(event)) => {
                        if let Err(why) = self.on_event(event) {
                            break why;
                        }
                    }
                    Some(Err(e)) => break e.to_string(),
                    None => break "the broker closed the connection".to_owned(),
                },
                request = self.requests.recv() => match request {
                    Some(request) => self.on_request(request),
                    None => break "the gate is stopping".to_owned(),
                },
                () = broken.cancelled() => break "writing to the broker failed".to_owned(),
            }
        };
        // From here on no proof can come from this connection.
        self.status.send_replace(LinkStatus::Disconnected { why: why.clone() });
        self.forget();
        broken.cancel();
        self.out = mpsc::unbounded_channel().0;
        match (&mut writer).await {
            Ok(ordered) => (why, ordered),
            // The writer does not panic; if it did, an empty closed queue would keep the task
            // alive.
            Err(_) => (why, mpsc::channel(1).1),
        }
    }

    /// Tells everyone who waits that the link is gone.
    fn forget(&mut self) {
        for (_, awaited) in self.awaited.drain() {
            match awaited {
                Awaited::Open { reply, .. } => drop(reply.send(Err(LinkError::Down))),
                Awaited::Submit { events, .. } => drop(events.send(BrokerEvent::LinkLost)),
                Awaited::AskShell(_) | Awaited::Release(_) | Awaited::Close(_) => {}
            }
        }
        for (_, item) in self.items.drain() {
            item.events.send(BrokerEvent::LinkLost).ok();
        }
        self.kills.clear();
    }

    fn send(&mut self, request: GateRequest) {
        self.out.send(request).ok();
    }

    fn report_finished(&mut self) {
        let mut requests = Vec::new();
        for (id, ended) in self.state.finished().iter_mut() {
            requests.push(ended.request(self.state.next_ref(), id, &self.state.reporter));
        }
        for report in self.state.reads().values_mut() {
            requests.push(report.request(self.state.next_ref()));
        }
        for request in requests {
            self.send(request);
        }
    }

    fn on_request(&mut self, request: LinkRequest) {
        let r#ref = self.state.next_ref();
        match request {
            LinkRequest::Open { info, kill, reply } => {
                let known = Arc::new((*info).clone());
                self.awaited.insert(r#ref, Awaited::Open { info: known, kill, reply });
                self.send(GateRequest::OpenSession { r#ref, session: *info });
            }
            LinkRequest::AskShell { epoch, session, text, reply } => {
                if epoch == self.epoch {
                    self.awaited.insert(r#ref, Awaited::AskShell(reply));
                    self.send(GateRequest::AskShell { r#ref, session_id: session, text });
                }
            }
            LinkRequest::Submit { epoch, submission, events } => {
                if epoch != self.epoch {
                    events.send(BrokerEvent::LinkLost).ok();
                    return;
                }
                let session = submission.session_id.clone();
                self.awaited.insert(r#ref, Awaited::Submit { session, events });
                self.send(GateRequest::Submit { r#ref, submission });
            }
            LinkRequest::Withdraw { epoch, id, reason } => {
                self.items.remove(&id);
                if epoch == self.epoch {
                    self.send(GateRequest::Withdraw { r#ref, id, reason });
                }
            }
            LinkRequest::Release { epoch, id, session, sha256, input } => {
                if epoch != self.epoch {
                    // The item was already told that the link was lost.
                    return;
                }
                let asked =
                    ReleaseAsked { id: id.clone(), session: session.clone(), sha256, input };
                self.awaited.insert(r#ref, Awaited::Release(asked));
                self.send(GateRequest::Release { r#ref, id, session_id: session, sha256, input });
            }
            LinkRequest::Join { epoch, id, session, offset, data, input, compared } => {
                if epoch == self.epoch {
                    let data = base64::engine::general_purpose::STANDARD.encode(data);
                    let session_id = session;
                    self.send(GateRequest::Join {
                        r#ref,
                        id,
                        session_id,
                        offset,
                        data,
                        input,
                        compared,
                    });
                }
            }
            LinkRequest::Reads(number) => {
                // Unless it went with the others when the link came up, or before its session's end.
                let mut reads = self.state.reads();
                let unsent = reads.get_mut(&number).filter(|report| report.sent.is_none());
                if let Some(request) = unsent.map(|report| report.request(r#ref)) {
                    drop(reads);
                    self.send(request);
                }
            }
            LinkRequest::Close { epoch, session, done } => {
                self.kills.remove(&session);
                if epoch == self.epoch {
                    self.awaited.insert(r#ref, Awaited::Close(done));
                    self.send(GateRequest::CloseSession { r#ref, session_id: session });
                }
            }
        }
    }

    /// Handles one message; an error means that the connection cannot go on.
    fn on_event(&mut self, event: GateEvent) -> Result<(), String> {
        match event {
            GateEvent::Hello { .. } | GateEvent::Ping => {}
            GateEvent::Rulebook(signed) => self.state.rulebook.set(signed),
            GateEvent::Ack { r#ref, session_id, ask_shell } => {
                self.finish_acked(r#ref);
                match self.awaited.remove(&r#ref) {
                    Some(Awaited::Open { info, kill, reply }) => {
                        let Some(id) = session_id else {
                            reply.send(Err(LinkError::Down)).ok();
                            return Err("the broker opened a session without an id".to_owned());
                        };
                        self.kills.insert(id.clone(), kill);
                        let open = OpenSession { id, epoch: self.epoch, ask_shell, info };
                        reply.send(Ok(open)).ok();
                    }
                    Some(Awaited::AskShell(reply)) => drop(reply.send(())),
                    Some(Awaited::Submit { .. } | Awaited::Release(_) | Awaited::Close(_))
                    | None => {}
                }
            }
            GateEvent::Submitted {
                r#ref,
                id,
                risk_score,
                level,
                timeout_seconds,
                stdin,
                drop_stdin,
                writes,
                unattended,
                state,
            } => {
                if let Some(Awaited::Submit { session, events }) = self.awaited.remove(&r#ref) {
                    let timeout = Duration::from_secs(timeout_seconds);
                    let submitted = Submitted {
                        id: id.clone(),
                        risk_score,
                        level,
                        timeout,
                        stdin,
                        drop_stdin,
                        writes,
                        pending: state == CommandState::Pending,
                        unattended,
                    };
                    if events.send(BrokerEvent::Submitted(submitted)).is_ok() {
                        self.items.insert(id, OpenItem { session, events });
                    } else {
                        // It ended here before the broker gave it an id. Nothing of it was sent: a
                        // decision or release that is on its way finds no item.
                        let reason = "the agent took it back".to_owned();
                        let r#ref = self.state.next_ref();
                        self.send(GateRequest::Withdraw { r#ref, id, reason });
                    }
                }
            }
            GateEvent::Decision(decision) => self.on_decision(Decided::from_wire(decision)),
            GateEvent::Released { r#ref, id } => {
                if let Some(Awaited::Release(asked)) = self.awaited.remove(&r#ref) {
                    let Some(proof) = Released::from_answer(asked, &id) else {
                        return Err("the broker released another command than asked".to_owned());
                    };
                    let delivered = self
                        .items
                        .remove(&id)
                        .is_some_and(|item| item.events.send(BrokerEvent::Released(proof)).is_ok());
                    if !delivered {
                        self.not_sent(id);
                    }
                }
            }
            GateEvent::Error { r#ref, message } => {
                self.finish_acked(r#ref);
                match self.awaited.remove(&r#ref) {
                    Some(Awaited::Open { reply, .. }) => {
                        reply.send(Err(LinkError::Refused(message))).ok();
                    }
                    Some(Awaited::Submit { events, .. }) => {
                        events.send(BrokerEvent::Refused(message)).ok();
                    }
                    Some(Awaited::Release(asked)) => {
                        if let Some(item) = self.items.remove(&asked.id) {
                            item.events.send(BrokerEvent::Refused(message)).ok();
                        }
                    }
                    Some(Awaited::AskShell(_) | Awaited::Close(_)) | None => {
                        tracing::debug!(%message, "the broker refused a request");
                    }
                }
            }
            GateEvent::EndGrants { session_id, reason } => {
                tracing::info!(%session_id, %reason, "grants of keys are over");
                self.state.grants_over.send(session_id).ok();
            }
            GateEvent::Kill { session_id, by } => {
                tracing::info!(%session_id, %by, "a reviewer ended the session");
                if let Some(kill) = self.kills.get(&session_id) {
                    kill.cancel();
                }
                // Nothing of the session may be delivered, whatever is still queued.
                let gone: Vec<_> = self
                    .items
                    .iter()
                    .filter(|(_, item)| item.session == session_id)
                    .map(|(id, _)| id.clone())
                    .collect();
                for id in gone {
                    self.items.remove(&id);
                }
            }
        }
        Ok(())
    }

    /// Passes a decision to its item. If there is none, the item was withdrawn, and the broker has
    /// that on record or will in a moment, released or not.
    fn on_decision(&mut self, decided: Decided) {
        let id = decided.id.clone();
        let released = decided.released.is_some();
        let last = !decided.allow || released;
        let Some(item) = self.items.get(&id) else { return };
        if item.events.send(BrokerEvent::Decided(decided)).is_err() && released {
            self.not_sent(id.clone());
        }
        if last {
            self.items.remove(&id);
        }
    }

    fn finish_acked(&mut self, r#ref: u64) {
        self.state.finished().retain(|_, ended| ended.sent != Some(r#ref));
        self.state.reads().retain(|_, report| report.sent != Some(r#ref));
    }

    /// Reports a release that nobody used: the command was not sent.
    fn not_sent(&mut self, id: CommandId) {
        let outcome =
            Outcome::not_sent("the agent had gone before the command was sent: it did not run");
        let mut ended = Ended::now(outcome, None);
        let request = ended.request(self.state.next_ref(), &id, &self.state.reporter);
        self.state.finished().insert(id, ended);
        self.send(request);
    }
}

fn refuse(request: LinkRequest) {
    match request {
        LinkRequest::Open { reply, .. } => drop(reply.send(Err(LinkError::Down))),
        LinkRequest::Submit { events, .. } => drop(events.send(BrokerEvent::LinkLost)),
        LinkRequest::AskShell { .. }
        | LinkRequest::Join { .. }
        | LinkRequest::Withdraw { .. }
        | LinkRequest::Release { .. }
        // They are kept, and go when the link comes up.
        | LinkRequest::Reads(_)
        | LinkRequest::Close { .. } => {}
    }
}

/// Between half of `pause` and all of it, so that many gates do not reconnect at the same moment.
fn jittered(pause: Duration) -> Duration {
    let mut random = [0u8; 4];
    // Without randomness the whole pause is used: nothing depends on it.
    getrandom::fill(&mut random).ok();
    let part = u32::from_le_bytes(random) % 1024;
    pause - (pause / 2) * part / 1024
}

#[cfg(test)]
mod tests;
