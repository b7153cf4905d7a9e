//! Keys in readable form, for the reviewer. No key may be left out.

use crate::editor::{Decoder, Key};

/// Text as it is, other keys by name.
pub(super) fn readable(bytes: &[u8]) -> String {
    let mut decoder = Decoder::default();
    let mut keys = Vec::new();
    decoder.feed(bytes, &mut keys);
    decoder.flush(&mut keys);
    keys.iter().map(|stroke| name(&stroke.key)).collect()
}

fn name(key: &Key) -> String {
    let named = match key {
        Key::Char(c) => return c.to_string(),
        Key::Alt(c) => return format!("<Alt-{c}>"),
        Key::Ctrl(letter) => return format!("<^{}>", char::from(letter.to_ascii_uppercase())),
        Key::Paste(text) => return format!("<paste>{}</paste>", String::from_utf8_lossy(text)),
        Key::Unknown(bytes) | Key::Invalid(bytes) => return format!("<{}>", hex::encode(bytes)),
        key => format!("{key:?}"),
    };
    format!("<{named}>")
}
