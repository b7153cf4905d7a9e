//! Rules and policies as the engine wants them, compiled.

use std::sync::Arc;

use expacti_engine::{Policy, PolicySet, Rule, RuleSet, Snapshot};
use expacti_protocol::reviewer::{ReviewerEvent, RuleChange};

use super::model::State;
use super::ports::{News, Outgoing, Peer, Refusal};
use super::shown::{Secrets, Shown};

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

    pub(super) fn notify_rule_changed(&mut self, change: RuleChange, id: &str, by: &Peer) {
        let event = ReviewerEvent::RuleChanged { change, id: id.to_owned(), by: by.name.clone() };
        if let Ok(shown) = Shown::of(&event, &Secrets::default()) {
            self.outgoing.push(Outgoing::Review(Box::new(News { shown, exact: None })));
        }
    }
}
