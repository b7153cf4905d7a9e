//! The rule that came nearest, and what it lacks, for whoever must decide.

use std::cell::Cell;
use std::fmt;

use super::RuleSet;
use super::pattern::{GlobPattern, word_fits};
use super::types::{Closest, Rule};
use crate::Context;

impl RuleSet {
    /// The allow rule for the same program that differs least.
    pub(super) fn closest(&self, words: &[String], context: &Context) -> Option<Closest> {
        let now = context.now;
        let mut used = Vec::with_capacity(words.len());
        self.allow
            .near(words, 64)
            .into_iter()
            .filter_map(|(at, pattern)| Some((self.rules().get(*at)?, pattern)))
            .filter(|(rule, _)| rule.expires_at.is_none_or(|expires| now < expires))
            .map(|(rule, pattern)| {
                let mut count = 0;
                differences(pattern, words, &mut used, rule, context, |_| count += 1);
                (count, rule, pattern)
            })
            .min_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.id.cmp(&b.1.id)))
            .map(|(_, rule, pattern)| {
                let (mut all, mut used): (Vec<String>, _) = (Vec::new(), Vec::new());
                let tell = |one: Difference<'_>| all.push(one.to_string());
                differences(pattern, words, &mut used, rule, context, tell);
                Closest { rule: rule.id.clone(), differs: all.join(", ") }
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

/// Tells what a command has that a rule does not, word by word; `used` is room for its work.
fn differences<'a>(
    pattern: &'a GlobPattern,
    words: &'a [String],
    used: &mut Vec<bool>,
    rule: &Rule,
    context: &Context,
    mut tell: impl FnMut(Difference<'a>),
) {
    let none = Cell::new(true);
    let mut tell = |one| {
        none.set(false);
        tell(one);
    };
    used.clear();
    used.resize(words.len(), false);
    for want in pattern.words() {
        let mut left = words.iter().zip(used.iter_mut());
        match left.find(|(word, used)| !**used && word_fits(want, word)) {
            Some((_, used)) => *used = true,
            None => tell(Difference::Without(want)),
        }
    }
    if !pattern.takes_more() {
        let left = words.iter().zip(used.iter()).filter(|(_, used)| !**used);
        left.for_each(|(word, _)| tell(Difference::With(word)));
    }
    if !rule.scope.covers(context) {
        tell(Difference::Scope);
    }
    if none.get() {
        tell(Difference::Order);
    }
}
