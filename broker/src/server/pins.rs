//! PINs: set, taken away, and checked. They are known here as long as they are checked, and never written
//! down; the state knows their digests only.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use axum::Json;
use axum::extract::State;
use expacti_protocol::http::NewPin;
use expacti_protocol::proof::Pin;
use tokio::sync::Semaphore;

use super::answer::Answer;
use crate::broker::Broker;
use crate::state::{Peer, Refusal};

/// Wrong PINs of one person before the next has to wait.
const FREE_TRIES: u32 = 5;
/// The first wait, and the longest: each wrong PIN doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// PINs that are checked at once: each takes 19 MiB of memory for a moment (the parameters are those that
/// OWASP's Password Storage Cheat Sheet recommends, which are the library's own).
const AT_ONCE: usize = 2;

/// Keeps PINs from being guessed.
#[derive(Debug)]
pub(super) struct PinDoor {
    tries: Mutex<HashMap<String, Tries>>,
    room: Semaphore,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tries {
    wrong: u32,
    until: Option<Instant>,
}

impl Default for PinDoor {
    fn default() -> Self {
        Self { tries: Mutex::default(), room: Semaphore::new(AT_ONCE) }
    }
}

impl PinDoor {
    fn tries(&self) -> MutexGuard<'_, HashMap<String, Tries>> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more wrong PIN, before it is known whether it is: many at once are as many.
    fn begin(&self, person: &str, now: Instant) -> Result<(), Refusal> {
        let mut all = self.tries();
        let tries = all.entry(person.to_owned()).or_default();
        if let Some(left) = tries.until.and_then(|until| until.checked_duration_since(now)) {
            return Err(Refusal::not_entitled(format!(
                "too many wrong PINs of {person}: wait {} s",
                left.as_secs().saturating_add(1)
            )));
        }
        tries.wrong = tries.wrong.saturating_add(1);
        let over = tries.wrong.saturating_sub(FREE_TRIES);
        let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(over.saturating_sub(1)));
        tries.until = (over > 0).then(|| now + wait.min(LONGEST_WAIT));
        Ok(())
    }

    fn was_right(&self, person: &str) {
        self.tries().remove(person);
    }
}

/// The digest of the PIN of whoever asks, if this is that PIN; none if there is none.
pub(super) async fn prove(
    broker: &Broker,
    peer: &Peer,
    given: &Pin,
) -> Result<Option<String>, Refusal> {
    let name = peer.name.clone();
    let asked = broker.handle.run(move |state, _, _| Ok(state.asked_of(&name))).await?;
    let Some(digest) = asked.pin else { return Ok(None) };
    let door = &broker.shared.pins;
    door.begin(&peer.name, Instant::now())?;
    if is_right(door, given, &digest).await? {
        door.was_right(&peer.name);
        return Ok(Some(digest));
    }
    let who = peer.clone();
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn whoever_guesses_waits() {
        let (door, begin) = (PinDoor::default(), Instant::now());
        for _ in 0..FREE_TRIES {
            door.begin("alice", begin).unwrap();
        }
        door.begin("alice", begin).unwrap();
        assert!(door.begin("alice", begin).is_err());
        door.begin("bob", begin).unwrap();
        let mut now = begin;
        let mut waits = Vec::new();
        for _ in 0..12 {
            let wait = door.tries().get("alice").unwrap().until.unwrap() - now;
            waits.push(wait.as_secs());
            now += wait + Duration::from_millis(1);
            door.begin("alice", now).unwrap();
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900, 900]);
        door.was_right("alice");
        for _ in 0..FREE_TRIES {
            door.begin("alice", now).unwrap();
        }
    }
}
