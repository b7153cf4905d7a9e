//! What people sign so that a request is proven: each is for one person and one request.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use expacti_protocol::digest::Digest;

use crate::state::Refusal;

/// How long a challenge can be used.
const CHALLENGE_LIFE: Duration = Duration::from_secs(120);
/// Challenges that are kept; past it the oldest are forgotten.
const MAX_CHALLENGES: usize = 1024;
/// Of one person.
const MAX_OF_ONE: usize = 16;

#[derive(Debug)]
struct Challenge {
    value: Digest,
    person: String,
    until: Instant,
}

/// What was given to people to sign, each for one request.
#[derive(Debug, Default)]
pub(super) struct Challenges(Mutex<VecDeque<Challenge>>);

impl Challenges {
    pub(super) fn new_for(&self, person: &str, now: Instant) -> Result<Digest, Refusal> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)
            .map_err(|e| Refusal::failed(format!("no random bytes: {e}")))?;
        let value = Digest::from(random);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|challenge| challenge.until > now);
        // Nobody drives out what others were given.
        let theirs = all.iter().filter(|challenge| challenge.person == person).count();
        if theirs >= MAX_OF_ONE
            && let Some(oldest) = all.iter().position(|challenge| challenge.person == person)
        {
            all.remove(oldest);
        }
        if all.len() >= MAX_CHALLENGES {
            all.pop_front();
        }
        let until = now + CHALLENGE_LIFE;
        all.push_back(Challenge { value, person: person.to_owned(), until });
        Ok(value)
    }

    /// Whether it was given to that person, once.
    pub(super) fn take(&self, value: Digest, person: &str, now: Instant) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found =
            all.iter().position(|c| c.value == value && c.person == person && c.until > now);
        found.and_then(|at| all.remove(at)).is_some()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_for_one_person_and_one_request() {
        let (all, now) = (Challenges::default(), Instant::now());
        let value = all.new_for("alice", now).unwrap();
        assert!(!all.take(value, "bob", now));
        assert!(!all.take(Digest::of(b"made up"), "alice", now));
        assert!(all.take(value, "alice", now));
        assert!(!all.take(value, "alice", now), "used twice");
        let old = all.new_for("alice", now).unwrap();
        assert!(!all.take(old, "alice", now + CHALLENGE_LIFE));
    }

    #[test]
    fn nobody_drives_out_what_others_were_given() {
        let (all, now) = (Challenges::default(), Instant::now());
        let value = all.new_for("alice", now).unwrap();
        for _ in 0..MAX_CHALLENGES * 2 {
            all.new_for("mallory", now).unwrap();
        }
        assert!(all.take(value, "alice", now));
    }
}
