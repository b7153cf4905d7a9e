//! Judges JSON lines with `command` on standard input as a broker would, by several sets of rules and
//! policies made from the lines themselves, and prints all that comes out: what another version of the
//! engine prints for the same lines must be the same.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice)]

use std::io::{BufRead, Write};

use expacti_engine::{
    Context, Effect, Event, History, ItemSyntax, MatchKind, Policy, PolicyKind, PolicySet, Reading,
    RiskTables, Rule, RuleSet, Snapshot, judge_as, judge_with_input,
};

fn rule(n: usize, kind: MatchKind, effect: Effect, pattern: String) -> Rule {
    Rule { terminal: n.is_multiple_of(3), ..Rule::new(format!("r{n}"), kind, pattern, effect) }
}

fn policy(n: usize, pattern: &str) -> Policy {
    Policy {
        kind: PolicyKind::Quorum,
        min: 1 + u32::try_from(n % 2).unwrap(),
        group: vec!["alice".to_owned(), "bob".to_owned(), "carol".to_owned()],
        timeout_seconds: Some(30 + n as u64),
        ..Policy::any(format!("p{n}"), pattern)
    }
}

/// Patterns made from a line: its first words, with what follows or without.
fn patterns(line: &str) -> Vec<String> {
    let plain =
        |word: &&str| word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:,@%+".contains(&b));
    let words: Vec<&str> = line.split_whitespace().take_while(plain).collect();
    match words.as_slice() {
        [] => Vec::new(),
        [one] => vec![format!("{one} **"), format!("{one} *")],
        [one, two] => vec![format!("{one} {two}"), format!("{one} {two} **"), format!("* {two}")],
        [one, two, three, ..] => vec![
            format!("{one} {two} **"),
            format!("{one} {two} {three}"),
            format!("{one} * {three} **"),
            format!("{one} {two} {}*", &three[..1]),
        ],
    }
}

/// Those of the rules that can be built.
fn valid(rules: Vec<Rule>) -> RuleSet {
    let rules = rules.into_iter().filter(|rule| RuleSet::build(vec![rule.clone()]).is_ok());
    RuleSet::build(rules.collect()).unwrap()
}

fn snapshots(lines: &[String]) -> Vec<Snapshot> {
    let tables = || RiskTables::builtin().clone();
    let allow = |n: usize, kind, pattern: &str| rule(n, kind, Effect::Allow, pattern.to_owned());
    let looks = allow(100_000, MatchKind::Looks, "looks --loopback");
    let work = allow(100_001, MatchKind::Work, "work '/srv/app' --run 'make **' --run 'pytest **'");
    let made = |step: usize, from: usize| {
        lines.iter().skip(from).step_by(step).flat_map(|line| patterns(line)).enumerate()
    };
    let allowing: Vec<Rule> = made(5, 0)
        .map(|(n, pattern)| rule(n, MatchKind::Glob, Effect::Allow, pattern))
        .take(10_000)
        .chain([looks.clone(), work.clone()])
        .collect();
    let exact = lines.iter().enumerate().step_by(11).map(|(n, line)| {
        let effect = if n.is_multiple_of(2) { Effect::Allow } else { Effect::Deny };
        rule(n, MatchKind::Exact, effect, line.clone())
    });
    let denying: Vec<Rule> = made(400, 3)
        .map(|(n, pattern)| rule(n, MatchKind::Glob, Effect::Deny, pattern))
        .filter(|rule| !rule.pattern.starts_with('*') && rule.pattern.contains(' '))
        .filter(|rule| !rule.pattern.ends_with(" **") || rule.pattern.matches(' ').count() > 1)
        .chain(exact)
        .chain([looks.clone(), work.clone()])
        .collect();
    let mut policies: Vec<Policy> =
        made(900, 7).map(|(n, pattern)| policy(n, &pattern)).take(45).collect();
    policies.push(Policy { effects: vec!["deletes".to_owned()], ..policy(90, "*") });
    policies.push(Policy { effects: vec!["runs-unseen".to_owned()], ..policy(91, "*") });
    policies.push(Policy { min_level: Some(expacti_engine::Level::High), ..policy(92, "*") });
    policies.push(policy(93, "kubectl delete **"));
    policies.push(policy(94, "rm -rf *"));
    let by_pattern: Vec<Policy> = policies
        .iter()
        .filter(|policy| policy.effects.is_empty() && policy.min_level.is_none())
        .cloned()
        .collect();
    let set = |policies: Vec<Policy>| {
        let works = |policy: &Policy| PolicySet::build(vec![policy.clone()]).is_ok();
        PolicySet::build(policies.into_iter().filter(works).collect()).unwrap()
    };
    vec![
        Snapshot { tables: tables(), rules: valid(Vec::new()), policies: set(Vec::new()) },
        Snapshot { tables: tables(), rules: valid(vec![looks, work]), policies: set(by_pattern) },
        Snapshot { tables: tables(), rules: valid(allowing), policies: set(Vec::new()) },
        Snapshot { tables: tables(), rules: valid(denying), policies: set(policies) },
    ]
}

fn contexts() -> Vec<Context> {
    let bash = Context {
        agent: "bot".to_owned(),
        target: "web-1".to_owned(),
        user: "deploy".to_owned(),
        cwd: Some("/srv/app".to_owned()),
        shell: Some("bash".to_owned()),
        resolves_paths: true,
        now: 40_000_000,
        ..Context::default()
    };
    let terminal = Context { pty: true, cwd: Some("~".to_owned()), ..bash.clone() };
    let zsh = Context {
        shell: Some("zsh".to_owned()),
        tainted: Some("x".to_owned()),
        tags: vec!["production".to_owned()],
        ..bash.clone()
    };
    let unknown = Context { shell: None, cwd: None, ..bash.clone() };
    let fish = Context { shell: Some("fish".to_owned()), ..bash.clone() };
    vec![bash, terminal, zsh, unknown, fish]
}

fn main() {
    let command = |line: std::io::Result<String>| {
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        line["command"].as_str().unwrap().to_owned()
    };
    let lines: Vec<String> = std::io::stdin().lock().lines().map(command).collect();
    let mut out = std::io::BufWriter::new(std::io::stdout());
    let (snapshots, contexts) = (snapshots(&lines), contexts());
    let mut history = History::default();
    for (n, line) in lines.iter().enumerate() {
        let item = line.as_bytes();
        for (at, snapshot) in snapshots.iter().enumerate() {
            // All of them are seen with each of the others, though not for each line.
            let context = &contexts[(n + at) % contexts.len()];
            let read = Reading::of(snapshot, ItemSyntax::Command, item, context);
            let (input, masked) = (read.input_use(), read.masked().text);
            let transfer = read.transfer().map(str::to_owned);
            let mut verdict = read.into_verdict(&history);
            // Of many that are near, some are looked at, whichever.
            verdict.rule.closest.take_if(|_| at == 2);
            let json = serde_json::json!({
                "verdict": verdict,
                "input": input,
                "transfer": transfer,
                "masked": masked,
            });
            writeln!(out, "{json}").unwrap();
            if at == 0 {
                let assessment = &verdict.assessment;
                history.observe(&Event::Submitted { command: item, context, assessment });
                let allow = !n.is_multiple_of(17);
                history.observe(&Event::Decided { command: item, allow });
            }
        }
        if n.is_multiple_of(10) {
            let snapshot = &snapshots[3];
            for syntax in [
                ItemSyntax::File,
                ItemSyntax::Input { foreground: Some("psql") },
                ItemSyntax::Keys { foreground: None },
            ] {
                let verdict = judge_as(snapshot, syntax, item, &contexts[0], &history);
                writeln!(out, "{}", serde_json::json!(verdict)).unwrap();
            }
            let verdict = judge_with_input(snapshot, b"bash -s", item, &contexts[0], &history);
            writeln!(out, "{}", serde_json::json!(verdict)).unwrap();
        }
    }
}
