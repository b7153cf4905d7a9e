//! Regular expressions of rules, anchored at both ends.

use regex_automata::Anchored;
use regex_automata::Input;
use regex_automata::meta::Regex;

use super::types::Rule;
use crate::hashed::HashMap;

/// Expressions by the literal program they begin with; the rest under `""`.
#[derive(Clone, Debug, Default)]
pub(super) struct Expressions(HashMap<Box<str>, Group>);

/// Expressions that begin with the same program.
#[derive(Clone, Debug)]
struct Group {
    regex: Regex,
    /// Pattern N belongs to this rule.
    rules: Vec<usize>,
}

/// An expression that was checked.
pub(super) struct Checked {
    program: Box<str>,
    anchored: String,
}

impl Expressions {
    /// Compiles expressions, each with its rule; an error names a rule and says what is wrong.
    pub(super) fn build(checked: Vec<(usize, Checked)>) -> Result<Self, (usize, String)> {
        let mut groups: HashMap<Box<str>, (Vec<String>, Vec<usize>)> = HashMap::default();
        for (at, Checked { program, anchored }) in checked {
            let (patterns, rules) = groups.entry(program).or_default();
            patterns.push(anchored);
            rules.push(at);
        }
        let compiled = |(program, (patterns, rules)): (Box<str>, (Vec<String>, Vec<usize>))| {
            let first = rules.first().copied().unwrap_or_default();
            let regex = build_regex(&patterns).map_err(|message| (first, message))?;
            Ok((program, Group { regex, rules }))
        };
        groups.into_iter().map(compiled).collect::<Result<_, _>>().map(Self)
    }

    /// The rules whose expressions match a command.
    pub(super) fn matching(&self, command: &[u8]) -> Vec<usize> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let program = command.split(|b| *b == b' ').next().unwrap_or(b"");
        let own = std::str::from_utf8(program).ok().filter(|program| !program.is_empty());
        let groups = [own.and_then(|program| self.0.get(program)), self.0.get("")];
        let mut out = Vec::new();
        for group in groups.into_iter().flatten() {
            let mut found = regex_automata::PatternSet::new(group.regex.pattern_len());
            let input = Input::new(command).anchored(Anchored::Yes);
            group.regex.which_overlapping_matches(&input, &mut found);
            out.extend(found.iter().filter_map(|pattern| group.rules.get(pattern.as_usize())));
        }
        out
    }
}

/// Checks the expression of a rule.
pub(super) fn check(rule: &Rule) -> Result<Checked, String> {
    let anchored = compile_check(&rule.pattern)?;
    Ok(Checked { program: expression_key(&rule.pattern).into(), anchored })
}

/// Under which key an expression is looked up: the first word of every command it can match, `cat`
/// for `cat /srv/[a-z]+`; empty where that is not certain.
fn expression_key(pattern: &str) -> &str {
    let Some((program, rest)) = pattern.split_once(' ') else { return "" };
    let literal = !program.is_empty()
        && program.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'/'));
    // A quantifier would make the blank optional, an alternative the whole beginning.
    let certain =
        !rest.starts_with(['*', '?', '{']) && !pattern.contains('|') && !pattern.contains("(?");
    if literal && certain { program } else { "" }
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
