//! What else a pattern with an open end lets through: options that write, run or delete. It is read from
//! the grammars, so it names at least what they know, and never says that there is nothing else.

use serde::{Deserialize, Serialize};

use super::pattern::GlobPattern;
use super::types::{Effect, MatchKind, Rule};
use crate::RiskTables;
use crate::tables::{Act, Acts, CodeKind, Grammar, Kind, Takes};

/// The most that is named.
const MOST: usize = 6;

/// What an open pattern lets through beside what it seems to be for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caution {
    /// The words that do harm, the worst first.
    pub hazards: Vec<Hazard>,
    /// How many more there are.
    #[serde(default)]
    pub more: usize,
    /// A pattern without them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub narrower: Option<String>,
    /// The rule for what only looks allows the program without them.
    #[serde(default)]
    pub looks: bool,
}

/// A word that an open pattern takes, and what it makes the program do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hazard {
    /// The word: `--output=…`, `-delete`, `push`.
    pub word: String,
    /// What it does, in words.
    pub does: String,
}

impl Caution {
    /// In one sentence.
    #[must_use]
    pub fn describe(&self) -> String {
        if self.hazards.is_empty() {
            return "what its further words do is not known here".to_owned();
        }
        let named = |hazard: &Hazard| format!("{} ({})", hazard.word, hazard.does);
        let all = self.hazards.iter().map(named).collect::<Vec<_>>().join(", ");
        let more = match self.more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("it also allows {all}{more}")
    }
}

/// What a rule would allow beside what it seems to be for; `None` where nothing is known of that kind.
#[must_use]
pub fn caution(rule: &Rule) -> Option<Caution> {
    if rule.kind != MatchKind::Glob || rule.effect == Effect::Deny {
        return None;
    }
    let pattern = GlobPattern::parse(&rule.pattern).ok()?;
    let program = pattern.program()?;
    let Some(grammar) = RiskTables::builtin().grammar(program) else {
        let unknown = Caution { hazards: Vec::new(), more: 0, narrower: None, looks: false };
        return pattern.takes_more().then_some(unknown);
    };
    // The verbs that the pattern names; an option with a wildcard behind it is left alone.
    let mut grammar = grammar.as_ref();
    let mut open_verb = pattern.takes_more();
    for word in pattern.words().iter().skip(1) {
        if word.contains('*') {
            open_verb = true;
            break;
        }
        match grammar.verbs.get(word.as_str()) {
            Some(verb) => grammar = verb.as_ref(),
            // A value or an operand: what follows it is no verb.
            None if !word.starts_with('-') => {
                open_verb = false;
                break;
            }
            None => {}
        }
    }
    let mut found: Vec<(u8, Hazard)> = Vec::new();
    if open_verb {
        found.extend(verbs(grammar));
    }
    if pattern.takes_more() {
        found.extend(options(grammar, pattern.words()));
        found.extend(operands(grammar));
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        return None;
    }
    let more = found.len().saturating_sub(MOST);
    let narrow = rule.pattern.trim_end().strip_suffix("**").map(|front| format!("{front}*"));
    Some(Caution {
        looks: can_look(grammar),
        narrower: narrow.filter(|_| grammar.verbs.is_empty()),
        hazards: found.into_iter().take(MOST).map(|(_, hazard)| hazard).collect(),
        more,
    })
}

/// Whether some use of it can look: it does nothing by itself, or without some option or verb.
fn can_look(grammar: &Grammar) -> bool {
    let harmless = |acts: &Acts| of_acts(acts).is_none();
    harmless(&grammar.acts) && (grammar.verbs.is_empty() || grammar.bare.is_some())
        || grammar.whens.iter().any(|when| harmless(&when.acts))
        || grammar.verbs.values().any(|verb| harmless(&verb.acts))
}

/// The verbs that a pattern leaves open.
fn verbs(grammar: &Grammar) -> impl Iterator<Item = (u8, Hazard)> {
    grammar.verbs.iter().filter_map(|(name, verb)| {
        let (rank, does) = of_acts(&verb.acts)?;
        Some((rank, Hazard { word: name.to_string(), does: does.to_owned() }))
    })
}

/// The options that do more than the program does by itself.
fn options(grammar: &Grammar, given: &[String]) -> Vec<(u8, Hazard)> {
    let base = of_acts(&grammar.acts).map(|(rank, _)| rank);
    let mut out = Vec::new();
    for (name, choice) in &grammar.options {
        // Each under one of its names, the long one where there is one.
        let long = |other: &str| {
            let same = grammar.options.get(other).is_some_and(|c| c.name == choice.name);
            same && other.starts_with("--")
        };
        let has_long = grammar.options.keys().any(|other| long(other));
        if has_long && !name.starts_with("--") || given.iter().any(|word| **word == **name) {
            continue;
        }
        let mode = grammar.whens.iter().find(|when| when.options.contains(&choice.name));
        let found = [
            of_acts(&choice.acts),
            of_takes(choice.takes),
            mode.and_then(|when| of_acts(&when.acts)),
        ];
        let Some((rank, does)) = found.into_iter().flatten().min() else { continue };
        if base.is_some_and(|base| base <= rank) {
            continue;
        }
        let value = match choice.takes {
            Takes::Nothing => "",
            _ if name.starts_with("--") => "=…",
            _ => " …",
        };
        out.push((rank, Hazard { word: format!("{name}{value}"), does: does.to_owned() }));
    }
    out
}

/// Operands that are run, or written beside others that are read.
fn operands(grammar: &Grammar) -> Vec<(u8, Hazard)> {
    let some = |operand: &crate::tables::Operand| {
        let (rank, does) = of_kind(operand.kind)?;
        let only = grammar.operands.iter().all(|other| other.kind == operand.kind);
        let hazard = Hazard { word: "an operand".to_owned(), does: does.to_owned() };
        (rank == RUNS || !only).then_some((rank, hazard))
    };
    grammar.operands.iter().filter_map(some).collect()
}

const RUNS: u8 = 0;
const DELETES: u8 = 1;
const WRITES: u8 = 2;
const CHANGES: u8 = 3;

/// The worst of what is done, and how bad that is: the lower, the worse.
fn of_acts(acts: &Acts) -> Option<(u8, &'static str)> {
    let each = acts.iter().filter_map(|act| match act {
        Act::Runs => Some((RUNS, "runs code")),
        Act::Deletes => Some((DELETES, "deletes")),
        Act::InPlace | Act::Writes => Some((WRITES, "writes files")),
        Act::Changes(what) => Some((CHANGES, changes(what.as_str()))),
        _ => None,
    });
    each.min()
}

fn changes(what: &str) -> &'static str {
    match what {
        "cluster" => "changes a cluster",
        "container" => "changes containers",
        "package" => "changes packages",
        "permission" => "changes permissions",
        "process" => "acts on processes",
        "repository" => "changes a repository",
        "service" => "changes services",
        "user" => "changes users",
        _ => "changes the system",
    }
}

fn of_takes(takes: Takes) -> Option<(u8, &'static str)> {
    match takes {
        Takes::Nothing => None,
        Takes::Optional(kind) | Takes::Value(kind) => of_kind(kind),
        Takes::Two(first, second) => [first, second].into_iter().filter_map(of_kind).min(),
    }
}

fn of_kind(kind: Kind) -> Option<(u8, &'static str)> {
    match kind {
        Kind::Clause | Kind::Command | Kind::Code(CodeKind::Shell) => {
            Some((RUNS, "runs a command"))
        }
        Kind::Delete => Some((DELETES, "deletes")),
        Kind::Directory | Kind::Output => Some((WRITES, "writes a file")),
        _ => None,
    }
}
