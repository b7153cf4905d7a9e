//! Tells from a shell's echo whether the line it shows is the line that was sent, as a terminal of
//! the same width shows it. It must never take a part of the line, or more than the line, for it.

use std::fmt;

use avt::Terminal;

/// The column, from 0, at which the cursor stands after a line's bytes.
pub(super) fn column(line: &[u8], cols: u16) -> u16 {
    let Some(mut screen) = screen(line.len(), cols, 0) else { return 0 };
    screen.feed(String::from_utf8_lossy(line).as_ref());
    u16::try_from(screen.cursor().col).unwrap_or(0).min(cols.saturating_sub(1))
}

/// What a terminal shows after the echo of a line that began at a column.
pub(super) struct Echo {
    /// `None`: no such terminal; nothing matches.
    shown: Option<Terminal>,
    expected: Picture,
    /// The beginning of a character whose end has not come.
    partial: Vec<u8>,
}

impl fmt::Debug for Echo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Echo(..)")
    }
}

impl Echo {
    pub(super) fn new(line: &str, cols: u16, column: u16) -> Self {
        let expected = match screen(line.len(), cols, column) {
            Some(mut screen) => {
                screen.feed(line);
                picture(&screen)
            }
            None => Picture::default(),
        };
        Self { shown: screen(line.len(), cols, column), expected, partial: Vec::new() }
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

    /// Whether exactly the line stands there, with the cursor behind it.
    pub(super) fn matches(&self) -> bool {
        let shown = self.shown.as_ref().map(picture);
        self.partial.is_empty() && shown.as_ref() == Some(&self.expected)
    }
}

fn screen(bytes: usize, cols: u16, column: u16) -> Option<Terminal> {
    let cols = usize::from(cols);
    // Every byte could be a column, and a wide character may leave one empty.
    let rows = (2 * bytes + usize::from(column)).checked_div(cols)? + 3;
    let mut screen = Terminal::new(cols, rows).ok()?;
    screen.feed(format!("\x1b[1;{}H", usize::from(column) + 1).as_str());
    Some(screen)
}

/// The text, and the cursor as a count of cells: behind the last column and in the first of the
/// next row are the same place.
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

    fn matches(line: &str, cols: u16, column: u16, echo: &[&str]) -> bool {
        let mut screen = Echo::new(line, cols, column);
        for part in echo {
            screen.feed(part.as_bytes());
        }
        screen.matches()
    }

    #[test]
    fn the_plain_echo_matches() {
        assert!(matches("echo 'a b'", 80, 2, &["echo ", "'a b'"]));
        assert!(matches("echo äöü 漢字", 20, 15, &["echo äöü 漢字"]));
    }

    #[test]
    fn an_echo_that_wraps_by_itself_matches() {
        assert!(matches("abcdefghijkl", 10, 4, &["abcdef\r\nghijkl"]));
        assert!(matches("abcdefghijkl", 10, 4, &["abcdefg\x08 \rghijkl"]));
        assert!(matches("abcdef", 10, 4, &["abcdef \r"]));
    }

    #[test]
    fn anything_else_does_not() {
        assert!(!matches("echo a", 80, 2, &["echo "]));
        assert!(!matches("echo a", 80, 2, &["echo a "]));
        assert!(!matches("echo a ", 80, 2, &["echo a"]));
        assert!(!matches("echo a", 80, 2, &["echo b"]));
        assert!(!matches("echo a", 80, 2, &["echo a\x1b[90mbc\x1b[m\x08\x08"]));
        assert!(!matches("secret", 80, 2, &[]));
        assert!(!matches("echo a", 80, 2, &["\r\necho a"]));
    }

    #[test]
    fn the_column_is_found() {
        assert_eq!(column(b"$ ", 80), 2);
        assert_eq!(column("\x1b[1mä漢\x1b[m> ".as_bytes(), 80), 5);
        assert_eq!(column(&[b'x'; 100], 80), 20);
        assert_eq!(column(b"", 80), 0);
    }
}
