//! Rules: each change is checked, written down and told. A rule must never allow what the people
//! who approved it could not.

use expacti_audit::Entry;
use expacti_engine::{Effect, Rule, check_rule};
use expacti_protocol::command::CommandView;
use expacti_protocol::http::{Action, Approval, Changed, RuleView, RulesEnsured};
use expacti_protocol::ids::RuleId;
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::RuleChange;

use super::authority::needs_admin;
use super::model::State;
use super::ports::{Now, Peer, Refusal, Write};
use super::shown::Kept;

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
    Ok(RuleView { approvals: vec![by.approval(now)], rule })
}

/// Whether two rules decide the same commands in the same way, for the same time.
fn does_the_same(a: &Rule, b: &Rule) -> bool {
    a.kind == b.kind
        && a.pattern == b.pattern
        && a.effect == b.effect
        && a.scope == b.scope
        && a.expires_at == b.expires_at
        && a.terminal == b.terminal
        && a.stdin == b.stdin
}

impl State {
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
            self.notify_rule_changed(RuleChange::Added, &view.rule.id, by);
        }
        Ok(())
    }

    /// One more person approves a rule that allows.
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
            return Err(Refusal::already_voted(&by.name));
        }
        view.approvals.push(by.approval(now));
        let view = view.clone();
        self.write_rule(&view)?;
        let entry = Entry::new("rule_approved", &now.rfc3339())
            .with("rule", id)
            .with("pattern", view.rule.pattern.as_str())
            .with("by", by.name.as_str());
        self.audit(&entry)?;
        self.notify_rule_changed(RuleChange::Approved, id, by);
        Ok(view)
    }

    pub(super) fn write_rule(&mut self, view: &RuleView) -> Result<(), Refusal> {
        let text = Kept::exact(view)?;
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
        self.notify_rule_changed(RuleChange::Removed, &rule.id, by);
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

    /// Why a rule that matches does not allow this command by itself: the people who approved it
    /// could not have allowed the command either.
    pub(super) fn rule_gap(&self, rule: &str, view: &CommandView) -> Option<String> {
        let Some(mut found) = self.rules.get(&rule.to_owned()).cloned() else {
            return Some("the rule is gone".to_owned());
        };
        if found.approvals.is_empty() {
            found.approvals.push(self.approval_of_author(&found.rule));
        }
        // Approvals end with the people, and whoever answers for the agent gives none.
        let people = self.people();
        found.approvals.retain(|approval| {
            people.iter().any(|voter| voter.person == approval.by)
                && !self.is_behind(&approval.by, &view.session)
        });
        if found.approvals.is_empty() {
            return Some(format!(
                "nobody who may decide here stands behind the rule {rule} any more"
            ));
        }
        let session = &view.session;
        found.gap(&view.requirement, &session.agent, session.owner.as_deref())
    }

    /// Rules of earlier versions know their author only.
    fn approval_of_author(&self, rule: &Rule) -> Approval {
        let role = match self.principals.get(&rule.author) {
            Some(principal) => principal.role,
            None if rule.author == self.owner => Role::Owner,
            None => Role::Reviewer,
        };
        Approval { by: rule.author.clone(), role, at: rule.created_at }
    }
}
