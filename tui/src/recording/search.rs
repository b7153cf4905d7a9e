//! Searching in what a recording put on the screen. Escape sequences between two letters do not
//! part them; it must never need a second copy of the recording.

use super::asciicast::{Kind, Recording};

/// Where in an escape sequence the stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Text,
    Escape,
    /// After `ESC [`.
    Control,
    /// After `ESC ]`, `ESC P` and the like: until BEL or `ESC \`.
    String,
    StringEscape,
    /// After `ESC (` and the like: one more byte.
    Charset,
}

/// A search that takes bytes one by one (Knuth, Morris, Pratt).
struct Search {
    needle: Vec<u8>,
    /// For each prefix the length of its longest border.
    borders: Vec<usize>,
    /// Bytes of the needle that match now.
    matched: usize,
    /// Capital letters matter.
    exact: bool,
    at: At,
}

impl Search {
    fn new(needle: &str) -> Self {
        let exact = needle.bytes().any(|b| b.is_ascii_uppercase());
        let needle = needle.as_bytes().to_vec();
        let mut borders = vec![0; needle.len()];
        let mut length = 0;
        for i in 1..needle.len() {
            while length > 0 && needle.get(i) != needle.get(length) {
                length = borders.get(length - 1).copied().unwrap_or(0);
            }
            length += usize::from(needle.get(i) == needle.get(length));
            if let Some(border) = borders.get_mut(i) {
                *border = length;
            }
        }
        Self { needle, borders, matched: 0, exact, at: At::Text }
    }

    /// Takes a byte of the output; whether the needle ends with it.
    fn take(&mut self, byte: u8) -> bool {
        self.at = match (self.at, byte) {
            (At::String, 0x1b) => At::StringEscape,
            (At::String, 0x07) => At::Text,
            (At::String, _) => At::String,
            (At::StringEscape, b'\\') => At::Text,
            (At::StringEscape, _) => At::String,
            (_, 0x1b) => At::Escape,
            (At::Escape, b'[') => At::Control,
            (At::Escape, b']' | b'P' | b'X' | b'^' | b'_') => At::String,
            (At::Escape, b'(' | b')' | b'*' | b'+' | b'#' | b'%' | b' ') => At::Charset,
            (At::Escape | At::Charset, _) => At::Text,
            (At::Control, 0x40..=0x7e) => At::Text,
            (At::Control, _) => At::Control,
            (At::Text, b'\r' | 0x07 | 0x0e | 0x0f) => At::Text,
            (At::Text, byte) => return self.letter(byte),
        };
        false
    }

    fn letter(&mut self, byte: u8) -> bool {
        let byte = if self.exact { byte } else { byte.to_ascii_lowercase() };
        loop {
            if self.needle.get(self.matched) == Some(&byte) {
                self.matched += 1;
                break;
            }
            if self.matched == 0 {
                break;
            }
            self.matched = self.borders.get(self.matched - 1).copied().unwrap_or(0);
        }
        let whole = self.matched == self.needle.len();
        if whole {
            self.matched = self.borders.last().copied().unwrap_or(0);
        }
        whole
    }
}

impl Recording {
    /// The first event at or after `from` with whose output a match of `needle` is whole. Without
    /// a capital letter in it, small and capital letters are the same.
    pub(crate) fn find(&self, needle: &str, from: usize) -> Option<usize> {
        if needle.is_empty() {
            return None;
        }
        let mut search = Search::new(needle);
        self.events.iter().enumerate().skip(from).find_map(|(i, event)| {
            let output = event.kind == Kind::Output;
            (output && self.data(event).bytes().any(|b| search.take(b))).then_some(i)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recording(pieces: &[&str]) -> Recording {
        let mut text = "{\"version\":2}\n".to_owned();
        for (i, piece) in pieces.iter().enumerate() {
            text.push_str(&format!("[{i}, \"o\", {}]\n", serde_json::to_string(piece).unwrap()));
        }
        Recording::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn through_colours_and_across_events() {
        let r = recording(&[
            "p\u{1b}[1;31mas\u{1b}[0msw",
            "ord\u{1b}]0;password hidden in a title\u{7} x",
            "PASS\u{1b}(BWORD",
            "aab\r\naaab é日本",
        ]);
        assert_eq!(r.find("password", 0), Some(1));
        assert_eq!(r.find("password", 1), Some(2));
        assert_eq!(r.find("PASSWORD", 0), Some(2));
        assert_eq!(r.find("title", 0), None);
        assert_eq!(r.find("aaab", 0), Some(3));
        assert_eq!(r.find("日本", 0), Some(3));
        assert_eq!(r.find("", 0), None);
        assert_eq!(r.find("password", 9), None);
    }

    proptest! {
        #[test]
        fn as_a_plain_search_does(text in "[ab]{0,40}", needle in "[ab]{1,5}", cut in 0usize..40) {
            let cut = cut.min(text.len());
            let (a, b) = text.split_at(cut);
            let r = recording(&[a, b]);
            let expected = text.find(&needle).map(|at| usize::from(at + needle.len() > cut));
            prop_assert_eq!(r.find(&needle, 0), expected);
        }
    }
}
