//! Counts votes. It must never count a person twice, nor allow while anyone needed is missing.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::types::Requirement;
use super::voter::Voter;

/// One vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Whose.
    pub voter: Voter,
    /// For or against.
    pub allow: bool,
}

/// Where a vote stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Tally {
    /// Not decided.
    Open {
        /// Approvals that count.
        have: u32,
        /// Approvals needed.
        need: u32,
        /// Members of the group who have not voted; empty where anyone may.
        may_still: Vec<String>,
    },
    /// Enough approvals, and no one against.
    Allowed,
    /// Someone was against.
    Denied,
}

/// Counts votes: one deny denies, one vote a person, and a requirement nobody can meet stays open until its deadline denies it.
#[must_use]
pub fn tally(requirement: &Requirement, votes: &[Vote]) -> Tally {
    if votes.iter().any(|vote| !vote.allow) {
        return Tally::Denied;
    }
    let open: Vec<Part> = requirement
        .parts()
        .map(|part| Part::of(part, votes))
        .filter(|part| part.missing > 0)
        .collect();
    if open.is_empty() {
        return Tally::Allowed;
    }
    // One person's vote may count for several of them: so many are needed at least.
    let missing = open.iter().map(|part| part.missing).max().unwrap_or(1);
    let voted: BTreeSet<&str> = votes
        .iter()
        .filter(|vote| requirement.counts(&vote.voter))
        .map(|vote| vote.voter.person.as_str())
        .collect();
    let may_still: BTreeSet<String> = open.into_iter().flat_map(|part| part.may_still).collect();
    let have = u32::try_from(voted.len()).unwrap_or(u32::MAX);
    let may_still = may_still.into_iter().collect();
    Tally::Open { have, need: have.saturating_add(missing), may_still }
}

/// How one of the things that are needed stands.
struct Part {
    missing: u32,
    may_still: Vec<String>,
}

impl Part {
    fn of(requirement: &Requirement, votes: &[Vote]) -> Self {
        let alone = Requirement { also: Vec::new(), ..requirement.clone() };
        let counted: BTreeSet<&str> = votes
            .iter()
            .filter(|vote| alone.counts(&vote.voter))
            .map(|vote| vote.voter.person.as_str())
            .collect();
        let mut members: BTreeSet<&str> = requirement.group.iter().map(String::as_str).collect();
        if requirement.escalated {
            members.extend(requirement.escalate_to.iter().map(String::as_str));
        }
        let need = alone.needed() as usize;
        Self {
            missing: u32::try_from(need.saturating_sub(counted.len())).unwrap_or(u32::MAX),
            may_still: members.difference(&counted).map(|name| (*name).to_owned()).collect(),
        }
    }
}

/// Approvals still missing; none once it is decided.
#[must_use]
pub fn missing(requirement: &Requirement, votes: &[Vote]) -> u32 {
    match tally(requirement, votes) {
        Tally::Open { have, need, .. } => need.saturating_sub(have),
        Tally::Allowed | Tally::Denied => 0,
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::super::types::PolicyKind;
    use super::*;

    fn vote(person: &str, role: &str, allow: bool) -> Vote {
        Vote { voter: Voter { person: person.to_owned(), roles: vec![role.to_owned()] }, allow }
    }

    fn requirement(kind: PolicyKind, min: u32, group: &[&str]) -> Requirement {
        Requirement {
            kind,
            min,
            group: group.iter().map(|name| (*name).to_owned()).collect(),
            role: Some("admin".to_owned()),
            ..Requirement::default()
        }
    }

    #[test]
    fn people_count_once_and_one_deny_denies() {
        let quorum = requirement(PolicyKind::Quorum, 2, &["ann", "bob", "cat"]);
        let ann = vote("ann", "reviewer", true);
        assert_eq!(
            tally(&quorum, &[ann.clone(), ann.clone(), vote("eve", "reviewer", true)]),
            Tally::Open { have: 1, need: 2, may_still: vec!["bob".to_owned(), "cat".to_owned()] }
        );
        assert_eq!(tally(&quorum, &[ann.clone(), vote("bob", "reviewer", true)]), Tally::Allowed);
        assert_eq!(
            tally(&quorum, &[ann.clone(), vote("bob", "x", true), vote("cat", "x", false)]),
            Tally::Denied
        );
        let all = requirement(PolicyKind::All, 1, &["ann", "bob"]);
        assert!(matches!(
            tally(&all, std::slice::from_ref(&ann)),
            Tally::Open { have: 1, need: 2, .. }
        ));
        let role = requirement(PolicyKind::Role, 1, &[]);
        assert!(matches!(tally(&role, &[ann]), Tally::Open { have: 0, need: 1, .. }));
        assert_eq!(tally(&role, &[vote("dan", "admin", true)]), Tally::Allowed);
    }

    #[test]
    fn those_asked_later_count_only_then_and_change_no_number() {
        let mut all = requirement(PolicyKind::All, 1, &["ann", "bob"]);
        all.escalate_to = vec!["dan".to_owned(), "eve".to_owned()];
        let votes = [vote("ann", "reviewer", true), vote("dan", "reviewer", true)];
        assert!(matches!(tally(&all, &votes), Tally::Open { have: 1, need: 2, .. }));
        all.escalated = true;
        assert_eq!(tally(&all, &votes), Tally::Allowed);
        assert!(matches!(tally(&all, &votes[1..]), Tally::Open { have: 1, need: 2, .. }));
        let mut role = requirement(PolicyKind::Role, 2, &[]);
        role.escalate_to = vec!["dan".to_owned()];
        role.escalated = true;
        assert!(matches!(tally(&role, &votes), Tally::Open { have: 1, need: 2, .. }));
    }

    #[test]
    fn what_nobody_can_meet_never_allows() {
        let everyone = [vote("ann", "admin", true), vote("bob", "admin", true)];
        for requirement in [
            requirement(PolicyKind::Quorum, 3, &["ann", "bob"]),
            requirement(PolicyKind::Quorum, 0, &[]),
            requirement(PolicyKind::All, 0, &[]),
            Requirement { role: None, ..requirement(PolicyKind::Role, 1, &[]) },
        ] {
            assert!(
                matches!(tally(&requirement, &everyone), Tally::Open { .. }),
                "{requirement:?}"
            );
        }
    }
}
