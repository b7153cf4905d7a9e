//! `expacti __uplink` as the client's `ProxyCommand`, with a helper of one answer; and the helper of a
//! real wrap, asked by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::io::{BufRead as _, BufReader, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde_json::json;
use support::{TOKEN, World};

/// Runs `__uplink` against a helper that answers `answer`, with or without a connection; returns what
/// the helper read, what the client got, and the output.
fn run(answer: &'static [u8], connected: bool) -> (String, Option<UnixStream>, Output) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("helper.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let (mut gate, passed) = UnixStream::pair().unwrap();
    gate.write_all(b"SSH-2.0-gate\r\n").unwrap();
    drop(gate);
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        let fds = [passed.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if connected {
            assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
        }
        if !answer.is_empty() {
            sendmsg(&stream, &[IoSlice::new(answer)], &mut control, SendFlags::empty()).unwrap();
        }
        line
    });
    let (ours, theirs) = UnixStream::pair().unwrap();
    let output = Command::new(support::shim())
        .arg("__uplink")
        .arg(&socket)
        .arg("77ab")
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    (server.join().unwrap(), receive(&ours), output)
}

/// As `mm_receive_fd` of OpenSSH: one byte and one descriptor.
fn receive(from: &UnixStream) -> Option<UnixStream> {
    let mut byte = [7];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(&mut byte)];
    let got = recvmsg(from, &mut slices, &mut control, RecvFlags::empty()).unwrap();
    if got.bytes == 0 {
        return None;
    }
    assert_eq!(got.bytes, 1);
    let mut fds: Vec<OwnedFd> = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    assert_eq!(fds.len(), 1);
    fds.pop().map(UnixStream::from)
}

#[test]
fn the_client_gets_the_connection_and_every_byte_of_it() {
    let (line, socket, output) = run(b"\"connected\"\n", true);
    assert!(output.status.success());
    let question: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(question, json!({"connect": {"ticket": "77ab"}}));
    let mut rest = String::new();
    socket.unwrap().read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "SSH-2.0-gate\r\n");
}

#[test]
fn without_the_word_of_the_helper_the_client_gets_nothing() {
    let cases: [(&[u8], &str, i32); 5] = [
        (
            b"{\"refused\":{\"message\":\"not\\u001b[2J now\",\"status\":79}}\n",
            "expacti: not [2J now\n",
            79,
        ),
        (b"\"entered\"\n", "expacti: the helper of the wrap gave an answer to another", 1),
        (b"nonsense\n", "expacti: what was said between the wrap and its helper is garbled: ", 1),
        (b"\"conn", "expacti: what was said between the wrap and its helper is garbled: ", 1),
        (b"", "expacti: the helper of the wrap closed the connection without an answer\n", 1),
    ];
    for (answer, message, status) in cases {
        // Not even if a connection comes along.
        let (_, socket, output) = run(answer, !answer.is_empty());
        assert!(socket.is_none());
        assert_eq!(output.status.code(), Some(status));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.starts_with(message), "{said}");
    }
    let (_, socket, output) = run(b"\"connected\"\n", false);
    assert!(socket.is_none() && !output.status.success());
}

/// A wrap of a program that waits, and the directory of the wrap.
fn waiting(world: &World) -> (std::process::Child, std::path::PathBuf) {
    let mut child = world
        .wrap(&["sh", "-c", "command -v ssh; cat >/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let dir = Path::new(line.trim()).parent().unwrap().to_owned();
    (child, dir)
}

/// What the helper answers.
fn ask(dir: &Path, question: &[u8]) -> String {
    let mut stream = UnixStream::connect(dir.join("helper.sock")).unwrap();
    stream.write_all(question).unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    answer
}

fn client(args: &[&str]) -> Vec<u8> {
    let question = json!({"client": {"args": args, "cwd": "/tmp", "status_line": false}});
    format!("{question}\n").into_bytes()
}

fn ticket(answer: &str) -> String {
    let (_, rest) = answer.split_once("__uplink ").unwrap();
    rest.split(' ').nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[test]
fn a_ticket_opens_one_connection_with_the_token_that_only_the_helper_knows() {
    let world = World::new();
    let (mut child, dir) = waiting(&world);
    let answer = ask(&dir, &client(&["-F", "none", "deploy@10.255.0.9"]));
    assert!(!answer.contains(TOKEN), "{answer}");
    let ticket = ticket(&answer);
    let question = format!("{}\n", json!({"connect": {"ticket": ticket}}));
    assert_eq!(ask(&dir, question.as_bytes()), "\"connected\"\n");
    assert!(ask(&dir, question.as_bytes()).contains("used already"));
    let headers = world.headers.lock().unwrap().clone();
    assert_eq!(headers.len(), 1);
    assert_eq!((headers[0].token.as_str(), headers[0].agent.as_str()), (TOKEN, "sh"));
    assert_eq!(
        (headers[0].route.user.as_str(), headers[0].route.host.as_str()),
        ("deploy", "10.255.0.9")
    );
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(UnixStream::connect(dir.join("helper.sock")).is_err());
}

#[test]
fn nothing_but_questions_is_taken_from_inside() {
    let world = World::new();
    let (mut child, dir) = waiting(&world);
    let route = json!({"connect": {"ticket": "x", "route": {"transport": ["touch", "x"]}}});
    let long = vec![b'x'; 300 * 1024];
    for question in [
        b"nonsense\n".to_vec(),
        b"{}\n".to_vec(),
        format!("{route}\n").into_bytes(),
        b"{\"connect\":{\"ticket\":\"\"}}\n".to_vec(),
        client(&[]),
        client(&["-V"]),
        client(&["-oProxyCommand=touch x", "h"]),
        client(&["-l", "a;b", "h"]),
        long,
    ] {
        let mut stream = UnixStream::connect(dir.join("helper.sock")).unwrap();
        let _ = stream.write_all(&question);
        let mut answer = String::new();
        let _ = BufReader::new(stream).read_line(&mut answer);
        assert!(answer.starts_with("{\"refused\""), "{answer}");
    }
    assert!(world.headers.lock().unwrap().is_empty());
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
fn the_helper_ends_with_a_wrap_that_is_killed() {
    let world = World::new();
    let (mut child, dir) = waiting(&world);
    child.kill().unwrap();
    child.wait().unwrap();
    support::until("the end of the helper", || {
        UnixStream::connect(dir.join("helper.sock")).is_err().then_some(())
    });
}

/// A helper of an isolated wrap, which sees `pinned` read-only; and what it answers to `ssh h`.
fn isolated(world: &World, pinned: &[&str], args: &[&str]) -> String {
    let dir = tempfile::tempdir_in(world.path()).unwrap();
    let start = json!({
        "context": {
            "agent": "a", "reason": null, "program": ["a"], "wrap_pid": std::process::id(),
            "gate": world.home.gate_socket(), "known_hosts": world.home.gate_known_hosts(),
            "expacti": support::shim(), "ssh": "/usr/bin/ssh", "dir": dir.path(),
        },
        "broker": world.home.broker_socket(), "isolation": "namespace", "with": [],
        "namespaces": true, "mask": [], "hidden": [], "pinned": pinned, "ssh_config": world.path().join("pinned/config"), "identities": [],
        "own_client": false, "first": null,
    });
    let mut child = Command::new(support::shim())
        .arg("__helper")
        .env("LD_LIBRARY_PATH", "/nonexistent")
        .env("WORK", "named")
        .env_remove("SSH_AUTH_SOCK")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{start}").unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(ready["ready"]["ticket"].is_null() && ready["ready"]["agent"] == false, "{line}");
    // This process is the wrapped program.
    assert_eq!(ask(dir.path(), b"\"enter\"\n"), "\"entered\"\n");
    let answer = ask(dir.path(), &client(args));
    if answer.starts_with("{\"client\"") {
        let question = format!("{}\n", json!({"connect": {"ticket": ticket(&answer)}}));
        assert_eq!(ask(dir.path(), question.as_bytes()), "\"connected\"\n");
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
    answer
}

#[test]
fn an_isolated_wrap_relies_on_what_is_pinned_and_on_nothing_else() {
    let world = World::new();
    let pinned = world.path().join("pinned");
    std::fs::create_dir(&pinned).unwrap();
    let config = "Match exec \"test x$WORK = xnamed -a x$LD_LIBRARY_PATH = x\"\n User named\n\
                  Host j\n ProxyJump other\nHost p\n ProxyCommand DIR/proxy %h\n";
    let config = config.replace("DIR", world.path().to_str().unwrap());
    std::fs::write(pinned.join("config"), config).unwrap();
    std::fs::write(world.path().join("proxy"), "").unwrap();
    let pinned = pinned.to_str().unwrap();
    let system = ["/usr", "/bin", "/lib", pinned];

    let answer = isolated(&world, &system, &["h"]);
    assert!(answer.starts_with("{\"client\""), "{answer}");
    // The client inside reads no configuration: what concerns it stands on its command line.
    assert!(answer.contains("\"-F\",\"none\"") && answer.contains("user=named"), "{answer}");
    let route = world.headers.lock().unwrap().pop().unwrap().route;
    assert_eq!((route.user.as_str(), route.transport), ("named", None));

    // Nothing is compared: who could change it, could change it back.
    for (pins, args) in [(&system[..3], vec!["h"]), (&system[..], vec!["p"])] {
        let answer = isolated(&world, pins, &args);
        assert!(answer.contains("which could change it"), "{answer}");
        assert!(answer.contains("\"status\":5"), "{answer}");
    }
    // A jump host could be any host of the configuration.
    assert!(isolated(&world, &system, &["j"]).contains("proxycommand"));
    let own = world.path().join("own");
    std::fs::write(&own, "").unwrap();
    let answer = isolated(&world, &system, &["-F", own.to_str().unwrap(), "h"]);
    assert!(answer.contains("wrap --ssh-config"), "{answer}");
    assert!(world.headers.lock().unwrap().is_empty());

    std::fs::write(world.path().join("pinned/config"), "Host j\n ProxyJump other\n").unwrap();
    assert!(isolated(&world, &system, &["j"]).starts_with("{\"client\""));
    let transport = world.headers.lock().unwrap().pop().unwrap().route.transport.unwrap();
    let said = transport.join(" ");
    assert!(said.starts_with("/usr/bin/env -i EXPACTI_WRAP="), "{said}");
    assert!(said.contains(" SHELL=/bin/sh ") && !said.contains("LD_LIBRARY_PATH"), "{said}");
}
