//! Who may decide: the people that are registered and that a requirement counts.

use expacti_engine::{Requirement, Tally, Vote, Voter, tally};
use expacti_protocol::command::CommandView;
use expacti_protocol::principal::Role;

use super::{Ballot, Life, Peer};

/// A person as the engine counts them.
pub(super) fn voter(name: &str, role: Role) -> Voter {
    let mut roles = vec![role.as_str().to_owned()];
    if role == Role::Owner {
        roles.push(Role::Admin.as_str().to_owned());
    }
    Voter { person: name.to_owned(), roles }
}

/// Where a vote stands.
pub(super) fn count(requirement: &Requirement, ballots: &[Ballot]) -> Tally {
    let votes: Vec<Vote> = ballots
        .iter()
        .map(|ballot| Vote { voter: ballot.voter.clone(), allow: ballot.allow })
        .collect();
    tally(requirement, &votes)
}

/// Approvals still missing.
pub(super) fn missing(requirement: &Requirement, ballots: &[Ballot]) -> u32 {
    match count(requirement, ballots) {
        Tally::Open { have, need, .. } => need.saturating_sub(have),
        Tally::Allowed | Tally::Denied => 0,
    }
}

/// Whether a person stands behind the agent of a command.
pub(super) fn stands_behind(name: &str, view: &CommandView) -> bool {
    name == view.session.agent || view.session.owner.as_deref() == Some(name)
}

impl Life {
    /// Everybody who may decide on something: a person once, with every role they have.
    pub(super) fn people(&self) -> Vec<Voter> {
        let mut all = vec![voter(&self.owner, Role::Owner)];
        for principal in self.principals.values().filter(|p| p.role.may_decide()) {
            if principal.name != self.owner {
                all.push(voter(&principal.name, principal.role));
            }
        }
        all.sort_by(|a, b| a.person.cmp(&b.person));
        all
    }

    /// The people whose approval would count, by name, without those who gave theirs already.
    pub(super) fn may_approve(&self, requirement: &Requirement, ballots: &[Ballot]) -> Vec<String> {
        self.people()
            .into_iter()
            .filter(|person| requirement.counts(person))
            .map(|person| person.person)
            .filter(|name| !ballots.iter().any(|b| b.allow && b.voter.person == *name))
            .collect()
    }

    /// The people who may still decide on a command.
    pub(super) fn may_decide(&self, view: &CommandView, ballots: &[Ballot]) -> Vec<String> {
        let mut all = self.may_approve(&view.requirement, ballots);
        all.retain(|name| !stands_behind(name, view));
        all
    }

    /// How this peer counts in a vote.
    pub(super) fn voter_of(&self, peer: &Peer) -> Voter {
        voter(&peer.name, peer.role)
    }
}
