//! Replay, lists, rule proposals, tiles.

use std::sync::Arc;

use crossterm::event::KeyCode;
use expacti_engine::{Backtest, Effect as RuleEffect, MatchKind, Rule, Scope};
use expacti_protocol::http::RuleView;
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::{ReviewerEvent, ReviewerRequest};

use super::pictures::scene;
use super::{TestScreen, request, support};
use crate::model::{Answer, Effect, Fetch, Mode, Msg, Rulebook};
use crate::propose::Candidate;
use crate::recording::Recording;
use crate::theme::Theme;

const COLOUR: Theme = Theme { colour: true, ascii: false };

pub(super) fn fetches(b: &TestScreen) -> Vec<Fetch> {
    b.effects
        .iter()
        .filter_map(|e| match e {
            Effect::Fetch(f)
                if !matches!(
                    f,
                    Fetch::SessionCommands(_) | Fetch::Sessions | Fetch::Grants | Fetch::Changes
                ) =>
            {
                Some(f.clone())
            }
            _ => None,
        })
        .collect()
}

fn recording() -> Arc<Recording> {
    let text = concat!(
        "{\"version\":2,\"width\":60,\"height\":12}\n",
        "[0.5,\"o\",\"\\u001b[32m$\\u001b[0m df -h /\\r\\n\"]\n",
        "[1.0,\"m\",\"allow LOW df -h / by whitelist:wl-3\"]\n",
        "[1.2,\"o\",\"/dev/sda1  40G  31G  82% /\\r\\n\"]\n",
        "[40.0,\"m\",\"deny HIGH find /var/log -delete by mara\"]\n",
        "[41.0,\"o\",\"expacti: command denied\\r\\n\"]\n",
    );
    Arc::new(Recording::read(text.as_bytes()).unwrap())
}

#[test]
fn a_recording_opens_when_it_is_there() {
    let mut b = scene(120, 35, COLOUR);
    b.keys("r");
    let wanted = fetches(&b);
    assert_eq!(wanted, [Fetch::Recording(support::sess("7c1a"))]);
    b.msg(Msg::Fetched(wanted[0].clone(), Ok(Answer::Recording(recording(), Vec::new()))));
    b.wait(1_300);
    b.keys(" ");
    insta::assert_snapshot!("replay", b.text());
    // Keys of the player decide nothing, and the request must be looked at again.
    b.keys("aday");
    b.keys("qa");
    assert!(b.decisions().is_empty());
    assert!(matches!(b.model.mode, Mode::Normal));
}

#[test]
fn a_recording_does_not_open_over_something_else() {
    let mut b = scene(120, 35, COLOUR);
    b.keys("r");
    let wanted = fetches(&b);
    b.keys("a");
    assert!(matches!(b.model.mode, Mode::Confirm(_)));
    b.msg(Msg::Fetched(wanted[0].clone(), Ok(Answer::Recording(recording(), Vec::new()))));
    assert!(matches!(b.model.mode, Mode::Confirm(_)));
    // One that nobody waits for any more does not open either.
    let mut b = scene(120, 35, COLOUR);
    b.msg(Msg::Fetched(wanted[0].clone(), Ok(Answer::Recording(recording(), Vec::new()))));
    assert!(matches!(b.model.mode, Mode::Normal));
}

#[test]
fn lists() {
    let mut b = scene(120, 35, COLOUR);
    b.keys("h");
    assert_eq!(fetches(&b), [Fetch::History]);
    let (_, mut commands) = support::scene();
    for c in &mut commands {
        c.decided_by = Some("mara".into());
        c.comment = Some("fine\n\u{1b}[2J".into());
        c.recording_offset = Some(40.0);
    }
    b.msg(Msg::Fetched(Fetch::History, Ok(Answer::Commands(commands))));
    insta::assert_snapshot!("history", b.text());
    b.keys("/psql\n");
    assert!(b.shows("psql -c") && !b.shows("systemctl status"), "{}", b.text());
    // From a decision to the recording, at its place.
    b.keys("r");
    let wanted = fetches(&b).pop().unwrap();
    assert_eq!(wanted, Fetch::Recording(support::sess("51de")));
    b.msg(Msg::Fetched(wanted, Ok(Answer::Recording(recording(), Vec::new()))));
    assert!(b.shows("deny HIGH find") && matches!(b.model.mode, Mode::Replay(_)), "{}", b.text());

    let mut b = scene(80, 24, COLOUR);
    b.keys("A");
    let line = r#"{"seq":7,"time":"2026-03-21T14:21:40Z","kind":"decision","decision":"deny","decided_by":"mara","command":"rm -rf /\u001b[2J","comment":"no"}"#;
    b.msg(Msg::Fetched(Fetch::Audit, Ok(Answer::Lines(vec![line.into(), "garbage".into()]))));
    insta::assert_snapshot!("audit-80x24", b.text());
    b.code(KeyCode::Esc);
    assert!(matches!(b.model.mode, Mode::Normal));
    b.keys("R");
    b.msg(Msg::Fetched(Fetch::Rules, Err("no such thing".into())));
    assert!(b.shows("not available: no such thing"), "{}", b.text());
    let rule = exact("systemctl status nginx");
    b.msg(Msg::Fetched(Fetch::Rules, Ok(Answer::Rules(book(vec![rule])))));
    assert!(b.shows("allow  exact") && b.shows("systemctl status nginx"), "{}", b.text());
}

pub(super) fn book(rules: Vec<Rule>) -> Box<Rulebook> {
    let rules = rules.into_iter().map(|rule| RuleView { rule, approvals: Vec::new() }).collect();
    Box::new(Rulebook { rules, ..Rulebook::default() })
}

pub(super) fn exact(pattern: &str) -> Rule {
    Rule {
        scope: Scope {
            target: Some("web-1".into()),
            agent: Some("fixbot".into()),
            ..Scope::default()
        },
        ..Rule::new("", MatchKind::Exact, pattern, RuleEffect::Allow)
    }
}

#[test]
fn a_rule_is_proposed_with_its_backtest() {
    let mut b = scene(120, 35, COLOUR);
    b.model.reviewer.role = Role::Owner;
    // Not for HIGH.
    b.keys("w");
    assert!(b.shows("no rule for HIGH"), "{}", b.text());
    b.keys("jjw");
    let wanted = fetches(&b).pop().unwrap();
    let candidates = vec![
        Candidate {
            rule: exact("systemctl status nginx"),
            why: "exactly this command".into(),
            backtest: Backtest { total: 214, matched: 12, ..Backtest::default() },
        },
        Candidate {
            rule: Rule { kind: MatchKind::Glob, ..exact("systemctl status *") },
            why: "5 approvals differ in one word".into(),
            backtest: Backtest {
                total: 214,
                matched: 31,
                against_people: 1,
                examples: vec!["systemctl status sshd".into()],
                contradicted: vec!["systemctl status vault".into()],
                highest: Some(expacti_engine::Level::Low),
            },
        },
    ];
    b.msg(Msg::Fetched(wanted, Ok(Answer::Candidates(candidates))));
    b.keys("jy");
    assert!(!fetches(&b).iter().any(|f| matches!(f, Fetch::AddRule(_))), "not looked at yet");
    b.wait(600);
    insta::assert_snapshot!("rule", b.text());
    b.code(KeyCode::Left);
    b.wait(600);
    b.keys("y");
    let Some(Fetch::AddRule(rule)) = fetches(&b).pop() else { panic!("no rule") };
    assert_eq!(rule.pattern, "systemctl status *");
    let now_us = b.model.clock.broker_now() * 1000;
    let left = rule.expires_at.unwrap() - now_us;
    assert!((left - 24 * 3_600_000_000).abs() < 10_000_000, "a day: {left}");
    assert!(b.decisions().is_empty(), "proposing decides nothing");
}

#[test]
fn reviewers_may_not_propose_rules() {
    let mut b = TestScreen::new(120, 35);
    b.pending(&request("0001", 10));
    b.keys("w");
    assert!(b.shows("your role may not change rules"), "{}", b.text());
}

#[test]
fn proposals_match_and_end() {
    let web = support::session("7c1a", "fixbot", "web-1");
    let view = support::request("0001", &web, "systemctl status nginx", 10, 60);
    let mut past = Vec::new();
    for i in 0..6 {
        let mut p = view.clone();
        p.id = support::cmd(&format!("{i:04}"));
        p.state = expacti_protocol::command::CommandState::Finished;
        p.decided_by = Some(if i == 5 { "whitelist:x" } else { "mara" }.into());
        p.allow = Some(i != 4);
        past.push(p);
    }
    let looks = expacti_engine::default_rules();
    let found = crate::propose::candidates(&view, &past, &looks, support::T0 * 1000);
    assert!(!found.is_empty());
    let first = &found[0];
    assert_eq!(first.rule.pattern, "systemctl status nginx");
    assert_eq!((first.backtest.total, first.backtest.against_people), (5, 1));
    assert!(found.iter().all(|c| c.rule.scope.agent.is_some() && c.rule.scope.target.is_some()));
}

#[test]
fn a_line_is_offered_the_rules_that_it_lacks() {
    let web = support::session("7c1a", "fixbot", "web-1");
    let request = |line: &str| {
        let mut view = support::request("0001", &web, line, 10, 60);
        view.shell = Some(expacti_protocol::shell::PosixShell::Bash);
        view
    };
    let offered = |line: &str, rules: &[Rule]| -> Vec<(MatchKind, String)> {
        let found = crate::propose::candidates(&request(line), &[], rules, support::T0 * 1000);
        found.into_iter().map(|found| (found.rule.kind, found.rule.pattern)).collect()
    };
    let looks = expacti_engine::default_rules();
    // What only looks is offered the one rule for all of that first.
    let line = "df -h && uptime";
    let both = [(MatchKind::Looks, "looks".to_owned()), (MatchKind::Exact, line.to_owned())];
    assert_eq!(offered(line, &[]), both);
    assert_eq!(offered(line, &looks), both[1..]);
    let line = "df -h && systemctl restart nginx";
    let both = [
        (MatchKind::Exact, line.to_owned()),
        (MatchKind::Glob, "systemctl restart nginx".to_owned()),
    ];
    assert_eq!(offered(line, &looks), both);
    assert_eq!(offered(line, &[]), both[..1]);
}

#[test]
fn further_uploads_are_one_rule() {
    let web = support::session("7c1a", "fixbot", "web-1");
    let upload = |id: &str, path: &str| {
        let text = format!("sftp write {path}: 9 B, sha256 ab, new file mode 0644");
        let mut view = support::request(id, &web, &text, 20, 60);
        view.kind = expacti_protocol::command::ItemKind::File;
        view
    };
    let past: Vec<_> = (0..4)
        .map(|n| {
            let mut past = upload(&format!("{n:04}"), &format!("/srv/app/{n}.txt"));
            past.state = expacti_protocol::command::CommandState::Finished;
            (past.decided_by, past.allow) = (Some("mara".into()), Some(true));
            past
        })
        .collect();
    for past in [&past[..], &[]] {
        let found = crate::propose::candidates(
            &upload("0009", "/srv/app/a.txt"),
            past,
            &[],
            support::T0 * 1000,
        );
        let first = found.first().map(|c| (c.rule.pattern.as_str(), c.why.as_str()));
        let (pattern, why) = first.unwrap_or_default();
        assert_eq!(pattern, "sftp write /srv/app/*: **");
        assert!(why.starts_with("this and further uploads below /srv/app, by fixbot as "));
        let scoped = |c: &crate::propose::Candidate| {
            c.rule.scope.agent.is_some() && c.rule.scope.target.is_some()
        };
        assert!(found.iter().all(scoped));
    }
    // What is guarded gets no rule for its directory.
    let found =
        crate::propose::candidates(&upload("0009", "/srv/app/.env"), &[], &[], support::T0 * 1000);
    assert!(found.iter().all(|c| !c.rule.pattern.contains('*')), "{found:?}");
    assert_eq!(
        (
            crate::propose::default_lifetime(expacti_protocol::command::ItemKind::File),
            crate::propose::default_lifetime(expacti_protocol::command::ItemKind::Exec)
        ),
        (0, 3)
    );
}

#[test]
fn tiles_show_several_sessions_and_decide_nothing() {
    let mut b = scene(120, 35, COLOUR);
    for id in ["000a", "000b", "000c"] {
        b.event(ReviewerEvent::SessionOpened(Box::new(support::session(id, "bot", "db-9"))));
    }
    b.keys("t");
    b.wait(600);
    assert_eq!(b.model.watching.terminals.len(), 5);
    assert!(!b.shows("a allow") && !b.shows("d deny"), "{}", b.text());
    insta::assert_snapshot!("tiles", b.text());
    b.keys("a");
    assert!(b.decisions().is_empty(), "the request is not on the screen");
    b.code(KeyCode::Esc);
    b.wait(600);
    assert_eq!(b.model.watching.terminals.len(), 1);
    let unwatched = b
        .effects
        .iter()
        .filter(|e| matches!(e, Effect::Send(ReviewerRequest::Unwatch { .. })))
        .count();
    assert_eq!(unwatched, 4);
}

#[test]
fn pausing_asks_first() {
    let mut b = scene(120, 35, COLOUR);
    b.keys("p");
    b.wait(600);
    assert!(b.shows("PAUSE SESSION 7c1a"), "{}", b.text());
    b.keys("y");
    assert_eq!(fetches(&b), [Fetch::Pause(support::sess("7c1a"))]);
}

#[test]
fn closed_questions_leave_no_trace() {
    let mut b = scene(120, 35, COLOUR);
    let before = b.text();
    for keys in ["h", "R", "A", "?", "/", "D", "K", "p", "t"] {
        b.keys(keys);
        b.code(KeyCode::Esc);
        b.wait(100);
        b.model.hint = None;
        b.draw();
        assert!(matches!(b.model.mode, Mode::Normal), "{keys}");
    }
    let after = b.text();
    let command = "find /var/log -name '*.gz' -mtime +30 -delete";
    assert!(before.contains(command) && after.contains(command), "{after}");
}

#[test]
fn sessions_of_the_past_can_be_replayed() {
    let mut b = scene(120, 35, COLOUR);
    let asked = b.effects.iter().filter(|e| **e == Effect::Fetch(Fetch::Sessions)).count();
    assert_eq!(asked, 1);
    let mut old = support::session("00aa", "oldbot", "db-1");
    old.closed_at = Some(support::T0 / 1000 - 500);
    let open = support::session("00bb", "stale", "db-1");
    b.msg(Msg::Fetched(Fetch::Sessions, Ok(Answer::Sessions(vec![old, open]))));
    assert!(b.shows("oldbot") && !b.shows("stale"), "{}", b.text());
    assert_eq!(b.selected(), "8f21");
}
