//! Whether a command is one that a rule forbids or a policy is about. In doubt it is: options are
//! skipped, order does not matter, and a word that is not known may be any word.

mod index;
mod line;
mod resources;
mod suspect;

pub(crate) use index::PatternIndex;
pub(crate) use line::{Done, Line, is_far, policy_level};
use suspect::Operand;
pub(crate) use suspect::Suspect;

use crate::effects::Understood;
use crate::program::{base_name, family};
use crate::risk::resolve;
use crate::rules::GlobPattern;
use crate::subject::Heard;
use crate::tables::{Act, Grammar, RiskTables, wildcard};

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

/// How sure it is that the pattern is about the command.
pub(crate) fn likeness(pattern: &GlobPattern, suspect: &Suspect, tables: &RiskTables) -> Likeness {
    let subject = &suspect.subject;
    let (Some(first), Some(wanted)) = (subject.words.first(), pattern.words().first()) else {
        return Likeness::No;
    };
    let program = program_likeness(wanted, first);
    let rest = pattern.words().get(1..).unwrap_or(&[]);
    if program == Likeness::No {
        return Likeness::No;
    }
    let understood = suspect.understood(tables);
    if let Some(understood) = understood
        && program == Likeness::Yes
        && is_other_verb(rest, understood, tables, &first.text)
    {
        return Likeness::No;
    }
    let words = words_likeness(rest, suspect, tables);
    // Without any other word, a program that is not known would be every program.
    if program == Likeness::Near && !rest.is_empty() && words < Likeness::Yes {
        return Likeness::No;
    }
    let alike = program.min(words);
    if alike == Likeness::Yes && comes_first(pattern, suspect, understood) {
        return Likeness::Certain;
    }
    alike
}

fn program_likeness(wanted: &str, word: &Heard) -> Likeness {
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
fn may_be(wanted: &str, unknown: &str) -> bool {
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
fn is_other_verb(
    rest: &[String],
    understood: &Understood,
    tables: &RiskTables,
    program: &str,
) -> bool {
    let verb = rest.iter().find(|word| !word.starts_with('-'));
    let (Some(wanted), Some(verb)) = (verb, understood.verbs.first()) else { return false };
    let plain = !wanted.contains(['*', '?', '/', '=']);
    // `docker container rm`; and what a verb runs may be anything: `git submodule foreach git push`.
    let deeper = understood.verbs.contains(wanted);
    let run = understood.acts.has(Act::Runs)
        && understood.operands.iter().any(|word| word.as_literal() == Some(wanted));
    plain && !deeper && !run && verb != wanted && !same_verb(tables, program, verb, wanted)
}

/// `ip a` and `ip addr`: two names of one verb.
fn same_verb(tables: &RiskTables, program: &str, a: &str, b: &str) -> bool {
    let Some(grammar) = tables.grammar(base_name(program)) else { return false };
    match (grammar.verbs.get(a), grammar.verbs.get(b)) {
        (Some(a), Some(b)) => std::sync::Arc::ptr_eq(a, b),
        _ => false,
    }
}

/// Whether every word of the pattern is among those of the command.
fn words_likeness(rest: &[String], suspect: &Suspect, tables: &RiskTables) -> Likeness {
    let program = suspect.program();
    let cluster = is_cluster(program);
    let words = suspect.operands();
    let recursive = rest.iter().any(|word| is_recursive(word));
    let mut all = Likeness::Yes;
    let mut used = vec![false; words.len()];
    for (at, wanted) in rest.iter().enumerate() {
        let found = if is_option(wanted) {
            option_likeness(wanted, words, program, tables)
        } else {
            let wanted: &str = if cluster { resources::name(wanted) } else { wanted };
            let found = operand_likeness(wanted, words, &mut used);
            let doubt = || {
                // Only what is behind the verb can be selected.
                let heard = || words.iter().map(|operand| &operand.word);
                let selects = at > 0 && cluster && resources::may_select(heard());
                selects || heard().any(|word| may_be_place(wanted, &word.text, recursive))
            };
            if found == Likeness::No && doubt() { Likeness::Near } else { found }
        };
        all = all.min(found);
        if all == Likeness::No {
            return all;
        }
    }
    all
}

/// Whether a word of a pattern is an option, with its name in full.
fn is_option(wanted: &str) -> bool {
    wanted.starts_with('-') && wanted.len() > 1 && !wanted.contains(['*', '?'])
}

fn operand_likeness(wanted: &str, words: &[Operand], used: &mut [bool]) -> Likeness {
    // The last word of `rm *` may stand for nothing.
    if wanted == "*" {
        return Likeness::Yes;
    }
    let wanted_path = normal(wanted);
    let fits = |operand: &Operand| {
        same_number(wanted, &operand.word.text)
            || wildcard(&wanted_path, &operand.normal)
            || operand.value.as_ref().is_some_and(|value| wildcard(&wanted_path, value))
    };
    let free = |(operand, used): (&Operand, &bool)| !used && operand.word.known && fits(operand);
    let at = words.iter().zip(used.iter()).position(free);
    if let Some(slot) = at.and_then(|at| used.get_mut(at)) {
        *slot = true;
        return Likeness::Yes;
    }
    let unknown = |Operand { word, .. }: &Operand| {
        !word.known && (may_be(&wanted_path, &word.text) || may_be(wanted, &word.text))
    };
    if words.iter().any(unknown) { Likeness::Near } else { Likeness::No }
}

/// `0777` and `777`.
fn same_number(a: &str, b: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(a) && digits(b) && a.trim_start_matches('0') == b.trim_start_matches('0')
}

fn is_cluster(program: &str) -> bool {
    matches!(program, "kubectl" | "oc")
}

fn is_recursive(option: &str) -> bool {
    option == "--recursive"
        || option.starts_with('-') && !option.starts_with("--") && option.contains(['r', 'R'])
}

/// Whether a path may lead to the place a pattern names, or takes it along: `..`, `/proc/self/root/x`, a
/// directory above it, everything in it.
fn may_be_place(wanted: &str, word: &str, recursive: bool) -> bool {
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
fn normal(word: &str) -> String {
    if word.starts_with(['/', '~']) {
        resolve(word, None)
    } else {
        let trimmed = word.trim_end_matches('/');
        let trimmed = trimmed.strip_prefix("./").unwrap_or(trimmed);
        if trimmed.is_empty() { word.to_owned() } else { trimmed.to_owned() }
    }
}

/// Whether the command has the option, in its short or long form, alone or with others.
fn option_likeness(
    wanted: &str,
    words: &[Operand],
    program: &str,
    tables: &RiskTables,
) -> Likeness {
    let words = || words.iter().map(|operand| &operand.word);
    let grammars = grammars(words(), program, tables);
    let names = |text: &str| flags(text, &grammars);
    let wanted_names = names(wanted);
    let mut have: Vec<String> = Vec::new();
    let mut unknown = false;
    for word in words() {
        if !word.known {
            unknown |= may_be("-*", &word.text) || may_be(wanted, &word.text);
        } else if word.text.starts_with('-') && word.text.len() > 1 {
            if word.text == wanted {
                return Likeness::Yes;
            }
            have.extend(names(&word.text));
        }
    }
    let is_there = |name: &String| {
        have.iter().any(|have| {
            // Long options may be abbreviated.
            have == name
                || name.starts_with("--")
                    && have.starts_with("--")
                    && have.len() > 3
                    && name.starts_with(have.as_str())
        })
    };
    if wanted_names.iter().all(is_there) {
        return Likeness::Yes;
    }
    // An option that no grammar describes may be the long form of a short one, or the other way round.
    let described = |name: &String| grammars.iter().any(|grammar| grammar.option(name).is_some());
    let other = have.iter().any(|have| !wanted_names.contains(have) && !described(have));
    if unknown || other { Likeness::Near } else { Likeness::No }
}

/// The grammars of the program and of the verbs among its words, innermost first.
fn grammars<'a, 'w>(
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
fn flags(text: &str, grammars: &[&Grammar]) -> Vec<String> {
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    let known = |name: &str| grammars.iter().find_map(|grammar| grammar.option(name));
    let canonical =
        |name: &str| known(name).map_or_else(|| name.to_owned(), |choice| choice.name.to_string());
    let whole = name.starts_with("--") || name.len() <= 2 || known(name).is_some();
    if whole {
        // Long options may be abbreviated, to a beginning of any of them.
        let abbreviated = grammars
            .iter()
            .filter(|_| name.len() > 3 && name.starts_with("--") && known(name).is_none());
        let meant = abbreviated.flat_map(|grammar| &grammar.options);
        let meant = meant.filter(|(long, _)| long.starts_with(name));
        let mut all: Vec<String> = meant.map(|(_, choice)| choice.name.to_string()).collect();
        all.push(canonical(name));
        return all;
    }
    let letters = name.chars().skip(1);
    letters.map(|letter| canonical(&format!("-{letter}"))).collect()
}

/// Whether the pattern's words are the command's first, in their order. Where the program's grammar
/// is known, options are taken out before.
fn comes_first(pattern: &GlobPattern, suspect: &Suspect, understood: Option<&Understood>) -> bool {
    let subject = &suspect.subject;
    let wanted = pattern.words();
    let options = wanted.iter().any(|word| word.starts_with('-'));
    if let Some(understood) = understood
        && !options
    {
        let program = subject.words.first().map(|word| word.text.clone());
        let operands =
            understood.operands.iter().filter_map(|value| value.as_literal().map(str::to_owned));
        let words: Vec<String> =
            program.into_iter().chain(understood.verbs.iter().cloned()).chain(operands).collect();
        return begins(pattern, &words);
    }
    let words: Vec<String> = subject.words.iter().map(|word| word.text.clone()).collect();
    subject.all_known() && begins(pattern, &words)
}

fn begins(pattern: &GlobPattern, words: &[String]) -> bool {
    let wanted = pattern.words();
    let short = wanted.last().is_some_and(|word| word == "*") && words.len() + 1 == wanted.len();
    if words.len() < wanted.len() && !short {
        return false;
    }
    wanted.iter().zip(words).enumerate().all(|(at, (wanted, word))| {
        let word = if at == 0 && !wanted.contains('/') { base_name(word) } else { word.as_str() };
        let option = wanted.starts_with(['*', '?']) && word.starts_with('-');
        !option && wildcard(wanted, word)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::risk::commands_of;

    fn of(pattern: &str, line: &str) -> Likeness {
        let pattern = GlobPattern::parse(pattern).unwrap();
        let tables = RiskTables::builtin();
        let suspects = commands_of(line).into_iter().map(Suspect::from);
        suspects.map(|suspect| likeness(&pattern, &suspect, tables)).max().unwrap()
    }

    #[test]
    fn however_it_is_written_it_is_the_same() {
        for (pattern, lines) in [
            (
                "kubectl delete **",
                &[
                    "kubectl delete pod x",
                    "kubectl -n prod delete pod x",
                    "kubectl --namespace=prod delete pod x",
                    "/usr/bin/kubectl delete ns y",
                    "sudo kubectl delete ns y",
                    "sh -c 'kubectl delete ns y'",
                    "kubectl 'delete' x",
                ][..],
            ),
            (
                "rm *",
                &["rm x", "rm -rf X", "rm", "rm -- x", "rm -r -f x y", "\\rm x", "ls; rm -f x"][..],
            ),
            (
                "rm -rf /srv",
                &[
                    "rm -rf /srv",
                    "rm -fr /srv",
                    "rm -r -f /srv",
                    "rm --recursive --force /srv",
                    "rm -rf /srv/",
                    "rm -rf //srv/.",
                    "rm -rf '/srv'",
                    "rm /srv -rf",
                    "rm -rf /tmp/x /srv",
                    "rm -rfv /srv",
                ][..],
            ),
            (
                "rm -r **",
                &["rm -rf x", "rm -fr x", "rm --recursive x", "rm --recurs x", "rm -Rf x"][..],
            ),
        ] {
            for line in lines {
                assert!(
                    of(pattern, line) >= Likeness::Yes,
                    "{pattern}: {line}: {:?}",
                    of(pattern, line)
                );
            }
        }
    }

    #[test]
    fn what_is_not_known_may_be_it() {
        for (pattern, line) in [
            ("kubectl delete **", "kubectl $x pod y"),
            ("kubectl delete **", "kubectl d$(echo e)lete$y pod"),
            ("kubectl delete **", "kube?tl delete pod x"),
            ("kubectl delete **", "$k delete pod x"),
            ("kubectl delete **", "kubectl `echo delete` x"),
            ("rm -rf /srv", "rm -rf $dir"),
            ("rm -rf /srv", "rm -rf /s*"),
            ("rm -rf /srv", "rm $options /srv"),
            ("mytool --wipe", "mytool -w"),
        ] {
            assert!(of(pattern, line) >= Likeness::Near, "{pattern}: {line}");
        }
    }

    #[test]
    fn what_is_something_else_is_not_it() {
        for (pattern, line) in [
            ("kubectl delete **", "kubectl get pods"),
            ("kubectl delete **", "ls delete"),
            ("kubectl delete **", "echo kubectl delete"),
            ("rm -rf /srv", "rm -rf /tmp/x"),
            ("rm -rf /srv", "rm /srv"),
            ("rm -rf /srv", "ls -rf /srv"),
            ("git push **", "git status"),
            ("git push **", "git log push"),
            ("kubectl delete **", "$x get pods"),
            ("kubectl delete **", "kubectl get $x pods".trim_end_matches("$x pods")),
        ] {
            assert_eq!(of(pattern, line), Likeness::No, "{pattern}: {line}");
        }
    }

    #[test]
    fn only_what_comes_first_and_is_understood_is_certain() {
        for (pattern, line, certain) in [
            ("git status *", "git status", true),
            ("git status *", "git status -s", true),
            ("kubectl delete pod *", "kubectl delete pod x", true),
            ("kubectl delete pod *", "kubectl delete ns prod --cascade pod", false),
            ("kubectl delete pod *", "kubectl delete pod --all", false),
            ("git status *", "git $x", false),
            ("git status *", "git -C /srv status", true),
        ] {
            assert_eq!(
                of(pattern, line) == Likeness::Certain,
                certain,
                "{pattern}: {line}: {:?}",
                of(pattern, line)
            );
        }
    }
}
