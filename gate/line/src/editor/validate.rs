//! What a line may contain, and which of its characters nobody would see. It must never change a
//! line: a line with anything that is not allowed is refused.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

/// The longest line at a prompt, in bytes.
pub const MAX_LINE: usize = 16 * 1024;
/// The longest line for a program, in bytes. A terminal in cooked mode cuts a line at 4,095 bytes
/// and takes the rest for the next one (n_tty); this stays well below.
pub const MAX_INPUT: usize = 1_000;

/// Why a line is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It contains a control character.
    #[error("the line holds the control character {0}; send it as plain text")]
    Control(String),
    /// A secret of more than one line.
    #[error("a secret is one line; send it without a line break")]
    Lines,
    /// It is not UTF-8.
    #[error("the line is not UTF-8; send it as UTF-8 text")]
    NotUtf8,
    /// It is too long.
    #[error("the line is longer than {0} bytes; send it as a script instead")]
    TooLong(usize),
}

/// Checks a whole line: UTF-8, of at most `limit` bytes, no control characters but tab and newline.
///
/// # Errors
/// The first reason to refuse it.
pub fn validate(bytes: &[u8], limit: usize) -> Result<&str, Refusal> {
    if bytes.len() > limit {
        return Err(Refusal::TooLong(limit));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Refusal::NotUtf8)?;
    match text.chars().find(|c| is_forbidden(*c)) {
        Some(c) => Err(Refusal::Control(format!("U+{:04X}", u32::from(c)))),
        None => Ok(text),
    }
}

/// Whether no line may contain this: C0 except tab and newline, DEL, C1.
pub(super) fn is_forbidden(c: char) -> bool {
    c.is_control() && c != '\t' && c != '\n'
}

/// What the reviewer must be told about a line, by the same rule by which it will be shown.
#[must_use]
pub fn notes(text: &str) -> Vec<String> {
    if text.is_ascii() {
        return Vec::new();
    }
    let mut found: Vec<(String, usize)> = Vec::new();
    for hidden in expacti_engine::make_visible(text.as_bytes()).hidden {
        match found.iter_mut().find(|(what, _)| *what == hidden.what) {
            Some((_, count)) => *count += 1,
            None => found.push((hidden.what, 1)),
        }
    }
    if found.is_empty() {
        return Vec::new();
    }
    let mut note = String::from("hidden characters: ");
    let more = found.len().saturating_sub(8);
    for (at, (what, count)) in found.iter().take(8).enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        let _ = write!(note, "{comma}{what}");
        if *count > 1 {
            let _ = write!(note, " ({count} times)");
        }
    }
    if more > 0 {
        let _ = write!(note, " and {more} more");
    }
    vec![note]
}

/// The width of a character that every terminal draws alike; `None` for one that must be drawn as
/// its number: hidden ones, those that join with their neighbours, and those whose width
/// terminals disagree on.
pub(super) fn drawn_width(c: char) -> Option<usize> {
    if c.is_ascii() {
        return (!c.is_ascii_control()).then_some(1);
    }
    // Some terminals merge skin tones with the character before them.
    if matches!(c, '\u{1f3fb}'..='\u{1f3ff}') {
        return None;
    }
    let width = c.width().filter(|width| (1..=2).contains(width))?;
    let mut utf8 = [0; 4];
    let shown = expacti_engine::make_visible(c.encode_utf8(&mut utf8).as_bytes());
    shown.hidden.is_empty().then_some(width)
}

/// How a character that cannot be drawn as it is appears: ASCII, e.g. `<U+202E>`.
pub(super) fn escaped(c: char) -> String {
    format!("<U+{:04X}>", u32::from(c))
}
