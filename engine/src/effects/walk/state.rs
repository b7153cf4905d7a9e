//! What a command finds when it starts, and what it may find after one of two ways was taken.

use std::collections::HashMap;

use super::super::value::Value;
use crate::parse::Span;

/// The most directories that a command may run in.
const MAX_DIRECTORIES: usize = 6;

/// What a command finds when it starts.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// `None`: anywhere.
    pub(super) directories: Option<Vec<String>>,
    pub(super) variables: HashMap<String, Value>,
    pub(super) fed: bool,
}

pub(super) fn anything(span: Span) -> Value {
    Value::unknown(span)
}

/// The directories of both.
pub(super) fn union(a: Option<Vec<String>>, b: Option<Vec<String>>) -> Option<Vec<String>> {
    let (mut a, b) = (a?, b?);
    for directory in b {
        if !a.contains(&directory) {
            a.push(directory);
        }
    }
    (a.len() <= MAX_DIRECTORIES).then_some(a)
}

/// What may be found after either.
pub(super) fn merge(a: State, b: State) -> State {
    let mut variables = a.variables;
    for (name, value) in &mut variables {
        if !b.variables.contains_key(name) {
            *value = anything((0, 0));
        }
    }
    for (name, value) in b.variables {
        match variables.get(&name) {
            Some(old) if *old == value => {}
            _ => {
                variables.insert(name, anything((0, 0)));
            }
        }
    }
    State { directories: union(a.directories, b.directories), variables, fed: a.fed }
}
