//! Who may name a target on the Unix socket, and that nothing of a refused line is followed.

use std::process::Stdio;

use expacti_protocol::gate::GateRequest;
use expacti_protocol::uplink::Isolation;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::broker::Mode;
use crate::trial::{Trial, text};

/// What the gate answers to the header of the trial.
async fn answer(t: &Trial) -> String {
    let mut stream = UnixStream::connect(t.path("gate.sock")).await.unwrap();
    stream.write_all(&std::fs::read(t.path("uplink_header.json")).unwrap()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_no_transport_starts_and_no_host_is_recorded() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let known = t.path("victim");
    std::fs::write(&known, "").unwrap();
    for token in ["", "wrong"] {
        for transport in [true, false] {
            t.uplink_header(|u| {
                u.token = token.to_owned();
                u.route.known_hosts_add = Some(known.display().to_string());
                u.route.host_key_checking = expacti_protocol::uplink::HostKeyChecking::AcceptNew;
                u.route.known_hosts_files.clear();
                let touch = format!("touch {}", t.path("marker").display());
                u.route.transport =
                    transport.then(|| vec!["sh".to_owned(), "-c".to_owned(), touch]);
            });
            let said = answer(&t).await;
            assert!(said.contains("\"ok\":false") && said.contains("expacti wrap"), "{said}");
        }
    }
    // What was refused would have begun before the gate answers the next.
    t.uplink_header(|_| {});
    assert!(t.run(&["target", "true"]).await.status.success());
    assert!(!t.path("marker").exists());
    assert_eq!(std::fs::read_to_string(known).unwrap(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_says_who_it_is_and_what_holds() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    assert!(t.run(&["target", "true"]).await.status.success());
    let info = t
        .broker
        .heard("open_session", |r| match r {
            GateRequest::OpenSession { session, .. } => Some(session.clone()),
            _ => None,
        })
        .await;
    assert_eq!(info.agent, "test");
    assert_eq!(info.isolation, Some(Isolation::Namespace));
    assert_eq!(info.with, ["docker"]);
}

/// What a program prints that sends the header from a user namespace of its own; `None` where this
/// user may not make one.
async fn from_another_namespace(t: &Trial, peer: &str) -> Option<String> {
    let script = format!(
        "import socket, sys, os\n\
         s = socket.socket(socket.AF_UNIX)\n\
         s.connect(sys.argv[1])\n\
         try:\n\
         \x20   s.sendall(open(sys.argv[2], 'rb').read())\n\
         except BrokenPipeError:\n\
         \x20   pass  # refused before it was read\n\
         {peer}\n"
    );
    let out = tokio::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "python3", "-c", &script])
        .arg(t.path("gate.sock"))
        .arg(t.path("uplink_header.json"))
        .stderr(Stdio::piped())
        .output()
        .await
        .unwrap();
    if text(&out.stderr).contains("unshare failed") {
        expacti_harness::prerequisites::missing("user namespaces for this user", "sysctl");
        return None;
    }
    Some(text(&out.stdout))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_in_another_user_namespace_is_refused_whatever_it_knows() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let read = "print(s.makefile().readline())";
    let Some(said) = from_another_namespace(&t, read).await else { return };
    assert!(said.contains("another user namespace"), "{said}");
    // One that has ended cannot be looked at any more.
    let gone = "sys.stdout.flush()\nif os.fork() == 0:\n    print(s.makefile().readline())";
    let said = from_another_namespace(&t, gone).await.unwrap();
    assert!(!said.contains("\"ok\":true"), "{said}");
}
