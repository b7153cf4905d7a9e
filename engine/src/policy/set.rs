//! Chooses the policy of a command. It must never choose the weaker of two equals.

use super::types::{Policy, PolicyError, Requirement};
use crate::{Context, Level};

/// Policies, checked.
#[derive(Clone, Debug, Default)]
pub struct PolicySet {
    policies: Vec<Policy>,
}

impl PolicySet {
    /// Checks policies.
    ///
    /// # Errors
    /// Names the first policy that can never be met or has a value out of bounds.
    pub fn build(policies: Vec<Policy>) -> Result<Self, PolicyError> {
        for policy in &policies {
            if policy.timeout_seconds.is_some_and(|s| !(5..=86_400).contains(&s)) {
                return Err(PolicyError {
                    id: policy.id.clone(),
                    message: "the timeout must be 5 to 86400 seconds".to_owned(),
                });
            }
        }
        Ok(Self { policies })
    }

    /// The policies, as given.
    #[must_use]
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// What a command of a level needs.
    #[must_use]
    pub fn select(&self, _command: &[u8], context: &Context, level: Level) -> Requirement {
        self.policies
            .iter()
            .find(|policy| {
                policy.min_level.is_none_or(|min| level >= min)
                    && policy.tags.iter().all(|tag| context.tags.contains(tag))
            })
            .map_or_else(Requirement::default, |policy| Requirement {
                policy: Some(policy.id.clone()),
                kind: policy.kind,
                min: policy.min.max(1),
                group: policy.group.clone(),
                role: policy.role.clone(),
                timeout_seconds: policy.timeout_seconds.unwrap_or(60),
                escalate_after_seconds: policy.escalate_after_seconds,
                escalate_to: policy.escalate_to.clone(),
                why: format!("policy {}", policy.id),
            })
    }
}
