//! What a reviewer reads of an upload: a diff against the present text, the beginning of a new
//! text, or the first bytes of something that is not text. It must never be what binds the bytes:
//! that is the digest in the item's text.

use std::fmt::Write as _;
use std::time::Duration;

use similar::TextDiff;

/// Longest text for which a diff is made, old or new, in bytes.
pub const MAX_DIFF: u64 = 256 * 1024;

/// Longest preview of one file, in bytes.
pub const MAX_PREVIEW: usize = 64 * 1024;

/// A diff that would take longer is made coarser.
const DIFF_TIME: Duration = Duration::from_millis(500);

/// The preview of a file. `old` is its present content (`None` for a new file, or when it must not
/// be shown), `new` the content it would have; `whole`: `new` is all of it, not only its beginning.
pub fn preview(old: Option<&[u8]>, new: &[u8], whole: bool) -> String {
    let Some(text) = as_text(new, whole) else { return bytes(new) };
    let old = match old {
        None => None,
        Some(old) => as_text(old, true),
    };
    let Some(old) = old.filter(|_| whole) else { return cut(text.to_owned(), !whole) };
    if old == text {
        return "the content stays the same\n".to_owned();
    }
    let diff = TextDiff::configure().timeout(DIFF_TIME).diff_lines(old, text);
    cut(diff.unified_diff().context_radius(3).header("now", "then").to_string(), false)
}

/// UTF-8 without control characters that no text has. Unless `whole`, the last character may be
/// cut.
fn as_text(bytes: &[u8], whole: bool) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if !whole && error.error_len().is_none() => {
            std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    let strange = |c: char| c.is_control() && !"\n\t\r\u{c}\u{1b}".contains(c);
    (!text.chars().any(strange)).then_some(text)
}

fn cut(mut text: String, more: bool) -> String {
    let end = text.floor_char_boundary(MAX_PREVIEW);
    if end < text.len() || more {
        text.truncate(end);
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str("[cut here: the rest is not shown; the digest covers all]\n");
    }
    text
}

fn bytes(content: &[u8]) -> String {
    let mut text = "not a text; its first bytes:\n".to_owned();
    for (row, line) in content.chunks(16).take(16).enumerate() {
        write!(text, "{:04x} ", row * 16).ok();
        for byte in line {
            write!(text, " {byte:02x}").ok();
        }
        for _ in line.len()..16 {
            text.push_str("   ");
        }
        text.push_str("  ");
        text.extend(
            line.iter().map(|b| if (0x20..0x7f).contains(b) { char::from(*b) } else { '.' }),
        );
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_of_texts() {
        let shown = preview(Some(b"a\nb\nc\n"), b"a\nB\nc\n", true);
        assert_eq!(shown, "--- now\n+++ then\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
        assert_eq!(preview(Some(b"a\n"), b"a\n", true), "the content stays the same\n");
    }

    #[test]
    fn heads_and_bytes() {
        assert_eq!(preview(None, b"hello\n", true), "hello\n");
        assert!(
            preview(None, "aü".as_bytes().get(..2).unwrap_or_default(), false)
                .starts_with("a\n[cut")
        );
        assert!(preview(None, b"\x7fELF\x02\x00", true).contains("0000  7f 45 4c 46"));
        assert_eq!(preview(Some(b"\xff\x00"), b"text\n", true), "text\n");
        let long = "x\n".repeat(100_000);
        let shown = preview(None, long.as_bytes(), true);
        assert!(shown.len() < MAX_PREVIEW + 200 && shown.ends_with("covers all]\n"));
    }
}
