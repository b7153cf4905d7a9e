//! Words: quotes, expansions, arrays. It must never loop without moving on.

use super::{Scanner, Step, Stop, is_meta};

impl Scanner<'_> {
    /// Reads one word, if there is one.
    pub(super) fn word(&mut self) -> Step<bool> {
        let from = self.pos;
        loop {
            self.step()?;
            match self.peek() {
                _ if self.done() => break,
                b'<' | b'>' if self.byte(self.pos + 1) == b'(' => {
                    self.pos += 1;
                    self.brackets()?;
                }
                b'(' if self.pos > from && self.byte(self.pos - 1) == b'=' => self.array()?,
                b'(' if self.pos > from && is_glob(self.byte(self.pos - 1)) => self.group()?,
                b if is_meta(b) => break,
                _ => self.piece()?,
            }
        }
        Ok(self.pos > from)
    }

    /// `a=( ... )`
    pub(super) fn array(&mut self) -> Step {
        self.pos += 1;
        loop {
            self.newlines()?;
            if self.done() {
                return Err(Stop::Open);
            }
            if self.peek() == b')' {
                self.pos += 1;
                return Ok(());
            }
            if !self.deeper(Self::word)? {
                return Err(Stop::Odd);
            }
        }
    }

    /// `@( ... )` and its like, which not every shell has.
    pub(super) fn group(&mut self) -> Step {
        let mut depth = 0_usize;
        while !self.done() {
            self.step()?;
            match self.peek() {
                b'(' => depth += 1,
                b')' => depth = depth.saturating_sub(1),
                b'\n' => return Err(Stop::Odd),
                b'\\' | b'\'' | b'"' | b'$' | b'`' => {
                    self.piece()?;
                    continue;
                }
                _ => {}
            }
            self.pos += 1;
            if depth == 0 {
                return Ok(());
            }
        }
        Err(Stop::Odd)
    }

    /// Reads one byte of a word, or what it opens.
    pub(super) fn piece(&mut self) -> Step {
        match self.peek() {
            b'\\' => self.backslash(),
            b'\'' => self.until(b'\'', false),
            b'"' => self.double_quote(),
            b'`' => self.until(b'`', true),
            b'$' => self.dollar(false),
            _ => {
                self.pos += 1;
                Ok(())
            }
        }
    }

    pub(super) fn backslash(&mut self) -> Step {
        if self.pos + 1 >= self.bytes.len() {
            return Err(Stop::Open);
        }
        self.pos += 2;
        Ok(())
    }

    /// From one quote to the next.
    pub(super) fn until(&mut self, quote: u8, escapes: bool) -> Step {
        self.pos += 1;
        loop {
            self.step()?;
            if self.done() {
                return Err(Stop::Open);
            }
            let byte = self.peek();
            if byte == b'\\' && escapes {
                self.backslash()?;
                continue;
            }
            self.pos += 1;
            if byte == quote {
                return Ok(());
            }
        }
    }

    pub(super) fn double_quote(&mut self) -> Step {
        self.pos += 1;
        loop {
            self.step()?;
            match self.peek() {
                _ if self.done() => return Err(Stop::Open),
                b'"' => {
                    self.pos += 1;
                    return Ok(());
                }
                b'\\' => self.backslash()?,
                b'`' => self.until(b'`', true)?,
                b'$' => self.dollar(true)?,
                _ => self.pos += 1,
            }
        }
    }

    pub(super) fn dollar(&mut self, quoted: bool) -> Step {
        self.pos += 1;
        match self.peek() {
            b'(' => self.brackets(),
            b'{' => self.deeper(|scanner| scanner.parameter(quoted)),
            b'\'' if !quoted => self.until(b'\'', true),
            _ => Ok(()),
        }
    }

    /// `${ ... }`
    pub(super) fn parameter(&mut self, quoted: bool) -> Step {
        self.pos += 1;
        loop {
            self.step()?;
            match self.peek() {
                _ if self.done() => return Err(Stop::Open),
                b'}' => {
                    self.pos += 1;
                    return Ok(());
                }
                b'\'' if quoted => self.pos += 1,
                b'$' => self.dollar(quoted)?,
                _ => self.piece()?,
            }
        }
    }
}

/// What may stand before the `(` of a pattern in bash or zsh.
fn is_glob(byte: u8) -> bool {
    matches!(byte, b'@' | b'?' | b'*' | b'+' | b'!' | b'~' | b'^' | b']')
}

/// A here-document's delimiter without its quotes.
pub(super) fn unquoted(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut quote = None;
    let mut bytes = word.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, quote) {
            (b'\\', None) => out.extend(bytes.next().filter(|next| *next != b'\n')),
            (b'\'' | b'"', None) => quote = Some(byte),
            (byte, Some(open)) if byte == open => quote = None,
            (byte, _) => out.push(byte),
        }
    }
    out
}
