//! Loops, whose rounds find what the ones before have left.

use std::collections::BTreeSet;

use super::super::syntax::{Item, List, Node, Word};
use super::super::value::{Open, Value};
use super::names::is_harmless_name;
use super::state::{anything, merge};
use super::{Result1, Walker};
use crate::parse::Span;

/// The most rounds of a loop that are gone through one by one.
const MAX_ROUNDS: usize = 24;

impl Walker<'_> {
    /// A loop, round by round where its words are known.
    pub(super) fn for_loop(
        &mut self,
        name: &str,
        words: &[Word],
        body: &List,
        span: Span,
    ) -> Result1<()> {
        if !is_harmless_name(name) {
            return self.fail("a loop over a variable that may mean something to a program", span);
        }
        let mut values = Vec::new();
        for word in words {
            values.push(self.expand(word)?);
        }
        let left = leaves(body);
        let known = values.len() <= MAX_ROUNDS
            && values.iter().all(|value| !value.many || value.open == Open::Names);
        let each = known && !left && values.iter().all(|value| !value.many);
        let rounds = if known { values } else { vec![common(&values, span)] };
        let assigned = assigned(body);
        if !each {
            self.forget_names(&assigned);
        }
        let before = self.state.clone();
        for value in rounds {
            if !each {
                self.forget_names(&assigned);
            }
            // One word in each round, whichever.
            let value = Value { many: false, split: false, ..value };
            self.state.variables.insert(name.to_owned(), value);
            self.list(body)?;
        }
        let after = std::mem::replace(&mut self.state, before.clone());
        self.state = merge(before, after);
        if !each {
            self.forget_names(&assigned);
        }
        // A second round begins where the first has ended.
        self.again(body, span)
    }

    /// Takes names for unknown: which round assigned them last is not told.
    fn forget_names(&mut self, names: &BTreeSet<String>) {
        for name in names {
            self.state.variables.insert(name.clone(), anything((0, 0)));
        }
    }

    /// Refuses loops whose rounds change what the next one finds.
    fn again(&mut self, body: &List, span: Span) -> Result1<()> {
        let one = self.state.directories.as_ref().is_some_and(|all| all.len() == 1);
        if (!one || leaves(body)) && changes_directory(body) {
            return self.fail("a loop that changes the directory", span);
        }
        Ok(())
    }

    pub(super) fn while_read(&mut self, condition: &List, body: &List, span: Span) -> Result1<()> {
        let reads = |item: &Item| match item.stages.as_slice() {
            [stage] => matches!(&stage.node, Node::Simple(simple)
                if simple.words.first().and_then(Word::literal).as_deref() == Some("read")),
            _ => false,
        };
        let [only] = condition.items.as_slice() else {
            return self.fail("a loop that is not read", span);
        };
        if !reads(only) {
            return self.fail("a loop that may never end", span);
        }
        // What one round sets, the next one finds.
        let assigned = assigned(body);
        self.forget_names(&assigned);
        let before = self.state.clone();
        self.list(condition)?;
        self.list(body)?;
        let after = std::mem::replace(&mut self.state, before.clone());
        self.state = merge(before, after);
        self.forget_names(&assigned);
        self.again(body, span)
    }
}

/// What several values have in common, as one word.
fn common(values: &[Value], span: Span) -> Value {
    let Some(first) = values.first() else { return anything(span) };
    if values.iter().all(|value| {
        value.numeric
            || value
                .as_literal()
                .is_some_and(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
    }) {
        return Value {
            text: "*".to_owned(),
            open: Open::Names,
            numeric: true,
            span,
            ..Value::default()
        };
    }
    let mut prefix = first.prefix();
    for value in values {
        let same = prefix.bytes().zip(value.prefix().bytes()).take_while(|(a, b)| a == b).count();
        prefix = prefix.get(..same).unwrap_or("");
    }
    Value {
        text: format!("{prefix}*"),
        known: prefix.len(),
        open: Open::Anything,
        span,
        ..Value::default()
    }
}

fn changes_directory(list: &List) -> bool {
    list.items.iter().flat_map(|item| &item.stages).any(|stage| match &stage.node {
        // It may stand behind `time`.
        Node::Simple(simple) => {
            simple.words.iter().any(|word| word.literal().as_deref() == Some("cd"))
        }
        Node::Group { body, .. } | Node::For { body, .. } | Node::While { body, .. } => {
            changes_directory(body)
        }
        Node::If { branches, otherwise } => {
            changes_directory(otherwise)
                || branches.iter().any(|(condition, body)| {
                    changes_directory(condition) || changes_directory(body)
                })
        }
        Node::Test(_) => false,
    })
}

/// Every list that runs in the same shell as the one it stands in.
fn lists_within(node: &Node) -> Vec<&List> {
    match node {
        Node::Group { body, .. } | Node::For { body, .. } => vec![body],
        Node::While { condition, body } => vec![condition, body],
        Node::If { branches, otherwise } => {
            let both = branches.iter().flat_map(|(condition, body)| [condition, body]);
            both.chain(std::iter::once(otherwise)).collect()
        }
        Node::Simple(_) | Node::Test(_) => Vec::new(),
    }
}

fn nodes(list: &List) -> impl Iterator<Item = &Node> {
    list.items.iter().flat_map(|item| &item.stages).map(|stage| &stage.node)
}

/// The variables that a list assigns somewhere.
fn assigned(list: &List) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for node in nodes(list) {
        match node {
            Node::Simple(simple) if simple.words.is_empty() => {
                names.extend(simple.assignments.iter().map(|(name, _)| name.clone()));
            }
            Node::Simple(simple) => {
                let words: Vec<String> = simple.words.iter().filter_map(Word::literal).collect();
                if words.iter().any(|word| word == "read") {
                    names.extend(words);
                    names.insert("REPLY".to_owned());
                }
            }
            Node::For { name, .. } => {
                names.insert(name.clone());
            }
            _ => {}
        }
        names.extend(lists_within(node).into_iter().flat_map(assigned));
    }
    names
}

/// Whether a round of the loop may end before the end of its body.
fn leaves(body: &List) -> bool {
    nodes(body).any(|node| {
        let here = match node {
            Node::Simple(simple) => simple.words.iter().any(|word| {
                matches!(word.literal().as_deref(), Some("break" | "continue" | "return"))
            }),
            _ => false,
        };
        here || lists_within(node).into_iter().any(leaves)
    })
}
