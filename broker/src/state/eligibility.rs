//! Who may decide: the people that are registered and that a requirement counts.

use expacti_engine::{Requirement, Tally, Vote, Voter, tally};
use expacti_protocol::command::CommandView;
use expacti_protocol::principal::Role;

use super::model::State;
use super::open::Ballot;

fn votes(ballots: &[Ballot]) -> Vec<Vote> {
    ballots.iter().map(|ballot| Vote { voter: ballot.voter.clone(), allow: ballot.allow }).collect()
}

/// Where a vote stands.
pub(super) fn count(requirement: &Requirement, ballots: &[Ballot]) -> Tally {
    tally(requirement, &votes(ballots))
}

/// Approvals still missing.
pub(super) fn missing(requirement: &Requirement, ballots: &[Ballot]) -> u32 {
    expacti_engine::missing(requirement, &votes(ballots))
}

impl State {
    /// Everybody who may decide on something: a person once, with every role they have.
    pub(super) fn people(&self) -> Vec<Voter> {
        let mut all = vec![Role::Owner.voter(&self.owner)];
        for principal in self.principals.values().filter(|p| p.role.may_decide()) {
            if principal.name != self.owner {
                all.push(principal.role.voter(&principal.name));
            }
        }
        all.sort_by(|a, b| a.person.cmp(&b.person));
        all
    }

    /// The people whose approval would count, without those who gave theirs already.
    fn may_still_vote(&self, requirement: &Requirement, ballots: &[Ballot]) -> Vec<Voter> {
        let mut all = self.people();
        all.retain(|voter| requirement.counts(voter));
        all.retain(|voter| !ballots.iter().any(|b| b.allow && b.voter.person == voter.person));
        all
    }

    /// The people whose approval would count, by name, without those who gave theirs already.
    pub(super) fn may_approve(&self, requirement: &Requirement, ballots: &[Ballot]) -> Vec<String> {
        self.may_still_vote(requirement, ballots).into_iter().map(|voter| voter.person).collect()
    }

    /// The people who may still decide on a command.
    pub(super) fn may_decide(&self, view: &CommandView, ballots: &[Ballot]) -> Vec<String> {
        let mut all = self.may_still_vote(&view.requirement, ballots);
        all.retain(|voter| !self.is_behind(&voter.person, &view.session));
        all.into_iter().map(|voter| voter.person).collect()
    }
}
