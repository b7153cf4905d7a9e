//! `GET /v1/ws/reviewer`: news to reviewers, decisions from them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use expacti_protocol::PROTOCOL_VERSION;
use expacti_protocol::client::MAX_MESSAGE;
use expacti_protocol::command::CommandText;
use expacti_protocol::gate::Stream;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::reviewer::{ErrorCode, ReviewerEvent, ReviewerRequest};
use tokio::sync::{broadcast, mpsc};
use tokio::task::AbortHandle;

use super::actions;
use crate::broker::Broker;
use crate::dispatcher::{REVIEWER_QUEUE, Watcher};
use crate::recordings::Live;
use crate::state::{Peer, Refusal, Shown, for_viewer};

/// How often the broker says that it is there.
const PING: Duration = Duration::from_secs(15);

/// Sessions one reviewer may watch at once.
const MAX_WATCHED: usize = 64;

pub(super) async fn upgrade(
    State(broker): State<Broker>,
    peer: Peer,
    ws: WebSocketUpgrade,
) -> Response {
    if peer.inside_wrap {
        return Refusal::not_entitled(
            "a program run by expacti wrap cannot review: use a terminal outside it",
        )
        .into_response();
    }
    if !peer.may_view() {
        return Refusal::not_entitled(format!("{} ({}) is no reviewer", peer.name, peer.role))
            .into_response();
    }
    ws.max_message_size(MAX_MESSAGE).on_upgrade(move |socket| serve(broker, peer, socket))
}

struct Watch {
    task: AbortHandle,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn send<T: serde::Serialize>(socket: &mut WebSocket, event: &T) -> Result<(), ()> {
    let text = serde_json::to_string(event).map_err(|_| ())?;
    socket.send(Message::text(text)).await.map_err(|_| ())
}

async fn serve(broker: Broker, peer: Peer, mut socket: WebSocket) {
    let (sender, mut events) = mpsc::channel(REVIEWER_QUEUE);
    let (who, name, shared) = (peer.clone(), peer.name.clone(), Arc::clone(&broker.shared));
    let attached = broker
        .handle
        .run(move |state, clients, now| {
            state.still_known(&who)?;
            let number = clients.number();
            let decides = who.may_decide();
            clients.names.insert(number, who.name);
            clients.reviewers.insert(number, Watcher { sender, decides });
            let commands = state.open_commands()?.into_iter().map(|view| {
                if decides { Ok(view) } else { for_viewer(view).map(Shown::into_inner) }
            });
            let commands = commands.collect::<Result<Vec<_>, _>>()?;
            let said = (shared.warnings(state, now), state.asked_of(&name).pin.is_some());
            Ok((number, now.micros.div_euclid(1000), state.open_sessions(), commands, said))
        })
        .await;
    let Ok((number, now_ms, sessions, commands, (warnings, pin))) = attached else { return };
    let hello = ReviewerEvent::Hello {
        protocol: PROTOCOL_VERSION,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        principal: peer.name.clone(),
        role: peer.role,
        now_ms,
        warnings,
        pin,
    };
    let first = std::iter::once(hello)
        .chain(sessions.into_iter().map(|s| ReviewerEvent::SessionOpened(Box::new(s))))
        .chain(commands.into_iter().map(|c| ReviewerEvent::PendingCommand(Box::new(c))))
        .chain([ReviewerEvent::Synced]);
    let mut ok = true;
    for event in first {
        if send(&mut socket, &event).await.is_err() {
            ok = false;
            break;
        }
    }
    if ok {
        talk(&broker, &peer, &mut socket, &mut events).await;
    }
    let name = peer.name.clone();
    let _ = broker
        .handle
        .run(move |state, clients, _| {
            clients.names.remove(&number);
            clients.reviewers.remove(&number);
            if !clients.names.values().any(|other| *other == name) {
                state.left(&name);
            }
            Ok(())
        })
        .await;
}

async fn talk(
    broker: &Broker,
    peer: &Peer,
    socket: &mut WebSocket,
    events: &mut mpsc::Receiver<ReviewerEvent>,
) {
    let (live, mut outputs) = mpsc::channel(256);
    let mut watched: HashMap<SessionId, Watch> = HashMap::new();
    let mut ping = tokio::time::interval(PING);
    ping.tick().await;
    loop {
        let event = tokio::select! {
            event = events.recv() => match event {
                Some(event) => event,
                // Too far behind: the client starts afresh.
                None => return,
            },
            Some(event) = outputs.recv() => event,
            _ = ping.tick() => ReviewerEvent::Ping,
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    match answer(broker, peer, text.as_str(), &mut watched, &live).await {
                        Answer::Event(event) => event,
                        Answer::Revealed(revealed) => {
                            if send(socket, &revealed).await.is_err() {
                                return;
                            }
                            continue;
                        }
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Binary(_))) => ReviewerEvent::Error {
                    r#ref: None,
                    code: ErrorCode::Invalid,
                    message: "messages are JSON text, not binary".to_owned(),
                },
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
        };
        if send(socket, &event).await.is_err() {
            return;
        }
    }
}

/// What a client's message is answered with.
enum Answer {
    Event(ReviewerEvent),
    Revealed(Revealed),
}

/// An `ack` with the text that was asked for.
#[derive(serde::Serialize)]
struct Revealed {
    r#type: &'static str,
    r#ref: Option<u64>,
    id: CommandId,
    #[serde(flatten)]
    text: CommandText,
}

fn result(r#ref: Option<u64>, result: Result<(), Refusal>) -> Answer {
    Answer::Event(match result {
        Ok(()) => ReviewerEvent::Ack { r#ref },
        Err(Refusal { code, message }) => ReviewerEvent::Error { r#ref, code, message },
    })
}

async fn answer(
    broker: &Broker,
    peer: &Peer,
    text: &str,
    watched: &mut HashMap<SessionId, Watch>,
    live: &mpsc::Sender<ReviewerEvent>,
) -> Answer {
    match serde_json::from_str(text) {
        Ok(ReviewerRequest::Decision(message)) => {
            let r#ref = message.r#ref;
            result(r#ref, actions::decide(broker, peer.clone(), *message).await.map(drop))
        }
        Ok(ReviewerRequest::Watch { r#ref, session_id }) => {
            result(r#ref, watch(broker, session_id, watched, live))
        }
        Ok(ReviewerRequest::Unwatch { r#ref, session_id }) => {
            watched.remove(&session_id);
            result(r#ref, Ok(()))
        }
        Ok(ReviewerRequest::Kill { r#ref, session_id }) => {
            let peer = peer.clone();
            let killed = broker
                .handle
                .run(move |state, _, now| {
                    state.still_known(&peer)?;
                    state.kill(&peer, &session_id, now)
                })
                .await;
            result(r#ref, killed)
        }
        Ok(ReviewerRequest::Reveal { r#ref, id }) => {
            match actions::reveal(broker, peer.clone(), id.clone()).await {
                Ok(text) => Answer::Revealed(Revealed { r#type: "ack", r#ref, id, text }),
                Err(refusal) => result(r#ref, Err(refusal)),
            }
        }
        Err(e) => Answer::Event(ReviewerEvent::Error {
            r#ref: serde_json::from_str::<serde_json::Value>(text)
                .ok()
                .and_then(|v| v.get("ref").and_then(serde_json::Value::as_u64)),
            code: ErrorCode::Invalid,
            message: format!("not a message of this protocol: {e}"),
        }),
    }
}

fn watch(
    broker: &Broker,
    session_id: SessionId,
    watched: &mut HashMap<SessionId, Watch>,
    live: &mpsc::Sender<ReviewerEvent>,
) -> Result<(), Refusal> {
    if watched.len() >= MAX_WATCHED {
        return Err(Refusal::invalid(format!(
            "at most {MAX_WATCHED} sessions can be watched at once"
        )));
    }
    let (so_far, receiver) = broker.recordings.watch(&session_id).ok_or_else(|| {
        Refusal::not_found(format!("open session {session_id}; a closed one can be replayed"))
    })?;
    let task = tokio::spawn(forward(session_id.clone(), so_far, receiver, live.clone()));
    watched.insert(session_id, Watch { task: task.abort_handle() });
    Ok(())
}

async fn forward(
    session_id: SessionId,
    so_far: Vec<u8>,
    mut receiver: broadcast::Receiver<Live>,
    live: mpsc::Sender<ReviewerEvent>,
) {
    let encode = |data: &[u8]| base64::engine::general_purpose::STANDARD.encode(data);
    for line in so_far.split(|b| *b == b'\n') {
        let event = match serde_json::from_slice::<(f64, String, String)>(line) {
            Ok((offset, code, data)) if code == "o" => ReviewerEvent::SessionOutput {
                session_id: session_id.clone(),
                stream: Stream::Stdout,
                offset,
                data: encode(data.as_bytes()),
            },
            Ok((_, code, data)) if code == "r" => match size(&data) {
                Some((cols, rows)) => {
                    ReviewerEvent::SessionResized { session_id: session_id.clone(), cols, rows }
                }
                None => continue,
            },
            Ok(_) => continue,
            Err(_) => match serde_json::from_slice::<Header>(line) {
                Ok(Header { width, height }) => ReviewerEvent::SessionResized {
                    session_id: session_id.clone(),
                    cols: width,
                    rows: height,
                },
                Err(_) => continue,
            },
        };
        if live.send(event).await.is_err() {
            return;
        }
    }
    loop {
        let event = match receiver.recv().await {
            Ok(Live::Output { stream, offset, data }) => ReviewerEvent::SessionOutput {
                session_id: session_id.clone(),
                stream,
                offset,
                data: encode(&data),
            },
            Ok(Live::Resize { cols, rows }) => {
                ReviewerEvent::SessionResized { session_id: session_id.clone(), cols, rows }
            }
            Err(broadcast::error::RecvError::Lagged(missed)) => ReviewerEvent::SessionOutput {
                session_id: session_id.clone(),
                stream: Stream::Stderr,
                offset: 0.0,
                data: encode(format!("\r\n[expacti: {missed} pieces of output were too fast to show live; the recording has them]\r\n").as_bytes()),
            },
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if live.send(event).await.is_err() {
            return;
        }
    }
}

#[derive(serde::Deserialize)]
struct Header {
    width: u32,
    height: u32,
}

fn size(text: &str) -> Option<(u32, u32)> {
    let (cols, rows) = text.split_once('x')?;
    Some((cols.parse().ok()?, rows.parse().ok()?))
}
