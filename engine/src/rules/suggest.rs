//! Proposes rules from past approvals, and says what a rule would have done. It must never propose a
//! rule wider than what people have approved.

use std::collections::{BTreeMap, BTreeSet};

use super::compose::Part;
use super::pattern::GlobPattern;
use super::plain::{every_command, plain_words};
use super::set::RuleSet;
use super::suggest_work::suggest_work;
use super::types::{
    Approved, Backtest, Effect, MatchKind, Outcome, Rule, Scope, Suggested, Suggestion,
};
use crate::restrict::Line;
use crate::subject::Subject;
use crate::{Level, Looking, RiskTables, assess};

/// How many approvals of the same words make a suggestion.
const TWICE: usize = 2;
/// How many different values make a pattern.
pub(super) const ENOUGH: usize = 3;
/// How long a suggested rule holds: 30 days, in microseconds.
const EXPIRES: i64 = 30 * 24 * 3600 * 1_000_000;
const EXAMPLES: usize = 5;

/// What one command of an approved line would need a rule for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// A command of these words.
    Command {
        agent: String,
        target: String,
        /// The directory that the line leads it to.
        cwd: Option<String>,
        shape: Vec<String>,
    },
    /// A line that no pattern can allow, by its text.
    Line { agent: String, target: String, text: Vec<u8> },
}

/// The approvals that need the same rule, with the words of the command.
type Group<'a> = Vec<(&'a Approved, Vec<String>)>;

/// The narrowest rules that cover repeated approvals beside `existing`; `now` in microseconds since the
/// epoch. Of a line of several commands, those that nothing covers yet get a rule each.
///
/// Only commands of lines below HIGH are proposed, for one agent and one target, and for 30 days. Where
/// people have let files be written in one directory again and again, and where programs of it were run,
/// a rule for working there is proposed, for 12 hours.
#[must_use]
pub fn suggest(history: &[Approved], existing: &[Rule], now: i64) -> Suggested {
    let rules = RuleSet::build(existing.to_vec()).unwrap_or_default();
    let mut groups: BTreeMap<Key, Group<'_>> = BTreeMap::new();
    let mut denied: Vec<Vec<String>> = Vec::new();
    let mut open: Vec<&Approved> = Vec::new();
    let mut left: Vec<&Approved> = Vec::new();
    for entry in history {
        if !entry.allowed {
            denied.extend(words_in(entry));
            continue;
        }
        if rules.judge(&entry.command, &entry.context).verdict == Outcome::Allow {
            continue;
        }
        open.push(entry);
        if entry.context.has_stdin_script
            || entry.context.asks_for_terminal()
            || assess(&entry.command, &entry.context).level >= Level::High
        {
            continue;
        }
        left.push(entry);
        for (key, words) in needs(entry, &rules) {
            groups.entry(key).or_default().push((entry, words));
        }
    }
    let mut out: Vec<Suggestion> = Vec::new();
    for (key, entries) in groups {
        if entries.len() < TWICE {
            continue;
        }
        match propose(&key, &entries, &denied, now) {
            Some(found) => out.push(found),
            // No pattern for all of them: those that are the same, one by one.
            None => out.extend(
                by_words(entries)
                    .iter()
                    .filter(|same| same.len() >= TWICE)
                    .filter_map(|same| propose(&key, same, &denied, now)),
            ),
        }
    }
    let covered: Vec<Rule> =
        existing.iter().chain(out.iter().map(|found| &found.rule)).cloned().collect();
    out.extend(suggest_work(&left, &covered, &denied, now));
    out.sort_by(|a, b| b.covers.cmp(&a.covers).then_with(|| a.rule.pattern.cmp(&b.rule.pattern)));
    let all = existing.iter().chain(out.iter().map(|found| &found.rule)).cloned().collect();
    let with = RuleSet::build(all).unwrap_or_default();
    let spares = |entry: &&&Approved| {
        let mut context = entry.context.clone();
        context.now = context.now.max(now);
        with.judge(&entry.command, &context).verdict == Outcome::Allow
    };
    let spared = open.iter().filter(spares).count();
    Suggested { rules: out, spared, of: history.len() }
}

/// Rules for those commands of an approved line that none of `existing` covers, word for word; none where
/// one of them can have no pattern.
#[must_use]
pub fn missing_rules(entry: &Approved, existing: &[Rule]) -> Vec<Rule> {
    let rules = RuleSet::build(existing.to_vec()).unwrap_or_default();
    let literal = |(key, words): (Key, Vec<String>)| {
        let one = vec![(entry, words)];
        Some(propose(&key, &one, &[], entry.context.now)?.rule)
            .filter(|r| r.kind == MatchKind::Glob)
    };
    let found: Option<Vec<Rule>> = needs(entry, &rules).into_iter().map(literal).collect();
    found.unwrap_or_default()
}

/// The approvals of each of these commands, word for word.
fn by_words(entries: Group<'_>) -> Vec<Group<'_>> {
    let mut same: BTreeMap<Vec<String>, Group<'_>> = BTreeMap::new();
    for (entry, words) in entries {
        same.entry(words.clone()).or_default().push((entry, words));
    }
    same.into_values().collect()
}

/// What an approved line would need rules for: each of its commands that none covers, or all of its
/// text where one of these can have no pattern.
fn needs(entry: &Approved, rules: &RuleSet) -> Vec<(Key, Vec<String>)> {
    let (agent, target) = (entry.context.agent.clone(), entry.context.target.clone());
    let whole = || {
        let text = entry.command.clone();
        vec![(Key::Line { agent: agent.clone(), target: target.clone(), text }, Vec::new())]
    };
    let context = &entry.context;
    let assessment = assess(&entry.command, context);
    let line = Line::read_checked(&entry.command, context, RiskTables::builtin(), &assessment);
    let Ok(performance) = &line.performance else {
        // Where the shell is not known, plain words are.
        let Some(words) = plain_words(&entry.command) else { return whole() };
        let shape = shape(&words);
        return vec![(Key::Command { agent, target, cwd: None, shape }, words)];
    };
    let begins_in = vec![context.cwd.clone().unwrap_or_else(|| "~".to_owned())];
    let mut out: Vec<(Key, Vec<String>)> = Vec::new();
    for command in &performance.commands {
        if rules.allowed_part(command, performance, &begins_in, context).is_ok() {
            continue;
        }
        let part = Part::of(command, &begins_in);
        let cwd = match part.moved.as_deref() {
            None => None,
            Some([one]) if one.starts_with(['/', '~']) && !one.contains(['*', '?', '[']) => {
                Some(one.clone())
            }
            Some(_) => return whole(),
        };
        let Some(words) = part.owned_words().filter(|_| part.is_fed_harmlessly()) else {
            return whole();
        };
        let shape = shape(&words);
        let key = Key::Command { agent: agent.clone(), target: target.clone(), cwd, shape };
        if !out.iter().any(|(known, same)| *known == key && *same == words) {
            out.push((key, words));
        }
    }
    out
}

/// The words of each command in what was denied.
fn words_in(entry: &Approved) -> Vec<Vec<String>> {
    let known = |subject: Subject| {
        subject.words.iter().map(|word| word.known.then(|| word.text.clone())).collect()
    };
    let plain = plain_words(&entry.command).into_iter();
    plain.chain(every_command(&entry.command).into_iter().filter_map(known)).collect()
}

/// What must be the same: the program, a verb, options, and the kind of every operand.
fn shape(words: &[String]) -> Vec<String> {
    words
        .iter()
        .enumerate()
        .map(|(at, word)| {
            let verb = at == 1 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            if at == 0 || verb || word.starts_with(['-', '+']) {
                word.clone()
            } else {
                format!("<{}>", Kind::of(word).as_str())
            }
        })
        .collect()
}

/// The type of an operand; only operands of one type are taken together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Name,
    Number,
    Path,
}

impl Kind {
    fn of(word: &str) -> Self {
        if word.bytes().all(|b| b.is_ascii_digit()) {
            Self::Number
        } else if word.contains('/') {
            Self::Path
        } else {
            Self::Name
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Number => "number",
            Self::Path => "path",
        }
    }
}

/// The rule that covers approvals of one shape; `None` where none is narrow enough.
fn propose(key: &Key, entries: &Group<'_>, denied: &[Vec<String>], now: i64) -> Option<Suggestion> {
    let (agent, target, cwd, (kind, pattern, varies)) = match key {
        Key::Command { agent, target, cwd, .. } => (agent, target, cwd.clone(), template(entries)?),
        Key::Line { agent, target, text } => {
            let text = String::from_utf8(text.clone()).ok()?;
            (agent, target, None, (MatchKind::Exact, text, Vec::new()))
        }
    };
    if kind == MatchKind::Glob {
        let glob = GlobPattern::parse(&pattern).ok().filter(|glob| glob.program().is_some())?;
        if denied.iter().any(|words| glob.matches(words)) {
            return None;
        }
    }
    let id = digest(&format!("{agent}\n{target}\n{cwd:?}\n{pattern}"));
    let rule = Rule {
        scope: Scope { agent: named(agent), target: named(target), user: None, cwd },
        reason: Some(format!("approved {} times", entries.len())),
        created_at: now,
        expires_at: Some(now.saturating_add(EXPIRES)),
        ..Rule::new(format!("suggested-{id}"), kind, pattern, Effect::Allow)
    };
    RuleSet::build(vec![rule.clone()]).ok()?;
    let examples: BTreeSet<String> = entries
        .iter()
        .map(|(entry, _)| String::from_utf8_lossy(&entry.command).into_owned())
        .collect();
    let varies = if varies.is_empty() {
        "always the same".to_owned()
    } else {
        format!("only these differ: {}", varies.join(", "))
    };
    Some(Suggestion {
        rule,
        covers: entries.len(),
        why: format!("{} approvals, none denied, {varies}", entries.len()),
        examples: examples.into_iter().take(EXAMPLES).collect(),
    })
}

pub(super) fn named(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Whether something in an approved line removes files.
fn deletes(entry: &Approved) -> bool {
    let report = RiskTables::builtin().report(&entry.command, &entry.context, &Looking::default());
    report.commands.iter().any(|command| !command.effects.deletes.is_empty())
}

/// How a rule matches, its pattern, and the kinds of the operands that differ.
type Template = (MatchKind, String, Vec<&'static str>);

/// The pattern that covers commands of one shape, and nothing that differs in another place.
fn template(entries: &Group<'_>) -> Option<Template> {
    let first = &entries.first()?.1;
    let mut kinds = Vec::new();
    let mut words = Vec::new();
    for (at, word) in first.iter().enumerate() {
        let values: BTreeSet<&str> =
            entries.iter().filter_map(|(_, words)| words.get(at)).map(String::as_str).collect();
        if values.len() == 1 {
            words.push(quote(word)?);
            continue;
        }
        // What removes is told exactly what. Fewer than three different values are no pattern yet.
        if entries.iter().any(|(entry, _)| deletes(entry)) {
            return None;
        }
        if values.len() < ENOUGH {
            return None;
        }
        kinds.push(Kind::of(word).as_str());
        let numbers = values.iter().all(|value| Kind::of(value) == Kind::Number);
        words.push(if numbers { "{number}".to_owned() } else { common(&values)? });
    }
    Some((MatchKind::Glob, words.join(" "), kinds))
}

/// A literal word as a pattern word; words with wildcards in them cannot be one.
fn quote(word: &str) -> Option<String> {
    if word.contains(['*', '?', '\'', '{', '}']) {
        return None;
    }
    let plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:,@%+=".contains(&b));
    Some(if plain && !word.is_empty() { word.to_owned() } else { format!("'{word}'") })
}

/// The narrowest wildcard that covers some values: their common beginning and end stay.
fn common(values: &BTreeSet<&str>) -> Option<String> {
    let first = values.first()?;
    let mut prefix = first.len();
    let mut suffix = first.len();
    for value in values {
        prefix = prefix.min(first.bytes().zip(value.bytes()).take_while(|(a, b)| a == b).count());
        suffix = suffix
            .min(first.bytes().rev().zip(value.bytes().rev()).take_while(|(a, b)| a == b).count());
    }
    let shortest = values.iter().map(|value| value.len()).min()?;
    suffix = suffix.min(shortest.saturating_sub(prefix));
    // Paths are cut at a directory, names at a dash or dot: half a word means nothing.
    let start = first.get(..prefix)?;
    let start =
        start.rfind(['/', '-', '.', '_', ':']).map_or("", |at| start.get(..=at).unwrap_or(""));
    let end = first.get(first.len() - suffix..)?;
    let end = end.find(['.', '-', '/', '_']).map_or("", |at| end.get(at..).unwrap_or(""));
    let paths = values.iter().any(|value| Kind::of(value) == Kind::Path);
    if paths && start.trim_matches('/').is_empty() {
        return None;
    }
    let middle = |value: &&str| value.get(start.len()..value.len() - end.len()).map(str::to_owned);
    let middles: Vec<String> = values.iter().map(middle).collect::<Option<_>>()?;
    // What differs has a type: text that may be code is never left open.
    let is = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
    let fits = |more: &[u8]| {
        middles.iter().all(|text| {
            !text.is_empty()
                && !text.starts_with('-')
                && !text.split('/').any(|part| part == "..")
                && text.bytes().all(|byte| is(byte) || more.contains(&byte))
        })
    };
    let parameter =
        if fits(b"") { "{name}" } else { (paths && fits(b"/+")).then_some("{path}")? };
    Some(format!("{start}{parameter}{end}"))
}

pub(super) fn digest(text: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(text.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// What one rule would have decided in the past. Its expiry is ignored.
#[must_use]
pub fn backtest(rule: &Rule, history: &[Approved]) -> Backtest {
    let mut result = Backtest { total: history.len(), ..Backtest::default() };
    let Ok(set) = RuleSet::build(vec![Rule { expires_at: None, ..rule.clone() }]) else {
        return result;
    };
    for entry in history {
        let verdict = set.judge(&entry.command, &entry.context).verdict;
        if verdict == Outcome::Review {
            continue;
        }
        result.matched += 1;
        let text = String::from_utf8_lossy(&entry.command).into_owned();
        if (verdict == Outcome::Allow) != entry.allowed {
            result.against_people += 1;
            if result.contradicted.len() < 20 {
                result.contradicted.push(text.clone());
            }
        }
        let level = assess(&entry.command, &entry.context).level;
        result.highest = result.highest.max(Some(level));
        if result.examples.len() < 20 && !result.examples.contains(&text) {
            result.examples.push(text);
        }
    }
    result
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::Context;

    fn approved(command: &str, allowed: bool) -> Approved {
        let context =
            Context { agent: "bot".to_owned(), target: "web-1".to_owned(), ..Context::default() };
        Approved { command: command.as_bytes().to_vec(), context, allowed }
    }

    #[test]
    fn the_narrowest_template_is_proposed() {
        let history: Vec<Approved> = ["nginx", "redis", "postgresql"]
            .iter()
            .map(|unit| approved(&format!("systemctl status {unit}"), true))
            .chain(
                ["a", "b", "c"]
                    .iter()
                    .map(|f| approved(&format!("cat /srv/app/logs/{f}.log"), true)),
            )
            .chain(std::iter::repeat_with(|| approved("uptime", true)).take(4))
            .chain(std::iter::repeat_with(|| approved("rm -rf /srv/app", true)).take(5))
            .chain(std::iter::once(approved("ls | wc", true)))
            .collect();
        let found = suggest(&history, &[], 7).rules;
        let patterns: Vec<&str> = found.iter().map(|s| s.rule.pattern.as_str()).collect();
        assert_eq!(patterns, ["uptime", "cat /srv/app/logs/{name}.log", "systemctl status {name}"]);
        assert_eq!(found[0].rule.expires_at, Some(7 + EXPIRES));
        assert_eq!(found[0].rule.scope.target.as_deref(), Some("web-1"));
    }

    #[test]
    fn what_was_denied_is_never_proposed() {
        let mut history: Vec<Approved> =
            ["a", "b", "c"].iter().map(|f| approved(&format!("cat /srv/{f}"), true)).collect();
        assert_eq!(suggest(&history, &[], 0).rules.len(), 1);
        history.push(approved("cat /srv/key", false));
        assert!(suggest(&history, &[], 0).rules.is_empty());
    }

    #[test]
    fn a_backtest_counts_what_people_decided_otherwise() {
        let history =
            [approved("cat /srv/a", true), approved("cat /srv/b", false), approved("ls", true)];
        let rule = suggest(
            &[
                approved("cat /srv/x", true),
                approved("cat /srv/y", true),
                approved("cat /srv/z", true),
            ],
            &[],
            0,
        )
        .rules[0]
            .rule
            .clone();
        let result = backtest(&rule, &history);
        assert_eq!((result.total, result.matched, result.against_people), (3, 2, 1));
        assert_eq!(result.contradicted, ["cat /srv/b"]);
    }

    #[test]
    fn a_line_gets_rules_for_those_of_its_commands_that_have_none() {
        let line = |text: &str| {
            let entry = approved(text, true);
            let shell = Some("bash".to_owned());
            let cwd = Some("~".to_owned());
            Approved { context: Context { shell, cwd, ..entry.context }, ..entry }
        };
        let mut history = vec![
            line("cd /srv/app && make test | tail -5"),
            line("make test 2>&1 | grep FAIL"),
            line("cd /srv/app && make test"),
            line("cd /srv/app && df -h && make test"),
            line("make test"),
            line("df -h; make test"),
            line("ls -la"),
            line("make deploy"),
        ];
        let looks = crate::default_rules();
        let found = suggest(&history, &looks, 0);
        let rules: Vec<_> = found
            .rules
            .iter()
            .map(|found| {
                (found.rule.pattern.as_str(), found.rule.scope.cwd.as_deref(), found.covers)
            })
            .collect();
        assert_eq!(rules, [("make test", None, 3), ("make test", Some("/srv/app"), 3)]);
        // All of it but `make deploy`, and `ls`, which no person is asked about.
        assert_eq!((found.spared, found.of), (6, 8));
        // What a rule covers is not proposed again.
        let with =
            looks.iter().chain(found.rules.iter().map(|s| &s.rule)).cloned().collect::<Vec<_>>();
        let again = suggest(&history, &with, 0);
        assert_eq!((again.rules.len(), again.spared), (0, 0));
        // What was denied anywhere in a line is not proposed.
        history.push(Approved { allowed: false, ..line("df -h && make test") });
        assert!(suggest(&history, &looks, 0).rules.is_empty());
    }

    #[test]
    fn what_can_have_no_pattern_is_proposed_by_its_text() {
        let text = "curl -s http://db/x > /srv/app/x.json";
        let history = vec![approved(text, true); 3];
        let found = suggest(&history, &[], 0).rules;
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].rule.kind, found[0].rule.pattern.as_str()), (MatchKind::Exact, text));
    }

    #[test]
    fn where_people_let_files_be_written_a_rule_for_working_is_proposed() {
        let line = |text: &str| {
            let entry = approved(text, true);
            let context = Context {
                cwd: Some("~".to_owned()),
                shell: Some("bash".to_owned()),
                resolves_paths: true,
                ..entry.context
            };
            Approved { context, ..entry }
        };
        let writes = ["a", "b", "c", "d", "e"]
            .map(|name| line(&format!("cd /srv/app/src && echo '{name}' > {name}.txt")));
        let patterns = |history: &[Approved]| -> Vec<String> {
            let found = suggest(history, &[], 0).rules.into_iter();
            let works = found.filter(|found| found.rule.kind == MatchKind::Work);
            works.map(|found| found.rule.pattern).collect()
        };
        assert_eq!(patterns(&writes), ["work '/srv/app/src'"]);
        assert_eq!(suggest(&writes, &[], 0).spared, 5);
        assert!(patterns(&writes[..4]).is_empty());
        // What was touched decides how high the directory lies, and is never above one to work in.
        let mut wider = writes.to_vec();
        wider.push(line("touch /srv/app/docs/index.txt"));
        assert_eq!(patterns(&wider), ["work '/srv/app'"]);
        let spread = ["a", "b", "c", "d", "e"].map(|n| line(&format!("touch /srv/{n}/index.txt")));
        assert!(patterns(&spread).is_empty());
        let home = ["a", "b", "c", "d", "e"].map(|name| line(&format!("touch ~/{name}.txt")));
        assert!(patterns(&home).is_empty());
        // What builds and tests there is named, what installs or reaches out is not.
        let run = |text: &str| line(&format!("cd /srv/app/src && {text}"));
        let mut runs = writes.to_vec();
        for name in ["a", "b", "c"] {
            runs.push(run(&format!("python3 -c 'import {name}'")));
            runs.push(run(&format!("curl http://{name}.example")));
            runs.push(run(&format!("python3 -m pip install {name}")));
            runs.push(run(&format!("npm install {name}")));
            runs.push(run(&format!("sudo make {name}")));
        }
        assert_eq!(
            patterns(&runs),
            ["work '/srv/app/src' --run 'python3 **'", "work '/srv/app/src'"]
        );
        // Nothing where people said no.
        runs.push(Approved { allowed: false, ..run("python3 -c 'import os'") });
        assert!(!patterns(&runs).iter().any(|pattern| pattern.contains("--run")));
    }

    #[test]
    fn what_may_be_code_is_never_left_open() {
        let lines = ["print(1)", "print(2)", "print(3)"].map(|code| format!("python3 -c '{code}'"));
        let history: Vec<Approved> = lines.iter().map(|line| approved(line, true)).collect();
        assert!(suggest(&history, &[], 0).rules.is_empty());
        let lines = ["a", "b", "c"].map(|name| format!("rm /srv/app/cache/{name}"));
        let history: Vec<Approved> = lines.iter().map(|line| approved(line, true)).collect();
        assert!(suggest(&history, &[], 0).rules.is_empty());
        let twice = vec![approved("rm /srv/app/cache/a", true); 2];
        assert_eq!(suggest(&twice, &[], 0).rules[0].rule.pattern, "rm /srv/app/cache/a");
    }
}
