//! How long frames, recordings and seeking take. Run by hand, in release:
//! `cargo test --release -p expacti-tui speed -- --ignored --nocapture`.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use expacti_protocol::reviewer::ReviewerEvent;

use super::{Bench, request, support};
use crate::player::Player;
use crate::recording::Recording;

fn time<T>(what: &str, times: u32, mut work: impl FnMut() -> T) {
    let began = Instant::now();
    for _ in 0..times {
        work();
    }
    println!("{what}: {:.2} ms", began.elapsed().as_secs_f64() * 1e3 / f64::from(times));
}

#[test]
#[ignore = "measures, asserts nothing"]
fn speed() {
    let mut b = Bench::new(200, 60);
    b.blind = true;
    for i in 0..100 {
        let s = support::session(&format!("s{i:03}"), "bot", &format!("web-{i}"));
        b.event(ReviewerEvent::SessionOpened(Box::new(s)));
    }
    let views: Vec<_> =
        (0..1000u32).map(|i| request(&format!("{i:04}"), (i % 100) as u8)).collect();
    time("1,000 requests arrive", 1, || views.iter().for_each(|v| b.pending(v)));
    time("a frame with 1,000 requests, 100 sessions", 100, || b.draw());
    let mut now = b.model.now;
    time("a tick and a frame", 100, || {
        now += 1;
        b.msg(crate::model::Msg::Now(now));
        b.draw();
    });
    let web = support::session("7c1a", "fixbot", "web-1");
    let long = support::request("9999", &web, &"rm -rf /srv/cache; ".repeat(55_000), 90, 5);
    time("1 MB arrives", 1, || b.pending(&long));
    b.keys("<");
    time("its first frame", 1, || b.draw());
    time("its next frames", 50, || b.draw());

    let mut text = "{\"version\":2,\"width\":120,\"height\":40}\n".to_owned();
    for i in 0..1_000_000u32 {
        let _ = writeln!(
            text,
            "[{:.6}, \"o\", \"\\u001b[3{}m{i:08} the quick brown fox jumps over the lazy dog, and again\\u001b[0m\\r\\n\"]",
            f64::from(i) * 0.0036,
            i % 8
        );
    }
    println!("recording: {} MB, 1 h", text.len() / 1_000_000);
    time("open: read", 1, || Recording::read(text.as_bytes()).unwrap());
    let recording = Arc::new(Recording::read(text.as_bytes()).unwrap());
    let began = Instant::now();
    let mut player = Player::new(recording, "t", 1.0, None, 0);
    player.tick(100);
    println!("open: first frame {:.2} ms", began.elapsed().as_secs_f64() * 1e3);
    while !player.indexed() {
        std::thread::yield_now();
    }
    println!("index: {:.2} s", began.elapsed().as_secs_f64());
    let mut at = 0.0;
    time("seek", 200, || {
        at = (at + 1237.0) % 3600.0;
        player.seek(at);
    });
}
