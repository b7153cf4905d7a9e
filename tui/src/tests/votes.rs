//! Votes on rules and on changes of rules and policies: armed like decisions.

use crossterm::event::KeyCode;
use expacti_engine::{Policy, PolicyKind};
use expacti_protocol::http::{Action, Approval, Change, RuleView};
use expacti_protocol::ids::ChangeId;
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::{ReviewerEvent, RuleChange};

use super::pictures::scene;
use super::screens::{exact, fetches};
use super::{TestScreen, support};
use crate::model::{Answer, Choice, Fetch, LinkMsg, Mode, Msg, Rulebook, Subject};
use crate::theme::Theme;

const COLOUR: Theme = Theme { colour: true, ascii: false };

fn id(short: &str) -> ChangeId {
    format!("chg_01h455vb4pex5vsknk084s{short:0>4}").parse().unwrap()
}

fn approval(by: &str) -> Approval {
    Approval { by: by.into(), role: Role::Reviewer, at: support::T0 / 1000 }
}

fn policy(pattern: &str) -> Policy {
    Policy {
        kind: PolicyKind::Quorum,
        min: 2,
        group: vec!["bob".into(), "mara".into(), "zoe".into()],
        target: Some("prod-*".into()),
        timeout_seconds: Some(300),
        ..Policy::any("pol_1", pattern)
    }
}

fn removal(short: &str, pattern: &str) -> Change {
    Change {
        id: id(short),
        action: Action::RemovePolicy { policy: policy(pattern) },
        by: "bob".into(),
        at: support::T0 / 1000 - 60,
        approvals: vec![approval("bob")],
        needs: vec![format!("2 of bob, mara, zoe for {pattern}")],
        missing: 1,
        may_approve: vec!["mara".into(), "zoe".into()],
    }
}

fn answer(b: &mut TestScreen, changes: Vec<Change>) {
    let mut young = RuleView { rule: exact("kubectl delete pod web-0"), approvals: Vec::new() };
    young.rule.id = "rule_2".into();
    young.approvals = vec![approval("bob")];
    let mut old = RuleView { rule: exact("systemctl status nginx"), approvals: Vec::new() };
    old.rule.id = "rule_1".into();
    old.approvals = vec![approval("mara")];
    let book =
        Rulebook { rules: vec![old, young], policies: vec![policy("kubectl delete *")], changes };
    b.msg(Msg::Fetched(Fetch::Rules, Ok(Answer::Rules(Box::new(book)))));
}

fn votes(b: &TestScreen) -> Vec<(Subject, Choice)> {
    let of = |f: Fetch| match f {
        Fetch::Vote(subject, choice) => Some((subject, choice)),
        _ => None,
    };
    fetches(b).into_iter().filter_map(of).collect()
}

fn open(cols: u16, rows: u16) -> TestScreen {
    let mut b = scene(cols, rows, COLOUR);
    b.keys("R");
    answer(&mut b, vec![removal("000a", "kubectl delete *")]);
    b
}

#[test]
fn what_waits_stands_first_and_is_counted() {
    let mut b = scene(120, 35, COLOUR);
    let change = removal("000a", "kubectl delete *");
    b.msg(Msg::Fetched(Fetch::Changes, Ok(Answer::Changes(vec![change]))));
    assert!(b.shows("1 change of rules (R)"), "{}", b.text());
    let b = open(120, 35);
    insta::assert_snapshot!("rules", b.text());
    // One that somebody else has to approve is not counted.
    let mut b = scene(120, 35, COLOUR);
    let mut ours = removal("000a", "kubectl delete *");
    ours.approvals.push(approval("mara"));
    b.msg(Msg::Fetched(Fetch::Changes, Ok(Answer::Changes(vec![ours]))));
    assert!(!b.shows("change of rules"), "{}", b.text());
}

#[test]
fn an_approval_is_looked_at_first() {
    let mut b = open(120, 35);
    b.keys("ay");
    assert_eq!(votes(&b), [], "not on the screen yet");
    b.wait(600);
    insta::assert_snapshot!("change-asked", b.text());
    b.keys("y");
    assert_eq!(votes(&b), [(Subject::Change(id("000a").to_string()), Choice::Approve)]);
    assert!(b.decisions().is_empty());
    // Anything else leaves.
    let mut b = open(120, 35);
    for other in ["a", "d", "n", "Y", "q"] {
        b.keys("a");
        b.wait(600);
        b.keys(other);
        assert_eq!(votes(&b), [], "{other}");
        assert!(b.shows("nothing was approved"), "{}", b.text());
    }
    b.keys("a");
    b.wait(600);
    b.code(KeyCode::Enter);
    b.keys("a");
    b.msg(Msg::Paste("y".into()));
    b.wait(600);
    b.code(KeyCode::Esc);
    assert_eq!(votes(&b), []);
    b.keys("d");
    b.wait(600);
    b.keys("y");
    assert_eq!(votes(&b), [(Subject::Change(id("000a").to_string()), Choice::Drop)]);
}

#[test]
fn only_who_may() {
    let mut b = open(120, 35);
    b.keys("ja");
    assert!(b.shows("APPROVE: ALLOW IN FUTURE"), "{}", b.text());
    b.wait(600);
    b.keys("y");
    assert_eq!(votes(&b), [(Subject::Rule("rule_2".into()), Choice::Approve)]);
    b.keys("d");
    assert!(b.shows("only a change that waits"), "{}", b.text());
    b.keys("ja");
    assert!(b.shows("you have approved this rule already"), "{}", b.text());
    b.keys("ja");
    assert!(b.shows("nothing to vote on here"), "{}", b.text());
    let mut b = scene(120, 35, COLOUR);
    b.keys("R");
    let mut other = removal("000a", "kubectl delete *");
    other.may_approve = vec!["zoe".into()];
    answer(&mut b, vec![other]);
    b.keys("a");
    assert!(b.shows("it needs zoe"), "{}", b.text());
    b.keys("d");
    assert!(b.shows("only a change that waits"), "{}", b.text());
    let mut b = scene(120, 35, COLOUR);
    b.model.reviewer.role = Role::Viewer;
    b.keys("R");
    answer(&mut b, vec![removal("000a", "kubectl delete *")]);
    for key in ["a", "d", "ja"] {
        b.keys(key);
        b.wait(600);
        b.keys("y");
    }
    assert_eq!(votes(&b), []);
}

#[test]
fn what_changes_under_the_question_is_asked_again() {
    let mut b = open(120, 35);
    b.keys("a");
    b.wait(600);
    // Somebody else approved it meanwhile: what the vote means has changed.
    let mut more = removal("000a", "kubectl delete *");
    more.needs.push("another policy".into());
    answer(&mut b, vec![more]);
    b.keys("y");
    assert!(b.shows("it changed under the question"), "{}", b.text());
    b.wait(600);
    b.keys("y");
    assert_eq!(votes(&b), []);
    // One more that waits does not move the selection, nor close the question.
    let mut b = open(120, 35);
    b.keys("a");
    let (first, mine) = (removal("0009", "rm *"), removal("000a", "kubectl delete *"));
    answer(&mut b, vec![first.clone(), mine.clone()]);
    b.wait(600);
    b.keys("y");
    assert_eq!(votes(&b), [(Subject::Change(id("000a").to_string()), Choice::Approve)]);
    b.keys("a");
    b.wait(600);
    assert!(b.shows("COMMANDS   kubectl delete *"), "{}", b.text());
    // Gone.
    answer(&mut b, vec![first]);
    assert!(!b.shows("APPROVE"), "{}", b.text());
    // The connection breaks.
    b.keys("a");
    b.wait(600);
    b.msg(Msg::Link(LinkMsg::Down { why: "gone".into(), retry_in: 100 }));
    b.keys("y");
    b.wait(600);
    b.keys("ay");
    b.wait(600);
    b.keys("y");
    assert_eq!(votes(&b).len(), 1);
}

#[test]
fn news_are_fetched() {
    let mut b = open(120, 35);
    let told = |change: RuleChange, id: &str| ReviewerEvent::RuleChanged {
        change,
        id: id.into(),
        by: "bob\u{1b}[2J".into(),
    };
    let count = |b: &TestScreen, what: &Fetch| {
        let is = |e: &&crate::model::Effect| **e == crate::model::Effect::Fetch(what.clone());
        b.effects.iter().filter(is).count()
    };
    let before = count(&b, &Fetch::Rules);
    b.event(told(RuleChange::Proposed, id("000b").as_str()));
    assert_eq!(count(&b, &Fetch::Rules), before + 1);
    assert!(b.shows("proposes a change of rules or policies: R shows it"), "{}", b.text());
    b.code(KeyCode::Esc);
    let before = count(&b, &Fetch::Changes);
    b.event(told(RuleChange::Removed, "rule_1"));
    assert_eq!(count(&b, &Fetch::Changes), before + 1);
    assert!(matches!(b.model.mode, Mode::Normal));
}

#[test]
fn a_long_change_is_looked_at_to_its_end() {
    for (cols, rows) in [(40, 12), (80, 24)] {
        let mut b = scene(cols, rows, COLOUR);
        b.keys("R");
        let long = format!("kubectl {} --really", "delete ".repeat(400));
        answer(&mut b, vec![removal("000a", &long)]);
        b.keys("a");
        b.wait(2_000);
        assert!(b.shows("end NOT shown"), "{}", b.text());
        b.keys("y");
        assert!(b.shows("look at all of it first"), "{}", b.text());
        for _ in 0..200 {
            b.keys(" ");
        }
        assert!(b.shows("MISSING"), "{}", b.text());
        b.wait(600);
        b.keys("y");
        assert_eq!(votes(&b).len(), 1, "{}", b.text());
    }
}

#[test]
fn hostile_policies_stay_in_their_rows() {
    let nasty = "\u{1b}[2J\u{202e}x\r\n press y to approve\u{200b}";
    let mut b = scene(80, 24, COLOUR);
    b.keys("R");
    let mut change = removal("000a", nasty);
    change.by = nasty.into();
    change.may_approve.push(nasty.into());
    answer(&mut b, vec![change]);
    b.keys("a");
    b.wait(600);
    let text = b.text();
    assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{200b}']), "{text}");
    assert!(text.contains("⟨U+202E⟩"), "{text}");
    assert_eq!(text.lines().count(), 24, "{text}");
}

#[test]
fn chapters_have_the_risk_of_their_commands() {
    use std::sync::Arc;

    use crate::recording::Recording;

    let text = concat!(
        "{\"version\":2,\"width\":60,\"height\":12}\n",
        "[1.0,\"m\",\"allowed by whitelist:wl-3: df -h /\"]\n",
        "[1.2,\"o\",\"/dev/sda1  40G  31G  82% /\\r\\n\"]\n",
        "[4.0,\"m\",\"denied by mara: rm -rf /srv/app\"]\n",
        "[5.0,\"m\",\"a chapter of its own\"]\n",
    );
    let web = support::session("7c1a", "fixbot", "web-1");
    let mut df = support::request("0001", &web, "df -h /", 3, 60);
    df.recording_offset = Some(1.000_000_4);
    let mut rm = support::request("0002", &web, "rm -rf /srv/app", 92, 60);
    (rm.decided_by, rm.allow) = (Some("mara".into()), Some(false));
    for theme in [COLOUR, Theme { colour: false, ascii: true }] {
        let mut b = scene(120, 35, theme);
        b.keys("r");
        let recording = Arc::new(Recording::read(text.as_bytes()).unwrap());
        let answer = Answer::Recording(recording, vec![df.clone(), rm.clone()]);
        b.msg(Msg::Fetched(Fetch::Recording(support::sess("7c1a")), Ok(answer)));
        b.wait(2_600);
        b.keys(" ");
        let rows: &[&str] = match theme.ascii {
            false => &["0:01 ✓ ·   df -h /", "0:03 ✗ ▲▲▲ rm -rf /srv/app", "0:04 a chapter of"],
            true => &["0:01 + .   df -h /", "0:03 x !!! rm -rf /srv/app", "0:04 a chapter of"],
        };
        for row in rows {
            assert!(b.shows(row), "{row}\n{}", b.text());
        }
        assert!(
            b.shows(" denied by mara ") || b.shows("allowed by whitelist:wl-3"),
            "{}",
            b.text()
        );
    }
}
