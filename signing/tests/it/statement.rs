//! What a statement says, how it is written, and whether what a broker shows is what it is about.

use expacti_protocol::command::{CommandText, CommandView, Submission};
use expacti_protocol::digest::Digest;
use expacti_protocol::input::InputRef;
use expacti_protocol::session::SessionInfo;
use expacti_signing::{
    Allowed, Decision, Item, Limits, MAX_DECISIONS, MAX_STATEMENT, SigningKey, StatementError, Via,
    allow,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::keygen::{Dir, person};

const COMMAND: &str = "cat > notes";

fn session() -> Value {
    json!({
        "agent": "bot", "owner": "carol", "target": "web-1", "host": "web-1.example.com",
        "port": 22, "user": "deploy", "reason": "deploy 7", "program": ["bot", "--token=x"],
        "client": "SSH-2.0-x", "host_key": "known_hosts", "isolation": "namespace",
        "with": ["docker"],
    })
}

/// A submission with all fields.
fn submission() -> Value {
    json!({
        "session_id": "sess_01h455vb4pex5vsknk084sn02q",
        "kind": "line",
        "parent": "cmd_01h455vb4pex5vsknk084sn02q",
        "command": COMMAND,
        "sha256": Digest::of(COMMAND.as_bytes()),
        "cwd": "/srv",
        "shell": "bash",
        "pty": {"term": "xterm", "cols": 80, "rows": 24},
        "env": [["LANG", "C"]],
        "dropped_env": ["LD_PRELOAD"],
        "notes": ["careful"],
        "ready": true,
        "interactive": {"label": "cooked", "foreground": "psql -U x", "secret": false, "grantable": true},
        "preview": "a diff",
    })
}

fn held() -> Item {
    let submission: Submission = serde_json::from_value(submission()).unwrap();
    let info: SessionInfo = serde_json::from_value(session()).unwrap();
    let gate = "ssh-ed25519 AAAA".to_owned();
    Item::of(&submission, COMMAND.len(), &info, gate, [7; 32], 1_900_000_000)
}

/// What a broker shows of it.
fn shown() -> Value {
    let mut view = submission();
    let more = json!({
        "id": "cmd_01h455vb4pex5vsknk084sn02r", "revision": 1, "state": "pending", "timestamp": 1,
        "risk_score": 10, "level": "LOW", "anomaly": false, "anomaly_reasons": [],
        "session": session(), "stdin": "data", "rule_why": "", "deadline_ms": 1, "timeout_seconds": 60,
        "requirement": {
            "policy": null, "kind": "any", "min": 1, "group": [], "role": null,
            "timeout_seconds": 60, "escalate_after_seconds": null, "escalate_to": [], "why": "",
        },
        "votes": [], "approvals_missing": 1, "may_decide": [], "retry_of_denied": false,
        "item": {"statement": held().text().unwrap(), "signature": "x"},
    });
    view.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    view
}

fn view(value: &Value) -> CommandView {
    serde_json::from_value(value.clone()).unwrap()
}

/// What a broker could show instead, and what differs then.
fn lies() -> Vec<(Value, &'static str)> {
    let bytes = CommandText::new(&[COMMAND.as_bytes(), b"\xff"].concat());
    let exact = bytes.command_base64.unwrap();
    let lies = [
        ("/command", json!("uptime"), "the command"),
        ("/sha256", json!(Digest::of(b"uptime")), "the command"),
        ("/kind", json!("exec"), "its kind"),
        ("/session_id", json!("sess_01h455vb4pex5vsknk084sn02r"), "the session"),
        ("/session/agent", json!("other"), "the session"),
        ("/session/owner", json!("bob"), "the session"),
        ("/session/owner", Value::Null, "the session"),
        ("/session/target", json!("test"), "the session"),
        ("/session/host", json!("test"), "the session"),
        ("/session/port", json!(2222), "the session"),
        ("/session/user", json!("nobody"), "the session"),
        ("/session/reason", json!("nothing"), "the session"),
        ("/session/host_key", json!("accept-new"), "the session"),
        ("/session/isolation", json!("path-only"), "the session"),
        ("/session/with", json!([]), "the session"),
        ("/cwd", json!("/tmp"), "the directory"),
        ("/shell", json!("dash"), "the shell"),
        ("/shell", Value::Null, "the shell"),
        ("/pty", Value::Null, "the terminal"),
        ("/pty/cols", json!(1), "the terminal"),
        ("/env", json!([]), "the environment"),
        ("/dropped_env", json!([]), "the environment"),
        ("/interactive/label", json!("verified"), "where it goes"),
        ("/interactive/foreground", json!("bash"), "where it goes"),
        ("/interactive/secret", json!(true), "where it goes"),
        ("/interactive/grantable", json!(false), "where it goes"),
        ("/interactive", Value::Null, "where it goes"),
        ("/parent", Value::Null, "the command that it is input of"),
        ("/preview", json!("another"), "the preview"),
        ("/preview", Value::Null, "the preview"),
        ("/notes", json!([]), "a note"),
        ("/notes", json!(["harmless"]), "a note"),
    ];
    let mut all: Vec<(Value, &str)> = Vec::new();
    for (pointer, value, what) in lies {
        let mut lie = shown();
        *lie.pointer_mut(pointer).unwrap() = value;
        all.push((lie, what));
    }
    // The exact bytes, with another text to read.
    for (text, base64) in
        [("uptime", CommandText::new(b"\xff").command_base64.unwrap()), ("x", exact)]
    {
        let mut lie = shown();
        lie["command"] = json!(text);
        lie["command_base64"] = json!(base64);
        all.push((lie, "the command"));
    }
    all
}

#[test]
fn what_a_broker_shows_is_compared_field_by_field() {
    let held = held();
    assert_eq!(held.is_shown_by(&view(&shown())), Ok(()));
    for (lie, what) in lies() {
        assert_eq!(held.is_shown_by(&view(&lie)), Err(StatementError::Differs(what)), "{lie}");
    }
    // A broker may say more, and what was not known to the gate.
    let mut more = shown();
    more["notes"] = json!(["careful", "more"]);
    more["session"]["client"] = json!("another");
    assert_eq!(held.is_shown_by(&view(&more)), Ok(()));
    // But not in front of it: a screen shows only so many.
    more["notes"] = json!(["more", "careful"]);
    assert_eq!(held.is_shown_by(&view(&more)), Err(StatementError::Differs("a note")));
}

#[test]
fn a_text_to_read_is_that_of_the_bytes() {
    let bytes = b"printf '\xff'";
    let text = CommandText::new(bytes);
    let mut held = held();
    (held.bytes, held.sha256) = (bytes.len() as u64, Digest::of(bytes));
    let mut value = shown();
    value["sha256"] = json!(held.sha256);
    value["command"] = json!(text.command);
    value["command_base64"] = json!(text.command_base64);
    assert_eq!(held.is_shown_by(&view(&value)), Ok(()));
    value["command"] = json!("printf ''");
    assert_eq!(held.is_shown_by(&view(&value)), Err(StatementError::Differs("the command")));
}

#[tokio::test]
async fn nothing_is_signed_that_is_not_what_was_shown() {
    let dir = Dir::new();
    let key = SigningKey::load_via(&dir.key("key", &["-t", "ed25519"]), Via::default()).unwrap();
    let none = Limits::default();
    let signed = allow(&key, &none, &view(&shown())).await.unwrap();
    let list = format!("alice {}\n", dir.public("key"));
    let found = person(&list, &signed.signature, signed.statement.as_bytes());
    assert_eq!(found, Ok("alice".to_owned()));
    assert!(dir.verifies(&list, "alice", &signed.signature, signed.statement.as_bytes(), &[]));
    let decision = Decision::parse(&signed.statement).unwrap();
    assert_eq!(decision.decisions, [Allowed::new(held())]);
    for (lie, what) in lies() {
        let refused = allow(&key, &none, &view(&lie)).await.unwrap_err();
        assert!(refused.contains(what) && refused.contains("do not trust"), "{refused}");
    }
    let mut without = shown();
    without["item"] = Value::Null;
    assert!(allow(&key, &none, &view(&without)).await.is_err());
}

#[tokio::test]
async fn standard_input_is_signed_as_it_was_shown() {
    let dir = Dir::new();
    let key = SigningKey::load_via(&dir.key("key", &["-t", "ed25519"]), Via::default()).unwrap();
    let given = InputRef { bytes: 2, sha256: Digest::of(b"ls"), ended: true };
    let came = |text: Value, preview: Value| {
        let mut view = shown();
        view["input"] = json!({"use": "code", "came": {
            "bytes": 2, "sha256": given.sha256, "ended": true,
            "kind": "text", "text": text, "preview": preview,
        }});
        view
    };
    let allow = async |input, view: Value| {
        let limits = Limits { input, ..Limits::default() };
        allow(&key, &limits, &self::view(&view)).await
    };
    let signed = allow(Some(given), came(json!("ls"), json!([]))).await.unwrap();
    assert_eq!(Decision::parse(&signed.statement).unwrap().decisions[0].input, Some(given));
    let signed = allow(None, came(json!("ls"), json!([]))).await.unwrap();
    assert_eq!(Decision::parse(&signed.statement).unwrap().decisions[0].input, None);
    // Of what is no text there is only a description, which is the broker's: not for what may run it.
    for (text, preview) in [(Value::Null, json!(["a file"])), (json!("id"), json!(["has NUL"]))] {
        let refused = allow(Some(given), came(text, preview)).await.unwrap_err();
        assert!(refused.contains("cannot be shown as it is"), "{refused}");
    }
    let lie = allow(Some(given), came(json!("id"), json!([]))).await.unwrap_err();
    assert!(lie.contains("do not trust this broker"), "{lie}");
    let lie = allow(Some(given), came(json!("id"), json!(["x"]))).await;
    assert!(lie.is_err(), "signed though another text was shown");
    for other in [
        InputRef { bytes: 3, ..given },
        InputRef { sha256: Digest::of(b"id"), ..given },
        InputRef { ended: false, ..given },
    ] {
        let refused = allow(Some(other), came(json!("ls"), json!([]))).await.unwrap_err();
        assert!(refused.contains("other standard input"), "{refused}");
    }
    assert!(allow(Some(given), shown()).await.is_err());
}

#[test]
fn statements_are_read_only_as_they_are_written() {
    let item = held().text().unwrap();
    assert_eq!(Item::parse(&item), Ok(held()));
    let decision = Decision::allowing(vec![Allowed::new(held())]);
    let text = decision.text().unwrap();
    // What docs/SIGNING.md says.
    let said = format!(
        "{{\"decisions\":[{{\"decision\":\"allow\",\"item\":{item}}}],\
         \"purpose\":\"expacti-decision\",\"version\":1}}"
    );
    assert_eq!(text, said);
    assert_eq!(Decision::parse(&text), Ok(decision));
    assert!(Item::parse(&text).is_err() && Decision::parse(&item).is_err());
    for (from, to) in [
        ("\"port\":22", "\"port\":22.0"),
        ("\"port\":22", "\"port\":022"),
        ("\"port\":22", "\"port\": 22"),
        ("\"port\":22", "\"port\":22,\"port\":22"),
        ("\"port\":22", "\"port\":23,\"port\":22"),
        ("\"port\":22", "\"port\":22,\"x\":null"),
        ("\"purpose\":\"expacti-item\"", "\"purpose\":\"expacti-decision\""),
        ("\"version\":1", "\"version\":2"),
        ("\"version\":1", "\"version\":1,\"zone\":1"),
        ("\"shell\":\"bash\"", "\"shell\":\"unknown\""),
        ("\"shell\":\"bash\"", "\"shell\":null"),
        ("bot", "\\u0062ot"),
        ("0707", "0707 "),
    ] {
        let other = item.replacen(from, to, 1);
        assert_ne!(other, item, "{from}");
        assert!(Item::parse(&other).is_err(), "{to}");
        let other = said.replacen(&item, &other, 1);
        assert!(Decision::parse(&other).is_err(), "{to}");
    }
    let upper = item.replacen(&Digest::of(COMMAND.as_bytes()).to_string(), &"AB".repeat(32), 1);
    assert_eq!(Item::parse(&upper), Err(StatementError::NotCanonical));
}

#[test]
fn statements_have_a_longest() {
    let many = vec![Allowed::new(held()); MAX_DECISIONS];
    let text = Decision::allowing(many.clone()).text().unwrap();
    assert!(Decision::parse(&text).is_ok());
    let more = [many, vec![Allowed::new(held())]].concat();
    assert_eq!(Decision::allowing(more).text(), Err(StatementError::TooLong));
    let mut long = held();
    long.cwd = "x".repeat(MAX_STATEMENT);
    assert_eq!(long.text(), Err(StatementError::TooLong));
    assert_eq!(Item::parse(&" ".repeat(MAX_STATEMENT + 1)), Err(StatementError::TooLong));
}

proptest! {
    #[test]
    fn any_text_in_a_statement_comes_back(
        cwd in any::<String>(),
        user in any::<String>(),
        env in prop::collection::vec((any::<String>(), any::<String>()), 0..3),
        bytes in 0..1_u64 << 53,
    ) {
        let mut item = held();
        item.cwd = cwd;
        item.session.user = user;
        item.env = env;
        item.bytes = bytes;
        let text = item.text().unwrap();
        prop_assert_eq!(Item::parse(&text), Ok(item.clone()));
        let decision = Decision::allowing(vec![Allowed::new(item)]);
        let text = decision.text().unwrap();
        prop_assert_eq!(Decision::parse(&text), Ok(decision));
    }
}

#[test]
fn notes_of_the_broker_do_not_push_out_those_of_the_gate() {
    let mut view = shown();
    let own: Vec<String> = serde_json::from_value(view["notes"].clone()).unwrap();
    let mut notes: Vec<String> = (0..20).map(|n| format!("harmless {n}")).collect();
    notes.extend(own);
    view["notes"] = json!(notes);
    // The screen shows the first 20.
    assert!(held().is_shown_by(&self::view(&view)).is_err(), "signed without the gate's own notes");
}
