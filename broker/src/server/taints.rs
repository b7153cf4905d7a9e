//! Accounts in which what only looks is asked about.

use axum::Json;
use axum::extract::State;
use expacti_protocol::taint::{ClearTaint, TaintView};

use super::answer::{Answer, view};
use crate::broker::Broker;
use crate::state::Peer;

pub(super) async fn taints(State(broker): State<Broker>, peer: Peer) -> Answer<Vec<TaintView>> {
    view(&peer)?;
    broker.handle.run(|state, _, now| Ok(state.taint_list(now))).await.map(Json)
}

pub(super) async fn clear(
    State(broker): State<Broker>,
    peer: Peer,
    Json(body): Json<ClearTaint>,
) -> Answer<Vec<TaintView>> {
    let cleared = broker.handle.run(move |state, _, now| {
        state.clear_taints(&peer, &body.target, body.user.as_deref(), now)
    });
    cleared.await.map(Json)
}
