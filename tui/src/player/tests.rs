#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use std::fmt::Write as _;
use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;

use super::keyframes::apply;
use super::*;
use crate::emulator::Emulator;
use crate::recording::Recording;

fn recording(text: &str) -> Arc<Recording> {
    Arc::new(Recording::read(text.as_bytes()).unwrap())
}

/// One line a second, a chapter every ten, a pause of an hour in the middle.
fn minutes() -> Arc<Recording> {
    let mut text = "{\"version\":2,\"width\":40,\"height\":10}\n".to_owned();
    for i in 0..60 {
        let t = if i < 30 { i } else { i + 3600 };
        if i % 10 == 0 {
            let _ = writeln!(text, "[{t}, \"m\", \"allowed \\u001b[2J {i}\"]");
        }
        let _ = writeln!(text, "[{t}, \"o\", \"line {i}\\r\\n\"]");
    }
    recording(&text)
}

fn press(player: &mut Player, keys: &str) -> Outcome {
    let mut outcome = Outcome::Stays;
    for c in keys.chars() {
        let code = if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) };
        outcome = player.key(KeyEvent::new(code, KeyModifiers::NONE));
    }
    outcome
}

fn shows(player: &Player, text: &str) -> bool {
    player.emulator.rows().iter().any(|r| r == text)
}

#[test]
fn plays_by_the_clock() {
    let mut p = Player::new(minutes(), "t", 2.0, Some(1.0), 1_000);
    assert!((p.duration() - 59.0).abs() < 1e-9, "the pause is cut");
    p.tick(1_000);
    assert!(shows(&p, "line 0") && !shows(&p, "line 1"));
    p.tick(3_400);
    assert!(shows(&p, "line 4") && !shows(&p, "line 5"));
    press(&mut p, " ");
    p.tick(100_000);
    assert!(!shows(&p, "line 5"));
    assert_eq!(p.next_wake(), None);
    press(&mut p, " ");
    p.tick(500_000);
    assert!(shows(&p, "line 59") && !p.playing, "stops at the end");
    press(&mut p, " ");
    assert!(p.playing && p.time < 1.0, "and begins again");
}

#[test]
fn seeks_by_key() {
    let mut p = Player::new(minutes(), "t", 1.0, Some(1.0), 0);
    press(&mut p, "5");
    assert!(shows(&p, "line 29") && !shows(&p, "line 30"));
    press(&mut p, "]");
    assert!(!shows(&p, "line 30"), "a chapter begins before its output");
    assert_eq!(p.chapter(), Some(3));
    press(&mut p, ".");
    assert!(shows(&p, "line 30") && !shows(&p, "line 31"));
    press(&mut p, "..");
    assert!(shows(&p, "line 32"));
    press(&mut p, ",");
    assert!(shows(&p, "line 31") && !shows(&p, "line 32"));
    press(&mut p, "[[");
    assert_eq!(p.chapter(), Some(2));
    press(&mut p, "/line 45\n");
    assert!(shows(&p, "line 45") && !shows(&p, "line 46"));
    press(&mut p, "/line 7\n");
    assert!(shows(&p, "line 7"));
    assert_eq!(p.note.as_deref(), Some("from the beginning"));
    press(&mut p, "/nothing of the kind\n");
    assert_eq!(p.note.as_deref(), Some("not found"));
    press(&mut p, ">>>");
    assert!((p.speed - 4.0).abs() < 1e-9);
    assert_eq!(press(&mut p, "q"), Outcome::Leaves);
    assert!(p.chapters.iter().all(|c| !c.label.contains('\u{1b}')));
}

fn wait_for_index(p: &Player) {
    for _ in 0..10_000 {
        if p.indexed() {
            return;
        }
        std::thread::yield_now();
        std::thread::park_timeout(std::time::Duration::from_millis(1));
    }
    panic!("the index was never finished");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Seeking anywhere shows exactly what playing up to there shows.
    #[test]
    fn seeking_is_playing(
        pieces in prop::collection::vec(prop_oneof![
            "[a-z\r\n\u{1b}\\[0-9;mHJ日]{0,30}".prop_map(|s| ("o", s)),
            (1u16..60, 1u16..20).prop_map(|(c, r)| ("r", format!("{c}x{r}"))),
        ], 1..40),
        seeks in prop::collection::vec(0.0..500.0f64, 1..12),
    ) {
        let mut text = "{\"version\":2,\"width\":30,\"height\":8}\n".to_owned();
        for (i, (code, data)) in pieces.iter().enumerate() {
            let data = serde_json::to_string(data).unwrap();
            let _ = writeln!(text, "[{}, \"{code}\", {data}]", i * 11);
        }
        let r = recording(&text);
        let mut p = Player::new(r.clone(), "t", 1.0, None, 0);
        wait_for_index(&p);
        for to in seeks {
            p.seek(to);
            let mut plain = Emulator::new(30, 8);
            for e in r.events.iter().filter(|e| e.time <= p.time) {
                apply(&mut plain, &r, e);
            }
            prop_assert_eq!(p.emulator.rows(), plain.rows());
            prop_assert_eq!(p.emulator.size(), plain.size());
        }
    }
}

#[test]
fn an_empty_recording() {
    let mut p = Player::new(recording("{\"version\":2}\n"), "t", f64::NAN, None, 0);
    p.tick(1_000);
    press(&mut p, " .,[]<>0519/x\nn");
    assert!(p.time.abs() < 1e-9);
}

#[test]
fn a_far_moment_is_waited_for_without_holding_up_the_screen() {
    let mut text = "{\"version\":2,\"width\":80,\"height\":24}\n".to_owned();
    for i in 0..60_000 {
        let _ = writeln!(text, "[{i}, \"o\", \"{i:0100}\\r\\n\"]");
    }
    let r = recording(&text);
    let mut p = Player::new(r, "t", 1.0, None, 0);
    p.playing = false;
    p.seek(59_000.0);
    let mut now = 0;
    while p.waits() {
        now += 50;
        p.tick(now);
        std::thread::yield_now();
    }
    assert!((p.time - 59_000.0).abs() < 1e-6);
    assert!(p.emulator.rows().iter().any(|row| row.ends_with("59000")), "{:?}", p.emulator.rows());
    // Another wish takes the place of the first.
    p.seek(10.0);
    assert!(!p.waits());
    assert!(p.emulator.rows().iter().any(|row| row.ends_with("010")));
}
