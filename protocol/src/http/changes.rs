//! Changes of what is allowed and of who decides: what they do, and what they wait for.

use expacti_engine::{Effect, Policy, Rule};
use serde::{Deserialize, Serialize};

use super::{Approval, NewPrincipal, PrincipalCreated, Target};
use crate::ids::ChangeId;

/// What a change does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Adds a principal that a policy would count.
    AddPrincipal {
        /// Who.
        principal: NewPrincipal,
        /// The hash of its token; kept by the broker and shown to nobody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_hash: Option<String>,
    },
    /// Does what a file says, all of it or nothing.
    Apply {
        /// One thing after the other.
        steps: Vec<Step>,
    },
    /// Adds a policy that goes before a stricter one.
    AddPolicy {
        /// The policy; its id is set when it is added.
        policy: Policy,
    },
    /// Adds a key with which somebody signs whom a policy would count.
    AddSigningKey {
        /// Whose.
        person: String,
        /// The key.
        public_key: String,
    },
    /// Adds a target, or replaces what its name stands for.
    SetTarget {
        /// What it stands for from then on.
        target: Target,
    },
    /// Removes a target.
    RemoveTarget {
        /// What its name stands for.
        target: Target,
    },
    /// Removes a policy.
    RemovePolicy {
        /// Which.
        policy: Policy,
    },
    /// Removes a rule that denies.
    RemoveRule {
        /// Which.
        rule: Rule,
    },
}

/// What there is to be: the body of `POST /v1/apply`. What is not named is left as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wanted {
    /// Agents, by name.
    pub agents: Option<Vec<WantedAgent>>,
    /// Policies; their ids do not matter.
    pub policies: Option<Vec<Policy>>,
    /// Rules; their ids, authors and times do not matter.
    pub rules: Option<Vec<Rule>>,
    /// Targets, by name.
    pub targets: Option<Vec<Target>>,
    /// Of each kind that is named, what is not is removed.
    pub prune: bool,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// An agent that there is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedAgent {
    /// Its name.
    pub name: String,
    /// Its public key, or the authority that signs its certificates, as in [`NewPrincipal`].
    pub public_key: String,
    /// The person who answers for it.
    pub owner: String,
}

/// One thing that is done to get there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Removes an agent; one that is to have another key or owner, too.
    RemoveAgent {
        /// Its name.
        name: String,
    },
    /// Removes a target.
    RemoveTarget {
        /// What its name stands for.
        target: Target,
    },
    /// Adds a target, or replaces what its name stands for.
    SetTarget {
        /// What it stands for from then on.
        target: Target,
    },
    /// Adds an agent.
    AddAgent {
        /// Which.
        agent: WantedAgent,
    },
    /// Removes a policy.
    RemovePolicy {
        /// Which.
        policy: Policy,
    },
    /// Adds a policy.
    AddPolicy {
        /// Which.
        policy: Policy,
    },
    /// Removes a rule.
    RemoveRule {
        /// Which.
        rule: Rule,
    },
    /// Adds a rule.
    AddRule {
        /// Which.
        rule: Rule,
    },
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, user, host, port, host_keys, tags, logins } = self;
        write!(f, "{name} {user}@{host}:{port}")?;
        for (what, all) in [("tags", tags), ("logins", logins), ("host keys", host_keys)] {
            if !all.is_empty() {
                write!(f, ", {what} {}", all.join(" "))?;
            }
        }
        Ok(())
    }
}

fn word(rule: &Rule) -> &'static str {
    match rule.effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
    }
}

/// Names what is done; for a screen it has to be cleaned, and policies and rules are described there.
impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RemoveAgent { name } => write!(f, "- agent {name}"),
            Self::RemoveTarget { target } => write!(f, "- target {target}"),
            Self::SetTarget { target } => write!(f, "+ target {target}"),
            Self::AddAgent { agent } => {
                write!(f, "+ agent {} of {}, key {}", agent.name, agent.owner, agent.public_key)
            }
            Self::RemovePolicy { policy } => {
                write!(f, "- policy {} for {}", policy.id, policy.pattern)
            }
            Self::AddPolicy { policy } => write!(f, "+ policy for {}", policy.pattern),
            Self::RemoveRule { rule } => {
                write!(f, "- rule {} {} {}", rule.id, word(rule), rule.pattern)
            }
            Self::AddRule { rule } => write!(f, "+ rule {} {}", word(rule), rule.pattern),
        }
    }
}

/// The answer to `POST /v1/apply`: done, or only said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// What was, or would be, done; nothing if all is as it is to be.
    pub steps: Vec<Step>,
    /// What asks for the approval of others first, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Whose approval would count, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may_approve: Vec<String>,
}

/// A change that makes something weaker and waits for the approval that this asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its id.
    pub id: ChangeId,
    /// What it does.
    #[serde(flatten)]
    pub action: Action,
    /// Who proposed it.
    pub by: String,
    /// Proposed at, in seconds since the Unix epoch; it ends a day later.
    pub at: i64,
    /// Who approved it, including the person who proposed it.
    pub approvals: Vec<Approval>,
    /// What asks for more.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Approvals still missing.
    #[serde(default)]
    pub missing: u32,
    /// Whose approval would count, by name.
    #[serde(default)]
    pub may_approve: Vec<String>,
}

/// The answer to a request that changes a policy or rule: done, or waiting for others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Changed<T> {
    /// It waits (status 202).
    Waiting {
        /// The change.
        change: Box<Change>,
    },
    /// It is done.
    Done(T),
}

/// The answer to `POST /v1/principals`: added, or waiting for others.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PrincipalAdded {
    /// It waits (status 202).
    Waiting {
        /// The change.
        change: Box<Change>,
        /// The bearer token it will have; it opens nothing before the change is approved.
        token: Option<String>,
    },
    /// It is added.
    Done(PrincipalCreated),
}

impl std::fmt::Debug for PrincipalAdded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Waiting { change, .. } => {
                f.debug_struct("Waiting").field("change", change).finish_non_exhaustive()
            }
            Self::Done(created) => f.debug_tuple("Done").field(created).finish(),
        }
    }
}
