//! A change that makes something weaker needs the approval that this asked for. It must never be
//! carried out by fewer people than could have allowed a command under what it removes.

use expacti_audit::Entry;
use expacti_engine::{Effect, Policy, PolicySet, Requirement, Voter};
use expacti_protocol::http::{Action, Approval, Change, NewSigningKey};
use expacti_protocol::ids::ChangeId;
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::{ErrorCode, RuleChange};

use super::authority::needs_admin;
use super::eligibility;
use super::model::State;
use super::open::Ballot;
use super::ports::{Decider, Now, Peer, Refusal, Write};
use super::shown::Kept;

/// How long a change waits for approval, in seconds.
const CHANGE_LIFE: i64 = 86_400;

/// Changes that may wait at once.
const MAX_CHANGES: usize = 1000;

fn names(approvals: &[Approval]) -> Vec<String> {
    approvals.iter().map(|approval| approval.by.clone()).collect()
}

/// A change without what only the broker needs.
fn shown(mut change: Change) -> Change {
    if let Action::AddPrincipal { token_hash, .. } = &mut change.action {
        *token_hash = None;
    }
    change
}

impl State {
    /// What asks for approval of an action, as rules and policies are now.
    fn asked(&self, action: &Action) -> Vec<Requirement> {
        let old = &self.snapshot.policies;
        let weakened = |policies: Vec<Policy>| match PolicySet::build(policies) {
            Ok(new) => old.weakened_by(&new).into_iter().map(Requirement::from).collect(),
            // What cannot be compiled cannot be compared: everything asks.
            Err(_) => old.touching(None),
        };
        match action {
            // Whoever a policy would count, and whoever could leave out the person behind an agent.
            Action::AddPrincipal { principal: new, .. } => {
                let person = new.role.voter(&new.name);
                let asks = |requirement: &Requirement| match new.role {
                    Role::Agent => requirement.needed() > 1,
                    role => {
                        let escalated = Requirement { escalated: true, ..requirement.clone() };
                        role.may_decide() && escalated.counts(&person)
                    }
                };
                old.touching(None).into_iter().filter(asks).collect()
            }
            Action::AddPolicy { policy } => {
                weakened(old.policies().iter().cloned().chain([policy.clone()]).collect())
            }
            Action::RemovePolicy { policy } => {
                weakened(old.policies().iter().filter(|p| p.id != policy.id).cloned().collect())
            }
            Action::RemoveRule { rule } => old.touching(rule.program()),
            Action::SetTarget { .. } | Action::RemoveTarget { .. } if self.goes_by_targets() => {
                old.touching(None)
            }
            Action::SetTarget { .. } | Action::RemoveTarget { .. } => Vec::new(),
            // It could sign in the name of somebody whom a policy counts.
            Action::AddSigningKey { person, .. } => {
                let role = match self.principals.get(person) {
                    Some(principal) => principal.role,
                    None => Role::Owner,
                };
                let person = role.voter(person);
                let counts = |requirement: &Requirement| {
                    Requirement { escalated: true, ..requirement.clone() }.counts(&person)
                };
                old.touching(None).into_iter().filter(counts).collect()
            }
        }
    }

    /// Whether it matters to what is restricted what targets are called: then also a new one may be a
    /// machine that a policy is about, by another address and with another kind of key.
    fn goes_by_targets(&self) -> bool {
        let policies = self.snapshot.policies.policies();
        policies.iter().any(|policy| policy.target.is_some() || !policy.tags.is_empty())
            || self
                .rules
                .values()
                .any(|view| view.rule.effect == Effect::Deny && view.rule.scope.target.is_some())
    }

    /// Those of the approvals that count: of people who are still there, with their present role.
    fn counted(&self, change: &Change) -> Vec<Ballot> {
        self.people()
            .into_iter()
            .filter(|person| change.approvals.iter().any(|a| a.by == person.person))
            .map(|voter| Ballot {
                voter,
                allow: true,
                grant: None,
                input: None,
                input_grant: None,
                trust: false,
                signed: None,
            })
            .collect()
    }

    /// Fills in what a change still needs; whether that is nothing.
    fn settle_change(&self, change: &mut Change) -> bool {
        let ballots = self.counted(change);
        let by_owner = ballots.iter().any(|b| b.voter.person == self.owner);
        (change.needs, change.missing, change.may_approve) = (Vec::new(), 0, Vec::new());
        for requirement in self.asked(&change.action) {
            let missing = eligibility::missing(&requirement, &ballots);
            let left = self.may_approve(&requirement, &ballots);
            // Where too few of those it names are left to ever approve, all who are, and the owner of
            // the broker, are enough: a policy of people who have gone would stay for ever.
            let counting = |person: &&Voter| requirement.counts(person);
            let people = self.people();
            let possible = people.iter().filter(counting).count();
            let hopeless = possible < requirement.needed() as usize;
            if missing == 0 || (hopeless && left.is_empty() && by_owner) {
                continue;
            }
            change.needs.push(requirement.why);
            change.missing = change.missing.max(missing);
            change.may_approve.extend(left);
            if hopeless && !by_owner {
                change.may_approve.push(self.owner.clone());
            }
        }
        change.may_approve.sort();
        change.may_approve.dedup();
        change.needs.is_empty()
    }

    /// Proposes a change; `None` when the approval of the person who asks is enough.
    pub(super) fn propose(
        &mut self,
        by: &Peer,
        action: Action,
        now: Now,
    ) -> Result<Option<Change>, Refusal> {
        self.end_old_changes(now)?;
        let mut change = Change {
            id: ChangeId::new(),
            action,
            by: by.name.clone(),
            at: now.seconds(),
            approvals: vec![by.approval(now)],
            needs: Vec::new(),
            missing: 0,
            may_approve: Vec::new(),
        };
        if self.settle_change(&mut change) {
            return Ok(None);
        }
        if self.changes.len() >= MAX_CHANGES {
            return Err(Refusal::failed(format!("{MAX_CHANGES} changes wait already")));
        }
        self.write_change(&change)?;
        self.audit_change("change_proposed", &change, by, now)?;
        self.notify_rule_changed(RuleChange::Proposed, change.id.as_str(), by);
        Ok(Some(shown(change)))
    }

    fn write_change(&mut self, change: &Change) -> Result<(), Refusal> {
        self.changes.insert(change.id.to_string(), change.clone());
        let text = Kept::exact(change)?;
        self.writes.push(Write::Change { id: change.id.to_string(), body: Some(text) });
        Ok(())
    }

    fn drop_change(&mut self, id: &str) {
        self.changes.remove(&id.to_owned());
        self.writes.push(Write::Change { id: id.to_owned(), body: None });
    }

    fn audit_change(
        &mut self,
        kind: &str,
        change: &Change,
        by: &Peer,
        now: Now,
    ) -> Result<(), Refusal> {
        let entry = Entry::new(kind, &now.rfc3339())
            .with("change", change.id.as_str())
            .with("by", by.name.as_str())
            .with("approved_by", names(&change.approvals))
            .with("needs", change.needs.clone())
            .with("body", serde_json::to_value(&shown(change.clone()).action).unwrap_or_default());
        self.audit(&entry)
    }

    /// A person was removed: whoever comes by that name later has not approved anything.
    pub(super) fn forget_approvals(&mut self, name: &str) -> Result<(), Refusal> {
        let touched: Vec<_> = self
            .changes
            .values()
            .filter(|change| change.approvals.iter().any(|a| a.by == name))
            .cloned()
            .collect();
        for mut change in touched {
            change.approvals.retain(|a| a.by != name);
            self.write_change(&change)?;
        }
        Ok(())
    }

    /// Drops changes that nobody approved in time.
    fn end_old_changes(&mut self, now: Now) -> Result<(), Refusal> {
        let old: Vec<_> = self
            .changes
            .values()
            .filter(|change| change.at.saturating_add(CHANGE_LIFE) <= now.seconds())
            .cloned()
            .collect();
        let system =
            Peer { name: Decider::Timeout.to_string(), role: Role::Viewer, inside_wrap: true };
        for change in old {
            self.drop_change(change.id.as_str());
            self.audit_change("change_rejected", &change, &system, now)?;
        }
        Ok(())
    }

    /// Somebody approves a change; it is carried out when that is enough.
    pub(crate) fn approve_change(
        &mut self,
        by: &Peer,
        id: &str,
        now: Now,
    ) -> Result<(Change, bool), Refusal> {
        self.end_old_changes(now)?;
        if !by.may_decide() {
            return Err(Refusal::not_entitled(format!(
                "{} ({}) may not approve changes",
                by.name, by.role
            )));
        }
        let mut change = self
            .changes
            .get(&id.to_owned())
            .cloned()
            .ok_or_else(|| Refusal::not_found(format!("change {id}")))?;
        if change.approvals.iter().any(|a| a.by == by.name) {
            return Err(Refusal::already_voted(&by.name));
        }
        change.approvals.push(by.approval(now));
        let done = self.settle_change(&mut change);
        self.audit_change("change_approved", &change, by, now)?;
        if !done {
            self.write_change(&change)?;
            self.notify_rule_changed(RuleChange::Approved, change.id.as_str(), by);
            return Ok((shown(change), false));
        }
        self.drop_change(id);
        let approved_by = names(&change.approvals);
        let gone = || Refusal::new(ErrorCode::TooLate, "what the change is about has gone already");
        match &change.action {
            Action::AddPrincipal { principal, token_hash } => {
                self.keep_principal(by, principal, token_hash.clone(), approved_by, now)?;
            }
            Action::AddPolicy { policy } => self.keep_policy(by, policy, approved_by, now)?,
            Action::AddSigningKey { person, public_key } => {
                let new = NewSigningKey { person: person.clone(), public_key: public_key.clone() };
                self.keep_signing_key(by, &new, approved_by, now)?;
            }
            Action::SetTarget { target } => self.keep_target(by, target, approved_by, now)?,
            Action::RemoveTarget { target } => {
                self.targets.get(&target.name).ok_or_else(gone)?;
                self.drop_target(by, target, approved_by, now)?;
            }
            Action::RemovePolicy { policy } => {
                self.policies.get(&policy.id).ok_or_else(gone)?;
                self.drop_policy(by, policy, approved_by, now)?;
            }
            Action::RemoveRule { rule } => {
                self.rules.get(&rule.id).ok_or_else(gone)?;
                self.drop_rule(by, rule, approved_by, now)?;
            }
        }
        Ok((shown(change), true))
    }

    /// Somebody rejects a change, or takes their own back.
    pub(crate) fn reject_change(
        &mut self,
        by: &Peer,
        id: &str,
        now: Now,
    ) -> Result<Change, Refusal> {
        let change = self
            .changes
            .get(&id.to_owned())
            .cloned()
            .ok_or_else(|| Refusal::not_found(format!("change {id}")))?;
        if !(by.may_decide() && change.may_approve.contains(&by.name)) {
            needs_admin(by, "reject changes")?;
        }
        self.drop_change(id);
        self.audit_change("change_rejected", &change, by, now)?;
        self.notify_rule_changed(RuleChange::Rejected, id, by);
        Ok(shown(change))
    }

    /// The changes that wait, oldest first, with what they need now.
    pub(crate) fn change_list(&self, now: Now) -> Vec<Change> {
        let mut all: Vec<_> = self
            .changes
            .values()
            .filter(|change| change.at.saturating_add(CHANGE_LIFE) > now.seconds())
            .cloned()
            .map(shown)
            .collect();
        for change in &mut all {
            self.settle_change(change);
        }
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }
}
