//! Secrets in standard input: whatever tells of it, they are in none of that once somebody has decided,
//! and neither is a digest by which they could be guessed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use expacti_protocol::command::{CommandState, CommandText, ItemKind, Outcome, Submission};
use expacti_protocol::digest::{Digest, StreamSummary};
use expacti_protocol::gate::GateEvent;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::input::InputRef;
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::{DecisionMessage, ReviewerEvent};
use expacti_protocol::signed::SignedText;
use expacti_signing::{Allowed, DECISION_NAMESPACE, Decision, Item};

use serde_json::Value;

use super::world::{GATE, World, key, message, peer, sign, submission};
use crate::state::for_viewer;

const SECRET: &str = "S3cr-et9x";

fn given(bytes: &[u8]) -> InputRef {
    InputRef { bytes: bytes.len() as u64, sha256: Digest::of(bytes), ended: true }
}

fn flowed(bytes: &[u8]) -> Outcome {
    let stdin = StreamSummary { bytes: bytes.len() as u64, sha256: Digest::of(bytes) };
    Outcome { exit_status: Some(0), stdin: Some(stdin), stdout: Some(stdin), ..Outcome::default() }
}

impl World {
    fn input_of(&mut self, session: &SessionId, command: &str, input: &[u8]) -> CommandId {
        let id = self.submit(session, command);
        let all = given(input);
        self.run(|s, now| s.join(GATE, &id, session, (0, input), (all, None), now)).unwrap();
        id
    }

    fn allow_and_finish(
        &mut self,
        id: &CommandId,
        session: &SessionId,
        command: &str,
        input: &[u8],
    ) {
        let alice = peer("alice", Role::Reviewer);
        let all = Some(given(input)).filter(|given| given.bytes > 0);
        // Somebody signs the item, as the gate states it.
        let asked = submission(session, command);
        let item = Item::of(&asked, command.len(), &Default::default(), String::new(), [0; 32], 1);
        let text = item.text().unwrap();
        let decision = Decision::allowing(vec![Allowed { input: all, ..Allowed::new(item) }]);
        let signed = sign(&key(5), DECISION_NAMESPACE, decision.text().unwrap());
        self.state.commands.get_mut(id).unwrap().view.item =
            Some(SignedText { statement: text, signature: String::new() });
        let (statement, signature) = (Some(signed.statement), Some(signed.signature));
        let message = DecisionMessage { input: all, statement, signature, ..message(id, true) };
        self.run(|s, now| s.decide(&alice, &message, now)).unwrap();
        let digest = Digest::of(command.as_bytes());
        self.run(|s, now| s.release(GATE, id, session, (digest, all), now)).unwrap();
    }

    fn item(&mut self, session: &SessionId, parent: &CommandId, bytes: &[u8]) -> CommandId {
        let item = Submission {
            kind: ItemKind::Stdin,
            parent: Some(parent.clone()),
            text: CommandText::new(bytes),
            sha256: Digest::of(bytes),
            ..submission(session, "")
        };
        match self.run(|s, now| s.submit(GATE, 2, item, now)).unwrap() {
            GateEvent::Submitted { id, .. } => id,
            other => panic!("{other:?}"),
        }
    }

    /// All that is left of it, without what those saw who decided while they did.
    fn left(&self) -> String {
        let mut all = format!("{:?}\n{:?}\n", self.disk, self.recorder.shown());
        for event in &self.reviewed {
            let waits = match event {
                ReviewerEvent::PendingCommand(view) | ReviewerEvent::CommandUpdated(view) => {
                    view.state == CommandState::Pending
                }
                _ => false,
            };
            if !waits {
                all += &format!("{event:?}\n");
            }
        }
        all
    }
}

fn assert_gone(left: &str, input: &[u8], what: &str) {
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x} ")).collect();
    for trace in [SECRET, &Digest::of(input).to_string(), hex.trim()] {
        let at = left.find(trace).map(|at| left.get(at.saturating_sub(400)..at + 80));
        assert_eq!(at, None, "{what}: {trace}");
    }
}

#[test]
fn joined_input_that_is_a_secret_is_not_kept() {
    let line = format!("{SECRET}\n");
    let pairs = format!("bob:{SECRET}\nann:x\n");
    let env = format!("A={SECRET}\nB=2\n");
    let mut bytes = b"\x01\x02\x03\xff\xfe".to_vec();
    bytes.extend(format!("{SECRET}\n").as_bytes());
    let script = format!("export PGPASSWORD=\"\n{SECRET}\"\npsql -c 'select 1'\n");
    for (command, input) in [
        ("sudo -S id", line.as_bytes()),
        ("chpasswd", pairs.as_bytes()),
        ("passwd --stdin bob", line.as_bytes()),
        ("docker login --password-stdin -u bob registry.example", line.as_bytes()),
        ("gh auth login --with-token", line.as_bytes()),
        ("kubectl create secret generic x --from-file=key=/dev/stdin", bytes.as_slice()),
        ("cat > /srv/app/.env", env.as_bytes()),
        ("cat > /srv/app/.env", bytes.as_slice()),
        ("bash", script.as_bytes()),
    ] {
        for allow in [true, false] {
            let mut w = World::new();
            let session = w.session();
            let id = w.input_of(&session, command, input);
            let view = w.state.commands.get(&id).unwrap().view.clone();
            assert!(view.input.as_ref().unwrap().secret, "{command}");
            let came = view.input.as_ref().unwrap().came.as_ref().unwrap();
            let of_bytes = input == bytes && command.starts_with("cat");
            assert_eq!(came.kind, if of_bytes { "binary" } else { "text" }, "{command}");
            let viewer = format!("{:?}", *for_viewer(view).unwrap());
            assert_gone(&viewer, input, command);
            assert_gone(&format!("{:?}", w.disk), input, command);
            if allow {
                w.allow_and_finish(&id, &session, command, input);
                w.run(|s, now| s.finished(GATE, &id, (flowed(input), None), now)).unwrap();
            } else {
                w.decide(&peer("alice", Role::Reviewer), &id, false).unwrap();
            }
            w.run(|s, now| s.close_session(GATE, &session, now)).unwrap();
            let left = w.left();
            assert_gone(&left, input, command);
            // What it is bound to is still said.
            let entries = w.entries();
            let of = |kind: &str| {
                entries[id.as_str()].iter().find(|(found, _)| found == kind).unwrap().1.clone()
            };
            assert_eq!(of("input_joined")["input_secret"], true, "{command}");
            if allow {
                let digest = of("input_joined")["input_sha256"].clone();
                assert_eq!(of("decision")["input_sha256"], digest, "{command}");
                assert_eq!(of("finished")["stdin_sha256"], digest, "{command}");
                assert_eq!(of("finished")["stdout_sha256"], digest, "{command}");
                assert!(of("decision")["input"].to_string().contains("•••") || input == bytes);
            }
            // The wire has the digest of the bytes.
            if let Some(decision) = w.decisions().last().filter(|_| allow) {
                assert_eq!(decision.input, Some(given(input)));
            }
        }
    }
}

#[test]
fn items_that_hold_a_secret_are_not_kept() {
    for (command, pieces) in [
        ("bash", &["mysql -pS3cr", "-et9x -e 'select 1'\n"][..]),
        ("bash", &["export PGPASSWORD=\"\n", "S3cr-et9x\"\n"]),
        ("sudo -S bash", &["S3cr-et9x\n", "id\n"]),
        ("chpasswd", &["bob:", "S3cr-et9x\n"]),
        ("docker login --password-stdin", &["\x01\x02S3cr-et9x\u{7f}\u{1}"]),
    ] {
        let mut w = World::new();
        let session = w.session();
        let parent = w.submit(&session, command);
        w.allow_and_finish(&parent, &session, command, b"");
        for piece in pieces {
            let id = w.item(&session, &parent, piece.as_bytes());
            let view = w.state.commands.get(&id).unwrap().view.clone();
            assert_eq!(view.text.command, *piece, "whoever decides sees it");
            let viewer = format!("{:?}", *for_viewer(view).unwrap());
            assert!(!viewer.contains("et9x"), "{command}: {viewer}");
            w.allow_and_finish(&id, &session, piece, b"");
            w.run(|s, now| s.finished(GATE, &id, (Outcome::default(), None), now)).unwrap();
            let entries = w.entries();
            let decision = |(kind, _): &&(String, Value)| kind == "decision";
            let signed = entries[id.as_str()].iter().find(decision).unwrap().1["signed"].clone();
            // It would confirm a guess of what it is about.
            assert!(!piece.contains("et9x") || signed.is_null(), "{command}: {signed}");
            assert!(!piece.starts_with("id") || !signed.is_null(), "{command}");
        }
        let all = pieces.concat();
        w.run(|s, now| s.finished(GATE, &parent, (flowed(all.as_bytes()), None), now)).unwrap();
        w.run(|s, now| s.close_session(GATE, &session, now)).unwrap();
        let left = w.left();
        assert!(!left.contains("et9x") && !left.contains("S3cr"), "{command}: {left}");
        for piece in pieces.iter().filter(|piece| piece.contains("et9x")) {
            assert_gone(&left, piece.as_bytes(), command);
        }
        assert_gone(&left, all.as_bytes(), command);
    }
}

#[test]
fn an_item_does_not_tell_the_secret_before_it() {
    let long = format!("{}\n", "kJ8x".repeat(80));
    for secret in ["hunter\n", "pw7\n", long.as_str()] {
        let mut w = World::new();
        let session = w.session();
        let parent = w.submit(&session, "sudo -S ./deploy");
        w.allow_and_finish(&parent, &session, "sudo -S ./deploy", b"");
        for piece in [secret, "yes\n", "id\n"] {
            let id = w.item(&session, &parent, piece.as_bytes());
            let viewer = for_viewer(w.state.commands.get(&id).unwrap().view.clone()).unwrap();
            let told = format!("{:?}", viewer.notes);
            assert!(!told.contains(secret.trim().get(..6).unwrap_or("pw7")), "{told}");
            w.allow_and_finish(&id, &session, piece, b"");
        }
        let left = w.left();
        let part = secret.trim().get(..6).unwrap_or("pw7");
        let at = left.find(part).map(|at| left.get(at.saturating_sub(300)..at + 60));
        assert_eq!(at, None);
    }
}

#[test]
fn what_is_no_secret_keeps_its_text_and_its_digest() {
    let mut w = World::new();
    let session = w.session();
    let id = w.input_of(&session, "bash", b"uptime\n");
    w.allow_and_finish(&id, &session, "bash", b"uptime\n");
    let entries = w.entries();
    let (_, decision) = entries[id.as_str()].iter().find(|(kind, _)| kind == "decision").unwrap();
    assert_eq!(decision["input_sha256"], Digest::of(b"uptime\n").to_string());
    assert_eq!((&decision["input"], &decision["input_secret"]), (&"uptime\n".into(), &Value::Null));
}
