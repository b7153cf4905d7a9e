//! The reviewer of docs/SIGNING.md, which is `ssh-keygen` and a shell, with a broker that is none.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use expacti_harness::prerequisites;
use expacti_protocol::digest::Digest;
use expacti_protocol::signed::SignedText;
use expacti_signing::{Item, Limits, approve};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::Command;

use crate::check::{item, need};
use crate::keygen::{Dir, now, signers};

const COMMAND: &str = "printf '\u{1b}[2J' \u{202e}\n";
const ID: &str = "cmd_01h455vb4pex5vsknk084sn02q";

/// The path of the script, and whether its programs are here.
fn script() -> Option<PathBuf> {
    prerequisites::command("curl")?;
    prerequisites::command("jq")?;
    Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/signing_reviewer.sh"))
}

/// An item of a gate whose key is `gate`, as the broker shows it.
fn shown(dir: &Dir) -> (Item, Value) {
    let mut item = item(COMMAND);
    item.gate = dir.public("gate");
    let statement = item.text().unwrap();
    let signature = dir.sign("gate", "expacti-item", statement.as_bytes());
    let view = json!({
        "id": ID,
        "command": COMMAND,
        "sha256": item.sha256,
        "input": {"use": "unused"},
        "item": {"statement": statement, "signature": signature},
    });
    (item, view)
}

/// Answers one request, and returns the body of a decision.
async fn answer(stream: UnixStream, view: &Value) -> Option<Value> {
    let mut stream = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        head += &line;
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let path = head.split(' ').nth(1).unwrap();
    let reply = match path.strip_prefix("/v1/").unwrap() {
        "pending" => json!([view, {"id": "\u{1b}[2J"}]),
        path if path == format!("commands/{ID}") => view.clone(),
        path if path == format!("commands/{ID}/decision") => json!({"state": "allowed"}),
        other => panic!("asked for {other}"),
    };
    let text = reply.to_string();
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", text.len());
    stream.write_all((head + &text).as_bytes()).await.unwrap();
    (length > 0).then(|| serde_json::from_slice(&body).unwrap())
}

/// Runs the script, with an answer to its question. Returns what it decided.
async fn review(dir: &Dir, script: &Path, view: &Value, reply: &str) -> (Output, Option<Value>) {
    dir.write("gates", format!("gate namespaces=\"expacti-item\" {}\n", dir.public("gate")));
    let socket = dir.path("broker.sock");
    let _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).unwrap();
    let mut child = Command::new(script)
        .arg(dir.path("alice"))
        .arg(dir.path("gates"))
        .arg("--unix-socket")
        .arg(&socket)
        .env_remove("EXPACTI_BROKER")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(reply.as_bytes()).await.unwrap();
    let mut decision = None;
    let broker = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            decision = answer(stream, view).await.or(decision.take());
        }
    };
    let output = tokio::select! {
        output = child.wait_with_output() => output.unwrap(),
        () = broker => unreachable!(),
    };
    (output, decision)
}

#[tokio::test]
async fn what_it_signs_is_enough_for_the_gate() {
    let Some(script) = script() else { return };
    let dir = Dir::new();
    dir.key("gate", &["-t", "ed25519"]);
    dir.key("alice", &["-t", "ed25519"]);
    let (item, view) = shown(&dir);
    let (output, decision) = review(&dir, &script, &view, "y\n").await;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("\"user\": \"deploy\"") && shown.contains("allowed"), "{shown}");
    // Nothing in it moves the cursor or the text.
    assert!(shown.contains("printf '^[[2J'") && !shown.contains(['\u{1b}', '\u{202e}']), "{shown}");

    let decision = decision.unwrap();
    assert_eq!((&decision["allow"], &decision["sha256"]), (&json!(true), &json!(item.sha256)));
    let text = |name: &str| decision[name].as_str().unwrap().to_owned();
    let signed = [SignedText { statement: text("statement"), signature: text("signature") }];
    let signers = signers(&format!("alice {}\n", dir.public("alice")));
    let people = approve(&[need(1)], &item, &Limits::default(), &signed, &signers, now());
    assert_eq!(people.unwrap()[0].name, "alice");
}

#[tokio::test]
async fn it_signs_nothing_that_the_gate_does_not_hold() {
    let Some(script) = script() else { return };
    let dir = Dir::new();
    dir.key("gate", &["-t", "ed25519"]);
    dir.key("alice", &["-t", "ed25519"]);
    let (_, view) = shown(&dir);
    let with = |pointer: &str, value: Value| {
        let mut other = view.clone();
        *other.pointer_mut(pointer).unwrap() = value;
        other
    };
    let statement = view["item"]["statement"].as_str().unwrap();
    let came = json!({"came": {"bytes": 1, "sha256": Digest::of(b"x"), "ended": true}});
    for (other, reply, expected) in [
        (view.clone(), "n\n", ""),
        (view.clone(), "", ""),
        (with("/command", json!("reboot")), "y\n", "another command than the gate holds"),
        (
            with("/item/statement", json!(statement.replace("deploy", "root"))),
            "y\n",
            "no gate that I know",
        ),
        (with("/item", Value::Null), "y\n", "no gate that I know"),
        (with("/input", came), "y\n", "standard input"),
    ] {
        let (output, decision) = review(&dir, &script, &other, reply).await;
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(decision, None, "{other}");
        assert!(errors.contains(expected), "{expected}: {errors}");
    }
}
