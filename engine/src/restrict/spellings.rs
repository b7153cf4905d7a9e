//! The other ways to write a command, from the table of synonyms. It must never leave one out because a
//! word is not known.

use std::cell::OnceCell;

use super::literal::literal_likeness;
use super::suspect::Suspect;
use super::words::{Likeness, flags, grammars, is_other_verb, may_be};
use crate::effects::Understood;
use crate::program::{base_name, family};
use crate::rules::GlobPattern;
use crate::subject::{Heard, Subject};
use crate::tables::{Form, Piece, Rewrite, RiskTables, Synonyms};

/// The most ways in which one command is written, itself among them.
const MOST: usize = 32;

/// How often a command is written otherwise, one way after another.
const DEPTH: usize = 3;

/// The other ways to write a command.
pub(super) fn others<'a>(suspect: &'a Suspect, tables: &RiskTables) -> &'a [Suspect] {
    // Another way to write a command was made from all the ways to write that.
    let made = || match suspect.subject.derived {
        true => Vec::new(),
        false => of(&suspect.subject, tables),
    };
    suspect.others.get_or_init(made)
}

fn of(subject: &Subject, tables: &RiskTables) -> Vec<Suspect> {
    let mut all: Vec<Suspect> = Vec::new();
    if !may_be_rewritten(subject, Synonyms::same) {
        return all;
    }
    let first = Rewritten { subject: subject.clone(), sure: Likeness::Certain, verb: None };
    let mut from = vec![first];
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for spelling in &from {
            for mut made in rewritten(&spelling.subject, tables, Synonyms::same) {
                made.sure = made.sure.min(spelling.sure);
                if made.subject.words == subject.words {
                    continue;
                }
                match all.iter_mut().find(|other| other.subject == made.subject) {
                    Some(other) => other.at_most = other.at_most.max(made.sure),
                    None if next.len() < MOST => next.push(made),
                    None => {}
                }
            }
        }
        for made in &next {
            let known = all.iter().any(|other| other.subject == made.subject);
            if all.len() < MOST && !known {
                let verb = made.verb.clone();
                all.push(Suspect::derived(made.subject.clone(), made.sure, verb));
            }
        }
        from = next;
    }
    all
}

/// How sure it is that the pattern is about the command, written this other way.
pub(super) fn likeness(pattern: &GlobPattern, other: &Suspect, tables: &RiskTables) -> Likeness {
    // `docker rmi` is `docker image rm`, and no `docker rm`.
    let mut words = pattern.words().iter().skip(1);
    let wanted = words.find(|word| !word.starts_with('-'));
    let plain = wanted.filter(|word| !word.contains(['*', '?', '/', '=']));
    if let (Some(verb), Some(wanted)) = (&other.verb, plain)
        && !verb.eq_ignore_ascii_case(wanted)
    {
        return Likeness::No;
    }
    literal_likeness(pattern, other, tables).min(other.at_most)
}

/// Commands of other programs that do what this one does.
pub(crate) fn akin(suspect: &Suspect, tables: &RiskTables) -> Vec<Subject> {
    let mut all: Vec<Subject> = Vec::new();
    let subject = &suspect.subject;
    if !may_be_rewritten(subject, Synonyms::same) && !may_be_rewritten(subject, Synonyms::akin) {
        return all;
    }
    let others = others(suspect, tables);
    let subjects = std::iter::once(subject).chain(others.iter().map(|other| &other.subject));
    for subject in subjects {
        for Rewritten { subject, .. } in rewritten(subject, tables, Synonyms::akin) {
            if all.len() < MOST && !all.contains(&subject) {
                all.push(subject);
            }
        }
    }
    all
}

/// Whether a command that begins with this word may be one of another program that somebody asks about.
pub(crate) fn may_be_akin(first: &str, asked: &dyn Fn(&str, bool) -> bool) -> bool {
    let name = base_name(first);
    let mut programs = Synonyms::builtin().akin_programs(name);
    // Where it stays a program of its family, it keeps its name: `python3.11`.
    let stays = |program: &str| family(name).contains(&program) && asked(first, true);
    programs.any(|program| asked(program, true) || stays(program))
}

/// Whether there is any other way to write commands of the program.
fn may_be_rewritten(
    subject: &Subject,
    rewrites: impl Fn(&'static Synonyms, &str) -> &'static [Rewrite],
) -> bool {
    // Where the program is not known, the line is far from everything, and every pattern is near.
    subject.words.first().is_some_and(|first| first.known && may_begin(&first.text, rewrites))
}

fn may_begin(
    first: &str,
    rewrites: impl Fn(&'static Synonyms, &str) -> &'static [Rewrite],
) -> bool {
    let name = base_name(first);
    let has = |name: &str| !rewrites(Synonyms::builtin(), name).is_empty();
    has(name) || family(name).iter().any(|other| has(other))
}

/// A command written otherwise.
struct Rewritten {
    subject: Subject,
    /// How sure it is that this is another way to write it.
    sure: Likeness,
    verb: Option<String>,
}

/// What the rewrites make of a command, each with how sure it is that they are about it.
fn rewritten(
    subject: &Subject,
    tables: &RiskTables,
    rewrites: impl Fn(&'static Synonyms, &str) -> &'static [Rewrite],
) -> Vec<Rewritten> {
    let Some(first) = subject.words.first() else { return Vec::new() };
    let synonyms = Synonyms::builtin();
    let name = base_name(&first.text);
    let mut found: Vec<&Rewrite> = rewrites(synonyms, name).iter().collect();
    if first.known {
        let others = family(name).iter().filter(|other| **other != name);
        found.extend(others.flat_map(|other| rewrites(synonyms, other)));
    } else {
        // Any program that it may be.
        let programs = synonyms.programs().filter(|program| may_be(program, name));
        found.extend(programs.flat_map(|program| rewrites(synonyms, program)));
    }
    if found.is_empty() {
        return Vec::new();
    }
    let suspect = OnceCell::new();
    let reader = Reader { subject, tables, suspect: &suspect };
    let mut out = Vec::new();
    for rewrite in found {
        if let Some(parts) = reader.read(&rewrite.from) {
            let to = rewrite.to.iter();
            out.extend(to.filter_map(|form| {
                let verb = form.pieces.iter().find_map(|piece| match piece {
                    Piece::Word(word) => Some(word.clone()),
                    _ => None,
                });
                let subject = written(form, rewrite, first, &parts)?;
                Some(Rewritten { subject, sure: parts.sure, verb })
            }));
        }
    }
    out
}

/// A command as a form has it.
struct Parts {
    sure: Likeness,
    /// The operands, by their numbers.
    operands: Vec<(char, Heard)>,
    /// What the form does not name.
    rest: Vec<Heard>,
}

struct Reader<'a> {
    subject: &'a Subject,
    tables: &'a RiskTables,
    /// The same, with what its grammar says of it, where that is asked for.
    suspect: &'a OnceCell<Suspect>,
}

impl Reader<'_> {
    fn understood(&self) -> Option<&Understood> {
        let suspect = || Suspect::from(self.subject.clone());
        self.suspect.get_or_init(suspect).understood(self.tables)
    }

    /// The command as the form has it, if it is one of that form or may be.
    fn read(&self, form: &Form) -> Option<Parts> {
        let (program, words) = self.subject.words.split_first()?;
        // Most forms have a sub-command that is not there.
        let folds = Synonyms::builtin().folds(&form.program);
        let is_word = |wanted: &str, word: &Heard| match word.known {
            true if folds => word.text.eq_ignore_ascii_case(wanted),
            true => word.text == *wanted,
            false => may_be(wanted, &word.text),
        };
        let is_there = |piece: &Piece| match piece {
            Piece::Word(wanted) => words.iter().any(|word| is_word(wanted, word)),
            Piece::Option { .. } => {
                words.iter().any(|word| !word.known || word.text.starts_with('-'))
            }
            Piece::Operand { .. } => true,
        };
        if !form.pieces.iter().all(is_there) {
            return None;
        }
        let names: Vec<String> = form
            .pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Word(word) => Some(word.clone()),
                _ => None,
            })
            .collect();
        if program.known
            && let Some(understood) = self.understood()
            && is_other_verb(&names, understood, self.tables, &program.text)
        {
            return None;
        }
        let mut used = vec![false; words.len()];
        let mut sure = if program.known { Likeness::Yes } else { Likeness::Near };
        for piece in &form.pieces {
            if let Piece::Option { name, value } = piece {
                sure = sure.min(self.option(name, value.as_deref(), words, &mut used)?);
            }
        }
        let mut operands = Vec::new();
        let mut from = 0;
        for piece in &form.pieces {
            let (at, heard) = match piece {
                Piece::Option { .. } => continue,
                Piece::Word(wanted) => {
                    (next(words, &used, from, |word| is_word(wanted, word))?, None)
                }
                Piece::Operand { before, number, after }
                    if !(before.is_empty() && after.is_empty()) =>
                {
                    let inner = |word: &Heard| {
                        let text = word.text.strip_prefix(before.as_str())?;
                        let text = text.strip_suffix(after.as_str())?;
                        (!text.is_empty() && !word.text.starts_with('-')).then(|| text.to_owned())
                    };
                    let at = words
                        .iter()
                        .zip(&used)
                        .position(|(word, used)| !used && (inner(word).is_some() || !word.known))?;
                    let word = words.get(at)?;
                    let text = inner(word);
                    sure = if text.is_some() { sure } else { Likeness::Near };
                    let text = text.unwrap_or_else(|| word.text.clone());
                    operands.push((*number, Heard { text, known: word.known }));
                    *used.get_mut(at)? = true;
                    continue;
                }
                Piece::Operand { number, .. } => {
                    let at = next(words, &used, from, |_| true)?;
                    (at, Some((*number, words.get(at)?.clone())))
                }
            };
            let word = words.get(at)?;
            if heard.is_none() && !word.known {
                sure = sure.min(Likeness::Near);
            }
            operands.extend(heard);
            *used.get_mut(at)? = true;
            from = at + 1;
        }
        let rest = words.iter().zip(&used).filter(|(_, used)| !**used);
        Some(Parts { sure, operands, rest: rest.map(|(word, _)| word.clone()).collect() })
    }

    /// How sure it is that the option is there.
    fn option(
        &self,
        name: &str,
        value: Option<&str>,
        words: &[Heard],
        used: &mut [bool],
    ) -> Option<Likeness> {
        let program = self.subject.words.first().map_or("", |word| base_name(&word.text));
        let grammars = grammars(words.iter(), program, self.tables);
        let wanted = flags(name, &grammars);
        let letter = name.strip_prefix('-').filter(|rest| rest.len() == 1);
        let mut unknown = false;
        for (at, word) in words.iter().enumerate() {
            let text = word.text.as_str();
            if !word.known {
                // A home is no option.
                let home = ["$HOME", "${HOME}", "~"].iter().any(|home| text.starts_with(home));
                unknown |= value.is_none() && !home && may_be(name, text);
                continue;
            }
            if !text.starts_with('-') || text.len() < 2 {
                continue;
            }
            let (head, attached) =
                text.split_once('=').map_or((text, None), |(head, value)| (head, Some(value)));
            // Some programs have `-destroy` and `--destroy`.
            let same_name = head.trim_start_matches('-') == name.trim_start_matches('-')
                && (head == name || name.trim_start_matches('-').len() > 1);
            let have = flags(text, &grammars);
            let alone = same_name || have.len() == 1;
            // `-SIGKILL` is one option, although no grammar says so.
            let whole = !name.starts_with("--") && name.len() > 2 && wanted.len() > 1;
            if !same_name && (whole || !wanted.iter().any(|wanted| have.contains(wanted))) {
                let glued = letter.and_then(|letter| text.strip_prefix('-')?.strip_prefix(letter));
                if value.is_none() || glued != value {
                    continue;
                }
            }
            let Some(value) = value else {
                if alone && let Some(slot) = used.get_mut(at) {
                    *slot = true;
                }
                return Some(Likeness::Yes);
            };
            let glued = letter.and_then(|letter| text.strip_prefix('-')?.strip_prefix(letter));
            if attached == Some(value) || glued == Some(value) {
                *used.get_mut(at)? = true;
                return Some(Likeness::Yes);
            }
            let next = words.get(at + 1);
            if attached.is_none() && next.is_some_and(|next| next.known && next.text == value) {
                *used.get_mut(at)? = true;
                *used.get_mut(at + 1)? = true;
                return Some(Likeness::Yes);
            }
            unknown |= next.is_some_and(|next| !next.known && may_be(value, &next.text));
        }
        unknown.then_some(Likeness::Near)
    }
}

/// The next word that fits, where only options and their values stand before it.
fn next(
    words: &[Heard],
    used: &[bool],
    from: usize,
    fits: impl Fn(&Heard) -> bool,
) -> Option<usize> {
    let mut after_option = false;
    for (at, (word, used)) in words.iter().zip(used).enumerate().skip(from) {
        let is_option = word.known && word.text.starts_with('-') && word.text.len() > 1;
        if *used || is_option {
            after_option = is_option && word.text != "--" && !word.text.contains('=');
        } else if fits(word) {
            return Some(at);
        } else if !std::mem::take(&mut after_option) {
            return None;
        }
    }
    None
}

/// The command as another form has it; none where that names what the first does not.
fn written(form: &Form, rewrite: &Rewrite, first: &Heard, parts: &Parts) -> Option<Subject> {
    let known = |text: &str| Heard { text: text.to_owned(), known: true };
    // By a name of the same family it stays.
    let program =
        if form.program == rewrite.from.program { first.clone() } else { known(&form.program) };
    let mut words = vec![program];
    for piece in &form.pieces {
        match piece {
            Piece::Word(word) => words.push(known(word)),
            Piece::Option { name, value } => {
                words.push(known(name));
                words.extend(value.as_deref().map(known));
            }
            Piece::Operand { before, number, after } => {
                words.push(operand(parts, *number, before, after)?);
            }
        }
    }
    words.extend(parts.rest.iter().cloned());
    Some(Subject { words, derived: true })
}

/// An operand of the first form, as the other has it.
fn operand(parts: &Parts, number: char, before: &str, after: &str) -> Option<Heard> {
    let (_, heard) = parts.operands.iter().find(|(known, _)| *known == number)?;
    Some(Heard { text: format!("{before}{}{after}", heard.text), known: heard.known })
}
