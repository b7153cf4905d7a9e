//! How long frames, opening and seeking take. Run with
//! `cargo bench -p expacti-tui --features bench`; prints p50, p99 and the worst, in milliseconds.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

#[allow(unused_imports)]
#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use expacti_tui::bench::{Replay, Screen};

fn measure(what: &str, times: usize, mut work: impl FnMut()) {
    let mut took: Vec<Duration> = Vec::with_capacity(times);
    for _ in 0..times {
        let began = Instant::now();
        work();
        took.push(began.elapsed());
    }
    took.sort_unstable();
    let ms = |n: usize| took[n.min(times - 1)].as_secs_f64() * 1e3;
    println!(
        "{what:<44} p50 {:>9.3}  p99 {:>9.3}  worst {:>9.3}",
        ms(times / 2),
        ms(times * 99 / 100),
        ms(times - 1)
    );
}

fn screen(cols: u16, rows: u16) -> Screen {
    let mut screen = Screen::new(cols, rows);
    for i in 0..100 {
        screen.session(support::session(&format!("s{i:03}"), "bot", &format!("web-{i}")));
    }
    let web = support::session("7c1a", "fixbot", "web-1");
    for i in 0..1000_u32 {
        let score = u8::try_from(i % 100).unwrap();
        let text = format!("systemctl restart app-{i:04}");
        screen.request(support::request(&format!("{i:04}"), &web, &text, score, 60));
    }
    screen
}

/// An hour of output, one line each 3.6 ms: 108 MB.
fn recording() -> String {
    let mut text = "{\"version\":2,\"width\":120,\"height\":40}\n".to_owned();
    for i in 0..1_000_000_u32 {
        let _ = writeln!(
            text,
            "[{:.6}, \"o\", \"\\u001b[3{}m{i:08} the quick brown fox jumps over the lazy dog, and again\\u001b[0m\\r\\n\"]",
            f64::from(i) * 0.0036,
            i % 8
        );
    }
    text
}

fn main() {
    for (cols, rows) in [(200, 60), (120, 35), (80, 24)] {
        let mut screen = screen(cols, rows);
        measure(&format!("frame, 1,000 requests, 100 sessions, {cols}x{rows}"), 300, || {
            screen.tick(10);
            screen.frame();
        });
    }
    let mut long = Screen::new(120, 35);
    let web = support::session("7c1a", "fixbot", "web-1");
    let text = "rm -rf /srv/cache; ".repeat(55_000);
    long.request(support::request("9999", &web, &text, 90, 60));
    measure("frame, a command of 1 MB", 100, || {
        long.tick(10);
        long.frame();
    });

    let text = recording();
    println!("recording: {} MB, 1 h", text.len() / 1_000_000);
    let mut open = None;
    measure("open, to the first frame", 10, || open = Some(Replay::open(text.as_bytes())));
    drop(open);
    let mut early = Vec::new();
    measure("open, and at once to the end", 3, || {
        let mut replay = Replay::open(text.as_bytes());
        replay.seek_early(3_599.0);
        early.push(replay);
    });
    early.clear();
    let mut replay = Replay::open(text.as_bytes());
    measure("all keyframes", 1, || replay.index());
    let mut at = 0.0;
    measure("seek", 300, || {
        at = (at + 1_237.0) % 3_600.0;
        replay.seek(at);
    });
}
