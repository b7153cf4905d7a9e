//! Which of many patterns a command may be about. It must never leave out one that [`likeness`] would
//! find: what is not certain to be about something else is held against the command.
//!
//! [`likeness`]: super::likeness::likeness

use crate::hashed::{HashMap, HashSet};
use crate::program::{base_name, family};
use crate::rules::GlobPattern;
use crate::subject::Heard;
use crate::tables::{RiskTables, Synonyms};

use super::suspect::Suspect;
use super::words::{Likeness, comparable, is_cluster, is_option, program_likeness};
use super::{modes, resources, spellings};

/// Patterns by the program that they name, and by a word that a command must have to be meant.
#[derive(Clone, Debug, Default)]
pub(crate) struct PatternIndex {
    by_program: HashMap<Box<str>, Group>,
    /// These programs, and those that do the same by another name.
    programs: HashSet<Box<str>>,
    /// Those whose program is a pattern.
    any: Vec<usize>,
}

/// The patterns for one program.
#[derive(Clone, Debug, Default)]
struct Group {
    /// The program as they write it, with a directory or without.
    programs: Vec<Box<str>>,
    all: Vec<usize>,
    /// Those without a word that tells.
    open: Vec<usize>,
    words: HashMap<Box<str>, Vec<usize>>,
    beginnings: HashMap<Box<str>, Vec<usize>>,
    /// The lengths of these, without repetition.
    lengths: Vec<usize>,
}

/// A word of a pattern without which a command, all of whose words are known, is another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Word(String),
    /// What stands in front of its first wildcard.
    Beginning(String),
}

impl PatternIndex {
    /// Indexes patterns; those that are absent have a number all the same.
    pub(crate) fn build<'a>(patterns: impl IntoIterator<Item = Option<&'a GlobPattern>>) -> Self {
        let mut index = Self::default();
        let mut groups: HashMap<&str, Vec<(usize, Vec<Key>)>> = HashMap::default();
        let mut written: HashMap<&str, Vec<Box<str>>> = HashMap::default();
        for (at, pattern) in patterns.into_iter().enumerate() {
            let Some(pattern) = pattern else { continue };
            let Some(path) = pattern.program() else {
                index.any.push(at);
                continue;
            };
            let program = base_name(path);
            groups.entry(program).or_default().push((at, keys(pattern, program)));
            let paths = written.entry(program).or_default();
            if !paths.iter().any(|known| **known == *path) {
                paths.push(path.into());
            }
        }
        for (program, members) in groups {
            index.programs.insert(program.into());
            index.programs.extend(family(program).iter().map(|name| Box::from(*name)));
            let programs = written.remove(program).unwrap_or_default();
            index.by_program.insert(program.into(), Group { programs, ..Group::of(members) });
        }
        index
    }

    /// Whether a pattern may be about a command that begins with this word, which is known or not.
    pub(crate) fn concerns(&self, first: &str, known: bool) -> bool {
        !self.any.is_empty()
            || !self.programs.is_empty() && (!known || self.names(first) || self.names_other(first))
    }

    /// Whether a pattern names the program, or one that does the same by another name.
    fn names(&self, first: &str) -> bool {
        self.programs.contains(base_name(first))
    }

    /// Whether a pattern names a program of which a command that begins with this word may be written as
    /// one.
    fn names_other(&self, first: &str) -> bool {
        let mut programs = Synonyms::builtin().same_programs(base_name(first));
        programs.any(|program| self.programs.contains(program))
    }

    /// The patterns that may be about a command: those for its program, for programs like it, and for
    /// any.
    pub(crate) fn about(&self, suspect: &Suspect) -> Vec<usize> {
        let mut all = self.about_one(suspect);
        let first = suspect.subject.words.first();
        if !first.is_some_and(|word| self.names(&word.text) || self.names_other(&word.text)) {
            return all;
        }
        let others = spellings::others(suspect, RiskTables::builtin());
        if !others.is_empty() {
            let mut known: HashSet<usize> = all.iter().copied().collect();
            let more = others.iter().flat_map(|other| self.about_one(other));
            all.extend(more.filter(|at| known.insert(*at)));
        }
        all
    }

    /// Those that may be about it as it is written there.
    fn about_one(&self, suspect: &Suspect) -> Vec<usize> {
        let first = suspect.subject.words.first();
        let mut out = Vec::new();
        match first {
            // A program that is not known may be any of those that are like what is known of it.
            Some(word) if !word.known => {
                let like = |program: &str| program_likeness(program, word) > Likeness::No;
                let groups = self.by_program.values();
                let groups =
                    groups.filter(|group| group.programs.iter().any(|program| like(program)));
                out.extend(groups.flat_map(|group| &group.all));
                out.sort_unstable();
            }
            Some(word) if self.names(&word.text) => {
                let named = base_name(&word.text);
                let others = family(named).iter().copied().filter(|other| *other != named);
                for name in std::iter::once(named).chain(others) {
                    if let Some(group) = self.by_program.get(name) {
                        group.about(suspect, &mut out);
                    }
                }
            }
            Some(_) | None => {}
        }
        out.extend(&self.any);
        out
    }
}

impl Group {
    fn of(members: Vec<(usize, Vec<Key>)>) -> Self {
        let mut counts: HashMap<Key, usize> = HashMap::default();
        for key in members.iter().flat_map(|(_, keys)| keys) {
            *counts.entry(key.clone()).or_default() += 1;
        }
        let mut group = Self::default();
        for (at, keys) in members {
            group.all.push(at);
            // The rarest word tells most.
            let rarest = keys.into_iter().min_by_key(|key| counts.get(key).copied());
            match rarest {
                None => group.open.push(at),
                Some(Key::Word(word)) => group.words.entry(word.into()).or_default().push(at),
                Some(Key::Beginning(text)) => {
                    if !group.lengths.contains(&text.len()) {
                        group.lengths.push(text.len());
                    }
                    group.beginnings.entry(text.into()).or_default().push(at);
                }
            }
        }
        group
    }

    /// Adds, in their order, those of these patterns that may be about a command.
    fn about(&self, suspect: &Suspect, out: &mut Vec<usize>) {
        let words = suspect.subject.words.get(1..).unwrap_or(&[]);
        let cluster = is_cluster(suspect.program());
        let selects = || resources::may_select(suspect.operands().iter().map(|it| &it.word));
        // What is not known may be any word, and what is selected has any name.
        let tells = self.open.len() < self.all.len()
            && words.iter().all(|word| word.known)
            && !(cluster && selects())
            && !is_pattern(suspect.program(), words);
        if !tells {
            out.extend(&self.all);
            return;
        }
        let from = out.len();
        out.extend(&self.open);
        for operand in suspect.operands() {
            for text in std::iter::once(&operand.normal).chain(&operand.value) {
                out.extend(self.words.get(text.as_str()).into_iter().flatten());
                for length in &self.lengths {
                    let beginning = text.get(..*length);
                    let found = beginning.and_then(|beginning| self.beginnings.get(beginning));
                    out.extend(found.into_iter().flatten());
                }
            }
        }
        if let Some(added) = out.get_mut(from..) {
            added.sort_unstable();
        }
        out.dedup();
    }
}

/// Whether the program reads one of the words as a pattern of names, which may have any.
fn is_pattern(program: &str, words: &[Heard]) -> bool {
    Synonyms::builtin().takes_patterns(program)
        && words.iter().any(|word| word.text.contains(['*', '?', '[']))
}

/// The words of a pattern without which a command of which every word is known is not meant. A path may
/// be written in other ways, an option be part of another, and a number have zeros in front.
fn keys(pattern: &GlobPattern, program: &str) -> Vec<Key> {
    let mut keys = Vec::new();
    let synonyms = Synonyms::builtin();
    if synonyms.abbreviates(program) {
        return keys;
    }
    for wanted in pattern.words().get(1..).unwrap_or(&[]) {
        let name = if is_cluster(program) { resources::name(wanted) } else { wanted };
        let number = name.bytes().all(|b| b.is_ascii_digit());
        if is_option(wanted) || number || name == "*" || name.starts_with(['/', '~', '$']) {
            continue;
        }
        if synonyms.takes_modes(program) && modes::is_mode(name) {
            continue;
        }
        let text = comparable(program, name);
        match text.find(['*', '?']) {
            None => keys.push(Key::Word(text)),
            Some(0) => {}
            Some(at) => keys.extend(text.get(..at).map(|start| Key::Beginning(start.to_owned()))),
        }
    }
    keys
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::super::likeness::likeness;
    use super::*;
    use crate::risk::commands_of;
    use crate::tables::RiskTables;

    const PROGRAMS: [&str; 16] = [
        "pip",
        "python3",
        "service",
        "kubectl",
        "oc",
        "rm",
        "git",
        "/usr/bin/apt",
        "apt-get",
        "k*",
        "tool",
        "systemctl",
        "chmod",
        "psql",
        "ip",
        "docker",
    ];
    const WORDS: [&str; 51] = [
        "-m",
        "pip",
        "uninstall",
        "purge",
        "remove",
        "--force",
        "+x",
        "stop",
        "disable",
        "--now",
        "x.service",
        "777",
        "a+rwx",
        "o+w",
        "-c",
        "DROP  x",
        "drop*",
        "l",
        "link",
        "container",
        "kill",
        "delete",
        "get",
        "pods",
        "po",
        "pod/x",
        "po,svc",
        "all",
        "-n",
        "--all",
        "-rf",
        "-r",
        "push",
        "push*",
        "p*",
        "*",
        "007",
        "7",
        "/srv",
        "/srv/*",
        "./x",
        "x/",
        "x",
        "~/x",
        "--name=x",
        "--name=*",
        "-l",
        "$y",
        "$(z)",
        "a?c",
        "abc",
    ];

    /// The words of a line, those with blanks in quotes.
    fn quoted(words: &[&str]) -> String {
        let quoted = |word: &&str| match word.contains(' ') {
            true => format!("'{word}'"),
            false => (*word).to_owned(),
        };
        words.iter().map(quoted).collect::<Vec<_>>().join(" ")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn no_pattern_that_may_be_meant_is_left_out(
            patterns in prop::collection::vec(
                (prop::sample::select(&PROGRAMS[..]),
                    prop::collection::vec(prop::sample::select(&WORDS[..]), 0..4)),
                1..12),
            program in prop::sample::select(&PROGRAMS[..]),
            words in prop::collection::vec(prop::sample::select(&WORDS[..]), 0..5),
        ) {
            let patterns: Vec<GlobPattern> = patterns
                .iter()
                .filter_map(|(program, words)| {
                    GlobPattern::parse(&format!("{program} {}", quoted(words))).ok()
                })
                .collect();
            let index = PatternIndex::build(patterns.iter().map(Some));
            for subject in commands_of(&format!("{program} {}", quoted(&words))) {
                let suspect = Suspect::from(subject);
                let about = index.about(&suspect);
                let first = suspect.subject.words.first();
                let concerns = first.is_some_and(|word| index.concerns(&word.text, word.known));
                prop_assert!(about.is_empty() || concerns);
                for (at, pattern) in patterns.iter().enumerate() {
                    let like = likeness(pattern, &suspect, RiskTables::builtin());
                    prop_assert!(
                        like == Likeness::No || about.contains(&at),
                        "{:?} {:?} {like:?}", pattern, suspect.subject
                    );
                }
            }
        }
    }
}
