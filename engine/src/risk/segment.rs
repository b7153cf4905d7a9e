//! Scores one command by the tables: category, effects, operands. It must never look at the rest of
//! the line: that is for `line.rs`.

use crate::Category;
use crate::effects::{Understood, understand};
use crate::modifier::Modifier;
use crate::parse::Word;
use crate::program::SHELLS;
use crate::program::base_name;
use crate::tables::{Act, Arguments, Effect, Kind, MAX_WORDS, Program, RiskTables, wildcard};

use super::effects::{add_statements, apply};
use super::program::{only_helps, program_name};
use super::scorer::{Scorer, Unit};
use super::segment_score::{Modifiers, SegmentScore};
use super::{hosts, interpreter, operands, redirects_env, typed_statement, words};

/// Programs that a computed name is tried as; only catastrophic results count.
const SUSPECTS: [&str; 8] = ["rm", "dd", "mkfs", "chmod", "chown", "shred", "mv", "wipefs"];

/// Whether a word is its text and nothing else. What an expansion gives may be another text when it runs.
fn is_known(word: &Word) -> bool {
    word.known() && !word.flags.glob && !word.flags.expanded
}

/// Scores one command as it stands, wrappers and all.
pub(crate) fn score(scorer: &Scorer<'_>, unit: &Unit<'_>) -> SegmentScore {
    let words = unit.words;
    let span = unit.simple.map_or_else(
        || match words {
            [first, .., last] | [first @ last] => (first.span.0, last.span.1.max(first.span.1)),
            [] => (0, 0),
        },
        |simple| simple.span,
    );
    let argv: Vec<String> = words.iter().map(|word| word.text.clone()).collect();
    let mut score = SegmentScore {
        program: None,
        argv,
        known: words.iter().map(is_known).collect(),
        category: Category::Inspection,
        base_span: words.first().map_or(span, |word| word.span),
        span,
        via: unit.inherit.via.clone(),
        modifiers: Modifiers::default(),
        reducers: Modifiers::default(),
    };
    if let Some(word) = words.first() {
        let computed = word.flags.dynamic || word.flags.glob || word.text.starts_with('~');
        if computed {
            score_computed(scorer, unit, word, &mut score);
        } else {
            let name = program_name(words);
            score_named(scorer, unit, &name, &mut score);
            score.program = Some(base_name(&word.text).to_owned());
            // A name assembled at run time hides the program, even if the value can be followed.
            if word.flags.expanded {
                score.modifiers.add(
                    Modifier::Indirect,
                    word.span,
                    "the program's name is put together while it runs",
                );
            }
            if word.flags.brace {
                score.modifiers.add(
                    Modifier::Obfuscation,
                    word.span,
                    "the program's name comes out of braces",
                );
            }
        }
    }
    if words.len() > MAX_WORDS {
        score.modifiers.add(
            Modifier::Uninspectable,
            score.base_span,
            format!("{} words are too many to be read", words.len()),
        );
        if score.modifiers.has(Modifier::Destructive) {
            score.modifiers.raise(
                95,
                score.base_span,
                "any of its operands could be the system itself",
            );
        }
    }
    inherited(unit, &mut score);
    if let Some(simple) = unit.simple {
        redirects_env::assignments(scorer, unit, simple, &mut score);
        redirects_env::redirects(scorer, unit, simple, &mut score);
    }
    words::any_word(scorer, unit, &mut score);
    names_a_shell(scorer, unit, &mut score);
    score
}

/// An argument or a variable that names a shell is code, whatever program gets it: `pexec /bin/sh`,
/// `man -P/bin/sh ls`, `VISUAL=/bin/sh less x`. Where the grammar of the program says what the argument
/// is, it is that.
fn names_a_shell(scorer: &Scorer<'_>, unit: &Unit<'_>, score: &mut SegmentScore) {
    if score.category.base() >= Category::CodeExecution.base() {
        return;
    }
    let assigned = unit.simple.into_iter().flat_map(|simple| &simple.assignments);
    let variables = assigned
        .filter(|assignment| assignment.name != "SHELL")
        .map(|assignment| &assignment.value);
    let words = unit.words.get(1..).unwrap_or(&[]);
    // `gh completion bash` only prints.
    let completes = words.iter().any(|word| word.text.starts_with("completion"));
    let named = |word: &Word| {
        starts_a_shell(&word.text) || !completes && SHELLS.contains(&word.text.as_str())
    };
    // Mostly there is none, and the grammar need not be asked.
    let may = |word: &Word| named(word) || escapes_to_a_shell(&word.text);
    if !variables.clone().chain(words).any(may) {
        return;
    }
    let known = understanding(scorer, unit.words);
    let runs = known.as_ref().is_some_and(|known| known.acts.has(Act::Runs));
    // What runs something may be told to in its own way: `vim -c ':!sh'`; but not in words for people.
    let prose = |word: &Word| {
        let uses = known.iter().flat_map(|known| &known.uses);
        let mut prose = uses.filter(|used| used.kind == Kind::Prose);
        prose.any(|used| used.value.as_literal() == Some(word.text.as_str()))
    };
    let told = words.iter().filter(|word| runs && escapes_to_a_shell(&word.text) && !prose(word));
    let starts = |word: &&Word| {
        named(word)
            || escapes_to_a_shell(&word.text) && (known.is_some() || escapes_to_known(scorer, word))
    };
    let named = variables.chain(words.iter().filter(|_| known.is_none())).chain(told);
    let Some(word) = named.into_iter().find(starts) else { return };
    score.category = Category::CodeExecution;
    score.base_span = word.span;
    if word.text.contains(' ') {
        score.modifiers.add(
            Modifier::Indirect,
            word.span,
            "an argument is a command line for a shell",
        );
    }
}

/// What the program's grammar says of every word.
fn understanding(scorer: &Scorer<'_>, words: &[Word]) -> Option<Understood> {
    let (first, rest) = words.split_first()?;
    let grammar = scorer.tables.grammar(base_name(&first.text))?;
    let literal = |word: &Word| {
        if is_known(word) {
            crate::effects::Value::literal(word.text.clone(), word.span)
        } else {
            crate::effects::Value::unknown(word.span)
        }
    };
    let rest: Vec<_> = rest.iter().map(literal).collect();
    understand(grammar, &rest).ok()
}

/// Whether a text names a shell by its path, or is a command line for one.
fn starts_a_shell(text: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
    let path = text.match_indices("bin/").any(|(at, directory)| {
        let rest = text.get(at + directory.len()..).unwrap_or("");
        let name = rest.split(|c| !is_name(c)).next().unwrap_or("");
        text.get(..at).is_some_and(|before| before.ends_with('/')) && SHELLS.contains(&name)
    });
    let line = SHELLS
        .iter()
        .any(|shell| text.strip_prefix(shell).is_some_and(|rest| rest.starts_with(" -")));
    path || line
}

/// Whether a text is a command behind the sign with which programs start one: `:!sh`, `|sh`, `#(id)`.
fn escapes_to_a_shell(text: &str) -> bool {
    let behind = text.strip_prefix(":!").or_else(|| text.strip_prefix(['!', '|']));
    behind.is_some_and(|rest| {
        rest.trim_start().starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
    }) || text.contains('#') && text.contains("#(")
}

/// Whether what stands behind that sign is a program: `!sh`, but not `!important`.
fn escapes_to_known(scorer: &Scorer<'_>, word: &Word) -> bool {
    let text = word.text.trim_start_matches([':', '!', '|', ' ']);
    let program = text.split([' ', ';', '&', '|']).next().unwrap_or("");
    word.text.contains("#(")
        || program.contains('/')
        || scorer.tables.program(base_name(program)).is_some()
}

/// Applies what the wrappers around this command say about it.
fn inherited(unit: &Unit<'_>, score: &mut SegmentScore) {
    if let Some(span) = unit.inherit.privileged {
        score.modifiers.add(Modifier::Privilege, span, "runs with raised privilege");
    }
    if let Some(span) = unit.inherit.more_arguments
        && score.modifiers.has(Modifier::Destructive)
    {
        score.modifiers.add(
            Modifier::OpenEnded,
            span,
            "what it works on is only known when it runs",
        );
    }
}

fn score_named(scorer: &Scorer<'_>, unit: &Unit<'_>, program_name: &str, score: &mut SegmentScore) {
    let first = unit.words.first().map_or((0, 0), |word| word.span);
    if let Some((program, words)) = as_service(scorer.tables, unit.words) {
        score.category = program.category;
        for (effect, _) in program.effects(&Arguments::of(&words, Some(program))) {
            apply(effect, first, "", program_name, false, score);
        }
        return;
    }
    // `truncate table x` is meant for a database; the program takes no such operand.
    let statement = program_name == "truncate"
        && unit.words.get(1).is_some_and(|word| word.text.eq_ignore_ascii_case("table"))
        && unit.words.len() > 2;
    let known = scorer.tables.program(program_name).filter(|_| !statement);
    let Some(program) = known else {
        // A function of the line itself: its body is scored where it stands.
        let own = scorer.shared.script.functions.iter().any(|function| function == program_name);
        let statement = score.argv.join(" ");
        if !own && let Some(found) = typed_statement::read(&statement) {
            score.category = Category::Database;
            let span = score.span;
            add_statements(score, &found, span, program_name);
            return;
        }
        score.category =
            if own || program_name.is_empty() { Category::Inspection } else { Category::Unknown };
        if program_name.starts_with('-') {
            score.category = Category::Inspection;
        }
        if score.category == Category::Unknown {
            undescribed(scorer, unit, program_name, score);
        }
        return;
    };
    let arguments = Arguments::of(unit.words, Some(program));
    score.category = program.category_of(&arguments);
    // Only the program's own arguments count here; the command that a wrapper runs is scored apart.
    let effects = program.effects(&arguments);
    let reads_only = effects.iter().all(|(effect, _)| {
        matches!(
            effect,
            Effect::Read
                | Effect::Host
                | Effect::Dry
                | Effect::Help
                | Effect::Force
                | Effect::Recursive
                | Effect::Secret
        )
    });
    for (effect, at) in &effects {
        let span = unit.words.get(*at).map_or(first, |word| word.span);
        let word = unit.words.get(*at).map_or("", |word| word.text.as_str());
        apply(*effect, span, word, program_name, reads_only, score);
    }
    if only_helps(unit.words, program) {
        score.reducers.add(
            Modifier::HelpOrVersion,
            unit.words.get(1).map_or(first, |word| word.span),
            "only prints help or a version",
        );
    }
    if effects.iter().any(|(effect, _)| *effect == Effect::Host) {
        hosts::hosts(scorer, unit, &arguments, score);
    }
    operands::targets(scorer, unit, program_name, program, &arguments, score);
    interpreter::interpreter(scorer, unit, program, &arguments, score);
}

/// A program that no table describes: its verbs are taken at face value. They only ever raise the
/// score.
fn undescribed(scorer: &Scorer<'_>, unit: &Unit<'_>, program_name: &str, score: &mut SegmentScore) {
    let Some(program) = scorer.tables.undescribed() else { return };
    let arguments = Arguments::of(unit.words, Some(program));
    let first = unit.words.first().map_or((0, 0), |word| word.span);
    for (effect, at) in program.effects(&arguments) {
        let span = unit.words.get(at).map_or(first, |word| word.span);
        let word = unit.words.get(at).map_or("", |word| word.text.as_str());
        apply(effect, span, word, program_name, false, score);
    }
}

/// `/etc/init.d/NAME stop` as `service NAME stop`.
fn as_service<'a>(tables: &'a RiskTables, words: &[Word]) -> Option<(&'a Program, Vec<Word>)> {
    let first = words.first()?;
    let name = ["/etc/init.d/", "/etc/rc.d/init.d/", "/etc/rc.d/"]
        .iter()
        .find_map(|directory| first.text.strip_prefix(directory))?;
    let program = tables.program("service")?;
    let named = Word { text: name.to_owned(), ..first.clone() };
    let rest = words.get(1..).unwrap_or(&[]);
    Some((program, [first.clone(), named].into_iter().chain(rest.iter().cloned()).collect()))
}

/// A program whose name is only known when it runs.
fn score_computed(scorer: &Scorer<'_>, unit: &Unit<'_>, word: &Word, score: &mut SegmentScore) {
    score.category = Category::CodeExecution;
    score.modifiers.add(
        Modifier::Indirect,
        word.span,
        "the program's name is only known when it runs",
    );
    score.modifiers.add(
        Modifier::Uninspectable,
        word.span,
        "the program's name is only known when it runs",
    );
    let pattern = base_name(&word.text);
    if word.flags.glob && !word.flags.dynamic {
        score.modifiers.add(
            Modifier::Obfuscation,
            word.span,
            "a wildcard stands for the program's name",
        );
    }
    let fits = |name: &str| {
        word.flags.dynamic
            || word.text.starts_with('~')
            || wildcard(&without_brackets(pattern), name)
    };
    for suspect in SUSPECTS.iter().filter(|suspect| fits(suspect)) {
        let mut tried = SegmentScore {
            modifiers: Modifiers::default(),
            reducers: Modifiers::default(),
            ..score.clone()
        };
        score_named(scorer, unit, suspect, &mut tried);
        if let Some(floor) = tried.modifiers.floor.filter(|floor| floor.at_least >= 95) {
            score.modifiers.raise(
                floor.at_least,
                floor.span,
                format!("as {suspect} {}", floor.why),
            );
        }
        if word.flags.glob && !word.flags.dynamic {
            for applied in tried.modifiers.list {
                score.modifiers.add(applied.modifier, applied.span, applied.why);
            }
        }
    }
}

/// `r[m]` as `r?`: what any character in the brackets could be.
fn without_brackets(pattern: &str) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('[') {
        out.push_str(before);
        out.push('?');
        rest = after.split_once(']').map_or("", |(_, rest)| rest);
    }
    out.push_str(rest);
    out
}
