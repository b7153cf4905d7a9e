//! `git push` through the gate: one decision, unless it deletes.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};

use expacti_protocol::command::ItemKind;
use tokio::process::{Child, Command};

use crate::broker::Mode;
use crate::sftp::recorded;
use crate::trial::{Trial, finish, text};

/// `git` in the trial's working tree, whose ssh goes through the gate.
fn git(t: &Trial, args: &[&str]) -> Child {
    let ssh = t.ssh(&[]);
    let quoted: Vec<_> =
        ssh.as_std().get_args().map(|arg| format!("'{}'", arg.to_string_lossy())).collect();
    let script = t.path("git-ssh");
    std::fs::write(&script, format!("#!/bin/sh\nexec ssh {} \"$@\"\n", quoted.join(" "))).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("git");
    command.arg("-C").arg(t.path("tree")).args(args).env("GIT_SSH", script);
    for name in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{name}_NAME"), "a").env(format!("GIT_{name}_EMAIL"), "a@b");
    }
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_SSH_VARIANT", "ssh")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn ok(child: Child) -> Output {
    let out = finish(child).await;
    assert!(out.status.success(), "{}\n{}", text(&out.stdout), text(&out.stderr));
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_one_decision_and_a_deletion_one_more() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    std::fs::create_dir(t.path("tree")).unwrap();
    let repository = t.path("repo.git").display().to_string();
    let remote = format!("target:{repository}");
    ok(git(&t, &["init", "-q", "-b", "main"])).await;
    ok(git(&t, &["init", "-q", "--bare", &repository])).await;
    ok(git(&t, &["commit", "-q", "--allow-empty", "-m", "one"])).await;
    ok(git(&t, &["push", "-q", &remote, "main", "main:refs/heads/topic"])).await;
    assert_eq!(t.broker.items().len(), 1, "one decision");
    let shown = recorded(&t);
    assert!(shown.contains("git create refs/heads/topic: "), "{shown}");

    t.broker.set_mode(Mode::Manual);
    let branches = || std::fs::read_dir(t.path("repo.git/refs/heads")).unwrap().count();
    for (n, allow) in [(1, false), (3, true)] {
        let child = git(&t, &["push", "-q", &remote, "--delete", "topic"]);
        t.broker.allow(&t.broker.item(n).await);
        let item = t.broker.item(n + 1).await;
        assert_eq!(item.submission.kind, ItemKind::File);
        let command = &item.submission.text.command;
        let first = format!("git push to {repository}: deletes 1 of 1 refs\n");
        assert!(command.starts_with(&format!("{first}git DELETE refs/heads/topic: was ")));
        assert_eq!(branches(), 2);
        if allow {
            t.broker.allow(&item);
            ok(child).await;
            assert_eq!(branches(), 1);
        } else {
            t.broker.deny(&item, "keep it");
            let out = finish(child).await;
            assert!(!out.status.success());
            assert!(text(&out.stderr).contains("keep it"), "{}", text(&out.stderr));
            assert_eq!(branches(), 2);
        }
    }
    // A fetch is as it was.
    t.broker.set_mode(Mode::Auto);
    ok(git(&t, &["fetch", "-q", &remote, "main"])).await;
    assert_eq!(t.broker.items().len(), 6);
}

/// What starts receive-pack, and what options it has, is the client's choice.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_deletes_is_held_whatever_receives_it() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    std::fs::create_dir(t.path("tree")).unwrap();
    let repository = t.path("repo.git").display().to_string();
    let remote = format!("target:{repository}");
    ok(git(&t, &["init", "-q", "-b", "main"])).await;
    ok(git(&t, &["init", "-q", "--bare", &repository])).await;
    ok(git(&t, &["commit", "-q", "--allow-empty", "-m", "one"])).await;
    let branches = || std::fs::read_dir(t.path("repo.git/refs/heads")).unwrap().count();
    let receivers = [
        "git-receive-pack -q",
        "git-receive-pack --quiet",
        "git receive-pack",
        "env X=y git-receive-pack",
        "nice -n 5 git receive-pack",
        "GIT_TRACE=0 git-receive-pack",
        "cd / && git-receive-pack",
    ];
    for receiver in receivers {
        let receiver = format!("--receive-pack={receiver}");
        t.broker.set_mode(Mode::Auto);
        ok(git(&t, &["push", "-q", &receiver, &remote, "main", "main:refs/heads/topic"])).await;
        assert_eq!(branches(), 2, "{receiver}");
        t.broker.set_mode(Mode::Manual);
        let before = t.broker.items().len();
        let child = git(&t, &["push", "-q", &receiver, &remote, "--delete", "topic"]);
        t.broker.allow(&t.broker.item(before).await);
        let item = t.broker.item(before + 1).await;
        let command = &item.submission.text.command;
        assert!(command.contains("deletes 1 of 1 refs\ngit DELETE refs/heads/topic"), "{command}");
        assert_eq!(branches(), 2, "{receiver}");
        t.broker.deny(&item, "keep it");
        assert!(!finish(child).await.status.success());
        assert_eq!(branches(), 2, "{receiver}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_push_does_not_reach_what_receives_one() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let seen = t.path("seen");
    let command = format!("cat > {}; : git-receive-pack", seen.display());
    for input in [&b"hello\n"[..], b"ffff; no push at all", b"00"] {
        let out = t.run_with(&["target", &command], input).await;
        // The command may be over before it has begun to read.
        let got = std::fs::read(&seen).unwrap_or_default();
        assert_eq!(got, b"", "{}", text(&out.stderr));
    }
}
