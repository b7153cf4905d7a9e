//! Any text: terms add up, unread text is never below HIGH, and `;true` never lowers a score.
#![no_main]

use expacti_engine::{Context, Level, assess};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let context = Context::default();
    let plain = assess(text.as_bytes(), &context);
    let sum: i32 = plain.terms.iter().map(|term| term.points).sum();
    assert_eq!(i32::from(plain.score), sum.clamp(0, 100));
    assert!(!plain.uninspectable || plain.level >= Level::High);
    // A comment, a here-document or an open quote would swallow what is appended.
    if !plain.uninspectable && !text.contains(['#', '\n', '\\']) && !text.contains("<<") {
        let longer = assess(format!("{text};true").as_bytes(), &context);
        assert!(longer.score >= plain.score, "{} then {}", plain.score, longer.score);
    }
});
