//! Every channel type, every request on a channel and every global request that a client can send,
//! one row each: what the client is answered, and what reaches the target. Read the tables as the
//! gate's answer to "what if the agent asks for ...".
//!
//! Each request on a channel is sent before a command was asked for, while one is held, while one
//! runs, and after its channel was closed; each time without wanting a reply, then wanting one, then
//! wanting one again. The rows' last column is all that a target is told because of it, which in
//! every case happens after somebody has approved the command.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::{TcpListener, UnixListener};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::broker::Mode;
use crate::hostile::paramiko;
use crate::target::Recording;
use crate::team::serve;
use crate::trial::{Trial, user};

/// A client that sends what it is told, and tells what it hears.
const PUPPET: &str = r#"
import json, queue, sys, paramiko
from paramiko.common import *
port, key = int(sys.argv[1]), paramiko.Ed25519Key(filename=sys.argv[2])
FENCE = 0x7fffffff
heard, peers, transport = queue.Queue(), {}, None

def message(kind, *parts):
    m = paramiko.Message()
    m.add_byte(bytes([kind]))
    for part in parts:
        if isinstance(part, bool): m.add_boolean(part)
        elif isinstance(part, int): m.add_int(part)
        elif isinstance(part, bytes): m.add_bytes(part)
        else: m.add_string(part)
    return m

class Channel:
    def __init__(self, number): self.number = number
    def _unlink(self): pass

def opened(t, m):
    number = m.get_int()
    peers[number] = m.get_int()
    heard.put("opened")

def refused(t, m):
    number, code = m.get_int(), m.get_int()
    heard.put(None if number == FENCE else "refused %d" % code)

def asked(channel, m):
    kind = m.get_text()
    m.get_boolean()
    heard.put("%s %d" % (kind, m.get_int()) if kind == "exit-status" else kind)

def extended(channel, m):
    m.get_int()
    heard.put("stderr " + m.get_text())

def connect():
    global transport
    t = transport = paramiko.Transport(("127.0.0.1", port))
    t.connect(username="web-1", pkey=key)
    t._handler_table = {
        **t._handler_table,
        MSG_CHANNEL_OPEN_SUCCESS: opened, MSG_CHANNEL_OPEN_FAILURE: refused,
        MSG_REQUEST_SUCCESS: lambda t, m: heard.put("yes"),
        MSG_REQUEST_FAILURE: lambda t, m: heard.put("no"),
    }
    t._channel_handler_table = {
        MSG_CHANNEL_SUCCESS: lambda c, m: heard.put("yes"),
        MSG_CHANNEL_FAILURE: lambda c, m: heard.put("no"),
        MSG_CHANNEL_DATA: lambda c, m: heard.put("data " + m.get_text()),
        MSG_CHANNEL_EXTENDED_DATA: extended,
        MSG_CHANNEL_REQUEST: asked,
        MSG_CHANNEL_WINDOW_ADJUST: lambda c, m: None,
        MSG_CHANNEL_EOF: lambda c, m: None,
        MSG_CHANNEL_CLOSE: lambda c, m: heard.put("closed"),
    }

number, kept = 0, {}
def send(m):
    # What the gate has cut off is said by the fence, which never comes back.
    try: transport._send_user_message(m)
    except (EOFError, OSError, paramiko.SSHException): pass

def told():
    # An answer to the fence comes after the answers to all that was sent before it.
    send(message(90, "x11", FENCE, 1 << 20, 1 << 15, "", 0))
    said = []
    while True:
        try: event = heard.get(timeout=0.1)
        except queue.Empty:
            if transport.is_active(): continue
            connect()
            return said + ["cut off"]
        if event is None: return said
        said.append(event)

connect()
for line in sys.stdin:
    order = json.loads(line)
    do, fields = order["do"], bytes.fromhex(order.get("fields", ""))
    said = None
    if do == "open":
        number += 1
        kept[number] = Channel(number)
        transport._channels.put(number, kept[number])
        transport.channels_seen[number] = True
        send(message(90, order["kind"], number, 1 << 20, 1 << 15, fields))
        # A session or a jump is opened by another task than the one that answers the fence.
        # Until then the last of the channel before may still be heard.
        if order.get("wait"):
            while not said or said[0].split()[0] not in ("opened", "refused"): said = [heard.get(timeout=30)]
    elif do == "ask": send(message(98, peers[number], order["kind"], order["reply"], fields))
    elif do == "global": send(message(80, order["kind"], order["reply"], fields))
    elif do == "data": send(message(94, peers[number], order["text"]))
    elif do == "close": send(message(97, peers[number]))
    elif do == "until":
        said = []
        while not said or not said[-1].startswith(order["event"]): said.append(heard.get(timeout=30))
    print(json.dumps(told() if said is None else said), flush=True)
"#;

struct Puppet {
    orders: ChildStdin,
    told: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Puppet {
    fn new(t: &Trial, python: &str, port: u16) -> Self {
        std::fs::write(t.path("puppet.py"), PUPPET).unwrap();
        let mut command = Command::new(python);
        command.arg(t.path("puppet.py")).arg(port.to_string()).arg(t.path("agent"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let told = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { orders: child.stdin.take().unwrap(), told, _child: child }
    }

    async fn order(&mut self, order: Value) -> Vec<String> {
        self.orders.write_all(format!("{order}\n").as_bytes()).await.unwrap();
        let line = tokio::time::timeout(Duration::from_secs(40), self.told.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("no answer to {order}")).unwrap();
        let line = line.unwrap_or_else(|| panic!("the puppet fell at {order}"));
        serde_json::from_str(&line).unwrap()
    }

    async fn open(&mut self, kind: &str, fields: &[u8], wait: bool) -> Vec<String> {
        let order = json!({"do": "open", "kind": kind, "fields": hex(fields), "wait": wait});
        self.order(order).await
    }

    async fn ask(&mut self, kind: &str, fields: &[u8], reply: bool) -> Vec<String> {
        let order = json!({"do": "ask", "kind": kind, "fields": hex(fields), "reply": reply});
        self.order(order).await
    }

    async fn until(&mut self, event: &str) -> Vec<String> {
        self.order(json!({"do": "until", "event": event})).await
    }

    async fn data(&mut self, text: &str) -> Vec<String> {
        self.order(json!({"do": "data", "text": text})).await
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One field of a message.
enum F {
    N(u32),
    S(&'static str),
    B(bool),
}
use F::{B, N, S};

fn fields(all: &[F]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in all {
        match field {
            N(number) => bytes.extend(number.to_be_bytes()),
            S(text) => {
                bytes.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
                bytes.extend(text.as_bytes());
            }
            B(yes) => bytes.push(u8::from(*yes)),
        }
    }
    bytes
}

/// A request that starts nothing: its name and fields; the answers to it and to its repetition
/// before a command, while one is held and while one runs; what the target hears of it when it was
/// asked before the command and while it runs (each time it was sent once or twice for each reply).
struct Row {
    kind: &'static str,
    fields: &'static [F],
    before: [&'static str; 2],
    held: [&'static str; 2],
    running: [&'static str; 2],
    then: &'static [&'static str],
    meanwhile: &'static [&'static str],
}

const NO: [&str; 2] = ["no", "no"];
const YES: [&str; 2] = ["yes", "yes"];
const NOTHING: &[&str] = &[];

/// Refused at any time, and nobody hears of it.
const fn never(kind: &'static str, fields: &'static [F]) -> Row {
    Row { kind, fields, before: NO, held: NO, running: NO, then: NOTHING, meanwhile: NOTHING }
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // A terminal: once, before the command; its modes and its kind are the gate's own.
    Row { kind: "pty-req", fields: &[S("xterm"), N(132), N(u32::MAX), N(9), N(9), S("\x03\0\0\0\x73\0")],
          before: NO, held: NO, running: NO,
          then: &["pty xterm 132x1000 erase Some(127)"], meanwhile: NOTHING },
    // Its size: of the terminal that there is; here there is none.
    never("window-change", &[N(5000), N(0), N(9), N(9)]),
    // The environment: the language, before the command. The first value counts.
    Row { kind: "env", fields: &[S("LC_ALL"), S("C.UTF-8")],
          before: YES, held: NO, running: NO, then: &["env LC_ALL=C.UTF-8"], meanwhile: NOTHING },
    never("env", &[S("LD_PRELOAD"), S("/tmp/x.so")]),
    never("env", &[S("LC_ALL"), S("$(id)")]),
    never("env", &[S("PATH"), S("/tmp")]),
    // Signals: for a command that runs. Those that are not known go nowhere.
    Row { kind: "signal", fields: &[S("USR1")],
          before: NO, held: YES, running: YES, then: NOTHING,
          meanwhile: &["signal USR1", "signal USR1", "signal USR1"] },
    never("signal", &[S("USR1; id")]),
    // Forwarding.
    never("x11-req", &[B(false), S("MIT-MAGIC-COOKIE-1"), S("00"), N(0)]),
    never("auth-agent-req@openssh.com", &[]),
    never("auth-agent-req", &[]),
    // What only servers send, or nobody any more.
    never("exit-status", &[N(0)]),
    never("exit-signal", &[S("TERM"), B(false), S(""), S("")]),
    never("xon-xoff", &[B(true)]),
    never("break", &[N(500)]),
    never("eow@openssh.com", &[]),
    never("keepalive@openssh.com", &[]),
    never("x-unknown", &[S("x")]),
    never("", &[]),
    // A second command, shell or subsystem on a channel that has one. (Before it: below.)
    never("exec", &[S("second")]),
    never("shell", &[]),
    never("subsystem", &[S("sftp")]),
    never("subsystem", &[S("netconf")]),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    After,
    Before,
    Held,
    Running,
}

/// A target that writes down what it hears, behind a team's gate.
async fn stage(t: &Trial) -> (Recording, Vec<expacti_protocol::http::Target>) {
    let recording = Recording::start(t).await;
    let mut targets = t.broker.targets();
    for target in &mut targets {
        target.port = recording.port();
        target.user = user();
    }
    t.broker.set_targets(targets.clone());
    (recording, targets)
}

/// What the target has heard, but for the channel that the gate opens there by itself and that
/// carries nothing of the client's.
fn heard(recording: &Recording, from: usize) -> Vec<String> {
    recording.seen().split_off(from).into_iter().filter(|s| s != "session").collect()
}

async fn thrice(puppet: &mut Puppet, row: &Row, what: &str) -> [Vec<String>; 3] {
    let fields = fields(row.fields);
    let mut answers = [const { Vec::new() }; 3];
    for (n, reply) in [false, true, true].into_iter().enumerate() {
        answers[n] = puppet.ask(row.kind, &fields, reply).await;
        // What is said in words is said on standard error, once.
        answers[n].retain(|a| !a.starts_with("stderr expacti: "));
    }
    assert!(answers[0].is_empty(), "{what} was answered unasked: {answers:?}");
    answers
}

async fn one(t: &Trial, puppet: &mut Puppet, recording: &Recording, row: &Row, phase: Phase) {
    let what = format!("{} {:?}", row.kind, phase);
    let mark = recording.seen().len();
    let items = t.broker.items().len();
    assert_eq!(puppet.open("session", &[], true).await, ["opened"]);
    let check = |answers: [Vec<String>; 3], expected: [&str; 2]| {
        let expected = expected.map(|e| vec![e.to_owned()]);
        assert_eq!(answers[1..], expected, "{what}: {answers:?}");
    };
    if phase == Phase::Before {
        check(thrice(puppet, row, &what).await, row.before);
    }
    assert_eq!(puppet.ask("exec", &fields(&[S("matrix")]), true).await, ["yes"], "{what}");
    let item = t.broker.item(items).await;
    if phase == Phase::Held {
        check(thrice(puppet, row, &what).await, row.held);
    }
    assert!(heard(recording, mark).is_empty(), "{what}: {:?}", heard(recording, mark));
    assert_eq!(t.broker.items().len(), items + 1, "{what} became an item");
    t.broker.allow(&item);
    // Drawn only where the terminal is.
    let said = puppet.until("data running").await;
    let drawn = |s: &&String| !s.contains("expacti: waiting") && !s.contains("\x1b[K");
    assert_eq!(said.iter().filter(drawn).collect::<Vec<_>>(), ["data running"], "{what}");
    let mut expected: Vec<&str> = Vec::new();
    expected.extend(if phase == Phase::Before { row.then } else { NOTHING });
    expected.push("exec matrix");
    if phase == Phase::Running {
        check(thrice(puppet, row, &what).await, row.running);
        expected.extend(row.meanwhile);
        if let Some(last) = row.meanwhile.last() {
            recording.count(last, row.meanwhile.len()).await;
        }
    }
    if row.kind == "pty-req" && phase == Phase::Before {
        // The gate asks which terminal that is, and nothing that is typed is data.
        recording.until("eof").await;
        puppet.order(json!({"do": "close"})).await;
        let question = |s: &String| s.starts_with("exec exec /bin/sh -c ") || s == "eof";
        let of_the_client = heard(recording, mark).into_iter().filter(|s| !question(s));
        assert_eq!(of_the_client.collect::<Vec<_>>(), expected, "{what}");
        return;
    }
    let said = puppet.data("end").await;
    recording.until("data end").await;
    expected.push("data end");
    if !said.contains(&"closed".to_owned()) {
        puppet.until("closed").await;
    }
    if phase == Phase::After {
        for answers in thrice(puppet, row, &what).await {
            assert!(answers.is_empty(), "{what}: {answers:?}");
        }
    }
    puppet.order(json!({"do": "close"})).await;
    assert_eq!(heard(recording, mark), expected, "{what}");
    assert_eq!(t.broker.items().len(), items + 1, "{what} became an item");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_on_a_channel() {
    let Some(python) = paramiko() else { return };
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let (port, _gate, _guard) = serve(&t).await;
    let (recording, _) = stage(&t).await;
    let mut puppet = Puppet::new(&t, python, port);
    for row in ROWS {
        for phase in [Phase::Before, Phase::Held, Phase::Running, Phase::After] {
            let starts = ["exec", "shell", "subsystem"].contains(&row.kind);
            if !(starts && phase == Phase::Before) {
                one(&t, &mut puppet, &recording, row, phase).await;
            }
        }
    }
}

/// Request, fields, what the client hears, the item.
type Start<'a> = (&'a str, &'a [F], Vec<String>, Option<&'a str>);

/// What starts something, on a channel that has nothing yet: what the client hears until it is
/// decided, the items that a reviewer gets, and what the target has heard by then: nothing.
#[tokio::test(flavor = "multi_thread")]
async fn every_request_that_starts_something() {
    let Some(python) = paramiko() else { return };
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let (port, _gate, _guard) = serve(&t).await;
    let (recording, _) = stage(&t).await;
    let mut puppet = Puppet::new(&t, python, port);
    let refused = |why: &str| {
        vec!["yes".to_owned(), format!("stderr expacti: {why}\n"), "exit-status 79".to_owned()]
    };
    let yes = vec!["yes".to_owned()];
    #[rustfmt::skip]
    let table: [Start<'_>; 6] = [
        // request     fields           the client hears                                  the item
        ("exec",      &[S("one; two")], yes.clone(),                                      Some("one; two")),
        // Without a terminal a shell's input is the item.
        ("shell",     &[],              yes.clone(),                                      Some("typed early\n")),
        // Asks for nothing yet: each change of a file is an item.
        ("subsystem", &[S("sftp")],     yes.clone(),                                      None),
        ("subsystem", &[S("netconf")],  refused("the subsystem \"netconf\" is refused"),  None),
        ("subsystem", &[S("sftp ")],    refused("the subsystem \"sftp \" is refused"),    None),
        ("subsystem", &[S("")],         refused("the subsystem \"\" is refused"),         None),
    ];
    for (kind, parts, hears, wanted) in table {
        for reply in [false, true] {
            let items = t.broker.items().len();
            assert_eq!(puppet.open("session", &[], true).await, ["opened"]);
            if kind == "shell" {
                puppet.data("typed early\n").await;
            }
            let told = puppet.ask(kind, &fields(parts), reply).await;
            let skip = usize::from(!reply);
            let told: Vec<_> = told.into_iter().filter(|s| s != "closed").collect();
            assert_eq!(told, hears[skip..], "{kind} {reply}");
            if let Some(wanted) = wanted {
                assert_eq!(t.broker.item(items).await.submission.text.command, wanted);
            }
            puppet.order(json!({"do": "close"})).await;
            assert_eq!(t.broker.items().len(), items + usize::from(wanted.is_some()), "{kind}");
        }
    }
    // The gate reads for SFTP by itself once it is asked to; nobody has asked.
    assert_eq!(heard(&recording, 0), NOTHING);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_channel_type_and_global_request() {
    let Some(python) = paramiko() else { return };
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let (port, _gate, _guard) = serve(&t).await;
    let (recording, _) = stage(&t).await;
    // Whoever got through would get here.
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = u32::from(tcp.local_addr().unwrap().port());
    let (socket, new) = (t.path("there.sock"), t.path("new.sock"));
    let unix = UnixListener::bind(&socket).unwrap();
    let path = |path: &std::path::Path| {
        let text = path.to_str().unwrap();
        [&u32::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()
    };
    let streamlocal = [path(&socket), fields(&[S(""), N(0)])].concat();
    let forwarded = [path(&socket), fields(&[S("")])].concat();
    let tcpip = |port: u32| fields(&[S("127.0.0.1"), N(port), S("127.0.0.1"), N(1)]);
    let target = u32::from(recording.port());
    let mut puppet = Puppet::new(&t, python, port);

    // 1: administratively prohibited. 3: unknown channel type. What has no callback of russh 0.65's is
    // answered once more when its handle is dropped. A connection to a target, or to any port 22, is opened for `ssh -J`, and ends in the
    // gate itself, which is an SSH server there and never connects.
    let (opened, unknown): (&[&str], &[&str]) = (&["opened"], &["refused 3", "refused 1"]);
    #[rustfmt::skip]
    let channels: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("direct-tcpip",                      tcpip(there),                          &["refused 1"]),
        ("direct-tcpip",                      fields(&[S("web-1"), N(target), S(""), N(0)]), opened),
        ("direct-tcpip",                      tcpip(22),                             opened),
        ("direct-tcpip",                      tcpip(1 << 16 | there),                &["refused 1"]),
        ("direct-tcpip",                      fields(&[S("web-1"), N(2375), S(""), N(0)]), &["refused 1"]),
        ("direct-tcpip",                      fields(&[S("web-1")]),                 &["cut off"]),
        ("forwarded-tcpip",                   tcpip(there),                          &["refused 1"]),
        ("direct-streamlocal@openssh.com",    streamlocal,                           &["refused 1"]),
        ("forwarded-streamlocal@openssh.com", forwarded,                             &["refused 1", "refused 1"]),
        ("x11",                               fields(&[S("127.0.0.1"), N(6000)]),    &["refused 1"]),
        ("auth-agent@openssh.com",            Vec::new(),                            &["refused 1", "refused 1"]),
        ("tun@openssh.com",                   fields(&[N(1), N(0x7fff_ffff)]),       unknown),
        ("x-unknown",                         Vec::new(),                            unknown),
        ("SESSION",                           Vec::new(),                            unknown),
        ("",                                  Vec::new(),                            unknown),
    ];
    for (kind, fields, answer) in channels {
        // Twice, as everything.
        for _ in 0..2 {
            let waits = kind == "direct-tcpip" && answer != ["cut off"];
            let told = puppet.open(kind, &fields, waits).await;
            assert_eq!(told, answer, "{kind} {fields:x?}");
            if answer == opened {
                let mut said = puppet.data("GET / HTTP/1.1\r\n\r\n").await;
                if said.is_empty() {
                    said = puppet.until("data SSH-2.0-expacti_").await;
                }
                assert!(said[0].starts_with("data SSH-2.0-expacti_"), "{said:?}");
                puppet.order(json!({"do": "close"})).await;
            }
        }
    }

    #[rustfmt::skip]
    let globals: Vec<(&str, Vec<u8>)> = vec![
        ("tcpip-forward",                          fields(&[S("127.0.0.1"), N(0)])),
        ("tcpip-forward",                          fields(&[S(""), N(there + 1)])),
        ("cancel-tcpip-forward",                   fields(&[S("127.0.0.1"), N(0)])),
        ("streamlocal-forward@openssh.com",        path(&new)),
        ("cancel-streamlocal-forward@openssh.com", path(&new)),
        ("keepalive@openssh.com",                  Vec::new()),
        ("hostkeys-prove-00@openssh.com",          fields(&[S("x")])),
        ("hostkeys-00@openssh.com",                fields(&[S("x")])),
        ("no-more-sessions@openssh.com",           Vec::new()),
        ("x-unknown",                              fields(&[S("x")])),
        ("",                                       Vec::new()),
    ];
    for (kind, fields) in globals {
        for (reply, answer) in [(false, NOTHING), (true, &["no"]), (true, &["no"])] {
            let order =
                json!({"do": "global", "kind": kind, "fields": hex(&fields), "reply": reply});
            assert_eq!(puppet.order(order).await, answer, "{kind}");
        }
    }

    // Nobody came, nothing was made, nobody was asked; the gate's own login is all the target knows.
    assert!(!new.exists());
    assert_eq!(heard(&recording, 0), NOTHING);
    assert!(t.broker.items().is_empty());
    tokio::select! {
        biased;
        _ = tcp.accept() => panic!("a connection got through"),
        _ = unix.accept() => panic!("a connection to the socket got through"),
        () = std::future::ready(()) => {}
    }
    // And the client is still served.
    assert_eq!(puppet.open("session", &[], true).await, ["opened"]);
    assert_eq!(puppet.ask("exec", &fields(&[S("matrix")]), true).await, ["yes"]);
    t.broker.allow(&t.broker.item(0).await);
    puppet.until("data running").await;
    assert_eq!(heard(&recording, 0), ["exec matrix"]);
}
