//! How long things take; figures for people, run by hand: `cargo test -- --ignored latency`.

use std::time::Instant;

use crate::broker::Mode;
use crate::trial::{Trial, until};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints figures, asserts nothing"]
async fn latency() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    for _ in 0..5 {
        let started = Instant::now();
        t.run(&["target", "true"]).await;
        eprintln!("fresh: {:?}", started.elapsed());
    }
    let control = format!("-S{}", t.path("control").display());
    let _master = t.spawn(&["-M", "-N", &control, "target"]);
    until("the master's socket", || t.path("control").exists()).await;
    for _ in 0..8 {
        let started = Instant::now();
        t.run(&[&control, "target", "true"]).await;
        eprintln!("open connection: {:?}", started.elapsed());
    }
    let handle = crate::raw::connect(&t).await;
    for _ in 0..8 {
        let started = Instant::now();
        let mut channel = handle.channel_open_session().await.unwrap();
        channel.exec(true, "true").await.unwrap();
        crate::raw::drain(&mut channel).await;
        eprintln!("exec on an open connection, no ssh process: {:?}", started.elapsed());
    }
    for _ in 0..5 {
        let mut command = tokio::process::Command::new("ssh");
        command
            .args(["-F/dev/null", "-oBatchMode=yes", "-p", &t.sshd.port.to_string()])
            .arg(format!("-oUserKnownHostsFile={}", t.path("known_hosts").display()))
            .arg(format!("-i{}", t.path("id").display()))
            .args(["127.0.0.1", "true"]);
        let started = Instant::now();
        command.output().await.unwrap();
        eprintln!("direct: {:?}", started.elapsed());
    }
}
