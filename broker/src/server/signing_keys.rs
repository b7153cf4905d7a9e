//! The keys with which people sign what they allow.

use axum::Json;
use axum::extract::State;
use expacti_protocol::http::{NewSigningKey, OldSigningKey, SigningKey};

use super::answer::{Answer, view};
use crate::broker::Broker;
use crate::state::Peer;

pub(super) async fn list(State(broker): State<Broker>, peer: Peer) -> Answer<Vec<SigningKey>> {
    view(&peer)?;
    broker.handle.run(|state, _, _| Ok(state.signing_key_list())).await.map(Json)
}

pub(super) async fn add(
    State(broker): State<Broker>,
    peer: Peer,
    Json(new): Json<NewSigningKey>,
) -> Answer<SigningKey> {
    broker.handle.run(move |state, _, now| state.add_signing_key(&peer, &new, now)).await.map(Json)
}

pub(super) async fn remove(
    State(broker): State<Broker>,
    peer: Peer,
    Json(old): Json<OldSigningKey>,
) -> Answer<SigningKey> {
    broker
        .handle
        .run(move |state, _, now| state.remove_signing_key(&peer, &old.fingerprint, now))
        .await
        .map(Json)
}
