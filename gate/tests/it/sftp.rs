//! SFTP through the gate with the stock clients: what reads flows, what changes is held.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};
use std::time::Duration;

use expacti_protocol::command::ItemKind;
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::{DecisionKind, GateEvent, GateRequest};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::broker::{Broker, Item, Mode};
use crate::trial::{Trial, finish, text};

/// With an SFTP server on the target.
pub async fn trial(mode: Mode) -> Option<Trial> {
    Trial::with(mode, expacti_gate::Limits::default(), "Subsystem sftp internal-sftp").await
}

/// A client other than ssh, with ssh's options of the trial.
fn client(t: &Trial, program: &str, args: &[&str]) -> Command {
    let ssh = t.ssh(&[]);
    let mut command = Command::new(program);
    command
        .args(ssh.as_std().get_args())
        .args(args)
        .env_remove("SSH_AUTH_SOCK")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

pub fn scp(t: &Trial, args: &[&str]) -> Child {
    client(t, "scp", args).spawn().unwrap()
}

/// `sftp` with a batch of commands.
pub async fn sftp(t: &Trial, batch: &str) -> Child {
    let mut command = client(t, "sftp", &["-b", "-", "target"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(batch.as_bytes()).await.unwrap();
    child
}

pub fn ok(out: &Output) {
    assert!(out.status.success(), "{}\n{}", text(&out.stdout), text(&out.stderr));
}

pub fn path(t: &Trial, name: &str) -> String {
    t.path(name).canonicalize().unwrap_or_else(|_| t.path(name)).display().to_string()
}

fn is_withdrawn(item: &Item) -> impl Fn(&GateRequest) -> Option<()> {
    let id = item.id.clone();
    move |r| match r {
        GateRequest::Withdraw { id: i, .. } if *i == id => Some(()),
        _ => None,
    }
}

/// What the session's recording shows.
pub fn recorded(t: &Trial) -> String {
    use base64::Engine as _;
    let mut shown = String::new();
    for request in t.broker.log() {
        if let GateRequest::Output { data, .. } = request {
            let bytes = base64::engine::general_purpose::STANDARD.decode(data).unwrap();
            shown.push_str(&text(&bytes));
        }
    }
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_without_sftp_is_explained() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let out = finish(scp(&t, &["target:/etc/passwd", "/nonexistent/x"])).await;
    assert!(!out.status.success());
    assert!(text(&out.stderr).contains("the target has no SFTP server"), "{}", text(&out.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_held_shown_and_written_once() {
    let Some(t) = trial(Mode::Manual).await else { return };
    std::fs::write(t.path("new"), "hello\nworld\n").unwrap();
    let to = path(&t, "copied");
    let child = scp(&t, &[&path(&t, "new"), &format!("target:{to}")]);
    let item = t.broker.item(0).await;
    assert_eq!(item.submission.kind, ItemKind::File);
    let hash = Digest::of(b"hello\nworld\n");
    let expected = format!("sftp write {to}: 12 B, sha256 {hash}, new file mode 0644");
    assert_eq!(item.submission.text.command, expected);
    assert_eq!(item.submission.preview.as_deref(), Some("hello\nworld\n"));
    assert!(!t.path("copied").exists());
    t.broker.allow(&item);
    let out = finish(child).await;
    ok(&out);
    // Told why it waits only if it waited for long.
    let said = text(&out.stderr)
        .replace(&format!("expacti: waiting for review: sftp write {to}: 12 B\n"), "");
    assert_eq!(said, "");
    assert_eq!(std::fs::read(t.path("copied")).unwrap(), b"hello\nworld\n");
    let outcome = t.broker.outcome(&item.id).await;
    assert_eq!(outcome.exit_status, Some(0));
    assert_eq!(outcome.stdin.unwrap().sha256, hash);
    assert!(recorded(&t).contains(&format!("{expected}: done\r\n")), "{}", recorded(&t));

    // Now it is there: what would change is shown.
    std::fs::write(t.path("new"), "hello\nthere\n").unwrap();
    let child = scp(&t, &[&path(&t, "new"), &format!("target:{to}")]);
    let item = t.broker.item(1).await;
    let command = &item.submission.text.command;
    assert!(command.ends_with("replaces 12 B mode 0644"), "{command}");
    let preview = item.submission.preview.clone().unwrap();
    assert!(preview.contains("-world\n+there\n"), "{preview}");
    assert_eq!(std::fs::read(t.path("copied")).unwrap(), b"hello\nworld\n");
    t.broker.allow(&item);
    ok(&finish(child).await);
    assert_eq!(std::fs::read(t.path("copied")).unwrap(), b"hello\nthere\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_upload_leaves_nothing_and_the_client_is_told() {
    let Some(t) = trial(Mode::Manual).await else { return };
    std::fs::write(t.path("new"), "x").unwrap();
    let to = format!("target:{}", path(&t, "copied"));
    for (n, (kind, message)) in [
        (DecisionKind::Reviewer, "expacti: command denied — not there\n"),
        (DecisionKind::Timeout, "expacti: command timed out — no reviewer responded\n"),
        (DecisionKind::FailClosed, "expacti: command denied — not there\n"),
    ]
    .into_iter()
    .enumerate()
    {
        let child = scp(&t, &[&path(&t, "new"), &to]);
        let item = t.broker.item(n).await;
        let mut decision = Broker::decision(&item, false, Some("not there"));
        decision.kind = kind;
        decision.released = true;
        t.broker.say(GateEvent::Decision(decision));
        let out = finish(child).await;
        assert!(!out.status.success());
        assert!(text(&out.stderr).contains(message), "{}", text(&out.stderr));
        assert!(!t.path("copied").exists());
    }
    // A decision about other bytes is none.
    let child = scp(&t, &[&path(&t, "new"), &to]);
    let item = t.broker.item(3).await;
    let mut decision = Broker::decision(&item, true, None);
    decision.sha256 = Digest::of(b"something else");
    decision.released = true;
    t.broker.say(GateEvent::Decision(decision));
    let out = finish(child).await;
    assert!(!out.status.success() && text(&out.stderr).contains("not about this command"));
    assert!(!t.path("copied").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_is_told_what_for() {
    let Some(t) = trial(Mode::Manual).await else { return };
    std::fs::write(t.path("new"), "x").unwrap();
    let to = path(&t, "copied");
    let mut child = scp(&t, &[&path(&t, "new"), &format!("target:{to}")]);
    let item = t.broker.item(0).await;
    let mut said = String::new();
    let mut stderr = tokio::io::BufReader::new(child.stderr.take().unwrap());
    let line = tokio::io::AsyncBufReadExt::read_line(&mut stderr, &mut said);
    tokio::time::timeout(Duration::from_secs(30), line).await.unwrap().unwrap();
    assert_eq!(said, format!("expacti: waiting for review: sftp write {to}: 1 B\n"));
    t.broker.allow(&item);
    ok(&finish(child).await);
    assert_eq!(std::fs::read(t.path("copied")).unwrap(), b"x");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_takes_its_upload_back() {
    let Some(t) = trial(Mode::Manual).await else { return };
    std::fs::write(t.path("new"), "x").unwrap();
    let to = format!("target:{}", path(&t, "copied"));
    let mut child = scp(&t, &[&path(&t, "new"), &to]);
    let item = t.broker.item(0).await;
    child.kill().await.unwrap();
    t.broker.heard("withdraw", is_withdrawn(&item)).await;
    t.broker.allow(&item);
    t.broker
        .heard("close_session", |r| matches!(r, GateRequest::CloseSession { .. }).then_some(()))
        .await;
    assert!(!t.path("copied").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_and_listing_flow_and_are_recorded() {
    let Some(t) = trial(Mode::Manual).await else { return };
    std::fs::create_dir(t.path("tree")).unwrap();
    std::fs::create_dir(t.path("tree/deep")).unwrap();
    let large: Vec<u8> = (0..3_000_000u32).map(|n| (n % 253) as u8).collect();
    std::fs::write(t.path("tree/deep/large"), &large).unwrap();
    std::fs::write(t.path("tree/small"), "small").unwrap();
    let from = format!("target:{}", path(&t, "tree"));
    let child = scp(&t, &["-rp", &from, t.path("back").to_str().unwrap()]);
    ok(&finish(child).await);
    assert_eq!(std::fs::read(t.path("back/deep/large")).unwrap(), large);
    assert_eq!(std::fs::read(t.path("back/small")).unwrap(), b"small");
    let out = finish(sftp(&t, &format!("ls -l {}\ndf\npwd\n", path(&t, "tree"))).await).await;
    ok(&out);
    assert!(text(&out.stdout).contains("small"), "{}", text(&out.stdout));
    assert!(t.broker.items().is_empty());
    let shown = recorded(&t);
    assert!(shown.contains(&format!("sftp read {}/small\r\n", path(&t, "tree"))), "{shown}");
    assert!(shown.contains(&format!("sftp list {}", path(&t, "tree"))), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reading_of_a_secret_is_held() {
    let Some(t) = trial(Mode::Manual).await else { return };
    std::fs::write(t.path(".env"), "PASSWORD=1\n").unwrap();
    std::os::unix::fs::symlink(t.path(".env"), t.path("harmless")).unwrap();
    let fetched = t.path("fetched");
    for (n, name) in [".env", "harmless"].into_iter().enumerate() {
        let from = format!("target:{}", t.path(name).display());
        let child = scp(&t, &[&from, fetched.to_str().unwrap()]);
        let item = t.broker.item(n).await;
        let expected = format!("sftp read {}: 11 B mode 0644", path(&t, ".env"));
        assert_eq!(item.submission.text.command, expected);
        t.broker.deny(&item, "no");
        let out = finish(child).await;
        assert!(!out.status.success() && text(&out.stderr).contains("denied — no"));
        assert!(!fetched.exists());
    }
    let from = format!("target:{}", t.path(".env").display());
    let child = scp(&t, &[&from, fetched.to_str().unwrap()]);
    t.broker.allow(&t.broker.item(2).await);
    ok(&finish(child).await);
    assert_eq!(std::fs::read(fetched).unwrap(), b"PASSWORD=1\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_through_a_link_shows_where_it_goes() {
    let Some(t) = trial(Mode::Manual).await else { return };
    std::fs::create_dir(t.path(".ssh")).unwrap();
    std::os::unix::fs::symlink(t.path(".ssh"), t.path("docs")).unwrap();
    std::fs::write(t.path("new"), "touch p\n").unwrap();
    let to = format!("target:{}", t.path("docs/rc").display());
    let child = scp(&t, &[&path(&t, "new"), &to]);
    let item = t.broker.item(0).await;
    let real = format!("{}/rc", path(&t, ".ssh"));
    let command = &item.submission.text.command;
    assert!(command.starts_with(&format!("sftp write {real}: 8 B, ")), "{command}");
    let notes = item.submission.notes.join("\n");
    assert!(notes.contains("decide who may log in") && notes.contains("asked for as"), "{notes}");
    assert!(!t.path(".ssh/rc").exists());
    // The link is turned round between the review and the delivery: nothing is written.
    std::fs::create_dir(t.path("elsewhere")).unwrap();
    std::fs::rename(t.path(".ssh"), t.path("was")).unwrap();
    std::os::unix::fs::symlink(t.path("elsewhere"), t.path(".ssh")).unwrap();
    t.broker.allow(&item);
    let out = finish(child).await;
    assert!(!out.status.success());
    assert!(text(&out.stderr).contains("leads elsewhere"), "{}", text(&out.stderr));
    assert!(!t.path("elsewhere/rc").exists() && !t.path("was/rc").exists());
    assert_eq!(t.broker.outcome(&item.id).await.exit_status, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_change_is_held() {
    let Some(t) = trial(Mode::Manual).await else { return };
    std::fs::write(t.path("a"), "a").unwrap();
    std::fs::write(t.path("b"), "bb").unwrap();
    std::fs::create_dir(t.path("empty")).unwrap();
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(t.path("a"), mode(0o644)).unwrap();
    let p = |name: &str| format!("{}/{name}", path(&t, "."));
    type Operation = (String, String, fn(&Trial) -> bool);
    let operations: [Operation; 8] = [
        (format!("mkdir {}", p("made")), format!("sftp mkdir {}: mode 0777", p("made")), |t| {
            t.path("made").is_dir()
        }),
        (format!("rmdir {}", p("empty")), format!("sftp rmdir {}", p("empty")), |t| {
            !t.path("empty").exists()
        }),
        (
            format!("chmod 600 {}", p("a")),
            format!("sftp chmod {}: mode 0600 was 0644", p("a")),
            |t| t.path("a").metadata().unwrap().permissions().mode() & 0o777 == 0o600,
        ),
        (format!("ln -s ../x {}", p("link")), format!("sftp symlink {} to ../x", p("link")), |t| {
            t.path("link").is_symlink()
        }),
        (
            format!("ln {} {}", p("a"), p("hard")),
            format!("sftp hardlink {} to {}", p("hard"), p("a")),
            |t| t.path("hard").exists(),
        ),
        (
            format!("rename {} {}", p("hard"), p("b")),
            format!("sftp rename {} to {}: replacing 2 B mode 0644", p("hard"), p("b")),
            |t| !t.path("hard").exists(),
        ),
        (
            format!("rm {}", p("link")),
            format!("sftp remove {}: symbolic link mode 0777", p("link")),
            |t| !t.path("link").is_symlink(),
        ),
        (format!("rm {}", p("b")), format!("sftp remove {}: 1 B mode 0600", p("b")), |t| {
            !t.path("b").exists()
        }),
    ];
    for (n, (command, shown, done)) in operations.iter().enumerate() {
        // Denied: nothing happens and the client fails.
        let child = sftp(&t, &format!("{command}\n")).await;
        let item = t.broker.item(2 * n).await;
        assert_eq!(item.submission.text.command, *shown);
        assert!(!done(&t), "{command}");
        t.broker.deny(&item, "no");
        assert!(!finish(child).await.status.success(), "{command}");
        assert!(!done(&t), "{command}");
        let child = sftp(&t, &format!("{command}\n")).await;
        let item = t.broker.item(2 * n + 1).await;
        t.broker.allow(&item);
        ok(&finish(child).await);
        assert!(done(&t), "{command}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_do_nothing_asks_nobody() {
    let Some(t) = trial(Mode::Manual).await else { return };
    std::fs::write(t.path("a"), "a").unwrap();
    std::fs::set_permissions(t.path("a"), std::fs::Permissions::from_mode(0o640)).unwrap();
    ok(&finish(sftp(&t, &format!("chmod 640 {}\n", path(&t, "a"))).await).await);
    let nothing = [
        format!("mkdir {}", path(&t, ".")),
        format!("rm {}/nothing", path(&t, ".")),
        format!("chmod 600 {}/nothing", path(&t, ".")),
        format!("put {} {}/nowhere/x", path(&t, "a"), path(&t, ".")),
    ];
    for command in nothing {
        let out = finish(sftp(&t, &format!("{command}\n")).await).await;
        assert!(!out.status.success(), "{command}");
    }
    assert!(t.broker.items().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_upload_goes_on() {
    let Some(t) = trial(Mode::Manual).await else { return };
    let all: Vec<u8> = (0..400_000u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(t.path("whole"), &all).unwrap();
    std::fs::write(t.path("part"), &all[..150_000]).unwrap();
    let batch = format!("reput {} {}\n", path(&t, "whole"), path(&t, "part"));
    let child = sftp(&t, &batch).await;
    let item = t.broker.item(0).await;
    let command = item.submission.text.command.clone();
    let hash = Digest::of(&all[150_000..]);
    assert!(
        command.contains(&format!(" at offset 150000, sha256 {hash}, within 146.4 KiB")),
        "{command}"
    );
    assert_eq!(t.path("part").metadata().unwrap().len(), 150_000);
    t.broker.allow(&item);
    ok(&finish(child).await);
    assert_eq!(std::fs::read(t.path("part")).unwrap(), all);
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_trees_with_times_and_modes() {
    let Some(t) = trial(Mode::Auto).await else { return };
    std::fs::create_dir_all(t.path("tree/deep")).unwrap();
    let large: Vec<u8> = (0..2_500_000u32).map(|n| (n % 241) as u8).collect();
    std::fs::write(t.path("tree/deep/large"), &large).unwrap();
    std::fs::write(t.path("tree/run"), "#!/bin/sh\n").unwrap();
    std::fs::write(t.path("tree/empty"), "").unwrap();
    std::fs::set_permissions(t.path("tree/run"), std::fs::Permissions::from_mode(0o750)).unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    std::fs::File::open(t.path("tree/run")).unwrap().set_modified(old).unwrap();
    let child = scp(&t, &["-rp", &path(&t, "tree"), &format!("target:{}/there", path(&t, "."))]);
    ok(&finish(child).await);
    assert_eq!(std::fs::read(t.path("there/deep/large")).unwrap(), large);
    assert_eq!(std::fs::read(t.path("there/empty")).unwrap(), b"");
    let meta = t.path("there/run").metadata().unwrap();
    assert_eq!(meta.permissions().mode() & 0o7777, 0o750);
    assert_eq!(meta.modified().unwrap(), old);
    let items: Vec<_> = t.broker.items().into_iter().map(|i| i.submission.text.command).collect();
    assert!(items.iter().any(|i| i.contains("then sets mode 0750, atime")), "{items:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_dies_takes_the_item_with_it() {
    let Some(mut t) = trial(Mode::Manual).await else { return };
    std::fs::write(t.path("new"), "x").unwrap();
    let child = scp(&t, &[&path(&t, "new"), &format!("target:{}", t.path("to").display())]);
    let item = t.broker.item(0).await;
    t.sshd.kill_all();
    t.broker.heard("withdraw", is_withdrawn(&item)).await;
    t.broker.allow(&item);
    let out = finish(child).await;
    assert!(!out.status.success());
    assert!(text(&out.stderr).contains("connection to the target was lost"), "{out:?}");
    assert!(!t.path("to").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_nothing_is_read_either() {
    let Some(t) = trial(Mode::Auto).await else { return };
    std::fs::write(t.path("a"), "a").unwrap();
    let from = format!("target:{}", t.path("a").display());
    t.broker.cut(true);
    let out = finish(scp(&t, &[&from, t.path("b").to_str().unwrap()])).await;
    assert!(!out.status.success());
    assert!(text(&out.stderr).contains("broker unreachable"), "{}", text(&out.stderr));
    assert!(!t.path("b").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_flow_both_ways() {
    let Some(t) = trial(Mode::Auto).await else { return };
    let content: Vec<u8> = (0..8_000_000u32).map(|n| (n.wrapping_mul(7) >> 3) as u8).collect();
    std::fs::write(t.path("large"), &content).unwrap();
    let started = std::time::Instant::now();
    ok(&finish(scp(&t, &[&path(&t, "large"), &format!("target:{}/up", path(&t, "."))])).await);
    let up = started.elapsed();
    ok(&finish(scp(
        &t,
        &[&format!("target:{}/up", path(&t, ".")), &format!("{}/down", path(&t, "."))],
    ))
    .await);
    println!("8 MB up in {up:?}, down in {:?}", started.elapsed() - up);
    assert_eq!(std::fs::read(t.path("down")).unwrap(), content);
}
