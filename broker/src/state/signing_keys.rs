//! The keys with which people sign what they allow. Whoever has one cannot allow anything without it: a
//! token alone, or a program that types into their screen, is not enough any more. What the gate asks for
//! beside that is the gate's own business.

use expacti_audit::Entry;
use expacti_protocol::command::CommandView;
use expacti_protocol::http::{NewSigningKey, SigningKey};
use expacti_protocol::reviewer::{DecisionMessage, ErrorCode};
use expacti_protocol::signed::SignedText;
use expacti_signing::{AllowedSigners, Item, Limits, Need, Revoked, Signers, is_decision_on};

use super::authority::needs_admin;
use super::credential::bare_key;
use super::model::State;
use super::ports::{Now, Peer, Refusal, Write};
use super::shown::Kept;

/// The most keys of one person.
const MAX_KEYS: usize = 16;

impl State {
    /// The keys of everybody, by person.
    pub(crate) fn signing_key_list(&self) -> Vec<SigningKey> {
        let mut all: Vec<_> = self.signing_keys.values().cloned().collect();
        all.sort_by(|a, b| (&a.person, a.added_at).cmp(&(&b.person, b.added_at)));
        all
    }

    /// Adds a key. One's own first key may be added by anybody who decides; every other one needs an
    /// administrator, for it could sign in that person's name.
    pub(crate) fn add_signing_key(
        &mut self,
        by: &Peer,
        new: &NewSigningKey,
        now: Now,
    ) -> Result<SigningKey, Refusal> {
        let first = by.name == new.person
            && by.role.may_decide()
            && self.keys_of(&new.person).next().is_none();
        if !first {
            needs_admin(by, "add a key with which somebody signs")?;
        }
        let known = self.principals.get(&new.person).map(|principal| principal.role);
        let decides = known.is_some_and(|role| role.may_decide()) || new.person == self.owner;
        if !decides {
            return Err(Refusal::not_found(format!("somebody {} who may decide", new.person)));
        }
        let public_key = bare_key(&new.public_key)?;
        let fingerprint = expacti_signing::fingerprint_of(&public_key)
            .map_err(|fault| Refusal::invalid(fault.to_string()))?;
        if let Some(other) = self.signing_keys.get(&fingerprint) {
            return Err(Refusal::invalid(format!("that key belongs to {} already", other.person)));
        }
        if self.keys_of(&new.person).count() >= MAX_KEYS {
            return Err(Refusal::invalid(format!("{} has {MAX_KEYS} keys already", new.person)));
        }
        let key = SigningKey {
            person: new.person.clone(),
            public_key,
            fingerprint: fingerprint.clone(),
            added_by: by.name.clone(),
            added_at: now.seconds(),
        };
        self.signing_keys.insert(fingerprint.clone(), key.clone());
        self.writes.push(Write::SigningKey { id: fingerprint, body: Some(Kept::exact(&key)?) });
        self.audit(&entry("signing_key_added", &key, by, now))?;
        Ok(key)
    }

    /// Removes a key: what it signed for commands that wait does not count any more.
    pub(crate) fn remove_signing_key(
        &mut self,
        by: &Peer,
        fingerprint: &str,
        now: Now,
    ) -> Result<SigningKey, Refusal> {
        needs_admin(by, "remove a key with which somebody signs")?;
        let key = self
            .signing_keys
            .remove(&fingerprint.to_owned())
            .ok_or_else(|| Refusal::not_found(format!("signing key {fingerprint}")))?;
        self.writes.push(Write::SigningKey { id: key.fingerprint.clone(), body: None });
        self.audit(&entry("signing_key_removed", &key, by, now))?;
        self.forget_votes(&key.person, now)?;
        Ok(key)
    }

    /// A person was removed, and their keys with them.
    pub(super) fn forget_signing_keys(&mut self, person: &str) {
        let theirs: Vec<_> = self.keys_of(person).map(|key| key.fingerprint.clone()).collect();
        for id in theirs {
            self.signing_keys.remove(&id);
            self.writes.push(Write::SigningKey { id, body: None });
        }
    }

    /// Why whatever runs as the owner can approve as the owner, and what to do about it.
    pub(crate) fn local_warning(&self) -> Option<String> {
        let mut keys = self.keys_of(&self.owner).peekable();
        if keys.peek().is_none() {
            let owner = &self.owner;
            return Some(format!(
                "anything running as you can approve: `expacti reviewer key add {owner} FILE.pub` asks for \
                 your key"
            ));
        }
        let all_touched = keys.all(|key| key.public_key.starts_with("sk-"));
        (!all_touched).then(|| {
            "anything running as you that finds your key can approve: use a FIDO2 key, which is touched"
                .to_owned()
        })
    }

    pub(super) fn keys_of(&self, person: &str) -> impl Iterator<Item = &SigningKey> {
        self.signing_keys.values().filter(move |key| key.person == person)
    }

    /// Refuses an allow of somebody with a key that is not signed with it, for exactly this; and of anybody one
    /// with a signature that is none of exactly this.
    pub(super) fn check_signature(
        &self,
        by: &Peer,
        message: &DecisionMessage,
        view: &CommandView,
        now: Now,
    ) -> Result<(), Refusal> {
        let lines: String =
            self.keys_of(&by.name).map(|key| format!("{} {}\n", by.name, key.public_key)).collect();
        let signed = SignedText::of(message.statement.as_ref(), message.signature.as_ref());
        if !message.allow || lines.is_empty() && signed.is_none() {
            return Ok(());
        }
        let refuse = |why: String| Refusal::new(ErrorCode::NotEntitled, why);
        let signed = signed.ok_or_else(|| {
            refuse(format!(
                "{} signs what they allow, and this is not signed: use the screen or `expacti allow` \
                 where the key is, or --key FILE",
                by.name
            ))
        })?;
        let item = view.item.as_ref().ok_or_else(|| {
            refuse("the gate made no statement of it that could be signed".to_owned())
        })?;
        let item = Item::parse(&item.statement).map_err(|error| refuse(error.to_string()))?;
        let limits =
            Limits { grant: message.grant, input: message.input, input_grant: message.input_grant };
        if lines.is_empty() {
            return is_decision_on(&signed, &item, &limits)
                .map_err(|why| refuse(format!("the signature does not count: {why}")));
        }
        let allowed = AllowedSigners::parse(&lines).map_err(|faults| {
            refuse(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        })?;
        let signers = Signers { allowed, revoked: Revoked::default() };
        let need = Need { signatures: 1, by: vec![by.name.clone()], touch: false, verify: false };
        expacti_signing::approve(&[need], &item, &limits, &[signed], &signers, now.seconds())
            .map_err(|refused| refuse(refused.to_string()))?;
        Ok(())
    }
}

fn entry(kind: &str, key: &SigningKey, by: &Peer, now: Now) -> Entry {
    Entry::new(kind, &now.rfc3339())
        .with("principal", key.person.as_str())
        .with("public_key", key.public_key.as_str())
        .with("fingerprint", key.fingerprint.as_str())
        .with("by", by.name.as_str())
}
