//! What a reviewer can vote on: a change that weakens rules or policies, and a rule that allows.
//! It must never cut off a part of what would hold.

use expacti_engine::{Effect, Policy, PolicyKind, Rule};
use expacti_protocol::http::{Action, Approval, Change, RuleView, Target};

use super::reviewer::Reviewer;
use super::rule_text::scope_of;
use crate::text::clean;

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
    /// All of it: label and text, clean and never cut.
    pub lines: Vec<(&'static str, String)>,
    /// Why this reviewer cannot approve it, clean.
    pub locked: Option<String>,
    /// This reviewer may drop it.
    pub may_drop: bool,
}

/// What a vote says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// In favour of the change or the rule.
    Approve,
    /// Against the change: drop it.
    Drop,
}

/// A vote that waits for its second step; bound to exactly what is shown.
#[derive(Debug)]
pub(crate) struct Voting {
    /// On what.
    pub ballot: Ballot,
    /// What the vote says.
    pub choice: Choice,
    /// The first visible row.
    pub scroll: usize,
}

/// Clean, and never cut.
pub(super) fn whole(text: &str) -> String {
    clean(text, usize::MAX)
}

/// Names, clean and never cut.
fn names<'a>(list: impl Iterator<Item = &'a String>) -> String {
    whole(&list.map(String::as_str).collect::<Vec<_>>().join(", "))
}

/// Who has approved.
pub(super) fn approvers(approvals: &[Approval]) -> String {
    match names(approvals.iter().map(|a| &a.by)) {
        nobody if nobody.is_empty() => "nobody".to_owned(),
        names => names,
    }
}

/// Who must approve under a policy.
pub(super) fn policy_who(policy: &Policy) -> String {
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
pub(super) fn policy_where(policy: &Policy) -> String {
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
    let mut lines = vec![("WHO", policy_who(policy)), ("COMMANDS", whole(&policy.pattern))];
    let place = policy_where(policy);
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

fn target_lines(target: &Target) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("TARGET", whole(&target.name)),
        ("IS", whole(&format!("{}@{}:{}", target.user, target.host, target.port))),
    ];
    lines.extend(target.host_keys.iter().map(|key| ("HOST KEY", whole(key))));
    for (what, all) in [("TAGS", &target.tags), ("LOGINS", &target.logins)] {
        if !all.is_empty() {
            lines.push((what, names(all.iter())));
        }
    }
    lines
}

impl Ballot {
    /// A change, as the reviewer may vote on it.
    pub(crate) fn for_change(change: &Change, reviewer: &Reviewer) -> Self {
        let (me, role) = (reviewer.name.as_str(), reviewer.role);
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
            Action::AddSigningKey { person, public_key } => (
                "ADD A KEY THAT SIGNS",
                vec![("PERSON", whole(person)), ("KEY", whole(public_key))],
            ),
            Action::SetTarget { target } => ("SET WHAT A TARGET IS", target_lines(target)),
            Action::RemoveTarget { target } => ("REMOVE A TARGET", target_lines(target)),
            Action::RemovePolicy { policy } => ("REMOVE POLICY", policy_lines(policy)),
            Action::RemoveRule { rule } => ("REMOVE A RULE THAT DENIES", rule_lines(rule)),
        };
        for why in &change.needs {
            lines.push(("ASKED BY", whole(why)));
        }
        lines.push(("FOR IT", approvers(&change.approvals)));
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

    /// A rule that allows, as the reviewer may approve it; `gaps` says where it does not hold yet.
    pub(super) fn for_rule(view: &RuleView, gaps: &[String], reviewer: &Reviewer) -> Option<Self> {
        let (me, role) = (reviewer.name.as_str(), reviewer.role);
        if view.rule.effect != Effect::Allow {
            return None;
        }
        let mut lines = rule_lines(&view.rule);
        lines.push(("FOR IT", approvers(&view.approvals)));
        lines.extend(gaps.iter().map(|gap| ("NOT WHERE", gap.clone())));
        let locked = if view.approvals.iter().any(|a| whole(&a.by) == me) {
            Some("you have approved this rule already".to_owned())
        } else if !role.may_decide() {
            Some("your role only looks".to_owned())
        } else {
            None
        };
        let subject = Subject::Rule(view.rule.id.clone());
        Some(Ballot { subject, title: "ALLOW IN FUTURE", lines, locked, may_drop: false })
    }
}
