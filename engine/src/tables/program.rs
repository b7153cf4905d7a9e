//! What a table says of one program.

use serde::Deserialize;

use super::effects::EffectSet;
use super::pattern::Pattern;
use crate::Category;

/// The language of a piece of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Language {
    Awk,
    /// Shell lines after five time fields.
    Cron,
    /// Any other language: read for calls that run commands, delete, or connect.
    Code,
    Editor,
    /// Text in which `#(CMD)` is what a command prints.
    Format,
    Mongo,
    Redis,
    Sed,
    Shell,
    Sql,
}

/// Where among its arguments a program is given code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CodePlace {
    /// `1`: the first operand.
    First,
    /// `2`: the second operand.
    Second,
    /// `*`: all operands, joined by spaces.
    Operands,
    /// `**`: every word, whatever it is.
    Words,
    /// `+*`: every word that begins with a plus sign.
    PlusWords,
    /// `-c`, `--eval`: the value of an option.
    Option(String),
    /// `eval`: the operand after this verb.
    Verb(String),
}

impl CodePlace {
    pub(super) fn parse(text: String) -> Self {
        match text.as_str() {
            "1" => Self::First,
            "2" => Self::Second,
            "*" => Self::Operands,
            "**" => Self::Words,
            "+*" => Self::PlusWords,
            option if option.starts_with('-') => Self::Option(text),
            _ => Self::Verb(text),
        }
    }
}

/// Which operands a program writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Writes {
    All,
    Last,
    #[default]
    None,
    /// All but the first, which is a mode or an owner.
    Rest,
}

/// How a program runs another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wraps {
    /// `alias x='...'`.
    Alias,
    /// Only after `--`, or after `skip` operands.
    Dashes,
    /// `find ... -exec CMD ;`.
    Find,
    /// All operands joined are a shell line.
    Joined,
    /// The operands after `skip` are a command of their own.
    Rest,
    /// `ssh HOST CMD...`.
    Ssh,
    /// The first operand is a shell line.
    Text,
    /// As `rest`, with more arguments to come from elsewhere.
    Xargs,
}

/// What is known about one program.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) category: Category,
    /// Holds for every use.
    pub(crate) is: EffectSet,
    pub(crate) on: Vec<(Pattern, EffectSet)>,
    /// Options whose value is the next word.
    pub(crate) values: Vec<String>,
    /// Options with a single dash are long options too.
    pub(crate) long: bool,
    pub(crate) writes: Writes,
    pub(crate) writes_to: Vec<String>,
    pub(crate) code: Vec<(CodePlace, Language)>,
    pub(crate) stdin: Option<Language>,
    /// The language of its standard input where it is given no command: `ssh host`, `sudo -i`.
    pub(crate) alone: Option<Language>,
    pub(crate) script: Option<Language>,
    pub(crate) wraps: Option<Wraps>,
    /// Verbs that must come first for `wraps` to hold, e.g. `exec` of `docker`.
    pub(crate) wraps_on: Vec<String>,
    pub(crate) skip: usize,
}
