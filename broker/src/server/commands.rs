//! Commands: what waits, what was, and decisions.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use expacti_protocol::command::CommandView;
use expacti_protocol::http::{DecisionBody, Revealed};
use expacti_protocol::reviewer::DecisionMessage;

use super::answer::{Answer, view};
use super::lookup::{Listing, PAGE, command_id, find_command};
use super::{actions, proof};
use crate::broker::Broker;
use crate::state::{Peer, Refusal, Shown, for_viewer};

/// A pending command in the form `pending_command` has on the WebSocket.
fn tagged(kind: &str, view: &CommandView) -> Result<serde_json::Value, Refusal> {
    let mut value = serde_json::to_value(view).map_err(|e| Refusal::failed(e.to_string()))?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("type".to_owned(), kind.into());
    }
    Ok(value)
}

/// A command as this person may see it.
fn seen_by(peer: &Peer, view: CommandView) -> Result<CommandView, Refusal> {
    if peer.may_decide() { Ok(view) } else { for_viewer(view).map(Shown::into_inner) }
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
        .map(|v| seen_by(&peer, v))
        .map(|v| tagged("pending_command", &v?))
        .collect::<Result<_, _>>()
        .map(Json)
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

pub(super) async fn command(
    State(broker): State<Broker>,
    peer: Peer,
    Path(id): Path<String>,
) -> Answer<CommandView> {
    view(&peer)?;
    let found = find_command(&broker, &id).await?;
    seen_by(&peer, found).map(Json)
}

/// The exact text of a command whose secrets are masked.
pub(super) async fn reveal(
    State(broker): State<Broker>,
    peer: Peer,
    Path(id): Path<String>,
) -> Answer<Revealed> {
    let id = command_id(&broker, &peer, &id).await?;
    let text = actions::reveal(&broker, peer, id.clone()).await?;
    Ok(Json(Revealed { id, text }))
}

pub(super) async fn decide(
    State(broker): State<Broker>,
    peer: Peer,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<DecisionBody>,
) -> Result<Json<CommandView>, Response> {
    let id = command_id(&broker, &peer, &id).await.map_err(Refusal::into_response)?;
    let pin = body.pin.or_else(|| proof::pin_of(&headers));
    let lacks_pin = body.allow && pin.is_none();
    let message = DecisionMessage {
        r#ref: None,
        id,
        allow: body.allow,
        comment: body.comment,
        sha256: body.sha256,
        revision: None,
        grant: body.grant,
        input: body.input,
        input_grant: body.input_grant,
        trust: body.trust,
        statement: body.statement,
        signature: body.signature,
        pin,
    };
    match actions::decide(&broker, peer.clone(), message).await {
        Ok(view) => Ok(Json(view)),
        Err(refusal) if lacks_pin => Err(proof::ask_pin(&broker, &peer, refusal).await),
        Err(refusal) => Err(refusal.into_response()),
    }
}
