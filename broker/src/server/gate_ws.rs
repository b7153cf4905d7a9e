//! `GET /v1/ws/gate`: what gates ask and report. When the connection ends, whatever the gate held
//! is ended with it.

use std::collections::HashSet;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use expacti_protocol::PROTOCOL_VERSION;
use expacti_protocol::client::MAX_MESSAGE;
use expacti_protocol::command::{Outcome, Submission};
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::{GateEvent, GateRequest};
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::input::InputRef;
use expacti_protocol::principal::Role;
use expacti_protocol::session::SessionInfo;
use expacti_protocol::signed::SignedText;
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::broker::Broker;
use crate::dispatcher::GATE_QUEUE;
use crate::state::{self, GateId, Now, Peer, Refusal, Shown};

/// How often the broker says that it is there.
const PING: Duration = Duration::from_secs(15);

pub(super) async fn upgrade(
    State(broker): State<Broker>,
    peer: Peer,
    ws: WebSocketUpgrade,
) -> Response {
    if peer.role != Role::Gate {
        return Refusal::not_entitled(format!("{} ({}) is no gate", peer.name, peer.role))
            .into_response();
    }
    ws.max_message_size(MAX_MESSAGE).on_upgrade(move |socket| serve(broker, peer, socket))
}

async fn serve(broker: Broker, peer: Peer, mut socket: WebSocket) {
    let (sender, mut events) = mpsc::channel(GATE_QUEUE);
    let (attach, name) = (sender.clone(), peer.name.clone());
    let attached = broker
        .handle
        .run(move |state, clients, _| {
            let gate = GateId(clients.number());
            state.gate_came(gate, &name);
            clients.names.insert(gate.0, name);
            clients.gates.insert(gate, attach);
            Ok((gate, state.signed_rulebook().cloned()))
        })
        .await;
    let Ok((gate, rulebook)) = attached else { return };
    info!(gate = gate.0, name = peer.name, "gate connected");
    let hello = GateEvent::Hello {
        protocol: PROTOCOL_VERSION,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    // Only the dispatcher holds a sender: when it lets go of it, `events` ends, and with it this
    // connection.
    let mut link =
        Link { broker: broker.clone(), gate, sender: sender.downgrade(), sessions: HashSet::new() };
    drop(sender);
    let rulebook = rulebook.map(GateEvent::Rulebook);
    let mut greeted = send(&mut socket, &hello).await.is_ok();
    if let (true, Some(rulebook)) = (greeted, &rulebook) {
        greeted = send(&mut socket, rulebook).await.is_ok();
    }
    if greeted {
        link.talk(&mut socket, &mut events).await;
    }
    info!(gate = gate.0, "gate disconnected");
    for session in &link.sessions {
        broker.recordings.marker(
            session,
            expacti_protocol::now_micros(),
            "the connection to the gate was lost",
        );
    }
    // Until this is on disk the gate's commands stay open in memory; they cannot be released,
    // because a release comes over the connection that is gone. Try until it is done.
    loop {
        let gone = broker
            .handle
            .run(move |state, clients, now| {
                clients.names.remove(&gate.0);
                clients.gates.remove(&gate);
                state.gate_went(gate);
                state.gate_gone(gate, now)
            })
            .await;
        match gone {
            Ok(()) => break,
            Err(e) if broker.shared.shutdown.is_cancelled() => {
                warn!("the end of a gate was not written: {e}");
                break;
            }
            Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
    for session in &link.sessions {
        broker.recordings.close(session);
    }
}

async fn send(socket: &mut WebSocket, event: &GateEvent) -> Result<(), ()> {
    let text = serde_json::to_string(event).map_err(|_| ())?;
    socket.send(Message::text(text)).await.map_err(|_| ())
}

struct Link {
    broker: Broker,
    gate: GateId,
    sender: mpsc::WeakSender<GateEvent>,
    /// The sessions this connection opened: it may write to no other's recording.
    sessions: HashSet<SessionId>,
}

impl Link {
    async fn talk(&mut self, socket: &mut WebSocket, events: &mut mpsc::Receiver<GateEvent>) {
        let mut ping = tokio::time::interval(PING);
        ping.tick().await;
        loop {
            let event = tokio::select! {
                event = events.recv() => match event {
                    Some(event) => {
                        if let GateEvent::Ack { session_id: Some(session), .. } = &event {
                            self.sessions.insert(session.clone());
                        }
                        event
                    }
                    None => return,
                },
                _ = ping.tick() => GateEvent::Ping,
                message = socket.recv() => match message {
                    Some(Ok(Message::Text(text))) => {
                        let request = match serde_json::from_str(text.as_str()) {
                            Ok(request) => request,
                            Err(e) => {
                                let why = Shown::plain(&e.to_string());
                                warn!(gate = self.gate.0, "a garbled message ends the connection: {}", *why);
                                return;
                            }
                        };
                        if self.take(request).await.is_err() {
                            return;
                        }
                        continue;
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Binary(_) | Message::Close(_)) | Err(_)) | None => return,
                },
            };
            if send(socket, &event).await.is_err() {
                return;
            }
        }
    }

    /// Takes a request. An error ends the connection: it cannot be told to this request alone.
    async fn take(&mut self, request: GateRequest) -> Result<(), Refusal> {
        match request {
            GateRequest::Hello { protocol, .. } if protocol != PROTOCOL_VERSION => {
                Err(Refusal::invalid(format!("protocol {protocol} is not spoken here")))
            }
            GateRequest::Hello { .. } => Ok(()),
            GateRequest::OpenSession { r#ref, session } => self.open_session(r#ref, session).await,
            GateRequest::CloseSession { r#ref, session_id } => {
                self.close_session(r#ref, session_id).await
            }
            GateRequest::AskShell { r#ref, session_id, text } => {
                let command = text.bytes().map_err(|e| Refusal::invalid(e.to_string()))?;
                let gate = self.gate;
                let then = self.acknowledge(r#ref);
                self.run(move |s, now| s.ask_shell(gate, &session_id, &command, now), then).await
            }
            GateRequest::Submit { r#ref, submission } => self.submit(r#ref, *submission).await,
            GateRequest::Join { r#ref, id, session_id, offset, data, input, compared } => {
                let data = base64::engine::general_purpose::STANDARD
                    .decode(data)
                    .map_err(|_| Refusal::invalid("standard input is not base64"))?;
                let gate = self.gate;
                let then = self.acknowledge(r#ref);
                let join = move |state: &mut state::State, now| {
                    let what = (input, compared);
                    state.join(gate, &id, &session_id, (offset, &data), what, now)
                };
                self.run(join, then).await
            }
            GateRequest::Withdraw { r#ref, id, reason } => {
                let gate = self.gate;
                let then = self.acknowledge(r#ref);
                self.run(move |state, now| state.withdraw(gate, &id, &reason, now), then).await
            }
            GateRequest::Release { r#ref, id, session_id, sha256, input } => {
                self.release(r#ref, id, session_id, (sha256, input)).await
            }
            GateRequest::Finished { r#ref, id, outcome, report } => {
                self.finished(r#ref, id, (outcome, report)).await
            }
            GateRequest::FilesRead { r#ref, session_id, files, more } => {
                let gate = self.gate;
                let then = self.acknowledge(r#ref);
                let job = move |state: &mut state::State, now| {
                    state.files_read(gate, &session_id, &files, more.as_ref(), now)
                };
                self.run(job, then).await
            }
            GateRequest::Output { session_id, stream, time_us, data } => {
                let data = base64::engine::general_purpose::STANDARD
                    .decode(data)
                    .map_err(|_| Refusal::invalid("output is not base64"))?;
                if self.sessions.contains(&session_id) {
                    self.broker.recordings.output(&session_id, stream, time_us, &data);
                }
                Ok(())
            }
            GateRequest::Resize { session_id, time_us, cols, rows } => {
                if self.sessions.contains(&session_id) {
                    self.broker.recordings.resize(&session_id, time_us, cols, rows);
                }
                Ok(())
            }
            GateRequest::Marker { session_id, time_us, label } => {
                if self.sessions.contains(&session_id) {
                    self.broker.recordings.marker(&session_id, time_us, &label);
                }
                Ok(())
            }
        }
    }

    async fn open_session(&self, r#ref: u64, session: SessionInfo) -> Result<(), Refusal> {
        let info = state::shown_info(session.clone())?;
        let (gate, recordings) = (self.gate, self.broker.recordings.clone());
        // The recording is there before the gate hears of the session and can send output.
        let then = self.answer(r#ref, move |(id, ask_shell): (SessionId, bool)| {
            recordings.open(&id, info);
            GateEvent::Ack { r#ref, session_id: Some(id), ask_shell }
        });
        let open = move |state: &mut state::State, now| {
            let id = state.open_session(gate, session, now)?;
            let ask_shell = state.may_ask_shell(&id, now);
            Ok((id, ask_shell))
        };
        self.run(open, then).await
    }

    async fn close_session(&mut self, r#ref: u64, id: SessionId) -> Result<(), Refusal> {
        let (gate, recordings, closed) = (self.gate, self.broker.recordings.clone(), id.clone());
        self.sessions.remove(&id);
        let then = self.answer(r#ref, move |()| {
            recordings.close(&closed);
            GateEvent::Ack { r#ref, session_id: None, ask_shell: false }
        });
        self.run(move |state, now| state.close_session(gate, &id, now), then).await
    }

    async fn submit(&self, r#ref: u64, submission: Submission) -> Result<(), Refusal> {
        let gate = self.gate;
        let then = self.answer(r#ref, |event| event);
        self.run(move |state, now| state.submit(gate, r#ref, submission, now), then).await
    }

    async fn release(
        &self,
        r#ref: u64,
        id: CommandId,
        session: SessionId,
        what: (Digest, Option<InputRef>),
    ) -> Result<(), Refusal> {
        let gate = self.gate;
        let released = GateEvent::Released { r#ref, id: id.clone() };
        let then = self.answer(r#ref, move |()| released);
        self.run(move |state, now| state.release(gate, &id, &session, what, now), then).await
    }

    async fn finished(
        &self,
        r#ref: u64,
        id: CommandId,
        what: (Outcome, Option<SignedText>),
    ) -> Result<(), Refusal> {
        let gate = self.gate;
        let then = self.acknowledge(r#ref);
        // Of a command that is over in memory the disk may still say "unknown".
        let wanted = id.clone();
        let handle = &self.broker.handle;
        if handle.run(move |state, _, _| Ok(state.commands.get(&wanted).is_some())).await? {
            return self.run(move |state, now| state.finished(gate, &id, what, now), then).await;
        }
        match self.broker.reader.command(id.as_str()).await? {
            Some(view) => {
                let lines = self.broker.reader.audit_about(id.as_str(), u64::MAX).await?;
                let finished = move |state: &mut state::State, now| {
                    let holder = state.late_holder(gate, &lines)?;
                    state.finished_after_all(view, holder, what, now)
                };
                self.run(finished, then).await
            }
            None => {
                then(Err(Refusal::not_found(format!("command {id}"))));
                Ok(())
            }
        }
    }

    /// Hands a job to the dispatcher without waiting for its end; its answer comes back as an event.
    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut state::State, Now) -> Result<T, Refusal> + Send + 'static,
        then: impl FnOnce(Result<T, Refusal>) + Send + 'static,
    ) -> Result<(), Refusal> {
        self.broker.handle.run_then(move |state, _, now| job(state, now), then).await
    }

    fn acknowledge(&self, r#ref: u64) -> impl FnOnce(Result<(), Refusal>) + Send + 'static {
        self.answer(r#ref, move |()| GateEvent::Ack { r#ref, session_id: None, ask_shell: false })
    }

    fn answer<T>(
        &self,
        r#ref: u64,
        good: impl FnOnce(T) -> GateEvent + Send + 'static,
    ) -> impl FnOnce(Result<T, Refusal>) + Send + 'static {
        let sender = self.sender.clone();
        move |result| {
            let event = match result {
                Ok(value) => good(value),
                Err(refusal) => GateEvent::Error { r#ref, message: refusal.message },
            };
            if let Some(sender) = sender.upgrade() {
                // A full queue means a gate that does not read; the dispatcher disconnects it.
                let _ = sender.try_send(event);
            }
        }
    }
}
