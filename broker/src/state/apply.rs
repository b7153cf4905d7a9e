//! Makes targets, agents, policies and rules what a file says: all of it or nothing, as one change, which
//! needs whatever approval a part of it needs.

use expacti_engine::{Policy, PolicySet, Rule, check_rule};
use expacti_protocol::http::{
    Action, Applied, Approval, Changed, NewPrincipal, Step, Target, Wanted, WantedAgent,
};
use expacti_protocol::ids::PolicyId;
use expacti_protocol::principal::Role;

use super::authority::needs_admin;
use super::credential::credential;
use super::model::State;
use super::ports::{Now, Peer, Refusal};
use super::rules::does_the_same;
use super::targets;

/// The most things of one kind in one file.
const MAX_OF_A_KIND: usize = 10_000;

/// Whether two policies ask for the same of the same.
fn asks_the_same(one: &Policy, other: &Policy) -> bool {
    Policy { id: String::new(), ..one.clone() } == Policy { id: String::new(), ..other.clone() }
}

/// Refuses a list with too many things, or with a name twice.
fn check_names<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), Refusal> {
    let mut names: Vec<&str> = names.collect();
    if names.len() > MAX_OF_A_KIND {
        return Err(Refusal::invalid(format!("more than {MAX_OF_A_KIND} {what}s")));
    }
    names.sort_unstable();
    match names.windows(2).find(|pair| pair.first() == pair.get(1)) {
        Some(pair) => {
            let name = pair.first().copied().unwrap_or_default();
            Err(Refusal::invalid(format!("the {what} {name} is there twice")))
        }
        None => Ok(()),
    }
}

impl State {
    /// Does what a file says, or proposes it, or only says what would be done.
    pub(crate) fn apply(
        &mut self,
        by: &Peer,
        wanted: &Wanted,
        now: Now,
    ) -> Result<Changed<Applied>, Refusal> {
        needs_admin(by, "change what the broker knows")?;
        let steps = self.steps_to(by, wanted, now)?;
        let nothing = steps.is_empty();
        let action = Action::Apply { steps: steps.clone() };
        if wanted.dry_run || nothing {
            let (needs, may_approve) =
                if nothing { (Vec::new(), Vec::new()) } else { self.would_need(by, action, now) };
            return Ok(Changed::Done(Applied { steps, needs, may_approve }));
        }
        if let Some(change) = self.propose(by, action, now)? {
            return Ok(Changed::Waiting { change: Box::new(change) });
        }
        self.take_steps(by, &steps, &[by.approval(now)], now)?;
        Ok(Changed::Done(Applied { steps, needs: Vec::new(), may_approve: Vec::new() }))
    }

    /// What has to be done so that everything is as the file says.
    fn steps_to(&self, by: &Peer, wanted: &Wanted, now: Now) -> Result<Vec<Step>, Refusal> {
        let mut steps = Vec::new();
        self.agents_to(by, wanted, &mut steps)?;
        self.targets_to(wanted, &mut steps)?;
        self.policies_to(wanted, &mut steps)?;
        self.rules_to(wanted, &mut steps, now)?;
        // What a name stands for is taken away before it is given to something else.
        steps.sort_by_key(|step| match step {
            Step::RemoveAgent { .. } => 0,
            Step::RemoveTarget { .. } => 1,
            Step::SetTarget { .. } => 2,
            Step::AddAgent { .. } => 3,
            Step::AddPolicy { .. } => 4,
            Step::RemovePolicy { .. } => 5,
            Step::AddRule { .. } => 6,
            Step::RemoveRule { .. } => 7,
        });
        Ok(steps)
    }

    fn agents_to(&self, by: &Peer, wanted: &Wanted, steps: &mut Vec<Step>) -> Result<(), Refusal> {
        let Some(agents) = &wanted.agents else { return Ok(()) };
        check_names("agent", agents.iter().map(|agent| agent.name.as_str()))?;
        for agent in agents {
            let key = credential(&agent.public_key)?;
            self.with_owner(by, new_agent(agent))?;
            match self.principals.get(&agent.name) {
                Some(there) if there.role != Role::Agent => {
                    return Err(Refusal::invalid(format!(
                        "{} is a {} and cannot be an agent",
                        agent.name, there.role
                    )));
                }
                Some(there)
                    if there.public_key.as_ref() == Some(&key)
                        && there.owner.as_ref() == Some(&agent.owner) => {}
                there => {
                    if there.is_some() {
                        steps.push(Step::RemoveAgent { name: agent.name.clone() });
                    }
                    steps.push(Step::AddAgent { agent: agent.clone() });
                }
            }
        }
        if wanted.prune {
            let gone = self.principals.values().filter(|p| {
                p.role == Role::Agent && !agents.iter().any(|agent| agent.name == p.name)
            });
            let mut gone: Vec<String> = gone.map(|p| p.name.clone()).collect();
            gone.sort();
            steps.extend(gone.into_iter().map(|name| Step::RemoveAgent { name }));
        }
        Ok(())
    }

    fn targets_to(&self, wanted: &Wanted, steps: &mut Vec<Step>) -> Result<(), Refusal> {
        let Some(all) = &wanted.targets else { return Ok(()) };
        check_names("target", all.iter().map(|target| target.name.as_str()))?;
        for target in all {
            targets::check(target)?;
            if self.targets.get(&target.name) != Some(target) {
                steps.push(Step::SetTarget { target: target.clone() });
            }
        }
        if wanted.prune {
            let kept = |target: &&Target| !all.iter().any(|one| one.name == target.name);
            let mut gone: Vec<Target> = self.targets.values().filter(kept).cloned().collect();
            gone.sort_by(|a, b| a.name.cmp(&b.name));
            steps.extend(gone.into_iter().map(|target| Step::RemoveTarget { target }));
        }
        Ok(())
    }

    fn policies_to(&self, wanted: &Wanted, steps: &mut Vec<Step>) -> Result<(), Refusal> {
        let Some(policies) = &wanted.policies else { return Ok(()) };
        let mut left: Vec<Policy> = self.policy_list();
        for policy in policies {
            if let Some(at) = left.iter().position(|there| asks_the_same(there, policy)) {
                left.remove(at);
                continue;
            }
            let policy = Policy { id: PolicyId::new().to_string(), ..policy.clone() };
            PolicySet::build(vec![policy.clone()]).map_err(|e| Refusal::invalid(e.to_string()))?;
            steps.push(Step::AddPolicy { policy });
        }
        if wanted.prune {
            steps.extend(left.into_iter().map(|policy| Step::RemovePolicy { policy }));
        }
        Ok(())
    }

    fn rules_to(&self, wanted: &Wanted, steps: &mut Vec<Step>, now: Now) -> Result<(), Refusal> {
        let Some(rules) = &wanted.rules else { return Ok(()) };
        if rules.len() > MAX_OF_A_KIND {
            return Err(Refusal::invalid(format!("more than {MAX_OF_A_KIND} rules")));
        }
        let ended = |rule: &Rule| rule.expires_at.is_some_and(|end| end <= now.micros);
        let mut left: Vec<Rule> = self.rule_list().into_iter().map(|view| view.rule).collect();
        for rule in rules.iter().filter(|rule| !ended(rule)) {
            if let Some(at) = left.iter().position(|there| does_the_same(there, rule)) {
                left.remove(at);
                continue;
            }
            check_rule(&Rule { id: "new".to_owned(), ..rule.clone() })
                .map_err(|e| Refusal::invalid(e.to_string()))?;
            steps.push(Step::AddRule { rule: rule.clone() });
        }
        if wanted.prune {
            left.retain(|rule| !ended(rule));
            steps.extend(left.into_iter().map(|rule| Step::RemoveRule { rule }));
        }
        Ok(())
    }

    /// Takes all steps; `approvals` are those of the people who wanted it so.
    pub(super) fn take_steps(
        &mut self,
        by: &Peer,
        steps: &[Step],
        approvals: &[Approval],
        now: Now,
    ) -> Result<(), Refusal> {
        let names: Vec<String> = match approvals {
            [_] | [] => Vec::new(),
            several => several.iter().map(|approval| approval.by.clone()).collect(),
        };
        let mut rules = Vec::new();
        for step in steps {
            let approved_by = names.clone();
            match step {
                Step::RemoveAgent { name } => {
                    // It may have gone since.
                    let there = self.principals.get(name).is_some_and(|p| p.role == Role::Agent);
                    if there {
                        self.drop_principal(by, name, now)?;
                    }
                }
                Step::RemoveTarget { target } => self.drop_target(by, target, approved_by, now)?,
                Step::SetTarget { target } => self.keep_target(by, target, approved_by, now)?,
                Step::AddAgent { agent } => {
                    self.keep_principal(by, &new_agent(agent), None, approved_by, now)?;
                }
                Step::AddPolicy { policy } => self.keep_policy(by, policy, approved_by, now)?,
                Step::RemovePolicy { policy } => self.drop_policy(by, policy, approved_by, now)?,
                Step::RemoveRule { rule } => self.drop_rule(by, rule, approved_by, now)?,
                Step::AddRule { rule } => rules.push(rule.clone()),
            }
        }
        self.add_approved_rules(by, rules, approvals, now)
    }
}

pub(super) fn new_agent(agent: &WantedAgent) -> NewPrincipal {
    NewPrincipal {
        name: agent.name.clone(),
        role: Role::Agent,
        public_key: Some(agent.public_key.clone()),
        owner: Some(agent.owner.clone()),
        unix_user: None,
    }
}
