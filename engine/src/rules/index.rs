//! Glob patterns, and how those that may match are found. It must never miss a pattern that denies.

use super::pattern::GlobPattern;
use crate::hashed::HashMap;
use crate::restrict::{PatternIndex, Suspect};

/// Glob patterns, found by their words: what a lookup costs does not depend on how many there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Globs {
    pub(super) patterns: Vec<(usize, GlobPattern)>,
    root: Node,
}

/// What may follow a row of literal words.
#[derive(Clone, Debug, Default)]
struct Node {
    literal: HashMap<Box<str>, Node>,
    /// Patterns that go on with a wildcard, by the literal text in front of it.
    open: HashMap<Box<str>, Vec<usize>>,
    /// The lengths of these texts, without repetition.
    lengths: Vec<usize>,
    /// Patterns that end here, or go on with `**`.
    ends: Vec<usize>,
}

/// Patterns that deny.
#[derive(Clone, Debug, Default)]
pub(super) struct Denials {
    patterns: Vec<(usize, GlobPattern)>,
    index: PatternIndex,
}

impl Denials {
    pub(super) fn build(patterns: Vec<(usize, GlobPattern)>) -> Self {
        let index = PatternIndex::build(patterns.iter().map(|(_, pattern)| Some(pattern)));
        Self { patterns, index }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether one of them may be about a command that begins with this word.
    pub(super) fn concern(&self, first: &str, known: bool) -> bool {
        self.index.concerns(first, known)
    }

    /// The patterns that may be about a command.
    pub(super) fn about(&self, suspect: &Suspect) -> impl Iterator<Item = &(usize, GlobPattern)> {
        self.index.about(suspect).into_iter().filter_map(|at| self.patterns.get(at))
    }
}

impl Globs {
    pub(super) fn add(&mut self, rule: usize, pattern: GlobPattern) {
        let at = self.patterns.len();
        let mut node = &mut self.root;
        let mut open = None;
        for word in pattern.words() {
            if let Some(wild) = word.find(['*', '?']) {
                open = Some(word.get(..wild).unwrap_or(""));
                break;
            }
            node = node.literal.entry(word.as_str().into()).or_default();
        }
        match open {
            Some(prefix) => {
                node.open.entry(prefix.into()).or_default().push(at);
                if !node.lengths.contains(&prefix.len()) {
                    node.lengths.push(prefix.len());
                }
            }
            None => node.ends.push(at),
        }
        self.patterns.push((rule, pattern));
    }

    /// The patterns that can match words beginning with `program`.
    pub(super) fn candidates<'a>(
        &'a self,
        words: &[impl AsRef<str>],
        program: &str,
    ) -> Vec<&'a (usize, GlobPattern)> {
        let mut out = Vec::new();
        let mut node = &self.root;
        for at in 0..=words.len() {
            out.extend(node.ends.iter().filter_map(|at| self.patterns.get(*at)));
            let Some(word) = words.get(at) else { break };
            let word = if at == 0 { program } else { word.as_ref() };
            for length in &node.lengths {
                let found = word.get(..*length).and_then(|prefix| node.open.get(prefix));
                out.extend(found.into_iter().flatten().filter_map(|at| self.patterns.get(*at)));
            }
            match node.literal.get(word) {
                Some(next) => node = next,
                None => break,
            }
        }
        out
    }

    /// Some patterns near the words: those beneath the deepest point the words lead to.
    pub(super) fn near<'a>(
        &'a self,
        words: &[String],
        most: usize,
    ) -> Vec<&'a (usize, GlobPattern)> {
        let mut node = &self.root;
        for (at, word) in words.iter().enumerate() {
            match node.literal.get(word.as_str()) {
                Some(next) => node = next,
                None if at == 0 => return Vec::new(),
                None => break,
            }
        }
        let mut out = Vec::new();
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            let here = node.ends.iter().chain(node.open.values().flatten());
            for at in here {
                if out.len() >= most {
                    return out;
                }
                out.extend(self.patterns.get(*at));
            }
            stack.extend(node.literal.values().take(most));
        }
        out
    }
}
