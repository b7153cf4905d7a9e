//! A compiled set of rules, ten thousand as fast as ten. It must never allow by pattern what is not
//! plain words, and a rule that denies must never be missed because another one allows.

use std::collections::HashMap;

use regex_automata::Anchored;
use regex_automata::Input;
use regex_automata::meta::Regex;

use super::pattern::{GlobPattern, base, word_fits};
use super::plain::{every_command, plain_words};
use super::types::{Closest, Effect, MatchKind, Outcome, Rule, RuleError, RuleVerdict, Scope};
use crate::Context;
use crate::tables::wildcard;

/// Rules compiled for matching. Cheap to share; build off the hot path and swap.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    exact: HashMap<Box<[u8]>, Vec<usize>>,
    allow: Globs,
    deny: Globs,
    /// All regular expressions in one automaton; pattern N belongs to rule `regex_rules[N]`.
    regex: Option<Regex>,
    regex_rules: Vec<usize>,
    denies: bool,
}

/// Glob patterns by their first word.
#[derive(Clone, Debug, Default)]
struct Globs {
    patterns: Vec<(usize, GlobPattern)>,
    /// By program and second word.
    by_two: HashMap<(Box<str>, Box<str>), Vec<usize>>,
    /// By program, where the second word is open.
    by_one: HashMap<Box<str>, Vec<usize>>,
    /// The program itself is open.
    open: Vec<usize>,
}

impl Globs {
    fn add(&mut self, rule: usize, pattern: GlobPattern) {
        let at = self.patterns.len();
        let literal = |word: &String| !word.contains(['*', '?']);
        match (pattern.program(), pattern.words().get(1)) {
            (Some(program), Some(second)) if literal(second) => {
                self.by_two.entry((program.into(), second.as_str().into())).or_default().push(at);
            }
            (Some(program), _) => self.by_one.entry(program.into()).or_default().push(at),
            (None, _) => self.open.push(at),
        }
        self.patterns.push((rule, pattern));
    }

    fn candidates<'a>(
        &'a self,
        words: &'a [String],
        program: &'a str,
    ) -> impl Iterator<Item = &'a (usize, GlobPattern)> {
        let second = words.get(1).map_or("", String::as_str);
        let two = self.by_two.get(&(program.into(), second.into()));
        let one = self.by_one.get(program);
        two.into_iter()
            .chain(one)
            .chain(std::iter::once(&self.open))
            .flatten()
            .filter_map(|at| self.patterns.get(*at))
    }
}

impl RuleSet {
    /// Compiles rules.
    ///
    /// # Errors
    /// Names the first rule that cannot be compiled and what is wrong with it.
    pub fn build(rules: Vec<Rule>) -> Result<Self, RuleError> {
        let mut set = Self::default();
        let mut expressions = Vec::new();
        for (at, rule) in rules.iter().enumerate() {
            let wrong = |message: String| RuleError { id: rule.id.clone(), message };
            if rule.pattern.trim().is_empty() {
                return Err(wrong("the pattern is empty".to_owned()));
            }
            match rule.kind {
                MatchKind::Exact => {
                    set.exact.entry(rule.pattern.as_bytes().into()).or_default().push(at);
                    // A denied line is denied however it is quoted or spaced.
                    if rule.effect == Effect::Deny
                        && let Some(words) = plain_words(rule.pattern.as_bytes())
                        && let Ok(pattern) = GlobPattern::parse(&words.join(" "))
                        && !rule.pattern.contains(['*', '?'])
                    {
                        set.deny.add(at, pattern);
                    }
                }
                MatchKind::Glob => {
                    let pattern = GlobPattern::parse(&rule.pattern).map_err(wrong)?;
                    if rule.effect == Effect::Allow && pattern.program().is_none() {
                        return Err(wrong(
                            "a rule that allows must name the program; `*` cannot stand for it"
                                .to_owned(),
                        ));
                    }
                    match rule.effect {
                        Effect::Allow => set.allow.add(at, pattern),
                        Effect::Deny => set.deny.add(at, pattern),
                    }
                }
                MatchKind::Regex => {
                    expressions.push(compile_check(&rule.pattern).map_err(wrong)?);
                    set.regex_rules.push(at);
                }
            }
            set.denies |= rule.effect == Effect::Deny;
        }
        if !expressions.is_empty() {
            set.regex = Some(build_regex(&expressions).map_err(|message| {
                RuleError {
                    id: set
                        .regex_rules
                        .first()
                        .and_then(|at| rules.get(*at))
                        .map_or_else(String::new, |rule| rule.id.clone()),
                    message,
                }
            })?);
        }
        set.rules = rules;
        Ok(set)
    }

    /// The rules, as given.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What the rules say about a command.
    #[must_use]
    pub fn judge(&self, command: &[u8], context: &Context) -> RuleVerdict {
        self.judge_with(command, context, || every_command(command))
    }

    /// As [`Self::judge`], with the commands of the line as somebody has read them already.
    pub(crate) fn judge_with(
        &self,
        command: &[u8],
        context: &Context,
        commands: impl FnOnce() -> Vec<Vec<String>>,
    ) -> RuleVerdict {
        if self.rules.is_empty() {
            return review("no rules");
        }
        let words = plain_words(command);
        if self.denies
            && let Some(rule) = self.denied(command, words.as_deref(), context, commands)
        {
            return decided(Outcome::Deny, rule);
        }
        if context.has_stdin_script {
            return review("a script follows on standard input");
        }
        let exact =
            self.exact.get(command).into_iter().flatten().filter_map(|at| self.rules.get(*at));
        if let Some(rule) =
            exact.into_iter().find(|rule| rule.effect == Effect::Allow && holds(rule, context))
        {
            return decided(Outcome::Allow, rule);
        }
        let Some(words) = words else {
            return review("not plain words: only a rule for this exact text can allow it");
        };
        // The path is part of what is allowed: `/tmp/ls` is not `ls`.
        let program = words.first().map_or("", String::as_str);
        let found = self
            .allow
            .candidates(&words, program)
            .find(|(at, pattern)| {
                pattern.matches(&words)
                    && self.rules.get(*at).is_some_and(|rule| holds(rule, context))
            })
            .and_then(|(at, _)| self.rules.get(*at))
            .or_else(|| self.allowed_by_regex(command, context));
        match found {
            Some(rule) => decided(Outcome::Allow, rule),
            None => {
                RuleVerdict { closest: self.closest(&words, context), ..review("no rule matches") }
            }
        }
    }

    fn denied(
        &self,
        command: &[u8],
        words: Option<&[String]>,
        context: &Context,
        commands: impl FnOnce() -> Vec<Vec<String>>,
    ) -> Option<&Rule> {
        let exact =
            self.exact.get(command).into_iter().flatten().filter_map(|at| self.rules.get(*at));
        if let Some(rule) =
            exact.into_iter().find(|rule| rule.effect == Effect::Deny && holds(rule, context))
        {
            return Some(rule);
        }
        if let Some(rule) = self
            .regex_matches(command)
            .into_iter()
            .find(|rule| rule.effect == Effect::Deny && holds(rule, context))
        {
            return Some(rule);
        }
        if self.deny.patterns.is_empty() {
            return None;
        }
        let all = match words {
            Some(words) => {
                let mut all = commands();
                all.push(words.to_vec());
                all
            }
            None => commands(),
        };
        all.iter().find_map(|words| {
            let program = base(words.first()?);
            self.deny
                .candidates(words, program)
                .chain(self.deny.candidates(words, words.first()?))
                .find(|(at, pattern)| {
                    pattern.covers(words)
                        && self.rules.get(*at).is_some_and(|rule| holds(rule, context))
                })
                .and_then(|(at, _)| self.rules.get(*at))
        })
    }

    fn regex_matches(&self, command: &[u8]) -> Vec<&Rule> {
        let Some(regex) = &self.regex else { return Vec::new() };
        let mut found = regex_automata::PatternSet::new(regex.pattern_len());
        let input = Input::new(command).anchored(Anchored::Yes);
        regex.which_overlapping_matches(&input, &mut found);
        found
            .iter()
            .filter_map(|pattern| self.rules.get(*self.regex_rules.get(pattern.as_usize())?))
            .collect()
    }

    fn allowed_by_regex(&self, command: &[u8], context: &Context) -> Option<&Rule> {
        self.regex_matches(command)
            .into_iter()
            .find(|rule| rule.effect == Effect::Allow && holds(rule, context))
    }

    /// The allow rule for the same program that differs least.
    fn closest(&self, words: &[String], context: &Context) -> Option<Closest> {
        let program = words.first()?;
        let now = context.now;
        self.allow
            .candidates(words, program)
            .filter_map(|(at, pattern)| Some((self.rules.get(*at)?, pattern)))
            .filter(|(rule, _)| rule.expires_at.is_none_or(|expires| now < expires))
            .take(64)
            .map(|(rule, pattern)| (rule, difference(pattern, words, rule, context)))
            .min_by_key(|(_, differs)| differs.len())
            .map(|(rule, differs)| Closest { rule: rule.id.clone(), differs: differs.join(", ") })
    }
}

/// Whether a rule holds here and now.
fn holds(rule: &Rule, context: &Context) -> bool {
    rule.expires_at.is_none_or(|expires| context.now < expires) && rule.scope.covers(context)
}

fn decided(verdict: Outcome, rule: &Rule) -> RuleVerdict {
    let word = if verdict == Outcome::Deny { "denied" } else { "allowed" };
    let reason = rule.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    RuleVerdict {
        verdict,
        rule: Some(rule.id.clone()),
        why: format!("{word} by rule {} ({}){reason}", rule.id, rule.pattern),
        closest: None,
    }
}

fn review(why: &str) -> RuleVerdict {
    RuleVerdict { verdict: Outcome::Review, rule: None, why: why.to_owned(), closest: None }
}

/// What a command has that a rule does not, word by word.
fn difference(
    pattern: &GlobPattern,
    words: &[String],
    rule: &Rule,
    context: &Context,
) -> Vec<String> {
    let mut out = Vec::new();
    let wanted = pattern.words();
    let mut used = vec![false; words.len()];
    for want in wanted {
        let found = words
            .iter()
            .enumerate()
            .position(|(at, word)| !used.get(at).copied().unwrap_or(true) && word_fits(want, word));
        match found {
            Some(at) => {
                if let Some(slot) = used.get_mut(at) {
                    *slot = true;
                }
            }
            None => out.push(format!("without {want}")),
        }
    }
    if !pattern.takes_more() {
        out.extend(
            words.iter().zip(&used).filter(|(_, used)| !**used).map(|(word, _)| word.clone()),
        );
    }
    if !rule.scope.covers(context) {
        out.push("outside its scope".to_owned());
    }
    if out.is_empty() {
        out.push("the order of the words".to_owned());
    }
    out
}

/// Checks one expression and wraps it so that it is anchored at both ends.
fn compile_check(pattern: &str) -> Result<String, String> {
    if pattern.len() > 4096 {
        return Err("the expression is longer than 4096 bytes".to_owned());
    }
    // `\n` in verbose mode or an open group must not swallow the closing anchor.
    let anchored = format!("\\A(?:{pattern})\\z");
    build_regex(std::slice::from_ref(&anchored))?;
    build_regex(&[pattern.to_owned()])?;
    Ok(anchored)
}

fn build_regex(patterns: &[String]) -> Result<Regex, String> {
    Regex::builder()
        .configure(
            Regex::config()
                .match_kind(regex_automata::MatchKind::All)
                .hybrid_cache_capacity(16 << 20)
                .nfa_size_limit(Some(256 << 20))
                .utf8_empty(false),
        )
        // ASCII classes: `\d` and `\w` must not match what only looks like a digit or a letter.
        .syntax(regex_automata::util::syntax::Config::new().unicode(false).utf8(false))
        .build_many(patterns)
        .map_err(|error| {
            format!(
                "not a valid expression: {}",
                error.syntax_error().map_or_else(|| error.to_string(), ToString::to_string)
            )
        })
}

impl Scope {
    /// Whether a command's context lies inside this scope.
    #[must_use]
    pub fn covers(&self, context: &Context) -> bool {
        let part = |pattern: &Option<String>, value: &str| {
            pattern.as_ref().is_none_or(|p| wildcard(p, value))
        };
        part(&self.agent, &context.agent)
            && part(&self.target, &context.target)
            && part(&self.user, &context.user)
            && self.cwd.as_ref().is_none_or(|pattern| {
                context.cwd.as_ref().is_some_and(|cwd| word_fits(pattern, cwd))
            })
    }
}
