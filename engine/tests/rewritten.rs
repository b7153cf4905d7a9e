//! A deny rule is not slipped and a policy not lowered by writing the line otherwise.
#![allow(clippy::unwrap_used, clippy::panic)]

use expacti_engine::{
    Context, Effect, History, MatchKind, Outcome, Policy, PolicyKind, PolicySet, RiskTables, Rule,
    RuleSet, Snapshot, Tally, Verdict, Vote, Voter, judge, tally,
};

fn rule(pattern: &str, kind: MatchKind, effect: Effect) -> Rule {
    Rule::new(format!("{effect:?} {pattern}"), kind, pattern.to_owned(), effect)
}

fn policy(pattern: &str, min: u32) -> Policy {
    let group = if min == 0 { Vec::new() } else { vec!["ann".to_owned(), "bob".to_owned()] };
    Policy {
        kind: if min == 0 { PolicyKind::Any } else { PolicyKind::Quorum },
        min: min.max(1),
        group,
        ..Policy::any(pattern, pattern)
    }
}

/// What is forbidden or needs two people; everything else of that program is allowed by a rule.
fn snapshot(pattern: &str) -> Snapshot {
    let program = pattern.split(' ').next().unwrap();
    let program = if program.contains('*') { "nothing" } else { program };
    let rules = vec![
        rule(pattern, MatchKind::Glob, Effect::Deny),
        rule("looks", MatchKind::Looks, Effect::Allow),
        rule(&format!("{program} **"), MatchKind::Glob, Effect::Allow),
    ];
    Snapshot {
        tables: RiskTables::builtin().clone(),
        rules: RuleSet::build(rules).unwrap(),
        policies: PolicySet::build(vec![policy(pattern, 2), policy("*", 0)]).unwrap(),
    }
}

fn verdict(snapshot: &Snapshot, line: &str) -> Verdict {
    let context = Context { shell: Some("bash".to_owned()), ..Context::default() };
    judge(snapshot, line.as_bytes(), &context, &History::default())
}

fn one_is_enough(verdict: &Verdict) -> bool {
    let votes = [Vote { voter: Voter::new("ann", "reviewer"), allow: true }];
    tally(&verdict.requirement, &votes) == Tally::Allowed
}

#[test]
fn written_otherwise_it_is_forbidden_all_the_same() {
    let mut current = None;
    let mut slipped = Vec::new();
    for text in include_str!("data/rewritten.txt").lines() {
        if let Some(pattern) = text.strip_prefix("forbidden: ") {
            current = Some(snapshot(pattern));
            continue;
        }
        let Some(snapshot) =
            current.as_ref().filter(|_| !text.is_empty() && !text.starts_with('#'))
        else {
            continue;
        };
        let line: String = unescape(text);
        let verdict = verdict(snapshot, &line);
        if verdict.rule.verdict == Outcome::Allow || one_is_enough(&verdict) {
            slipped.push((line, verdict.rule.why));
        }
    }
    assert!(slipped.is_empty(), "{slipped:#?}");
}

/// `\n`, `\t` and `\\`.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some(other) => other,
                None => panic!("a backslash at the end: {text}"),
            }),
            _ => out.push(c),
        }
    }
    out
}

#[test]
fn what_is_something_else_stays_allowed() {
    for (pattern, lines) in [
        ("kubectl delete **", &["kubectl get pods -A", "kubectl -n x logs y", "ls -la"][..]),
        ("kubectl delete pod **", &["kubectl delete deployment x", "kubectl delete svc/x"]),
        ("kubectl delete ns prod", &["kubectl delete ns dev", "kubectl delete ns/dev"]),
        ("rm -rf /srv", &["rm -rf /tmp/x", "rm x", "cd /srv && ls", "ls /srv"]),
        ("git push **", &["git status", "git log --oneline", "git -C /srv fetch"]),
        ("docker rm **", &["docker container ls", "docker ps"]),
        ("chmod 777 **", &["chmod 0755 x", "chmod 7770 x"]),
    ] {
        let snapshot = snapshot(pattern);
        for line in lines {
            let verdict = verdict(&snapshot, line);
            assert_eq!(
                verdict.rule.verdict,
                Outcome::Allow,
                "{pattern}: {line}: {:?}",
                verdict.rule
            );
            assert!(one_is_enough(&verdict), "{pattern}: {line}");
        }
    }
}
