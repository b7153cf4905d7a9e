//! A compiled set of rules, ten thousand as fast as ten. It must never allow by pattern what is not
//! plain words, and a rule that denies must never be missed because another one allows.

use std::borrow::Borrow;
use std::cell::{LazyCell, OnceCell};

use super::compose::Part;
use super::cover::{self, Covered};
use super::expressions::{self, Expressions};
use super::index::{Denials, Globs};
use super::looks;
use super::pattern::{GlobPattern, word_fits};
use super::plain::{every_command, plain_words};
use super::types::{
    CommandVerdict, Effect, MatchKind, Outcome, Rule, RuleError, RuleVerdict, Scope,
};
use super::work::WorkRule;
use crate::effects::{Performance, Performed};
use crate::hashed::HashMap;
use crate::hidden::beside;
use crate::program::reads_as_posix;
use crate::restrict::{Likeness, Line, Suspect, likeness};
use crate::subject::Subject;
use crate::tables::wildcard;
use crate::{Context, Looking, RiskTables};

/// Rules compiled for matching. Cheap to share; build off the hot path and swap.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    /// Where each of them is, by its name.
    places: HashMap<Box<str>, usize>,
    /// Those that deny.
    denying: Vec<usize>,
    exact: HashMap<Box<[u8]>, Vec<usize>>,
    pub(super) allow: Globs,
    deny: Denials,
    expressions: Expressions,
    /// Rules for what only looks.
    pub(super) looks: Vec<(usize, Looking)>,
    /// Rules for working in a directory.
    pub(super) works: Vec<(usize, WorkRule)>,
    denies: bool,
}

/// A command that rules are asked about.
struct Asked<'a> {
    command: &'a [u8],
    /// Its words, if it is nothing but plain ones.
    words: Option<Vec<String>>,
    /// The rules whose expressions match it.
    matching: OnceCell<Vec<usize>>,
}

impl<'a> Asked<'a> {
    fn of(command: &'a [u8]) -> Self {
        Self { command, words: plain_words(command), matching: OnceCell::new() }
    }
}

impl RuleSet {
    /// Compiles rules.
    ///
    /// # Errors
    /// Names the first rule that cannot be compiled and what is wrong with it.
    pub fn build(rules: Vec<Rule>) -> Result<Self, RuleError> {
        let mut set = Self::default();
        let mut denials = Vec::new();
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
                        denials.push((at, pattern));
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
                        Effect::Deny => denials.push((at, pattern)),
                    }
                }
                MatchKind::Looks => {
                    if rule.effect == Effect::Deny {
                        return Err(wrong("a rule for what only looks cannot deny".to_owned()));
                    }
                    set.looks.push((at, looks::parse(&rule.pattern).map_err(wrong)?));
                }
                MatchKind::Work => {
                    if rule.effect == Effect::Deny {
                        return Err(wrong(
                            "a rule for working in a directory cannot deny".to_owned(),
                        ));
                    }
                    set.works.push((at, WorkRule::parse(&rule.pattern).map_err(wrong)?));
                }
                MatchKind::Regex => {
                    expressions.push((at, expressions::check(rule).map_err(wrong)?));
                }
            }
            set.denies |= rule.effect == Effect::Deny;
        }
        set.expressions = Expressions::build(expressions).map_err(|(at, message)| {
            let id = rules.get(at).map_or_else(String::new, |rule| rule.id.clone());
            RuleError { id, message }
        })?;
        for (at, rule) in rules.iter().enumerate() {
            set.places.entry(rule.id.as_str().into()).or_insert(at);
            if rule.effect == Effect::Deny {
                set.denying.push(at);
            }
        }
        set.deny = Denials::build(denials);
        set.rules = rules;
        Ok(set)
    }

    /// The rule of that name.
    pub(crate) fn rule(&self, id: &str) -> Option<&Rule> {
        self.places.get(id).and_then(|at| self.rules.get(*at))
    }

    /// The rules, as given.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What the rules say about a command.
    #[must_use]
    pub fn judge(&self, command: &[u8], context: &Context) -> RuleVerdict {
        let tables = RiskTables::builtin();
        let assessment = LazyCell::new(|| crate::assess(command, context));
        let line = || Line::read_checked(command, context, tables, &assessment);
        let commands = || suspects(every_command(command));
        let segments = || assessment.segments.iter();
        let may_deny = |first: &str, known| self.may_deny(first, known);
        let hidden = || {
            suspects(segments().flat_map(|part| beside(part, None, tables, &may_deny)).collect())
        };
        self.judge_with(command, context, commands, line, hidden).0
    }

    /// As [`Self::judge`], with the commands of the line as they were already read. The second part is
    /// every rule that had its share in it.
    pub(crate) fn judge_with<'a, L: Borrow<Line<'a>>, S: Borrow<[Suspect]>>(
        &self,
        command: &[u8],
        context: &Context,
        commands: impl FnOnce() -> S,
        line: impl FnOnce() -> L,
        hidden: impl FnOnce() -> S,
    ) -> (RuleVerdict, Vec<String>) {
        if self.rules.is_empty() {
            return alone(review("no rules"));
        }
        let asked = Asked::of(command);
        if self.denies
            && let Some(rule) = self.denied(&asked, context, commands)
        {
            return alone(decided(Outcome::Deny, rule));
        }
        if context.has_stdin_script {
            return alone(review("a script follows on standard input"));
        }
        let line = LazyCell::new(line);
        let line = || -> &Line<'a> { (*line).borrow() };
        let hides = LazyCell::new(|| self.denies_one_of(hidden, context));
        let hides = || *hides;
        let found = self.allowed(&asked, context, &line, &hides);
        if found.0.verdict == Outcome::Allow || !context.asks_for_terminal() {
            return found;
        }
        // Is it only the terminal that stops it?
        let without = Context { in_shell: true, ..context.clone() };
        let (would, by) = self.allowed(&asked, &without, &line, &hides);
        if would.verdict != Outcome::Allow {
            return found;
        }
        let lacks = |rule: &&Rule| by.contains(&rule.id) && !rule.terminal;
        let ids: Vec<&str> = self.rules.iter().filter(lacks).map(|rule| rule.id.as_str()).collect();
        let add: Vec<String> =
            ids.iter().map(|id| format!("`expacti rules cover {id} --terminal`")).collect();
        let (ids, add) = (ids.join(", "), add.join(", "));
        alone(review(&format!("rule {ids} does not cover a terminal: {add} adds it")))
    }

    /// Whether rules allow a command, and which.
    fn allowed<'l, 'a: 'l>(
        &self,
        asked: &Asked<'_>,
        context: &Context,
        line: &dyn Fn() -> &'l Line<'a>,
        hides: &dyn Fn() -> Option<&'l Rule>,
    ) -> (RuleVerdict, Vec<String>) {
        let Asked { command, words, .. } = asked;
        let words = words.as_deref();
        let exact: Vec<&Rule> = self
            .exact
            .get(*command)
            .into_iter()
            .flatten()
            .filter_map(|at| self.rules.get(*at))
            .filter(|rule| rule.effect == Effect::Allow && allows(rule, context))
            .collect();
        if let Some(rule) = cover::widest(&exact) {
            return covering(
                rule,
                cover::of_whole(&exact, || cover::runs_no_input(command, context)),
            );
        }
        if !reads_as_posix(context.shell.as_deref()) {
            return alone(review(
                "the target's shell is not read here: only a rule for this exact text can allow it",
            ));
        }
        let found = words.map_or_else(Vec::new, |words| self.allowed_words(words, asked, context));
        let needed = self.denies && !found.is_empty() || self.composes();
        if needed {
            let far = line().far.then(|| self.forbids(context)).flatten();
            let unseen = "it may do what cannot be seen here, and so what rule";
            let seen = || hides().map(|rule| ("it may do what rule", rule));
            if let Some((what, rule)) = far.map(|rule| (unseen, rule)).or_else(seen) {
                let why =
                    format!("{what} {} ({}) forbids: a person decides", rule.id, rule.pattern);
                return alone(self.nothing(words, Some(why), context));
            }
        }
        if let Some(rule) = cover::widest(&found) {
            return covering(
                rule,
                cover::of_whole(&found, || cover::runs_no_input(command, context)),
            );
        }
        let composed = if needed { self.composed(line(), context) } else { Ok(Vec::new()) };
        match composed {
            Ok(parts) if !parts.is_empty() => {
                let any = || cover::runs_no_input(command, context);
                together(&parts, cover::of_parts(&parts, any))
            }
            Ok(_) => alone(self.nothing(words, None, context)),
            Err(why) => alone(self.nothing(words, Some(why), context)),
        }
    }

    /// A rule that denies something here.
    pub(super) fn forbids(&self, context: &Context) -> Option<&Rule> {
        let rules = self.denying.iter().filter_map(|at| self.rules.get(*at));
        rules.into_iter().find(|rule| restricts(rule, context))
    }

    /// Whether there is a rule that can allow a part of a line.
    fn composes(&self) -> bool {
        !(self.looks.is_empty() && self.works.is_empty() && self.allow.patterns.is_empty())
    }

    /// No rule allows it.
    fn nothing(
        &self,
        words: Option<&[String]>,
        why: Option<String>,
        context: &Context,
    ) -> RuleVerdict {
        match (words, why) {
            (Some(words), why) => {
                let why = why.unwrap_or_else(|| "no rule matches".to_owned());
                RuleVerdict { closest: self.closest(words, context), ..review(&why) }
            }
            (None, Some(why)) => review(&why),
            (None, None) => review("not plain words: only a rule for this exact text can allow it"),
        }
    }

    /// The rules each of which allows one plain command: globs, or else expressions.
    fn allowed_words(&self, words: &[String], asked: &Asked<'_>, context: &Context) -> Vec<&Rule> {
        let found = self.allowed_by_glob(words, |rule| allows(rule, context));
        if found.is_empty() { self.allowed_by_regex(asked, context) } else { found }
    }

    fn allowed_by_glob(
        &self,
        words: &[impl AsRef<str>],
        applies: impl Fn(&Rule) -> bool,
    ) -> Vec<&Rule> {
        // The path is part of what is allowed: `/tmp/ls` is not `ls`.
        let program = words.first().map_or("", AsRef::as_ref);
        self.allow
            .candidates(words, program)
            .into_iter()
            .filter(|(_, pattern)| pattern.matches(words))
            .filter_map(|(at, _)| self.rules.get(*at))
            .filter(|rule| applies(rule))
            .collect()
    }

    /// The rules that together allow every command of a line; an error says which command none allows,
    /// and why.
    fn composed<'l>(
        &self,
        line: &'l Line<'_>,
        context: &Context,
    ) -> Result<Vec<(&'l Performed, &Rule)>, String> {
        let performance = match &line.performance {
            Ok(performance) => performance,
            Err(unread) => {
                let text = excerpt(line.bytes, unread.span);
                return Err(format!(
                    "{}{text}: only a rule for this exact text can allow it",
                    unread.why
                ));
            }
        };
        let begins_in = vec![context.cwd.clone().unwrap_or_else(|| "~".to_owned())];
        let allowed = |command: &'l Performed| {
            let rule =
                self.allowed_part(command, performance, &begins_in, context).map_err(|why| {
                    format!("no rule allows{}: {why}", excerpt(line.bytes, command.span))
                })?;
            Ok((command, rule))
        };
        performance.commands.iter().map(allowed).collect()
    }

    /// What the rules say about each command of a line by itself; empty where the line is not read.
    #[must_use]
    pub fn explain(&self, command: &[u8], context: &Context) -> Vec<CommandVerdict> {
        let assessment = crate::assess(command, context);
        let line = Line::read_checked(command, context, RiskTables::builtin(), &assessment);
        let Ok(performance) = &line.performance else { return Vec::new() };
        let begins_in = vec![context.cwd.clone().unwrap_or_else(|| "~".to_owned())];
        let judged = |part: &Performed| {
            let (from, to) = part.span;
            let text = String::from_utf8_lossy(command.get(from..to).unwrap_or_default());
            let (verdict, by, why) = match self.allowed_part(part, performance, &begins_in, context)
            {
                Ok(rule) => {
                    (Outcome::Allow, Some(rule.id.clone()), decided(Outcome::Allow, rule).why)
                }
                Err(why) => (Outcome::Review, None, why),
            };
            CommandVerdict { text: text.into_owned(), span: [from, to], verdict, by, why }
        };
        performance.commands.iter().map(judged).collect()
    }

    /// The rule that allows one command of a line.
    pub(super) fn allowed_part(
        &self,
        command: &Performed,
        performance: &Performance,
        begins_in: &[String],
        context: &Context,
    ) -> Result<&Rule, String> {
        let part = Part::of(command, begins_in);
        let mut why = context.tainted.clone().filter(|_| !self.looks.is_empty());
        let looks = if why.is_some() { &[][..] } else { &self.looks };
        for (at, looking) in looks {
            let Some(rule) = self.rules.get(*at).filter(|rule| allows(rule, context)) else {
                continue;
            };
            let configured = || self.configured_by_work(command, context);
            match part.objection(looking, context.pty).or_else(configured) {
                None => return Ok(rule),
                Some(objection) => {
                    why.get_or_insert(objection);
                }
            }
        }
        let applies = |rule: &Rule| {
            is_alive(rule, context)
                && rule.covers_terminal(context)
                && part.is_in_scope(rule, context)
                && part.is_fed_within(rule)
        };
        let found = part.words.as_ref().map(|words| self.allowed_by_glob(words, applies));
        if let Some(rule) = found.and_then(|rules| cover::widest(&rules)) {
            return Ok(rule);
        }
        match self.worked(&part, performance, context) {
            Some(Ok((rule, _))) => Ok(rule),
            Some(Err(objection)) => Err(objection),
            None => Err(why.unwrap_or_else(|| "no rule matches".to_owned())),
        }
    }

    fn denied<S: Borrow<[Suspect]>>(
        &self,
        asked: &Asked<'_>,
        context: &Context,
        commands: impl FnOnce() -> S,
    ) -> Option<&Rule> {
        let exact = self.exact.get(asked.command).into_iter().flatten();
        let exact = exact.filter_map(|at| self.rules.get(*at));
        if let Some(rule) =
            exact.into_iter().find(|rule| rule.effect == Effect::Deny && restricts(rule, context))
        {
            return Some(rule);
        }
        if let Some(rule) = self
            .regex_matches(asked)
            .into_iter()
            .find(|rule| rule.effect == Effect::Deny && restricts(rule, context))
        {
            return Some(rule);
        }
        if self.deny.is_empty() {
            return None;
        }
        let all = commands();
        let mut all = all.borrow().iter();
        all.find_map(|suspect| self.denied_command(suspect, context)).or_else(|| {
            let words = asked
                .words
                .as_ref()
                .filter(|words| words.first().is_some_and(|first| self.may_deny(first, true)))?;
            self.denied_command(&Suspect::from(Subject::known(words.clone())), context)
        })
    }

    /// Whether there is a rule of this name that allows something, here and now.
    #[must_use]
    pub fn still_holds(&self, id: &str, context: &Context) -> bool {
        self.rule(id).is_some_and(|rule| rule.effect == Effect::Allow && holds(rule, context))
    }

    /// A rule that denies one of these commands.
    fn denies_one_of<S: Borrow<[Suspect]>>(
        &self,
        commands: impl FnOnce() -> S,
        context: &Context,
    ) -> Option<&Rule> {
        if self.deny.is_empty() {
            return None;
        }
        commands().borrow().iter().find_map(|suspect| self.denied_command(suspect, context))
    }

    /// Whether a rule may deny a command that begins with this word.
    pub(crate) fn may_deny(&self, first: &str, known: bool) -> bool {
        self.deny.concern(first, known)
    }

    /// The rule that denies one command of a line. In doubt there is one.
    pub(super) fn denied_command(&self, suspect: &Suspect, context: &Context) -> Option<&Rule> {
        let tables = RiskTables::builtin();
        self.deny
            .about(suspect)
            .find(|(at, pattern)| {
                self.rules.get(*at).is_some_and(|rule| restricts(rule, context))
                    && likeness(pattern, suspect, tables) > Likeness::No
            })
            .and_then(|(at, _)| self.rules.get(*at))
    }

    fn allowed_by_regex(&self, asked: &Asked<'_>, context: &Context) -> Vec<&Rule> {
        let allowing = |rule: &&Rule| rule.effect == Effect::Allow && allows(rule, context);
        self.regex_matches(asked).into_iter().filter(allowing).collect()
    }

    /// The rules whose expressions match.
    fn regex_matches(&self, asked: &Asked<'_>) -> Vec<&Rule> {
        let matching = asked.matching.get_or_init(|| self.expressions.matching(asked.command));
        matching.iter().filter_map(|at| self.rules.get(*at)).collect()
    }
}

/// Commands, to be held against rules.
fn suspects(commands: Vec<Subject>) -> Vec<Suspect> {
    commands.into_iter().map(Suspect::from).collect()
}

/// Whether a rule holds here and now.
pub(super) fn holds(rule: &Rule, context: &Context) -> bool {
    is_alive(rule, context) && rule.scope.covers(context)
}

/// Whether a rule that restricts does so here and now, by whatever name the machine goes.
fn restricts(rule: &Rule, context: &Context) -> bool {
    is_alive(rule, context) && rule.scope.restricts(context)
}

/// Whether a rule may allow here and now, with the terminal that is asked for.
fn allows(rule: &Rule, context: &Context) -> bool {
    holds(rule, context) && rule.covers_terminal(context)
}

/// Whether a rule has not ended.
pub(super) fn is_alive(rule: &Rule, context: &Context) -> bool {
    rule.expires_at.is_none_or(|expires| context.now < expires)
}

/// The part of a line that is meant, for a message.
fn excerpt(bytes: &[u8], span: (usize, usize)) -> String {
    let part = bytes.get(span.0..span.1.max(span.0)).unwrap_or_default();
    let text = String::from_utf8_lossy(part);
    let short: String = text.chars().take(60).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    if short.is_empty() { String::new() } else { format!(" `{short}{more}`") }
}

/// What one rule, or none, says.
fn alone(verdict: RuleVerdict) -> (RuleVerdict, Vec<String>) {
    let rules = verdict.rule.iter().cloned().collect();
    (verdict, rules)
}

/// A rule allows, with so much standard input.
fn covering(rule: &Rule, stdin: Covered) -> (RuleVerdict, Vec<String>) {
    alone(RuleVerdict { stdin, ..decided(Outcome::Allow, rule) })
}

/// What several rules say together.
fn together(parts: &[(&Performed, &Rule)], stdin: Covered) -> (RuleVerdict, Vec<String>) {
    let mut rules: Vec<&Rule> = Vec::new();
    for (_, rule) in parts {
        if !rules.iter().any(|known| known.id == rule.id) {
            rules.push(rule);
        }
    }
    match &rules[..] {
        [one] => covering(one, stdin),
        _ => {
            let ids: Vec<String> = rules.iter().map(|rule| rule.id.clone()).collect();
            let why = format!("each command is allowed by one of {}", ids.join(", "));
            let rule = ids.first().cloned();
            (RuleVerdict { verdict: Outcome::Allow, rule, why, closest: None, stdin }, ids)
        }
    }
}

pub(super) fn decided(verdict: Outcome, rule: &Rule) -> RuleVerdict {
    let word = if verdict == Outcome::Deny { "denied" } else { "allowed" };
    let reason = rule.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    RuleVerdict {
        verdict,
        rule: Some(rule.id.clone()),
        why: format!("{word} by rule {} ({}){reason}", rule.id, rule.pattern),
        closest: None,
        stdin: Covered::No,
    }
}

fn review(why: &str) -> RuleVerdict {
    RuleVerdict {
        verdict: Outcome::Review,
        rule: None,
        why: why.to_owned(),
        closest: None,
        stdin: Covered::No,
    }
}

impl Scope {
    /// Whether a command's context lies inside this scope.
    #[must_use]
    pub fn covers(&self, context: &Context) -> bool {
        self.covers_name(context, &context.target)
    }

    /// Whether it does by any name of the machine.
    pub(crate) fn restricts(&self, context: &Context) -> bool {
        context.all_names().any(|name| self.covers_name(context, name))
    }

    fn covers_name(&self, context: &Context, target: &str) -> bool {
        let part = |pattern: &Option<String>, value: &str| {
            pattern.as_ref().is_none_or(|p| wildcard(p, value))
        };
        part(&self.agent, &context.agent)
            && part(&self.target, target)
            && part(&self.user, &context.user)
            && self.cwd.as_ref().is_none_or(|pattern| {
                context.cwd.as_ref().is_some_and(|cwd| word_fits(pattern, cwd))
            })
    }
}
