//! The keys with which people sign what they allow.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use expacti_protocol::http::{NewSigningKey, OldSigningKey, SigningKey};

use super::answer::{Answer, changed, view};
use crate::broker::Broker;
use crate::state::{Peer, Refusal};

pub(super) async fn list(State(broker): State<Broker>, peer: Peer) -> Answer<Vec<SigningKey>> {
    view(&peer)?;
    broker.handle.run(|state, _, _| Ok(state.signing_key_list())).await.map(Json)
}

pub(super) async fn add(
    State(broker): State<Broker>,
    peer: Peer,
    Json(new): Json<NewSigningKey>,
) -> Result<Response, Refusal> {
    let job = move |state: &mut crate::state::State, now| state.add_signing_key(&peer, &new, now);
    broker.handle.run(move |state, _, now| job(state, now)).await.map(changed)
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
