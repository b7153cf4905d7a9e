//! What the engine knows about programs, as data: one TOML file per category beside this file, and
//! the same format for a user's own. It must never decide how points add up.

mod effects;
mod load;
mod path_lists;
mod pattern;

pub(crate) use effects::{Effect, EffectSet};
pub(crate) use load::Points;
pub use load::TablesError;
pub(crate) use path_lists::PathLists;
pub(crate) use pattern::{Arguments, MAX_WORDS, Pattern, wildcard};

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use crate::Category;

/// The tables the scorer reads: programs, points, paths and hosts.
#[derive(Clone, Debug)]
pub struct RiskTables {
    pub(crate) programs: HashMap<String, Arc<Program>>,
    pub(crate) points: Points,
    pub(crate) path_lists: PathLists,
}

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
    /// `+*`: every word that begins with a plus sign.
    PlusWords,
    /// `-c`, `--eval`: the value of an option.
    Option(String),
    /// `eval`: the operand after this verb.
    Verb(String),
}

impl CodePlace {
    fn parse(text: String) -> Self {
        match text.as_str() {
            "1" => Self::First,
            "2" => Self::Second,
            "*" => Self::Operands,
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
    pub(crate) script: Option<Language>,
    pub(crate) wraps: Option<Wraps>,
    /// Verbs that must come first for `wraps` to hold, e.g. `exec` of `docker`.
    pub(crate) wraps_on: Vec<String>,
    pub(crate) skip: usize,
}

impl Program {
    /// Whether code is given as the value of an option.
    pub(crate) fn has_code_option(&self, arguments: &Arguments<'_>) -> bool {
        self.code.iter().any(|(place, _)| match place {
            CodePlace::Option(option) => arguments.has(&[option.as_str()]).is_some(),
            CodePlace::First
            | CodePlace::Second
            | CodePlace::Operands
            | CodePlace::PlusWords
            | CodePlace::Verb(_) => false,
        })
    }
}

static BUILTIN: LazyLock<RiskTables> = LazyLock::new(load::builtin);

impl RiskTables {
    /// The tables that come with the engine.
    #[must_use]
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// The built-in tables with a user's changes, in TOML; the format is in `docs/RISK.md`.
    ///
    /// # Errors
    /// Names the key that is unknown or has a wrong value.
    pub fn with_overrides(toml: &str) -> Result<Self, TablesError> {
        load::with_overrides(toml)
    }

    /// How many programs the tables know, aliases included.
    #[must_use]
    pub fn program_count(&self) -> usize {
        self.programs.len()
    }

    /// What is assumed about a program that no table describes: its verbs are taken at face value.
    pub(crate) fn undescribed(&self) -> Option<&Program> {
        self.programs.get("?").map(Arc::as_ref)
    }

    pub(crate) fn program(&self, name: &str) -> Option<&Program> {
        self.programs.get(name).map(Arc::as_ref).or_else(|| {
            // `python3.12`, `mkfs.ext4`, `gcc-13`: the version is not part of what it does.
            let base = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
            if base.len() < name.len()
                && !base.is_empty()
                && let Some(program) = self.programs.get(base)
            {
                return Some(program);
            }
            let stem = name.split_once('.')?.0;
            matches!(stem, "mkfs" | "fsck").then(|| self.programs.get(stem).map(Arc::as_ref))?
        })
    }
}

impl Default for RiskTables {
    fn default() -> Self {
        Self::builtin().clone()
    }
}
