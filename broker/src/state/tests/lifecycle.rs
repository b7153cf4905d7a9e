//! A command is released at most once, only after an allow by somebody entitled, and never after its
//! deadline, withdrawal or denial.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::atomic::Ordering;
use std::time::Duration;

use expacti_engine::{MatchKind, Policy, PolicyKind, Rule};
use expacti_protocol::command::{CommandState, CommandView, ItemKind, Outcome};
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::GateEvent;
use expacti_protocol::http::NewPrincipal;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::{DecisionMessage, ErrorCode};
use expacti_protocol::session::SessionInfo;
use expacti_protocol::uplink::Isolation;
use serde_json::{Value, json};

use super::items::quorum;
use super::world::*;
use crate::state::holder::Holder;
use crate::state::release::RELEASE_WINDOW;
use crate::state::{GateId, Loaded, Peer, Write};

#[test]
fn a_command_is_allowed_released_and_finished_once() {
    let mut w = World::new();
    let session = w.session();
    let id = w.submit(&session, "uname -a");
    let alice = peer("alice", Role::Reviewer);
    assert_eq!(code(w.release(&id, &session, "uname -a")), ErrorCode::TooLate, "not decided yet");
    assert_eq!(w.decide(&alice, &id, true).unwrap(), CommandState::Allowed);
    assert_eq!(code(w.decide(&alice, &id, false)), ErrorCode::TooLate);
    assert_eq!(code(w.release(&id, &session, "uname -r")), ErrorCode::Mismatch);
    assert_eq!(code(w.release(&id, &SessionId::new(), "uname -a")), ErrorCode::NotEntitled);
    w.release(&id, &session, "uname -a").unwrap();
    assert_eq!(code(w.release(&id, &session, "uname -a")), ErrorCode::TooLate);
    let outcome = Outcome { exit_status: Some(0), ..Outcome::default() };
    w.run(|state, now| state.finished(GATE, &id, (outcome, None), now)).unwrap();
    let kinds: Vec<_> = w.entries()[id.as_str()].iter().map(|(k, _)| k.clone()).collect();
    assert_eq!(kinds, ["command_submitted", "decision", "released", "finished"]);
}

#[test]
fn the_log_says_what_kept_a_program_from_going_round_the_gate() {
    let mut w = World::new();
    for (isolation, with, expected) in [
        (Some(Isolation::PathOnly), vec!["docker"], json!(["path-only", ["docker"]])),
        (Some(Isolation::Namespace), vec![], json!(["namespace", null])),
        (None, vec![], json!([null, null])),
    ] {
        let with = with.into_iter().map(str::to_owned).collect();
        let info = SessionInfo { isolation, with, ..SessionInfo::default() };
        w.run(|state, now| state.open_session(GATE, info, now)).unwrap();
        let opened = w.disk.iter().rev().find_map(|write| match write {
            Write::Audit { line, .. } => Some(line.clone()),
            _ => None,
        });
        let entry: Value = serde_json::from_str(&opened.unwrap()).unwrap();
        assert_eq!(entry["kind"], "session_opened");
        assert_eq!(json!([entry["isolation"], entry["with"]]), expected);
    }
}

#[test]
fn who_may_decide() {
    let mut w = World::new();
    let session = w.session();
    let id = w.submit(&session, "id");
    let wrapped = Peer { inside_wrap: true, ..peer("root", Role::Owner) };
    for nobody in [
        peer("bot", Role::Reviewer),
        peer("boss", Role::Admin),
        peer("v", Role::Viewer),
        peer("g", Role::Gate),
        peer("a", Role::Agent),
        wrapped,
    ] {
        assert_eq!(code(w.decide(&nobody, &id, true)), ErrorCode::NotEntitled, "{nobody:?}");
        assert_eq!(code(w.decide(&nobody, &id, false)), ErrorCode::NotEntitled, "{nobody:?}");
    }
    let other = DecisionMessage { sha256: Some(Digest::of(b"other")), ..message(&id, true) };
    let alice = peer("alice", Role::Reviewer);
    assert_eq!(code(w.run(|l, now| l.decide(&alice, &other, now))), ErrorCode::Mismatch);
    let future = DecisionMessage { revision: Some(99), ..message(&id, true) };
    assert_eq!(code(w.run(|l, now| l.decide(&alice, &future, now))), ErrorCode::Mismatch);
    assert_eq!(code(w.decide(&alice, &CommandId::new(), true)), ErrorCode::NotFound);
    w.decide(&alice, &id, true).unwrap();
}

#[test]
fn the_deadline_holds_even_when_the_timer_is_late() {
    let mut w = World::new();
    let session = w.session();
    let id = w.submit(&session, "id");
    // The wall clock jumps back a day: the deadline does not move.
    w.now.micros -= 86_400_000_000;
    w.now.mono += Duration::from_secs(60);
    assert_eq!(code(w.decide(&peer("alice", Role::Reviewer), &id, true)), ErrorCode::TooLate);
    assert_eq!(w.tick(), []);
    let entries = w.entries();
    let (kind, entry) = entries[id.as_str()].last().unwrap();
    assert_eq!((kind.as_str(), entry["decided_by"].as_str()), ("decision", Some("system:timeout")));
    assert!(w.state.next_deadline().is_none());
}

#[test]
fn an_approval_does_not_lie_around() {
    let mut w = World::new();
    let session = w.session();
    let id = w.submit(&session, "id");
    w.decide(&peer("alice", Role::Reviewer), &id, true).unwrap();
    w.pass(RELEASE_WINDOW);
    assert_eq!(code(w.release(&id, &session, "id")), ErrorCode::TooLate);
    assert_eq!(w.tick(), []);
    assert_eq!(code(w.release(&id, &session, "id")), ErrorCode::NotFound);
}

#[test]
fn quorum_counts_people_and_one_deny_denies() {
    let mut w = World::new();
    let policy = Policy {
        kind: PolicyKind::Quorum,
        min: 2,
        group: vec!["alice".into(), "bob".into(), "carol".into()],
        ..Policy::any("", "*")
    };
    w.run(|l, now| l.add_policy(&peer("root", Role::Owner), policy, now)).unwrap();
    let session = w.session();
    let (alice, bob) = (peer("alice", Role::Reviewer), peer("bob", Role::Reviewer));
    let id = w.submit(&session, "id");
    assert_eq!(w.decide(&alice, &id, true).unwrap(), CommandState::Pending);
    assert_eq!(code(w.decide(&alice, &id, true)), ErrorCode::AlreadyVoted, "one vote a person");
    let eve = peer("eve", Role::Reviewer);
    assert_eq!(code(w.decide(&eve, &id, true)), ErrorCode::NotEntitled, "not of the group");
    assert_eq!(w.decide(&bob, &id, true).unwrap(), CommandState::Allowed);
    let id = w.submit(&session, "id -u");
    w.decide(&alice, &id, true).unwrap();
    assert_eq!(
        w.decide(&alice, &id, false).unwrap(),
        CommandState::Denied,
        "a changed mind denies"
    );
}

#[test]
fn a_rule_releases_in_the_same_transaction_and_a_pause_stops_it() {
    let mut w = World::new();
    let rule = rule("uptime");
    w.run(|l, now| l.add_rule(&peer("root", Role::Owner), rule, now)).unwrap();
    let session = w.session();
    w.submit(&session, "uptime");
    let decisions = w.decisions();
    assert_eq!(decisions.len(), 1);
    assert!(decisions[0].allow && decisions[0].released);
    assert!(decisions[0].decided_by.starts_with("whitelist:rule_"));
    let by = peer("alice", Role::Reviewer);
    w.run(|l, now| l.pause(&by, &session, true, now)).unwrap();
    let id = w.submit(&session, "uptime");
    assert_eq!(w.state.commands.get(&id).unwrap().view.state, CommandState::Pending);
    assert_eq!(w.state.rule_list()[0].rule.hits, 1);
}

#[test]
fn a_broken_recorder_denies() {
    let mut w = World::new();
    let session = w.session();
    let waiting = w.submit(&session, "id");
    w.recorder.broken.store(true, Ordering::Relaxed);
    let id = w.submit(&session, "uname");
    let entries = w.entries();
    let (_, entry) = entries[id.as_str()].last().unwrap();
    assert_eq!(entry["decided_by"], "system:fail-closed");
    assert!(entry["comment"].as_str().unwrap().contains("disk full"));
    w.decide(&peer("alice", Role::Reviewer), &waiting, true).unwrap();
    assert_eq!(code(w.release(&waiting, &session, "id")), ErrorCode::Failed);
}

#[test]
fn a_restart_denies_the_undecided_and_does_not_know_the_released() {
    let mut w = World::new();
    let session = w.session();
    let pending = w.submit(&session, "a");
    let allowed = w.submit(&session, "b");
    let released = w.submit(&session, "c");
    let alice = peer("alice", Role::Reviewer);
    w.decide(&alice, &allowed, true).unwrap();
    w.decide(&alice, &released, true).unwrap();
    w.release(&released, &session, "c").unwrap();
    let loaded = Loaded {
        chain: w.state.chain.clone(),
        open_commands: w.state.open_commands().unwrap(),
        open_sessions: w.state.open_sessions(),
        ..Loaded::default()
    };
    let again = World::with(loaded);
    let entries = again.entries();
    let last = |id: &CommandId| entries[id.as_str()].last().unwrap().clone();
    assert_eq!(last(&pending).1["decided_by"], "system:fail-closed");
    assert_eq!(last(&allowed).0, "withdrawn");
    assert_eq!(last(&released).0, "unknown");
    assert_eq!(again.state.commands.len(), 0);
    assert_eq!(again.state.sessions.len(), 0);
}

#[test]
fn a_gate_that_was_cut_off_reports_the_end_after_all() {
    let mut w = World::new();
    let session = w.session();
    let id = w.submit(&session, "id");
    w.decide(&peer("alice", Role::Reviewer), &id, true).unwrap();
    w.release(&id, &session, "id").unwrap();
    w.run(|state, now| state.gate_gone(GATE, now)).unwrap();
    let stored = |w: &World| {
        let view = w.disk.iter().rev().find_map(|d| match d {
            Write::Command { id: of, view, .. } if *of == id => Some(view.clone()),
            _ => None,
        });
        serde_json::from_str::<CommandView>(view.unwrap().as_str()).unwrap()
    };
    let view = stored(&w);
    assert_eq!(view.state, CommandState::Unknown);
    let outcome = Outcome { exit_status: Some(3), ..Outcome::default() };
    w.run(|state, now| {
        state.finished_after_all(view, Holder::default(), (outcome.clone(), None), now)
    })
    .unwrap();
    let view = stored(&w);
    assert_eq!((view.state, view.outcome.clone()), (CommandState::Finished, Some(outcome.clone())));
    let again =
        w.run(|state, now| state.finished_after_all(view, Holder::default(), (outcome, None), now));
    assert_eq!(code(again), ErrorCode::TooLate);
    let kinds: Vec<_> = w.entries()[id.as_str()].iter().map(|(k, _)| k.clone()).collect();
    assert_eq!(kinds, ["command_submitted", "decision", "released", "unknown", "finished"]);
}

#[test]
fn standard_input_that_waits_ends_with_its_command() {
    let mut w = World::new();
    let session = w.session();
    let id = w.submit(&session, "bash");
    w.decide(&peer("alice", Role::Reviewer), &id, true).unwrap();
    w.release(&id, &session, "bash").unwrap();
    let mut script = submission(&session, "id");
    (script.kind, script.parent) = (ItemKind::Stdin, Some(id.clone()));
    let Ok(GateEvent::Submitted { id: child, .. }) =
        w.run(|state, now| state.submit(GATE, 2, script, now))
    else {
        panic!("the script was not taken")
    };
    let outcome = Outcome { exit_status: Some(0), ..Outcome::default() };
    w.run(|state, now| state.finished(GATE, &id, (outcome, None), now)).unwrap();
    let kinds: Vec<_> = w.entries()[child.as_str()].iter().map(|(k, _)| k.clone()).collect();
    assert_eq!(kinds, ["command_submitted", "withdrawn"]);
    assert_eq!(code(w.decide(&peer("alice", Role::Reviewer), &child, true)), ErrorCode::NotFound);
}

#[test]
fn a_session_with_waiting_input_can_be_closed() {
    let mut w = World::new();
    let session = w.session();
    let id = w.submit(&session, "bash");
    w.decide(&peer("alice", Role::Reviewer), &id, true).unwrap();
    w.release(&id, &session, "bash").unwrap();
    let mut script = submission(&session, "id");
    (script.kind, script.parent) = (ItemKind::Stdin, Some(id));
    w.run(|state, now| state.submit(GATE, 2, script, now)).unwrap();
    w.run(|state, now| state.close_session(GATE, &session, now)).unwrap();
    assert_eq!(w.state.commands.len(), 0);
}

#[test]
fn nothing_of_a_killed_session_is_released() {
    let mut w = World::new();
    let session = w.session();
    let id = w.submit(&session, "id");
    let alice = peer("alice", Role::Reviewer);
    w.decide(&alice, &id, true).unwrap();
    w.run(|state, now| state.kill(&alice, &session, now)).unwrap();
    assert_eq!(code(w.release(&id, &session, "id")), ErrorCode::NotFound);
    let kinds: Vec<_> = w.entries()[id.as_str()].iter().map(|(k, _)| k.clone()).collect();
    assert_eq!(kinds, ["command_submitted", "decision", "withdrawn"]);
}

#[test]
fn a_removed_principal_is_cut_off() {
    let mut w = World::new();
    let owner = peer("root", Role::Owner);
    let add = |w: &mut World, name: &str, role, key: Option<&str>| {
        let new = NewPrincipal {
            name: name.into(),
            role,
            owner: None,
            public_key: key.map(str::to_owned),
            unix_user: None,
        };
        w.run(|state, now| state.add_principal(&peer("root", Role::Owner), new, None, now))
            .unwrap();
    };
    add(&mut w, "alice", Role::Reviewer, None);
    add(&mut w, "bot", Role::Agent, Some("ssh-ed25519 AAAA"));
    let alice = peer("alice", Role::Reviewer);
    assert!(w.state.still_known(&alice).is_ok() && w.state.still_known(&owner).is_ok());
    assert!(w.state.still_known(&peer("alice", Role::Admin)).is_err(), "another role");
    let session = w.session();
    let id = w.submit(&session, "id");
    w.run(|state, now| state.remove_principal(&owner, "alice", now)).unwrap();
    assert_eq!(code(w.state.still_known(&alice)), ErrorCode::NotEntitled);
    w.run(|state, now| state.remove_principal(&owner, "bot", now)).unwrap();
    assert!(w.decisions().iter().any(|d| d.id == id && !d.allow));
    let killed = |(_, e): &(GateId, GateEvent)| matches!(e, GateEvent::Kill { session_id, .. } if *session_id == session);
    assert!(w.told.iter().any(killed), "the gate was not told");
}

#[test]
fn nothing_of_a_refused_job_remains() {
    let mut w = World::new();
    let before = (w.state.chain.clone(), w.disk.len());
    let bad = Policy { timeout_seconds: Some(1), ..Policy::any("", "*") };
    assert_eq!(
        code(w.run(|l, now| l.add_policy(&peer("root", Role::Owner), bad, now))),
        ErrorCode::Invalid
    );
    assert_eq!((w.state.chain.clone(), w.disk.len()), before);
    assert!(w.state.policy_list().is_empty());
}

#[test]
fn missing_rules_are_added_all_or_none_and_the_others_left() {
    let mut w = World::new();
    let root = peer("root", Role::Owner);
    let own = w.run(|l, now| l.add_rule(&root, rule("uptime"), now)).unwrap();
    let bad = Rule { kind: MatchKind::Regex, ..rule("(") };
    let before = (w.state.chain.clone(), w.disk.len());
    let ensure = |w: &mut World, by: &Peer, rules: &[Rule]| {
        w.run(|l, now| l.ensure_rules(by, rules.to_vec(), now))
    };
    assert_eq!(code(ensure(&mut w, &root, &[rule("id"), bad])), ErrorCode::Invalid);
    assert_eq!((w.state.chain.clone(), w.disk.len()), before);
    let some = [rule("id"), rule("uptime"), rule("w"), rule("id")];
    assert_eq!(code(ensure(&mut w, &peer("eve", Role::Reviewer), &some)), ErrorCode::NotEntitled);
    let first = ensure(&mut w, &root, &some).unwrap();
    let added: Vec<_> = first.added.iter().map(|view| view.rule.pattern.as_str()).collect();
    assert_eq!((added, first.present), (vec!["id", "w"], vec![own]));
    let before = (w.state.chain.clone(), w.disk.len());
    let again = ensure(&mut w, &root, &some).unwrap();
    assert_eq!((again.added.len(), again.present.len()), (0, 4));
    assert_eq!((w.state.chain.clone(), w.disk.len()), before);
    // One that ends, or holds elsewhere, does not replace one that does not.
    let ends = Rule { expires_at: Some(w.now.micros + 1), ..rule("df") };
    w.run(|l, now| l.add_rule(&root, ends, now)).unwrap();
    assert_eq!(ensure(&mut w, &root, &[rule("df")]).unwrap().added.len(), 1);
}

#[test]
fn an_end_that_is_refused_holds_up_no_other_and_is_tried_again() {
    let mut w = World::new();
    let session = w.session();
    let policy = Policy { timeout_seconds: Some(5), ..quorum(1, &["alice"]) };
    w.run(|l, now| l.add_policy(&peer("root", Role::Owner), policy, now)).unwrap();
    let (one, bad, other) =
        (w.submit(&session, "id"), w.submit(&session, "w"), w.submit(&session, "df"));
    // No entry about it fits into the log any more.
    let text = w.state.commands.get(&bad).unwrap().view.text.clone();
    let set = |w: &mut World, command: String| {
        w.state.commands.get_mut(&bad).unwrap().view.text.command = command;
    };
    set(&mut w, "x".repeat(17 << 20));
    w.pass(Duration::from_secs(5));
    let refused = w.tick();
    assert!(refused.len() == 1 && refused[0].message.contains("longer than"), "{refused:?}");
    let entries = w.entries();
    let end = |id: &CommandId| entries[id.as_str()].last().unwrap().1["decided_by"].clone();
    assert_eq!((end(&one), end(&other)), ("system:timeout".into(), "system:timeout".into()));
    // Nobody decides on it meanwhile, and it is tried again after a pause, each longer than the last.
    assert_eq!(code(w.decide(&peer("alice", Role::Reviewer), &bad, true)), ErrorCode::TooLate);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let next = w.state.next_deadline().unwrap();
        assert!(next > w.now.mono, "it would spin");
        assert_eq!(w.tick(), []);
        pauses.push((next - w.now.mono).as_secs());
        w.pass(next - w.now.mono);
        assert_eq!(w.tick().len(), 1);
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    set(&mut w, text.command);
    w.pass(Duration::from_secs(60));
    assert_eq!(w.tick(), []);
    let entries = w.entries();
    assert_eq!(entries[bad.as_str()].last().unwrap().1["decided_by"], "system:timeout");
    assert_eq!(w.state.next_deadline(), None);
}

#[test]
fn a_release_that_crosses_the_withdrawal_ends_as_withdrawn() {
    let mut w = World::new();
    w.run(|l, now| l.add_rule(&peer("root", Role::Owner), rule("uptime"), now)).unwrap();
    let session = w.session();
    let kinds = |w: &World, id: &CommandId| -> Vec<String> {
        w.entries()[id.as_str()].iter().map(|(kind, _)| kind.clone()).collect()
    };
    // The rule released it in the transaction that took it; the gate's word was on its way already.
    let id = w.submit(&session, "uptime");
    assert!(w.decisions().iter().any(|d| d.id == id && d.released));
    let stranger = w.run(|l, now| l.withdraw(GateId(2), &id, "^C", now));
    assert_eq!(code(stranger), ErrorCode::NotEntitled);
    w.run(|l, now| l.withdraw(GATE, &id, "^C", now)).unwrap();
    assert_eq!(kinds(&w, &id), ["command_submitted", "decision", "released", "withdrawn"]);
    assert_eq!(w.entries()[id.as_str()].last().unwrap().1["comment"], "^C");
    assert!(w.recorder.shown().contains(&"not sent: ^C".to_owned()));
    assert_eq!(code(w.release(&id, &session, "uptime")), ErrorCode::NotFound, "never again");
    // The other way round: the gate asked for the release, and does not use it.
    let not_sent = Outcome { unknown: Some("^C".into()), not_sent: true, ..Outcome::default() };
    let id = w.submit(&session, "uptime");
    w.run(|l, now| l.finished(GATE, &id, (not_sent.clone(), None), now)).unwrap();
    assert_eq!(kinds(&w, &id), ["command_submitted", "decision", "released", "withdrawn"]);
    // With a link that broke in between, it is known after all.
    let id = w.submit(&session, "uptime");
    w.run(|l, now| l.gate_gone(GATE, now)).unwrap();
    let stored = w.disk.iter().rev().find_map(|d| match d {
        Write::Command { id: of, view, .. } if *of == id => Some(view.clone()),
        _ => None,
    });
    let view: CommandView = serde_json::from_str(stored.unwrap().as_str()).unwrap();
    assert_eq!(view.state, CommandState::Unknown);
    w.run(|l, now| l.finished_after_all(view, Holder::default(), (not_sent, None), now)).unwrap();
    let all = ["command_submitted", "decision", "released", "unknown", "withdrawn"];
    assert_eq!(kinds(&w, &id), all);
}

#[test]
fn a_denial_is_remembered_across_connections() {
    let mut world = World::new();
    let alice = peer("alice", Role::Reviewer);
    let first = world.session();
    let denied = world.submit(&first, "rm -rf /srv/x");
    world.decide(&alice, &denied, false).unwrap();
    world.run(|state, now| state.close_session(GATE, &first, now)).unwrap();
    // The agent connects again and tries the same, and something like it.
    let second = world.session();
    let again = world.submit(&second, "rm -rf /srv/x");
    assert!(world.state.commands.get(&again).unwrap().view.retry_of_denied);
    let other = world.submit(&second, "rm -r -f /srv/x");
    let view = &world.state.commands.get(&other).unwrap().view;
    assert!(!view.retry_of_denied);
    let reasons = &view.anomaly_reasons;
    assert!(reasons.iter().any(|r| r == "repeated_denials_with_variations"), "{reasons:?}");
    world.decide(&alice, &other, true).unwrap();
    world.decide(&alice, &again, false).unwrap();
    world.run(|state, now| state.close_session(GATE, &second, now)).unwrap();
    // Half an hour later it is other work.
    world.pass(Duration::from_secs(31 * 60));
    let third = world.session();
    let later = world.submit(&third, "rm -rf /srv/x");
    assert!(!world.state.commands.get(&later).unwrap().view.retry_of_denied);
}
