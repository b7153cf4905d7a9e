//! What rules cover beside the command. A rule must never cover more than it did without a word of
//! somebody who may add rules, and whoever approved the narrower one has not approved the wider.

use expacti_audit::Entry;
use expacti_engine::{check_rule, options_of_before};
use expacti_protocol::http::{EarlierRule, RuleCover, RuleView};
use expacti_protocol::reviewer::RuleChange;

use super::authority::needs_admin;
use super::model::State;
use super::ports::{Now, Peer, Refusal, Write};

impl State {
    /// Makes a rule cover a terminal or standard input as well. It counts as a new one: it needs as
    /// many approvals as if it had just been added.
    pub(crate) fn cover_rule(
        &mut self,
        by: &Peer,
        id: &str,
        cover: RuleCover,
        now: Now,
    ) -> Result<RuleView, Refusal> {
        needs_admin(by, "change rules")?;
        if !cover.terminal && cover.stdin.is_none() {
            return Err(Refusal::invalid("nothing to cover: name a terminal or standard input"));
        }
        let view = self
            .rules
            .get_mut(&id.to_owned())
            .ok_or_else(|| Refusal::not_found(format!("rule {id}")))?;
        view.rule.terminal |= cover.terminal;
        view.rule.stdin = cover.stdin.or(view.rule.stdin.take());
        view.approvals = vec![by.approval(now)];
        let view = view.clone();
        check_rule(&view.rule).map_err(|e| Refusal::invalid(e.to_string()))?;
        self.rebuild_snapshot()?;
        self.write_rule(&view)?;
        self.forget_earlier(id);
        let entry = Entry::new("rule_widened", &now.rfc3339())
            .with("rule", id)
            .with("by", by.name.as_str())
            .with("body", serde_json::to_value(&view.rule).unwrap_or_default());
        self.audit(&entry)?;
        self.notify_rule_changed(RuleChange::Widened, id, by);
        Ok(view)
    }

    /// The rules that once allowed a terminal or standard input without saying so, and that nobody
    /// has been told of yet.
    pub(crate) fn earlier_rules(&self) -> Vec<EarlierRule> {
        let still = |view: &RuleView| self.earlier.get(&view.rule.id).is_some();
        let named = |view: RuleView| {
            options_of_before(&view.rule)
                .map(|options| EarlierRule { options: options.to_owned(), rule: view.rule })
        };
        self.rule_list().into_iter().filter(still).filter_map(named).collect()
    }

    /// Somebody who may change them has been told.
    pub(crate) fn told_earlier_rules(&mut self, by: &Peer) -> Result<(), Refusal> {
        needs_admin(by, "change rules")?;
        let all: Vec<String> = self.earlier.iter().map(|(id, ())| id.clone()).collect();
        all.iter().for_each(|id| self.forget_earlier(id));
        Ok(())
    }

    fn forget_earlier(&mut self, id: &str) {
        if self.earlier.remove(&id.to_owned()).is_some() {
            self.writes.push(Write::EarlierRule { id: id.to_owned() });
        }
    }
}
