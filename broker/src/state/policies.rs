//! Policies: each change is checked, written down and told. One that makes something weaker must
//! never happen without the approval that this asks for.

use expacti_audit::Entry;
use expacti_engine::{Policy, PolicySet};
use expacti_protocol::http::{Action, Changed};
use expacti_protocol::ids::PolicyId;
use expacti_protocol::reviewer::RuleChange;

use super::authority::needs_admin;
use super::model::State;
use super::ports::{Now, Peer, Refusal, Write};
use super::shown::Kept;

impl State {
    /// Adds a policy; its id is set here. One that goes before a stricter one needs the approval
    /// that this asks for.
    pub(crate) fn add_policy(
        &mut self,
        by: &Peer,
        mut policy: Policy,
        now: Now,
    ) -> Result<Changed<Policy>, Refusal> {
        needs_admin(by, "change policies")?;
        policy.id = PolicyId::new().to_string();
        PolicySet::build(vec![policy.clone()]).map_err(|e| Refusal::invalid(e.to_string()))?;
        let action = Action::AddPolicy { policy: policy.clone() };
        if let Some(change) = self.propose(by, action, now)? {
            return Ok(Changed::Waiting { change: Box::new(change) });
        }
        self.keep_policy(by, &policy, Vec::new(), now)?;
        Ok(Changed::Done(policy))
    }

    pub(super) fn keep_policy(
        &mut self,
        by: &Peer,
        policy: &Policy,
        approved_by: Vec<String>,
        now: Now,
    ) -> Result<(), Refusal> {
        self.policies.insert(policy.id.clone(), policy.clone());
        self.rebuild_snapshot()?;
        self.writes.push(Write::Policy { id: policy.id.clone(), body: Some(Kept::exact(policy)?) });
        let entry = Entry::new("policy_changed", &now.rfc3339())
            .with("change", "added")
            .with("policy", policy.id.as_str())
            .with("by", by.name.as_str())
            .with_some("approved_by", (!approved_by.is_empty()).then_some(approved_by))
            .with("body", serde_json::to_value(policy).unwrap_or_default());
        self.audit(&entry)?;
        self.notify_rule_changed(RuleChange::PolicyChanged, &policy.id, by);
        Ok(())
    }

    /// Removes a policy, with the approval that it asks for.
    pub(crate) fn remove_policy(
        &mut self,
        by: &Peer,
        id: &str,
        now: Now,
    ) -> Result<Changed<Policy>, Refusal> {
        needs_admin(by, "change policies")?;
        let policy = self
            .policies
            .get(&id.to_owned())
            .cloned()
            .ok_or_else(|| Refusal::not_found(format!("policy {id}")))?;
        let action = Action::RemovePolicy { policy: policy.clone() };
        if let Some(change) = self.propose(by, action, now)? {
            return Ok(Changed::Waiting { change: Box::new(change) });
        }
        self.drop_policy(by, &policy, Vec::new(), now)?;
        Ok(Changed::Done(policy))
    }

    pub(super) fn drop_policy(
        &mut self,
        by: &Peer,
        policy: &Policy,
        approved_by: Vec<String>,
        now: Now,
    ) -> Result<(), Refusal> {
        self.policies.remove(&policy.id);
        self.rebuild_snapshot()?;
        self.writes.push(Write::Policy { id: policy.id.clone(), body: None });
        let entry = Entry::new("policy_changed", &now.rfc3339())
            .with("change", "removed")
            .with("policy", policy.id.as_str())
            .with("by", by.name.as_str())
            .with_some("approved_by", (!approved_by.is_empty()).then_some(approved_by));
        self.audit(&entry)?;
        self.notify_rule_changed(RuleChange::PolicyChanged, &policy.id, by);
        Ok(())
    }

    /// The policies, by id.
    pub(crate) fn policy_list(&self) -> Vec<Policy> {
        let mut all: Vec<_> = self.policies.values().cloned().collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }
}
