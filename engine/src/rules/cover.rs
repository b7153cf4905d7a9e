//! What a rule covers beside the text of a command: a terminal, and standard input. It must never say
//! that unseen input is covered where that input may be run.

use serde::{Deserialize, Serialize};

use super::pattern::GlobPattern;
use super::types::{Effect, FOR_FILES, MatchKind, Rule};
use crate::effects::{CommandReport, Effects, Looking, Performed};
use crate::{Context, RiskTables};

/// The standard input that a rule covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StdinCover {
    /// Whatever comes.
    Any,
    /// Bytes with this SHA-256, in lower-case hex.
    #[serde(rename = "sha256")]
    Digest(String),
}

/// The standard input that is covered together with a command that rules allow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Covered {
    /// None.
    #[default]
    No,
    /// Whatever comes: nothing in the line runs what it reads.
    Any,
    /// What one of these rules names. The rule that names it need not be the one that allows the
    /// command: whoever relies on it must ask whether that rule holds as well.
    Digest(Vec<Digested>),
}

/// Standard input that a rule names by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digested {
    /// The rule.
    pub rule: String,
    /// SHA-256 of all of it, in lower-case hex.
    pub sha256: String,
}

impl Rule {
    /// Whether it covers the terminal that a command asks for, if it asks for one.
    pub(super) fn covers_terminal(&self, context: &Context) -> bool {
        self.terminal || !context.asks_for_terminal()
    }

    /// What it covers besides the command, as the options say it; empty where that is nothing.
    #[must_use]
    pub fn covers(&self) -> String {
        let terminal = self.terminal.then(|| "--terminal".to_owned());
        let stdin = self.stdin.as_ref().map(|stdin| match stdin {
            StdinCover::Any => "--stdin".to_owned(),
            StdinCover::Digest(digest) => format!("--stdin-sha256 {digest}"),
        });
        terminal.into_iter().chain(stdin).collect::<Vec<_>>().join(" ")
    }
}

/// Of the rules that allow the same, the one that covers most standard input.
pub(super) fn widest<'a>(rules: &[&'a Rule]) -> Option<&'a Rule> {
    let any = |rule: &&&Rule| rule.stdin == Some(StdinCover::Any);
    let some = |rule: &&&Rule| rule.stdin.is_some();
    let found = rules.iter().find(any).or_else(|| rules.iter().find(some));
    found.or(rules.first()).copied()
}

/// The standard input that is covered where each of these rules alone allows the whole line.
pub(super) fn of_whole(rules: &[&Rule], any: impl FnOnce() -> bool) -> Covered {
    if rules.iter().any(|rule| rule.stdin == Some(StdinCover::Any)) && any() {
        return Covered::Any;
    }
    let digests: Vec<Digested> = rules.iter().filter_map(|rule| named(rule)).collect();
    if digests.is_empty() { Covered::No } else { Covered::Digest(digests) }
}

/// The standard input that is covered where these rules together allow a line, each a command of it.
/// What only looks takes nothing away: whatever it reads, it can but show.
pub(super) fn of_parts(parts: &[(&Performed, &Rule)], any: impl FnOnce() -> bool) -> Covered {
    let looks = |rule: &Rule| rule.kind == MatchKind::Looks && rule.stdin.is_none();
    let others: Vec<_> = parts.iter().filter(|(_, rule)| !looks(rule)).collect();
    match &others[..] {
        [] => Covered::No,
        all if all.iter().all(|(_, rule)| rule.stdin == Some(StdinCover::Any)) => {
            if any() {
                Covered::Any
            } else {
                Covered::No
            }
        }
        // It must get all of it: what another command has read a part of has another digest.
        [(command, rule)] => {
            let alone = |other: &Performed| {
                std::ptr::eq(other, *command)
                    || other.effects.closed && other.effects.stdin == "unused"
            };
            match named(rule) {
                Some(digest) if parts.iter().all(|(part, _)| alone(part)) => {
                    Covered::Digest(vec![digest])
                }
                _ => Covered::No,
            }
        }
        _ => Covered::No,
    }
}

fn named(rule: &Rule) -> Option<Digested> {
    match &rule.stdin {
        Some(StdinCover::Digest(sha256)) => {
            Some(Digested { rule: rule.id.clone(), sha256: sha256.clone() })
        }
        Some(StdinCover::Any) | None => None,
    }
}

/// Whether it is known what becomes of standard input in a line, and nothing runs it.
pub(super) fn runs_no_input(line: &[u8], context: &Context) -> bool {
    let tables = RiskTables::builtin();
    tables.input_use(line, context, &tables.assess(line, context)).may_flow()
}

/// Whether it is known what a command does with its standard input, and it does not run it.
pub(super) fn takes_input(effects: &Effects) -> bool {
    effects.closed
        && match effects.stdin.as_str() {
            "protocol" | "unused" => true,
            // It could go to what is run.
            "archive" | "file" | "filter" => !effects.runs_unseen,
            _ => false,
        }
}

/// What is wrong with what a rule says that it covers.
pub(super) fn check(rule: &Rule) -> Result<(), String> {
    if rule.effect == Effect::Deny && (rule.terminal || rule.stdin.is_some()) {
        return Err("a rule that denies covers everything already: leave out --terminal, --stdin \
                    and --stdin-sha256"
            .to_owned());
    }
    match &rule.stdin {
        Some(StdinCover::Digest(digest)) => {
            let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            if rule.kind == MatchKind::Looks {
                return Err("what only looks has no standard input of its own to be named: leave \
                            out --stdin-sha256"
                    .to_owned());
            }
            if digest.len() != 64 || !digest.bytes().all(hex) {
                return Err(format!(
                    "{digest:?} is no SHA-256: give the 64 hex digits that `sha256sum FILE` prints"
                ));
            }
            Ok(())
        }
        Some(StdinCover::Any) if !samples(rule).iter().any(|line| may_take_any(line)) => {
            Err(format!(
                "`{}` may run what it reads from standard input, so --stdin would let through code \
                 that nobody has seen: name the input with --stdin-sha256 DIGEST",
                rule.pattern
            ))
        }
        Some(StdinCover::Any) | None => Ok(()),
    }
}

fn may_take_any(line: &str) -> bool {
    let context = Context { shell: Some("bash".to_owned()), ..Context::default() };
    runs_no_input(line.as_bytes(), &context)
}

/// Lines that a rule matches, one of which tells what becomes of standard input. What only looks may
/// have any, and an expression is held against each line when that comes.
fn samples(rule: &Rule) -> Vec<String> {
    let harmless = || vec!["true".to_owned()];
    match rule.kind {
        MatchKind::Exact => vec![rule.pattern.clone()],
        MatchKind::Looks | MatchKind::Regex | MatchKind::Work => harmless(),
        MatchKind::Glob => match GlobPattern::parse(&rule.pattern) {
            Ok(pattern) => ["x", "1", "/srv/x"].map(|word| pattern.filled(word)).to_vec(),
            Err(_) => Vec::new(),
        },
    }
}

/// The options that let a rule from before there were any allow what it did: a terminal, and standard
/// input where its command reads more than to show it. `None` where it lost nothing.
#[must_use]
pub fn options_of_before(rule: &Rule) -> Option<&'static str> {
    let files = rule.pattern.starts_with(FOR_FILES);
    if rule.effect == Effect::Deny || files || rule.terminal || rule.stdin.is_some() {
        return None;
    }
    let lines = samples(rule);
    let keeps = rule.kind != MatchKind::Regex && lines.iter().any(|line| needs_no_input(line));
    Some(if keeps {
        "--terminal"
    } else if lines.iter().any(|line| may_take_any(line)) {
        "--terminal --stdin"
    } else {
        "--terminal --stdin-sha256 DIGEST"
    })
}

/// Whether a line does not read its standard input, or only shows it.
fn needs_no_input(line: &str) -> bool {
    let context = Context { shell: Some("bash".to_owned()), ..Context::default() };
    let report = RiskTables::builtin().report(line.as_bytes(), &context, &Looking::default());
    let unused =
        |command: &CommandReport| command.effects.closed && command.effects.stdin == "unused";
    report.looks || !report.commands.is_empty() && report.commands.iter().all(unused)
}
