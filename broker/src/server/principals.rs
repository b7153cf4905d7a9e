//! Principals and targets, and what gates ask about agents.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use expacti_protocol::http::{AgentKeyQuery, NewPrincipal, PrincipalAdded, PrincipalView, Target};
use expacti_protocol::principal::Role;

use super::answer::{Answer, changed, view};
use crate::broker::Broker;
use crate::state::{Peer, Refusal};
use crate::users::user_name;

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
    if let Some(user) = &new.unix_user
        && (user_name(user.uid) != user.name || user.uid == rustix::process::geteuid().as_raw())
    {
        return Err(Refusal::invalid(format!(
            "user {} of this machine has not the number {}, or is the service itself",
            user.name, user.uid
        )));
    }
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
) -> Result<Response, Refusal> {
    broker.handle.run(move |state, _, now| state.add_target(&peer, target, now)).await.map(changed)
}

pub(super) async fn remove_target(
    State(broker): State<Broker>,
    peer: Peer,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let job = move |state: &mut crate::state::State, now| state.remove_target(&peer, &name, now);
    broker.handle.run(move |state, _, now| job(state, now)).await.map(changed)
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
