//! Policies and what they ask for. It must never decide anything.

use serde::{Deserialize, Serialize};

use super::voter::Voter;
use crate::Level;

/// How many must approve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyKind {
    /// One reviewer.
    Any,
    /// `min` members of the group.
    Quorum,
    /// Every member of the group.
    All,
    /// `min` people with the role.
    Role,
}

/// Which commands need which approvals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The policy's name in logs.
    pub id: String,
    /// How many must approve.
    #[serde(rename = "type")]
    pub kind: PolicyKind,
    /// How many people, for `quorum` and `role`; at least 1.
    #[serde(default = "one")]
    pub min: u32,
    /// Who, for `quorum` and `all`; for `any`, empty means every reviewer.
    #[serde(default)]
    pub group: Vec<String>,
    /// Which role, for `role`.
    #[serde(default)]
    pub role: Option<String>,
    /// Which commands, a word-wise glob; `*` alone is every command.
    pub pattern: String,
    /// Only what does one of these, however it is spelt: `deletes`, `writes`, `runs-unseen`, `network`,
    /// `changes:NAME`. Such a policy is asked beside those for patterns, never in their place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<String>,
    /// Which target hosts, a glob.
    #[serde(default)]
    pub target: Option<String>,
    /// Which users on the target, a glob.
    #[serde(default)]
    pub user: Option<String>,
    /// Tags the target must all have.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Only from this level up.
    #[serde(default)]
    pub min_level: Option<Level>,
    /// Only in these hours of the day, UTC, from (inclusive) and to (exclusive); may wrap round midnight.
    #[serde(default)]
    pub hours: Option<(u8, u8)>,
    /// How long people have, 5 to 86,400 s; 60 s when absent.
    #[serde(default)]
    pub timeout_seconds: Option<u64>,
    /// After how long others are asked as well.
    #[serde(default)]
    pub escalate_after_seconds: Option<u64>,
    /// Which others.
    #[serde(default)]
    pub escalate_to: Vec<String>,
}

impl Policy {
    /// One of everybody who may decide has to approve what matches the pattern, wherever it is to run.
    #[must_use]
    pub fn any(id: impl Into<String>, pattern: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            kind: PolicyKind::Any,
            min: one(),
            group: Vec::new(),
            role: None,
            pattern: pattern.into(),
            effects: Vec::new(),
            target: None,
            user: None,
            tags: Vec::new(),
            min_level: None,
            hours: None,
            timeout_seconds: None,
            escalate_after_seconds: None,
            escalate_to: Vec::new(),
        }
    }
}

fn one() -> u32 {
    1
}

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("policy {id}: {message}")]
pub struct PolicyError {
    /// Which policy.
    pub id: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// What one command needs, frozen when it is submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// The policy it came from; `None` is the default of one reviewer.
    pub policy: Option<String>,
    /// How many must approve.
    pub kind: PolicyKind,
    /// How many people.
    pub min: u32,
    /// Who may.
    pub group: Vec<String>,
    /// Which role they need.
    pub role: Option<String>,
    /// How long they have, in seconds.
    pub timeout_seconds: u64,
    /// After how many seconds others are asked.
    pub escalate_after_seconds: Option<u64>,
    /// Which others.
    pub escalate_to: Vec<String>,
    /// The others are asked as well by now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub escalated: bool,
    /// What is needed beside it: the commands of one line may need several things.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Self>,
    /// One line for people.
    pub why: String,
}

impl Requirement {
    /// Whether this person's approval counts.
    #[must_use]
    pub fn counts(&self, voter: &Voter) -> bool {
        self.parts().any(|part| part.counts_alone(voter))
    }

    /// Each thing that is needed, by itself.
    pub fn parts(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.also)
    }

    /// Who else is asked later.
    #[must_use]
    pub fn escalates_to(&self) -> Vec<String> {
        let all: std::collections::BTreeSet<&String> =
            self.parts().flat_map(|part| &part.escalate_to).collect();
        all.into_iter().cloned().collect()
    }

    /// Asks the others as well from now on.
    pub fn escalate(&mut self) {
        self.escalated = true;
        for part in &mut self.also {
            part.escalated = true;
        }
    }

    /// Everything that is needed, together. The longest time is given: its end only denies.
    #[must_use]
    pub fn together(parts: Vec<Self>) -> Self {
        // Any one reviewer is among those whom the others need.
        let anybody = |part: &Self| part.kind == PolicyKind::Any && part.group.is_empty();
        let mut kept: Vec<Self> = parts.iter().filter(|part| !anybody(part)).cloned().collect();
        if kept.is_empty() {
            kept.extend(parts.into_iter().take(1));
        }
        kept.sort_by(|a, b| {
            b.needed_alone().cmp(&a.needed_alone()).then_with(|| a.policy.cmp(&b.policy))
        });
        kept.dedup_by(|a, b| a.policy == b.policy);
        let longest = kept.iter().map(|part| part.timeout_seconds).max();
        let latest = kept.iter().map(|part| part.escalate_after_seconds).max().flatten();
        let why: Vec<&str> = kept.iter().map(|part| part.why.as_str()).collect();
        let why = why.join("; and ");
        let mut kept = kept.into_iter();
        let Some(mut first) = kept.next() else { return Self::default() };
        first.also = kept.collect();
        if !first.also.is_empty() {
            first.timeout_seconds = longest.unwrap_or(first.timeout_seconds);
            first.escalate_after_seconds = latest;
            first.why = why;
        }
        first
    }

    fn counts_alone(&self, voter: &Voter) -> bool {
        let is_in = |list: &[String]| list.contains(&voter.person);
        if self.escalated && is_in(&self.escalate_to) {
            return true;
        }
        match self.kind {
            PolicyKind::Any => self.group.is_empty() || is_in(&self.group),
            PolicyKind::Quorum | PolicyKind::All => is_in(&self.group),
            PolicyKind::Role => self.role.as_ref().is_some_and(|role| voter.roles.contains(role)),
        }
    }

    /// How many approvals are needed. Those who are asked later may stand in for others, but make
    /// it no more and no fewer.
    #[must_use]
    pub fn needed(&self) -> u32 {
        self.parts().map(Self::needed_alone).max().unwrap_or(1)
    }

    fn needed_alone(&self) -> u32 {
        match self.kind {
            PolicyKind::Any => 1,
            PolicyKind::Quorum | PolicyKind::Role => self.min.max(1),
            PolicyKind::All => {
                let people: std::collections::BTreeSet<&String> = self.group.iter().collect();
                u32::try_from(people.len()).unwrap_or(u32::MAX).max(1)
            }
        }
    }
}

impl Default for Requirement {
    fn default() -> Self {
        Self {
            policy: None,
            kind: PolicyKind::Any,
            min: 1,
            group: Vec::new(),
            role: None,
            timeout_seconds: 60,
            escalate_after_seconds: None,
            escalate_to: Vec::new(),
            escalated: false,
            also: Vec::new(),
            why: "no policy matches: any one reviewer".to_owned(),
        }
    }
}
