//! Rules, policies and the changes that wait, as the rows of a list. It must never show a rule as
//! in force where too few have approved it.

use std::collections::BTreeSet;

use expacti_engine::{Effect, Policy, PolicySet, Requirement, Tally, Vote, Voter, tally};
use expacti_protocol::http::{Action, Approval, Change, RuleView};
use expacti_protocol::principal::Role;

use super::ballot::{Ballot, approvers, policy_where, policy_who, whole};
use super::reviewer::Reviewer;
use super::rows::{ListRow, Tone};
use super::rule_text::{expiry, scope_of};
use crate::text::clean;

/// Everything that decides without asking, and what waits to change it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rulebook {
    /// The rules.
    pub rules: Vec<RuleView>,
    /// The policies.
    pub policies: Vec<Policy>,
    /// The changes that wait.
    pub changes: Vec<Change>,
}

/// Where a rule that allows does not hold yet, in words: too few have approved it.
fn gaps(view: &RuleView, set: &PolicySet) -> Vec<String> {
    if view.rule.effect != Effect::Allow || view.approvals.is_empty() {
        return Vec::new();
    }
    let votes: Vec<Vote> = view.approvals.iter().map(vote).collect();
    let missing = |asks: &Requirement| match tally(asks, &votes) {
        Tally::Open { have, need, .. } => {
            Some(format!("{}: {} more", whole(&asks.why), need.saturating_sub(have)))
        }
        Tally::Allowed | Tally::Denied => None,
    };
    let all: BTreeSet<String> =
        set.touching(view.rule.program()).iter().filter_map(missing).collect();
    all.into_iter().collect()
}

fn vote(approval: &Approval) -> Vote {
    let mut roles = vec![approval.role.as_str().to_owned()];
    if approval.role == Role::Owner {
        roles.push(Role::Admin.as_str().to_owned());
    }
    Vote { voter: Voter { person: approval.by.clone(), roles }, allow: true }
}

impl Rulebook {
    /// The rows of the list: what waits first, then rules, the newest first, then policies.
    pub(crate) fn rows(&self, reviewer: &Reviewer, now_us: i64) -> Vec<ListRow> {
        let mut rows: Vec<ListRow> =
            self.changes.iter().map(|c| change_row(c, Ballot::for_change(c, reviewer))).collect();
        let set = PolicySet::build(self.policies.clone()).unwrap_or_default();
        let (mut open, mut closed) = (Vec::new(), Vec::new());
        for view in self.rules.iter().rev() {
            let gaps = gaps(view, &set);
            let waits = !gaps.is_empty();
            let row = rule_row(view, waits, Ballot::for_rule(view, &gaps, reviewer), now_us);
            if waits { open.push(row) } else { closed.push(row) }
        }
        rows.append(&mut open);
        rows.append(&mut closed);
        rows.extend(self.policies.iter().map(policy_row));
        rows
    }
}

fn change_row(change: &Change, ballot: Ballot) -> ListRow {
    let (what, subject) = match &change.action {
        Action::AddPrincipal { principal, .. } => {
            ("add principal", format!("{} ({})", principal.name, principal.role))
        }
        Action::AddPolicy { policy } => ("add policy", policy_text(policy)),
        Action::AddSigningKey { person, .. } => ("add signing key", person.clone()),
        Action::SetTarget { target } => ("set target", target.name.clone()),
        Action::RemoveTarget { target } => ("remove target", target.name.clone()),
        Action::RemovePolicy { policy } => ("remove policy", policy_text(policy)),
        Action::RemoveRule { rule } => ("remove rule", format!("deny {}", rule.pattern)),
    };
    ListRow {
        at: None,
        pieces: vec![
            (Tone::Bad, "WAITS ".to_owned()),
            (Tone::Bad, format!("{} more", change.missing)),
            (Tone::Strong, what.to_owned()),
            (Tone::Plain, clean(&subject, 300)),
            (Tone::Dim, clean(&format!(" by {}", change.by), 60)),
        ],
        session: None,
        copy: change.id.to_string(),
        ballot: Some(Box::new(ballot)),
    }
}

fn policy_text(policy: &Policy) -> String {
    let place = policy_where(policy);
    let comma = if place.is_empty() { "" } else { " " };
    format!("{} for {}{comma}{place}", policy_who(policy), policy.pattern)
}

fn policy_row(policy: &Policy) -> ListRow {
    ListRow {
        at: None,
        pieces: vec![
            (Tone::Strong, "policy".to_owned()),
            (Tone::Plain, clean(&policy_text(policy), 300)),
        ],
        session: None,
        copy: policy.id.clone(),
        ballot: None,
    }
}

fn rule_row(view: &RuleView, waits: bool, ballot: Option<Ballot>, now_us: i64) -> ListRow {
    let rule = &view.rule;
    let effect = match rule.effect {
        Effect::Allow => (Tone::Good, "allow "),
        Effect::Deny => (Tone::Bad, "deny  "),
    };
    let kind = format!("{:?}", rule.kind).to_lowercase();
    let mut pieces = vec![
        (effect.0, effect.1.to_owned()),
        (Tone::Dim, format!("{kind:<6}")),
        (Tone::Dim, format!("{:>6}×  {:<10}", rule.hits, expiry(rule, now_us))),
    ];
    if waits {
        pieces.push((Tone::Bad, "needs more approvals".to_owned()));
    }
    let people =
        if view.approvals.is_empty() { whole(&rule.author) } else { approvers(&view.approvals) };
    pieces.push((Tone::Plain, clean(&rule.pattern, 300)));
    pieces.push((Tone::Dim, clean(&format!("  {}  {people}", scope_of(rule)), 200)));
    ListRow { at: None, pieces, session: None, copy: rule.id.clone(), ballot: ballot.map(Box::new) }
}
