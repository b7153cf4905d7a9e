//! Proposes rules from past approvals, and says what a rule would have done. It must never propose a
//! rule wider than what people have approved.

use std::collections::{BTreeMap, BTreeSet};

use super::plain::plain_words;
use super::set::RuleSet;
use super::types::{Approved, Backtest, Effect, MatchKind, Outcome, Rule, Scope, Suggestion};
use crate::{Level, assess};

/// How many approvals make a suggestion.
const ENOUGH: usize = 3;
/// How long a suggested rule holds: 30 days, in microseconds.
const EXPIRES: i64 = 30 * 24 * 3600 * 1_000_000;
const EXAMPLES: usize = 5;

/// Agent, target, and the shape of the command.
type Key = (String, String, Vec<String>);

/// The narrowest rules that cover repeated approvals; `now` in microseconds since the epoch.
///
/// Only plain commands below HIGH are proposed, for one agent and one target, and for 30 days.
#[must_use]
pub fn suggest(history: &[Approved], now: i64) -> Vec<Suggestion> {
    // Same program, same options, same number of words: only operands may differ.
    let mut groups: BTreeMap<Key, Vec<(&Approved, Vec<String>)>> = BTreeMap::new();
    let mut denied: BTreeSet<Vec<String>> = BTreeSet::new();
    for entry in history {
        let Some(words) = plain_words(&entry.command) else { continue };
        let shape = shape(&words);
        if !entry.allowed {
            denied.insert(words);
            continue;
        }
        if entry.context.has_stdin_script
            || assess(&entry.command, &entry.context).level >= Level::High
        {
            continue;
        }
        let key = (entry.context.agent.clone(), entry.context.target.clone(), shape);
        groups.entry(key).or_default().push((entry, words));
    }
    let mut out: Vec<Suggestion> = groups
        .into_iter()
        .filter(|(_, entries)| entries.len() >= ENOUGH)
        .filter_map(|((agent, target, _), entries)| {
            propose(&agent, &target, &entries, &denied, now)
        })
        .collect();
    out.sort_by(|a, b| b.covers.cmp(&a.covers).then_with(|| a.rule.pattern.cmp(&b.rule.pattern)));
    out
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
fn propose(
    agent: &str,
    target: &str,
    entries: &[(&Approved, Vec<String>)],
    denied: &BTreeSet<Vec<String>>,
    now: i64,
) -> Option<Suggestion> {
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
        // Fewer than three different values are not yet a pattern.
        if values.len() < ENOUGH {
            return None;
        }
        kinds.push(Kind::of(word).as_str());
        let numbers = values.iter().all(|value| Kind::of(value) == Kind::Number);
        words.push(if numbers { "{number}".to_owned() } else { common(&values)? });
    }
    let exact = kinds.is_empty();
    let pattern = if exact {
        String::from_utf8(entries.first()?.0.command.clone()).ok()?
    } else {
        words.join(" ")
    };
    let rule = Rule {
        id: format!("suggested-{}", digest(&format!("{agent}\n{target}\n{pattern}"))),
        kind: if exact { MatchKind::Exact } else { MatchKind::Glob },
        pattern,
        effect: Effect::Allow,
        scope: Scope {
            agent: (!agent.is_empty()).then(|| agent.to_owned()),
            target: (!target.is_empty()).then(|| target.to_owned()),
            user: None,
            cwd: None,
        },
        reason: Some(format!("approved {} times", entries.len())),
        author: String::new(),
        created_at: now,
        expires_at: Some(now.saturating_add(EXPIRES)),
        hits: 0,
        terminal: false,
        stdin: None,
    };
    let set = RuleSet::build(vec![rule.clone()]).ok()?;
    let context = &entries.first()?.0.context;
    let allows = |words: &Vec<String>| {
        set.judge(words.join(" ").as_bytes(), context).verdict == Outcome::Allow
    };
    if denied.iter().any(allows) {
        return None;
    }
    let examples: BTreeSet<String> = entries
        .iter()
        .map(|(entry, _)| String::from_utf8_lossy(&entry.command).into_owned())
        .collect();
    let varies = if exact {
        "always the same".to_owned()
    } else {
        format!("only these differ: {}", kinds.join(", "))
    };
    Some(Suggestion {
        rule,
        covers: entries.len(),
        why: format!("{} approvals, none denied, {varies}", entries.len()),
        examples: examples.into_iter().take(EXAMPLES).collect(),
    })
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
    if Kind::of(first) == Kind::Path && !start.contains('/') {
        return None;
    }
    Some(format!("{start}*{end}"))
}

fn digest(text: &str) -> String {
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
        let found = suggest(&history, 7);
        let patterns: Vec<&str> = found.iter().map(|s| s.rule.pattern.as_str()).collect();
        assert_eq!(patterns, ["uptime", "cat /srv/app/logs/*.log", "systemctl status *"]);
        assert_eq!(found[0].rule.expires_at, Some(7 + EXPIRES));
        assert_eq!(found[0].rule.scope.target.as_deref(), Some("web-1"));
    }

    #[test]
    fn what_was_denied_is_never_proposed() {
        let mut history: Vec<Approved> =
            ["a", "b", "c"].iter().map(|f| approved(&format!("cat /srv/{f}"), true)).collect();
        assert_eq!(suggest(&history, 0).len(), 1);
        history.push(approved("cat /srv/key", false));
        assert!(suggest(&history, 0).is_empty());
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
            0,
        )[0]
        .rule
        .clone();
        let result = backtest(&rule, &history);
        assert_eq!((result.total, result.matched, result.against_people), (3, 2, 1));
        assert_eq!(result.contradicted, ["cat /srv/b"]);
    }
}
