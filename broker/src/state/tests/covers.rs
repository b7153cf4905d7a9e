//! A rule covers a terminal and standard input only if it says so, and whoever approved it without has
//! not approved it with.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use expacti_engine::{Effect, MatchKind, Rule, StdinCover};
use expacti_protocol::command::{CommandState, ItemKind};
use expacti_protocol::gate::GateEvent;
use expacti_protocol::http::{RuleCover, RuleView};
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::ErrorCode;
use expacti_protocol::session::Pty;

use super::world::*;
use crate::state::{Loaded, State, Write};

fn view(id: &str, rule: Rule) -> RuleView {
    RuleView { rule: Rule { id: id.into(), ..rule }, approvals: Vec::new() }
}

fn cover(terminal: bool, stdin: Option<StdinCover>) -> RuleCover {
    RuleCover { terminal, stdin }
}

#[test]
fn a_terminal_is_asked_about_until_the_rule_covers_it() {
    let mut w = World::new();
    let owner = peer("root", Role::Owner);
    let rule = w.run(|state, now| state.add_rule(&owner, rule("uptime"), now)).unwrap().rule;
    let session = w.session();
    let state_of = |w: &mut World, pty: bool, kind: ItemKind| {
        let pty = pty.then(|| Pty { term: "xterm".into(), cols: 80, rows: 24 });
        let submission =
            expacti_protocol::command::Submission { pty, kind, ..submission(&session, "uptime") };
        match w.run(|state, now| state.submit(GATE, 1, submission, now)).unwrap() {
            GateEvent::Submitted { id, state, .. } => (id, state),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(state_of(&mut w, false, ItemKind::Exec).1, CommandState::Released);
    let (id, held) = state_of(&mut w, true, ItemKind::Exec);
    assert_eq!(held, CommandState::Pending);
    let why = w.state.commands.get(&id).unwrap().view.rule_why.clone();
    assert!(why.contains(&format!("expacti rules cover {} --terminal", rule.id)), "{why}");
    w.run(|s, now| s.cover_rule(&owner, &rule.id, cover(true, None), now)).unwrap();
    assert_eq!(state_of(&mut w, true, ItemKind::Exec).1, CommandState::Released);
    let widened = w.disk.iter().filter(|write| match write {
        Write::Audit { line, .. } => line.contains(r#""kind":"rule_widened""#),
        _ => false,
    });
    assert_eq!(widened.count(), 1);
}

#[test]
fn widening_a_rule_is_adding_one() {
    let mut w = World::new();
    let owner = peer("root", Role::Owner);
    let tar = Rule { kind: MatchKind::Glob, ..rule("tar -xf - -C /srv/app") };
    let id = w.run(|state, now| state.add_rule(&owner, tar, now)).unwrap().rule.id;
    w.run(|state, now| state.approve_rule(&peer("bob", Role::Reviewer), &id, now)).unwrap();
    let any = Some(StdinCover::Any);
    let refused = |w: &mut World, by, id: &str, cover| {
        code(w.run(|state: &mut State, now| state.cover_rule(&by, id, cover, now)))
    };
    let not_entitled = refused(&mut w, peer("bob", Role::Reviewer), &id, cover(true, None));
    assert_eq!(not_entitled, ErrorCode::NotEntitled);
    let inside = crate::state::Peer { inside_wrap: true, ..owner.clone() };
    assert_eq!(refused(&mut w, inside, &id, cover(true, None)), ErrorCode::NotEntitled);
    assert_eq!(refused(&mut w, owner.clone(), &id, cover(false, None)), ErrorCode::Invalid);
    assert_eq!(refused(&mut w, owner.clone(), "rule_x", cover(true, None)), ErrorCode::NotFound);
    let widened =
        w.run(|s, now| s.cover_rule(&owner, &id, cover(false, any.clone()), now)).unwrap();
    assert_eq!(widened.rule.stdin, any);
    let by: Vec<&str> = widened.approvals.iter().map(|approval| approval.by.as_str()).collect();
    assert_eq!(by, ["root"], "bob has not approved this");

    // What was refused did not happen.
    for (pattern, effect, refused_cover) in [
        ("python3 -", Effect::Allow, cover(false, any.clone())),
        ("rm x", Effect::Deny, cover(true, None)),
    ] {
        let rule = Rule { effect, ..rule(pattern) };
        let id = w.run(|state, now| state.add_rule(&owner, rule, now)).unwrap().rule.id;
        assert_eq!(refused(&mut w, owner.clone(), &id, refused_cover), ErrorCode::Invalid);
        let kept = w.state.rules.get(&id).unwrap();
        assert!(!kept.rule.terminal && kept.rule.stdin.is_none(), "{pattern}");
    }
}

#[test]
fn rules_of_before_are_named_until_somebody_was_told() {
    let owner = peer("root", Role::Owner);
    let glob = |pattern: &str| Rule { kind: MatchKind::Glob, ..rule(pattern) };
    let rules = vec![
        view("a", rule("uptime")),
        view("b", glob("tar -xf - -C *")),
        view("c", rule("python3 -")),
        view("d", Rule { effect: Effect::Deny, ..rule("rm x") }),
        view("e", glob("sftp write /srv/app/*: **")),
        view("f", rule("ls")),
    ];
    let earlier_rules = rules.iter().take(5).map(|view| view.rule.id.clone()).collect();
    let mut w = World::with(Loaded { rules, earlier_rules, ..Loaded::default() });
    let named = |w: &World| -> Vec<(String, String)> {
        let mut all: Vec<_> =
            w.state.earlier_rules().into_iter().map(|e| (e.rule.id, e.options)).collect();
        all.sort();
        all
    };
    let options = [
        ("a", "--terminal"),
        ("b", "--terminal --stdin"),
        ("c", "--terminal --stdin-sha256 DIGEST"),
    ];
    let options = options.map(|(id, options)| (id.to_owned(), options.to_owned()));
    assert_eq!(named(&w), options);
    let reviewer = peer("bob", Role::Reviewer);
    let refused = w.run(|state, _| state.told_earlier_rules(&reviewer));
    assert_eq!(code(refused), ErrorCode::NotEntitled);
    // One that was widened needs no word.
    w.run(|s, now| s.cover_rule(&owner, "a", cover(true, None), now)).unwrap();
    assert_eq!(named(&w), options[1..]);
    w.run(|state, _| state.told_earlier_rules(&owner)).unwrap();
    assert!(named(&w).is_empty());
    let forgotten = w.disk.iter().filter(|write| matches!(write, Write::EarlierRule { .. }));
    assert_eq!(forgotten.count(), 5);
}
