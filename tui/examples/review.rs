//! The reviewer's screen over a made-up broker, to look at: `cargo run --example review`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/support/mod.rs"]
mod support;

use expacti_protocol::client::Endpoint;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let only_own = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    let dir = tempfile::Builder::new().permissions(only_own).tempdir()?;
    let socket = dir.path().join("broker.sock");
    let broker = support::broker::FakeBroker::listen(&socket);
    let now = expacti_protocol::now_micros() / 1000;
    let (sessions, mut commands) = support::scene();
    for c in &mut commands {
        let shift = now - support::T0;
        c.deadline_ms += shift + 60_000;
        c.timestamp += shift / 1000;
    }
    {
        let mut state = broker.state.lock().unwrap();
        state.sessions = sessions;
        for s in &mut state.sessions {
            s.opened_at += (now - support::T0) / 1000;
        }
        let count: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
        let web = state.sessions.first().cloned().expect("a session");
        for i in 0..count {
            let text = format!("rm -rf /srv/cache/{i}");
            let mut c = support::request(&format!("{i:04}"), &web, &text, (i * 7 % 100) as u8, 60);
            c.deadline_ms = now + 90_000 + i64::try_from(i)? * 500;
            c.timestamp = now / 1000;
            commands.push(c);
        }
        // SCENE=items: what is typed at interactive shells, and changes of files.
        if std::env::var_os("SCENE").is_some() {
            commands.extend(support::items(&web, now));
        }
        state.commands = commands;
    }
    // LATE=N: so many more, one every four seconds.
    let late = std::env::var("LATE").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    tokio::spawn(async move {
        let web = support::session("7c1a", "fixbot", "web-1");
        for i in 0..late {
            tokio::time::sleep(std::time::Duration::from_secs(4)).await;
            let text = format!("systemctl restart app-{i} && echo <b>&amp;");
            let mut c = support::request(&format!("b{i:03}"), &web, &text, 60, 60);
            let now = expacti_protocol::now_micros() / 1000;
            (c.deadline_ms, c.timestamp) = (now + 90_000, now / 1000);
            broker.add(c);
        }
    });
    let mut options = expacti_tui::ReviewOptions::new(Endpoint::unix(&socket));
    options.notify = std::env::var_os("NOTIFY").is_some();
    options.ascii = std::env::var_os("ASCII").is_some();
    options.no_color = std::env::var_os("NO_COLOR").is_some();
    expacti_tui::review(options).await
}
