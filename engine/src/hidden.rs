//! Commands that another program may run: what its arguments name, where nobody knows what it does
//! with them. For rules that deny and for policies, which must doubt.

use crate::Segment;
use crate::effects::{Value, understand};
use crate::program::base_name;
use crate::restrict::{Line, Suspect, akin, may_be_akin};
use crate::risk::{commands_of, resolve};
use crate::subject::{Heard, Subject};
use crate::tables::{Act, Acts, Grammar, RiskTables};

/// The most commands that are looked for in one.
const MOST: usize = 24;

/// What a command may do beside what it says: the commands in its arguments, and what other programs would
/// do in its place: `find x -delete` is `rm -r x`; only those that begin with a word that somebody asks
/// about. `suspect`: the same command, where it was already read for those who restrict.
pub(crate) fn beside(
    segment: &Segment,
    suspect: Option<&Suspect>,
    tables: &RiskTables,
    asked: &dyn Fn(&str, bool) -> bool,
) -> Vec<Subject> {
    let mut all = hidden_in(segment, tables, asked);
    if segment.argv.first().is_some_and(|first| may_be_akin(first, asked)) {
        let is_asked = |other: &Subject| {
            other.words.first().is_some_and(|first| asked(&first.text, first.known))
        };
        let own;
        let suspect = match suspect {
            Some(suspect) if suspect.subject.words.len() == segment.argv.len() => suspect,
            _ => {
                own = Suspect::from(segment.subject());
                &own
            }
        };
        all.extend(akin(suspect, tables).into_iter().filter(is_asked));
    }
    all
}

/// The commands that may stand in the arguments of a command: `pexec rm x`, `tool --run='rm x'`; only
/// those that begin with a word that somebody asks about.
fn hidden_in(
    segment: &Segment,
    tables: &RiskTables,
    asked: &dyn Fn(&str, bool) -> bool,
) -> Vec<Subject> {
    let Some((program, rest)) = segment.argv.split_first() else { return Vec::new() };
    let known = |at: usize| segment.known.get(at).copied().unwrap_or(false);
    // Mostly nobody asks about any of its words.
    let may_be_asked = |(at, word): (usize, &String)| {
        command_in(word).is_some_and(|text| is_line(text) || asked(text, known(at)))
    };
    let mut words = segment.argv.iter().enumerate().skip(1).take(MOST);
    if !asked(program, known(0)) && !words.any(may_be_asked) {
        return Vec::new();
    }
    let values: Vec<Value> = rest.iter().map(|word| Value::literal(word.clone(), (0, 0))).collect();
    let understood = tables.grammar(base_name(program)).and_then(|it| understand(it, &values).ok());
    let runs = |acts: &Acts| acts.has(Act::Runs) || acts.has(Act::Opaque);
    if understood.is_some_and(|understood| !runs(&understood.acts)) {
        return Vec::new();
    }
    let words = segment.subject().words;
    let mut out = Vec::new();
    // Those that nobody asks about count as well.
    let mut found = 0;
    // A verb that nobody knows may be an alias for any other: `git st`.
    let verb = |grammar: &&std::sync::Arc<Grammar>| {
        !grammar.verbs.is_empty()
            && rest.iter().any(|word| !word.starts_with('-'))
            && !rest.iter().any(|word| grammar.verbs.contains_key(word.as_str()))
    };
    if tables.grammar(base_name(program)).filter(verb).is_some() {
        let any = Heard { text: "*".to_owned(), known: false };
        found += 1;
        if asked(program, known(0)) {
            out.push(Subject::of(words.iter().take(1).cloned().chain([any]).collect()));
        }
    }
    for (at, word) in words.iter().enumerate().skip(1).take(MOST) {
        let Some(text) = command_in(&word.text) else { continue };
        if is_line(text) {
            for inside in commands_of(text) {
                let Some(first) = inside.words.first() else { continue };
                found += 1;
                if asked(&first.text, first.known) {
                    out.push(inside);
                }
            }
        } else if !text.is_empty() {
            found += 1;
            if asked(text, word.known) {
                let first = Heard { text: text.to_owned(), known: word.known };
                let rest = words.get(at + 1..).unwrap_or(&[]).iter().cloned();
                out.push(Subject::of(std::iter::once(first).chain(rest).collect()));
            }
        }
        if found >= MOST {
            break;
        }
    }
    out
}

/// What of an argument may be a command, or the first word of one: `--run=rm x`, and `-Prm x`.
fn command_in(word: &str) -> Option<&str> {
    let text = match word.split_once('=') {
        Some((name, value)) if name.starts_with('-') => value,
        _ if word.starts_with("--") => return None,
        _ if word.starts_with('-') => word.get(2..).unwrap_or(""),
        _ => word,
    };
    Some(text.trim_start_matches(['|', '!', ' ']))
}

/// Whether it is to be read as a line.
fn is_line(text: &str) -> bool {
    text.contains([' ', ';', '\n']) && text.len() < 1024
}

/// The commands of a line with each relative path as it is seen from the directory in which the command
/// runs, where the line goes to another one: `cd / && rm -rf srv`.
pub(crate) fn moved(line: &Line<'_>) -> Vec<Subject> {
    let Ok(performance) = &line.performance else { return Vec::new() };
    let mut out = Vec::new();
    for command in &performance.commands {
        let directories = command.directories.as_deref().unwrap_or(&[]);
        let elsewhere = directories.iter().filter(|directory| directory.starts_with('/'));
        for directory in elsewhere.take(4) {
            let heard = |word: &Value| {
                let text = word.as_literal().unwrap_or("*");
                let path = !(text.is_empty() || text.starts_with(['-', '/', '~']));
                let text = if path { resolve(text, Some(directory)) } else { text.to_owned() };
                Heard { text, known: word.as_literal().is_some() }
            };
            let words = command.words.iter().enumerate().map(|(at, word)| match at {
                0 => Heard { text: word.text.clone(), known: word.as_literal().is_some() },
                _ => heard(word),
            });
            out.push(Subject::of(words.collect()));
        }
    }
    out.retain(|subject| !subject.words.is_empty());
    out
}

/// Whether later commands may run in another directory after this one.
pub(crate) fn goes_elsewhere(segment: &Segment) -> bool {
    matches!(segment.program.as_deref(), Some("cd" | "pushd" | "popd" | "chdir"))
}
