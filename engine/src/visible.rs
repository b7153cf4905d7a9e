//! Makes every byte of untrusted text visible. It must never pass a control character to a terminal.

use serde::{Deserialize, Serialize};
use unicode_width::UnicodeWidthChar;

/// One character that would not have been seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hidden {
    /// Byte offset in the original.
    pub offset: usize,
    /// As shown, e.g. `U+202E` or `0xFF`.
    pub what: String,
}

/// Text that is safe to print.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The text, hidden characters as `⟨U+202E⟩`, invalid UTF-8 as `⟨0xFF⟩`; newlines and tabs are kept.
    pub text: String,
    /// What was hidden, in order.
    pub hidden: Vec<Hidden>,
}

/// Makes controls, bidirectional and zero-width characters and invalid UTF-8 visible.
#[must_use]
pub fn make_visible(bytes: &[u8]) -> Shown {
    let mut shown = Shown { text: String::with_capacity(bytes.len()), hidden: Vec::new() };
    let mut offset = 0;
    for chunk in bytes.utf8_chunks() {
        for (at, c) in chunk.valid().char_indices() {
            if is_hidden(c) {
                shown.hide(offset + at, format!("U+{:04X}", u32::from(c)));
            } else {
                shown.text.push(c);
            }
        }
        offset += chunk.valid().len();
        for (at, byte) in chunk.invalid().iter().enumerate() {
            shown.hide(offset + at, format!("0x{byte:02X}"));
        }
        offset += chunk.invalid().len();
    }
    shown
}

/// How many bytes are no text: no UTF-8, or characters that no text has, NUL above all.
#[must_use]
pub fn count_no_text(bytes: &[u8]) -> usize {
    let odd = |c: &char| c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r' | '\x0c' | '\x1b');
    let of = |text: &str| text.chars().filter(odd).count();
    bytes.utf8_chunks().map(|part| of(part.valid()).saturating_add(part.invalid().len())).sum()
}

/// Whether a person can read most of it, and a program that expects text as well.
#[must_use]
pub fn is_mostly_text(bytes: &[u8]) -> bool {
    count_no_text(bytes).saturating_mul(10) <= bytes.len()
}

impl Shown {
    fn hide(&mut self, offset: usize, what: String) {
        self.text.push('⟨');
        self.text.push_str(&what);
        self.text.push('⟩');
        self.hidden.push(Hidden { offset, what });
    }
}

/// Whether a character prints nothing, moves the cursor, or reorders what is around it.
pub(crate) fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control() && c != '\n' && c != '\t';
    }
    // Every other space looks like U+0020 but is not a blank to the shell.
    c.is_control()
        || c.is_whitespace()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}')
        || c.width() == Some(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_named() {
        let shown = make_visible("a\u{202e}b\x1b[2K\u{200b}\n\u{a0}".as_bytes());
        assert_eq!(shown.text, "a⟨U+202E⟩b⟨U+001B⟩[2K⟨U+200B⟩\n⟨U+00A0⟩");
        assert_eq!(shown.hidden[0].offset, 1);
        assert_eq!(make_visible(b"x\xff\xfe").text, "x⟨0xFF⟩⟨0xFE⟩");
        assert!(make_visible("grün 日本 é".as_bytes()).hidden.is_empty());
    }
}
