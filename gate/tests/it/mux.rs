//! Several channels on one connection, and what is left when it ends.

use std::time::{Duration, Instant};

use tokio::process::Child;

use crate::broker::Mode;
use crate::trial::{Trial, finish, text, until};

/// A ControlMaster client; commands then run over its socket.
async fn master(t: &Trial) -> Child {
    let control = format!("-S{}", t.path("control").display());
    let child = t.spawn(&["-M", "-N", &control, "target"]);
    until("the master's socket", || t.path("control").exists()).await;
    child
}

async fn through(t: &Trial, command: &str) -> std::process::Output {
    let control = format!("-S{}", t.path("control").display());
    t.run(&[&control, "target", command]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_statuses_through_a_master() {
    // More commands than `Limits::channels`: ended ones must not count.
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let master = master(&t).await;
    for n in 0..70 {
        let code = (n * 37) % 256;
        let out = through(&t, &format!("echo {n}; exit {code}")).await;
        assert_eq!(out.status.code(), Some(code), "{n}: {}", text(&out.stderr));
        assert_eq!(text(&out.stdout), format!("{n}\n"));
    }
    // One after the other they share one connection to the target.
    let logins = || {
        let log = std::fs::read_to_string(t.path("sshd.log")).unwrap();
        log.matches("Accepted publickey").count()
    };
    assert_eq!(logins(), 1);
    // Side by side.
    let runs: Vec<_> = (0..8).map(|n| format!("sleep 0.1; exit {n}")).collect();
    let runs = runs.iter().map(|command| through(&t, command));
    for (n, out) in futures_util::future::join_all(runs).await.into_iter().enumerate() {
        assert_eq!(out.status.code(), i32::try_from(n).ok());
    }
    assert!(logins() <= 8, "{}", logins());
    drop(master);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_channel_with_much_input_does_not_stall_its_neighbour() {
    let Some(t) = Trial::new(Mode::Manual).await else { return };
    let _master = master(&t).await;
    let control = format!("-S{}", t.path("control").display());
    let mut held = t.ssh(&[&control, "target", "sha256sum"]);
    let mut held = held.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut stdin = held.stdin.take().unwrap();
    let data = vec![9u8; 32 << 20];
    let sum = expacti_protocol::digest::Digest::of(&data);
    let writer = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        stdin.write_all(&data).await
    });
    let first = t.broker.item(0).await;
    t.broker.set_mode(Mode::Auto);
    let started = Instant::now();
    for n in 0..5 {
        let out = through(&t, &format!("head -c 3000000 /dev/zero; exit {n}")).await;
        assert_eq!((out.status.code(), out.stdout.len()), (Some(n), 3_000_000));
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    t.broker.allow(&first);
    let out = finish(held).await;
    writer.await.unwrap().unwrap();
    assert_eq!(text(&out.stdout), format!("{sum}  -\n"));
}

/// Children of that sshd: one or two for each connection.
fn connections(t: &Trial) -> usize {
    let pid = t.sshd.pid();
    let path = format!("/proc/{pid}/task/{pid}/children");
    std::fs::read_to_string(path).unwrap_or_default().split_whitespace().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_client_goes_so_does_the_target() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    for command in ["true", "sleep 60"] {
        let mut child = t.spawn(&["target", command]);
        t.broker.item(t.broker.items().len()).await;
        if command == "true" {
            child.wait().await.unwrap();
        } else {
            until("connected", || connections(&t) > 0).await;
            child.kill().await.unwrap();
        }
        until("no connection is left", || connections(&t) == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_target_goes_the_agent_is_told() {
    let Some(mut t) = Trial::new(Mode::Auto).await else { return };
    let child = t.spawn(&["target", "echo started; sleep 60"]);
    let item = t.broker.item(0).await;
    t.broker
        .heard("output", |r| {
            matches!(r, expacti_protocol::gate::GateRequest::Output { .. }).then_some(())
        })
        .await;
    t.sshd.kill_all();
    let out = finish(child).await;
    assert_eq!(out.status.code(), Some(255));
    assert!(text(&out.stderr).contains("is unknown"), "{}", text(&out.stderr));
    assert!(t.broker.outcome(&item.id).await.unknown.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_are_bounded() {
    let limits = expacti_gate::Limits { channels: 2, ..Default::default() };
    let Some(t) = Trial::with(Mode::Manual, limits, "").await else { return };
    let _master = master(&t).await;
    let control = format!("-S{}", t.path("control").display());
    let _first = t.spawn(&[&control, "target", "true"]);
    t.broker.item(0).await;
    let _second = t.spawn(&[&control, "target", "true"]);
    t.broker.item(1).await;
    // The master is refused a third channel, so this client makes a connection of its own.
    let _third = t.spawn(&[&control, "target", "true"]);
    let sessions = [
        t.broker.item(0).await.submission.session_id,
        t.broker.item(1).await.submission.session_id,
        t.broker.item(2).await.submission.session_id,
    ];
    assert_eq!(sessions[0], sessions[1]);
    assert_ne!(sessions[1], sessions[2]);
}
