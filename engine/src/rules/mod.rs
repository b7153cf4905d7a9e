//! The whitelist: rules that allow or deny without a person. It must never allow what it could not read.

mod set;
mod types;

pub use set::RuleSet;
pub use types::{
    Approved, Backtest, Closest, Effect, MatchKind, Outcome, Rule, RuleError, RuleVerdict, Scope,
    Suggestion,
};

use crate::Context;

/// Whether a rule can be built, and what is wrong if not.
///
/// # Errors
/// Names the rule and what is wrong with it.
pub fn check_rule(rule: &Rule) -> Result<(), RuleError> {
    RuleSet::build(vec![rule.clone()]).map(|_| ())
}

/// The narrowest rules that cover repeated approvals; `now` in microseconds since the epoch.
#[must_use]
pub fn suggest(_history: &[Approved], _now: i64) -> Vec<Suggestion> {
    Vec::new()
}

/// What one rule would have let through, and what not.
#[must_use]
pub fn backtest(rule: &Rule, history: &[Approved]) -> Backtest {
    let mut result = Backtest::default();
    let set = RuleSet::build(vec![Rule { expires_at: None, ..rule.clone() }]).unwrap_or_default();
    for entry in history {
        let verdict = set.judge(&entry.command, &entry.context);
        result.total += 1;
        if verdict.verdict == Outcome::Review {
            continue;
        }
        result.matched += 1;
        let differs = (verdict.verdict == Outcome::Allow) != entry.allowed;
        if differs {
            result.against_people += 1;
        }
        if result.examples.len() < 20 {
            result.examples.push(String::from_utf8_lossy(&entry.command).into_owned());
        }
    }
    result
}

/// Read-only commands that may run without a person; off until the user switches them on.
#[must_use]
pub fn default_rules() -> Vec<Rule> {
    ["pwd", "whoami", "id", "uptime", "uname -a", "df -h"]
        .iter()
        .map(|pattern| Rule {
            id: format!("default-{}", pattern.replace([' ', '-'], "")),
            kind: MatchKind::Exact,
            pattern: (*pattern).to_owned(),
            effect: Effect::Allow,
            scope: Scope::default(),
            reason: Some("only looks".to_owned()),
            author: "expacti".to_owned(),
            created_at: 0,
            expires_at: None,
            hits: 0,
        })
        .collect()
}

impl Scope {
    /// Whether a command's context lies inside this scope.
    #[must_use]
    pub fn covers(&self, context: &Context) -> bool {
        let part = |pattern: &Option<String>, value: &str| {
            pattern.as_ref().is_none_or(|p| set::wildcard(p, value))
        };
        part(&self.agent, &context.agent)
            && part(&self.target, &context.target)
            && part(&self.user, &context.user)
            && self
                .cwd
                .as_ref()
                .is_none_or(|p| context.cwd.as_ref().is_some_and(|cwd| set::wildcard(p, cwd)))
    }
}
