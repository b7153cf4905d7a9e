//! What others must stand for before it holds: a change that makes something weaker, and a rule
//! that allows. It must never cut off a part of what would hold.

use std::collections::BTreeSet;

use expacti_engine::{
    Effect, Policy, PolicyKind, PolicySet, Requirement, Rule, Tally, Vote, Voter, tally,
};
use expacti_protocol::http::{Action, Approval, Change, RuleView};
use expacti_protocol::principal::Role;

use super::list::{ListRow, Tone, expiry, scope_of};
use crate::text::clean;

/// Rules, policies, and what waits to change them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rulebook {
    /// The rules.
    pub rules: Vec<RuleView>,
    /// The policies.
    pub policies: Vec<Policy>,
    /// The changes that wait.
    pub changes: Vec<Change>,
}

/// Where a vote goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A change of rules or policies, by its id.
    Change(String),
    /// A rule, by its id.
    Rule(String),
}

/// One thing that a reviewer can vote on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ballot {
    /// Where the vote goes.
    pub subject: Subject,
    /// What an approval does, in capital letters: `REMOVE POLICY`.
    pub title: &'static str,
    /// All of it: label and text, clean and whole.
    pub lines: Vec<(&'static str, String)>,
    /// Why this reviewer cannot approve it, clean.
    pub locked: Option<String>,
    /// This reviewer may drop it.
    pub may_drop: bool,
}

/// A vote that waits for its second step; bound to exactly what is shown.
#[derive(Debug)]
pub(crate) struct Voting {
    /// On what.
    pub ballot: Ballot,
    /// For it, or to drop it.
    pub approve: bool,
    /// The first row in sight.
    pub scroll: usize,
}

/// Clean, and never cut.
fn whole(text: &str) -> String {
    clean(text, usize::MAX)
}

fn names<'a>(list: impl Iterator<Item = &'a String>) -> String {
    whole(&list.map(String::as_str).collect::<Vec<_>>().join(", "))
}

fn by(approvals: &[Approval]) -> String {
    match names(approvals.iter().map(|a| &a.by)) {
        nobody if nobody.is_empty() => "nobody".to_owned(),
        names => names,
    }
}

/// Who must approve under a policy.
fn who(policy: &Policy) -> String {
    let group = names(policy.group.iter());
    match policy.kind {
        PolicyKind::Any if group.is_empty() => "any reviewer".to_owned(),
        PolicyKind::Any => format!("any of {group}"),
        PolicyKind::Quorum => format!("{} of {group}", policy.min),
        PolicyKind::All => format!("all of {group}"),
        PolicyKind::Role => {
            format!("{} with role {}", policy.min, whole(policy.role.as_deref().unwrap_or("?")))
        }
    }
}

/// For which commands.
fn where_of(policy: &Policy) -> String {
    let mut parts = Vec::new();
    let mut add = |word: &str, value: Option<String>| {
        parts.extend(value.map(|value| format!("{word}{value}")));
    };
    add("on ", policy.target.as_deref().map(whole));
    add("as ", policy.user.as_deref().map(whole));
    add("tagged ", Some(names(policy.tags.iter())).filter(|t| !t.is_empty()));
    add("from ", policy.min_level.map(|l| l.as_str().to_owned()));
    add("", policy.hours.map(|(from, to)| format!("from {from} to {to} h UTC")));
    parts.join(", ")
}

fn policy_lines(policy: &Policy) -> Vec<(&'static str, String)> {
    let mut lines = vec![("WHO", who(policy)), ("COMMANDS", whole(&policy.pattern))];
    let place = where_of(policy);
    if !place.is_empty() {
        lines.push(("WHERE", place));
    }
    if let Some(seconds) = policy.timeout_seconds {
        lines.push(("WITHIN", format!("{seconds} s")));
    }
    if let Some(seconds) = policy.escalate_after_seconds {
        let text = format!("after {seconds} s also {}", names(policy.escalate_to.iter()));
        lines.push(("THEN", text));
    }
    lines
}

fn rule_lines(rule: &Rule) -> Vec<(&'static str, String)> {
    let kind = format!("{:?}", rule.kind).to_lowercase();
    let mut lines = vec![
        ("COMMANDS", format!("{kind} {}", whole(&rule.pattern))),
        ("WHERE", whole(&scope_of(rule))),
    ];
    if let Some(reason) = &rule.reason {
        lines.push(("REASON", whole(reason)));
    }
    lines
}

/// A change, as the reviewer `me` may vote on it.
pub(crate) fn change(change: &Change, me: &str, role: Role) -> Ballot {
    let (title, mut lines) = match &change.action {
        Action::AddPrincipal { principal, .. } => ("ADD SOMEBODY A POLICY COUNTS", {
            let mut lines = vec![
                ("NAME", whole(&principal.name)),
                ("ROLE", principal.role.to_string()),
                ("BY", whole(&change.by)),
            ];
            lines.extend(principal.owner.as_ref().map(|owner| ("OWNER", whole(owner))));
            lines.extend(principal.public_key.as_ref().map(|key| ("KEY", whole(key))));
            lines
        }),
        Action::AddPolicy { policy } => ("ADD POLICY", policy_lines(policy)),
        Action::RemovePolicy { policy } => ("REMOVE POLICY", policy_lines(policy)),
        Action::RemoveRule { rule } => ("REMOVE A RULE THAT DENIES", rule_lines(rule)),
    };
    for why in &change.needs {
        lines.push(("ASKED BY", whole(why)));
    }
    lines.push(("FOR IT", by(&change.approvals)));
    let named = names(change.may_approve.iter());
    lines.push(("MISSING", format!("{} of {named}", change.missing)));
    let entitled = role.may_decide() && change.may_approve.iter().any(|n| whole(n) == me);
    let locked = if change.approvals.iter().any(|a| whole(&a.by) == me) {
        Some("you are for it already: somebody else must be, too".to_owned())
    } else if !entitled {
        Some(format!("you cannot approve this one: it needs {named}"))
    } else {
        None
    };
    Ballot {
        subject: Subject::Change(change.id.to_string()),
        title,
        lines,
        locked,
        may_drop: entitled || role.may_administer(),
    }
}

/// A rule that allows, as the reviewer `me` may stand for it.
fn rule(view: &RuleView, gaps: &[String], me: &str, role: Role) -> Option<Ballot> {
    if view.rule.effect != Effect::Allow {
        return None;
    }
    let mut lines = rule_lines(&view.rule);
    lines.push(("FOR IT", by(&view.approvals)));
    lines.extend(gaps.iter().map(|gap| ("NOT WHERE", gap.clone())));
    let locked = if view.approvals.iter().any(|a| whole(&a.by) == me) {
        Some("you stand for this rule already".to_owned())
    } else if !role.may_decide() {
        Some("your role only looks".to_owned())
    } else {
        None
    };
    let subject = Subject::Rule(view.rule.id.clone());
    Some(Ballot { subject, title: "ALLOW IN FUTURE", lines, locked, may_drop: false })
}

/// Where a rule that allows does not hold yet, in words: too few stand for it.
fn gaps(view: &RuleView, set: &PolicySet) -> Vec<String> {
    if view.rule.effect != Effect::Allow || view.approvals.is_empty() {
        return Vec::new();
    }
    let votes: Vec<Vote> = view.approvals.iter().map(vote).collect();
    let program = view.rule.pattern.split_whitespace().next();
    let program = program.filter(|p| !p.contains(['*', '?', '\'', '"', '\\']));
    let missing = |asks: &Requirement| match tally(asks, &votes) {
        Tally::Open { have, need, .. } => {
            Some(format!("{}: {} more", whole(&asks.why), need.saturating_sub(have)))
        }
        Tally::Allowed | Tally::Denied => None,
    };
    let all: BTreeSet<String> = set.touching(program).iter().filter_map(missing).collect();
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
    pub(crate) fn rows(&self, me: &str, role: Role, now_us: i64) -> Vec<ListRow> {
        let mut rows: Vec<ListRow> =
            self.changes.iter().map(|c| change_row(c, change(c, me, role))).collect();
        let set = PolicySet::build(self.policies.clone()).unwrap_or_default();
        let (mut open, mut closed) = (Vec::new(), Vec::new());
        for view in self.rules.iter().rev() {
            let gaps = gaps(view, &set);
            let waits = !gaps.is_empty();
            let row = rule_row(view, waits, rule(view, &gaps, me, role), now_us);
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
    let place = where_of(policy);
    let comma = if place.is_empty() { "" } else { " " };
    format!("{} for {}{comma}{place}", who(policy), policy.pattern)
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
    let people = if view.approvals.is_empty() { whole(&rule.author) } else { by(&view.approvals) };
    pieces.push((Tone::Plain, clean(&rule.pattern, 300)));
    pieces.push((Tone::Dim, clean(&format!("  {}  {people}", scope_of(rule)), 200)));
    ListRow { at: None, pieces, session: None, copy: rule.id.clone(), ballot: ballot.map(Box::new) }
}
