//! Bytes become keys the same way however they are split, and none is lost.

use proptest::prelude::*;

use super::super::{Decoder, Key, MAX_PASTE, Stroke};
use super::{keys, strokes};

#[test]
fn plain_keys() {
    assert_eq!(keys(b"a\xc3\xa4"), [Key::Char('a'), Key::Char('\u{e4}')]);
    assert_eq!(keys("\u{1f600}".as_bytes()), [Key::Char('\u{1f600}')]);
    assert_eq!(keys(b"\x7f\x08\t"), [Key::Backspace, Key::Ctrl(b'h'), Key::Tab]);
    assert_eq!(keys(b"\x01\x1a"), [Key::Ctrl(b'a'), Key::Ctrl(b'z')]);
    assert_eq!(
        keys(b"\x1c\x1d\x1e\x1f"),
        [Key::Ctrl(b'\\'), Key::Ctrl(b']'), Key::Ctrl(b'^'), Key::Ctrl(b'_')]
    );
}

#[test]
fn a_return_with_its_line_feed_is_one_enter() {
    assert_eq!(keys(b"\r"), [Key::Enter]);
    assert_eq!(keys(b"\n"), [Key::Enter]);
    assert_eq!(keys(b"\r\n"), [Key::Enter, Key::LineFeed]);
    assert_eq!(keys(b"\n\r"), [Key::Enter, Key::Enter]);
    assert_eq!(keys(b"\r\r\n\n"), [Key::Enter, Key::Enter, Key::LineFeed, Key::Enter]);
    // 50 ms later it is an Enter of its own.
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    decoder.feed(b"\r", &mut out);
    assert!(decoder.is_pending());
    decoder.flush(&mut out);
    assert!(!decoder.is_pending());
    decoder.feed(b"\n", &mut out);
    assert_eq!(out.iter().map(|s| s.key.clone()).collect::<Vec<_>>(), [Key::Enter, Key::Enter]);
}

#[test]
fn named_sequences() {
    for (bytes, key) in [
        (&b"\x1b[A"[..], Key::Up),
        (b"\x1bOB", Key::Down),
        (b"\x1b[C", Key::Right),
        (b"\x1bOD", Key::Left),
        (b"\x1b[H", Key::Home),
        (b"\x1b[1~", Key::Home),
        (b"\x1bOF", Key::End),
        (b"\x1b[4~", Key::End),
        (b"\x1b[2~", Key::Insert),
        (b"\x1b[3~", Key::Delete),
        (b"\x1b[5~", Key::PageUp),
        (b"\x1b[6~", Key::PageDown),
        (b"\x1b[1;5C", Key::WordRight),
        (b"\x1b[1;3D", Key::WordLeft),
        (b"\x1bb", Key::WordLeft),
        (b"\x1bf", Key::WordRight),
        (b"\x1bd", Key::WordDelete),
        (b"\x1b\x7f", Key::WordBackspace),
        (b"\x1b.", Key::Alt('.')),
    ] {
        assert_eq!(keys(bytes), [key], "{bytes:?}");
    }
}

#[test]
fn what_terminals_say_is_swallowed_whole() {
    for bytes in [
        &b"\x1b[24;80R"[..],
        b"\x1b[?62;22c",
        b"\x1b[<0;10;20M",
        b"\x1b[M !!",
        b"\x1b[M \xff\xfe",
        b"\x1b[[A",
        b"\x1b[201~",
        b"\x1b[200;1~",
        b"\x1b[15~",
        b"\x1bOP",
        b"\x1bO5C",
        b"\x1b]11;rgb:0000/0000/0000\x07",
        b"\x1b]11;rgb:0000/0000/0000\x1b\\",
        b"\x1bP1$r0m\x1b\\",
        b"\x1b_Gi=1;OK\x1b\\",
        b"\x1b^x\x1b\\",
    ] {
        assert_eq!(keys(bytes), [Key::Unknown(bytes.to_vec())], "{bytes:?}");
    }
}

#[test]
fn an_unfinished_sequence_does_not_eat_the_next_key() {
    assert_eq!(keys(b"\x1b[1;\r"), [Key::Unknown(b"\x1b[1;".to_vec()), Key::Enter]);
    assert_eq!(keys(b"\x1b]0;x\x03"), [Key::Unknown(b"\x1b]0;x".to_vec()), Key::Ctrl(b'c')]);
    assert_eq!(keys(b"\x1bPx\x1b[A"), [Key::Unknown(b"\x1bPx".to_vec()), Key::Up]);
    assert_eq!(keys(b"\x1b\x1b[A"), [Key::Escape, Key::Up]);
    assert_eq!(keys(b"\x1b\r"), [Key::Escape, Key::Enter]);
    assert_eq!(keys(b"\x1b[M\r"), [Key::Unknown(b"\x1b[M".to_vec()), Key::Enter]);
    assert_eq!(keys(b"\x1b"), [Key::Escape]);
    assert_eq!(keys(b"\x1b["), [Key::Unknown(b"\x1b[".to_vec())]);
}

#[test]
fn what_is_not_text_is_named() {
    assert_eq!(keys(b"\xff\xfe"), [Key::Invalid(vec![0xff]), Key::Invalid(vec![0xfe])]);
    assert_eq!(keys(b"\0"), [Key::Invalid(vec![0])]);
    assert_eq!(keys(b"\xe2\x82a"), [Key::Invalid(vec![0xe2, 0x82]), Key::Char('a')]);
    assert_eq!(keys(b"\xe2\x82\r"), [Key::Invalid(vec![0xe2, 0x82]), Key::Enter]);
    assert_eq!(keys(b"\xe2\x82"), [Key::Invalid(vec![0xe2, 0x82])]);
    assert_eq!(keys(b"\xc2\x9b"), [Key::Invalid(vec![0xc2, 0x9b])], "C1");
    assert_eq!(keys(b"\x9b"), [Key::Invalid(vec![0x9b])]);
    // A surrogate, and an overlong slash.
    assert!(keys(b"\xed\xa0\x80").iter().all(|key| matches!(key, Key::Invalid(_))));
    assert!(keys(b"\xc0\xaf").iter().all(|key| matches!(key, Key::Invalid(_))));
}

#[test]
fn a_paste_is_one_key_and_ends_at_its_first_bracket() {
    assert_eq!(keys(b"\x1b[200~a\r\x03\x1b[A\x1b[201~"), [Key::Paste(b"a\r\x03\x1b[A".to_vec())]);
    assert_eq!(
        keys(b"\x1b[200~a\x1b[201~;b\r"),
        [Key::Paste(b"a".to_vec()), Key::Char(';'), Key::Char('b'), Key::Enter]
    );
    assert_eq!(keys(b"\x1b[200~\x1b[20\x1b[201~"), [Key::Paste(b"\x1b[20".to_vec())]);
    assert_eq!(keys(b"\x1b[200~\x1b[200~x\x1b[201~"), [Key::Paste(b"\x1b[200~x".to_vec())]);
}

#[test]
fn an_unterminated_paste_gives_nothing() {
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    decoder.feed(b"\x1b[200~touch p\r\x03\x04", &mut out);
    assert!(!decoder.is_pending());
    decoder.flush(&mut out);
    assert_eq!(out, []);
    decoder.reset();
    decoder.feed(b"x", &mut out);
    assert_eq!(out.len(), 1);
}

#[test]
fn a_paste_that_is_too_long_is_dropped_to_its_end() {
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    decoder.feed(b"\x1b[200~", &mut out);
    for _ in 0..MAX_PASTE / 1024 + 3 {
        decoder.feed(&[b'x'; 1024], &mut out);
    }
    decoder.feed(b"\r\x1b[201\x1b[201~\r", &mut out);
    let keys: Vec<Key> = out.into_iter().map(|stroke| stroke.key).collect();
    assert_eq!(keys, [Key::PasteTooLong, Key::Enter]);
}

#[test]
fn memory_is_bounded_inside_any_sequence() {
    for begin in [&b"\x1b["[..], b"\x1bO", b"\x1b]", b"\x1bP"] {
        let mut decoder = Decoder::default();
        let mut out = Vec::new();
        decoder.feed(begin, &mut out);
        decoder.feed(&[b'1'; 100_000], &mut out);
        decoder.flush(&mut out);
        assert!(out.iter().all(|stroke| stroke.raw().len() <= 4096), "{begin:?}");
        // ESC O ends after a few bytes; what follows is text.
        assert_eq!(out.iter().map(|stroke| stroke.raw().len()).sum::<usize>(), 100_002);
    }
}

/// Bytes that are likely to mean something.
fn typed() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => any::<u8>().prop_map(|byte| vec![byte]),
        4 => proptest::sample::select(vec![
            &b"\x1b"[..], b"\x1b[", b"\x1bO", b"\x1b]", b"\x1bP", b"\x1b[M", b"\x1b[[", b"~", b";5",
            b"\x1b[200~", b"\x1b[201~", b"\x1b[20", b"200~", b"201~", b"\x1b\\", b"\x07", b"\r\n",
            b"\r", b"\n", b"A", b"1", b"\xe2\x82\xac", b"\xf0\x9f", b"\x98\x80", b"\x7f", b"\0",
        ]).prop_map(<[u8]>::to_vec),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn splitting_changes_nothing(bytes in typed(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let mut decoder = Decoder::default();
        let mut out = Vec::new();
        for ends in at.windows(2) {
            decoder.feed(&bytes[ends[0]..ends[1]], &mut out);
        }
        decoder.flush(&mut out);
        prop_assert_eq!(&out, &strokes(&bytes));
        let mut single = Decoder::default();
        let mut one_by_one = Vec::new();
        for byte in &bytes {
            single.feed(&[*byte], &mut one_by_one);
        }
        single.flush(&mut one_by_one);
        prop_assert_eq!(&out, &one_by_one);
    }

    #[test]
    fn no_byte_is_lost(bytes in typed()) {
        let mut decoder = Decoder::default();
        let mut out: Vec<Stroke> = Vec::new();
        decoder.feed(&bytes, &mut out);
        decoder.flush(&mut out);
        let raw: Vec<u8> = out.iter().flat_map(|stroke| stroke.raw().into_owned()).collect();
        // Only a paste without an end is still held.
        prop_assert!(bytes.starts_with(&raw));
        if raw.len() < bytes.len() {
            prop_assert!(bytes[raw.len()..].starts_with(b"\x1b[200~"));
        }
    }

    #[test]
    fn characters_are_never_controls(bytes in typed()) {
        for key in keys(&bytes) {
            if let Key::Char(c) = key {
                prop_assert!(!c.is_control());
            }
        }
    }
}
