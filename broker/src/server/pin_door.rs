//! Keeps PINs from being guessed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::state::Refusal;

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
    pub(super) room: Semaphore,
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

/// When the next PIN may be tried after so many wrong ones.
fn until(wrong: u32, now: Instant) -> Option<Instant> {
    let over = wrong.saturating_sub(FREE_TRIES);
    let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(over.saturating_sub(1)));
    (over > 0).then(|| now + wait.min(LONGEST_WAIT))
}

impl PinDoor {
    fn tries(&self) -> MutexGuard<'_, HashMap<String, Tries>> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more wrong PIN, before it is known whether it is: many at once are as many. `before` is
    /// how many were wrong, as far as it was written down: starting the broker anew is no way to more.
    pub(super) fn begin(&self, person: &str, before: u32, now: Instant) -> Result<(), Refusal> {
        let mut all = self.tries();
        let kept = || Tries { wrong: before, until: until(before, now) };
        let tries = all.entry(person.to_owned()).or_insert_with(kept);
        if let Some(left) = tries.until.and_then(|until| until.checked_duration_since(now)) {
            return Err(Refusal::not_entitled(format!(
                "too many wrong PINs of {person}: wait {} s",
                left.as_secs().saturating_add(1)
            )));
        }
        tries.wrong = tries.wrong.saturating_add(1);
        tries.until = until(tries.wrong, now);
        Ok(())
    }

    pub(super) fn was_right(&self, person: &str) {
        self.tries().remove(person);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn whoever_guesses_waits() {
        let (door, begin) = (PinDoor::default(), Instant::now());
        for _ in 0..FREE_TRIES {
            door.begin("alice", 0, begin).unwrap();
        }
        door.begin("alice", 0, begin).unwrap();
        assert!(door.begin("alice", 0, begin).is_err());
        door.begin("bob", 0, begin).unwrap();
        let mut now = begin;
        let mut waits = Vec::new();
        for _ in 0..12 {
            let wait = door.tries().get("alice").unwrap().until.unwrap() - now;
            waits.push(wait.as_secs());
            now += wait + Duration::from_millis(1);
            door.begin("alice", 0, now).unwrap();
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900, 900]);
        door.was_right("alice");
        for _ in 0..FREE_TRIES {
            door.begin("alice", 0, now).unwrap();
        }
    }
    #[test]
    fn starting_anew_is_no_way_to_more_tries() {
        let (door, now) = (PinDoor::default(), Instant::now());
        assert!(door.begin("alice", FREE_TRIES + 1, now).is_err());
        let later = now + FIRST_WAIT + Duration::from_millis(1);
        door.begin("alice", FREE_TRIES + 1, later).unwrap();
        door.begin("bob", FREE_TRIES, now).unwrap();
        assert!(door.begin("bob", FREE_TRIES, now).is_err());
    }
}
