//! What must hold for any keys: the line is valid, and nothing is submitted but by Enter.

use proptest::prelude::*;

use super::super::{Decoder, Editor, MAX_INPUT, MAX_LINE, Mode, Outcome, validate};

/// Anything an agent may send.
fn session() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        2 => any::<u8>().prop_map(|byte| vec![byte]),
        3 => proptest::sample::select(vec![
            "\x01", "\x02", "\x03", "\x04", "\x05", "\x06", "\x07", "\x0b", "\x0c", "\x0e", "\x10",
            "\x12", "\x14", "\x15", "\x17", "\x19", "\x1bb", "\x1bf", "\x1bd", "\x1b\x7f", "\x1b[A",
            "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[H", "\x1b[F", "\x1b[3~", "\r", "\n", "\x7f",
            "\x1b[200~", "\x1b[201~", "\x1b[200~a\r\nb\x1b[201~", "\x1b[200~\x1b\x1b[201~", "日本",
            "e\u{301}", "\u{202e}", "\u{1f468}\u{200d}\u{1f469}", "\u{1f1e9}\u{1f1ea}", "echo 'a",
            "if x", "fi", "then ", "<<E", "E\r", "\\", " ", "abc",
        ]).prop_map(|text| text.as_bytes().to_vec()),
    ];
    proptest::collection::vec(piece, 0..80).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn the_line_is_always_valid(bytes in session(), mode in 0..3_usize, switch in 0..200_usize) {
        let modes = [Mode::Shell, Mode::Program, Mode::Secret];
        let mut editor = Editor::default();
        editor.set_mode(modes[mode]);
        let mut decoder = Decoder::default();
        let mut strokes = Vec::new();
        decoder.feed(&bytes, &mut strokes);
        decoder.flush(&mut strokes);
        for (at, stroke) in strokes.iter().enumerate() {
            if at == switch {
                editor.set_mode(modes[(mode + 1) % 3]);
            }
            let outcome = editor.key(&stroke.key);
            prop_assert!(validate(editor.text().as_bytes(), MAX_LINE).is_ok());
            prop_assert!(editor.text().is_char_boundary(editor.buffer.cursor()));
            match outcome {
                Outcome::Submit(line) => {
                    prop_assert!(matches!(stroke.key, super::Key::Enter));
                    let limit = if editor.mode() == Mode::Shell { MAX_LINE } else { MAX_INPUT };
                    prop_assert!(validate(&line.bytes, limit).is_ok());
                    prop_assert!(editor.is_empty());
                }
                Outcome::Rejected(why) => prop_assert!(!why.contains(|c: char| c.is_control())),
                _ => {}
            }
            if at % 3 == 0 {
                editor.draw(20, 3);
            }
        }
    }
}
