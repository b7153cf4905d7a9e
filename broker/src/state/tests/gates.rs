//! What gates sign is kept only if the gate has signed it that holds the command.

use expacti_protocol::command::{
    CommandState, Interactive, ItemKind, Outcome, PromptLabel, Submission,
};
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::GateEvent;
use expacti_protocol::http::{Changed, NewPrincipal};
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::{DecisionMessage, ErrorCode};
use expacti_protocol::signed::SignedText;
use expacti_signing::{
    Allowed, DECISION_NAMESPACE, Decision, Delivery, ITEM_NAMESPACE, Item, REPORT_NAMESPACE,
    Report, ReportPurpose,
};
use russh::keys::PrivateKey;
use serde_json::Value;

use super::world::*;
use crate::state::{GateId, Refusal, State, Write};

/// A submission with the item as a gate with that key states it.
fn stated(submission: Submission, key: &PrivateKey) -> (Submission, Item) {
    let gate = key.public_key().to_openssh().unwrap();
    let length = submission.text.bytes().unwrap().len();
    let item = Item::of(&submission, length, &Default::default(), gate, [7; 32], 1);
    let signed = sign(key, ITEM_NAMESPACE, item.text().unwrap());
    (Submission { item: Some(signed), ..submission }, item)
}

struct Held {
    id: CommandId,
    session: SessionId,
    item: Item,
}

impl Held {
    fn report(&self, key: &PrivateKey, outcome: &Outcome) -> Report {
        Report {
            command_id: self.id.clone(),
            ended_at: 2,
            gate: key.public_key().to_openssh().unwrap(),
            outcome: outcome.clone(),
            purpose: ReportPurpose::Report,
            released: Some(Delivery {
                at: 1,
                bytes: self.item.bytes,
                input: None,
                item_sha256: Some(Digest::of(self.item.text().unwrap().as_bytes())),
                session_id: self.session.clone(),
                sha256: self.item.sha256,
            }),
            version: 1,
        }
    }

    fn signed(&self, key: &PrivateKey, outcome: &Outcome) -> SignedText {
        sign(key, REPORT_NAMESPACE, self.report(key, outcome).text().unwrap())
    }
}

fn submit(w: &mut World, submission: Submission) -> Result<CommandId, Refusal> {
    match w.run(|state, now| state.submit(GATE, 1, submission, now))? {
        GateEvent::Submitted { id, .. } => Ok(id),
        other => panic!("{other:?}"),
    }
}

/// A command of a gate with that key that was released.
fn released(w: &mut World, key: &PrivateKey, command: &str) -> Held {
    let session = w.session();
    let (asked, item) = stated(submission(&session, command), key);
    let id = submit(w, asked).unwrap();
    w.decide(&peer("boss2", Role::Reviewer), &id, true).unwrap();
    w.release(&id, &session, command).unwrap();
    Held { id, session, item }
}

fn finish(
    w: &mut World,
    held: &Held,
    outcome: &Outcome,
    report: Option<SignedText>,
) -> Result<(), Refusal> {
    let what = (outcome.clone(), report);
    w.run(|state, now| state.finished(GATE, &held.id, what, now))
}

fn entry(w: &World, id: &CommandId, kind: &str) -> Value {
    let entries = w.entries();
    entries[id.as_str()].iter().find(|(k, _)| k == kind).unwrap().1.clone()
}

#[test]
fn a_report_is_kept_as_the_gate_signed_it_and_a_made_up_one_is_not() {
    let (own, other) = (key(1), key(2));
    let outcome = Outcome { exit_status: Some(7), ..Outcome::default() };
    let better = Outcome { exit_status: Some(0), ..Outcome::default() };
    let mut w = World::new();
    let held = released(&mut w, &own, "uptime");
    let submitted = entry(&w, &held.id, "command_submitted");
    assert!(submitted["gate_fingerprint"].as_str().unwrap().starts_with("SHA256:"));
    let before = w.disk.len();
    let another = released(&mut w, &own, "id");
    let written = w.disk.len();
    let mut torn = held.signed(&own, &outcome);
    torn.statement = torn.statement.replace("\"exit_status\":7", "\"exit_status\":0");
    let elsewhere = Report { command_id: another.id.clone(), ..held.report(&own, &outcome) };
    let mut moved = held.report(&own, &outcome);
    moved.released.as_mut().unwrap().session_id = another.session.clone();
    let mut of_other_item = held.report(&own, &outcome);
    of_other_item.released.as_mut().unwrap().item_sha256 = Some(Digest::of(b"x"));
    let own_report = |report: Report| sign(&own, REPORT_NAMESPACE, report.text().unwrap());
    let refused = [
        ("none", outcome.clone(), None),
        ("changed", outcome.clone(), Some(torn.clone())),
        ("changed with its outcome", better.clone(), Some(torn)),
        ("about another outcome", better, Some(held.signed(&own, &outcome))),
        ("by another key", outcome.clone(), Some(held.signed(&other, &outcome))),
        (
            "in the name of another key",
            outcome.clone(),
            Some(sign(&other, REPORT_NAMESPACE, held.report(&own, &outcome).text().unwrap())),
        ),
        (
            "for another purpose",
            outcome.clone(),
            Some(sign(&own, ITEM_NAMESPACE, held.report(&own, &outcome).text().unwrap())),
        ),
        ("of another command", outcome.clone(), Some(another.signed(&own, &outcome))),
        ("with another command", outcome.clone(), Some(own_report(elsewhere))),
        ("of another session", outcome.clone(), Some(own_report(moved))),
        ("of another item", outcome.clone(), Some(own_report(of_other_item))),
    ];
    for (what, outcome, report) in refused {
        let refusal = finish(&mut w, &held, &outcome, report).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::NotEntitled, "{what}");
        assert_eq!(w.disk.len(), written, "{what} was stored");
        assert_eq!(w.state.commands.get(&held.id).unwrap().view.state, CommandState::Released);
    }
    assert!(before < written);
    let report = held.signed(&own, &outcome);
    finish(&mut w, &held, &outcome, Some(report.clone())).unwrap();
    let finished = entry(&w, &held.id, "finished");
    assert_eq!(finished["report"]["statement"], report.statement);
    assert_eq!(finished["report"]["signature"], report.signature);
    assert_eq!(finished["exit_status"], 7);
}

#[test]
fn an_item_that_its_gate_has_not_signed_is_refused() {
    let own = key(1);
    let mut w = World::new();
    let session = w.session();
    let asked = || submission(&session, "uptime");
    let (good, item) = stated(asked(), &own);
    let (of_other, _) = stated(submission(&session, "id"), &own);
    let signed = good.item.clone().unwrap();
    let with = |item: SignedText| Submission { item: Some(item), ..asked() };
    let changed = signed.statement.replace("\"cwd\":\"~\"", "\"cwd\":\"/\"");
    let written = w.disk.len();
    for (what, asked) in [
        ("of another command", with(of_other.item.unwrap())),
        ("by another key", with(sign(&key(2), ITEM_NAMESPACE, item.text().unwrap()))),
        ("changed", with(SignedText { statement: changed, ..signed.clone() })),
        ("no statement", with(sign(&own, ITEM_NAMESPACE, "{}".to_owned()))),
        ("somewhere else", Submission { cwd: "/".into(), ..good.clone() }),
        (
            "with other variables",
            Submission { env: vec![("A".into(), "b".into())], ..good.clone() },
        ),
    ] {
        let refusal = submit(&mut w, asked).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::NotEntitled, "{what}");
        assert_eq!(w.disk.len(), written, "{what} was stored");
    }
    submit(&mut w, good).unwrap();
}

#[test]
fn a_gate_is_known_by_its_first_key() {
    let (own, other) = (key(1), key(2));
    let mut w = World::new();
    let new = NewPrincipal {
        name: "edge".into(),
        role: Role::Gate,
        public_key: None,
        owner: None,
        unix_user: None,
    };
    let added =
        w.run(|s, now| s.add_principal(&peer("root", Role::Owner), new, Some("hash".into()), now));
    assert!(matches!(added.unwrap(), Changed::Done(_)));
    w.state.gate_came(GATE, "edge");
    let held = released(&mut w, &own, "uptime");
    assert_eq!(entry(&w, &held.id, "command_submitted")["gate"], "edge");
    let known: Vec<Value> = w
        .disk
        .iter()
        .filter_map(|write| match write {
            Write::Audit { line, .. } => serde_json::from_str::<Value>(line).ok(),
            _ => None,
        })
        .filter(|entry| entry["kind"] == "gate_key_added")
        .collect();
    assert_eq!(known.len(), 1);
    assert_eq!(known[0]["principal"], "edge");
    let kept = |write: &Write| matches!(write, Write::PrincipalBody { body, .. } if body.as_str().contains("ssh-ed25519"));
    assert_eq!(w.disk.iter().filter(|write| kept(write)).count(), 1);
    // With its token, but not with its key.
    for key in [None, Some(&other)] {
        let session = w.session();
        let asked = submission(&session, "id");
        let asked = key.map_or(asked.clone(), |key| stated(asked, key).0);
        let refusal = submit(&mut w, asked).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::NotEntitled);
    }
    released(&mut w, &own, "id");
}

#[test]
fn another_gate_says_nothing_of_a_command() {
    let own = key(1);
    let mut w = World::new();
    let (mallory, again) = (GateId(8), GateId(9));
    w.state.gate_came(GATE, "edge");
    w.state.gate_came(mallory, "mallory");
    let held = released(&mut w, &own, "uptime");
    let outcome = Outcome { exit_status: Some(0), ..Outcome::default() };
    let report = held.signed(&own, &outcome);
    let what = || (outcome.clone(), Some(report.clone()));
    // While it runs, even with the report of the gate that holds it.
    let refusal = w.run(|s, now| s.finished(mallory, &held.id, what(), now)).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::NotEntitled);
    let view = w.state.commands.get(&held.id).unwrap().view.clone();
    w.run(|s, now| s.gate_gone(GATE, now)).unwrap();
    w.state.gate_went(GATE);
    w.state.gate_came(again, "edge");
    let view = expacti_protocol::command::CommandView { state: CommandState::Unknown, ..view };
    let lines: Vec<(u64, String)> = w
        .disk
        .iter()
        .filter_map(|write| match write {
            Write::Audit { seq, line, .. } => Some((*seq, line.clone())),
            _ => None,
        })
        .filter(|(_, line)| line.contains(held.id.as_str()))
        .collect();
    // And when nobody knows how it ended.
    let late = |w: &mut World, gate, what: (Outcome, Option<SignedText>)| {
        let (view, lines) = (view.clone(), lines.clone());
        w.run(|s: &mut State, now| {
            let holder = s.late_holder(gate, &lines)?;
            s.finished_after_all(view, holder, what, now)
        })
    };
    for (gate, what) in [
        (mallory, what()),
        (GATE, what()),
        (again, (outcome.clone(), None)),
        (again, (outcome.clone(), Some(held.signed(&key(2), &outcome)))),
    ] {
        let refusal = late(&mut w, gate, what).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::NotEntitled);
    }
    late(&mut w, again, what()).unwrap();
    assert_eq!(entry(&w, &held.id, "finished")["report"]["signature"], report.signature);
}

#[test]
fn a_report_that_would_tell_a_secret_is_not_written_down() {
    let own = key(1);
    let outcome = Outcome { exit_status: Some(0), ..Outcome::default() };
    let mut w = World::new();
    let session = w.session();
    let plain = submission(&session, "hunter2");
    let typed = Submission {
        kind: ItemKind::Line,
        interactive: Some(Interactive {
            label: PromptLabel::NoEcho,
            foreground: None,
            secret: true,
            grantable: false,
        }),
        ..plain
    };
    let (asked, item) = stated(typed, &own);
    let id = submit(&mut w, asked).unwrap();
    w.decide(&peer("boss2", Role::Reviewer), &id, true).unwrap();
    w.release(&id, &session, "hunter2").unwrap();
    let held = Held { id, session, item };
    finish(&mut w, &held, &outcome, Some(held.signed(&own, &outcome))).unwrap();
    let finished = entry(&w, &held.id, "finished");
    assert!(finished.get("report").is_none(), "{finished}");
    // Nor is one that says it in words.
    let held = released(&mut w, &own, "mysql -u root -pS3cr-et9x");
    let lost = Outcome::unknown("lost mysql -u root -pS3cr-et9x");
    finish(&mut w, &held, &lost, Some(held.signed(&own, &lost))).unwrap();
    assert!(entry(&w, &held.id, "unknown").get("report").is_none());
    let digest = Digest::of(b"hunter2").to_string();
    for write in &w.disk {
        if let Write::Audit { line, .. } = write {
            assert!(!line.contains("S3cr-et9x") && !line.contains(&digest), "{line}");
        }
    }
}

#[test]
fn a_signature_of_a_person_is_kept_only_if_it_is_one_of_exactly_this() {
    let (own, person) = (key(1), key(5));
    let mut w = World::new();
    let session = w.session();
    let held = |w: &mut World, command: &str| {
        let (asked, item) = stated(submission(&session, command), &own);
        (submit(w, asked).unwrap(), item)
    };
    let decision =
        |item: &Item| Decision::allowing(vec![Allowed::new(item.clone())]).text().unwrap();
    let (id, item) = held(&mut w, "uptime");
    let (_, other) = held(&mut w, "id");
    let good = sign(&person, DECISION_NAMESPACE, decision(&item));
    let with = |signed: &SignedText, allow| DecisionMessage {
        statement: Some(signed.statement.clone()),
        signature: Some(signed.signature.clone()),
        ..message(&id, allow)
    };
    let reviewer = peer("boss2", Role::Reviewer);
    let written = w.disk.len();
    for (what, signed) in [
        ("of another command", sign(&person, DECISION_NAMESPACE, decision(&other))),
        ("for another purpose", sign(&person, ITEM_NAMESPACE, decision(&item))),
        ("torn", SignedText { statement: decision(&other), ..good.clone() }),
        ("made up", SignedText { signature: "x".to_owned(), ..good.clone() }),
        ("no statement", sign(&person, DECISION_NAMESPACE, "{}".to_owned())),
    ] {
        let refused = w.run(|s, now| s.decide(&reviewer, &with(&signed, true), now)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NotEntitled, "{what}");
        assert_eq!(w.disk.len(), written, "{what} was stored");
    }
    w.run(|s, now| s.decide(&reviewer, &with(&good, true), now)).unwrap();
    assert_eq!(entry(&w, &id, "decision")["signed"][0]["signature"], good.signature);
    // A denial needs none, and keeps none.
    let (denied, _) = held(&mut w, "whoami");
    let message = DecisionMessage { id: denied.clone(), ..with(&good, false) };
    w.run(|s, now| s.decide(&reviewer, &message, now)).unwrap();
    assert!(entry(&w, &denied, "decision").get("signed").is_none());
}
