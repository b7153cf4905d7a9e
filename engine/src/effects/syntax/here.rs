//! Here-documents whose word is quoted: their text is on the line, and means itself in every shell.

use super::tree::{Part, Redirect, RedirectOp, Word};
use super::{Reader, Result};

/// Where the text of a here-document lies: it is no part of the commands around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Here {
    /// Behind the newline after which it begins.
    from: usize,
    /// Behind its last line.
    to: usize,
}

impl Reader<'_> {
    /// `<<'WORD'`, up to the word; its text is taken from the lines that follow.
    pub(super) fn here_document(&mut self, descriptor: bool) -> Result<Redirect> {
        let start = self.pos;
        let quote = self.at(start + 2);
        let plain = !descriptor && !self.interactive && self.bracketed == 0 && self.here.is_none();
        if !plain || !matches!(quote, b'\'' | b'"') {
            return self.fail("a here-document");
        }
        let word_at = start + 3;
        let mut end = word_at;
        while self.at(end).is_ascii_alphanumeric() || self.at(end) == b'_' {
            end += 1;
        }
        if end == word_at || self.at(end) != quote {
            return self.fail("a here-document");
        }
        let word = self.slice(word_at, end);
        self.pos = end + 1;
        // Shells differ in where the text begins if the line goes on with more than words.
        let rest = self.slice(self.pos, self.text.len());
        let Some((line, text)) = rest.split_once('\n') else {
            return self.fail("a here-document without a text");
        };
        if line.contains(['\'', '"', '`', '\\', '#', '(', ')', '<', '\r']) {
            return self.fail("a here-document with more behind it");
        }
        let from = self.pos + line.len() + 1;
        let mut length = 0;
        for line in text.split_inclusive('\n') {
            let whole = line.strip_suffix('\n').unwrap_or(line);
            if whole == word {
                let to = from + length + line.len();
                self.here = Some(Here { from, to });
                let body = text.get(..length).unwrap_or("").to_owned();
                let parts = vec![Part::Text { text: body, quoted: true }];
                let target = Word { parts, span: (start, self.pos) };
                return Ok(Redirect {
                    op: RedirectOp::Text,
                    fd: 0,
                    target,
                    span: (start, self.pos),
                });
            }
            length += line.len();
        }
        self.fail("a here-document that never ends")
    }

    /// Steps over the text that begins here, if one does.
    pub(super) fn skip_here_document(&mut self) {
        if let Some(here) = self.here.filter(|here| here.from == self.pos) {
            self.pos = here.to;
            self.here = None;
        }
    }
}
