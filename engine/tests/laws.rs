//! What keeps the commands of a line, or adds some, never needs less and is never allowed more easily.
//! `PROPTEST_CASES=1000000 cargo test --release -p expacti-engine --test laws` tries a million lines.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use expacti_engine::{
    Context, Effect, History, Level, MatchKind, Outcome, Policy, PolicyKind, PolicySet,
    Requirement, RiskTables, Rule, RuleSet, Snapshot, Tally, Verdict, Vote, Voter, judge, tally,
};
use proptest::prelude::*;

const COMMANDS: &[&str] = &[
    "ls -la",
    "cat /etc/hosts",
    "git status",
    "git status -s",
    "git push origin main",
    "git -C /srv push",
    "kubectl get pods",
    "kubectl delete pod x",
    "kubectl -n prod delete pod x",
    "kubectl delete ns prod",
    "rm -rf /srv",
    "rm -r -f /srv/",
    "rm x",
    "systemctl restart nginx",
    "systemctl status nginx",
    "make test",
    "python3 x.py",
    "./deploy.sh",
    "deploy now",
    "echo hi > f",
    "curl http://example.org",
    "curl -s http://localhost:8080",
    "find . -name x",
    "find . -delete",
    "sed -i s/a/b/ f",
    "df -h",
    "kubectl $verb pod x",
    "$cmd delete",
    "rm -rf $dir",
    "git $x",
    "cd /srv/app",
    "cd /tmp",
    "true",
    "docker run x",
    "psql -c 'drop table x'",
    "cat ~/.ssh/id_rsa",
    "tee f",
    "chmod 777 x",
    "chmod a+rwx x",
    "reboot",
    "apt purge nginx",
    "docker container rm x",
    "systemctl disable --now nginx",
    "service nginx stop",
    "git push origin +main",
    "kill -KILL 1",
    "unlink x",
    "ip l d eth0",
];

const RULES: &[(&str, MatchKind, Effect)] = &[
    ("looks", MatchKind::Looks, Effect::Allow),
    ("looks --loopback", MatchKind::Looks, Effect::Allow),
    ("git status *", MatchKind::Glob, Effect::Allow),
    ("git push **", MatchKind::Glob, Effect::Allow),
    ("kubectl **", MatchKind::Glob, Effect::Allow),
    ("systemctl restart *", MatchKind::Glob, Effect::Allow),
    ("make **", MatchKind::Glob, Effect::Allow),
    ("rm *", MatchKind::Glob, Effect::Allow),
    ("deploy now", MatchKind::Exact, Effect::Allow),
    ("curl -s http://localhost:[0-9]+", MatchKind::Regex, Effect::Allow),
    ("kubectl delete **", MatchKind::Glob, Effect::Deny),
    ("rm -rf /srv", MatchKind::Glob, Effect::Deny),
    ("git push **", MatchKind::Glob, Effect::Deny),
    ("reboot", MatchKind::Exact, Effect::Deny),
    ("* --force", MatchKind::Glob, Effect::Deny),
    ("apt remove **", MatchKind::Glob, Effect::Deny),
    ("apt **", MatchKind::Glob, Effect::Allow),
    ("chmod 777 **", MatchKind::Glob, Effect::Deny),
    ("docker rm **", MatchKind::Glob, Effect::Deny),
    ("docker **", MatchKind::Glob, Effect::Allow),
    ("systemctl stop **", MatchKind::Glob, Effect::Deny),
    ("service **", MatchKind::Glob, Effect::Allow),
    ("git push --force **", MatchKind::Glob, Effect::Deny),
    ("kill -9 **", MatchKind::Glob, Effect::Deny),
    ("rm **", MatchKind::Glob, Effect::Deny),
    ("unlink **", MatchKind::Glob, Effect::Allow),
    ("find **", MatchKind::Glob, Effect::Allow),
    ("ip link delete **", MatchKind::Glob, Effect::Deny),
];

/// Pattern, how many of ann, bob and cat (0: any reviewer), from which level, effects.
type PolicySpec = (&'static str, u32, Option<Level>, &'static [&'static str]);

const POLICIES: &[PolicySpec] = &[
    ("*", 2, None, &[]),
    ("*", 0, None, &[]),
    ("*", 3, Some(Level::High), &[]),
    ("*", 0, Some(Level::High), &[]),
    ("git status *", 0, None, &[]),
    ("git push **", 3, None, &[]),
    ("kubectl **", 2, None, &[]),
    ("kubectl delete **", 3, None, &[]),
    ("kubectl delete pod *", 0, None, &[]),
    ("rm **", 2, None, &[]),
    ("systemctl restart *", 0, None, &[]),
    ("*", 2, None, &["deletes"]),
    ("*", 3, None, &["runs-unseen", "network"]),
    ("apt remove **", 3, None, &[]),
    ("apt purge *", 0, None, &[]),
    ("chmod 777 **", 3, None, &[]),
    ("docker rm **", 2, None, &[]),
    ("systemctl stop **", 3, None, &[]),
    ("git push --force **", 2, None, &[]),
    ("unlink *", 2, None, &[]),
];

fn snapshot(rules: &[usize], policies: &[usize]) -> Snapshot {
    let rule = |at: &usize| {
        let (pattern, kind, effect) = RULES[*at];
        Rule::new(format!("r{at}"), kind, pattern.to_owned(), effect)
    };
    let policy = |at: &usize| {
        let (pattern, min, min_level, effects) = POLICIES[*at];
        Policy {
            kind: if min == 0 { PolicyKind::Any } else { PolicyKind::Quorum },
            min: min.max(1),
            group: if min == 0 {
                Vec::new()
            } else {
                ["ann", "bob", "cat"].map(str::to_owned).to_vec()
            },
            effects: effects.iter().map(|effect| (*effect).to_owned()).collect(),
            min_level,
            ..Policy::any(format!("p{at}"), pattern)
        }
    };
    Snapshot {
        tables: RiskTables::builtin().clone(),
        rules: RuleSet::build(rules.iter().map(rule).collect()).unwrap(),
        policies: PolicySet::build(policies.iter().map(policy).collect()).unwrap(),
    }
}

fn verdict(snapshot: &Snapshot, line: &str) -> Verdict {
    let context = Context { shell: Some("bash".to_owned()), ..Context::default() };
    judge(snapshot, line.as_bytes(), &context, &History::default())
}

/// How far a verdict is from running.
fn strictness(verdict: &Verdict) -> u8 {
    match verdict.rule.verdict {
        Outcome::Allow => 0,
        Outcome::Review => 1,
        Outcome::Deny => 2,
    }
}

/// Whether whoever meets `more` has met `less`: over every set of votes of four people.
fn asks_no_less(more: &Requirement, less: &Requirement) -> bool {
    let people = ["ann", "bob", "cat", "dan"];
    (0_u32..16).all(|set| {
        let votes: Vec<Vote> = people
            .iter()
            .enumerate()
            .filter(|(at, _)| set & (1 << at) != 0)
            .map(|(_, name)| Vote { voter: Voter::new(name, "reviewer"), allow: true })
            .collect();
        tally(more, &votes) != Tally::Allowed || tally(less, &votes) == Tally::Allowed
    })
}

/// What keeps the commands of a line or adds some.
#[derive(Clone, Debug)]
enum Change {
    After(&'static str, usize),
    Before(usize, &'static str),
    Piped(usize),
    Wrapped(&'static str),
    Shell,
    Subshell,
    Quoted,
    Loop,
    Condition(usize),
}

fn apply(line: &str, change: &Change) -> String {
    match change {
        Change::After(join, at) => format!("{line} {join} {}", COMMANDS[*at]),
        Change::Before(at, join) => format!("{} {join} {line}", COMMANDS[*at]),
        Change::Piped(at) => format!("{line} | {}", COMMANDS[*at]),
        Change::Wrapped(wrapper) => format!("{wrapper} {line}"),
        Change::Shell => format!("sh -c '{}'", line.replace('\'', "'\\''")),
        Change::Subshell => format!("( {line} )"),
        Change::Quoted => match line.split_once(' ') {
            Some((program, rest)) => format!("\"{program}\" {rest}"),
            None => format!("'{line}'"),
        },
        Change::Loop => format!("for i in 1 2; do {line}; done"),
        Change::Condition(at) => format!("if {}; then {line}; fi", COMMANDS[*at]),
    }
}

fn change() -> impl Strategy<Value = Change> {
    let at = || 0..COMMANDS.len();
    let join = || prop::sample::select(vec![";", "&&", "||", "\n"]);
    prop_oneof![
        (join(), at()).prop_map(|(join, at)| Change::After(join, at)),
        (at(), join()).prop_map(|(at, join)| Change::Before(at, join)),
        at().prop_map(Change::Piped),
        prop::sample::select(vec!["sudo", "nice", "timeout 5", "env", "nohup", "time", "xargs -r"])
            .prop_map(Change::Wrapped),
        Just(Change::Shell),
        Just(Change::Subshell),
        Just(Change::Quoted),
        Just(Change::Loop),
        at().prop_map(Change::Condition),
    ]
}

/// A wrapper or a quote belongs to the first command of a line, which may be a compound one.
fn fits(line: &str, change: &Change) -> bool {
    let compound = line.starts_with("for ") || line.starts_with("if ") || line.starts_with('(');
    let builtin = line.starts_with("cd ");
    !matches!(change, Change::Wrapped(_) | Change::Quoted)
        || !compound && !builtin && !line.starts_with('"')
}

proptest! {
    #[test]
    fn more_commands_never_need_less(
        first in 0..COMMANDS.len(),
        changes in prop::collection::vec(change(), 1..4),
        rules in prop::sample::subsequence((0..RULES.len()).collect::<Vec<_>>(), 0..6),
        policies in prop::sample::subsequence((0..POLICIES.len()).collect::<Vec<_>>(), 0..5),
    ) {
        let snapshot = snapshot(&rules, &policies);
        let mut line = COMMANDS[first].to_owned();
        let mut before = verdict(&snapshot, &line);
        for change in changes.iter() {
            if !fits(&line, change) {
                continue;
            }
            let next = apply(&line, change);
            let after = verdict(&snapshot, &next);
            // `cd` decides where later commands run: what follows it is another command.
            let moved = matches!(change, Change::Before(at, _) | Change::Condition(at) if COMMANDS[*at].starts_with("cd "));
            // And what `xargs` runs has more words.
            let words = matches!(change, Change::Wrapped("xargs -r"));
            prop_assert!(
                strictness(&after) >= strictness(&before),
                "{:?} -> {:?}\n{:?} -> {:?}\nrules {:?}", line, next, before.rule, after.rule,
                rules.iter().map(|at| RULES[*at].0).collect::<Vec<_>>()
            );
            prop_assert!(
                moved || words || asks_no_less(&after.requirement, &before.requirement),
                "{:?} -> {:?}\n{:?}\n{:?}", line, next, before.requirement, after.requirement
            );
            (line, before) = (next, after);
        }
    }

    /// A word that is not known in the place of a known one makes nothing easier.
    #[test]
    fn an_unknown_word_never_needs_less(
        first in 0..COMMANDS.len(),
        at in any::<prop::sample::Index>(),
        unknown in prop::sample::select(vec!["$x", "\"$x\"", "$(true)", "${y:-z}", "?*"]),
        rules in prop::sample::subsequence((0..RULES.len()).collect::<Vec<_>>(), 0..6),
        policies in prop::sample::subsequence((0..POLICIES.len()).collect::<Vec<_>>(), 0..5),
    ) {
        let snapshot = snapshot(&rules, &policies);
        let line = COMMANDS[first];
        let mut words: Vec<&str> = line.split(' ').collect();
        let at = at.index(words.len());
        // Of a line whose program is not known either nothing is left to tell what it is: it is not denied,
        // but a person decides.
        if line.contains('$') || words[at] == ">" || line.contains('\'') {
            return Ok(());
        }
        words[at] = unknown;
        let next = words.join(" ");
        let (before, after) = (verdict(&snapshot, line), verdict(&snapshot, &next));
        prop_assert!(strictness(&after) >= strictness(&before), "{line} -> {next}: {:?} {:?}", before.rule, after.rule);
        prop_assert!(
            asks_no_less(&after.requirement, &before.requirement),
            "{} -> {}\n{:?}\n{:?}", line, next, before.requirement, after.requirement
        );
    }
}
