//! Rules that allow or deny without a person. It must never allow what it could not read.

mod closest;
mod compose;
mod cover;
mod defaults;
mod expressions;
mod hazards;
mod index;
mod looks;
mod pattern;
mod pieces;
mod plain;
mod set;
mod shell;
mod suggest;
mod suggest_work;
mod types;
mod work;

pub use cover::{Covered, Digested, StdinCover, options_of_before};
pub use defaults::default_rules;
pub use hazards::{Caution, Hazard, caution};
pub use looks::looks_pattern;
pub use set::RuleSet;
pub use suggest::{backtest, missing_rules, suggest};
pub use types::{
    Approved, Backtest, Closest, CommandVerdict, Effect, MatchKind, Outcome, Rule, RuleError,
    RuleVerdict, Scope, Suggested, Suggestion,
};

pub use work::{Beneath, Working, work_pattern};

pub(crate) use pattern::GlobPattern;
pub(crate) use plain::{every_command, plain_words};
pub(crate) use types::FOR_FILES;

/// Whether a rule can be built, and what is wrong if not.
///
/// # Errors
/// Names the rule and what is wrong with it.
pub fn check_rule(rule: &Rule) -> Result<(), RuleError> {
    let wrong = |message| RuleError { id: rule.id.clone(), message };
    if rule.kind == MatchKind::Work {
        work::check_end(rule).map_err(wrong)?;
    }
    RuleSet::build(vec![rule.clone()])?;
    cover::check(rule).map_err(wrong)
}
