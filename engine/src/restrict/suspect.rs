//! A command that is held against many patterns: what is read of it for that is read once.

use std::cell::OnceCell;

use crate::effects::{Understood, Value, understand};
use crate::program::base_name;
use crate::subject::{Heard, Subject};
use crate::tables::{Grammar, RiskTables};

use super::resources;
use super::words::{Likeness, comparable, flags, is_cluster};

/// A command that a pattern may be about.
#[derive(Debug)]
pub(crate) struct Suspect {
    pub(crate) subject: Subject,
    /// How sure it is at most that a pattern about it is about the command.
    pub(super) at_most: Likeness,
    /// The sub-command that it begins with, where it is another way to write the command.
    pub(super) verb: Option<String>,
    understood: OnceCell<Option<Understood>>,
    operands: OnceCell<Vec<Operand>>,
    options: OnceCell<Vec<Given>>,
    pub(super) others: OnceCell<Vec<Suspect>>,
}

impl Default for Suspect {
    fn default() -> Self {
        Self::from(Subject::default())
    }
}

/// An option among the words.
#[derive(Debug)]
pub(super) struct Given {
    /// Under which it is compared.
    pub(super) name: String,
    /// The program's grammar says what it is.
    pub(super) described: bool,
}

/// A word behind the program as patterns are compared with it.
#[derive(Debug)]
pub(super) struct Operand {
    pub(super) word: Heard,
    pub(super) normal: String,
    /// The value of `--namespace=prod` is a word as well.
    pub(super) value: Option<String>,
}

impl From<Subject> for Suspect {
    fn from(subject: Subject) -> Self {
        Self::derived(subject, Likeness::Certain, None)
    }
}

impl Suspect {
    /// Another way to write a command.
    pub(super) fn derived(subject: Subject, at_most: Likeness, verb: Option<String>) -> Self {
        Self {
            subject,
            at_most,
            verb,
            understood: OnceCell::new(),
            operands: OnceCell::new(),
            options: OnceCell::new(),
            others: OnceCell::new(),
        }
    }

    /// What the program's grammar says of the words.
    pub(super) fn understood(&self, tables: &RiskTables) -> Option<&Understood> {
        let read = || {
            let (first, rest) = self.subject.words.split_first()?;
            if !self.subject.all_known() {
                return None;
            }
            let grammar = tables.grammar(base_name(&first.text))?;
            let rest: Vec<Value> =
                rest.iter().map(|word| Value::literal(word.text.clone(), (0, 0))).collect();
            understand(grammar, &rest).ok()
        };
        self.understood.get_or_init(read).as_ref()
    }

    /// The name of the program, as far as it is known.
    pub(super) fn program(&self) -> &str {
        self.subject.words.first().map_or("", |word| base_name(&word.text))
    }

    /// The options among the words, as these grammars, which are those of the program, have them.
    pub(super) fn options(&self, grammars: &[&Grammar]) -> &[Given] {
        self.options.get_or_init(|| given(self.operands(), grammars))
    }

    /// The words behind the program; those of a cluster's client under their full names.
    pub(super) fn operands(&self) -> &[Operand] {
        self.operands.get_or_init(|| {
            let words = self.subject.words.get(1..).unwrap_or(&[]);
            let words = if is_cluster(self.program()) {
                resources::spelled_out(words)
            } else {
                words.to_vec()
            };
            let operand = |word: Heard| {
                let value = word.text.split_once('=').filter(|(name, _)| name.starts_with('-'));
                let value = value.map(|(_, value)| comparable(self.program(), value));
                Operand { normal: comparable(self.program(), &word.text), value, word }
            };
            words.into_iter().map(operand).collect()
        })
    }
}

/// The options among some words, as grammars have them.
pub(super) fn given(words: &[Operand], grammars: &[&Grammar]) -> Vec<Given> {
    let described = |name: &str| grammars.iter().any(|grammar| grammar.option(name).is_some());
    let options = words
        .iter()
        .map(|operand| &operand.word)
        .filter(|word| word.known && word.text.starts_with('-') && word.text.len() > 1);
    let names = options.flat_map(|word| flags(&word.text, grammars));
    names.map(|name| Given { described: described(&name), name: name.into_owned() }).collect()
}
