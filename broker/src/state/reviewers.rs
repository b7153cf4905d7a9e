//! What people prove that it is them with, beside their token: a PIN, and whether they sign. Whoever has
//! set one cannot decide without it, by whatever way; a token alone, or a program that types into their
//! screen, is not enough.

use expacti_audit::Entry;
use expacti_protocol::reviewer::ErrorCode;
use expacti_protocol::signed::SignedText;
use expacti_signing::{AllowedSigners, Request, Revoked, Signers};

use super::model::State;
use super::ports::{Now, Peer, Refusal, Reviewer, Write};
use super::shown::Kept;

/// For how long reviewers are told that somebody's keys and PIN were reset, in seconds: a week.
const TOLD_OF_RESET: i64 = 7 * 86_400;

/// What somebody has to prove a request with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The digest of their PIN.
    pub(crate) pin: Option<String>,
    /// Wrong ones since the last right one.
    pub(crate) wrong_pins: u32,
    /// They sign.
    pub(crate) signature: bool,
}

impl Asked {
    /// Their token is enough.
    pub(crate) fn is_nothing(&self) -> bool {
        self.pin.is_none() && !self.signature
    }
}

impl State {
    /// What that person has to prove a request with.
    pub(crate) fn asked_of(&self, person: &str) -> Asked {
        let reviewer = self.proofs.get(&person.to_owned());
        Asked {
            pin: reviewer.and_then(|reviewer| reviewer.pin.clone()),
            wrong_pins: reviewer.map_or(0, |reviewer| reviewer.wrong_pins),
            signature: self.has_signed(person),
        }
    }

    /// Whether that person has, or has had, a key.
    pub(super) fn has_signed(&self, person: &str) -> bool {
        self.proofs.get(&person.to_owned()).is_some_and(|reviewer| reviewer.signs)
            || self.keys_of(person).next().is_some()
    }

    /// Refuses an allow of somebody with a PIN unless `proven` is the digest of that PIN, which was given.
    pub(super) fn check_pin(&self, by: &Peer, proven: Option<&str>) -> Result<(), Refusal> {
        match self.asked_of(&by.name).pin {
            Some(pin) if proven != Some(pin.as_str()) => Err(Refusal::not_entitled(format!(
                "{} has set a PIN, and allows nothing without it",
                by.name
            ))),
            _ => Ok(()),
        }
    }

    /// Takes a signature of exactly this request by one of the keys of whoever asks.
    pub(crate) fn check_request(
        &mut self,
        by: &Peer,
        request: &Request,
        signed: &SignedText,
        now: Now,
    ) -> Result<(), Refusal> {
        let signers = self.signers_of(&by.name)?;
        request.signer(signed, &signers, now.seconds()).map_err(|reason| {
            Refusal::not_entitled(format!("the signature does not count: {reason}"))
        })?;
        let entry = Entry::new("request_signed", &now.rfc3339())
            .with("by", by.name.as_str())
            .with("signed", serde_json::to_value(signed).unwrap_or_default());
        self.audit(&entry)
    }

    /// The keys of one person, as a list of signers.
    pub(super) fn signers_of(&self, person: &str) -> Result<Signers, Refusal> {
        let lines: String =
            self.keys_of(person).map(|key| format!("{person} {}\n", key.public_key)).collect();
        if lines.is_empty() {
            return Err(Refusal::not_entitled(format!(
                "{person} has no key any more, and allows nothing without one: an administrator adds a new \
                 one (expacti reviewer key add)"
            )));
        }
        let allowed = AllowedSigners::parse(&lines).map_err(|faults| {
            let faults = faults.iter().map(ToString::to_string).collect::<Vec<_>>();
            Refusal::new(ErrorCode::NotEntitled, faults.join("; "))
        })?;
        Ok(Signers { allowed, revoked: Revoked::default() })
    }

    /// Sets the PIN of whoever asks, by its digest, or takes it away.
    pub(crate) fn set_pin(
        &mut self,
        by: &Peer,
        pin: Option<String>,
        now: Now,
    ) -> Result<(), Refusal> {
        if by.inside_wrap || !by.may_decide() {
            return Err(Refusal::not_entitled(format!(
                "{} ({}) decides nothing, and needs no PIN",
                by.name, by.role
            )));
        }
        let kind = if pin.is_some() { "pin_set" } else { "pin_removed" };
        let mut reviewer = self.reviewer(&by.name);
        if pin.is_none() && reviewer.pin.is_none() {
            return Err(Refusal::not_found(format!("a PIN of {}", by.name)));
        }
        reviewer.pin = pin;
        reviewer.wrong_pins = 0;
        self.keep_reviewer(reviewer)?;
        self.audit(&entry(kind, &by.name, now))
    }

    /// A PIN is about to be checked: it counts as wrong until it is known to be right, also if the broker
    /// ends meanwhile. Says how many were wrong before.
    pub(crate) fn count_pin(&mut self, by: &Peer) -> Result<u32, Refusal> {
        let reviewer = self.reviewer(&by.name);
        let before = reviewer.wrong_pins;
        self.keep_reviewer(Reviewer { wrong_pins: before.saturating_add(1), ..reviewer })?;
        Ok(before)
    }

    /// It was right.
    pub(crate) fn pin_was_right(&mut self, by: &Peer) -> Result<(), Refusal> {
        let reviewer = self.reviewer(&by.name);
        self.keep_reviewer(Reviewer { wrong_pins: 0, ..reviewer })
    }

    /// It was wrong.
    pub(crate) fn pin_was_wrong(&mut self, by: &Peer, now: Now) -> Result<(), Refusal> {
        self.audit(&entry("pin_wrong", &by.name, now))
    }

    /// Somebody signs from now on.
    pub(super) fn begins_to_sign(&mut self, person: &str) -> Result<(), Refusal> {
        let reviewer = self.reviewer(person);
        if reviewer.signs {
            return Ok(());
        }
        self.keep_reviewer(Reviewer { signs: true, ..reviewer })
    }

    /// Forgets keys and PIN of somebody who has lost them. Only for whoever owns the machine of the broker,
    /// while the broker does not run.
    pub(crate) fn reset_reviewer(&mut self, person: &str, now: Now) -> Result<(), Refusal> {
        let known = person == self.owner || self.principals.get(&person.to_owned()).is_some();
        if !known {
            return Err(Refusal::not_found(format!("somebody {person}")));
        }
        self.forget_signing_keys(person);
        self.keep_reviewer(Reviewer {
            name: person.to_owned(),
            reset_at: Some(now.seconds()),
            ..Reviewer::default()
        })?;
        self.audit(&entry("reviewer_reset", person, now))
    }

    /// What reviewers are told of keys and PINs that were reset not long ago.
    pub(crate) fn reset_warnings(&self, now: Now) -> Vec<String> {
        let recent = |at: i64| now.seconds().saturating_sub(at) < TOLD_OF_RESET;
        let all = self.proofs.values().filter(|r| r.reset_at.is_some_and(recent));
        all.map(|r| format!("keys and PIN of {} were reset on the broker's machine", r.name))
            .collect()
    }

    /// A person was removed: whoever comes by that name later begins anew.
    pub(super) fn forget_reviewer(&mut self, person: &str) {
        if self.proofs.remove(&person.to_owned()).is_some() {
            self.writes.push(Write::Reviewer { id: person.to_owned(), body: None });
        }
    }

    fn reviewer(&self, person: &str) -> Reviewer {
        let known = self.proofs.get(&person.to_owned()).cloned();
        known.unwrap_or_else(|| Reviewer { name: person.to_owned(), ..Reviewer::default() })
    }

    fn keep_reviewer(&mut self, reviewer: Reviewer) -> Result<(), Refusal> {
        let (id, body) = (reviewer.name.clone(), Some(Kept::exact(&reviewer)?));
        self.proofs.insert(id.clone(), reviewer);
        self.writes.push(Write::Reviewer { id, body });
        Ok(())
    }
}

fn entry(kind: &str, person: &str, now: Now) -> Entry {
    Entry::new(kind, &now.rfc3339()).with("principal", person)
}
