//! Finds characters that make a command look like another one. It must never change the command.

use std::collections::HashMap;

use unicode_security::confusable_detection::skeleton;

use crate::parse::Span;
use crate::visible::is_hidden;

/// The first deceptive character, and what is wrong with it.
pub(crate) fn find(text: &str) -> Option<(Span, String)> {
    if text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\n' | b'\t')) {
        return None;
    }
    for (at, c) in text.char_indices() {
        if is_hidden(c) {
            return Some((
                (at, at + c.len_utf8()),
                format!("U+{:04X} is not what it looks like on a screen", u32::from(c)),
            ));
        }
    }
    let mut offset = 0;
    let mut known = HashMap::new();
    for token in text.split_inclusive(|c: char| {
        c.is_whitespace()
            || matches!(c, '/' | '=' | ';' | '|' | '&' | '"' | '\'' | ',' | '(' | ')' | ':' | '.')
    }) {
        if !token.is_ascii() && looks_ascii(token, &mut known) {
            let word = token.trim_end();
            return Some((
                (offset, offset + word.len()),
                format!("{word:?} only looks like {:?}", ascii_of(word)),
            ));
        }
        offset += token.len();
    }
    None
}

/// The ASCII text that a word looks like.
pub(crate) fn ascii_of(word: &str) -> String {
    let mut read = String::new();
    for c in word.chars() {
        // The skeleton of an ASCII letter may be two others (`m` is `rn`); those stay.
        if c.is_ascii() {
            read.push(c);
        } else {
            read.extend(skeleton(c.encode_utf8(&mut [0; 4])));
        }
    }
    read
}

/// What one character looks like to a reader.
#[derive(Clone, Copy)]
struct Appearance {
    /// Like ASCII characters only.
    ascii: bool,
    /// Like a letter, a digit or a dash.
    letter: bool,
    /// It is not ASCII, and what it looks like means something to a shell.
    deceptive: bool,
}

impl Appearance {
    fn of(c: char) -> Self {
        let mut buffer = [0; 4];
        let read = if c.is_ascii() { c.to_string() } else { ascii_of(c.encode_utf8(&mut buffer)) };
        let operator = ['-', '/', '\\', '|', ';', '&', '$', '~', '<', '>'];
        Self {
            ascii: read.is_ascii(),
            letter: read.bytes().any(|b| b.is_ascii_alphanumeric() || b == b'-'),
            // Typographic quotes and dots in prose are harmless; dashes and slashes look like operators.
            deceptive: !c.is_ascii() && (c.is_alphanumeric() || read.contains(operator)),
        }
    }
}

/// Whether a non-ASCII word looks like an ASCII one.
fn looks_ascii(token: &str, known: &mut HashMap<char, Appearance>) -> bool {
    let mut letter = false;
    let mut deceptive = false;
    for c in token.chars().filter(|c| !c.is_whitespace()) {
        let looks = *known.entry(c).or_insert_with(|| Appearance::of(c));
        if !looks.ascii {
            return false;
        }
        letter |= looks.letter;
        deceptive |= looks.deceptive;
    }
    letter && deceptive
}

/// Long runs of blanks, or a command too long to be read: why it counts as padded.
pub(crate) fn padding(text: &str) -> Option<(Span, String)> {
    const RUN: usize = 40;
    const LONG: usize = 4096;
    let mut run = 0;
    for (at, byte) in text.bytes().enumerate() {
        run = if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') { run + 1 } else { 0 };
        if run == RUN {
            return Some((
                (at + 1 - RUN, at + 1),
                format!("{RUN} or more blanks in a row push text out of sight"),
            ));
        }
    }
    (text.len() > LONG).then(|| ((0, text.len()), format!("{} bytes are hard to read", text.len())))
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn look_alikes_are_found_and_other_languages_are_not() {
        for deceptive in [
            "гm -rf /",
            "rm –rf /",
            "echo \u{202e}x",
            "ls\u{a0}-la",
            "ｒｍ x",
            "cat /еtc/passwd",
            "a\x1b[2Kb",
            "rm x\r",
        ] {
            assert!(find(deceptive).is_some(), "{deceptive:?}");
        }
        for fine in [
            "echo grün",
            "echo 'Привет, мир'",
            "echo 日本語",
            "touch café.txt",
            "echo “quoted”",
            "a\tb\nc",
            "echo naïve…",
        ] {
            assert!(find(fine).is_none(), "{fine:?}");
        }
    }
}
