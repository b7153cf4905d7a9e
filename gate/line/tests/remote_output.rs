//! The output of the remote side: split anywhere, and with any garbage in it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use expacti_line::remote::{Event, Nonce, Remote};
use proptest::prelude::*;

const NONCE: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

/// A piece of output, and the part of it that an agent sees.
fn piece() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let ours = prop_oneof![
        Just("A"),
        Just("B"),
        Just("C"),
        Just("P"),
        Just("Q"),
        Just("D;0"),
        Just("D;x"),
        Just("W;/a%20b%zz"),
        Just("w;/a b"),
        Just("H;bash;5;/dev/pts/1;7;check"),
        Just("K;-U;echo a"),
        Just("K;-HX;"),
        Just("K"),
        Just("?;;"),
        Just(""),
    ]
    .prop_map(|payload| (format!("\x1b]133;{NONCE};{payload}\x07").into_bytes(), Vec::new()));
    let passing = prop_oneof![
        "[a-z\r\n\u{7}\u{1b}é]{0,9}".prop_map(String::into_bytes),
        Just(b"\x1b[?2004h".to_vec()),
        Just(b"\x1b[?2004l\r".to_vec()),
        Just(b"\x1b[?1049;25h".to_vec()),
        Just(b"\x1b[1m\x1b[?999999999999999h".to_vec()),
        Just(b"\x1b]133;A\x07".to_vec()),
        Just(format!("\x1b]133;{};A\x07", NONCE.replacen('5', "", 1)).into_bytes()),
        Just(format!("\x1b]133;{}", NONCE).into_bytes()),
        Just(b"\x1b\x1b]13\x1b]133;5a5a\x1b[?1\x1b[?".to_vec()),
        prop::collection::vec(any::<u8>(), 0..12),
    ]
    .prop_map(|bytes| (bytes.clone(), bytes));
    prop_oneof![ours, passing]
}

fn events(parts: &[&[u8]]) -> Vec<Event> {
    let mut remote = Remote::new(Nonce::new([0x5a; 16]), 80);
    let mut out = Vec::new();
    for part in parts {
        remote.feed(part, &mut out);
    }
    remote.finish(&mut out);
    merged(out)
}

fn merged(events: Vec<Event>) -> Vec<Event> {
    let mut all: Vec<Event> = Vec::new();
    for event in events {
        match (all.last_mut(), event) {
            (Some(Event::Output(before)), Event::Output(bytes)) => before.extend(bytes),
            (_, event) => all.push(event),
        }
    }
    all
}

fn output(events: &[Event]) -> Vec<u8> {
    let outputs = events.iter().filter_map(|event| match event {
        Event::Output(bytes) => Some(bytes.as_slice()),
        _ => None,
    });
    outputs.collect::<Vec<_>>().concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_split_gives_the_same_events(
        pieces in prop::collection::vec(piece(), 0..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let bytes: Vec<u8> = pieces.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let mut parts = Vec::new();
        let mut from = 0;
        for cut in cuts {
            parts.push(&bytes[from..cut]);
            from = cut;
        }
        let whole = events(&[&bytes]);
        prop_assert_eq!(&events(&parts), &whole);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(&events(&single), &whole);
    }

    #[test]
    fn no_byte_but_those_of_markers_is_lost(
        pieces in prop::collection::vec(piece(), 0..12),
    ) {
        // A piece that is the beginning of a marker must not be completed by the next one.
        let bytes: Vec<u8> = pieces.iter().flat_map(|(b, _)| [b.as_slice(), b"|"].concat()).collect();
        let seen: Vec<u8> = pieces.iter().flat_map(|(_, s)| [s.as_slice(), b"|"].concat()).collect();
        prop_assert_eq!(output(&events(&[&bytes])), seen);
    }
}
