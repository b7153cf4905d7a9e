//! What is not a stock client: a library that names the user itself, and a wish for a signature.

use std::sync::Arc;
use std::time::Duration;

use expacti_protocol::command::ItemKind;
use expacti_protocol::gate::GateRequest;
use expacti_protocol::uplink::SignatureRequest;
use russh::client::{Config, Handle, KeyboardInteractiveAuthResponse, connect_stream};
use russh::keys::{PrivateKeyWithHashAlg, load_secret_key};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use crate::broker::Mode;
use crate::raw::{Trusting, drain};
use crate::trial::{Trial, user};

/// The gate's socket, after the head of the trial was taken.
async fn admitted(t: &Trial) -> BufReader<UnixStream> {
    let stream = UnixStream::connect(t.path("gate.sock")).await.unwrap();
    let mut stream = BufReader::new(stream);
    stream.write_all(&std::fs::read(t.path("uplink_header.json")).unwrap()).await.unwrap();
    assert_eq!(line(&mut stream).await, "{\"ok\":true}\n");
    stream
}

async fn line(stream: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    let read = stream.read_line(&mut line);
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("a line").unwrap();
    line
}

async fn client(t: &Trial) -> Handle<Trusting> {
    let stream = admitted(t).await;
    connect_stream(Arc::new(Config::default()), stream, Trusting).await.unwrap()
}

fn users(t: &Trial) -> Vec<String> {
    let opened = |request| match request {
        GateRequest::OpenSession { session, .. } => Some(session.user),
        _ => None,
    };
    t.broker.log().into_iter().filter_map(opened).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_library_comes_in_by_any_password_and_as_the_user_that_it_names() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    // With this one nobody can log in.
    t.uplink_header(|u| {
        u.library = true;
        u.route.user = "nobody-of-that-name".to_owned();
    });
    let key = Arc::new(load_secret_key(t.path("id"), None).unwrap());
    for way in ["none", "password", "conversation", "key, then password"] {
        let mut handle = client(&t).await;
        let success = match way {
            "none" => handle.authenticate_none(user()).await.unwrap().success(),
            "password" => handle.authenticate_password(user(), "").await.unwrap().success(),
            "conversation" => {
                let answer = handle.authenticate_keyboard_interactive_start(user(), None).await;
                matches!(answer.unwrap(), KeyboardInteractiveAuthResponse::Success)
            }
            _ => {
                let key = PrivateKeyWithHashAlg::new(Arc::clone(&key), None);
                // Of all keys, those of the user prove nothing here.
                assert!(!handle.authenticate_publickey(user(), key).await.unwrap().success());
                handle.authenticate_password(user(), "x").await.unwrap().success()
            }
        };
        assert!(success, "{way}");
        let mut channel = handle.channel_open_session().await.unwrap();
        channel.exec(true, "id -un").await.unwrap();
        let seen = drain(&mut channel).await;
        assert_eq!(String::from_utf8_lossy(&seen.out), format!("{}\n", user()), "{way}");
    }
    assert_eq!(users(&t), vec![user(); 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_is_none_does_not_come_in() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    t.uplink_header(|u| u.library = true);
    for user in ["", "-oProxyCommand=x", "a b", "a\n", "$(id)", "\u{202e}toor"] {
        let mut handle = client(&t).await;
        let answer = handle.authenticate_password(user, "x").await;
        assert!(!answer.is_ok_and(|answer| answer.success()), "{user:?}");
    }
    // And who is no library says no password.
    t.uplink_header(|_| {});
    let mut handle = client(&t).await;
    assert!(!handle.authenticate_password(user(), "x").await.unwrap().success());
    assert!(users(&t).is_empty());
}

fn wish(t: &Trial, change: impl FnOnce(&mut SignatureRequest)) {
    let mut signature = SignatureRequest {
        key: "me@host".to_owned(),
        fingerprint: format!("SHA256:{}", "A".repeat(43)),
        namespace: "git".to_owned(),
        hash_algorithm: "sha512".to_owned(),
        hash: "0f".repeat(64),
    };
    change(&mut signature);
    t.uplink_header(|u| {
        u.signature = Some(signature);
        u.route = expacti_protocol::uplink::TargetRoute::default();
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_is_held_released_and_reported() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    wish(&t, |_| {});
    for (n, made) in
        ["{\"signed\":true}\n", "{\"signed\":false}\n", "", "nonsense\n"].into_iter().enumerate()
    {
        let mut stream = admitted(&t).await;
        let item = t.broker.item(n).await;
        assert_eq!(item.submission.kind, ItemKind::Signature);
        assert!(
            item.submission.text.command.starts_with("git: sign a commit, tag or push as me@host")
        );
        t.broker.allow(&item);
        assert_eq!(line(&mut stream).await, "{\"ok\":true}\n");
        stream.write_all(made.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let outcome = t.broker.outcome(&item.id).await;
        match n {
            0 => assert_eq!((outcome.exit_status, outcome.unknown), (Some(0), None)),
            1 => assert_eq!((outcome.exit_status, outcome.unknown), (Some(1), None)),
            _ => assert!(outcome.exit_status.is_none() && outcome.unknown.is_some()),
        }
        // It leads nowhere: what comes now is not SSH.
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "");
    }
    t.broker.sessions_closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_nothing_is_signed() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    wish(&t, |_| {});
    // Denied.
    let mut stream = admitted(&t).await;
    let item = t.broker.item(0).await;
    t.broker.deny(&item, "not this one");
    let said = line(&mut stream).await;
    assert!(said.contains("\"ok\":false") && said.contains("not this one"), "{said}");
    // Gone, or saying something before it is asked: withdrawn, and an allow comes too late.
    for (n, words) in [(1, ""), (2, "{\"signed\":true}\n")] {
        let mut stream = admitted(&t).await;
        let item = t.broker.item(n).await;
        stream.write_all(words.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        t.broker
            .heard("withdraw", |r| match r {
                GateRequest::Withdraw { id, .. } if *id == item.id => Some(()),
                _ => None,
            })
            .await;
        t.broker.allow(&item);
        let mut rest = String::new();
        // Reset, if something was left unread.
        stream.read_to_string(&mut rest).await.ok();
        assert!(!rest.contains("\"ok\":true"), "{rest}");
    }
    // The broker goes away.
    let mut stream = admitted(&t).await;
    t.broker.item(3).await;
    t.broker.cut(true);
    let said = line(&mut stream).await;
    assert!(said.contains("\"ok\":false"), "{said}");
    assert!(!t.broker.log().iter().any(|r| matches!(r, GateRequest::Release { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_for_git_is_not_asked() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    for change in [
        (|s| s.namespace = "file".to_owned()) as fn(&mut SignatureRequest),
        |s| s.hash = "x".repeat(128),
        |s| s.hash_algorithm = "md5".to_owned(),
        |s| s.fingerprint = "none".to_owned(),
    ] {
        wish(&t, change);
        let mut stream = UnixStream::connect(t.path("gate.sock")).await.unwrap();
        stream.write_all(&std::fs::read(t.path("uplink_header.json")).unwrap()).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        assert!(said.contains("\"ok\":false") && said.contains("no signature for git"), "{said}");
    }
    assert!(t.broker.items().is_empty());
}
