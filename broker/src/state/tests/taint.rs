//! What an approved line may leave behind, and rules that allow on a condition which the gate checks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use expacti_engine::{MatchKind, Rule};
use expacti_protocol::command::{CommandState, Submission};
use expacti_protocol::gate::GateEvent;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::{DecisionMessage, ErrorCode};
use expacti_protocol::session::SessionInfo;
use expacti_protocol::shell::PosixShell;

use super::items::{add, quorum, view};
use super::world::*;
use crate::state::{Peer, Write};

const LOOKS: &str = "ls -la";
const CHANGES: &str = "python3 x.py";

fn owner() -> Peer {
    peer("root", Role::Owner)
}

fn add_rule(w: &mut World, kind: MatchKind, pattern: &str, lasts: Option<i64>) -> String {
    let expires_at = lasts.map(|lasts| w.now.micros + lasts);
    let rule = Rule { kind, expires_at, ..rule(pattern) };
    w.run(|state, now| state.add_rule(&owner(), rule, now)).unwrap().rule.id
}

fn state_of(w: &mut World, session: &SessionId, command: &str) -> CommandState {
    let id = w.submit(session, command);
    w.state.commands.get(&id).map_or(CommandState::Released, |open| open.view.state)
}

/// Whether what only looks needs nobody now.
fn trusted(w: &mut World, session: &SessionId) -> bool {
    state_of(w, session, LOOKS) != CommandState::Pending
}

fn allow(w: &mut World, session: &SessionId, command: &str, trust: bool) -> CommandId {
    let id = w.submit(session, command);
    let message = DecisionMessage { trust, ..message(&id, true) };
    w.run(|state, now| state.decide(&owner(), &message, now)).unwrap();
    w.release(&id, session, command).unwrap();
    id
}

fn entries_of(w: &World, kind: &str) -> usize {
    let kind = format!(r#""kind":"{kind}""#);
    let is_one =
        |write: &&Write| matches!(write, Write::Audit { line, .. } if line.contains(&kind));
    w.disk.iter().filter(is_one).count()
}

#[test]
fn an_approved_line_taints_until_a_reviewer_trusts_again() {
    let mut w = World::new();
    let session = w.session();
    add_rule(&mut w, MatchKind::Looks, "looks", None);
    assert!(trusted(&mut w, &session));
    let id = w.submit(&session, CHANGES);
    assert!(view(&w, &id).taints.is_some());
    let message = message(&id, true);
    w.run(|state, now| state.decide(&owner(), &message, now)).unwrap();
    assert!(trusted(&mut w, &session), "nothing has run yet");
    w.release(&id, &session, CHANGES).unwrap();
    assert!(!trusted(&mut w, &session));
    let other = w.session();
    let asked = w.submit(&other, LOOKS);
    let why = view(&w, &asked).rule_why;
    assert!(why.contains(&format!("asked because {id} `{CHANGES}`")), "{why}");
    assert!(view(&w, &asked).tainted.is_some());
    assert_eq!(entries_of(&w, "tainted"), 1);

    // Another account, and the same one by another name.
    let named = |w: &mut World, target: &str, user: &str, host: &str| {
        let info = SessionInfo {
            agent: "bot".into(),
            target: target.into(),
            user: user.into(),
            host: host.into(),
            host_key: Some("SHA256:x".into()),
            ..SessionInfo::default()
        };
        w.run(|state, now| state.open_session(GATE, info, now)).unwrap()
    };
    let elsewhere = named(&mut w, "web-2", "deploy", "10.0.0.2");
    assert!(trusted(&mut w, &elsewhere));
    let someone = named(&mut w, "web-1", "other", "");
    assert!(trusted(&mut w, &someone));
    allow(&mut w, &elsewhere, CHANGES, false);
    let alias = named(&mut w, "web-2.example.org", "deploy", "10.9.9.9");
    assert!(!trusted(&mut w, &alias), "the same host key");

    // What root ran concerns everybody there.
    let root = named(&mut w, "web-3", "root", "10.0.0.3");
    allow(&mut w, &root, CHANGES, false);
    let deploy = named(&mut w, "web-3", "nobody", "10.0.0.3");
    assert!(!trusted(&mut w, &deploy));

    let viewer = add(&mut w, "vera", Role::Viewer);
    let refused = w.run(|s, now| s.clear_taints(&viewer, "web-1", None, now));
    assert_eq!(code(refused), ErrorCode::NotEntitled);
    let boss = add(&mut w, "boss", Role::Reviewer);
    let refused = w.run(|s, now| s.clear_taints(&boss, "web-1", None, now));
    assert_eq!(code(refused), ErrorCode::NotEntitled, "who answers for the agent");
    let refused = w.run(|s, now| s.clear_taints(&owner(), "web-1", Some("x"), now));
    assert_eq!(code(refused), ErrorCode::NotFound);
    w.run(|s, now| s.clear_taints(&owner(), "web-1", Some("deploy"), now)).unwrap();
    assert!(trusted(&mut w, &session));
    assert_eq!(entries_of(&w, "taint_cleared"), 1);
}

#[test]
fn an_allow_can_go_on_trusting() {
    let mut w = World::new();
    let session = w.session();
    add_rule(&mut w, MatchKind::Looks, "looks", None);
    allow(&mut w, &session, CHANGES, true);
    assert!(trusted(&mut w, &session));
    assert_eq!(entries_of(&w, "tainted"), 0);
    allow(&mut w, &session, CHANGES, false);
    assert!(!trusted(&mut w, &session));
    // The key that allows what is asked again clears it.
    allow(&mut w, &session, LOOKS, true);
    assert!(trusted(&mut w, &session));
    let id = w.submit(&session, CHANGES);
    let message = DecisionMessage { trust: true, ..message(&id, false) };
    let refused = w.run(|state, now| state.decide(&owner(), &message, now));
    assert_eq!(code(refused), ErrorCode::Invalid, "a denial trusts nothing");
}

#[test]
fn of_several_approvers_all_must_trust() {
    let mut w = World::new();
    let session = w.session();
    add_rule(&mut w, MatchKind::Looks, "looks", None);
    let (alice, carol) =
        (add(&mut w, "alice", Role::Reviewer), add(&mut w, "carol", Role::Reviewer));
    let policy =
        expacti_engine::Policy { pattern: "python3 **".into(), ..quorum(2, &["alice", "carol"]) };
    w.run(|state, now| state.add_policy(&owner(), policy, now)).unwrap();
    for (first, second, trusts) in [(true, false, false), (false, true, false), (true, true, true)]
    {
        let id = w.submit(&session, CHANGES);
        for (by, trust) in [(&alice, first), (&carol, second)] {
            let message = DecisionMessage { trust, ..message(&id, true) };
            w.run(|state, now| state.decide(by, &message, now)).unwrap();
        }
        w.release(&id, &session, CHANGES).unwrap();
        assert_eq!(trusted(&mut w, &session), trusts);
    }
}

#[test]
fn what_a_rule_lets_pass_counts_when_the_rule_has_ended() {
    let mut w = World::new();
    let session = w.session();
    add_rule(&mut w, MatchKind::Looks, "looks", None);
    let exact = add_rule(&mut w, MatchKind::Exact, CHANGES, None);
    let id = w.submit(&session, CHANGES);
    assert_eq!(view(&w, &id).state, CommandState::Released);
    assert_eq!(entries_of(&w, "tainted"), 1);
    assert!(trusted(&mut w, &session));
    let again = w.submit(&session, CHANGES);
    assert_eq!(view(&w, &again).state, CommandState::Released);
    assert_eq!(entries_of(&w, "tainted"), 1, "once for a rule");
    w.run(|state, now| state.remove_rule(&owner(), &exact, now)).unwrap();
    assert!(!trusted(&mut w, &session));
}

#[test]
fn where_no_rule_trusts_anything_nothing_is_tainted() {
    let mut w = World::new();
    let session = w.session();
    allow(&mut w, &session, CHANGES, false);
    assert_eq!(entries_of(&w, "tainted"), 0);
    add_rule(&mut w, MatchKind::Looks, "looks", None);
    assert!(trusted(&mut w, &session), "whoever adds the rule trusts what is there");
}

#[test]
fn nothing_is_tainted_that_is_not_on_disk() {
    let mut w = World::new();
    let session = w.session();
    add_rule(&mut w, MatchKind::Looks, "looks", None);
    let id = w.submit(&session, CHANGES);
    w.decide(&owner(), &id, true).unwrap();
    let now = w.now;
    let digest = expacti_protocol::digest::Digest::of(CHANGES.as_bytes());
    w.state.job(|state| state.release(GATE, &id, &session, (digest, None), now)).unwrap();
    w.settle(false);
    assert!(trusted(&mut w, &session));
    w.release(&id, &session, CHANGES).unwrap();
    assert!(!trusted(&mut w, &session));
    let kept = w.disk.iter().any(|write| matches!(write, Write::Taint { body: Some(_), .. }));
    assert!(kept, "it survives a restart");
}

#[test]
fn a_work_rule_is_for_gates_that_look_and_names_what_they_must_look_at() {
    let mut w = World::new();
    let session = w.session();
    add_rule(&mut w, MatchKind::Work, "work '/srv/app'", Some(60_000_000));
    let line = "touch /srv/app/x";
    let send = |w: &mut World, resolves_paths: bool| {
        let shell = Some(PosixShell::Bash);
        let s = Submission { resolves_paths, shell, ..submission(&session, line) };
        match w.run(|state, now| state.submit(GATE, 1, s, now)) {
            Ok(GateEvent::Submitted { id, .. }) => id,
            other => panic!("{other:?}"),
        }
    };
    let asked = send(&mut w, false);
    assert_eq!(view(&w, &asked).state, CommandState::Pending);
    // A person who allows it allows the line as it is.
    w.decide(&owner(), &asked, true).unwrap();
    assert!(w.decisions().last().unwrap().beneath.is_empty());

    let id = send(&mut w, true);
    assert_eq!(view(&w, &id).state, CommandState::Allowed, "not released before the look");
    let decision = w.decisions().last().cloned().cloned().unwrap();
    assert!(decision.allow && !decision.released);
    assert_eq!(decision.beneath[0].directory, "/srv/app");
    assert_eq!(decision.beneath[0].paths, ["/srv/app/x"]);
    w.release(&id, &session, line).unwrap();

    let endless = Rule { kind: MatchKind::Work, ..rule("work '/srv/app'") };
    let refused = w.run(|state, now| state.add_rule(&owner(), endless.clone(), now));
    assert_eq!(code(refused), ErrorCode::Invalid);
    let days = Rule { expires_at: Some(w.now.micros + 2 * 86_400_000_000), ..endless };
    let refused = w.run(|state, now| state.add_rule(&owner(), days, now));
    assert_eq!(code(refused), ErrorCode::Invalid);
}
