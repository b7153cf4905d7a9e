//! Deny rules hold for texts that cannot be read as a whole.
#![allow(clippy::unwrap_used)]

use expacti_engine::{
    Context, Effect, GivenInput, History, Level, MatchKind, Outcome, Rule, RuleSet, Snapshot,
    judge, judge_input, judge_more_input,
};

fn snapshot(pattern: &str) -> Snapshot {
    let rule = Rule::new("rule", MatchKind::Glob, pattern.to_owned(), Effect::Deny);
    Snapshot { rules: RuleSet::build(vec![rule]).unwrap(), ..Snapshot::default() }
}

fn script(snapshot: &Snapshot, text: &str) -> Outcome {
    let (context, history) = (Context::default(), History::default());
    judge_input(snapshot, b"bash", text.as_bytes(), &context, &history).rule.verdict
}

const DELETES: &str = "kubectl delete ns prod\n";

#[test]
fn padding_hides_nothing_from_a_deny_rule() {
    let snapshot = snapshot("kubectl delete **");
    let comment = format!("#{}\n", "x".repeat(100_000));
    let different: String = (0..30_000).map(|n| format!("echo '{n}'\n")).collect();
    let many: String = (0..450).map(|n| format!("ls {n}; ")).collect();
    for padding in ["ls\n".repeat(500), "ls\n".repeat(330_000), comment, different, many] {
        assert_eq!(script(&snapshot, &format!("{padding}{DELETES}")), Outcome::Deny);
        assert_eq!(script(&snapshot, &format!("{DELETES}{padding}")), Outcome::Deny);
    }
    let padded = "ls\n".repeat(500);
    for hidden in [
        "if true; then kubectl delete ns prod; fi",
        "sudo kube\"ctl\" delete ns prod",
        "kubectl \\\ndelete ns prod",
        "(kubectl -n prod delete pod x)",
        "x=$(kubectl delete ns prod)",
        "bash -c 'kubectl delete ns prod'",
        "while :; do kubectl delete pod x & done",
    ] {
        assert_eq!(script(&snapshot, &format!("{padded}{hidden}\n")), Outcome::Deny, "{hidden}");
    }
    let (context, history) = (Context::default(), History::default());
    let line = format!("{}{DELETES}", "ls; ".repeat(500));
    let verdict = judge(&snapshot, line.as_bytes(), &context, &history);
    assert_eq!(verdict.rule.verdict, Outcome::Deny);
}

#[test]
fn what_cannot_be_read_is_held_against_deny_rules_in_pieces() {
    let snapshot = snapshot("kubectl delete **");
    for text in
        ["echo \"\nkubectl delete ns prod\n", "if kubectl delete ns prod\n", "((kubectl delete x"]
    {
        assert_eq!(script(&snapshot, text), Outcome::Deny, "{text}");
    }
}

#[test]
fn long_texts_without_what_is_denied_are_asked_about() {
    let snapshot = snapshot("kubectl delete **");
    let texts = [
        "ls\n".repeat(330_000),
        "kubectl get pods\n".repeat(10_000),
        "echo \"kubectl\n".to_owned(),
    ];
    for text in texts {
        assert_eq!(script(&snapshot, &text), Outcome::Review);
    }
    // What is written to a file is not run.
    let (context, history) = (Context::default(), History::default());
    let text = DELETES.repeat(5000);
    let verdict = judge_input(&snapshot, b"cat > notes", text.as_bytes(), &context, &history);
    assert_eq!(verdict.rule.verdict, Outcome::Review);
}

#[test]
fn where_there_are_too_many_pieces_a_deny_rule_denies() {
    let snapshot = snapshot("kubectl delete **");
    let text: String = (0..25_000).map(|n| format!("echo '{n}'\n")).collect();
    assert_eq!(script(&snapshot, &text), Outcome::Deny);
}

/// What is said of the last of some items of standard input for bash.
fn last(snapshot: &Snapshot, items: &[&str]) -> (Outcome, Level, bool) {
    let (context, history) = (Context::default(), History::default());
    let (last, before) = items.split_last().unwrap();
    let mut given = GivenInput::default();
    for item in before {
        given.push(item.as_bytes());
    }
    let (verdict, open) =
        judge_more_input(snapshot, b"bash", &given, last.as_bytes(), &context, &history);
    (verdict.rule.verdict, verdict.assessment.level, open)
}

#[test]
fn an_item_that_goes_on_in_the_middle_is_read_with_what_came_before() {
    let snapshot = snapshot("kubectl delete **");
    for before in [
        "kubectl \\\n",
        "kubectl",
        "echo x; kubectl ",
        "kubectl -n \"\n\" ",
        "alias k=kubectl; kubectl $(echo\n) ",
        "if kubectl \\\n",
        "cat <<E; kubectl \\\n",
    ] {
        let (verdict, _, open) = last(&snapshot, &[before, " delete ns prod\n"]);
        assert_eq!((verdict, open), (Outcome::Deny, true), "{before:?}");
    }
    for open in
        ["ls |\n", "ls &&\n", "if true\n", "echo '\n", "cat <<E\n", "f() {\n", "while :; do\n"]
    {
        assert!(last(&snapshot, &[open, "sh\n"]).2, "{open:?}");
    }
    for whole in ["ls\n", "cd /srv\n", "ls | wc\n", "if true; then ls; fi\n", "cat <<E\nx\nE\n"] {
        assert!(!last(&snapshot, &[whole, "ls\n"]).2, "{whole:?}");
    }
    // Cut in the middle of a word, over several items, behind much else.
    let padding = "ls\n".repeat(40_000);
    let items = [padding.as_str(), "kube", "ctl dele", "te ns prod\n"];
    assert_eq!(last(&snapshot, &items).0, Outcome::Deny);
    let function = ["k() { kubectl \"$@\"; }\n", "ls\n", "k delete ns prod\n"];
    assert_eq!(last(&snapshot, &function).0, Outcome::Deny);
}

#[test]
fn what_was_dangerous_before_makes_nothing_dangerous_later() {
    let snapshot = snapshot("kubectl delete **");
    let (verdict, level, _) = last(&snapshot, &["rm -rf /srv/app\n", "ls\n"]);
    assert_eq!((verdict, level), (Outcome::Review, Level::Low));
    let (_, level, _) = last(&snapshot, &["cd /\n", "rm -rf *\n"]);
    assert!(level >= Level::High);
    let (_, level, open) = last(&snapshot, &[&"x".repeat(70_000), "ls\n"]);
    assert!(open && level >= Level::Medium);
}
