//! A client that does what OpenSSH's never would.

use std::sync::Arc;
use std::time::Duration;

use expacti_harness::prerequisites;
use expacti_protocol::command::ItemKind;
use expacti_protocol::gate::GateRequest;
use russh::client::{Config, Handle, Handler, Msg, connect_stream};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelMsg, Sig};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use crate::broker::Mode;
use crate::trial::{Trial, text};

pub struct Trusting;

impl Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        _key: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

pub async fn connect(t: &Trial) -> Handle<Trusting> {
    let stream = UnixStream::connect(t.path("gate.sock")).await.unwrap();
    let mut stream = BufReader::new(stream);
    stream.write_all(&std::fs::read(t.path("uplink_header.json")).unwrap()).await.unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    assert_eq!(line, "{\"ok\":true}\n");
    let mut handle = connect_stream(Arc::new(Config::default()), stream, Trusting).await.unwrap();
    assert!(handle.authenticate_none("anyone").await.unwrap().success());
    handle
}

#[derive(Debug, Default)]
pub struct Seen {
    pub out: Vec<u8>,
    pub err: Vec<u8>,
    pub status: Option<u32>,
    replies: Vec<bool>,
}

/// Everything until the channel is closed.
pub async fn drain(channel: &mut Channel<Msg>) -> Seen {
    let mut seen = Seen::default();
    let all = async {
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Data { data } => seen.out.extend_from_slice(&data),
                ChannelMsg::ExtendedData { data, .. } => seen.err.extend_from_slice(&data),
                ChannelMsg::ExitStatus { exit_status } => seen.status = Some(exit_status),
                ChannelMsg::Success => seen.replies.push(true),
                ChannelMsg::Failure => seen.replies.push(false),
                ChannelMsg::Close => break,
                _ => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all).await.expect("the channel is closed");
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_request_on_one_channel_is_refused() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let handle = connect(&t).await;
    let mut channel = handle.channel_open_session().await.unwrap();
    channel.exec(true, "sleep 0.3; echo one").await.unwrap();
    channel.exec(true, format!("touch {}", t.path("marker").display())).await.unwrap();
    channel.request_shell(true).await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    channel.request_pty(true, "xterm", 80, 24, 0, 0, &[]).await.unwrap();
    channel.set_env(true, "LANG", "C").await.unwrap();
    channel.agent_forward(true).await.unwrap();
    let seen = drain(&mut channel).await;
    assert_eq!(seen.replies, [true, false, false, false, false, false, false]);
    assert_eq!((text(&seen.out).as_str(), seen.status), ("one\n", Some(0)));
    assert!(!t.path("marker").exists());
    assert_eq!(t.broker.items().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn data_before_any_request_is_held_and_nothing_runs_by_itself() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let handle = connect(&t).await;
    let mut channel = handle.channel_open_session().await.unwrap();
    let script = format!("touch {}\n", t.path("marker").display());
    channel.data_bytes(script.clone().into_bytes()).await.unwrap();
    channel.request_shell(true).await.unwrap();
    let item = t.broker.item(0).await;
    assert_eq!(item.submission.kind, ItemKind::Stdin);
    assert_eq!(item.submission.text.command, script);
    assert!(!t.path("marker").exists());
    t.broker.deny(&item, "no");
    let seen = drain(&mut channel).await;
    assert_eq!(seen.status, Some(77));
    assert!(!t.path("marker").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_withdraws_what_is_held() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let handle = connect(&t).await;
    let mut held = handle.channel_open_session().await.unwrap();
    held.exec(true, format!("touch {}", t.path("marker").display())).await.unwrap();
    let item = t.broker.item(0).await;
    held.signal(Sig::Custom("INT@evil".to_owned())).await.unwrap();
    held.signal(Sig::INT).await.unwrap();
    t.broker
        .heard("withdraw", |r| match r {
            GateRequest::Withdraw { id, .. } if *id == item.id => Some(()),
            _ => None,
        })
        .await;
    t.broker.allow(&item);
    assert_eq!(drain(&mut held).await.status, Some(130));
    assert!(!t.path("marker").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_reaches_what_runs() {
    if crate::trial::user() == "root" {
        prerequisites::not_applicable("sshd delivers no signals to sessions of root");
        return;
    }
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let handle = connect(&t).await;
    let mut running = handle.channel_open_session().await.unwrap();
    let command = "trap 'echo caught; exit 9' USR1; echo ready; while :; do sleep 0.05; done";
    running.exec(true, command).await.unwrap();
    t.broker.heard("output", |r| matches!(r, GateRequest::Output { .. }).then_some(())).await;
    running.signal(Sig::USR1).await.unwrap();
    let seen = drain(&mut running).await;
    assert_eq!((text(&seen.out).as_str(), seen.status), ("ready\ncaught\n", Some(9)));
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_are_clamped_and_modes_replaced() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let handle = connect(&t).await;
    let mut channel = handle.channel_open_session().await.unwrap();
    let modes = [(russh::Pty::VERASE, 115), (russh::Pty::ISTRIP, 1), (russh::Pty::ECHO, 0)];
    channel.request_pty(true, "vt100", 1 << 31, 0, 7, 7, &modes).await.unwrap();
    let command = "read x; stty size; stty -a | grep -o 'erase = [^;]*\\|-istrip\\|[-]*echo '";
    channel.exec(true, command).await.unwrap();
    t.broker.item(0).await;
    t.broker.heard("resize", |r| matches!(r, GateRequest::Resize { .. }).then_some(())).await;
    channel.window_change(u32::MAX, 40, 0, 0).await.unwrap();
    t.broker
        .heard("the new size", |r| match r {
            GateRequest::Resize { cols: 1000, rows: 40, .. } => Some(()),
            _ => None,
        })
        .await;
    channel.data_bytes(&b"\r"[..]).await.unwrap();
    let seen = drain(&mut channel).await;
    let shown = text(&seen.out);
    assert!(shown.contains("40 1000"), "{shown}");
    assert!(shown.contains("erase = ^?") && shown.contains("-istrip"), "{shown}");
    assert!(shown.contains("\necho "), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_gate_withdraws_what_it_holds() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let handle = connect(&t).await;
    let channel = handle.channel_open_session().await.unwrap();
    channel.exec(true, "true").await.unwrap();
    let item = t.broker.item(0).await;
    t.stop().await;
    // The end of its session withdraws what is pending; the broker knows before the gate ends.
    assert!(t.broker.log().iter().any(|r| match r {
        GateRequest::CloseSession { session_id, .. } => *session_id == item.submission.session_id,
        _ => false,
    }));
}

/// A release of russh that adds a callback must not add a permission.
#[test]
fn every_callback_of_russh_is_answered() {
    let home = std::env::var("CARGO_HOME")
        .unwrap_or_else(|_| format!("{}/.cargo", std::env::var("HOME").unwrap()));
    let sources = std::fs::read_dir(format!("{home}/registry/src")).into_iter().flatten();
    let source = sources
        .filter_map(|dir| Some(dir.ok()?.path().join("russh-0.65.1/src")))
        .find(|path| path.exists());
    let Some(source) = source else {
        let part = format!("the source of russh 0.65.1 in {home}/registry/src");
        prerequisites::missing(part, "run cargo fetch");
        return;
    };
    // Neutral: they report, choose parameters, or say no by default.
    let server = ["channel_open_confirmation", "window_adjusted", "adjust_window"];
    let server = [&server[..], &["lookup_dh_gex_group"]].concat();
    let client = [
        "auth_banner",
        "kex_done",
        "channel_open_confirmation",
        "channel_success",
        "channel_failure",
        "channel_close",
        "channel_eof",
        "channel_open_failure",
        "data",
        "extended_data",
        "xon_xoff",
        "exit_status",
        "exit_signal",
        "window_adjusted",
        "adjust_window",
        "disconnected",
    ];
    for (file, ours, neutral) in [
        ("server/mod.rs", include_str!("../../src/ssh/callbacks.rs"), &server[..]),
        ("client/mod.rs", include_str!("../../src/boundary/handler.rs"), &client[..]),
    ] {
        let text = std::fs::read_to_string(source.join(file)).unwrap();
        let (_, handler) = text.split_once("pub trait Handler").unwrap();
        let (handler, _) = handler.split_once("\n}\n").unwrap();
        let names: Vec<_> = handler
            .lines()
            .filter_map(|line| line.strip_prefix("    fn "))
            .filter_map(|line| line.split(['(', '<']).next())
            .collect();
        assert!(names.len() > 20, "{file}: {names:?}");
        for name in names {
            let answered = ours.contains(&format!("async fn {name}("))
                || ours.contains(&format!("async fn {name}<"));
            assert!(answered != neutral.contains(&name), "{file}: {name}");
        }
    }
}
