//! A rule as it is given on the command line, and in words.

use expacti_engine::{
    Effect, Looking, MatchKind, Rule, Scope, StdinCover, Working, looks_pattern, work_pattern,
};
use expacti_protocol::now_micros;

use crate::cli::{CoverArgs, RuleAddArgs};
use crate::failure::Failure;
use crate::{print, units};

/// How long a rule for working in a directory lasts if nothing else is said, in microseconds: an hour.
const WORK_LASTS: i64 = 60 * 60 * 1_000_000;

/// The rule that the arguments describe.
pub(super) fn from_args(args: RuleAddArgs) -> Result<Rule, Failure> {
    let looking = Looking {
        under: args.under,
        trusted: args.trust_dir,
        loopback: args.loopback,
        ..Looking::default()
    };
    let (kind, pattern) = match (args.pattern.exact, args.pattern.glob, args.pattern.regex) {
        (Some(text), _, _) => (MatchKind::Exact, text),
        (_, Some(text), _) => (MatchKind::Glob, text),
        (_, _, Some(text)) => (MatchKind::Regex, text),
        _ if args.pattern.looks => {
            (MatchKind::Looks, looks_pattern(&looking).map_err(Failure::usage)?)
        }
        _ => {
            let Some(directory) = args.pattern.work else {
                let needed = "one of --exact, --glob, --regex, --looks and --work is needed";
                return Err(Failure::usage(needed));
            };
            let working = Working { directory, runs: args.run };
            (MatchKind::Work, work_pattern(&working).map_err(Failure::usage)?)
        }
    };
    let now = now_micros();
    let expires_at = match args.ttl {
        Some(ttl) => {
            let micros =
                i64::try_from(units::seconds(&ttl)?.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
            Some(now.saturating_add(micros))
        }
        None if kind == MatchKind::Work => Some(now.saturating_add(WORK_LASTS)),
        None => None,
    };
    Ok(Rule {
        scope: Scope { agent: args.agent, target: args.target, user: args.user, cwd: args.cwd },
        reason: args.reason,
        created_at: now,
        expires_at,
        terminal: args.cover.terminal,
        stdin: stdin_of(&args.cover),
        ..Rule::new(
            String::new(),
            kind,
            pattern,
            if args.deny { Effect::Deny } else { Effect::Allow },
        )
    })
}

/// The standard input that the options name.
pub(super) fn stdin_of(cover: &CoverArgs) -> Option<StdinCover> {
    let named = |digest: &String| StdinCover::Digest(digest.trim().to_ascii_lowercase());
    cover.any_stdin.then_some(StdinCover::Any).or_else(|| cover.stdin_sha256.as_ref().map(named))
}

/// The command line that adds a rule, but for its end.
pub(super) fn add_command(rule: &Rule) -> String {
    let quoted = |text: &str| format!("'{}'", print::safe(text).replace('\'', "'\\''"));
    let pattern = match rule.kind {
        MatchKind::Exact => format!("--exact {}", quoted(&rule.pattern)),
        MatchKind::Glob => format!("--glob {}", quoted(&rule.pattern)),
        // Its pattern is made of its options.
        MatchKind::Looks | MatchKind::Work => format!("--{}", print::safe(&rule.pattern)),
        MatchKind::Regex => format!("--regex {}", quoted(&rule.pattern)),
    };
    let mut line = format!("expacti rules add {pattern}");
    let scope = &rule.scope;
    for (name, value) in [
        ("target", &scope.target),
        ("agent", &scope.agent),
        ("user", &scope.user),
        ("cwd", &scope.cwd),
    ] {
        if let Some(value) = value {
            line.push_str(&format!(" --{name} {}", quoted(value)));
        }
    }
    if !rule.covers().is_empty() {
        line.push_str(&format!(" {}", rule.covers()));
    }
    line
}

/// What a rule does, in words.
pub(super) fn describe(rule: &Rule) -> String {
    let kind = match rule.kind {
        MatchKind::Exact => "exact ",
        MatchKind::Glob => "glob ",
        // Its pattern says it.
        MatchKind::Looks | MatchKind::Work => "",
        MatchKind::Regex => "regex ",
    };
    let effect = if rule.effect == Effect::Deny { "deny" } else { "allow" };
    let mut out = format!("{effect} {kind}{}", print::safe(&rule.pattern));
    if !rule.covers().is_empty() {
        out.push_str(&format!("  [{}]", rule.covers()));
    }
    out
}
