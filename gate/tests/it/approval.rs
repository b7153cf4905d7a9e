//! What the gate asks for itself, beside a broker that says whatever it likes.

use std::path::Path;
use std::process::Stdio;

use expacti_gate::ApprovalConfig;
use expacti_protocol::command::Grant;
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::{Decision, DecisionKind, GateEvent, GateRequest};
use expacti_protocol::input::{InputGrant, InputRef};
use expacti_protocol::signed::SignedText;
use expacti_signing::{Allowed, DECISION_NAMESPACE, ITEM_NAMESPACE, Requirement, Settings};
use russh::keys::ssh_key::{HashAlg, LineEnding, SshSig};
use russh::keys::{PrivateKey, load_secret_key};
use tokio::io::AsyncWriteExt as _;

use crate::broker::{Broker, Item, Mode};
use crate::trial::{Trial, finish, keygen, text, until};

pub struct People {
    pub alice: PrivateKey,
    pub bob: PrivateKey,
    mallory: PrivateKey,
}

impl People {
    /// Alice and Bob are on the gate's list, Mallory is not.
    fn new(dir: &Path) -> Self {
        let key = |name: &str| {
            let path = dir.join(name);
            keygen(&path, "ed25519");
            load_secret_key(path, None).unwrap()
        };
        Self { alice: key("alice"), bob: key("bob"), mallory: key("mallory") }
    }

    pub fn list(&self, names: &[&str]) -> String {
        let line = |name: &&str| {
            let key = if *name == "alice" { &self.alice } else { &self.bob };
            format!("{name} {}\n", key.public_key().to_openssh().unwrap())
        };
        names.iter().map(line).collect()
    }
}

/// A gate that asks for so many signatures for everything.
pub async fn trial(mode: Mode, signatures: u8) -> Option<(Trial, People, tempfile::TempDir)> {
    requiring(mode, Requirement { signatures, ..Requirement::default() }).await
}

pub async fn requiring(
    mode: Mode,
    requirement: Requirement,
) -> Option<(Trial, People, tempfile::TempDir)> {
    let settings = Settings { require: vec![requirement], ..Settings::default() };
    let (approval, people, dir) = asking(settings);
    let t = Trial::configured(mode, |config| config.approval = Some(approval), "").await?;
    Some((t, people, dir))
}

/// What a gate is told that asks for this, with alice and bob on its list.
pub fn asking(settings: Settings) -> (ApprovalConfig, People, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let people = People::new(dir.path());
    let signers = dir.path().join("allowed_signers");
    std::fs::write(&signers, people.list(&["alice", "bob"])).unwrap();
    let seen = dir.path().join("seen");
    (ApprovalConfig { settings, signers, revoked: None, seen }, people, dir)
}

pub fn marker(t: &Trial) -> String {
    format!("echo ran >> {}", t.path("marker").display())
}

pub fn ran(t: &Trial) -> usize {
    std::fs::read_to_string(t.path("marker")).map_or(0, |s| s.lines().count())
}

/// The item as the gate has stated it.
pub fn stated(item: &Item) -> expacti_signing::Item {
    expacti_signing::Item::parse(&item.submission.item.as_ref().unwrap().statement).unwrap()
}

pub fn sign(key: &PrivateKey, namespace: &str, allowed: Vec<Allowed>) -> SignedText {
    let statement = expacti_signing::Decision::allowing(allowed).text().unwrap();
    let signature = SshSig::sign(key, namespace, HashAlg::Sha512, statement.as_bytes()).unwrap();
    SignedText { statement, signature: signature.to_pem(LineEnding::LF).unwrap() }
}

pub fn by(key: &PrivateKey, item: &Item) -> SignedText {
    sign(key, DECISION_NAMESPACE, vec![Allowed::new(stated(item))])
}

/// The broker says that it is allowed, with these signatures.
pub fn say(t: &Trial, item: &Item, change: impl FnOnce(&mut Decision)) {
    let mut decision = Broker::decision(item, true, None);
    change(&mut decision);
    t.broker.say(GateEvent::Decision(decision));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_allows_everything_delivers_nothing() {
    let Some((t, ..)) = trial(Mode::Auto, 1).await else { return };
    let out = t.run(&["target", &marker(&t)]).await;
    assert_eq!(out.status.code(), Some(79), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("a rule gave none"), "{}", text(&out.stderr));
    // The release is on record already: the broker hears that it was not used.
    let item = t.broker.item(0).await;
    let outcome = t.broker.outcome(&item.id).await;
    assert!(outcome.not_sent, "{outcome:?}");
    assert_eq!(ran(&t), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_signatures_for_exactly_this_count() {
    let Some((t, people, _dir)) = trial(Mode::Manual, 2).await else { return };
    let command = marker(&t);
    let People { alice, bob, .. } = &people;
    // The signatures of the first are right; they are kept, to be used once more.
    let first = t.spawn(&["target", &command]);
    let item = t.broker.item(0).await;
    let right = vec![by(alice, &item), by(bob, &item)];
    let again = right.clone();
    say(&t, &item, |decision| decision.signed = right);
    assert_eq!(finish(first).await.status.code(), Some(0));
    assert_eq!(ran(&t), 1);

    type Wrong = fn(&People, &Item, &mut Decision);
    let wrong: [(&str, Wrong); 12] = [
        ("none", |_, _, _| {}),
        ("one of two", |p, item, d| d.signed = vec![by(&p.alice, item)]),
        ("one person twice", |p, item, d| {
            d.signed = vec![by(&p.alice, item), by(&p.alice, item)];
        }),
        ("a stranger", |p, item, d| d.signed = vec![by(&p.alice, item), by(&p.mallory, item)]),
        ("another command", |p, item, d| {
            let mut other = stated(item);
            other.sha256 = Digest::of(b"uname");
            let other = sign(&p.bob, DECISION_NAMESPACE, vec![Allowed::new(other)]);
            d.signed = vec![by(&p.alice, item), other];
        }),
        ("another target", |p, item, d| {
            let mut other = stated(item);
            other.session.host = "elsewhere".to_owned();
            let other = sign(&p.bob, DECISION_NAMESPACE, vec![Allowed::new(other)]);
            d.signed = vec![by(&p.alice, item), other];
        }),
        ("another purpose", |p, item, d| {
            let other = sign(&p.bob, ITEM_NAMESPACE, vec![Allowed::new(stated(item))]);
            d.signed = vec![by(&p.alice, item), other];
        }),
        ("other standard input", |p, item, d| {
            let input = InputRef { bytes: 3, sha256: Digest::of(b"id\n"), ended: true };
            let other = Allowed { input: Some(input), ..Allowed::new(stated(item)) };
            let other = sign(&p.bob, DECISION_NAMESPACE, vec![other]);
            d.signed = vec![by(&p.alice, item), other];
        }),
        ("keys that nobody signed", |p, item, d| {
            d.signed = vec![by(&p.alice, item), by(&p.bob, item)];
            d.grant = Some(Grant { seconds: 60, bytes: 100 });
        }),
        ("input that nobody signed", |p, item, d| {
            d.signed = vec![by(&p.alice, item), by(&p.bob, item)];
            d.input_grant = Some(InputGrant::usual());
        }),
        ("a rule", |_, _, d| d.kind = DecisionKind::Rule),
        ("a statement that was changed", |p, item, d| {
            let mut changed = by(&p.bob, item);
            changed.statement = changed.statement.replace("\"cwd\":\"~\"", "\"cwd\":\"/\"");
            d.signed = vec![by(&p.alice, item), changed];
        }),
    ];
    let mut n = 1;
    type Change<'a> = Box<dyn FnOnce(&Item, &mut Decision) + 'a>;
    let mut attempt = async |what: &str, change: Change<'_>| {
        let run = t.spawn(&["target", &command]);
        let item = t.broker.item(n).await;
        n += 1;
        say(&t, &item, |decision| change(&item, decision));
        let out = finish(run).await;
        assert_eq!(out.status.code(), Some(79), "{what}: {}", text(&out.stderr));
        assert_eq!(ran(&t), 1, "{what}");
    };
    for (what, change) in wrong {
        let people = &people;
        attempt(what, Box::new(move |item, decision| change(people, item, decision))).await;
    }
    attempt("the signatures of the first", Box::new(move |_, decision| decision.signed = again))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_who_is_removed_before_the_release_does_not_count() {
    let Some((t, people, dir)) = trial(Mode::Manual, 1).await else { return };
    let run = t.spawn(&["target", &marker(&t)]);
    let item = t.broker.item(0).await;
    t.broker.set_mode(Mode::StuckRelease);
    say(&t, &item, |decision| decision.signed = vec![by(&people.alice, &item)]);
    let asked = t
        .broker
        .heard("release", |request| match request {
            GateRequest::Release { r#ref, id, .. } if *id == item.id => Some(*r#ref),
            _ => None,
        })
        .await;
    // In one step, as it should be done.
    let fresh = dir.path().join("fresh");
    std::fs::write(&fresh, people.list(&["bob"])).unwrap();
    std::fs::rename(&fresh, dir.path().join("allowed_signers")).unwrap();
    t.broker.say(GateEvent::Released { r#ref: asked, id: item.id.clone() });
    let out = finish(run).await;
    assert_eq!(out.status.code(), Some(79), "{}", text(&out.stderr));
    assert!(t.broker.outcome(&item.id).await.not_sent);
    assert_eq!(ran(&t), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_is_judged_as_the_command_takes_it() {
    let requirement = Requirement { effects: vec!["deletes".to_owned()], ..Requirement::default() };
    let Some((t, people, _dir)) = requiring(Mode::Manual, requirement).await else { return };
    let kept = t.path("kept");
    std::fs::write(&kept, "x").unwrap();
    // What it deletes comes on its standard input, as an item of its own.
    let mut child = t.ssh(&["target", "xargs rm -f"]).stdin(Stdio::piped()).spawn().unwrap();
    let item = t.broker.item(0).await;
    say(&t, &item, |decision| decision.signed = vec![by(&people.alice, &item)]);
    t.broker
        .heard("release", |request| matches!(request, GateRequest::Release { .. }).then_some(()))
        .await;
    let mut input = child.stdin.take().unwrap();
    input.write_all(format!("{}\n", kept.display()).as_bytes()).await.unwrap();
    drop(input);
    let names = t.broker.item(1).await;
    t.broker.allow(&names);
    finish(child).await;
    assert!(kept.exists(), "names for rm are no looking");
    // Together with the command.
    let mut child = t.ssh(&["target", "sh"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let script = format!("rm -f {}\n", kept.display());
    input.write_all(script.as_bytes()).await.unwrap();
    drop(input);
    let item = t.broker.item(2).await;
    let joined = t.broker.joined(&item, script.len()).await;
    t.broker.allow_with(&item, Some(joined), None);
    assert_eq!(finish(child).await.status.code(), Some(79));
    assert!(kept.exists());
    // Unseen, into something that may run it.
    let child = t.spawn(&["target", "sh"]);
    let item = t.broker.item(3).await;
    t.broker.allow_with(&item, None, Some(InputGrant::usual()));
    assert_eq!(finish(child).await.status.code(), Some(79));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_flows_under_a_grant_ends_with_its_signer() {
    let Some((t, people, dir)) = trial(Mode::Manual, 1).await else { return };
    let command = format!("cat >> {}", t.path("marker").display());
    let mut child = t.ssh(&["target", &command]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let item = t.broker.item(0).await;
    let grant = Some(InputGrant::usual());
    let allowed = Allowed { input_grant: grant, ..Allowed::new(stated(&item)) };
    let signed = vec![sign(&people.alice, DECISION_NAMESPACE, vec![allowed])];
    say(&t, &item, |decision| {
        decision.signed = signed;
        decision.input_grant = grant;
    });
    t.broker
        .heard("release", |request| matches!(request, GateRequest::Release { .. }).then_some(()))
        .await;
    input.write_all(b"one\n").await.unwrap();
    until("the first piece", || ran(&t) == 1).await;
    let fresh = dir.path().join("fresh");
    std::fs::write(&fresh, people.list(&["bob"])).unwrap();
    std::fs::rename(&fresh, dir.path().join("allowed_signers")).unwrap();
    input.write_all(b"two\n").await.unwrap();
    // It is asked about, as if there had been no grant.
    let asked = t.broker.item(1).await;
    assert_eq!(asked.submission.text.command, "two\n");
    assert_eq!(ran(&t), 1);
    t.broker.deny(&asked, "no");
    finish(child).await;
    assert_eq!(ran(&t), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gates_statement_is_signed_with_its_own_key() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    t.run(&["target", "true"]).await;
    let item = t.broker.item(0).await;
    let signed = item.submission.item.clone().unwrap();
    let stated = stated(&item);
    assert_eq!(stated.sha256, Digest::of(b"true"));
    assert_eq!(stated.session.target, "target");
    let key = russh::keys::PublicKey::from_openssh(&stated.gate).unwrap();
    let signature = SshSig::from_pem(signed.signature.as_bytes()).unwrap();
    key.verify(ITEM_NAMESPACE, signed.statement.as_bytes(), &signature).unwrap();
    // Each has a challenge of its own.
    t.run(&["target", "true"]).await;
    let second = t.broker.item(1).await;
    assert_ne!(self::stated(&second).challenge, stated.challenge);
}
