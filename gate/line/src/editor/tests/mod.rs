//! What the editor does, key by key, and what must hold for any keys.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod decode;
mod drawing;
mod editing;
mod lines;
mod shell;

use super::{Decoder, Editor, Key, Mode, Outcome, Stroke};

/// The strokes of some bytes, fed at once and flushed.
fn strokes(bytes: &[u8]) -> Vec<Stroke> {
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    decoder.feed(bytes, &mut out);
    decoder.flush(&mut out);
    out
}

fn keys(bytes: &[u8]) -> Vec<Key> {
    strokes(bytes).into_iter().map(|stroke| stroke.key).collect()
}

/// Types bytes; returns what came of the last key.
fn type_at(editor: &mut Editor, bytes: &[u8]) -> Outcome {
    let mut last = Outcome::Nothing;
    for key in keys(bytes) {
        last = editor.key(&key);
    }
    last
}

/// The lines submitted by some bytes.
fn submitted(editor: &mut Editor, bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    for key in keys(bytes) {
        if let Outcome::Submit(line) = editor.key(&key) {
            lines.push(String::from_utf8(line.bytes).unwrap());
        }
    }
    lines
}

fn program() -> Editor {
    let mut editor = Editor::default();
    editor.set_mode(Mode::Program);
    editor
}
