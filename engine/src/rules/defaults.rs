//! The rule that users switch on first: whatever only looks may run without a person.

use super::types::{Effect, MatchKind, Rule, Scope};

/// The rule that lets read-only commands run without a person; off until the user switches it on.
#[must_use]
pub fn default_rules() -> Vec<Rule> {
    vec![Rule {
        id: "default-looks".to_owned(),
        kind: MatchKind::Looks,
        pattern: "looks".to_owned(),
        effect: Effect::Allow,
        scope: Scope::default(),
        reason: Some("only looks".to_owned()),
        author: "expacti".to_owned(),
        created_at: 0,
        expires_at: None,
        hits: 0,
        terminal: false,
        stdin: None,
    }]
}
