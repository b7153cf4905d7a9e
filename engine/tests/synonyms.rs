//! A rule that denies and a policy are about what is done, whatever word or program does it; and no rule that
//! allows becomes wider by that.
#![allow(clippy::unwrap_used, clippy::panic)]

use expacti_engine::{
    Context, Effect, History, MatchKind, Outcome, Policy, PolicyKind, PolicySet, RiskTables, Rule,
    RuleSet, Snapshot, Tally, Verdict, Vote, Voter, judge, tally,
};

const PAIRS: &str = include_str!("data/synonyms.txt");

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

fn context() -> Context {
    Context { shell: Some("bash".to_owned()), ..Context::default() }
}

fn judged(rules: Vec<Rule>, policies: Vec<Policy>, line: &str) -> Verdict {
    let snapshot = Snapshot {
        tables: RiskTables::builtin().clone(),
        rules: RuleSet::build(rules).unwrap(),
        policies: PolicySet::build(policies).unwrap(),
    };
    judge(&snapshot, line.as_bytes(), &context(), &History::default())
}

fn one_is_enough(verdict: &Verdict) -> bool {
    let votes = [Vote { voter: Voter::new("ann", "reviewer"), allow: true }];
    tally(&verdict.requirement, &votes) == Tally::Allowed
}

/// Each rule of the table, with what is said of a line, and the line.
fn pairs() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let mut rule = "";
    PAIRS.lines().filter_map(move |text| {
        if let Some(pattern) = text.strip_prefix("rule: ") {
            rule = pattern;
            return None;
        }
        if text.is_empty() || text.starts_with('#') {
            return None;
        }
        let (what, line) = text.split_once(' ')?;
        Some((rule, what, line))
    })
}

/// The rule denies, and everything of the line's program is allowed by another one.
fn restricted(pattern: &str, line: &str) -> Verdict {
    let program = line.trim_start_matches("sudo ").split(' ').next().unwrap();
    let rules = vec![
        rule(pattern, MatchKind::Glob, Effect::Deny),
        rule("looks", MatchKind::Looks, Effect::Allow),
        rule(&format!("{program} **"), MatchKind::Glob, Effect::Allow),
    ];
    judged(rules, vec![policy(pattern, 2), policy("*", 0)], line)
}

#[test]
fn in_other_words_it_is_the_same() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (pattern, what, line) in pairs() {
        let verdict = restricted(pattern, line);
        let outcome = verdict.rule.verdict;
        let held = match what {
            "yes" => outcome == Outcome::Deny && !one_is_enough(&verdict),
            "near" => {
                outcome == Outcome::Review
                    && verdict.rule.why.contains("it may do what rule")
                    && !one_is_enough(&verdict)
            }
            "no" => outcome != Outcome::Deny && !verdict.rule.why.contains("it may do what rule"),
            other => panic!("{other}: {line}"),
        };
        count += 1;
        if !held {
            let one = one_is_enough(&verdict);
            wrong.push(format!("{pattern}: {what} {line}: {outcome:?} {} {one}", verdict.rule.why));
        }
    }
    assert!(count >= 200, "{count}");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

/// What the table says is about rules that restrict. One that allows is about what it says.
#[test]
fn a_rule_that_allows_is_no_wider() {
    for (pattern, what, line) in pairs() {
        let alone = [line, "true", "ls -la"];
        for line in alone {
            let verdict =
                judged(vec![rule(pattern, MatchKind::Glob, Effect::Allow)], Vec::new(), line);
            let words: Vec<&str> = line.split(' ').collect();
            let first = pattern.split(' ').next().unwrap();
            assert!(
                verdict.rule.verdict != Outcome::Allow || words.first() == Some(&first),
                "{pattern}: {what} {line}"
            );
        }
    }
    for (pattern, line) in [
        ("apt remove **", "apt purge x"),
        ("docker rm **", "docker container rm x"),
        ("chmod 777 **", "chmod a+rwx x"),
        ("git push --force **", "git push -f"),
        ("psql -c *drop*", "psql -c 'DROP x'"),
        ("systemctl stop nginx", "systemctl stop nginx.service"),
        ("ip link delete *", "ip l d eth0"),
        ("kill -9 *", "kill -KILL 1"),
    ] {
        let verdict = judged(vec![rule(pattern, MatchKind::Glob, Effect::Allow)], Vec::new(), line);
        assert_eq!(verdict.rule.verdict, Outcome::Review, "{pattern}: {line}");
    }
}

/// A policy for the other way to write it is asked as well, and takes the place of none.
#[test]
fn a_weaker_policy_in_other_words_takes_no_place() {
    for (strict, weak, line) in [
        ("docker rm **", "docker container **", "docker container rm x"),
        ("docker **", "docker rm *", "docker container rm x"),
        ("apt **", "apt remove *", "apt purge x"),
        ("git push **", "git push --force *", "git push origin +main"),
    ] {
        let policies = vec![policy(strict, 2), policy(weak, 0)];
        let verdict = judged(Vec::new(), policies, line);
        let replaced = strict == "docker rm **";
        assert!(!one_is_enough(&verdict) || replaced, "{strict} {weak}: {line}");
    }
}
