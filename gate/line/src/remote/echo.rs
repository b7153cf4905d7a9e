//! Whether a shell's echo shows the line that was sent, as a terminal of the same width shows it.
//! It must never accept a part of the line, or more than the line.

use std::fmt;

use avt::Terminal;

/// An emulated terminal that shows the echo, and what it has to show.
pub(super) struct Echo {
    /// `None`: no terminal can have this size; nothing matches.
    shown: Option<Terminal>,
    expected: Picture,
    /// The first bytes of an incomplete character.
    partial: Vec<u8>,
}

impl fmt::Debug for Echo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Echo(..)")
    }
}

impl Echo {
    /// `before`: the output since the last newline, which a line editor may draw again.
    pub(super) fn new(line: &str, cols: u16, before: &[u8]) -> Self {
        let expected = match screen(line.len(), cols, before) {
            Some(mut screen) => {
                screen.feed(line);
                picture(&screen)
            }
            None => Picture::default(),
        };
        Self { shown: screen(line.len(), cols, before), expected, partial: Vec::new() }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        let Some(shown) = self.shown.as_mut() else { return };
        self.partial.extend_from_slice(bytes);
        let bytes = std::mem::take(&mut self.partial);
        let whole = match std::str::from_utf8(&bytes) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => bytes.len(),
        };
        let (whole, partial) = bytes.split_at(whole);
        self.partial = partial.to_vec();
        shown.feed(String::from_utf8_lossy(whole).as_ref());
    }

    /// Whether exactly the line is there, with the cursor after it.
    pub(super) fn matches(&self) -> bool {
        let shown = self.shown.as_ref().map(picture);
        self.partial.is_empty() && shown.as_ref() == Some(&self.expected)
    }
}

fn screen(bytes: usize, cols: u16, before: &[u8]) -> Option<Terminal> {
    let cols = usize::from(cols);
    // Every byte could take a column, and a wide character may leave one empty.
    let rows = (2 * bytes + before.len()).checked_div(cols)? + 3;
    let mut screen = Terminal::new(cols, rows).ok()?;
    screen.feed(String::from_utf8_lossy(before).as_ref());
    Some(screen)
}

/// The text, and the cursor as a count of cells: after the last column and in the first of the
/// next row are the same position.
type Picture = (Vec<String>, usize);

fn picture(screen: &Terminal) -> Picture {
    let text = screen.screen().visible_lines().map(|line| line.text()).collect();
    let cursor = screen.cursor();
    (text, cursor.row * screen.size().0 + cursor.col)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn matches(line: &str, cols: u16, before: &str, echo: &[&str]) -> bool {
        let mut screen = Echo::new(line, cols, before.as_bytes());
        for part in echo {
            screen.feed(part.as_bytes());
        }
        screen.matches()
    }

    #[test]
    fn the_plain_echo_matches() {
        assert!(matches("echo 'a b'", 80, "$ ", &["echo ", "'a b'"]));
        assert!(matches("echo äöü 漢字", 20, "\x1b[1mhost漢>\x1b[m ", &["echo äöü 漢字"]));
        assert!(matches("echo ä", 80, "$ ", &["echo ä"]));
    }

    #[test]
    fn a_character_in_two_parts_is_one() {
        let mut screen = Echo::new("ä", 80, b"$ ");
        screen.feed(&"ä".as_bytes()[..1]);
        assert!(!screen.matches());
        screen.feed(&"ä".as_bytes()[1..]);
        assert!(screen.matches());
    }

    #[test]
    fn an_echo_that_wraps_by_itself_matches() {
        assert!(matches("abcdefghijkl", 10, "me> ", &["abcdef\r\nghijkl"]));
        assert!(matches("abcdefghijkl", 10, "me> ", &["abcdefg\x08 \rghijkl"]));
        assert!(matches("abcdef", 10, "me> ", &["abcdef \r"]));
    }

    #[test]
    fn an_echo_with_the_prompt_drawn_again_matches() {
        assert!(matches("echo a", 80, "me> ", &["\r\x1b[Jme> ", "echo a"]));
    }

    #[test]
    fn anything_else_does_not() {
        assert!(!matches("echo a", 80, "$ ", &["echo "]));
        assert!(!matches("echo a", 80, "$ ", &["echo a "]));
        assert!(!matches("echo a ", 80, "$ ", &["echo a"]));
        assert!(!matches("echo a", 80, "$ ", &["echo b"]));
        assert!(!matches("echo a", 80, "$ ", &["echo a\x1b[90mbc\x1b[m\x08\x08"]));
        assert!(!matches("secret", 80, "$ ", &[]));
        assert!(!matches("echo a", 80, "$ ", &["\r\necho a"]));
        assert!(!matches("echo a", 0, "$ ", &["echo a"]));
    }
}
