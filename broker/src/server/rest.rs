//! The HTTP endpoints. `docs/PROTOCOL.md` describes them.

use axum::Json;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use expacti_protocol::PROTOCOL_VERSION;
use expacti_protocol::command::{CommandText, CommandView};
use expacti_protocol::http::{
    AgentKeyQuery, DecisionBody, NewPrincipal, PrincipalAdded, PrincipalView, Revealed, Status,
    Target,
};
use expacti_protocol::ids::{CommandId, SessionId, matches_abbreviation};
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::DecisionMessage;
use expacti_protocol::session::SessionView;
use expacti_protocol::uplink::WrapRegistration;
use serde::Deserialize;

use super::Conn;
use crate::state::{Recorder as _, for_viewer, not_kept, too_late_for};
use crate::{Broker, Peer, Refusal};

pub(super) type Answer<T> = Result<Json<T>, Refusal>;

/// Lines of one answer of `/v1/audit`.
const AUDIT_PAGE: u64 = 10_000;

/// Rows of a listing unless asked otherwise.
const PAGE: u64 = 200;

pub(super) fn view(peer: &Peer) -> Result<(), Refusal> {
    if peer.inside_wrap {
        return Err(Refusal::not_entitled(
            "a program run by expacti wrap cannot review: use a terminal outside it",
        ));
    }
    if peer.may_view() {
        Ok(())
    } else {
        Err(Refusal::not_entitled(format!("{} ({}) may not look at this", peer.name, peer.role)))
    }
}

/// A pending command in the form `pending_command` has on the WebSocket.
fn tagged(kind: &str, view: &CommandView) -> Result<serde_json::Value, Refusal> {
    let mut value = serde_json::to_value(view).map_err(|e| Refusal::failed(e.to_string()))?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("type".to_owned(), kind.into());
    }
    Ok(value)
}

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

pub(super) async fn readyz(State(broker): State<Broker>) -> Result<&'static str, Refusal> {
    // The whole way: the dispatcher answers and the database can be read.
    broker.handle.run(|_, _, _| Ok(())).await?;
    broker.reader.audit_head().await?;
    Ok("ready\n")
}

pub(super) async fn metrics(State(broker): State<Broker>, peer: Peer) -> Result<String, Refusal> {
    view(&peer)?;
    let numbers = broker
        .handle
        .run(|state, clients, _| {
            Ok([
                ("expacti_commands_open", "Commands that are not over.", state.commands.len()),
                ("expacti_sessions_open", "Open sessions.", state.sessions.len()),
                ("expacti_reviewers", "Connected reviewers.", clients.deciders()),
                ("expacti_gates", "Connected gates.", clients.gates.len()),
                (
                    "expacti_audit_entries",
                    "Entries of the audit log.",
                    usize::try_from(state.chain.len()).unwrap_or(usize::MAX),
                ),
            ])
        })
        .await?;
    let mut text = String::new();
    for (name, help, value) in numbers {
        text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n"));
    }
    Ok(text)
}

pub(super) async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], include_str!("../../openapi.json")).into_response()
}

pub(super) async fn status(State(broker): State<Broker>, peer: Peer) -> Answer<Status> {
    let (started_at, warnings) = (broker.shared.started_at(), broker.shared.warnings());
    let status = broker
        .handle
        .run(move |state, clients, _| {
            let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
            Ok(Status {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                protocol: PROTOCOL_VERSION,
                pid: std::process::id(),
                started_at,
                pending: number(state.pending().count()),
                sessions: number(state.sessions.len()),
                reviewers: number(clients.deciders()),
                gates: number(clients.gates.len()),
                audit_entries: state.chain.len(),
                audit_head: state.chain.head().to_owned(),
                principal: peer.name.clone(),
                role: if peer.inside_wrap { Role::Agent } else { peer.role },
                warnings,
            })
        })
        .await?;
    Ok(Json(status))
}

pub(super) async fn pending(
    State(broker): State<Broker>,
    peer: Peer,
) -> Answer<Vec<serde_json::Value>> {
    view(&peer)?;
    let all = broker
        .handle
        .run(|state, _, _| {
            let mut all: Vec<_> = state.pending().cloned().collect();
            all.sort_by(|a, b| a.id.cmp(&b.id));
            Ok(all)
        })
        .await?;
    all.into_iter()
        .map(|v| if peer.may_decide() { v } else { for_viewer(v) })
        .map(|v| tagged("pending_command", &v))
        .collect::<Result<_, _>>()
        .map(Json)
}

#[derive(Deserialize)]
pub(super) struct Listing {
    session: Option<String>,
    limit: Option<u64>,
    after: Option<u64>,
}

pub(super) async fn commands(
    State(broker): State<Broker>,
    peer: Peer,
    Query(listing): Query<Listing>,
) -> Answer<Vec<CommandView>> {
    view(&peer)?;
    let limit = listing.limit.unwrap_or(PAGE).min(10_000);
    Ok(Json(broker.reader.commands(listing.session.as_deref(), limit).await?))
}

/// The whole id that an abbreviation stands for.
async fn resolve(broker: &Broker, text: &str, command: bool) -> Result<String, Refusal> {
    let what = if command { "command" } else { "session" };
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || text.len() > 64 {
        return Err(Refusal::not_found(format!("{what} {text:?}")));
    }
    let wanted = text.to_owned();
    let open: Vec<String> = broker
        .handle
        .run(move |state, _, _| {
            let ids: Vec<String> = if command {
                state.pending().map(|v| v.id.to_string()).collect()
            } else {
                state.sessions.iter().map(|(id, _)| id.to_string()).collect()
            };
            Ok(ids.into_iter().filter(|id| matches_abbreviation(id, &wanted)).collect())
        })
        .await?;
    let found = if open.is_empty() {
        let escaped = text.replace('_', "\\_");
        let prefix = if command { CommandId::PREFIX } else { SessionId::PREFIX };
        let mut like = vec![format!("{escaped}%"), format!("{prefix}\\_{escaped}%")];
        if text.len() >= 4 {
            like.push(format!("%{escaped}"));
        }
        if command {
            broker.reader.command_ids(&like).await?
        } else {
            broker.reader.session_ids(&like).await?
        }
    } else {
        open
    };
    match found.as_slice() {
        [] => Err(Refusal::not_found(format!("{what} {text}"))),
        [one] => Ok(one.clone()),
        [first, second, ..] => Err(Refusal::not_found(format!(
            "{what}: {text} is ambiguous, it may be {first} or {second}"
        ))),
    }
}

async fn find_command(broker: &Broker, id: &str) -> Result<CommandView, Refusal> {
    let id = resolve(broker, id, true).await?;
    let wanted: CommandId = id.parse().map_err(|_| Refusal::not_found(format!("command {id}")))?;
    let live = broker
        .handle
        .run(move |state, _, _| Ok(state.commands.get(&wanted).map(|c| c.shown())))
        .await?;
    match live {
        Some(view) => Ok(view),
        None => {
            let stored = broker.reader.command(&id).await?;
            stored.ok_or_else(|| Refusal::not_found(format!("command {id}")))
        }
    }
}

pub(super) async fn command(
    State(broker): State<Broker>,
    peer: Peer,
    Path(id): Path<String>,
) -> Answer<CommandView> {
    view(&peer)?;
    let found = find_command(&broker, &id).await?;
    Ok(Json(if peer.may_decide() { found } else { for_viewer(found) }))
}

/// The exact text of a command whose secrets are masked.
pub(super) async fn reveal(
    State(broker): State<Broker>,
    peer: Peer,
    Path(id): Path<String>,
) -> Answer<Revealed> {
    let id = resolve_entitled(&broker, &peer, &id).await?;
    let text = reveal_one(&broker, peer, id.clone()).await?;
    Ok(Json(Revealed { id, text }))
}

/// As [`reveal`], with the right refusal for a command that is over already.
pub(super) async fn reveal_one(
    broker: &Broker,
    peer: Peer,
    id: CommandId,
) -> Result<CommandText, Refusal> {
    let wanted = id.clone();
    let revealed = broker
        .handle
        .run(move |state, _, now| {
            state.still_known(&peer)?;
            state.reveal(&peer, &wanted, now)
        })
        .await;
    match revealed {
        Err(refusal) if refusal.code == expacti_protocol::reviewer::ErrorCode::NotFound => {
            match broker.reader.command(id.as_str()).await? {
                Some(view) if view.masked.is_none() => Ok(view.text),
                Some(_) => Err(not_kept(&id)),
                None => Err(refusal),
            }
        }
        other => other,
    }
}

pub(super) async fn decide(
    State(broker): State<Broker>,
    peer: Peer,
    Path(id): Path<String>,
    Json(body): Json<DecisionBody>,
) -> Answer<CommandView> {
    let message = DecisionMessage {
        r#ref: None,
        id: resolve_entitled(&broker, &peer, &id).await?,
        allow: body.allow,
        comment: body.comment,
        sha256: body.sha256,
        revision: None,
        grant: body.grant,
        signature: body.signature,
    };
    decide_one(&broker, peer, message).await.map(Json)
}

/// Nobody learns of ids who may not decide on them.
async fn resolve_entitled(broker: &Broker, peer: &Peer, id: &str) -> Result<CommandId, Refusal> {
    view(peer)?;
    let id = resolve(broker, id, true).await?;
    id.parse().map_err(|_| Refusal::not_found(format!("command {id}")))
}

/// One decision, with the right refusal for a command that is over already.
pub(super) async fn decide_one(
    broker: &Broker,
    peer: Peer,
    message: DecisionMessage,
) -> Result<CommandView, Refusal> {
    let id = message.id.clone();
    let decided = broker
        .handle
        .run(move |state, _, now| {
            state.still_known(&peer)?;
            state.decide(&peer, &message, now)
        })
        .await;
    match decided {
        Err(refusal) if refusal.code == expacti_protocol::reviewer::ErrorCode::NotFound => {
            match broker.reader.command(id.as_str()).await? {
                Some(view) => Err(too_late_for(&view)),
                None => Err(refusal),
            }
        }
        other => other,
    }
}

pub(super) async fn sessions(
    State(broker): State<Broker>,
    peer: Peer,
    Query(listing): Query<Listing>,
) -> Answer<Vec<SessionView>> {
    view(&peer)?;
    let stored = broker.reader.sessions(listing.limit.unwrap_or(PAGE).min(10_000)).await?;
    let open = broker.handle.run(|state, _, _| Ok(state.session_views())).await?;
    let merged = stored
        .into_iter()
        .map(|s| open.iter().find(|o| o.id == s.id).cloned().unwrap_or(s))
        .map(|mut s| {
            s.recorded = broker.recordings.path(&s.id).exists();
            s
        })
        .collect();
    Ok(Json(merged))
}

async fn session_id(broker: &Broker, text: &str) -> Result<SessionId, Refusal> {
    let id = resolve(broker, text, false).await?;
    id.parse().map_err(|_| Refusal::not_found(format!("session {id}")))
}

pub(super) async fn session(
    State(broker): State<Broker>,
    peer: Peer,
    Path(id): Path<String>,
) -> Answer<SessionView> {
    view(&peer)?;
    let id = session_id(&broker, &id).await?;
    let open = broker.handle.run(|state, _, _| Ok(state.session_views())).await?;
    let found = match open.into_iter().find(|s| s.id == id) {
        Some(open) => Some(open),
        None => broker.reader.session(id.as_str()).await?,
    };
    let mut found = found.ok_or_else(|| Refusal::not_found(format!("session {id}")))?;
    found.recorded = broker.recordings.path(&id).exists();
    found.recording_error = found.recording_error.or_else(|| broker.recordings.failure(&id));
    Ok(Json(found))
}

pub(super) async fn recording(
    State(broker): State<Broker>,
    peer: Peer,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    view(&peer)?;
    let id = session_id(&broker, &id).await?;
    match tokio::fs::read(broker.recordings.path(&id)).await {
        Ok(bytes) => Ok(([(CONTENT_TYPE, "application/x-asciicast")], bytes).into_response()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(Refusal::not_found(format!(
            "recording of session {id}: nothing was submitted in it"
        ))),
        Err(e) => Err(Refusal::failed(format!("failed to read the recording of {id}: {e}"))),
    }
}

pub(super) async fn kill(
    State(broker): State<Broker>,
    peer: Peer,
    Path(id): Path<String>,
) -> Answer<()> {
    let id = session_id(&broker, &id).await?;
    broker.handle.run(move |state, _, now| state.kill(&peer, &id, now)).await.map(Json)
}

async fn set_paused(broker: &Broker, peer: Peer, id: &str, paused: bool) -> Answer<SessionView> {
    let id = session_id(broker, id).await?;
    broker.handle.run(move |state, _, now| state.pause(&peer, &id, paused, now)).await.map(Json)
}

pub(super) async fn pause(
    State(broker): State<Broker>,
    peer: Peer,
    Path(id): Path<String>,
) -> Answer<SessionView> {
    set_paused(&broker, peer, &id, true).await
}

pub(super) async fn resume(
    State(broker): State<Broker>,
    peer: Peer,
    Path(id): Path<String>,
) -> Answer<SessionView> {
    set_paused(&broker, peer, &id, false).await
}

pub(super) async fn audit(
    State(broker): State<Broker>,
    peer: Peer,
    Query(listing): Query<Listing>,
) -> Result<Response, Refusal> {
    view(&peer)?;
    let limit = listing.limit.unwrap_or(AUDIT_PAGE).min(AUDIT_PAGE);
    let lines = broker.reader.audit(listing.after.unwrap_or(0), limit).await?;
    let mut text = String::new();
    for (_, line) in lines {
        text.push_str(&line);
        text.push('\n');
    }
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], text).into_response())
}

pub(super) async fn checkpoint(State(broker): State<Broker>, peer: Peer) -> Answer<()> {
    view(&peer)?;
    broker.checkpoint().await.map(Json)
}

pub(super) async fn verify(State(broker): State<Broker>, peer: Peer) -> Answer<serde_json::Value> {
    view(&peer)?;
    Ok(Json(match broker.verify_audit().await? {
        Ok(good) => serde_json::json!({
            "ok": true, "entries": good.entries, "head": good.head, "checkpoints": good.checkpoints, "key": good.key,
        }),
        Err(fault) => serde_json::json!({"ok": false, "seq": fault.seq, "what": fault.what}),
    }))
}

pub(super) async fn principals(
    State(broker): State<Broker>,
    peer: Peer,
) -> Answer<Vec<PrincipalView>> {
    view(&peer)?;
    broker.handle.run(|state, _, _| Ok(state.principal_list())).await.map(Json)
}

pub(super) async fn add_principal(
    State(broker): State<Broker>,
    peer: Peer,
    Json(new): Json<NewPrincipal>,
) -> Result<Response, Refusal> {
    let added = broker.add_principal(peer, new).await?;
    let status = match added {
        PrincipalAdded::Done(_) => StatusCode::OK,
        PrincipalAdded::Waiting { .. } => StatusCode::ACCEPTED,
    };
    Ok((status, Json(added)).into_response())
}

pub(super) async fn remove_principal(
    State(broker): State<Broker>,
    peer: Peer,
    Path(name): Path<String>,
) -> Answer<PrincipalView> {
    broker
        .handle
        .run(move |state, clients, now| {
            let removed = state.remove_principal(&peer, &name, now)?;
            clients.disconnect(&removed.name);
            Ok(removed)
        })
        .await
        .map(Json)
}

pub(super) async fn targets(State(broker): State<Broker>, peer: Peer) -> Answer<Vec<Target>> {
    if peer.role != Role::Gate {
        view(&peer)?;
    }
    broker.handle.run(|state, _, _| Ok(state.target_list())).await.map(Json)
}

pub(super) async fn add_target(
    State(broker): State<Broker>,
    peer: Peer,
    Json(target): Json<Target>,
) -> Answer<Target> {
    broker.handle.run(move |state, _, now| state.add_target(&peer, target, now)).await.map(Json)
}

pub(super) async fn remove_target(
    State(broker): State<Broker>,
    peer: Peer,
    Path(name): Path<String>,
) -> Answer<Target> {
    broker.handle.run(move |state, _, now| state.remove_target(&peer, &name, now)).await.map(Json)
}

pub(super) async fn agent_key(
    State(broker): State<Broker>,
    peer: Peer,
    Json(query): Json<AgentKeyQuery>,
) -> Answer<PrincipalView> {
    if peer.role != Role::Gate {
        return Err(Refusal::not_entitled("only a gate asks whose key it is"));
    }
    broker
        .handle
        .run(move |state, _, _| {
            state
                .agent_of_key(&query.public_key)
                .ok_or_else(|| Refusal::not_found("agent with that key"))
        })
        .await
        .map(Json)
}

pub(super) async fn authorities(
    State(broker): State<Broker>,
    peer: Peer,
) -> Answer<Vec<PrincipalView>> {
    if peer.role != Role::Gate {
        return Err(Refusal::not_entitled("only a gate asks for the authorities of agents"));
    }
    broker.handle.run(move |state, _, _| Ok(state.certified_agents())).await.map(Json)
}

pub(super) async fn wrap(
    State(broker): State<Broker>,
    peer: Peer,
    ConnectInfo(conn): ConnectInfo<Conn>,
    Json(mut wrap): Json<WrapRegistration>,
) -> Answer<()> {
    let Conn::Local { pid: Some(pid), .. } = conn else {
        return Err(Refusal::not_entitled("wrap is registered on the broker's own socket"));
    };
    if peer.role != Role::Owner {
        return Err(Refusal::not_entitled("wrap is registered on the broker's own socket"));
    }
    // It speaks for itself, by the number the system gives it here: nobody is locked out by the
    // number of somebody else.
    wrap.pid = pid.unsigned_abs();
    broker.shared.add_wrap(wrap);
    Ok(Json(()))
}

pub(super) async fn shutdown(State(broker): State<Broker>, peer: Peer) -> Answer<()> {
    if peer.role != Role::Owner || peer.inside_wrap {
        return Err(Refusal::not_entitled("only the owner of the local broker may stop it"));
    }
    broker.shared.shutdown.cancel();
    Ok(Json(()))
}
