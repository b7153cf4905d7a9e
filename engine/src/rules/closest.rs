//! The rule that came nearest, and what it lacks, for whoever must decide.

use std::fmt;

use super::RuleSet;
use super::pattern::{GlobPattern, word_fits};
use super::types::{Closest, Rule};
use crate::Context;

impl RuleSet {
    /// The allow rule for the same program that differs least.
    pub(super) fn closest(&self, words: &[String], context: &Context) -> Option<Closest> {
        let now = context.now;
        self.allow
            .near(words, 64)
            .into_iter()
            .filter_map(|(at, pattern)| Some((self.rules().get(*at)?, pattern)))
            .filter(|(rule, _)| rule.expires_at.is_none_or(|expires| now < expires))
            .map(|(rule, pattern)| (rule, difference(pattern, words, rule, context)))
            .min_by(|a, b| a.1.len().cmp(&b.1.len()).then_with(|| a.0.id.cmp(&b.0.id)))
            .map(|(rule, differs)| {
                let differs: Vec<String> = differs.iter().map(ToString::to_string).collect();
                Closest { rule: rule.id.clone(), differs: differs.join(", ") }
            })
    }
}

/// One thing in which a command differs from a rule.
enum Difference<'a> {
    Order,
    Scope,
    With(&'a str),
    Without(&'a str),
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order => f.write_str("the order of the words"),
            Self::Scope => f.write_str("outside its scope"),
            Self::With(word) => f.write_str(word),
            Self::Without(word) => write!(f, "without {word}"),
        }
    }
}

/// What a command has that a rule does not, word by word.
fn difference<'a>(
    pattern: &'a GlobPattern,
    words: &'a [String],
    rule: &Rule,
    context: &Context,
) -> Vec<Difference<'a>> {
    let mut out = Vec::new();
    let mut used = vec![false; words.len()];
    for want in pattern.words() {
        let mut left = words.iter().zip(&mut used);
        match left.find(|(word, used)| !**used && word_fits(want, word)) {
            Some((_, used)) => *used = true,
            None => out.push(Difference::Without(want)),
        }
    }
    if !pattern.takes_more() {
        let left = words.iter().zip(&used).filter(|(_, used)| !**used);
        out.extend(left.map(|(word, _)| Difference::With(word)));
    }
    if !rule.scope.covers(context) {
        out.push(Difference::Scope);
    }
    if out.is_empty() {
        out.push(Difference::Order);
    }
    out
}
