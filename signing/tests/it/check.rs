//! What people signed against what is delivered.

use expacti_protocol::command::Grant;
use expacti_protocol::digest::Digest;
use expacti_protocol::input::{InputGrant, InputRef};
use expacti_protocol::signed::SignedText;
use expacti_signing::{
    Allowed, Decision, Item, Limits, MAX_STATEMENTS, Need, Person, Reason, Refused, Signers,
    approve,
};
use serde_json::json;

use crate::keygen::{Dir, NAMESPACE, now, signers};

/// An item of an agent that carol answers for.
pub fn item(command: &str) -> Item {
    let sha256 = Digest::of(command.as_bytes());
    serde_json::from_value(json!({
        "bytes": command.len(),
        "challenge": Digest::of(&[command.as_bytes(), b"challenge"].concat()),
        "cwd": "/srv",
        "dropped_env": [],
        "env": [["LANG", "C"]],
        "gate": "ssh-ed25519 AAAA",
        "kind": "exec",
        "made_at": 1_900_000_000,
        "notes_sha256": [Digest::of(b"a note")],
        "purpose": "expacti-item",
        "session": {
            "agent": "bot", "owner": "carol", "target": "web-1", "host": "web-1.example.com",
            "port": 22, "user": "deploy", "reason_sha256": null, "host_key": null, "isolation": null,
            "with": [],
        },
        "session_id": "sess_01h455vb4pex5vsknk084sn02q",
        "sha256": sha256,
        "version": 1,
    }))
    .unwrap()
}

/// Three people with a key each, and the list of them.
pub struct People {
    dir: Dir,
    pub signers: Signers,
}

impl People {
    pub fn new() -> Self {
        let dir = Dir::new();
        let mut list = String::new();
        for name in ["alice", "bob", "carol"] {
            dir.key(name, &["-t", "ed25519"]);
            list += &format!("{name} {}\n", dir.public(name));
        }
        Self { dir, signers: signers(&list) }
    }

    pub fn signs(&self, name: &str, statement: &str) -> SignedText {
        let signature = self.dir.sign(name, NAMESPACE, statement.as_bytes());
        SignedText { statement: statement.to_owned(), signature }
    }

    fn allows(&self, name: &str, allowed: Allowed) -> SignedText {
        self.signs(name, &Decision::allowing(vec![allowed]).text().unwrap())
    }
}

pub fn need(signatures: u8) -> Need {
    Need { signatures, by: Vec::new(), touch: false, verify: false }
}

fn names(found: Result<Vec<Person>, Refused>) -> Vec<String> {
    found.unwrap().into_iter().map(|person| person.name).collect()
}

/// Why each statement was left out.
fn reasons(found: Result<Vec<Person>, Refused>) -> Vec<Reason> {
    match found.unwrap_err() {
        Refused::NotEnough { left_out, .. } => left_out.into_iter().map(|out| out.reason).collect(),
        other => panic!("{other}"),
    }
}

#[test]
fn enough_people_allow_an_item() {
    let people = People::new();
    let item = item("uptime");
    let check = |needs: &[Need], signed: &[SignedText]| {
        approve(needs, &item, &Limits::default(), signed, &people.signers, now())
    };
    let by = |name: &str| people.allows(name, Allowed::new(item.clone()));
    assert_eq!(names(check(&[need(1)], &[by("alice")])), ["alice"]);
    assert_eq!(names(check(&[need(2)], &[by("alice"), by("bob")])), ["alice", "bob"]);
    assert_eq!(names(check(&[], &[])), Vec::<String>::new());
    // One person is one person, and the owner of the agent is none.
    let refused = check(&[need(2)], &[by("alice"), by("alice"), by("carol")]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "needs 2 signatures; has 1 (alice); carol answers for the agent and does not count"
    );
    assert_eq!(names(check(&[need(1)], &[by("carol"), by("bob")])), ["bob"]);
    let many = vec![by("alice"); MAX_STATEMENTS + 1];
    assert_eq!(check(&[need(1)], &many), Err(Refused::TooMany(MAX_STATEMENTS + 1)));
    assert!(check(&[need(1)], &many[1..]).is_ok());
}

#[test]
fn one_statement_may_allow_several_items() {
    let people = People::new();
    let (one, two) = (item("one"), item("two"));
    let both = vec![Allowed::new(one.clone()), Allowed::new(two.clone())];
    let signed = [people.signs("alice", &Decision::allowing(both).text().unwrap())];
    let check = |item: &Item| {
        approve(&[need(1)], item, &Limits::default(), &signed, &people.signers, now())
    };
    assert_eq!(names(check(&one)), ["alice"]);
    assert_eq!(names(check(&two)), ["alice"]);
    assert_eq!(reasons(check(&item("three"))), [Reason::OtherItem]);
}

#[test]
fn any_other_field_is_another_item() {
    let people = People::new();
    let held = item("uptime");
    let signed = [people.allows("alice", Allowed::new(held.clone()))];
    let check = |item: &Item| {
        approve(&[need(1)], item, &Limits::default(), &signed, &people.signers, now())
    };
    let changes: &[fn(&mut Item)] = &[
        |item| item.bytes += 1,
        |item| item.cwd.push('/'),
        |item| item.dropped_env.push("A".to_owned()),
        |item| item.env.clear(),
        |item| item.gate.push('A'),
        |item| item.kind = expacti_protocol::command::ItemKind::Line,
        |item| item.made_at += 1,
        |item| item.notes_sha256.clear(),
        |item| item.preview_sha256 = Some(Digest::of(b"")),
        |item| item.session.target.push('2'),
        |item| item.session.host.push('2'),
        |item| item.session.user = "root".to_owned(),
        |item| item.session.owner = None,
        |item| item.session.reason_sha256 = Some(Digest::of(b"x")),
        |item| item.session_id = "sess_01h455vb4pex5vsknk084sn02r".parse().unwrap(),
        |item| item.sha256 = Digest::of(b""),
    ];
    for (at, change) in changes.iter().enumerate() {
        let mut other = held.clone();
        change(&mut other);
        assert_eq!(reasons(check(&other)), [Reason::Differs], "change {at}");
    }
    let mut other = held.clone();
    other.challenge = Digest::of(b"another");
    assert_eq!(reasons(check(&other)), [Reason::OtherItem]);
    // The same item again, later, has another challenge.
    assert_eq!(names(check(&held)), ["alice"]);
}

#[test]
fn what_is_delivered_is_at_most_what_each_signed() {
    let people = People::new();
    let held = item("cat > file");
    let (few, more) = (Grant { seconds: 60, bytes: 100 }, Grant { seconds: 60, bytes: 101 });
    let (flow, longer) =
        (InputGrant { seconds: 60, bytes: 100 }, InputGrant { seconds: 61, bytes: 100 });
    let input = InputRef { bytes: 3, sha256: Digest::of(b"abc"), ended: true };
    let open = InputRef { ended: false, ..input };
    let limits = |grant, input, input_grant| Limits { grant, input, input_grant };
    let all = limits(Some(few), Some(input), Some(flow));
    let none = Limits::default();
    for (signed, delivered, expected) in [
        (all, all, None),
        (none, none, None),
        // Less is delivered than what may be.
        (all, limits(None, Some(input), None), None),
        (limits(Some(more), None, Some(longer)), limits(Some(few), None, Some(flow)), None),
        // More, or where nothing was signed.
        (limits(Some(few), None, None), limits(Some(more), None, None), Some(Reason::Grant)),
        (none, limits(Some(few), None, None), Some(Reason::Grant)),
        (
            limits(None, None, Some(flow)),
            limits(None, None, Some(longer)),
            Some(Reason::InputGrant),
        ),
        (none, limits(None, None, Some(flow)), Some(Reason::InputGrant)),
        // Input is what was seen, neither more nor less.
        (none, limits(None, Some(input), None), Some(Reason::Input)),
        (limits(None, Some(input), None), none, Some(Reason::Input)),
        (limits(None, Some(input), None), limits(None, Some(open), None), Some(Reason::Input)),
    ] {
        let Limits { grant, input, input_grant } = signed;
        let allowed = Allowed { grant, input, input_grant, ..Allowed::new(held.clone()) };
        let signatures = [people.allows("alice", allowed)];
        let found = approve(&[need(1)], &held, &delivered, &signatures, &people.signers, now());
        match expected {
            None => assert_eq!(names(found), ["alice"], "{signed:?} {delivered:?}"),
            Some(reason) => assert_eq!(reasons(found), [reason], "{signed:?} {delivered:?}"),
        }
    }
    // The smallest counts: bob signed no keys.
    let granting = Allowed { grant: Some(few), ..Allowed::new(held.clone()) };
    let both = [people.allows("alice", granting), people.allows("bob", Allowed::new(held.clone()))];
    let check =
        |delivered: &Limits| approve(&[need(2)], &held, delivered, &both, &people.signers, now());
    assert!(check(&none).is_ok());
    let refused = check(&limits(Some(few), None, None)).unwrap_err().to_string();
    let expected = "needs 2 signatures; has 1 (alice); the signature of bob does not count: it \
                    allows fewer keys to pass than would";
    assert_eq!(refused, expected);
}

#[test]
fn statements_that_do_not_hold_are_told_and_left_out() {
    let people = People::new();
    let held = item("uptime");
    let text = Decision::allowing(vec![Allowed::new(held.clone())]).text().unwrap();
    let twice = vec![Allowed::new(held.clone()); 2];
    let twice = Decision::allowing(twice).text().unwrap();
    let good = people.signs("bob", &text);
    let SignedText { signature, .. } = people.signs("alice", &text);
    let other = people.signs("alice", &text.replace("deploy", "root"));
    let namespace = people.dir.sign("alice", "file", text.as_bytes());
    for (statement, signature, expected) in [
        (text.replace(':', ": "), None, "not in canonical form"),
        (text.replace("\"version\":1}", "\"version\":2}"), None, "version"),
        (text.replace("\"version\":1}", "\"version\":1,\"x\":1}"), None, "unknown field"),
        (text.replace("\"allow\"", "\"deny\""), None, "unknown variant"),
        (text.replace("\"user\":", "\"usar\":"), None, "unknown field"),
        (held.text().unwrap(), None, "no statement"),
        (twice, None, "more than once"),
        (String::new(), None, "no statement"),
        (format!("{text}\n"), Some(signature.clone()), "not one of this text"),
        (text.clone(), Some(String::new()), "no signature"),
        (text.clone(), Some(other.signature.clone()), "not one of this text"),
        (text.clone(), Some(namespace), "made for \"file\""),
    ] {
        let signed = match signature {
            Some(signature) => SignedText { statement, signature },
            None => people.signs("alice", &statement),
        };
        let both = [signed, good.clone()];
        let check = |needs| {
            approve(&[need(needs)], &held, &Limits::default(), &both, &people.signers, now())
        };
        assert_eq!(names(check(1)), ["bob"]);
        let refused = check(2).unwrap_err().to_string();
        assert!(refused.contains(expected), "{expected}: {refused}");
    }
    let stranger = Dir::new();
    stranger.key("eve", &["-t", "ed25519"]);
    let signature = stranger.sign("eve", NAMESPACE, text.as_bytes());
    let signed = [SignedText { statement: text, signature }];
    let found = approve(&[need(1)], &held, &Limits::default(), &signed, &people.signers, now());
    assert!(matches!(reasons(found)[..], [Reason::Signer(_)]));
}
