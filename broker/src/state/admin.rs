//! Rules, policies, principals and targets: each change is checked, written down and told.

use std::sync::Arc;

use expacti_audit::Entry;
use expacti_engine::{Effect, Policy, PolicySet, Rule, RuleSet, Snapshot, check_rule};
use expacti_protocol::http::{
    Action, Changed, NewPrincipal, PrincipalView, RuleView, RulesEnsured, Target,
};
use expacti_protocol::ids::{PolicyId, PrincipalId, RuleId};
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::{ErrorCode, ReviewerEvent};

use super::changes::approval;
use super::{Now, Outgoing, Peer, PrincipalRow, Refusal, State, Write};

pub(super) fn needs_admin(by: &Peer, what: &str) -> Result<(), Refusal> {
    if by.inside_wrap {
        return Err(Refusal::not_entitled(format!("a program run by expacti wrap may not {what}")));
    }
    if by.may_administer() {
        Ok(())
    } else {
        Err(Refusal::not_entitled(format!("{} ({}) may not {what}", by.name, by.role)))
    }
}

pub(super) fn body<T: serde::Serialize>(value: &T) -> Result<String, Refusal> {
    serde_json::to_string(value).map_err(|e| Refusal::failed(e.to_string()))
}

/// A rule as it is kept: its id, author and time are set here.
fn new_rule(by: &Peer, mut rule: Rule, now: Now) -> Result<RuleView, Refusal> {
    rule.id = RuleId::new().to_string();
    rule.author = by.name.clone();
    rule.created_at = now.micros;
    rule.hits = 0;
    check_rule(&rule).map_err(|e| Refusal::invalid(e.to_string()))?;
    if rule.expires_at.is_some_and(|t| t <= now.micros) {
        return Err(Refusal::invalid("the rule would have expired already"));
    }
    Ok(RuleView { approvals: vec![approval(by, now)], rule })
}

/// Whether two rules decide the same commands in the same way, for the same time.
fn does_the_same(a: &Rule, b: &Rule) -> bool {
    a.kind == b.kind
        && a.pattern == b.pattern
        && a.effect == b.effect
        && a.scope == b.scope
        && a.expires_at == b.expires_at
}

impl State {
    /// Builds the engine's snapshot from the present rules and policies.
    pub(crate) fn rebuild_snapshot(&mut self) -> Result<(), Refusal> {
        let mut rules: Vec<Rule> = self.rules.values().map(|view| view.rule.clone()).collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        let mut policies: Vec<Policy> = self.policies.values().cloned().collect();
        policies.sort_by(|a, b| a.id.cmp(&b.id));
        self.snapshot = Arc::new(Snapshot {
            tables: self.snapshot.tables.clone(),
            rules: RuleSet::build(rules).map_err(|e| Refusal::invalid(e.to_string()))?,
            policies: PolicySet::build(policies).map_err(|e| Refusal::invalid(e.to_string()))?,
        });
        Ok(())
    }

    pub(super) fn notify_rule_changed(&mut self, change: &str, id: &str, by: &Peer) {
        self.outgoing.push(Outgoing::Review(ReviewerEvent::RuleChanged {
            change: change.to_owned(),
            id: id.to_owned(),
            by: by.name.clone(),
        }));
    }

    /// Adds a rule; its id, author and time are set here. One that allows holds where its author
    /// alone could allow the command; elsewhere others have to approve it first.
    pub(crate) fn add_rule(
        &mut self,
        by: &Peer,
        rule: Rule,
        now: Now,
    ) -> Result<RuleView, Refusal> {
        let mut added = self.add_rules(by, vec![rule], now)?;
        added.pop().ok_or_else(|| Refusal::failed("no rule was added"))
    }

    /// Adds rules, all or none.
    pub(crate) fn add_rules(
        &mut self,
        by: &Peer,
        rules: Vec<Rule>,
        now: Now,
    ) -> Result<Vec<RuleView>, Refusal> {
        needs_admin(by, "change rules")?;
        let added =
            rules.into_iter().map(|rule| new_rule(by, rule, now)).collect::<Result<Vec<_>, _>>()?;
        self.keep_rules(by, &added, now)?;
        Ok(added)
    }

    /// Adds those of the rules that are missing, all or none. A rule that exists with the same
    /// pattern, effect, scope and end is left as it is, with its approvals.
    pub(crate) fn ensure_rules(
        &mut self,
        by: &Peer,
        rules: Vec<Rule>,
        now: Now,
    ) -> Result<RulesEnsured, Refusal> {
        needs_admin(by, "change rules")?;
        let mut ensured = RulesEnsured { added: Vec::new(), present: Vec::new() };
        for rule in rules {
            let same = |view: &&RuleView| does_the_same(&view.rule, &rule);
            if let Some(present) = self.rules.values().find(same) {
                ensured.present.push(present.clone());
            } else if !ensured.added.iter().any(|view| same(&view)) {
                ensured.added.push(new_rule(by, rule, now)?);
            }
        }
        if !ensured.added.is_empty() {
            self.keep_rules(by, &ensured.added, now)?;
        }
        Ok(ensured)
    }

    fn keep_rules(&mut self, by: &Peer, added: &[RuleView], now: Now) -> Result<(), Refusal> {
        for view in added {
            self.rules.insert(view.rule.id.clone(), view.clone());
        }
        // Compiled once for all of them, and before anything is written: a set that cannot be
        // compiled refuses the whole job.
        self.rebuild_snapshot()?;
        for view in added {
            self.write_rule(view)?;
            let entry = Entry::new("rule_added", &now.rfc3339())
                .with("rule", view.rule.id.as_str())
                .with("by", by.name.as_str())
                .with("body", serde_json::to_value(&view.rule).unwrap_or_default());
            self.audit(&entry)?;
            self.notify_rule_changed("added", &view.rule.id, by);
        }
        Ok(())
    }

    /// One more person stands for a rule that allows.
    pub(crate) fn approve_rule(
        &mut self,
        by: &Peer,
        id: &str,
        now: Now,
    ) -> Result<RuleView, Refusal> {
        if !by.may_decide() {
            return Err(Refusal::not_entitled(format!(
                "{} ({}) may not approve rules",
                by.name, by.role
            )));
        }
        let view = self
            .rules
            .get_mut(&id.to_owned())
            .ok_or_else(|| Refusal::not_found(format!("rule {id}")))?;
        if view.approvals.iter().any(|approval| approval.by == by.name) {
            return Err(Refusal::new(
                ErrorCode::TooLate,
                format!("{} stands for this rule already", by.name),
            ));
        }
        view.approvals.push(approval(by, now));
        let view = view.clone();
        self.write_rule(&view)?;
        let entry = Entry::new("rule_approved", &now.rfc3339())
            .with("rule", id)
            .with("pattern", view.rule.pattern.as_str())
            .with("by", by.name.as_str());
        self.audit(&entry)?;
        self.notify_rule_changed("approved", id, by);
        Ok(view)
    }

    fn write_rule(&mut self, view: &RuleView) -> Result<(), Refusal> {
        let text = body(view)?;
        self.writes.push(Write::Rule { id: view.rule.id.clone(), body: Some(text) });
        Ok(())
    }

    /// Removes a rule. One that denies goes only with the approval that policies ask for.
    pub(crate) fn remove_rule(
        &mut self,
        by: &Peer,
        id: &str,
        now: Now,
    ) -> Result<Changed<Rule>, Refusal> {
        needs_admin(by, "change rules")?;
        let rule = self
            .rules
            .get(&id.to_owned())
            .map(|view| view.rule.clone())
            .ok_or_else(|| Refusal::not_found(format!("rule {id}")))?;
        if rule.effect == Effect::Deny
            && let Some(change) =
                self.propose(by, Action::RemoveRule { rule: rule.clone() }, now)?
        {
            return Ok(Changed::Waiting { change: Box::new(change) });
        }
        self.drop_rule(by, &rule, Vec::new(), now)?;
        Ok(Changed::Done(rule))
    }

    pub(super) fn drop_rule(
        &mut self,
        by: &Peer,
        rule: &Rule,
        approved_by: Vec<String>,
        now: Now,
    ) -> Result<(), Refusal> {
        self.rules.remove(&rule.id);
        self.rebuild_snapshot()?;
        self.writes.push(Write::Rule { id: rule.id.clone(), body: None });
        let entry = Entry::new("rule_removed", &now.rfc3339())
            .with("rule", rule.id.as_str())
            .with("pattern", rule.pattern.as_str())
            .with("by", by.name.as_str())
            .with_some("approved_by", (!approved_by.is_empty()).then_some(approved_by));
        self.audit(&entry)?;
        self.notify_rule_changed("removed", &rule.id, by);
        Ok(())
    }

    /// Counts that a rule decided.
    pub(crate) fn count_hit(&mut self, id: Option<&str>) {
        let Some(id) = id else { return };
        let Some(view) = self.rules.get_mut(&id.to_owned()) else { return };
        view.rule.hits = view.rule.hits.saturating_add(1);
        let view = view.clone();
        let _ = self.write_rule(&view);
    }

    /// The rules, oldest first.
    pub(crate) fn rule_list(&self) -> Vec<RuleView> {
        let mut all: Vec<_> = self.rules.values().cloned().collect();
        let key = |view: &RuleView| (view.rule.created_at, view.rule.id.clone());
        all.sort_by_key(key);
        all
    }

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
        self.writes.push(Write::Policy { id: policy.id.clone(), body: Some(body(policy)?) });
        let entry = Entry::new("policy_changed", &now.rfc3339())
            .with("change", "added")
            .with("policy", policy.id.as_str())
            .with("by", by.name.as_str())
            .with_some("approved_by", (!approved_by.is_empty()).then_some(approved_by))
            .with("body", serde_json::to_value(policy).unwrap_or_default());
        self.audit(&entry)?;
        self.notify_rule_changed("policy_changed", &policy.id, by);
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
        self.notify_rule_changed("policy_changed", &policy.id, by);
        Ok(())
    }

    /// The policies, by id.
    pub(crate) fn policy_list(&self) -> Vec<Policy> {
        let mut all: Vec<_> = self.policies.values().cloned().collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// Adds a principal; `token_hash` is that of the token its owner will be shown. One that a
    /// policy would count needs the approval that this asks for: otherwise an admin could meet a
    /// quorum with people of their own making.
    pub(crate) fn add_principal(
        &mut self,
        by: &Peer,
        new: NewPrincipal,
        token_hash: Option<String>,
        now: Now,
    ) -> Result<Changed<PrincipalView>, Refusal> {
        needs_admin(by, "add principals")?;
        self.check_principal(&new)?;
        // Who says of an agent that it is their own only takes a vote away: theirs.
        let own = new.role == Role::Agent && new.owner.as_ref() == Some(&by.name);
        if !own {
            let action =
                Action::AddPrincipal { principal: new.clone(), token_hash: token_hash.clone() };
            if let Some(change) = self.propose(by, action, now)? {
                return Ok(Changed::Waiting { change: Box::new(change) });
            }
        }
        self.keep_principal(by, &new, token_hash, Vec::new(), now).map(Changed::Done)
    }

    /// What is wrong with a new principal; its key as it is kept otherwise.
    fn check_principal(&self, new: &NewPrincipal) -> Result<Option<String>, Refusal> {
        if new.role == Role::Owner {
            return Err(Refusal::invalid("there is one owner: the user of the broker's machine"));
        }
        let good = !new.name.is_empty()
            && new.name.len() <= 64
            && new.name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_@".contains(c));
        if !good {
            return Err(Refusal::invalid(format!(
                "{:?} is not a name: use letters, digits, '.', '_', '-', '@', at most 64",
                new.name
            )));
        }
        if self.principals.get(&new.name).is_some() {
            return Err(Refusal::invalid(format!("there is a principal {} already", new.name)));
        }
        let public_key = new.public_key.as_deref().map(credential).transpose()?;
        if new.role == Role::Agent && public_key.is_none() {
            return Err(Refusal::invalid(
                "an agent logs in with a key or a certificate: name its public key or the authority",
            ));
        }
        if let Some(key) = &public_key
            && let Some(other) =
                self.principals.values().find(|p| p.public_key.as_ref() == Some(key))
        {
            return Err(Refusal::invalid(format!("that key belongs to {} already", other.name)));
        }
        Ok(public_key)
    }

    pub(super) fn keep_principal(
        &mut self,
        by: &Peer,
        new: &NewPrincipal,
        token_hash: Option<String>,
        approved_by: Vec<String>,
        now: Now,
    ) -> Result<PrincipalView, Refusal> {
        // Others may have come since it was proposed.
        let public_key = self.check_principal(new)?;
        let view = PrincipalView {
            id: PrincipalId::new().to_string(),
            name: new.name.clone(),
            role: new.role,
            public_key,
            owner: new.owner.clone(),
            created_at: now.seconds(),
        };
        self.principals.insert(view.name.clone(), view.clone());
        self.writes.push(Write::Principal {
            id: view.id.clone(),
            row: Some(PrincipalRow {
                name: view.name.clone(),
                role: view.role,
                token_hash,
                public_key: view.public_key.clone(),
                body: body(&view)?,
            }),
        });
        let entry = Entry::new("principal_added", &now.rfc3339())
            .with("principal", view.name.as_str())
            .with("role", view.role.as_str())
            .with("by", by.name.as_str())
            .with_some("public_key", view.public_key.clone())
            .with_some("owner", view.owner.clone())
            .with_some("approved_by", (!approved_by.is_empty()).then_some(approved_by));
        self.audit(&entry)?;
        if view.role.may_decide() {
            self.tell_pending()?;
        }
        Ok(view)
    }

    /// Removes a principal: its token and key open nothing any more.
    pub(crate) fn remove_principal(
        &mut self,
        by: &Peer,
        name: &str,
        now: Now,
    ) -> Result<PrincipalView, Refusal> {
        needs_admin(by, "remove principals")?;
        let view = self
            .principals
            .remove(&name.to_owned())
            .ok_or_else(|| Refusal::not_found(format!("principal {name}")))?;
        self.writes.push(Write::Principal { id: view.id.clone(), row: None });
        let entry = Entry::new("principal_removed", &now.rfc3339())
            .with("principal", name)
            .with("by", by.name.as_str());
        self.audit(&entry)?;
        if view.role.may_decide() && view.name != self.owner {
            self.forget_votes(name, now)?;
            self.forget_approvals(name)?;
        }
        if view.role == Role::Agent {
            let open: Vec<_> = self
                .sessions
                .iter()
                .filter(|(_, s)| s.view.info.agent == name)
                .map(|(id, s)| (id.clone(), s.gate))
                .collect();
            for (id, gate) in open {
                self.cut_off(&id, gate, &by.name, "the agent was removed", now)?;
            }
        }
        Ok(view)
    }

    /// Refuses a peer whose principal was removed (or is another now) since it connected.
    pub(crate) fn still_known(&self, peer: &Peer) -> Result<(), Refusal> {
        let known = peer.role == Role::Owner
            || self.principals.get(&peer.name).is_some_and(|p| p.role == peer.role);
        if known {
            Ok(())
        } else {
            Err(Refusal::not_entitled(format!("{} ({}) was removed", peer.name, peer.role)))
        }
    }

    /// The principals, by name.
    pub(crate) fn principal_list(&self) -> Vec<PrincipalView> {
        let mut all: Vec<_> = self.principals.values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// The agents that log in with certificates, by name.
    pub(crate) fn certified_agents(&self) -> Vec<PrincipalView> {
        let certified = |p: &PrincipalView| {
            p.role == Role::Agent
                && p.public_key.as_deref().is_some_and(|key| key.starts_with(AUTHORITY))
        };
        self.principal_list().into_iter().filter(certified).collect()
    }

    /// The agent with that public key.
    pub(crate) fn agent_of_key(&self, key: &str) -> Option<PrincipalView> {
        let key = bare_key(key).ok()?;
        self.principals
            .values()
            .find(|p| p.role == Role::Agent && p.public_key.as_deref() == Some(key.as_str()))
            .cloned()
    }

    /// Adds or replaces a target.
    pub(crate) fn add_target(
        &mut self,
        by: &Peer,
        target: Target,
        now: Now,
    ) -> Result<Target, Refusal> {
        needs_admin(by, "change targets")?;
        if target.name.is_empty()
            || target.host.is_empty()
            || target.port == 0
            || target.user.is_empty()
        {
            return Err(Refusal::invalid("a target needs a name and user@host:port"));
        }
        if target.name.contains('%') || target.name.contains(char::is_whitespace) {
            return Err(Refusal::invalid("a target's name holds no '%' and no white space"));
        }
        if target.host_keys.is_empty() {
            return Err(Refusal::invalid("a target needs its host key: see ssh-keyscan(1)"));
        }
        self.targets.insert(target.name.clone(), target.clone());
        let text = body(&target)?;
        self.writes.push(Write::Target { name: target.name.clone(), body: Some(text.clone()) });
        let entry = Entry::new("target_added", &now.rfc3339())
            .with("target", target.name.as_str())
            .with("by", by.name.as_str())
            .with("body", serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default());
        self.audit(&entry)?;
        Ok(target)
    }

    /// Removes a target.
    pub(crate) fn remove_target(
        &mut self,
        by: &Peer,
        name: &str,
        now: Now,
    ) -> Result<Target, Refusal> {
        needs_admin(by, "change targets")?;
        let target = self
            .targets
            .remove(&name.to_owned())
            .ok_or_else(|| Refusal::not_found(format!("target {name}")))?;
        self.writes.push(Write::Target { name: name.to_owned(), body: None });
        let entry = Entry::new("target_removed", &now.rfc3339())
            .with("target", name)
            .with("by", by.name.as_str());
        self.audit(&entry)?;
        Ok(target)
    }

    /// The targets, by name.
    pub(crate) fn target_list(&self) -> Vec<Target> {
        let mut all: Vec<_> = self.targets.values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }
}

/// How the line of an authority begins, as in `authorized_keys`.
const AUTHORITY: &str = "cert-authority,principals=\"";

/// What an agent logs in with: a public key, or an authority that signs its certificates and the
/// principals that make one its own.
fn credential(line: &str) -> Result<String, Refusal> {
    let Some(rest) = line.trim_start().strip_prefix(AUTHORITY) else { return bare_key(line) };
    let wrong = || {
        Refusal::invalid(
            "not an authority: expected cert-authority,principals=\"NAME,...\" and a public key",
        )
    };
    let (principals, key) = rest.split_once("\" ").ok_or_else(wrong)?;
    let plain = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic() && !"\",\\".contains(c))
    };
    if !principals.split(',').all(plain) {
        return Err(wrong());
    }
    Ok(format!("{AUTHORITY}{principals}\" {}", bare_key(key)?))
}

/// A public key as `type base64`, without options or comment.
fn bare_key(line: &str) -> Result<String, Refusal> {
    let mut words = line.split_whitespace();
    match (words.next(), words.next()) {
        (Some(kind), Some(key))
            if (kind.starts_with("ssh-")
                || kind.starts_with("ecdsa-")
                || kind.starts_with("sk-"))
                && !key.is_empty() =>
        {
            Ok(format!("{kind} {key}"))
        }
        _ => Err(Refusal::invalid("not a public key: expected a line as in a .pub file")),
    }
}
