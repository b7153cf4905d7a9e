//! A gate asks a target which shell an account has only where a rule waits for the answer, and rules
//! read a command by it only where that shell reads it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use expacti_engine::{MatchKind, Rule, Scope};
use expacti_protocol::command::{CommandState, Interactive, ItemKind, PromptLabel};
use expacti_protocol::gate::GateEvent;
use expacti_protocol::ids::SessionId;
use expacti_protocol::principal::Role;
use expacti_protocol::shell::PosixShell;

use super::world::*;
use crate::state::{GateId, Write};

const LINE: &str = "cd /srv && ls -la | head -n 5";

fn looks(w: &mut World, scope: Scope) {
    let rule = Rule { kind: MatchKind::Looks, scope, ..rule("looks") };
    w.run(|state, now| state.add_rule(&peer("root", Role::Owner), rule, now)).unwrap();
}

fn asked(w: &World) -> usize {
    let is_asked = |write: &&Write| match write {
        Write::Audit { line, .. } => line.contains(r#""kind":"shell_asked""#),
        _ => false,
    };
    w.disk.iter().filter(is_asked).count()
}

fn ask(w: &mut World, gate: GateId, session: &SessionId, command: &str) -> bool {
    w.run(|state, now| state.ask_shell(gate, session, command.as_bytes(), now)).is_ok()
}

#[test]
fn a_target_is_asked_only_where_a_rule_waits_for_the_answer() {
    let mut w = World::new();
    let session = w.session();
    let now = w.now;
    assert!(!w.state.may_ask_shell(&session, now));
    assert!(!ask(&mut w, GATE, &session, LINE));
    looks(&mut w, Scope { target: Some("db-*".into()), ..Scope::default() });
    assert!(!w.state.may_ask_shell(&session, now), "a rule for another target");
    assert!(!ask(&mut w, GATE, &session, LINE));
    looks(&mut w, Scope::default());
    assert!(w.state.may_ask_shell(&session, now));
    for never in ["ls -la", "rm -rf /srv", "cd /srv && make", "git-upload-pack '/srv/x'"] {
        assert!(!ask(&mut w, GATE, &session, never), "{never}");
    }
    assert!(!ask(&mut w, GateId(2), &session, LINE), "the session of another gate");
    assert_eq!(asked(&w), 0);

    assert!(ask(&mut w, GATE, &session, LINE));
    assert_eq!(asked(&w), 1);
    w.run(|s, now| s.pause(&peer("root", Role::Owner), &session, true, now)).unwrap();
    assert!(!ask(&mut w, GATE, &session, LINE), "no rule decides in a paused session");
    w.run(|s, now| s.close_session(GATE, &session, now)).unwrap();
    assert!(!ask(&mut w, GATE, &session, LINE));
    assert_eq!(asked(&w), 1);
}

#[test]
fn a_gate_may_not_ask_before_it_is_on_disk() {
    let mut w = World::new();
    looks(&mut w, Scope::default());
    let session = w.session();
    let now = w.now;
    let asked_for = w.state.job(|state| state.ask_shell(GATE, &session, LINE.as_bytes(), now));
    assert!(asked_for.is_ok(), "the answer goes out after the commit only");
    w.settle(false);
    assert_eq!(asked(&w), 0);
}

#[test]
fn rules_read_a_command_by_the_shell_that_reads_it() {
    let line =
        |label| Some(Interactive { label, foreground: None, secret: false, grantable: false });
    for (kind, interactive, shell, passes) in [
        (ItemKind::Exec, None, Some(PosixShell::Bash), true),
        (ItemKind::Exec, None, Some(PosixShell::Dash), true),
        (ItemKind::Exec, None, None, false),
        (ItemKind::Line, line(PromptLabel::Verified), Some(PosixShell::Zsh), true),
        (ItemKind::Line, line(PromptLabel::Verified), None, false),
        (ItemKind::Line, line(PromptLabel::Unverified), Some(PosixShell::Bash), false),
        (ItemKind::Line, line(PromptLabel::Continuation), Some(PosixShell::Bash), false),
        (ItemKind::Line, None, Some(PosixShell::Bash), false),
        (ItemKind::Input, line(PromptLabel::Cooked), Some(PosixShell::Bash), false),
        (ItemKind::Stdin, None, Some(PosixShell::Bash), false),
    ] {
        let mut w = World::new();
        looks(&mut w, Scope::default());
        let session = w.session();
        let mut item = submission(&session, LINE);
        (item.kind, item.interactive, item.shell) = (kind, interactive.clone(), shell);
        let GateEvent::Submitted { id, state, .. } =
            w.run(|state, now| state.submit(GATE, 1, item, now)).unwrap()
        else {
            panic!()
        };
        let expected = if passes { CommandState::Released } else { CommandState::Pending };
        assert_eq!(state, expected, "{kind:?} {interactive:?} {shell:?}");
        let entries = w.entries();
        let (_, submitted) = &entries[id.as_str()][0];
        let name = shell.filter(|_| passes).map(PosixShell::as_str);
        assert_eq!(submitted.get("shell").and_then(|s| s.as_str()), name);
    }
}
