//! Standard input that is decided together with its command.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use expacti_engine::{Effect, InputUse, MatchKind, Rule};
use expacti_protocol::command::{CommandState, CommandText, ItemKind, StdinTreatment, Submission};
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::GateEvent;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::input::{InputGrant, InputRef};
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::{DecisionMessage, ErrorCode};

use super::super::ports::Refusal;
use super::items::quorum;
use super::world::{GATE, World, code, message, peer, rule, submission};

const SCRIPT: &[u8] = b"uptime\nrm -rf /srv/x\n";

fn given(bytes: &[u8], ended: bool) -> InputRef {
    InputRef { bytes: bytes.len() as u64, sha256: Digest::of(bytes), ended }
}

impl World {
    fn join(
        &mut self,
        id: &CommandId,
        session: &SessionId,
        (offset, data): (usize, &[u8]),
        input: InputRef,
    ) -> Result<(), Refusal> {
        self.run(|s, now| s.join(GATE, id, session, (offset as u64, data), (input, None), now))
    }

    fn allow_with(
        &mut self,
        id: &CommandId,
        input: Option<InputRef>,
    ) -> Result<CommandState, Refusal> {
        let alice = peer("alice", Role::Reviewer);
        let message = DecisionMessage { input, ..message(id, true) };
        self.run(|s, now| s.decide(&alice, &message, now)).map(|view| view.state)
    }

    fn release_with(
        &mut self,
        id: &CommandId,
        session: &SessionId,
        command: &str,
        input: Option<InputRef>,
    ) -> Result<(), Refusal> {
        let digest = Digest::of(command.as_bytes());
        self.run(|s, now| s.release(GATE, id, session, (digest, input), now))
    }
}

#[test]
fn the_script_counts_and_is_in_the_log() {
    let mut w = World::new();
    let session = w.session();
    let id = w.submit(&session, "bash");
    let before = w.state.commands.get(&id).unwrap().view.clone();
    assert_eq!(before.input.as_ref().unwrap().report.r#use, InputUse::Code);
    let all = given(SCRIPT, true);
    w.join(&id, &session, (0, &SCRIPT[..7]), given(&SCRIPT[..7], false)).unwrap();
    w.join(&id, &session, (7, &SCRIPT[7..]), all).unwrap();
    let after = w.state.commands.get(&id).unwrap().view.clone();
    assert!(after.risk_score > before.risk_score);
    assert!(after.revision > before.revision);
    let came = after.input.as_ref().unwrap().came.as_ref().unwrap();
    assert_eq!((came.given, came.text.as_deref()), (all, std::str::from_utf8(SCRIPT).ok()));
    w.allow_with(&id, Some(all)).unwrap();
    let decision = w.decisions().last().copied().unwrap().clone();
    assert_eq!((decision.allow, decision.input), (true, Some(all)));
    // The release is for exactly that.
    for other in [None, Some(given(&SCRIPT[..7], false)), Some(given(SCRIPT, false))] {
        let refused = w.release_with(&id, &session, "bash", other);
        assert_eq!(code(refused), ErrorCode::Mismatch);
    }
    w.release_with(&id, &session, "bash", Some(all)).unwrap();
    let entries = w.entries();
    let of = |kind: &str| &entries[id.as_str()].iter().find(|(found, _)| found == kind).unwrap().1;
    assert_eq!(of("decision")["input"], "uptime\nrm -rf /srv/x\n");
    assert_eq!(of("released")["input_sha256"], all.sha256.to_string());
    assert_eq!(of("input_joined")["input_bytes"], 7);
}

#[test]
fn an_allow_covers_what_it_names_and_nothing_else() {
    let mut w = World::new();
    let session = w.session();
    let id = w.submit(&session, "bash");
    let (early, all) = (given(&SCRIPT[..7], false), given(SCRIPT, true));
    w.join(&id, &session, (0, &SCRIPT[..7]), early).unwrap();
    w.join(&id, &session, (7, &SCRIPT[7..]), all).unwrap();
    // What was seen before more came.
    assert_eq!(code(w.allow_with(&id, Some(early))), ErrorCode::Mismatch);
    assert_eq!(code(w.allow_with(&id, Some(given(b"id\n", true)))), ErrorCode::Mismatch);
    // A reviewer who knows nothing of input allows the command alone.
    w.allow_with(&id, None).unwrap();
    assert_eq!(w.decisions().last().unwrap().input, None);
    // Too late to join.
    let late = w.join(&id, &session, (SCRIPT.len(), b"x"), given(b"x", true));
    assert_eq!(code(late), ErrorCode::TooLate);
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let mut w = World::new();
    let session = w.session();
    let id = w.submit(&session, "bash");
    let before = w.state.commands.get(&id).unwrap().view.clone();
    let refused = [
        w.join(&id, &session, (3, SCRIPT), given(SCRIPT, true)),
        w.join(&id, &session, (0, SCRIPT), given(b"other", true)),
        w.join(&id, &SessionId::new(), (0, SCRIPT), given(SCRIPT, true)),
        w.join(&CommandId::new(), &session, (0, SCRIPT), given(SCRIPT, true)),
    ];
    for refused in refused {
        assert!(refused.is_err());
    }
    let huge = vec![b'#'; 1024 * 1024 + 1];
    assert!(w.join(&id, &session, (0, &huge), given(&huge, true)).is_err());
    assert_eq!(w.state.commands.get(&id).unwrap().view, before);
    w.pass(Duration::from_secs(61));
    let late = w.join(&id, &session, (0, SCRIPT), given(SCRIPT, true));
    assert_eq!(code(late), ErrorCode::TooLate);
}

#[test]
fn whoever_approved_has_seen_less() {
    let mut w = World::new();
    let root = peer("root", Role::Owner);
    w.run(|s, now| s.add_policy(&root, quorum(2, &["alice", "bob"]), now)).unwrap();
    let session = w.session();
    let id = w.submit(&session, "bash");
    w.allow_with(&id, None).unwrap();
    assert_eq!(w.state.commands.get(&id).unwrap().view.votes.len(), 1);
    w.join(&id, &session, (0, SCRIPT), given(SCRIPT, true)).unwrap();
    let view = &w.state.commands.get(&id).unwrap().view;
    assert_eq!((view.votes.len(), view.approvals_missing), (0, 2));
    assert_eq!(w.allow_with(&id, Some(given(SCRIPT, true))).unwrap(), CommandState::Pending);
    // One approves the input, one does not: it is not approved.
    let bob = peer("bob", Role::Reviewer);
    let alone = message(&id, true);
    w.run(|s, now| s.decide(&bob, &alone, now)).unwrap();
    let decision = w.decisions().last().copied().unwrap().clone();
    assert_eq!((decision.allow, decision.input), (true, None));
}

#[test]
fn more_input_gives_people_time_but_not_for_ever() {
    let mut w = World::new();
    let session = w.session();
    let id = w.submit(&session, "bash");
    let mut sent = Vec::new();
    for round in 0..5 {
        w.pass(Duration::from_secs(50));
        let offset = sent.len();
        sent.extend_from_slice(b"ls\n");
        let joined = w.join(&id, &session, (offset, b"ls\n"), given(&sent, false));
        assert_eq!(joined.is_ok(), round < 4, "{round}");
    }
}

#[test]
fn a_deny_rule_for_what_is_on_standard_input_denies() {
    let mut w = World::new();
    let root = peer("root", Role::Owner);
    let deny = Rule { kind: MatchKind::Glob, effect: Effect::Deny, ..rule("rm -rf /srv/x") };
    w.run(|s, now| s.add_rule(&root, deny, now)).unwrap();
    let session = w.session();
    let id = w.submit(&session, "sudo bash -s");
    w.join(&id, &session, (0, SCRIPT), given(SCRIPT, true)).unwrap();
    assert!(!w.decisions().last().unwrap().allow);
    assert!(w.allow_with(&id, Some(given(SCRIPT, true))).is_err());
}

#[test]
fn only_what_is_not_run_is_granted() {
    let mut w = World::new();
    let session = w.session();
    let grant = InputGrant::usual();
    for (command, may) in
        [("cat > /srv/x", true), ("tar xf - -C /srv", true), ("bash", false), ("./own", false)]
    {
        let id = w.submit(&session, command);
        let message = DecisionMessage { input_grant: Some(grant), ..message(&id, true) };
        let alice = peer("alice", Role::Reviewer);
        let decided = w.run(|s, now| s.decide(&alice, &message, now));
        assert_eq!(decided.is_ok(), may, "{command}");
        if may {
            assert_eq!(w.decisions().last().unwrap().input_grant, Some(grant));
        }
    }
}

#[test]
fn treatments() {
    let mut w = World::new();
    let session = w.session();
    for (command, flows, dropped) in [
        ("wc -l", true, false),
        ("git-receive-pack '/srv/x.git'", true, false),
        ("uptime", false, true),
        ("bash", false, false),
        ("cat > /srv/x", false, false),
        ("sed e", false, false),
    ] {
        let asked = submission(&session, command);
        let told = w.run(|s, now| s.submit(GATE, 1, asked, now)).unwrap();
        let GateEvent::Submitted { stdin, drop_stdin, .. } = told else { panic!("{told:?}") };
        let expected = if flows { StdinTreatment::Data } else { StdinTreatment::Code };
        assert_eq!((stdin, drop_stdin), (expected, dropped), "{command}");
    }
}

#[test]
fn an_item_of_standard_input_is_read_by_its_command() {
    let mut w = World::new();
    let session = w.session();
    let id = w.submit(&session, "psql shop");
    w.allow_with(&id, None).unwrap();
    w.release_with(&id, &session, "psql shop", None).unwrap();
    let text = b"drop table users;\n";
    let item = Submission {
        kind: ItemKind::Stdin,
        parent: Some(id.clone()),
        text: CommandText::new(text),
        sha256: Digest::of(text),
        ..submission(&session, "")
    };
    let GateEvent::Submitted { id, .. } = w.run(|s, now| s.submit(GATE, 2, item, now)).unwrap()
    else {
        panic!("not submitted")
    };
    let view = &w.state.commands.get(&id).unwrap().view;
    assert!(view.level >= expacti_engine::Level::High, "{view:?}");
    assert_eq!(view.input.as_ref().unwrap().report.r#use, InputUse::Code);
}

#[test]
fn what_goes_on_in_the_middle_of_a_line_is_judged_with_it() {
    let mut w = World::new();
    let root = peer("root", Role::Owner);
    let deny = Rule { kind: MatchKind::Glob, effect: Effect::Deny, ..rule("rm -rf /srv/app") };
    w.run(|s, now| s.add_rule(&root, deny, now)).unwrap();
    let session = w.session();
    let id = w.submit(&session, "bash");
    let first = b"uptime\nrm -rf /srv/a";
    w.join(&id, &session, (0, first), given(first, false)).unwrap();
    w.allow_with(&id, Some(given(first, false))).unwrap();
    w.release_with(&id, &session, "bash", Some(given(first, false))).unwrap();
    let piece = |w: &mut World, text: &[u8]| {
        let item = Submission {
            kind: ItemKind::Stdin,
            parent: Some(id.clone()),
            text: CommandText::new(text),
            sha256: Digest::of(text),
            ..submission(&session, "")
        };
        w.run(|s, now| s.submit(GATE, 2, item, now)).unwrap()
    };
    // Alone it is nothing.
    let GateEvent::Submitted { state, .. } = piece(&mut w, b"pp\n") else { panic!() };
    assert_eq!(state, CommandState::Denied);
    let GateEvent::Submitted { id: other, risk_score, .. } = piece(&mut w, b"a\n") else {
        panic!()
    };
    assert!(risk_score >= 40, "{risk_score}");
    let view = w.state.commands.get(&other).unwrap().view.clone();
    assert!(view.notes.iter().any(|note| note.ends_with("rm -rf /srv/a")), "{:?}", view.notes);
    assert!(view.terms.iter().all(|term| term.span[1] <= 2), "{:?}", view.terms);
    // A whole line behind it begins afresh.
    w.allow_with(&other, None).unwrap();
    w.release_with(&other, &session, "a\n", None).unwrap();
    let GateEvent::Submitted { id: fresh, .. } = piece(&mut w, b"ls\n") else { panic!() };
    assert!(w.state.commands.get(&fresh).unwrap().view.notes.is_empty());
}
