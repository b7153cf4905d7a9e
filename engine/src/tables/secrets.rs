//! Where programs take secrets: which option, operand or standard input holds one. It must never
//! decide what a secret looks like.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::hashed::{HashMap, HashSet};

/// One way in which a program takes secrets.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SecretPlaces {
    /// The programs, by name.
    pub(crate) names: Vec<String>,
    /// Words that come first, in this order, for the rest to hold: `kv put`.
    pub(crate) after: Vec<String>,
    /// One of these options must be there for the rest to hold.
    pub(crate) when: Vec<String>,
    /// Options with a secret behind them, as a word of its own or not.
    pub(crate) values: Vec<String>,
    /// Options with a secret that can only be in the same word: `-pSECRET`.
    pub(crate) attached: Vec<String>,
    /// Options with `user:secret`.
    pub(crate) pairs: Vec<String>,
    /// What stands between the two, instead of `:`.
    pub(crate) separator: Option<String>,
    /// Options with `name=secret`, whatever the name.
    pub(crate) assignments: Vec<String>,
    /// Options with cookies, unless it is the name of a file.
    pub(crate) cookies: Vec<String>,
    /// Beginnings of values behind which a secret stands: `pass:`.
    pub(crate) prefixes: Vec<String>,
    /// Operands that are secrets, from 1; the words of `after` do not count.
    pub(crate) operands: Vec<usize>,
    /// All operands from this one on are secrets.
    pub(crate) rest: Option<usize>,
    /// The last operand is a secret.
    pub(crate) last: bool,
    /// Operands that are `user:secret`.
    pub(crate) operand_pairs: bool,
    /// Operands that are `name=secret`, whatever the name.
    pub(crate) operand_assignments: bool,
    /// Options with `user:secret@host`.
    pub(crate) addresses: Vec<String>,
    /// Operands that are `user:secret@host`.
    pub(crate) operand_addresses: bool,
    /// Operands are what is typed to a program.
    pub(crate) typed: bool,
    /// A word that is the name of a secret has its value behind it: `set TOKEN x`.
    pub(crate) named: bool,
    /// What stands on standard input.
    pub(crate) stdin: Option<SecretInput>,
    /// Options whose names sound like a secret's, but that take none.
    pub(crate) flags: Vec<String>,
    /// Other options that take a value.
    pub(crate) takes: Vec<String>,
    /// Only as the first word of a command: elsewhere its name is a common word.
    pub(crate) direct: bool,
    /// Options are whole words: `-passin` is not a bundle of letters.
    pub(crate) whole: bool,
}

/// What a program reads from standard input.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SecretInput {
    /// A secret.
    All,
    /// A secret on the first line.
    Line,
    /// `user:secret`, one a line.
    Pairs,
    /// A secret, if it is one word; otherwise what a program behind this one reads.
    Word,
}

/// All of it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    program: Vec<SecretPlaces>,
    /// Programs that do not run what their arguments name, unless one of `runs` is among them.
    closed: Vec<String>,
    runs: Vec<String>,
    /// Programs to which a word is a line of its own.
    lines: Vec<String>,
    /// Options before a word that is only a name: `--name mongo`.
    naming: Vec<String>,
}

/// Where programs take secrets.
#[derive(Debug, Default)]
pub(crate) struct SecretTable {
    programs: HashMap<String, Vec<SecretPlaces>>,
    closed: HashSet<String>,
    runs: HashSet<String>,
    lines: HashSet<String>,
    naming: HashSet<String>,
}

static TABLE: LazyLock<SecretTable> = LazyLock::new(|| {
    // A test reads the file; without it only what needs no table would be found.
    let file: File = toml::from_str(include_str!("secrets.toml")).unwrap_or_default();
    let mut programs: HashMap<String, Vec<SecretPlaces>> = HashMap::default();
    for places in file.program {
        for name in &places.names {
            programs.entry(name.clone()).or_default().push(places.clone());
        }
    }
    SecretTable {
        programs,
        closed: file.closed.into_iter().collect(),
        runs: file.runs.into_iter().collect(),
        lines: file.lines.into_iter().collect(),
        naming: file.naming.into_iter().collect(),
    }
});

impl SecretTable {
    /// The table that comes with the engine.
    pub(crate) fn builtin() -> &'static Self {
        &TABLE
    }

    /// What is known of a program; nothing of most.
    pub(crate) fn of(&self, name: &str) -> &[SecretPlaces] {
        self.programs.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a program is named in the table at all.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.programs.contains_key(name) || self.closed.contains(name)
    }

    /// Whether the program's arguments are not a command of their own.
    pub(crate) fn is_closed<'w>(
        &self,
        name: &str,
        mut arguments: impl Iterator<Item = &'w str>,
    ) -> bool {
        self.closed.contains(name) && !arguments.any(|word| self.runs.contains(word))
    }

    /// Whether a program takes words for lines of a shell.
    pub(crate) fn takes_lines(&self, name: &str) -> bool {
        self.lines.contains(name)
    }

    /// Whether what follows an option is a name of something, not a program.
    pub(crate) fn names_something(&self, option: &str) -> bool {
        self.naming.contains(option)
    }

    /// The names of the programs.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.programs.keys().map(String::as_str)
    }

    /// The names that are not also common words.
    pub(crate) fn telling_names(&self) -> impl Iterator<Item = &str> {
        let telling = |places: &Vec<SecretPlaces>| places.iter().any(|places| !places.direct);
        self.programs
            .iter()
            .filter(move |(_, places)| telling(places))
            .map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        let file: File = toml::from_str(include_str!("secrets.toml")).unwrap();
        for places in &file.program {
            assert!(!places.names.is_empty(), "{places:?}");
            for option in [
                &places.values,
                &places.attached,
                &places.pairs,
                &places.assignments,
                &places.takes,
                &places.cookies,
                &places.addresses,
            ]
            .into_iter()
            .flatten()
            {
                assert!(option.starts_with(['-', '/']) && option.len() > 1, "{option}");
            }
            assert!(!places.operands.contains(&0) && places.rest != Some(0), "{places:?}");
        }
        assert!(SecretTable::builtin().knows("mysql"));
    }
}
