//! Rules, policies and owners as people have signed them, for gates that go by nothing else. The broker
//! only keeps and passes on what was signed; it cannot make it.

use std::collections::BTreeMap;

use expacti_audit::Entry;
use expacti_engine::Rule;
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::GateEvent;
use expacti_protocol::http::{RulebookView, Target};
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::ErrorCode;
use expacti_protocol::signed::{SignedRulebook, SignedText};
use expacti_signing::{
    AllowedSigners, Place, Revoked, Rulebook, RulebookPurpose, RulesRequirement, Signers, VERSION,
    fingerprint_of_any,
};

use super::authority::needs_admin;
use super::model::{LAST_RULEBOOK, State};
use super::ports::{Now, Outgoing, Peer, Refusal, Write};
use super::shown::Kept;

/// How far the time in a rulebook may be from the broker's, in seconds.
const APART: i64 = 600;
/// From how many hours on people are reminded to sign again: gates take a day unless told otherwise.
const SOON: i64 = 20;
/// The most signatures of one rulebook.
const MAX_SIGNATURES: usize = 16;

impl State {
    /// What people have signed last.
    pub(crate) fn signed_rulebook(&self) -> Option<&SignedRulebook> {
        self.rulebooks.get(&LAST_RULEBOOK)
    }

    /// What is in force now, as it would be signed, and what was signed last.
    pub(crate) fn rulebook(&self, now: Now) -> Result<RulebookView, Refusal> {
        let mut last = self.last_rulebook();
        let proposed = self.rulebook_of_now(last.as_ref(), now);
        if let Some(last) = &mut last {
            // Those that have ended since are no change of anybody's.
            last.rules.retain(|rule| rule.expires_at.is_none_or(|end| end > now.micros));
        }
        let same = last.as_ref().is_some_and(|last| last.says_the_same(&proposed));
        let proposed = proposed.text().map_err(|error| Refusal::failed(error.to_string()))?;
        Ok(RulebookView { proposed, signed: self.signed_rulebook().cloned(), same })
    }

    /// Where people sign rules: what they have not signed, or long ago.
    pub(crate) fn rulebook_warning(&self, now: Now) -> Option<String> {
        let mut last = self.last_rulebook()?;
        // Those that have ended since are no change of anybody's.
        last.rules.retain(|rule| rule.expires_at.is_none_or(|end| end > now.micros));
        if !last.says_the_same(&self.rulebook_of_now(Some(&last), now)) {
            let why = "rules or policies have changed since they were signed: `expacti rules sign`";
            return Some(why.to_owned());
        }
        let hours = now.seconds().saturating_sub(last.made_at) / 3600;
        (hours >= SOON).then(|| {
            format!("the rules were signed {hours} hours ago: `expacti rules sign` before gates refuse them")
        })
    }

    /// What each target's name stands for.
    pub(super) fn places(&self) -> BTreeMap<String, Place> {
        let place = |target: &Target| {
            let (host, port) = (target.host.clone(), target.port);
            let keys = target.host_keys.iter().filter_map(|key| fingerprint_of_any(key)).collect();
            let tags = target.tags.clone();
            (target.name.clone(), Place { host, host_keys: keys, port, tags })
        };
        self.targets.values().map(place).collect()
    }

    fn last_rulebook(&self) -> Option<Rulebook> {
        Rulebook::parse(&self.signed_rulebook()?.statement).ok()
    }

    fn rulebook_of_now(&self, last: Option<&Rulebook>, now: Now) -> Rulebook {
        let people = self.people().into_iter();
        let people: BTreeMap<_, _> = people
            .map(|voter| (voter.person, voter.roles.into_iter().next().unwrap_or_default()))
            .collect();
        let agents = self.principals.values().filter(|p| p.role == Role::Agent);
        let agents = agents.map(|p| (p.name.clone(), p.owner.clone())).collect();
        let targets = self.places();
        // How often one was used is nobody's agreement.
        let mut rules: Vec<Rule> =
            self.rules.values().map(|view| Rule { hits: 0, ..view.rule.clone() }).collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        rules.retain(|rule| rule.expires_at.is_none_or(|end| end > now.micros));
        let mut policies: Vec<_> = self.policies.values().cloned().collect();
        policies.sort_by(|a, b| a.id.cmp(&b.id));
        Rulebook {
            agents,
            epoch: last.map_or(1, |last| last.epoch.saturating_add(1)),
            made_at: now.seconds(),
            people,
            policies,
            purpose: RulebookPurpose::Rules,
            rules,
            targets,
            version: VERSION,
        }
    }

    /// Takes a signature of what is in force now, or one more of what was signed last.
    pub(crate) fn sign_rulebook(
        &mut self,
        by: &Peer,
        signed: SignedText,
        now: Now,
    ) -> Result<RulebookView, Refusal> {
        needs_admin(by, "sign the rules")?;
        let book = Rulebook::parse(&signed.statement)
            .map_err(|error| Refusal::invalid(error.to_string()))?;
        let last = self.last_rulebook();
        let of_now = self.rulebook_of_now(last.as_ref(), now);
        let mut all = SignedRulebook {
            statement: signed.statement.clone(),
            signatures: vec![signed.signature.clone()],
        };
        match self.signed_rulebook() {
            Some(kept) if kept.statement == signed.statement => {
                if kept.signatures.len() >= MAX_SIGNATURES {
                    return Err(Refusal::invalid("the rules have enough signatures already"));
                }
                let own = kept.signatures.iter().filter(|one| **one != signed.signature);
                all.signatures.extend(own.cloned());
            }
            _ if book.epoch != of_now.epoch || (book.made_at - of_now.made_at).abs() > APART => {
                return Err(Refusal::new(
                    ErrorCode::Mismatch,
                    "others have signed meanwhile, or it took too long: sign what is in force now",
                ));
            }
            _ if !book.says_the_same(&of_now) => {
                return Err(Refusal::new(
                    ErrorCode::Mismatch,
                    "the rules have changed since they were shown: look at them and sign again",
                ));
            }
            _ => {}
        }
        self.check_rules_signature(by, &signed, now)?;
        self.writes.push(Write::Rulebook { body: Kept::exact(&all)? });
        let entry = Entry::new("rulebook_signed", &now.rfc3339())
            .with("by", by.name.as_str())
            .with("epoch", book.epoch)
            .with("rulebook_sha256", Digest::of(signed.statement.as_bytes()).to_string())
            .with("rulebook_signature", signed.signature.as_str());
        self.audit(&entry)?;
        self.outgoing.push(Outgoing::Gates(Box::new(GateEvent::Rulebook(all.clone()))));
        self.rulebooks.insert(LAST_RULEBOOK, all);
        self.rulebook(now)
    }

    /// Of somebody with a key it must be that key.
    fn check_rules_signature(
        &self,
        by: &Peer,
        signed: &SignedText,
        now: Now,
    ) -> Result<(), Refusal> {
        let lines: String =
            self.keys_of(&by.name).map(|key| format!("{} {}\n", by.name, key.public_key)).collect();
        if lines.is_empty() {
            return Ok(());
        }
        let refuse = |why: String| Refusal::new(ErrorCode::NotEntitled, why);
        let allowed = AllowedSigners::parse(&lines)
            .map_err(|_| refuse("the keys that are registered cannot be read".to_owned()))?;
        let signers = Signers { allowed, revoked: Revoked::default() };
        let one = SignedRulebook {
            statement: signed.statement.clone(),
            signatures: vec![signed.signature.clone()],
        };
        RulesRequirement::default()
            .agreed(&one, &signers, now.seconds())
            .map(drop)
            .map_err(|fault| refuse(fault.to_string()))
    }
}
