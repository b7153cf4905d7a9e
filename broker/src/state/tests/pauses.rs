//! A pause holds for the agent on the machine, until somebody lets it go on who may.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use expacti_protocol::command::CommandState;
use expacti_protocol::ids::SessionId;
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::ErrorCode;

use super::items::add;
use super::scope::{open, set, target};
use super::world::*;
use crate::state::{Loaded, Peer, Refusal, Write};

fn pause(w: &mut World, by: &Peer, id: &SessionId, paused: bool) -> Result<bool, Refusal> {
    w.run(|l, now| l.pause(by, id, paused, now)).map(|view| view.paused)
}

/// Whether `uptime`, which a rule allows, is held; and whether the session says so.
fn held(w: &mut World, session: &SessionId) -> bool {
    let id = w.submit(session, "uptime");
    let held = w.state.commands.get(&id).unwrap().view.state == CommandState::Pending;
    let shown = w.state.sessions.get(session).unwrap().view.paused;
    assert_eq!(held, shown, "the screen says what is");
    held
}

fn world() -> (World, Peer, Peer) {
    let mut w = World::new();
    let ann = add(&mut w, "ann", Role::Admin);
    let boss = add(&mut w, "boss", Role::Admin);
    w.run(|l, now| l.add_rule(&ann, rule("uptime"), now)).unwrap();
    (w, ann, boss)
}

#[test]
fn an_agent_gets_rid_of_a_pause_by_no_other_way_to_the_machine() {
    let (mut w, ann, _) = world();
    set(&mut w, &ann, &target("alias", "db.example", 1, &[])).unwrap();
    let first = open(&mut w, "prod", "10.0.0.1", Some(1), "deploy");
    let beside = open(&mut w, "prod", "10.0.0.1", Some(1), "root");
    let elsewhere = open(&mut w, "dev", "10.0.0.2", Some(2), "deploy");
    assert!(pause(&mut w, &ann, &first, true).unwrap());
    assert!(held(&mut w, &first) && held(&mut w, &beside) && !held(&mut w, &elsewhere));
    let ways = [
        ("prod", "10.9.9.9", None, "deploy"),
        ("x", "10.0.0.1", None, "deploy"),
        ("x", "else.example", Some(1), "deploy"),
        ("alias", "db.example", Some(1), "deploy"),
        ("prod", "10.0.0.1", Some(1), "postgres"),
    ];
    for (name, host, key, user) in ways {
        let again = open(&mut w, name, host, key, user);
        assert!(held(&mut w, &again), "{name} {host} {key:?} {user}");
    }
    // Letting one go on lets the agent go on there.
    assert!(!pause(&mut w, &ann, &beside, false).unwrap());
    assert!(!held(&mut w, &first) && !held(&mut w, &beside));
}

#[test]
fn whoever_stands_behind_an_agent_makes_no_pause_their_own() {
    let (mut w, ann, boss) = world();
    let session = open(&mut w, "prod", "10.0.0.1", Some(1), "deploy");
    pause(&mut w, &ann, &session, true).unwrap();
    // Pausing it once more, here or by another name, does not make it theirs.
    pause(&mut w, &boss, &session, true).unwrap();
    let other = open(&mut w, "x", "10.0.0.1", Some(1), "deploy");
    pause(&mut w, &boss, &other, true).unwrap();
    for session in [&session, &other] {
        let refused = pause(&mut w, &boss, session, false).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NotEntitled);
        assert!(refused.message.contains("ann paused it"), "{}", refused.message);
        assert!(held(&mut w, session));
    }
    // Nor when the one who paused it has gone.
    let root = peer("root", Role::Owner);
    w.run(|l, now| l.remove_principal(&root, "ann", now)).unwrap();
    assert_eq!(code(pause(&mut w, &boss, &session, false)), ErrorCode::NotEntitled);
    assert!(!pause(&mut w, &root, &session, false).unwrap());
}

#[test]
fn a_pause_is_there_after_the_broker_starts_anew() {
    let (mut w, ann, _) = world();
    let session = open(&mut w, "prod", "10.0.0.1", Some(1), "deploy");
    pause(&mut w, &ann, &session, true).unwrap();
    let kept = w.disk.iter().rev().find_map(|write| match write {
        Write::Pause { body: Some(body), .. } => Some(serde_json::from_str(body.as_str()).unwrap()),
        _ => None,
    });
    let mut w = World::with(Loaded { pauses: vec![kept.unwrap()], ..Loaded::default() });
    let root = peer("root", Role::Owner);
    w.run(|l, now| l.add_rule(&root, rule("uptime"), now)).unwrap();
    let again = open(&mut w, "prod", "10.0.0.1", Some(1), "deploy");
    assert!(held(&mut w, &again));
    assert!(!pause(&mut w, &root, &again, false).unwrap() && !held(&mut w, &again));
    assert!(w.disk.iter().any(|write| matches!(write, Write::Pause { body: None, .. })));
}

#[test]
fn a_pause_that_is_not_on_disk_is_none() {
    let (mut w, ann, _) = world();
    let session = open(&mut w, "prod", "10.0.0.1", Some(1), "deploy");
    let now = w.now;
    w.state.job(|state| state.pause(&ann, &session, true, now)).unwrap();
    w.settle(false);
    assert!(!held(&mut w, &session));
}
