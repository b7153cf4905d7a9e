//! `expacti __uplink` as the client's `ProxyCommand`, with a gate of one answer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::io::{BufRead as _, BufReader, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Output, Stdio};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// Runs the helper against a gate that answers `answer`; returns what the gate read, what the client
/// got, and the helper's output.
fn run(answer: &'static [u8]) -> (String, Option<UnixStream>, Output) {
    let dir = tempfile::tempdir().unwrap();
    let gate = dir.path().join("gate.sock");
    let listener = UnixListener::bind(&gate).unwrap();
    let header = dir.path().join("header");
    let text = serde_json::json!({ "gate": gate, "uplink": { "agent": "a\nb", "wrap_pid": 5 } });
    std::fs::write(&header, text.to_string()).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
        stream.write_all(answer).unwrap();
        line
    });
    let (ours, theirs) = UnixStream::pair().unwrap();
    let output = Command::new(support::shim())
        .arg("__uplink")
        .arg(&header)
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    assert!(!header.exists());
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
fn the_client_gets_the_connection_and_every_byte_behind_the_answer() {
    let (line, socket, output) = run(b"{\"ok\":true}\nSSH-2.0-gate\r\n");
    assert!(output.status.success());
    let header: expacti_protocol::uplink::Uplink = serde_json::from_str(&line).unwrap();
    assert_eq!((header.agent.as_str(), header.wrap_pid), ("a\nb", 5));
    let mut rest = String::new();
    socket.unwrap().read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "SSH-2.0-gate\r\n");
}

#[test]
fn without_ok_the_client_gets_nothing() {
    let cases: [(&[u8], &str); 5] = [
        (b"{\"ok\":false,\"error\":\"not\\u001b[2J now\"}\n", "expacti: not [2J now\n"),
        (b"{\"ok\":false}\n", "expacti: the gate refused the connection\n"),
        (b"nonsense\n", "expacti: the gate's answer is garbled: "),
        (b"{\"ok\":tr", "expacti: the gate closed the connection without an answer\n"),
        (b"", "expacti: the gate closed the connection without an answer\n"),
    ];
    for (answer, message) in cases {
        let (_, socket, output) = run(answer);
        assert!(socket.is_none());
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.starts_with(message), "{said}");
    }
}
