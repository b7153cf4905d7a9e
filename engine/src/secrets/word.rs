//! A word without its quotes, and where each byte of it stands in the text it was written in. It must
//! never fail: what is not closed is read to the end.

use std::ops::Range;

/// How a byte was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quote {
    None,
    Single,
    Double,
    Ansi,
}

/// Where a byte comes from.
#[derive(Clone, Copy, Debug)]
struct Origin {
    start: usize,
    end: usize,
    quote: Quote,
    /// Only known when the shell runs: a variable, a substitution.
    dynamic: bool,
}

/// A word without its quotes.
#[derive(Clone, Debug, Default)]
pub(super) struct Unquoted {
    pub(super) text: String,
    origins: Vec<Origin>,
    /// Where the word stands.
    pub(super) whole: Range<usize>,
}

impl Unquoted {
    /// A text that stands there as it is.
    pub(super) fn verbatim(text: &str, at: usize) -> Self {
        let origin = |i: usize| Origin {
            start: at + i,
            end: at + i + 1,
            quote: Quote::None,
            dynamic: false,
        };
        Self {
            text: text.to_owned(),
            origins: (0..text.len()).map(origin).collect(),
            whole: at..at + text.len(),
        }
    }

    /// A text that stands nowhere as it is, only somewhere within `whole`.
    pub(super) fn elsewhere(text: &str, whole: Range<usize>) -> Self {
        Self { text: text.to_owned(), origins: Vec::new(), whole }
    }

    /// Whether it is known where each byte stands.
    pub(super) fn is_placed(&self) -> bool {
        self.origins.len() == self.text.len()
    }

    /// Where a part of the text stands, with whole quotes: what is left reads as before.
    pub(super) fn place(&self, range: Range<usize>) -> Range<usize> {
        if !self.is_placed() || range.is_empty() {
            return self.whole.clone();
        }
        let first = self.origins.get(range.start);
        let last = self.origins.get(range.end.saturating_sub(1));
        let (Some(first), Some(last)) = (first, last) else { return self.whole.clone() };
        if first.quote == last.quote {
            return first.start..last.end;
        }
        // Back and forth to where no quote is open.
        let before = self.origins.get(..range.start).unwrap_or(&[]);
        let after = self.origins.get(range.end..).unwrap_or(&[]);
        let open = |origin: &&Origin| origin.quote == Quote::None;
        let start = match first.quote {
            Quote::None => first.start,
            _ => before.iter().rfind(open).map_or(self.whole.start, |origin| origin.end),
        };
        let end = match last.quote {
            Quote::None => last.end,
            _ => after.iter().find(open).map_or(self.whole.end, |origin| origin.start),
        };
        start..end.max(start)
    }

    /// Whether anything of it is written out.
    pub(super) fn is_literal(&self, range: Range<usize>) -> bool {
        if !self.is_placed() {
            return true;
        }
        self.origins.get(range).is_some_and(|part| part.iter().any(|origin| !origin.dynamic))
    }

    /// Whether it has blanks or operators that are written out: it may be a line of its own, shorter
    /// than the one it stands in.
    pub(super) fn may_be_a_line(&self) -> bool {
        // JSON is none.
        let text = self.text.trim_start();
        let json = ["{\"", "{'", "[{", "[\"", "<"].iter().any(|start| text.starts_with(start));
        !json
            && self.is_placed()
            && self.text.bytes().zip(&self.origins).any(|(b, origin)| {
                matches!(b, b' ' | b'\t' | b'\n' | b';' | b'|' | b'&' | b'(' | b')')
                    && !origin.dynamic
            })
    }

    /// Whether it begins inside quotes.
    pub(super) fn is_quoted_at(&self, at: usize) -> bool {
        self.origins.get(at).is_some_and(|origin| origin.quote != Quote::None)
    }

    fn push(&mut self, text: &str, start: usize, end: usize, quote: Quote, dynamic: bool) {
        self.text.push_str(text);
        for _ in 0..text.len() {
            self.origins.push(Origin { start, end, quote, dynamic });
        }
    }
}

/// Reads one word that begins at `at`, up to an unquoted blank or operator.
pub(super) fn unquote(text: &str, at: usize) -> Unquoted {
    unquote_to(text, at, text.len(), false)
}

/// Reads all of a part of a text as one word.
pub(super) fn unquote_all(text: &str, range: Range<usize>) -> Unquoted {
    unquote_to(text, range.start, range.end.min(text.len()), true)
}

fn unquote_to(text: &str, start: usize, end: usize, all: bool) -> Unquoted {
    let length = if all { end.saturating_sub(start) } else { 16 };
    let mut reader = Reader {
        text,
        end,
        at: start,
        word: Unquoted {
            text: String::with_capacity(length),
            origins: Vec::with_capacity(length),
            whole: start..start,
        },
    };
    while let Some(c) = reader.peek() {
        if !all && matches!(c, ' ' | '\t' | '\n' | '\r' | ';' | '&' | '|' | '(' | ')' | '<' | '>') {
            break;
        }
        match c {
            '\\' => reader.escape(Quote::None),
            '\'' => reader.single(),
            '"' => reader.double(),
            '$' if reader.starts("$'") => reader.ansi(),
            '$' if reader.starts("$\"") => {
                reader.at += 1;
                reader.double();
            }
            '$' => reader.dollar(Quote::None),
            '`' => reader.backtick(Quote::None),
            '<' | '>' if reader.starts("<(") || reader.starts(">(") => {
                reader.substitution(Quote::None, 1);
            }
            _ => reader.literal(Quote::None),
        }
    }
    reader.word.whole.end = reader.at;
    reader.word
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    end: usize,
    word: Unquoted,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..self.end).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn starts(&self, with: &str) -> bool {
        self.rest().starts_with(with)
    }

    fn take(&mut self, start: usize, length: usize, quote: Quote, dynamic: bool) {
        let end = (start + length).min(self.end);
        let piece = self.text.get(start..end).unwrap_or("");
        self.at = end;
        self.word.push(piece, start, end, quote, dynamic);
    }

    /// A character, and those after it that mean nothing more.
    fn literal(&mut self, quote: Quote) {
        let start = self.at;
        let special = |b: &u8| match quote {
            Quote::Single => *b == b'\'',
            Quote::Ansi => matches!(b, b'\'' | b'\\'),
            Quote::Double => matches!(b, b'"' | b'\\' | b'$' | b'`'),
            Quote::None => matches!(
                b,
                b'\\'
                    | b'\''
                    | b'"'
                    | b'$'
                    | b'`'
                    | b' '
                    | b'\t'
                    | b'\n'
                    | b'\r'
                    | b';'
                    | b'&'
                    | b'|'
                    | b'('
                    | b')'
                    | b'<'
                    | b'>'
            ),
        };
        let rest = self.rest();
        let first = rest.chars().next().map_or(1, char::len_utf8);
        let more = rest.as_bytes().get(first..).unwrap_or(&[]);
        let length = first + more.iter().position(special).unwrap_or(more.len());
        let end = start.saturating_add(length).min(self.end);
        // Specials are single bytes, so this is at the edge of a character.
        self.word.text.push_str(self.text.get(start..end).unwrap_or(""));
        let origin = |at| Origin { start: at, end: at + 1, quote, dynamic: false };
        self.word.origins.extend((start..end).map(origin));
        self.at = end.max(start + 1);
    }

    /// The same up to `end`.
    fn literal_to(&mut self, quote: Quote, end: usize) {
        let whole = std::mem::replace(&mut self.end, end);
        while self.at < end {
            self.literal(quote);
        }
        self.end = whole;
    }

    /// A backslash and what it quotes.
    fn escape(&mut self, quote: Quote) {
        let start = self.at;
        let mut rest = self.rest().chars();
        rest.next();
        match rest.next() {
            Some('\n') => self.at += 2,
            Some(c) if quote == Quote::None || matches!(c, '$' | '`' | '"' | '\\') => {
                let mut buffer = [0; 4];
                let text = c.encode_utf8(&mut buffer);
                self.at = start + 1 + text.len();
                let end = self.at;
                self.word.push(text, start, end, quote, false);
            }
            _ => self.literal(quote),
        }
    }

    fn single(&mut self) {
        self.at += 1;
        while let Some(c) = self.peek() {
            if c == '\'' {
                self.at += 1;
                return;
            }
            self.literal(Quote::Single);
        }
    }

    fn double(&mut self) {
        self.at += 1;
        while let Some(c) = self.peek() {
            match c {
                '"' => {
                    self.at += 1;
                    return;
                }
                '\\' => self.escape(Quote::Double),
                '$' => self.dollar(Quote::Double),
                '`' => self.backtick(Quote::Double),
                _ => self.literal(Quote::Double),
            }
        }
    }

    fn ansi(&mut self) {
        self.at += 2;
        while let Some(c) = self.peek() {
            match c {
                '\'' => {
                    self.at += 1;
                    return;
                }
                '\\' => self.ansi_escape(),
                _ => self.literal(Quote::Ansi),
            }
        }
    }

    fn ansi_escape(&mut self) {
        let start = self.at;
        let rest = self.rest().get(1..).unwrap_or("");
        let digits = |text: &str, most: usize, radix: u32| {
            text.chars().take(most).take_while(|c| c.is_digit(radix)).count()
        };
        let (length, value) = match rest.chars().next() {
            Some(c @ ('x' | 'u' | 'U')) => {
                let most = match c {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let text = rest.get(1..).unwrap_or("");
                let count = digits(text, most, 16);
                let value = text.get(..count).and_then(|t| u32::from_str_radix(t, 16).ok());
                (2 + count, value)
            }
            Some('0'..='7') => {
                let count = digits(rest, 3, 8);
                (1 + count, rest.get(..count).and_then(|t| u32::from_str_radix(t, 8).ok()))
            }
            Some(c) => {
                let value = match c {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'a' => '\x07',
                    'e' | 'E' => '\x1b',
                    c => c,
                };
                (1 + c.len_utf8(), Some(u32::from(value)))
            }
            None => (1, Some(u32::from('\\'))),
        };
        let end = (start + length).min(self.end);
        let c = value.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
        let mut buffer = [0; 4];
        self.word.push(c.encode_utf8(&mut buffer), start, end, Quote::Ansi, false);
        self.at = end;
    }

    fn dollar(&mut self, quote: Quote) {
        let start = self.at;
        let rest = self.rest();
        let name = |text: &str| {
            text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count()
        };
        let next = rest.get(1..).unwrap_or("");
        match next.bytes().next() {
            Some(b'(') => self.substitution(quote, 1),
            Some(b'{') => {
                let inner = rest.get(2..).unwrap_or("");
                let skip = usize::from(inner.starts_with(['!', '#']));
                let length = name(inner.get(skip..).unwrap_or("")) + skip;
                let after = inner.get(length..).unwrap_or("");
                let operator =
                    [":-", ":=", ":+", "-", "=", "+"].into_iter().find(|op| after.starts_with(op));
                let close = close_brace(inner).unwrap_or(inner.len());
                let Some(operator) = operator else {
                    self.take(start, 2 + close + 1, quote, true);
                    return;
                };
                // A default value is written out.
                let from = 2 + length + operator.len();
                self.take(start, from, quote, true);
                let end = start + 2 + close;
                self.literal_to(quote, end);
                if self.starts("}") {
                    self.take(self.at, 1, quote, true);
                }
            }
            Some(b) if b.is_ascii_alphabetic() || b == b'_' => {
                self.take(start, 1 + name(next), quote, true);
            }
            Some(b) if b.is_ascii_digit() || b"@*#?-$!".contains(&b) => {
                self.take(start, 2, quote, true);
            }
            _ => self.literal(quote),
        }
    }

    /// `$(…)` or `<(…)`, of which the first `skip` bytes stand before the bracket.
    fn substitution(&mut self, quote: Quote, skip: usize) {
        let start = self.at;
        let rest = self.rest().as_bytes();
        let (mut depth, mut at) = (0_usize, skip);
        let mut open: Option<u8> = None;
        while let Some(b) = rest.get(at) {
            match (open, *b) {
                (_, b'\\') if open != Some(b'\'') => at += 1,
                (Some(quote), b) if b == quote => open = None,
                (Some(_), _) => {}
                (None, b @ (b'\'' | b'"')) => open = Some(b),
                (None, b'(') => depth += 1,
                (None, b')') => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        break;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        let length = (at + 1).min(rest.len());
        let length = (length..=rest.len())
            .find(|end| self.rest().is_char_boundary(*end))
            .unwrap_or(rest.len());
        self.take(start, length, quote, true);
    }

    fn backtick(&mut self, quote: Quote) {
        let start = self.at;
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.char_indices().skip(1).find(|(_, c)| {
            let found = *c == '`' && !escaped;
            escaped = *c == '\\' && !escaped;
            found
        });
        let length = end.map_or(rest.len(), |(at, _)| at + 1);
        self.take(start, length, quote, true);
    }
}

/// Where `${` closes.
fn close_brace(inner: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_taken_off_and_places_kept() {
        for (source, text) in [
            ("abc", "abc"),
            ("-p'x y'", "-px y"),
            (r#"--a="b\"c""#, "--a=b\"c"),
            ("a\\ b", "a b"),
            (r"$'a\x41\n'", "aA\n"),
            ("'a'\"b\"c", "abc"),
            ("$X", "$X"),
            ("\"$(f 'a)')b\"", "$(f 'a)')b"),
            ("${X:-abc}", "${X:-abc}"),
        ] {
            let word = unquote(source, 0);
            assert_eq!(word.text, text, "{source}");
            assert!(word.is_placed());
        }
        let word = unquote("-p'x y'", 0);
        assert_eq!(word.place(2..5), 3..6);
        let word = unquote("-p'a'\"b\"", 0);
        assert_eq!(word.place(2..4), 2..8);
        assert!(!unquote("$X\"$Y\"", 0).is_literal(0..4));
        assert!(unquote("'$X'", 0).is_literal(0..2));
        assert!(unquote("${X:-abc}", 0).is_literal(0..9));
    }
}
