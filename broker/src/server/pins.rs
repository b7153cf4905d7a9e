//! PINs: set, taken away, and checked. They are known here as long as they are checked, and never written
//! down; the state knows their digests only.

use std::time::Instant;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use axum::Json;
use axum::extract::State;
use expacti_protocol::http::NewPin;
use expacti_protocol::proof::Pin;

use super::answer::Answer;
use super::pin_door::PinDoor;
use crate::broker::Broker;
use crate::state::{Peer, Refusal};

/// The digest of the PIN of whoever asks, if this is that PIN; none if there is none.
pub(super) async fn prove(
    broker: &Broker,
    peer: &Peer,
    given: &Pin,
) -> Result<Option<String>, Refusal> {
    let name = peer.name.clone();
    let asked = broker.handle.run(move |state, _, _| Ok(state.asked_of(&name))).await?;
    let Some(digest) = asked.pin.clone() else { return Ok(None) };
    let door = &broker.shared.pins;
    door.begin(&peer.name, asked.wrong_pins, Instant::now())?;
    let who = peer.clone();
    broker.handle.run(move |state, _, _| state.count_pin(&who)).await?;
    let who = peer.clone();
    if is_right(door, given, &digest).await? {
        broker.handle.run(move |state, _, _| state.pin_was_right(&who)).await?;
        door.was_right(&peer.name);
        return Ok(Some(digest));
    }
    broker.handle.run(move |state, _, now| state.pin_was_wrong(&who, now)).await?;
    Err(Refusal::not_entitled(format!("that is not the PIN of {}", peer.name)))
}

async fn is_right(door: &PinDoor, given: &Pin, digest: &str) -> Result<bool, Refusal> {
    let _room = door.room.acquire().await.map_err(|e| Refusal::failed(e.to_string()))?;
    let (given, digest) = (given.clone(), digest.to_owned());
    let check = move || {
        let digest = PasswordHash::new(&digest).map_err(|e| e.to_string())?;
        Ok(Argon2::default().verify_password(given.reveal().as_bytes(), &digest).is_ok())
    };
    let checked: Result<bool, String> =
        tokio::task::spawn_blocking(check).await.map_err(|e| Refusal::failed(e.to_string()))?;
    checked.map_err(|why| Refusal::failed(format!("the digest of the PIN is damaged: {why}")))
}

/// `POST /v1/pin`. An old PIN, or a key, was asked for before this.
pub(super) async fn set(
    State(broker): State<Broker>,
    peer: Peer,
    Json(NewPin { pin }): Json<NewPin>,
) -> Answer<()> {
    pin.check().map_err(Refusal::invalid)?;
    let room = broker.shared.pins.room.acquire().await;
    let _room = room.map_err(|e| Refusal::failed(e.to_string()))?;
    let digest = move || {
        let digest = Argon2::default().hash_password(pin.reveal().as_bytes());
        digest.map(|digest| digest.to_string()).map_err(|e| e.to_string())
    };
    let digest: Result<String, String> =
        tokio::task::spawn_blocking(digest).await.map_err(|e| Refusal::failed(e.to_string()))?;
    let digest = digest.map_err(Refusal::failed)?;
    let job = move |state: &mut crate::state::State, now| {
        state.still_known(&peer)?;
        state.set_pin(&peer, Some(digest), now)
    };
    broker.handle.run(move |state, _, now| job(state, now)).await.map(Json)
}

/// `DELETE /v1/pin`.
pub(super) async fn remove(State(broker): State<Broker>, peer: Peer) -> Answer<()> {
    broker.handle.run(move |state, _, now| state.set_pin(&peer, None, now)).await.map(Json)
}
