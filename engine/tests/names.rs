//! A machine that has several names is restricted by each of them, and allowed by its own alone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use expacti_engine::{
    Context, Effect, History, Level, MatchKind, Outcome, Policy, PolicyKind, PolicySet,
    Requirement, RiskTables, Rule, RuleSet, Scope, Snapshot, Tally, TargetName, Verdict, Vote,
    Voter, judge, tally,
};
use proptest::prelude::*;

/// Names, and what they are tagged with.
const NAMES: &[(&str, &[&str])] = &[
    ("web-1", &[]),
    ("web-2", &["staging"]),
    ("prod-db", &["production"]),
    ("db", &["database", "staging"]),
    ("10.0.0.1", &[]),
];

const COMMANDS: &[&str] = &[
    "uptime",
    "rm -rf /srv",
    "systemctl restart nginx",
    "git push origin main && uptime",
    "$x delete",
    "curl http://x | sh",
    "cat > /etc/motd",
];

/// Pattern, effect, target.
const RULES: &[(&str, Effect, Option<&str>)] = &[
    ("uptime", Effect::Allow, Some("web-*")),
    ("uptime", Effect::Allow, None),
    ("uptime", Effect::Deny, Some("prod-*")),
    ("rm **", Effect::Allow, Some("web-1")),
    ("rm **", Effect::Deny, Some("db")),
    ("systemctl **", Effect::Allow, None),
    ("systemctl restart *", Effect::Deny, Some("10.*")),
    ("git push **", Effect::Allow, Some("web-*")),
    ("git push **", Effect::Deny, Some("web-2")),
];

/// Pattern, how many of ann, bob and cat (0: any reviewer), target, tag, from which level, effect.
type PolicySpec = (
    &'static str,
    u32,
    Option<&'static str>,
    Option<&'static str>,
    Option<Level>,
    Option<&'static str>,
);

const POLICIES: &[PolicySpec] = &[
    ("*", 2, Some("prod-*"), None, None, None),
    ("*", 0, Some("web-*"), None, None, None),
    ("rm **", 0, Some("web-1"), None, None, None),
    ("rm **", 3, None, Some("production"), None, None),
    ("rm -rf *", 0, None, Some("staging"), None, None),
    ("*", 2, None, Some("database"), None, None),
    ("*", 3, None, None, Some(Level::High), None),
    ("*", 2, None, None, Some(Level::Critical), None),
    ("systemctl **", 2, Some("10.*"), None, None, None),
    ("*", 3, Some("db"), None, None, Some("deletes")),
    ("git push **", 2, None, None, None, None),
    ("git push **", 0, Some("web-2"), None, None, None),
    ("uptime", 0, None, None, None, None),
];

fn snapshot(rules: &[usize], policies: &[usize]) -> Snapshot {
    let rule = |at: &usize| {
        let (pattern, effect, target) = RULES[*at];
        let scope = Scope { target: target.map(str::to_owned), ..Scope::default() };
        Rule { scope, ..Rule::new(format!("r{at}"), MatchKind::Glob, pattern, effect) }
    };
    let policy = |at: &usize| {
        let (pattern, min, target, tag, min_level, effect) = POLICIES[*at];
        let group =
            if min == 0 { Vec::new() } else { ["ann", "bob", "cat"].map(str::to_owned).to_vec() };
        Policy {
            kind: if min == 0 { PolicyKind::Any } else { PolicyKind::Quorum },
            min: min.max(1),
            group,
            target: target.map(str::to_owned),
            tags: tag.map(str::to_owned).into_iter().collect(),
            effects: effect.map(str::to_owned).into_iter().collect(),
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

fn name(at: usize) -> TargetName {
    let (target, tags) = NAMES[at];
    TargetName {
        target: target.to_owned(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    }
}

/// What is said of a command on the first of these names of a machine.
fn verdict(snapshot: &Snapshot, command: &str, names: &[usize]) -> Verdict {
    let own = name(names[0]);
    let context = Context {
        target: own.target,
        tags: own.tags,
        other_names: names[1..].iter().map(|at| name(*at)).collect(),
        shell: Some("bash".to_owned()),
        ..Context::default()
    };
    judge(snapshot, command.as_bytes(), &context, &History::default())
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
        let voted = people.iter().enumerate().filter(|(at, _)| set & (1 << at) != 0);
        let votes: Vec<Vote> = voted
            .map(|(_, name)| Vote { voter: Voter::new(name, "reviewer"), allow: true })
            .collect();
        tally(more, &votes) != Tally::Allowed || tally(less, &votes) == Tally::Allowed
    })
}

proptest! {
    /// One name more makes nothing easier: what holds for either of two names by itself holds for both.
    #[test]
    fn another_name_lowers_nothing(
        names in prop::sample::subsequence((0..NAMES.len()).collect::<Vec<_>>(), 1..NAMES.len()).prop_shuffle(),
        command in prop::sample::select(COMMANDS),
        rules in prop::sample::subsequence((0..RULES.len()).collect::<Vec<_>>(), 0..6),
        policies in prop::sample::subsequence((0..POLICIES.len()).collect::<Vec<_>>(), 0..6),
    ) {
        let snapshot = snapshot(&rules, &policies);
        let all = verdict(&snapshot, command, &names);
        let alone = verdict(&snapshot, command, &names[..1]);
        prop_assert!(strictness(&all) >= strictness(&alone), "{:?} {:?}", all.rule, alone.rule);
        prop_assert!(all.assessment.score >= alone.assessment.score);
        for at in &names {
            let one = verdict(&snapshot, command, &[*at]);
            // Denied by one name, denied by all.
            prop_assert!(one.rule.verdict != Outcome::Deny || all.rule.verdict == Outcome::Deny);
            prop_assert!(
                asks_no_less(&all.requirement, &one.requirement),
                "{:?} of {:?}: {:?}\n{:?}", NAMES[*at], names, all.requirement, one.requirement
            );
        }
    }
}

#[test]
fn a_weaker_policy_for_another_name_takes_no_policys_place() {
    // Two for whatever is tagged so, and any reviewer for `rm` on web-1.
    let snapshot = snapshot(&[], &[0, 2]);
    let needed = |names: &[usize]| verdict(&snapshot, "rm -rf /srv", names).requirement.needed();
    assert_eq!((needed(&[0]), needed(&[2])), (1, 2));
    assert_eq!((needed(&[0, 2]), needed(&[2, 0]), needed(&[4, 0, 2])), (2, 2, 2));
}

#[test]
fn what_is_allowed_by_one_name_is_not_allowed_by_another() {
    let snapshot = snapshot(&[0, 2], &[]);
    let of = |names: &[usize]| verdict(&snapshot, "uptime", names).rule.verdict;
    assert_eq!(of(&[0]), Outcome::Allow);
    assert_eq!(of(&[4, 0]), Outcome::Review);
    assert_eq!(of(&[0, 2]), Outcome::Deny);
}

#[test]
fn production_is_production_by_any_name() {
    let snapshot = snapshot(&[], &[]);
    let score = |names: &[usize]| verdict(&snapshot, "rm -rf /srv", names).assessment.score;
    assert!(score(&[2]) > score(&[0]));
    assert_eq!(score(&[0, 2]), score(&[2]));
}
