//! A compiled set of rules. It must never allow anything with operators, substitution or redirection by pattern.

use std::collections::HashMap;

use super::types::{Effect, MatchKind, Outcome, Rule, RuleError, RuleVerdict};
use crate::Context;

/// Rules compiled for matching.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    exact: HashMap<Vec<u8>, Vec<usize>>,
    globs: Vec<(usize, Vec<String>)>,
}

impl RuleSet {
    /// Compiles rules.
    ///
    /// # Errors
    /// Names the first rule that cannot be compiled and what is wrong with it.
    pub fn build(rules: Vec<Rule>) -> Result<Self, RuleError> {
        let mut set = Self::default();
        for (at, rule) in rules.iter().enumerate() {
            if rule.pattern.trim().is_empty() {
                return Err(RuleError {
                    id: rule.id.clone(),
                    message: "the pattern is empty".to_owned(),
                });
            }
            match rule.kind {
                MatchKind::Exact => {
                    set.exact.entry(rule.pattern.clone().into_bytes()).or_default().push(at)
                }
                MatchKind::Glob => set
                    .globs
                    .push((at, rule.pattern.split_whitespace().map(str::to_owned).collect())),
                MatchKind::Regex => {
                    regex_automata::meta::Regex::new(&rule.pattern).map_err(|error| RuleError {
                        id: rule.id.clone(),
                        message: error.to_string(),
                    })?;
                }
            }
        }
        set.rules = rules;
        Ok(set)
    }

    /// The rules, as given.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What the rules say about a command.
    #[must_use]
    pub fn judge(&self, command: &[u8], context: &Context) -> RuleVerdict {
        let words = plain_words(command);
        let mut allow = None;
        let exact = self.exact.get(command).into_iter().flatten().copied();
        let globs = self.globs.iter().filter_map(|(at, pattern)| {
            let words = words.as_ref()?;
            (pattern.len() == words.len() && pattern.iter().zip(words).all(|(p, w)| wildcard(p, w)))
                .then_some(*at)
        });
        for rule in exact.chain(globs).filter_map(|at| self.rules.get(at)) {
            if rule.expires_at.is_some_and(|at| context.now >= at) || !rule.scope.covers(context) {
                continue;
            }
            if rule.effect == Effect::Deny {
                return verdict(Outcome::Deny, rule, "denied");
            }
            allow.get_or_insert(rule);
        }
        match allow {
            Some(rule) if !context.has_stdin_script => verdict(Outcome::Allow, rule, "allowed"),
            _ => RuleVerdict {
                verdict: Outcome::Review,
                rule: None,
                why: "no rule matches".to_owned(),
                closest: None,
            },
        }
    }
}

fn verdict(outcome: Outcome, rule: &Rule, word: &str) -> RuleVerdict {
    RuleVerdict {
        verdict: outcome,
        rule: Some(rule.id.clone()),
        why: format!("{word} by rule {} ({})", rule.id, rule.pattern),
        closest: None,
    }
}

/// The words of a command that holds nothing but plain ASCII words.
fn plain_words(command: &[u8]) -> Option<Vec<&str>> {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b" _-./:=@,+%".contains(b);
    let text = std::str::from_utf8(command).ok()?;
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    (command.iter().all(plain) && words.first().is_some_and(|word| !word.contains('=')))
        .then_some(words)
}

/// Matches `*` as any run of characters and `?` as one, in linear memory and bounded time.
pub(super) fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || text.get(t) == Some(&c) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    p = at + 1;
                    t = from + 1;
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == b'*')
}
