//! A broker whose log goes back or forks, or that does not show it: nothing is delivered on its word.

use std::time::Duration;

use expacti_audit::{Note, NoteKey, Tree, TreeHead, encode_hash, log_origin};
use expacti_gate::LinkStatus;
use expacti_heads::HeadMemory;
use expacti_protocol::gate::GateRequest;
use russh::keys::PrivateKey;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_key::private::Ed25519Keypair;

use crate::broker::{HeadAnswer, Mode};
use crate::trial::{Trial, finish, text, until};

/// The head of a log of these lines, to whoever has seen so many of them.
fn log(lines: &str) -> HeadAnswer {
    let lines: Vec<String> = lines.split(' ').map(str::to_owned).collect();
    let mut tree = Tree::default();
    lines.iter().for_each(|line| tree.append(line.as_bytes()));
    let key = PrivateKey::new(Ed25519Keypair::from_seed(&[7; 32]).into(), "").unwrap();
    let origin = log_origin(lines[0].as_bytes());
    let root = tree.root(tree.size()).unwrap();
    let body = TreeHead { origin: origin.clone(), size: tree.size(), root }.body();
    let signature = key.try_sign(body.as_bytes()).unwrap();
    let public = key.public_key().key_data().ed25519().unwrap().0;
    let signature = signature.as_bytes().try_into().unwrap();
    let line = NoteKey::of_log(&origin, public).line(None, signature);
    let checkpoint = Note { body, signatures: vec![line] }.text();
    let key = key.public_key().to_openssh().unwrap();
    Box::new(move |from| {
        let proof = tree.consistency(from, tree.size());
        let proof = proof.map(|all| all.iter().map(encode_hash).collect::<Vec<_>>());
        let shown = serde_json::json!({"checkpoint": checkpoint, "key": key, "proof": proof});
        Some(shown.to_string())
    })
}

/// A gate that looks at the log that often.
async fn watching(mode: Mode, interval: Duration) -> Option<(Trial, tempfile::TempDir)> {
    let dir = tempfile::tempdir().unwrap();
    let memory = HeadMemory::new(dir.path().join("heads_seen.json"), "the broker".to_owned());
    let configure = |config: &mut expacti_gate::GateConfig| {
        config.heads = Some(memory);
        config.limits.look_at_log = interval;
    };
    Some((Trial::configured(mode, configure, "").await?, dir))
}

fn seen(dir: &tempfile::TempDir) -> u64 {
    let memory = HeadMemory::new(dir.path().join("heads_seen.json"), "the broker".to_owned());
    memory.seen().unwrap().map_or(0, |seen| seen.size)
}

async fn unlinked(t: &Trial) -> String {
    until("the link to be cut", || t.gate.link_status() != LinkStatus::Connected).await;
    match t.gate.link_status() {
        LinkStatus::Disconnected { why } => why,
        LinkStatus::Connected => String::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_forks_while_a_command_is_held_ends_it() {
    let Some((t, dir)) = watching(Mode::Manual, Duration::from_millis(50)).await else { return };
    t.broker.show_heads(log("a b c"));
    until("the head to be seen", || seen(&dir) == 3).await;
    let command = format!("touch {}", t.path("marker").display());
    let child = t.spawn(&["target", &command]);
    t.broker.item(0).await;
    // What only adds to it is nothing to speak of.
    t.broker.show_heads(log("a b c d"));
    until("the head to be seen", || seen(&dir) == 4).await;
    t.broker.show_heads(log("a b x d e"));
    let out = finish(child).await;
    assert_eq!(out.status.code(), Some(79), "{}", text(&out.stderr));
    let why = unlinked(&t).await;
    let both = why.contains("it forks")
        && why.contains("with 5 entries")
        && why.contains("with 4 entries");
    assert!(both, "{why}");
    // A broker that would allow everything gets nothing through, however often the gate looks.
    t.broker.set_mode(Mode::Auto);
    let out = t.run(&["target", &command]).await;
    assert_eq!(out.status.code(), Some(79), "{}", text(&out.stderr));
    let said = text(&out.stderr);
    assert!(said.contains("not the one that this gate has seen"), "{said}");
    assert!(!t.path("marker").exists());
    assert_eq!(seen(&dir), 4, "what was refused was remembered");
    let opened = |r: &&GateRequest| matches!(r, GateRequest::OpenSession { .. });
    assert_eq!(t.broker.log().iter().filter(opened).count(), 1);
    // As it should be, it goes on.
    t.broker.show_heads(log("a b c d e f"));
    tokio::time::timeout(Duration::from_secs(20), t.gate.linked()).await.unwrap();
    let out = t.run(&["target", &command]).await;
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(t.path("marker").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_shows_no_head_any_more_is_left() {
    let Some((t, dir)) = watching(Mode::Auto, Duration::from_millis(50)).await else { return };
    t.broker.show_heads(log("a b c"));
    until("the head to be seen", || seen(&dir) == 3).await;
    t.broker.show_heads(Box::new(|_| None));
    let why = unlinked(&t).await;
    assert!(why.contains("failed to ask for the head"), "{why}");
    let command = format!("touch {}", t.path("marker").display());
    assert_eq!(t.run(&["target", &command]).await.status.code(), Some(79));
    // Nor is what it cannot remember good.
    std::fs::write(dir.path().join("heads_seen.json"), "{").unwrap();
    t.broker.show_heads(log("a b c"));
    until("the gate to say why", || match t.gate.link_status() {
        LinkStatus::Disconnected { why } => why.contains("failed to read the heads"),
        LinkStatus::Connected => panic!("linked without a memory"),
    })
    .await;
    assert_eq!(t.run(&["target", &command]).await.status.code(), Some(79));
    assert!(!t.path("marker").exists());
}
