//! Clients that want to break in or break down: noise before and after the banner, packets that
//! cannot be, every kind of channel and request. Nothing of it reaches a target, and the gate goes
//! on serving others.

use std::io::ErrorKind;
use std::process::Stdio;
use std::time::Duration;

use expacti_gate::Limits;
use expacti_harness::prerequisites;
use expacti_protocol::gate::GateRequest;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::broker::Mode;
use crate::target::Recording;
use crate::team::{serve, serve_with, ssh};
use crate::trial::{Trial, finish, text, until, user};

/// What the gate says until it closes the connection, or for that long.
async fn said(stream: &mut TcpStream, limit: Duration) -> (Vec<u8>, bool) {
    let mut all = Vec::new();
    let read = async {
        let mut buffer = [0u8; 4096];
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) => return,
                Ok(n) => all.extend_from_slice(&buffer[..n]),
                Err(e) if e.kind() == ErrorKind::ConnectionReset => return,
                Err(e) => panic!("{e}"),
            }
        }
    };
    let closed = tokio::time::timeout(limit, read).await.is_ok();
    (all, closed)
}

async fn works(t: &Trial, port: u16) {
    let out = finish(ssh(t, port, "agent", &["web-1@127.0.0.1", "echo ok"]).spawn().unwrap()).await;
    assert_eq!(text(&out.stdout), "ok\n", "{}", text(&out.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_is_no_login() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let (port, _gate, _guard) = serve(&t).await;
    let mut cases: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"SSH-1.5-x\r\n".to_vec(),
        b"SSH-2.0-x\n".to_vec(),
        vec![b'A'; 1 << 20],
        [b"SSH-2.0-".to_vec(), vec![b'x'; 1 << 16], b"\r\n".to_vec()].concat(),
        b"x\r\n".repeat(5000),
    ];
    // Lengths and padding that cannot be, after a good banner.
    for head in [
        [0xff; 5],
        [0x7f, 0xff, 0xff, 0xff, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 1, 255],
        [0, 4, 0, 0, 4],
        [0, 0, 0, 12, 4],
    ] {
        cases.push([&b"SSH-2.0-x\r\n"[..], &head, &[20; 64]].concat());
    }
    let mut runner = TestRunner::deterministic();
    let noise = proptest::collection::vec(proptest::num::u8::ANY, 0..600);
    for n in 0..60 {
        let noise = noise.new_tree(&mut runner).unwrap().current();
        cases.push(if n % 2 == 0 { noise } else { [&b"SSH-2.0-x\r\n"[..], &noise].concat() });
    }
    for case in cases {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(&case).await.ok();
        stream.shutdown().await.ok();
        let (heard, closed) = said(&mut stream, Duration::from_secs(15)).await;
        let start = &case[..case.len().min(40)];
        assert!(closed, "{}", String::from_utf8_lossy(start));
        assert!(heard.is_empty() || heard.starts_with(b"SSH-2.0-expacti_"), "{start:?}");
    }
    let opened = |r: &GateRequest| matches!(r, GateRequest::OpenSession { .. });
    assert!(!t.broker.log().iter().any(opened));
    works(&t, port).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_log_in_is_bounded_in_number_and_time() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let (port, _gate, _guard) = serve_with(&t, |config| {
        config.limits =
            Limits { preauth_each: 3, login: Duration::from_secs(4), ..Limits::default() };
    })
    .await;
    // Whoever has logged in is not counted.
    let mut masters = Vec::new();
    for n in 0..5 {
        let socket = t.path(&format!("m{n}"));
        let control = format!("-S{}", socket.display());
        let master = ssh(&t, port, "agent", &["-MN", &control, "web-1@127.0.0.1"]).spawn();
        masters.push(master.unwrap());
        until("the master's socket", || socket.exists()).await;
    }
    let open = async || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut byte = [0; 1];
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut byte)).await;
        matches!(read.unwrap(), Ok(1)).then_some(stream)
    };
    // The last of them may still be counted for a moment.
    let mut waiting = Vec::new();
    while waiting.len() < 3 {
        waiting.extend(open().await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(open().await.is_none() && open().await.is_none());
    drop(waiting.pop());
    for attempt in 0.. {
        if let Some(stream) = open().await {
            waiting.push(stream);
            break;
        }
        assert!(attempt < 100, "a place that is free again is given");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // They say nothing, and are shown out.
    for stream in &mut waiting {
        let (_, closed) = said(stream, Duration::from_secs(20)).await;
        assert!(closed);
    }
    works(&t, port).await;
    drop(masters);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_exchanges_keys_and_then_waits_is_cut_off() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let (port, _gate, _guard) = serve_with(&t, |config| {
        config.limits = Limits { login: Duration::from_secs(2), ..Limits::default() };
    })
    .await;
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let config = std::sync::Arc::new(russh::client::Config::default());
    let handle = russh::client::connect_stream(config, stream, crate::raw::Trusting).await.unwrap();
    until("the end of the connection", || handle.is_closed()).await;
}

/// A Python that has paramiko: not the first one on every machine.
pub fn paramiko() -> Option<&'static str> {
    prerequisites::python_with("paramiko")
}

/// Everything a client can ask for, and much that it cannot.
const MATRIX: &str = r#"
import random, socket, sys, paramiko
from paramiko.common import *
port, key, rounds = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
key = paramiko.Ed25519Key(filename=key)

def connect():
    t = paramiko.Transport(("127.0.0.1", port))
    t.connect(username="web-1", pkey=key)
    return t

def message(*parts):
    m = paramiko.Message()
    for part in parts:
        if isinstance(part, bool): m.add_boolean(part)
        elif isinstance(part, int): m.add_int(part)
        elif isinstance(part, bytes): m.add_bytes(part)
        else: m.add_string(part)
    return m

def opens(kind, *args):
    t = connect()
    try:
        t.open_channel(kind, *args, timeout=20)
        print("opened", kind)
    except paramiko.ChannelException as e:
        print("refused", kind, e.code)
    except (EOFError, OSError, paramiko.SSHException):
        # Its fields are missing.
        print("refused", kind, "and cut off")
    t.close()

here = ("127.0.0.1", 23)
for kind in ["x11", "forwarded-tcpip", "direct-tcpip"]:
    opens(kind, here, here)
for kind in ["auth-agent@openssh.com", "direct-streamlocal@openssh.com",
             "forwarded-streamlocal@openssh.com", "tun@openssh.com", "x-unknown", "", "SESSION"]:
    opens(kind)
t = connect()
for kind in ["tcpip-forward", "streamlocal-forward@openssh.com", "no-more-sessions@openssh.com",
             "hostkeys-prove-00@openssh.com", "x-unknown"]:
    answer = t.global_request(kind, ("127.0.0.1", 0) if "forward" in kind else None, wait=True)
    print("global", kind, bool(answer))
t.close()

# Every request on a session channel, but those that start something, with wrong and right fields.
t = connect()
channel = t.open_session(window_size=2**31 - 1, max_packet_size=2**31 - 1)
for kind, fields in [
    ("x11-req", [False, "MIT-MAGIC-COOKIE-1", "00", 0]), ("auth-agent-req@openssh.com", []),
    ("auth-agent-req", []), ("break", [500]), ("xon-xoff", [True]), ("x-unknown", ["x"]),
    ("keepalive@openssh.com", []), ("eow@openssh.com", []), ("exit-status", [0]),
    ("exit-signal", ["TERM", False, "", ""]), ("signal", ["KILL"]), ("signal", ["; id"]),
    ("window-change", [2**31, 2**31, 0, 0]), ("env", ["LD_PRELOAD", "/x"]),
    ("env", ["LC_ALL\x00", "C"]), ("pty-req", ["xterm", 2**31, 2**31, 0, 0, b"\0\0\0\0"]),
    ("subsystem", ["x"]),
]:
    for reply in [False, True]:
        m = message(b"\x62", channel.remote_chanid, kind, reply, *fields)
        t._send_user_message(m)
# Data and adjustments for channels there are, and are not.
for number in [channel.remote_chanid, 77, 2**32 - 1]:
    t._send_user_message(message(b"\x5d", number, 2**32 - 1))
    t._send_user_message(message(b"\x5d", number, 2**32 - 1))
    t._send_user_message(message(b"\x5e", number, "data\n"))
    t._send_user_message(message(b"\x5f", number, 1, "more\n"))
    t._send_user_message(message(b"\x60", number))
    t._send_user_message(message(b"\x61", number))
    t._send_user_message(message(b"\x5e", number, "late\n"))
# Answered when all of that was read; without an answer it was cut off.
t.global_request("x-last", wait=True)
t.close()

# Packets of every kind with noise in them.
random.seed(7)
for n in range(rounds):
    t = connect()
    try:
        if n % 2:
            t.open_session()
        for _ in range(30):
            kind = random.choice([random.randrange(256), random.randrange(80, 101), 98, 90])
            noise = random.randbytes(random.choice([0, 1, 4, 9, 40, 3000]))
            if random.random() < 0.5:
                noise = b"\0\0\0\0" + b"\0\0\0\4" + random.choice([b"exec", b"sess", b"sign"]) + noise
            t._send_user_message(message(bytes([kind]), noise))
    except (EOFError, OSError, paramiko.SSHException):
        pass
    t.close()
print("done")
"#;

#[tokio::test(flavor = "multi_thread")]
async fn every_channel_and_request_type_and_what_reaches_the_target() {
    let Some(python) = paramiko() else { return };
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let (port, _gate, _guard) = serve(&t).await;
    let recording = Recording::start(&t).await;
    let mut targets = t.broker.targets();
    for target in &mut targets {
        target.port = recording.port();
        target.user = user();
    }
    t.broker.set_targets(targets);
    std::fs::write(t.path("matrix.py"), MATRIX).unwrap();
    let mut command = Command::new(python);
    command.arg(t.path("matrix.py")).arg(port.to_string()).arg(t.path("agent")).arg("25");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let out = finish(command.spawn().unwrap()).await;
    let err = text(&out.stderr);
    let heard = text(&out.stdout);
    assert!(heard.ends_with("done\n"), "{heard}{err}");
    assert!(!heard.contains("opened"), "{heard}");
    assert!(!heard.contains("True"), "{heard}");
    for kind in ["x11", "forwarded-tcpip", "tun@openssh.com", "SESSION"] {
        assert!(heard.contains(&format!("refused {kind} ")), "{heard}");
    }
    assert!(recording.seen().is_empty(), "{:?}", recording.seen());
    assert!(t.broker.items().is_empty(), "{:?}", t.broker.items());
    // And what is allowed does arrive there.
    t.broker.set_mode(Mode::Auto);
    let _running = ssh(&t, port, "agent", &["web-1@127.0.0.1", "probe"]).spawn().unwrap();
    assert_eq!(recording.until("eof").await, ["session", "exec probe", "eof"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_audit_finds_nothing_but_what_is_on_purpose() {
    let Some(program) = prerequisites::command("ssh-audit") else { return };
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let (port, _gate, _guard) = serve(&t).await;
    let mut command = Command::new(program);
    command.args(["-n", "-l", "warn", "-p", &port.to_string(), "127.0.0.1"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let said = text(&finish(command.spawn().unwrap()).await.stdout);
    assert!(!said.contains("[fail]"), "{said}");
    let known = [
        // libssh2 before 1.11 (curl) has no other MACs.
        "(mac) hmac-sha2-256 ",
        "(mac) hmac-sha2-512 ",
        // Newer than some versions of the tool.
        "(kex) mlkem768x25519-sha256 ",
        "(kex) kex-strict-s-v00@openssh.com ",
    ];
    for line in said.lines().filter(|line| line.contains("[warn]")) {
        assert!(known.iter().any(|known| line.starts_with(known)), "{line}");
    }
    assert!(said.contains("(mac) hmac-sha2-256 "), "{said}");
}
