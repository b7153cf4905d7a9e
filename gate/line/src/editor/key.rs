//! Keys, and the bytes that they came from. No byte of a key may be lost.

use std::borrow::Cow;

pub(super) const PASTE_START: &[u8] = b"\x1b[200~";
pub(super) const PASTE_END: &[u8] = b"\x1b[201~";

/// One key, or what a terminal sent by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// Meta with a printable ASCII character that has no name of its own here.
    Alt(char),
    /// DEL; `^H` comes as [`Key::Ctrl`].
    Backspace,
    /// A printable character.
    Char(char),
    /// A control byte, as the lower-case letter: `^A` is `Ctrl(b'a')`, `^\` is `Ctrl(b'\\')`.
    Ctrl(u8),
    /// The delete key.
    Delete,
    /// Down.
    Down,
    /// End.
    End,
    /// CR or LF.
    Enter,
    /// ESC alone.
    Escape,
    /// Home.
    Home,
    /// Insert.
    Insert,
    /// Bytes that are not text: broken UTF-8, NUL, C1 controls.
    Invalid(Vec<u8>),
    /// Left.
    Left,
    /// An LF right after a CR: the second half of that Enter; it is ignored.
    LineFeed,
    /// Page down.
    PageDown,
    /// Page up.
    PageUp,
    /// A whole bracketed paste, without its brackets; any bytes.
    Paste(Vec<u8>),
    /// A paste grew past [`MAX_PASTE`](super::MAX_PASTE); it is dropped up to its end.
    PasteTooLong,
    /// Right.
    Right,
    /// Tab.
    Tab,
    /// A sequence that means nothing here: terminal replies, mouse reports, function keys.
    Unknown(Vec<u8>),
    /// Up.
    Up,
    /// Meta-Backspace.
    WordBackspace,
    /// Meta-D.
    WordDelete,
    /// Meta-B or Control-Left.
    WordLeft,
    /// Meta-F or Control-Right.
    WordRight,
}

/// A key together with the bytes it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stroke {
    /// The key.
    pub key: Key,
    /// Empty where the key itself says it.
    pub(super) raw: Vec<u8>,
}

impl Stroke {
    pub(super) fn new(key: Key) -> Self {
        Self { key, raw: Vec::new() }
    }

    /// The bytes as the agent sent them. All strokes' bytes in a row are what was fed, except for
    /// a paste that was too long, of which nothing is left.
    #[must_use]
    pub fn raw(&self) -> Cow<'_, [u8]> {
        if !self.raw.is_empty() {
            return Cow::Borrowed(&self.raw);
        }
        match &self.key {
            Key::Char(c) => Cow::Owned(c.encode_utf8(&mut [0; 4]).as_bytes().to_vec()),
            Key::Ctrl(letter) => Cow::Owned(vec![letter & 0x1f]),
            Key::Backspace => Cow::Borrowed(b"\x7f"),
            Key::Enter => Cow::Borrowed(b"\r"),
            Key::LineFeed => Cow::Borrowed(b"\n"),
            Key::Tab => Cow::Borrowed(b"\t"),
            Key::Escape => Cow::Borrowed(b"\x1b"),
            Key::Paste(text) => Cow::Owned([PASTE_START, text, PASTE_END].concat()),
            Key::Unknown(bytes) | Key::Invalid(bytes) => Cow::Borrowed(bytes),
            _ => Cow::Borrowed(b""),
        }
    }
}
