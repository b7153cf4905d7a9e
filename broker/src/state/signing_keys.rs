//! The keys with which people sign what they allow. Whoever has one cannot allow anything without it: a
//! token alone, or a program that types into their screen, is not enough any more. What the gate asks for
//! beside that is the gate's own business.

use expacti_audit::Entry;
use expacti_protocol::command::CommandView;
use expacti_protocol::http::{Action, Changed, NewSigningKey, SigningKey};
use expacti_protocol::reviewer::{DecisionMessage, ErrorCode};
use expacti_protocol::signed::SignedText;
use expacti_signing::{Item, Limits, Need};

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

    /// Adds a key. One's own first key may be added by anybody who decides, and another one with a
    /// signature of one that is there (which is asked for before this). Every other one needs an
    /// administrator, for it could sign in that person's name; and the approval that policies ask for, if
    /// that person signs already.
    pub(crate) fn add_signing_key(
        &mut self,
        by: &Peer,
        new: &NewSigningKey,
        now: Now,
    ) -> Result<Changed<SigningKey>, Refusal> {
        let has_key = self.keys_of(&new.person).next().is_some();
        let own = by.name == new.person && by.role.may_decide();
        if !own {
            needs_admin(by, "add a key with which somebody signs")?;
        } else if self.has_signed(&new.person) && !has_key {
            return Err(Refusal::not_entitled(format!(
                "{} has no key any more that could sign for a new one: another administrator adds it, or \
                 whoever owns the broker's machine resets it (expacti reviewer reset {})",
                new.person, new.person
            )));
        }
        self.check_signing_key(new)?;
        if !own && self.has_signed(&new.person) {
            let (person, public_key) = (new.person.clone(), new.public_key.clone());
            let action = Action::AddSigningKey { person, public_key };
            if let Some(change) = self.propose(by, action, now)? {
                return Ok(Changed::Waiting { change: Box::new(change) });
            }
        }
        self.keep_signing_key(by, new, Vec::new(), now).map(Changed::Done)
    }

    /// What is wrong with a new key; otherwise the key as it is kept, and its fingerprint.
    fn check_signing_key(&self, new: &NewSigningKey) -> Result<(String, String), Refusal> {
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
        Ok((public_key, fingerprint))
    }

    pub(super) fn keep_signing_key(
        &mut self,
        by: &Peer,
        new: &NewSigningKey,
        approved_by: Vec<String>,
        now: Now,
    ) -> Result<SigningKey, Refusal> {
        let (public_key, fingerprint) = self.check_signing_key(new)?;
        let key = SigningKey {
            person: new.person.clone(),
            public_key,
            fingerprint: fingerprint.clone(),
            added_by: by.name.clone(),
            added_at: now.seconds(),
        };
        self.begins_to_sign(&new.person)?;
        self.signing_keys.insert(fingerprint.clone(), key.clone());
        self.writes.push(Write::SigningKey { id: fingerprint, body: Some(Kept::exact(&key)?) });
        let approved_by = (!approved_by.is_empty()).then_some(approved_by);
        let entry = entry("signing_key_added", &key, by, now);
        self.audit(&entry.with_some("approved_by", approved_by))?;
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
            let (owner, asked) = (&self.owner, self.asked_of(&self.owner));
            return asked.is_nothing().then(|| {
                format!(
                    "anything running as you can approve: `expacti reviewer key add {owner} FILE.pub` asks \
                     for your key, `expacti reviewer pin` for a PIN"
                )
            });
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

    /// Refuses an allow of somebody with a key that is not signed with it, for exactly this.
    pub(super) fn check_signature(
        &self,
        by: &Peer,
        message: &DecisionMessage,
        view: &CommandView,
        now: Now,
    ) -> Result<(), Refusal> {
        if !message.allow || !self.has_signed(&by.name) {
            return Ok(());
        }
        let signers = self.signers_of(&by.name)?;
        let refuse = |why: String| Refusal::new(ErrorCode::NotEntitled, why);
        let signed = SignedText::of(message.statement.as_ref(), message.signature.as_ref())
            .ok_or_else(|| {
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
