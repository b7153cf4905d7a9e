//! Sessions and their recordings.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use expacti_protocol::session::SessionView;

use super::answer::{Answer, view};
use super::lookup::{Listing, PAGE, session_id};
use crate::broker::Broker;
use crate::state::{Peer, Recorder as _, Refusal};

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
