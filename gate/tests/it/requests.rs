//! Terminals, environment, signals, and everything that is refused.

use std::process::Stdio;
use std::time::Duration;

use expacti_protocol::gate::GateRequest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::broker::Mode;
use crate::trial::{Trial, finish, text, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_command_with_a_terminal() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let mut command =
        t.ssh(&["-tt", "target", "tty >/dev/null && echo $TERM && stty -a | head -3"]);
    let child = command.env("TERM", "xterm-evil;id").spawn().unwrap();
    let out = finish(child).await;
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let shown = text(&out.stdout);
    assert!(shown.starts_with("xterm-256color\r\n"), "{shown:?}");
    assert!(shown.contains("erase = ^?"), "{shown:?}");
    let item = t.broker.item(0).await;
    assert_eq!(item.submission.pty.unwrap().term, "xterm-256color");
    assert!(t.broker.log().iter().any(|r| matches!(r, GateRequest::Resize { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_line_is_shown_and_erased() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let mut command = t.ssh(&["-tt", "target", "echo hello"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut shown = Vec::new();
    while !text(&shown).contains("waiting for review - risk 12 LOW - 1:00") {
        let read = tokio::time::timeout(Duration::from_secs(10), stdout.read_buf(&mut shown));
        assert_ne!(read.await.unwrap().unwrap(), 0, "{}", text(&shown));
    }
    t.broker.allow(&t.broker.item(0).await);
    stdout.read_to_end(&mut shown).await.unwrap();
    assert!(text(&shown).ends_with("\r\x1b[Khello\r\n"), "{:?}", text(&shown));
    assert_eq!(finish(child).await.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_line_on_standard_error() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    t.uplink_header(|uplink| uplink.status_line = true);
    let mut child = t.spawn(&["target", "echo hello"]);
    let mut stderr = child.stderr.take().unwrap();
    let item = t.broker.item(0).await;
    let mut err = vec![0; 17];
    let shown = stderr.read_exact(&mut err);
    tokio::time::timeout(Duration::from_secs(20), shown).await.expect("a status line").unwrap();
    t.broker.allow(&item);
    let out = finish(child).await;
    assert_eq!(text(&out.stdout), "hello\n");
    stderr.read_to_end(&mut err).await.unwrap();
    let err = text(&err);
    assert!(err.starts_with("\rexpacti: waiting") && err.ends_with("\r\x1b[K"), "{err:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupt_in_a_terminal_withdraws() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let mut command = t.ssh(&["-tt", "target", "touch", t.path("marker").to_str().unwrap()]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let item = t.broker.item(0).await;
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"abc\x03").await.unwrap();
    let reason = t
        .broker
        .heard("withdraw", |r| match r {
            GateRequest::Withdraw { id, reason, .. } if *id == item.id => Some(reason.clone()),
            _ => None,
        })
        .await;
    // The second when the broker's answer to the submission had not been read yet.
    assert!(["^C", "the agent took it back"].contains(&reason.as_str()), "{reason}");
    t.broker.allow(&item);
    let out = finish(child).await;
    assert_eq!(out.status.code(), Some(130));
    assert!(text(&out.stdout).ends_with("expacti: command withdrawn\r\n"));
    assert!(!t.path("marker").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_locale_variables_pass() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let mut command =
        t.ssh(&["-oSendEnv=LANG LC_ALL LD_X LC_NAME", "target", "echo $LANG $LC_ALL $LD_X"]);
    command.env("LANG", "C.UTF-8").env("LC_ALL", "C").env("LD_X", "x").env("LC_NAME", "$(id)");
    let out = finish(command.spawn().unwrap()).await;
    assert_eq!(text(&out.stdout), "C.UTF-8 C\n");
    let submission = t.broker.item(0).await.submission;
    let mut env = submission.env;
    env.sort();
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(env, [pair("LANG", "C.UTF-8"), pair("LC_ALL", "C")]);
    let mut dropped = submission.dropped_env;
    dropped.sort();
    assert_eq!(dropped, ["LC_NAME", "LD_X"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_subsystems_are_refused_with_a_message() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let out = t.run(&["-s", "target", "netconf"]).await;
    assert_eq!(out.status.code(), Some(79));
    assert!(text(&out.stderr).contains("\"netconf\" is refused"));
    assert!(t.broker.items().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn forwarding_of_every_kind_is_refused() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    // -W is a direct-tcpip channel; to the target's own sshd would be the way around the gate.
    let own = format!("127.0.0.1:{}", t.sshd.port);
    let out = t.run(&["-W", &own, "target"]).await;
    assert_ne!(out.status.code(), Some(0));
    assert!(text(&out.stderr).contains("stdio forwarding failed"), "{}", text(&out.stderr));
    let socket = t.path("forwarded.sock");
    for forward in [format!("-R0:{own}"), format!("-R{}:{own}", t.path("remote.sock").display())] {
        let out = t.run(&[&forward, "-oExitOnForwardFailure=yes", "target", "true"]).await;
        assert_eq!(out.status.code(), Some(255), "{forward}");
    }
    // Forwards that are opened lazily: nothing comes through.
    let forward = format!("-L{}:{own}", socket.display());
    let over = t.path("over");
    let wait = format!("until [ -e {} ]; do sleep 0.05; done", over.display());
    let child = t.spawn(&[&forward, "target", &wait]);
    until("the forwarded socket", || socket.exists()).await;
    let mut through = tokio::net::UnixStream::connect(&socket).await.unwrap();
    let mut banner = Vec::new();
    through.read_to_end(&mut banner).await.ok();
    assert_eq!(text(&banner), "");
    std::fs::write(over, "").unwrap();
    finish(child).await;
    // Agent and X11: the command runs, without them.
    let out = t.run(&["-A", "target", "echo [$SSH_AUTH_SOCK]"]).await;
    assert_eq!(text(&out.stdout), "[]\n");
    let mut command = t.ssh(&["-Y", "target", "echo [$DISPLAY]"]);
    let out = finish(command.env("DISPLAY", ":7").spawn().unwrap()).await;
    assert_eq!(text(&out.stdout), "[]\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_cannot_be_used_is_explained_and_nothing_submitted() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let refused = async |what: &str| {
        let out = t.run(&["target", "true"]).await;
        assert_eq!(out.status.code(), Some(255), "{what}");
        let err = text(&out.stderr);
        assert!(err.starts_with("expacti: ") && err.contains(what), "{what}: {err}");
    };
    t.uplink_header(|u| u.route.port = 1);
    refused("cannot connect to 127.0.0.1 port 1").await;
    t.uplink_header(|u| u.route.identity_files.clear());
    refused("no key was found").await;
    t.uplink_header(|u| u.route.known_hosts_files.clear());
    refused("ssh-keyscan -p").await;
    let key = crate::trial::other_key(&t, "other");
    let line = format!("[127.0.0.1]:{} {key}", t.sshd.port);
    std::fs::write(t.path("changed"), line).unwrap();
    t.uplink_header(|u| u.route.known_hosts_files = vec![t.path("changed").display().to_string()]);
    refused("has CHANGED").await;
    let real = std::fs::read_to_string(t.path("known_hosts")).unwrap();
    std::fs::write(t.path("revoked"), format!("{real}\n@revoked {real}")).unwrap();
    t.uplink_header(|u| u.route.known_hosts_files = vec![t.path("revoked").display().to_string()]);
    refused("is revoked").await;
    let encrypted = t.path("encrypted");
    std::fs::copy(t.path("id"), &encrypted).unwrap();
    let done = std::process::Command::new("ssh-keygen")
        .args(["-q", "-p", "-P", "", "-N", "secret", "-f"])
        .arg(&encrypted)
        .status()
        .unwrap();
    assert!(done.success());
    t.uplink_header(|u| u.route.identity_files = vec![encrypted.display().to_string()]);
    refused("run ssh-add").await;
    assert!(t.broker.items().is_empty());
}
