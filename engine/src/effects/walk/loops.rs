//! Loops, whose rounds find what the ones before have left.

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
            values.extend(self.expand(word)?);
        }
        let before = self.state.clone();
        let known = values.len() <= MAX_ROUNDS
            && values.iter().all(|value| !value.many || value.open == Open::Names);
        let rounds = if known { values } else { vec![common(&values, span)] };
        for value in rounds {
            // One word in each round, whichever.
            let value = Value { many: false, ..value };
            self.state.variables.insert(name.to_owned(), value);
            self.list(body)?;
        }
        let after = std::mem::replace(&mut self.state, before.clone());
        self.state = merge(before, after);
        // A second round begins where the first has ended.
        self.again(body, span)
    }

    /// Refuses loops whose rounds change what the next one finds.
    pub(super) fn again(&mut self, body: &List, span: Span) -> Result1<()> {
        let directories = self.state.directories.clone();
        if directories.as_ref().is_none_or(|all| all.len() > 1) && changes_directory(body) {
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
        let before = self.state.clone();
        // What the first round sets, the second finds: twice is enough, as the values are unknown then.
        for _ in 0..2 {
            self.list(condition)?;
            self.list(body)?;
        }
        let after = std::mem::replace(&mut self.state, before.clone());
        self.state = merge(before, after);
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
        Node::Simple(simple) => {
            simple.words.first().and_then(Word::literal).as_deref() == Some("cd")
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
