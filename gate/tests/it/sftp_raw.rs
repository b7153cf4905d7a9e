//! SFTP through the gate with clients that are not OpenSSH's, or none at all.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use expacti_harness::prerequisites;
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::GateRequest;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use russh::client::Msg;
use russh::{Channel, ChannelMsg};
use tokio::process::Command;

use crate::broker::Mode;
use crate::raw::{connect, drain};
use crate::sftp::trial;
use crate::trial::{Trial, finish, ran_alone, text};

pub const INIT: &[u8] = &[0, 0, 0, 5, 1, 0, 0, 0, 3];
pub const OPEN: u8 = 3;
pub const CLOSE: u8 = 4;
pub const READ: u8 = 5;
const WRITE: u8 = 6;
const FSETSTAT: u8 = 10;
const MKDIR: u8 = 14;
const STAT: u8 = 17;

pub fn string(bytes: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    out.extend_from_slice(bytes);
    out
}

pub fn packet(kind: u8, id: u32, fields: &[&[u8]]) -> Vec<u8> {
    let mut body = vec![kind];
    body.extend_from_slice(&id.to_be_bytes());
    fields.iter().for_each(|field| body.extend_from_slice(field));
    string(&body)
}

/// For writing, made and emptied.
fn open(id: u32, path: &Path) -> Vec<u8> {
    let flags = 0x1au32.to_be_bytes();
    packet(OPEN, id, &[&string(path.to_str().unwrap().as_bytes()), &flags, &[0; 4]])
}

fn write(id: u32, handle: &[u8], data: &[u8]) -> Vec<u8> {
    packet(WRITE, id, &[&string(handle), &[0; 8], &string(data)])
}

/// The next packet: its type, id and what follows.
pub struct Conversation {
    channel: Channel<Msg>,
    bytes: Vec<u8>,
}

impl Conversation {
    pub async fn begin(t: &Trial) -> (russh::client::Handle<crate::raw::Trusting>, Self) {
        let handle = connect(t).await;
        let channel = handle.channel_open_session().await.unwrap();
        channel.request_subsystem(true, "sftp").await.unwrap();
        let mut this = Self { channel, bytes: Vec::new() };
        this.say(INIT).await;
        assert_eq!(this.hear().await.0, 2);
        (handle, this)
    }

    pub async fn say(&self, bytes: &[u8]) {
        self.channel.data_bytes(bytes.to_vec()).await.unwrap();
    }

    pub async fn hear(&mut self) -> (u8, u32, Vec<u8>) {
        let heard = async {
            loop {
                if let Some((head, rest)) = self.bytes.split_first_chunk::<4>() {
                    let length = u32::from_be_bytes(*head) as usize;
                    if rest.len() >= length {
                        let packet = rest[..length].to_vec();
                        self.bytes.drain(..4 + length);
                        let id = u32::from_be_bytes(packet[1..5].try_into().unwrap());
                        return (packet[0], id, packet[5..].to_vec());
                    }
                }
                match self.channel.wait().await.expect("the channel is open") {
                    ChannelMsg::Data { data } => self.bytes.extend_from_slice(&data),
                    ChannelMsg::Close => panic!("closed"),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), heard).await.expect("an answer")
    }

    /// The code of the status that comes next, and its message.
    pub async fn status(&mut self, id: u32) -> (u32, String) {
        let (kind, got, body) = self.hear().await;
        assert_eq!((kind, got), (101, id));
        let length = u32::from_be_bytes(body[4..8].try_into().unwrap()) as usize;
        (u32::from_be_bytes(body[..4].try_into().unwrap()), text(&body[8..8 + length]))
    }

    pub async fn handle(&mut self, id: u32) -> Vec<u8> {
        let (kind, got, body) = self.hear().await;
        assert_eq!((kind, got), (102, id));
        body[4..].to_vec()
    }
}

/// Answers of zeros cost the client nothing to ask for; they must all come, but not all at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_for_much_of_a_file_full_of_holes_gets_it_piece_by_piece() {
    const READS: u32 = 300;
    if ran_alone() {
        return;
    }
    let Some(t) = trial(Mode::Manual).await else { return };
    let (_handle, mut sftp) = Conversation::begin(&t).await;
    let (path, flags) = (t.path("holes"), 0x1bu32.to_be_bytes());
    let name = string(path.to_str().unwrap().as_bytes());
    sftp.say(&packet(OPEN, 1, &[&name, &flags, &[0; 4]])).await;
    let handle = string(&sftp.handle(1).await);
    let size = (1u64 << 40).to_be_bytes();
    sftp.say(&packet(FSETSTAT, 2, &[&handle, &1u32.to_be_bytes(), &size])).await;
    assert_eq!(sftp.status(2).await.0, 0);
    let length = (255 * 1024u32).to_be_bytes();
    let reads: Vec<u8> =
        (0..READS).flat_map(|n| packet(READ, 100 + n, &[&handle, &[0; 8], &length])).collect();
    let before = resident();
    sftp.say(&reads).await;
    // Whatever waits, waits as the question that it is.
    let mut most = 0;
    let mut answers = std::collections::HashSet::new();
    for _ in 0..READS {
        most = most.max(resident().saturating_sub(before));
        let (kind, id, body) = sftp.hear().await;
        assert_eq!((kind, body.len()), (103, 4 + 255 * 1024));
        answers.insert(id);
    }
    assert_eq!(answers.len(), READS as usize);
    assert!(most < 60 << 20, "{most} bytes");
    assert!(!path.exists());
}

/// Memory of this process, of which the gate is a part, in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) * 4096
}

#[tokio::test(flavor = "multi_thread")]
async fn files_closed_together_are_one_item() {
    let Some(t) = trial(Mode::Manual).await else { return };
    let (_handle, mut sftp) = Conversation::begin(&t).await;
    for round in 0..2u32 {
        let mut closes = Vec::new();
        let names = ["x", "y", "z"].map(|name| t.path(&format!("{name}{round}")));
        for (n, path) in (0..).zip(&names) {
            sftp.say(&open(n, path)).await;
            let handle = sftp.handle(n).await;
            sftp.say(&write(n, &handle, format!("content {n}").as_bytes())).await;
            assert_eq!(sftp.status(n).await.0, 0);
            closes.extend(packet(CLOSE, 10 + n, &[&string(&handle)]));
        }
        sftp.say(&closes).await;
        let item = t.broker.item(round as usize).await;
        let shown = item.submission.text.command.clone();
        let directory = t.dir.path().canonicalize().unwrap().display().to_string();
        let mut lines = shown.lines();
        let summary = format!("sftp upload 3 files, 27 B, to {directory}");
        assert_eq!(lines.next().unwrap(), summary);
        for (n, line) in lines.enumerate() {
            let hash = Digest::of(format!("content {n}").as_bytes());
            assert!(line.ends_with(&format!(": 9 B, sha256 {hash}, new file")), "{line}");
        }
        let preview = item.submission.preview.clone().unwrap();
        assert!(preview.contains("<==\ncontent 1\n==> "), "{preview}");
        assert!(names.iter().all(|path| !path.exists()));
        if round == 0 {
            t.broker.deny(&item, "not these");
        } else {
            t.broker.allow(&item);
        }
        for n in 0..3 {
            let (code, message) = sftp.status(10 + n).await;
            if round == 0 {
                assert_eq!((code, message.as_str()), (3, "expacti: command denied — not these"));
            } else {
                assert_eq!((code, message.as_str()), (0, ""));
            }
        }
        assert!(names.iter().all(|path| path.exists() == (round == 1)));
    }
    assert_eq!(t.broker.items().len(), 2);
    assert_eq!(std::fs::read(t.path("y1")).unwrap(), b"content 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_client_withdraws_and_unfinished_uploads_are_nothing() {
    let Some(t) = trial(Mode::Manual).await else { return };
    let (_handle, mut sftp) = Conversation::begin(&t).await;
    sftp.say(&open(1, &t.path("unfinished"))).await;
    let handle = sftp.handle(1).await;
    sftp.say(&write(2, &handle, b"x")).await;
    assert_eq!(sftp.status(2).await.0, 0);
    let made = string(t.path("made").to_str().unwrap().as_bytes());
    sftp.say(&packet(MKDIR, 3, &[&made, &[0; 4]])).await;
    let item = t.broker.item(0).await;
    sftp.channel.eof().await.unwrap();
    t.broker
        .heard("withdraw", |r| match r {
            GateRequest::Withdraw { id, .. } if *id == item.id => Some(()),
            _ => None,
        })
        .await;
    t.broker.allow(&item);
    let seen = drain(&mut sftp.channel).await;
    assert_eq!(seen.status, Some(79));
    assert!(text(&seen.err).contains("1 upload(s) were not finished"), "{}", text(&seen.err));
    assert!(!t.path("made").exists() && !t.path("unfinished").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_change_does_not_stop_what_only_reads() {
    let Some(t) = trial(Mode::Manual).await else { return };
    let (_handle, mut sftp) = Conversation::begin(&t).await;
    let made = string(t.path("made").to_str().unwrap().as_bytes());
    sftp.say(&packet(MKDIR, 1, &[&made, &[0; 4]])).await;
    let item = t.broker.item(0).await;
    sftp.say(&packet(STAT, 2, &[&string(b"/")])).await;
    assert_eq!(sftp.hear().await.0, 105);
    t.broker.allow(&item);
    assert_eq!(sftp.status(1).await.0, 0);
    assert!(t.path("made").is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_sftp_ends_the_channel_and_reaches_nobody() {
    let Some(t) = trial(Mode::Manual).await else { return };
    let handle = connect(&t).await;
    for bytes in [&b"\xff\xff\xff\xff"[..], b"GET / HTTP/1.0\r\n\r\n", &[0, 0, 0, 1, 17], INIT] {
        let mut channel = handle.channel_open_session().await.unwrap();
        channel.request_subsystem(true, "sftp").await.unwrap();
        channel.data_bytes(bytes.to_vec()).await.unwrap();
        if bytes == INIT {
            channel.data_bytes(bytes.to_vec()).await.unwrap();
        }
        let seen = drain(&mut channel).await;
        assert_eq!(seen.status, Some(79));
        assert!(text(&seen.err).starts_with("expacti: "), "{}", text(&seen.err));
    }
    assert!(t.broker.items().is_empty());
}

/// Requests of every kind, whole or broken, about files of one directory: while nobody approves
/// anything, nothing in that directory changes.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_changes_whatever_is_sent() {
    let Some(t) = trial(Mode::Manual).await else { return };
    std::fs::create_dir(t.path("world")).unwrap();
    std::fs::write(t.path("world/a"), "a").unwrap();
    std::fs::create_dir(t.path("world/d")).unwrap();
    let state = |t: &Trial| {
        let mut found = Vec::new();
        let mut left = vec![t.path("world")];
        while let Some(path) = left.pop() {
            let meta = path.symlink_metadata().unwrap();
            if meta.is_dir() {
                left.extend(std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
            }
            use std::os::unix::fs::MetadataExt as _;
            found.push((path, meta.mode(), meta.len(), meta.mtime_nsec(), meta.uid()));
        }
        found.sort();
        found
    };
    let before = state(&t);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let world = t.path("world").display().to_string();
    let path = prop_oneof![
        Just(format!("{world}/a")),
        Just(format!("{world}/d")),
        Just(format!("{world}/n")),
        Just(format!("{world}/d/../a")),
    ];
    let extension = prop_oneof![
        Just("posix-rename@openssh.com"),
        Just("hardlink@openssh.com"),
        Just("lsetstat@openssh.com"),
        Just("fsync@openssh.com"),
        Just("copy-data"),
    ];
    let request = (
        prop_oneof![3u8..=20, Just(200)],
        path.clone(),
        path,
        extension,
        any::<[u8; 4]>(),
        proptest::collection::vec(any::<u8>(), 0..12),
        0u64..6,
        any::<bool>(),
    );
    for round in 0..24 {
        let (_handle, mut sftp) = Conversation::begin(&t).await;
        let mut asked = 0u32;
        for id in 0..20u32 {
            let (kind, a, b, name, flags, tail, handle, whole) =
                request.new_tree(&mut runner).unwrap().current();
            let (a, b) = (string(a.as_bytes()), string(b.as_bytes()));
            let handle = string(&handle.to_be_bytes());
            let named = string(name.as_bytes());
            let small = u32::from(flags[0] & 63).to_be_bytes();
            let fields: Vec<&[u8]> = match kind {
                OPEN => vec![&a, &small, &[0; 4]],
                CLOSE | 8 | 12 => vec![&handle],
                5 => vec![&handle, &[0; 8], &[0, 0, 0, 9]],
                WRITE => vec![&handle, &[0; 8], &a],
                9 | MKDIR => vec![&a, &[0, 0, 0, 4, 0, 0, 0], &flags[..1]],
                10 => vec![&handle, &[0, 0, 0, 4, 0, 0, 0], &flags[..1]],
                18 | 20 => vec![&a, &b],
                200 => vec![&named, &a, &b],
                _ => vec![&a],
            };
            let fields = if whole { fields } else { vec![&a[..], &tail] };
            sftp.say(&packet(kind, id, &fields)).await;
            asked += 1;
        }
        // Everything was read when the last question of all is answered.
        sftp.say(&packet(STAT, 1000, &[&string(b"/")])).await;
        while sftp.hear().await.1 != 1000 {}
        assert_eq!(asked, 20);
        sftp.channel.close().await.unwrap();
        assert_eq!(state(&t), before, "round {round}");
    }
    assert!(!t.broker.items().is_empty(), "some of it was held");
}

fn python(t: &Trial, client: &str) -> Option<tokio::process::Child> {
    let python = prerequisites::python_with(client.split('-').next().unwrap())?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/sftp_clients.py");
    let mut command = Command::new(python);
    command.arg(script).arg(client).arg(t.path("gate.sock")).arg(t.path("uplink_header.json"));
    command.arg(t.dir.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(command.kill_on_drop(true).spawn().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn paramiko() {
    let Some(t) = trial(Mode::Auto).await else { return };
    let content: Vec<u8> = (0..300_000u32).map(|n| (n % 239) as u8).collect();
    std::fs::write(t.path("local"), &content).unwrap();
    let Some(child) = python(&t, "paramiko") else { return };
    let out = finish(child).await;
    assert!(out.status.success(), "{}", text(&out.stderr));
    let items: Vec<_> = t.broker.items().into_iter().map(|i| i.submission.text.command).collect();
    let has = |part: &str| assert!(items.iter().any(|i| i.contains(part)), "{part}: {items:#?}");
    has("/up: 5 B at offset 10, sha256");
    has("/up: 4 B at offset 300000, sha256");
    has("sftp truncate");
    has("/dir/moved");
}

#[tokio::test(flavor = "multi_thread")]
async fn paramiko_does_not_take_a_denied_upload_for_done() {
    let Some(t) = trial(Mode::Manual).await else { return };
    std::fs::write(t.path("local"), "12345").unwrap();
    std::fs::write(t.path("old"), "54321").unwrap();
    let Some(child) = python(&t, "paramiko-denied") else { return };
    for n in 0..3 {
        t.broker.deny(&t.broker.item(n).await, "no");
    }
    let out = finish(child).await;
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert_eq!(std::fs::read(t.path("old")).unwrap(), b"54321");
    assert!(!t.path("new").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn asyncssh() {
    let Some(t) = trial(Mode::Auto).await else { return };
    let Some(child) = python(&t, "asyncssh") else { return };
    let out = finish(child).await;
    assert!(out.status.success(), "{}", text(&out.stderr));
}

/// A mounted directory, until it is dropped.
struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let mut command = std::process::Command::new("fusermount3");
        command.args(["-u", "-z"]).arg(&self.0).stderr(Stdio::null()).status().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sshfs() {
    let Some(program) = prerequisites::command("sshfs") else { return };
    if std::fs::OpenOptions::new().read(true).write(true).open("/dev/fuse").is_err() {
        prerequisites::missing("/dev/fuse", "load the kernel's module fuse, and give the device");
        return;
    }
    let Some(t) = trial(Mode::Auto).await else { return };
    for directory in ["far", "near"] {
        std::fs::create_dir(t.path(directory)).unwrap();
    }
    let content: Vec<u8> = (0..1_000_000u32).map(|n| (n % 233) as u8).collect();
    std::fs::write(t.path("far/large"), &content).unwrap();
    let ssh = t.ssh(&[]);
    let mut command = Command::new(program);
    command.arg(format!("target:{}", t.path("far").display())).arg(t.path("near"));
    // The quoting of the mount's own options: a comma would end one.
    for option in ssh.as_std().get_args().skip(1) {
        command.arg("-o").arg(option.to_str().unwrap().trim_start_matches("-o"));
    }
    let out = finish(command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()).await;
    if !out.status.success() && text(&out.stderr).contains("fuse") {
        prerequisites::missing(text(&out.stderr).trim(), "allow mounts with FUSE");
        return;
    }
    assert!(out.status.success(), "{}", text(&out.stderr));
    let mounted = Mounted(t.path("near"));
    let near = t.path("near");
    let work = move || {
        assert_eq!(std::fs::read(near.join("large")).unwrap(), content);
        std::fs::create_dir(near.join("sub")).unwrap();
        std::fs::write(near.join("sub/new"), "through a mount").unwrap();
        std::fs::rename(near.join("sub/new"), near.join("sub/moved")).unwrap();
        std::fs::read_dir(near.join("sub")).unwrap().count()
    };
    let worked = tokio::time::timeout(Duration::from_secs(40), tokio::task::spawn_blocking(work));
    let worked = worked.await.expect("in time");
    let items: Vec<_> = t.broker.items().into_iter().map(|i| i.submission.text.command).collect();
    assert_eq!(worked.ok(), Some(1), "{items:#?}\n{}", crate::sftp::recorded(&t));
    assert_eq!(std::fs::read(t.path("far/sub/moved")).unwrap(), b"through a mount");
    drop(mounted);
}
