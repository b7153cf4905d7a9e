//! Other ways to write what a command does: names of one sub-command, options that mean the same, and
//! programs that do what another one does. It must never decide what a rule makes of them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::hashed::HashMap;
use crate::program::family;

/// One way to write a command, whatever other words it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// The program's name.
    pub(crate) program: String,
    /// What must be there.
    pub(crate) pieces: Vec<Piece>,
}

/// A part of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// This word, where a sub-command or operand stands.
    Word(String),
    /// This option, wherever it stands, and the value that it must have.
    Option { name: String, value: Option<String> },
    /// An operand, by its number; `:@` is one that begins with a colon.
    Operand { before: String, number: char, after: String },
}

/// One form and those that it may be written as instead.
#[derive(Clone, Debug)]
pub(crate) struct Rewrite {
    pub(crate) from: Form,
    pub(crate) to: Vec<Form>,
}

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    same: Vec<String>,
    akin: Vec<String>,
    modes: BTreeSet<String>,
    folds: BTreeSet<String>,
    patterns: BTreeSet<String>,
    abbreviates: BTreeSet<String>,
    endings: HashMap<String, String>,
}

/// What is known of all programs.
#[derive(Debug, Default)]
pub(crate) struct Synonyms {
    same: HashMap<String, Vec<Rewrite>>,
    akin: HashMap<String, Vec<Rewrite>>,
    /// What commands of a program may be written as, by each name of its family.
    reached: HashMap<String, Reached>,
    modes: BTreeSet<String>,
    folds: BTreeSet<String>,
    patterns: BTreeSet<String>,
    abbreviates: BTreeSet<String>,
    endings: HashMap<String, String>,
}

/// The programs that commands of a program may be written as.
#[derive(Debug, Default)]
struct Reached {
    /// Those that are another way to write it.
    same: BTreeSet<String>,
    /// Those that do the same in another way.
    akin: BTreeSet<String>,
}

static SYNONYMS: LazyLock<Synonyms> = LazyLock::new(|| {
    // A test reads the file; without it a rule would only be about what it says word for word.
    let file: File = toml::from_str(include_str!("synonyms.toml")).unwrap_or_default();
    let read = |lines: &[String]| {
        let mut all: HashMap<String, Vec<Rewrite>> = HashMap::default();
        for rewrite in lines.iter().filter_map(|line| rewrites(line).ok()).flatten() {
            all.entry(rewrite.from.program.clone()).or_default().push(rewrite);
        }
        all
    };
    let (same, akin) = (read(&file.same), read(&file.akin));
    let mut synonyms = Synonyms {
        same,
        akin,
        reached: HashMap::default(),
        modes: file.modes,
        folds: file.folds,
        patterns: file.patterns,
        abbreviates: file.abbreviates,
        endings: file.endings,
    };
    let programs = synonyms.same.keys().chain(synonyms.akin.keys());
    let programs: BTreeSet<&str> = programs.flat_map(|program| with_family(program)).collect();
    let reached = |program: &str| (program.to_owned(), synonyms.reached_from(program));
    synonyms.reached = programs.into_iter().map(reached).collect();
    synonyms
});

/// A program, and those that do the same by another name.
fn with_family(program: &str) -> impl Iterator<Item = &str> {
    std::iter::once(program).chain(family(program).iter().copied())
}

impl Synonyms {
    /// What comes with the engine.
    pub(crate) fn builtin() -> &'static Self {
        &SYNONYMS
    }

    /// What a program's commands may be written as instead, by the program itself.
    pub(crate) fn same(&self, program: &str) -> &[Rewrite] {
        self.same.get(program).map_or(&[], Vec::as_slice)
    }

    /// What other programs do that a program's commands do.
    pub(crate) fn akin(&self, program: &str) -> &[Rewrite] {
        self.akin.get(program).map_or(&[], Vec::as_slice)
    }

    /// Programs of which commands may be other ways to write those of this program, itself and its
    /// family among them; none where there is no other way.
    pub(crate) fn same_programs(&self, program: &str) -> impl Iterator<Item = &str> {
        self.reached(program).into_iter().flat_map(|reached| &reached.same).map(String::as_str)
    }

    /// Programs of which commands may do what those of this program do, however these are written.
    pub(crate) fn akin_programs(&self, program: &str) -> impl Iterator<Item = &str> {
        self.reached(program).into_iter().flat_map(|reached| &reached.akin).map(String::as_str)
    }

    fn reached(&self, program: &str) -> Option<&Reached> {
        with_family(program).find_map(|name| self.reached.get(name))
    }

    /// The programs that a command may be one of, where it is written otherwise, as often as that goes,
    /// and then as another program's.
    fn reached_from(&self, program: &str) -> Reached {
        let mut names: Vec<&str> = with_family(program).collect();
        let mut at = 0;
        while let Some(name) = names.get(at).copied() {
            at += 1;
            let forms = self.same(name).iter().flat_map(|rewrite| &rewrite.to);
            for name in forms.flat_map(|form| with_family(&form.program)) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        let akin: Vec<&Rewrite> = names.iter().flat_map(|name| self.akin(name)).collect();
        let forms = akin.iter().flat_map(|rewrite| &rewrite.to);
        let mut akin_to: BTreeSet<String> = forms.map(|form| form.program.clone()).collect();
        let same: BTreeSet<String> = names.iter().copied().map(str::to_owned).collect();
        // Where the program stays the same, its name does, whichever it was.
        let stays =
            |rewrite: &Rewrite| rewrite.to.iter().any(|form| form.program == rewrite.from.program);
        if akin.iter().any(|rewrite| stays(rewrite)) {
            akin_to.extend(same.iter().cloned());
        }
        Reached { same, akin: akin_to }
    }

    /// The programs of which commands can be written otherwise.
    pub(crate) fn programs(&self) -> impl Iterator<Item = &str> {
        self.same.keys().map(String::as_str)
    }

    /// Whether words of the program are compared in a way of its own.
    pub(crate) fn is_special(&self, program: &str) -> bool {
        self.folds(program) || self.ending(program).is_some()
    }

    /// Whether an operand of the program is a mode of files: `777`, `a+rwx`.
    pub(crate) fn takes_modes(&self, program: &str) -> bool {
        self.modes.contains(program)
    }

    /// Whether a program's words mean the same in capitals, however many blanks are between them.
    pub(crate) fn folds(&self, program: &str) -> bool {
        self.folds.contains(program)
    }

    /// Whether a program reads its operands as patterns of names.
    pub(crate) fn takes_patterns(&self, program: &str) -> bool {
        self.patterns.contains(program)
    }

    /// Whether a program takes the beginning of a sub-command for all of it.
    pub(crate) fn abbreviates(&self, program: &str) -> bool {
        self.abbreviates.contains(program)
    }

    /// What the program adds to a name without an ending.
    pub(crate) fn ending(&self, program: &str) -> Option<&str> {
        self.endings.get(program).map(String::as_str)
    }
}

/// The rewrites in one line: `a | b` in both directions, `a > b | c` in one. Lists in braces are read
/// side by side: `x {a,b} | x y {a,b}` is two lines.
fn rewrites(line: &str) -> Result<Vec<Rewrite>, String> {
    let mut all = Vec::new();
    for line in side_by_side(line)? {
        let forms = |text: &str| text.split('|').map(form).collect::<Result<Vec<Form>, String>>();
        match line.split_once(" > ") {
            Some((from, to)) => {
                let to = forms(to)?;
                all.extend(forms(from)?.into_iter().map(|from| Rewrite { from, to: to.clone() }));
            }
            None => {
                let forms = forms(&line)?;
                for (at, from) in forms.iter().enumerate() {
                    let to = forms.iter().enumerate().filter(|(other, _)| *other != at);
                    let to = to.map(|(_, form)| form.clone()).collect();
                    all.push(Rewrite { from: from.clone(), to });
                }
            }
        }
    }
    Ok(all)
}

fn side_by_side(line: &str) -> Result<Vec<String>, String> {
    let Some((_, first)) = line.split_once('{') else { return Ok(vec![line.to_owned()]) };
    let count = first.split('}').next().unwrap_or("").split(',').count();
    let mut lines = vec![String::new(); count];
    for (at, part) in line.split('{').enumerate() {
        let (list, rest) = if at == 0 {
            ("", part)
        } else {
            part.split_once('}').ok_or_else(|| format!("{line}: a list is never closed"))?
        };
        let words: Vec<&str> = list.split(',').collect();
        if at > 0 && words.len() != count {
            return Err(format!("{line}: its lists differ in length"));
        }
        for (line, at) in lines.iter_mut().zip(0..) {
            line.push_str(words.get(at).copied().unwrap_or(""));
            line.push_str(rest);
        }
    }
    Ok(lines)
}

fn form(text: &str) -> Result<Form, String> {
    let mut words = split(text).into_iter();
    let program = words.next().ok_or_else(|| format!("{text:?} names no program"))?;
    Ok(Form { program, pieces: words.map(piece).collect() })
}

fn piece(word: String) -> Piece {
    if word.starts_with('-') && word.len() > 1 {
        return match word.split_once('=') {
            Some((name, value)) => {
                Piece::Option { name: name.to_owned(), value: Some(value.to_owned()) }
            }
            None => Piece::Option { name: word, value: None },
        };
    }
    match word.split_once('@') {
        Some((before, after)) => {
            let number = after.chars().next().filter(char::is_ascii_digit);
            let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
            Piece::Operand {
                before: before.to_owned(),
                number: number.unwrap_or('1'),
                after: after.to_owned(),
            }
        }
        None => Piece::Word(word),
    }
}

/// Words at blanks; single quotes keep one together.
fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in text.split('\'').enumerate() {
        if at % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        let file: File = toml::from_str(include_str!("synonyms.toml")).unwrap();
        for line in file.same.iter().chain(&file.akin) {
            for rewrite in rewrites(line).unwrap() {
                assert!(!rewrite.to.is_empty() && !rewrite.to.contains(&rewrite.from), "{line}");
                let operands = |form: &Form| {
                    let number = |piece: &Piece| match piece {
                        Piece::Operand { number, .. } => Some(*number),
                        _ => None,
                    };
                    form.pieces.iter().filter_map(number).collect::<Vec<_>>()
                };
                let from = operands(&rewrite.from);
                if line.contains(" > ") {
                    for to in &rewrite.to {
                        assert!(operands(to).iter().all(|it| from.contains(it)), "{line}");
                    }
                }
            }
        }
        for line in &file.same {
            let rewrite = rewrites(line).unwrap();
            assert!(!rewrite.is_empty(), "{line}");
        }
    }

    #[test]
    fn what_a_command_may_become_is_known() {
        let all = Synonyms::builtin();
        for (name, rewrites) in &all.same {
            for form in rewrites.iter().flat_map(|rewrite| &rewrite.to) {
                assert!(all.same_programs(name).any(|it| it == form.program), "{name}: {form:?}");
                // And what that may become in turn.
                for akin in all.akin(&form.program).iter().flat_map(|rewrite| &rewrite.to) {
                    let mut programs = all.akin_programs(name);
                    assert!(programs.any(|it| it == akin.program), "{name}: {akin:?}");
                }
            }
        }
        for (name, rewrites) in &all.akin {
            for form in rewrites.iter().flat_map(|rewrite| &rewrite.to) {
                for name in with_family(name) {
                    let mut programs = all.akin_programs(name);
                    assert!(programs.any(|it| it == form.program), "{name}: {form:?}");
                }
            }
        }
        assert!(all.same_programs("ls").next().is_none());
        assert!(all.akin_programs("ls").next().is_none());
    }

    #[test]
    fn lists_are_read_side_by_side() {
        let all = rewrites("x {a,b} | x y {a,b}").unwrap();
        assert_eq!(all.len(), 4);
        assert!(rewrites("x {a,b} | x {a}").is_err());
        let one = rewrites("git push +@ > git push --force @").unwrap();
        assert_eq!(one.len(), 1);
    }
}
