//! The rule that users switch on first: whatever only looks may run without a person.

use super::types::{Effect, MatchKind, Rule};

/// The rule that lets read-only commands run without a person; off until the user switches it on.
#[must_use]
pub fn default_rules() -> Vec<Rule> {
    vec![Rule {
        reason: Some("only looks".to_owned()),
        author: "expacti".to_owned(),
        ..Rule::new("default-looks", MatchKind::Looks, "looks".to_owned(), Effect::Allow)
    }]
}
