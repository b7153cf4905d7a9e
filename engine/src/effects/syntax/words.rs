//! Words: quotes, parameters, substitutions, patterns.

use super::tree::{Change, Part, Word};
use super::{Dialect, Reader, Result};

/// Whether a text can be the name of a variable.
pub(super) fn is_name(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
}

/// Whether a byte stands for itself everywhere but at the beginning of a word.
fn means_nothing(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'_' | b'.' | b'/' | b':' | b',' | b'+' | b'@' | b'%' | b'=')
}

/// Whether a byte stands for itself between double quotes.
fn means_nothing_in_quotes(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'$' | b'`' | b'!')
}

/// Collects the parts of a word.
#[derive(Default)]
struct Parts {
    parts: Vec<Part>,
    quoted: bool,
}

impl Parts {
    fn text(&mut self, text: &str, quotes: bool) {
        self.quoted |= quotes;
        match self.parts.last_mut() {
            Some(Part::Text { text: last, quoted }) => {
                last.push_str(text);
                *quoted |= quotes;
            }
            _ => self.parts.push(Part::Text { text: text.to_owned(), quoted: quotes }),
        }
    }
}

impl Reader<'_> {
    /// The next word, if one begins here.
    pub(super) fn word(&mut self) -> Result<Option<Word>> {
        let start = self.pos;
        let mut out = Parts::default();
        loop {
            let first = self.pos == start;
            match self.peek() {
                _ if self.done() => break,
                b' ' | b'\t' | b'\n' | b';' | b'|' | b'&' | b'<' | b'>' | b')' => break,
                b'(' if first => break,
                b'(' => return self.fail("a bracket inside a word"),
                b'\'' => self.single_quotes(&mut out)?,
                b'"' => self.double_quotes(&mut out)?,
                b'\\' => self.backslash(&mut out)?,
                b'$' => self.dollar(&mut out, false)?,
                b'`' => return self.fail("a substitution in backquotes"),
                // `[ a = b ]`
                b'=' if first && (self.starts("= ") || self.starts("== ")) => {
                    let length = if self.starts("= ") { 1 } else { 2 };
                    self.pos += length;
                    out.text(self.slice(start, self.pos), false);
                }
                b'=' if first => return self.fail("a word that begins with `=`"),
                b'~' if first => self.home(&mut out)?,
                b'~' => return self.fail("`~` inside a word"),
                b'*' | b'?' => {
                    let at = self.pos;
                    self.pos += 1;
                    out.parts.push(Part::Glob(self.slice(at, self.pos).to_owned()));
                }
                b'[' => self.bracket(&mut out, first)?,
                b'{' | b'}' => self.brace(&mut out)?,
                b'!' if self.interactive => return self.fail("`!`, which may recall history"),
                b'^' if first => return self.fail("a word that begins with `^`"),
                b'#' if first => return self.fail("a comment"),
                byte if byte.is_ascii_graphic() => {
                    let at = self.pos;
                    self.pos += 1;
                    // What means nothing anywhere in a word is taken in one step.
                    while means_nothing(self.peek()) {
                        self.pos += 1;
                    }
                    out.text(self.slice(at, self.pos), false);
                }
                0x80.. => return self.fail("a character outside quotes that is not ASCII"),
                _ => return self.fail("a control character"),
            }
        }
        if self.pos == start {
            return Ok(None);
        }
        // `22>x` redirects descriptor 22.
        if matches!(self.peek(), b'<' | b'>')
            && self.slice(start, self.pos).bytes().all(|b| b.is_ascii_digit())
        {
            return self.fail("a descriptor that is not read");
        }
        Ok(Some(Word { parts: out.parts, span: (start, self.pos) }))
    }

    /// `]`, and `[` as the name of the program or the beginning of a set of characters.
    fn bracket(&mut self, out: &mut Parts, first: bool) -> Result<()> {
        let alone = matches!(self.at(self.pos + 1), b' ' | b'\t');
        if first && alone {
            self.pos += 1;
            out.text("[", false);
            return Ok(());
        }
        let from = self.pos;
        let mut end = from + 1;
        while matches!(self.at(end), b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'!' | b'^' | b',')
        {
            end += 1;
        }
        if self.at(end) != b']' || end == from + 1 {
            return self.fail("a set of characters that is not read");
        }
        self.pos = end + 1;
        out.parts.push(Part::Glob(self.slice(from, self.pos).to_owned()));
        Ok(())
    }

    /// `{}` is a word of `find`'s and means itself; other braces are expanded by some shells.
    fn brace(&mut self, out: &mut Parts) -> Result<()> {
        if self.starts("{}") {
            self.pos += 2;
            out.text("{}", false);
            return Ok(());
        }
        if self.dialect.is_bash_or_zsh() && self.sequence() {
            out.parts.push(Part::Numbers);
            return Ok(());
        }
        self.fail("a brace, which some shells expand")
    }

    /// `{1..10}`, of at most a thousand numbers.
    fn sequence(&mut self) -> bool {
        let rest = self.slice(self.pos + 1, self.bytes.len());
        let Some((inside, _)) = rest.split_once('}') else { return false };
        let Some((from, to)) = inside.split_once("..") else { return false };
        let number = |text: &str| {
            let digits = text.bytes().all(|b| b.is_ascii_digit());
            (digits && text.len() <= 9).then(|| text.parse::<u32>().ok()).flatten()
        };
        let (Some(from), Some(to)) = (number(from), number(to)) else { return false };
        if from.abs_diff(to) >= 1000 {
            return false;
        }
        self.pos += inside.len() + 2;
        true
    }

    fn home(&mut self, out: &mut Parts) -> Result<()> {
        match self.at(self.pos + 1) {
            b'/' | b' ' | b'\t' | b'\n' | b';' | b'|' | b'&' | b')' => {}
            _ if self.pos + 1 >= self.bytes.len() => {}
            _ => return self.fail("the home directory of somebody"),
        }
        self.pos += 1;
        out.parts.push(Part::Home);
        Ok(())
    }

    fn backslash(&mut self, out: &mut Parts) -> Result<()> {
        let next = self.at(self.pos + 1);
        if !next.is_ascii_graphic() && next != b' ' {
            return self.fail("a backslash before a character that is not read");
        }
        self.pos += 2;
        out.text(self.slice(self.pos - 1, self.pos), true);
        Ok(())
    }

    fn single_quotes(&mut self, out: &mut Parts) -> Result<()> {
        let start = self.pos + 1;
        let mut end = start;
        while self.at(end) != b'\'' {
            if end >= self.bytes.len() {
                return self.fail("a quote that is never closed");
            }
            self.quoted_byte(end)?;
            end += 1;
        }
        self.pos = end + 1;
        out.text(self.slice(start, end), true);
        Ok(())
    }

    /// Refuses what a shell with another character set could read otherwise, and control characters.
    fn quoted_byte(&self, at: usize) -> Result<()> {
        let byte = self.at(at);
        if byte < 0x20 && !matches!(byte, b'\n' | b'\t') || byte == 0x7f {
            return Err(self.unread("a control character", at));
        }
        // In GBK and its kin the second byte of a character may be `\` or a backquote.
        if byte >= 0x80
            && matches!(self.at(at + 1), b'\\' | b'`' | b'@'..=b'~')
            && !self.at(at + 1).is_ascii_alphanumeric()
        {
            return Err(self.unread("a character that may swallow the next one", at));
        }
        Ok(())
    }

    fn double_quotes(&mut self, out: &mut Parts) -> Result<()> {
        self.pos += 1;
        out.text("", true);
        loop {
            let at = self.pos;
            if self.done() {
                return self.fail("a quote that is never closed");
            }
            match self.peek() {
                b'"' => {
                    self.pos += 1;
                    return Ok(());
                }
                b'\\' => match self.at(at + 1) {
                    b'\\' | b'"' | b'$' | b'`' => {
                        self.pos += 2;
                        out.text(self.slice(at + 1, at + 2), true);
                    }
                    b'\n' => self.pos += 2,
                    // The backslash stays.
                    byte if byte.is_ascii_graphic() || byte == b' ' => {
                        self.pos += 2;
                        out.text(self.slice(at, at + 2), true);
                    }
                    _ => return self.fail("a backslash before a character that is not read"),
                },
                b'$' => self.dollar(out, true)?,
                b'`' => return self.fail("a substitution in backquotes"),
                b'!' if self.interactive => return self.fail("`!`, which may recall history"),
                _ => {
                    self.quoted_byte(at)?;
                    self.pos += 1;
                    while !self.text.is_char_boundary(self.pos) {
                        self.pos += 1;
                    }
                    while means_nothing_in_quotes(self.peek()) {
                        self.pos += 1;
                    }
                    out.text(self.slice(at, self.pos), true);
                }
            }
        }
    }

    fn dollar(&mut self, out: &mut Parts, quoted: bool) -> Result<()> {
        let next = self.at(self.pos + 1);
        match next {
            b'(' if self.at(self.pos + 2) == b'(' => self.arithmetic(out),
            b'(' => self.output(out, quoted),
            b'{' => self.parameter_in_braces(out, quoted),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let from = self.pos + 1;
                let mut end = from;
                while self.at(end).is_ascii_alphanumeric() || self.at(end) == b'_' {
                    end += 1;
                }
                // zsh reads a subscript or a modifier there, even without braces.
                if self.at(end) == b'['
                    || (self.dialect != Dialect::Bash
                        && self.at(end) == b':'
                        && self.at(end + 1).is_ascii_alphabetic())
                {
                    return self.fail("a subscript");
                }
                self.pos = end;
                self.parameter(out, from, end, Change::None, quoted);
                Ok(())
            }
            b'?' | b'#' | b'$' => {
                // `$#x` is a length to zsh.
                if next == b'#'
                    && (self.at(self.pos + 2).is_ascii_alphanumeric()
                        || self.at(self.pos + 2) == b'_')
                {
                    return self.fail("`$#`");
                }
                self.pos += 2;
                out.parts.push(Part::Arithmetic);
                Ok(())
            }
            b'\'' | b'"' if !quoted => self.fail("`$'…'`, which has several meanings"),
            _ if quoted
                && matches!(next, b' ' | b'"' | b'.' | b',' | b'|' | b'/' | b')' | b'\\') =>
            {
                self.pos += 1;
                out.text("$", true);
                Ok(())
            }
            _ => self.fail("an expansion that is not read"),
        }
    }

    fn parameter(&self, out: &mut Parts, from: usize, to: usize, change: Change, quoted: bool) {
        let name = self.slice(from, to).to_owned();
        out.parts.push(Part::Parameter { name, change, quoted });
    }

    /// `${x}`, `${#x}`, `${x%text}`, `${x#text}`, `${x:-text}`, with literal text.
    fn parameter_in_braces(&mut self, out: &mut Parts, quoted: bool) -> Result<()> {
        let mut from = self.pos + 2;
        let length = self.at(from) == b'#';
        if length {
            from += 1;
        }
        let mut end = from;
        while self.at(end).is_ascii_alphanumeric() || self.at(end) == b'_' {
            end += 1;
        }
        if !is_name(self.slice(from, end)) {
            return self.fail("an expansion that is not read");
        }
        let mut close = end;
        while self.at(close) != b'}' {
            let plain =
                self.at(close).is_ascii_alphanumeric() || b"._-/:%#*,+=@".contains(&self.at(close));
            if !plain {
                return self.fail("an expansion that is not read");
            }
            close += 1;
        }
        let change = match (self.slice(end, close), length) {
            ("", false) => Change::None,
            ("", true) => Change::Length,
            (rest, false) if rest.starts_with(":-") => {
                let text = self.slice(end + 2, close);
                if text.contains(['*', '~']) {
                    return self.fail("an expansion that is not read");
                }
                Change::Or(text.to_owned())
            }
            (rest, false) if rest.starts_with(['%', '#']) => {
                Change::Cut { from_start: rest.starts_with('#') }
            }
            _ => return self.fail("an expansion that is not read"),
        };
        self.pos = close + 1;
        self.parameter(out, from, end, change, quoted);
        Ok(())
    }

    /// `$((1 + 2))`: numbers and operators. A name would be evaluated as code, and a negative number
    /// looks like an option.
    fn arithmetic(&mut self, out: &mut Parts) -> Result<()> {
        let mut end = self.pos + 3;
        while self.at(end).is_ascii_digit()
            || b" +*/%".contains(&self.at(end)) && end < self.bytes.len()
        {
            end += 1;
        }
        if self.at(end) != b')' || self.at(end + 1) != b')' {
            return self.fail("arithmetic with more than numbers");
        }
        self.pos = end + 2;
        out.parts.push(Part::Arithmetic);
        Ok(())
    }

    /// `$(…)`.
    fn output(&mut self, out: &mut Parts, quoted: bool) -> Result<()> {
        self.pos += 2;
        let list = self.deeper(|reader| reader.list(&[")"]))?;
        if self.peek() != b')' || self.done() {
            return self.fail("a substitution that is never closed");
        }
        self.pos += 1;
        if list.items.is_empty() {
            return self.fail("a substitution without a command");
        }
        out.parts.push(Part::Output { list, quoted });
        Ok(())
    }
}
