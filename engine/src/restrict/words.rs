//! How words of a pattern are compared with words of a command: which are the same though they are written
//! otherwise, and which may be.

use std::borrow::Cow;

use crate::effects::Understood;
use crate::program::{base_name, family};
use crate::risk::resolve;
use crate::rules::GlobPattern;
use crate::subject::Heard;
use crate::tables::{Act, Grammar, RiskTables, Synonyms, wildcard};

/// How sure it is that a command is the one that a pattern is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Likeness {
    No,
    /// A word that is not known may make it so.
    Near,
    /// It has every word of the pattern, in whatever order and form.
    Yes,
    /// The pattern's words come first and in order, and every word is understood.
    Certain,
}

pub(super) fn program_likeness(wanted: &str, word: &Heard) -> Likeness {
    let name = if wanted.contains('/') { word.text.as_str() } else { base_name(&word.text) };
    if word.known || wanted.bytes().all(|b| b == b'*') {
        return if wildcard(wanted, name) {
            Likeness::Yes
        } else if family(name).iter().any(|other| wildcard(wanted, other)) {
            Likeness::Near
        } else {
            Likeness::No
        };
    }
    if may_be(wanted, name) { Likeness::Near } else { Likeness::No }
}

/// Whether two patterns have a text in common, as far as their fixed beginnings and ends tell.
/// What is not known of a word is everything from its first special character to its last.
pub(super) fn may_be(wanted: &str, unknown: &str) -> bool {
    let special = |c: char| {
        matches!(
            c,
            '$' | '`'
                | '*'
                | '?'
                | '['
                | ']'
                | '{'
                | '}'
                | '('
                | ')'
                | '~'
                | '\\'
                | '!'
                | '"'
                | '\''
        )
    };
    let (Some(from), Some(to)) = (unknown.find(special), unknown.rfind(special)) else {
        // Nothing tells which part of it is not known.
        return true;
    };
    let before = unknown.get(..from).unwrap_or("");
    // A variable's name goes on behind its dollar sign.
    let named = unknown.get(to..).is_some_and(|rest| rest.starts_with(['$', '~', '\\', '!']));
    let after = if named { "" } else { unknown.get(to + 1..).unwrap_or("") };
    let open = wanted.find(['*', '?']);
    let head = open.map_or(wanted, |at| wanted.get(..at).unwrap_or(""));
    let tail = match wanted.rfind(['*', '?']) {
        Some(at) => wanted.get(at + 1..).unwrap_or(""),
        None => wanted,
    };
    let begins = head.starts_with(before) || before.starts_with(head) && open.is_some();
    let ends = tail.ends_with(after) || after.ends_with(tail) && open.is_some();
    begins && ends
}

/// Whether the pattern begins with a verb, and the command, of which every word is understood, has
/// another one.
pub(super) fn is_other_verb(
    rest: &[String],
    understood: &Understood,
    tables: &RiskTables,
    program: &str,
) -> bool {
    let verb = rest.iter().find(|word| !word.starts_with('-'));
    let (Some(wanted), Some(verb)) = (verb, understood.verbs.first()) else { return false };
    let plain = !wanted.contains(['*', '?', '/', '=']);
    // `ip r` is any of those that begin so.
    if Synonyms::builtin().abbreviates(base_name(program)) && begins_with(wanted, verb) {
        return false;
    }
    // `docker container rm`; and what a verb runs may be anything: `git submodule foreach git push`.
    let deeper = understood.verbs.contains(wanted);
    let run = understood.acts.has(Act::Runs)
        && understood.operands.iter().any(|word| word.as_literal() == Some(wanted));
    plain && !deeper && !run && verb != wanted && !same_verb(tables, program, verb, wanted)
}

/// `ip a` and `ip addr`: two names of one verb.
pub(super) fn same_verb(tables: &RiskTables, program: &str, a: &str, b: &str) -> bool {
    let Some(grammar) = tables.grammar(base_name(program)) else { return false };
    match (grammar.verbs.get(a), grammar.verbs.get(b)) {
        (Some(a), Some(b)) => std::sync::Arc::ptr_eq(a, b),
        _ => false,
    }
}

/// Whether a word of a pattern is an option, with its name in full.
pub(super) fn is_option(wanted: &str) -> bool {
    wanted.starts_with('-') && wanted.len() > 1 && !wanted.contains(['*', '?'])
}

/// Whether one of two names is the beginning of the other.
pub(super) fn begins_with(a: &str, b: &str) -> bool {
    !a.is_empty() && !b.is_empty() && (a.starts_with(b) || b.starts_with(a))
}

/// A word without what means nothing to the program: capitals and blanks, an ending, ways to write a path.
pub(super) fn comparable(program: &str, word: &str) -> String {
    let synonyms = Synonyms::builtin();
    let text = if synonyms.folds(program) {
        let lower = word.to_ascii_lowercase();
        lower.split_whitespace().collect::<Vec<_>>().join(" ")
    } else {
        normal(word)
    };
    match synonyms.ending(program).and_then(|ending| text.strip_suffix(ending)) {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => text,
    }
}

/// `0777` and `777`.
pub(super) fn same_number(a: &str, b: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(a) && digits(b) && a.trim_start_matches('0') == b.trim_start_matches('0')
}

pub(super) fn is_cluster(program: &str) -> bool {
    matches!(program, "kubectl" | "oc")
}

pub(super) fn is_recursive(option: &str) -> bool {
    option == "--recursive"
        || option.starts_with('-') && !option.starts_with("--") && option.contains(['r', 'R'])
}

/// Whether a path may lead to the place a pattern names, or takes it along: `..`, `/proc/self/root/x`, a
/// directory above it, everything in it.
pub(super) fn may_be_place(wanted: &str, word: &str, recursive: bool) -> bool {
    let (Some(name), false) = (wanted.rsplit('/').next(), wanted.contains(['*', '?'])) else {
        return false;
    };
    if !wanted.starts_with('/') || wanted == "/" || word.starts_with('-') {
        return false;
    }
    let ends = word.trim_end_matches('/').rsplit('/').next() == Some(name);
    let through = word.starts_with("/proc/") && (word.contains("/root") || word.contains("/cwd"));
    let dots = word.split('/').all(|part| matches!(part, "" | "." | ".." | "~"));
    let climbs = word.split('/').any(|part| part == "..");
    let relative = !word.starts_with('/');
    let whole = word.strip_suffix("/*").or_else(|| word.strip_suffix("/.*"));
    through && ends
        || relative && (dots && !word.is_empty() || climbs && ends)
        || whole.is_some_and(|directory| resolve(directory, None) == wanted)
        || recursive && !relative && {
            let above = resolve(word, None);
            above == "/"
                || wanted.strip_prefix(above.as_str()).is_some_and(|rest| rest.starts_with('/'))
        }
}

/// A path without `.`, `//`, `..` and a slash at its end.
pub(super) fn normal(word: &str) -> String {
    if word.starts_with(['/', '~']) {
        resolve(word, None)
    } else {
        let trimmed = word.trim_end_matches('/');
        let trimmed = trimmed.strip_prefix("./").unwrap_or(trimmed);
        if trimmed.is_empty() { word.to_owned() } else { trimmed.to_owned() }
    }
}

/// The grammars of the program and of the verbs among its words, innermost first.
pub(super) fn grammars<'a, 'w>(
    words: impl Iterator<Item = &'w Heard>,
    program: &str,
    tables: &'a RiskTables,
) -> Vec<&'a Grammar> {
    let mut all: Vec<&Grammar> =
        tables.grammar(program).map(|known| &**known).into_iter().collect();
    for word in words.filter(|word| word.known) {
        let verb = all.first().and_then(|grammar| grammar.verbs.get(word.text.as_str()));
        if let Some(verb) = verb {
            all.insert(0, verb);
        }
    }
    all
}

/// The options in one word, each under the name it is compared by.
pub(super) fn flags<'a>(text: &'a str, grammars: &[&'a Grammar]) -> Vec<Cow<'a, str>> {
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    let known = |name: &str| -> Option<&'a str> {
        grammars.iter().find_map(|grammar| grammar.option(name)).map(|choice| &*choice.name)
    };
    let whole = name.starts_with("--") || name.len() <= 2 || known(name).is_some();
    if whole {
        // Long options may be abbreviated, to a beginning of any of them.
        let abbreviated = grammars
            .iter()
            .filter(|_| name.len() > 3 && name.starts_with("--") && known(name).is_none());
        let meant = abbreviated.flat_map(|grammar| &grammar.options);
        let meant = meant.filter(|(long, _)| long.starts_with(name));
        let meant = meant.map(|(_, choice)| Cow::Borrowed(&*choice.name));
        let own = Cow::Borrowed(known(name).unwrap_or(name));
        return meant.chain([own]).collect();
    }
    let letter = |letter: char| {
        let name = format!("-{letter}");
        known(&name).map_or(Cow::Owned(name), Cow::Borrowed)
    };
    name.chars().skip(1).map(letter).collect()
}

pub(super) fn begins(pattern: &GlobPattern, words: &[&str]) -> bool {
    let wanted = pattern.words();
    let short = wanted.last().is_some_and(|word| word == "*") && words.len() + 1 == wanted.len();
    if words.len() < wanted.len() && !short {
        return false;
    }
    wanted.iter().zip(words).enumerate().all(|(at, (wanted, word))| {
        let word = if at == 0 && !wanted.contains('/') { base_name(word) } else { word };
        let option = wanted.starts_with(['*', '?']) && word.starts_with('-');
        !option && wildcard(wanted, word)
    })
}
