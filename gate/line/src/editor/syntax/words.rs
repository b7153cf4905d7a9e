//! Words: quotes, expansions, arrays. It must never loop without making progress.

use super::scanner::{Parse, Scanner, Stop, is_meta};

impl Scanner<'_> {
    /// Reads one word, if there is one.
    pub(super) fn word(&mut self) -> Parse<bool> {
        let from = self.pos;
        loop {
            self.step()?;
            let before = self.before().filter(|_| self.pos > from);
            match self.peek() {
                None => break,
                Some(b'<' | b'>') if self.ahead(1) == Some(b'(') => {
                    self.pos += 1;
                    self.brackets()?;
                }
                Some(b'(') if before == Some(b'=') => self.array()?,
                Some(b'(') if before.is_some_and(is_glob) => self.group()?,
                Some(byte) if is_meta(byte) => break,
                Some(_) => self.piece()?,
            }
        }
        Ok(self.pos > from)
    }

    /// `a=( ... )`
    pub(super) fn array(&mut self) -> Parse {
        self.pos += 1;
        loop {
            self.newlines()?;
            match self.peek() {
                None => return Err(Stop::Incomplete),
                Some(b')') => {
                    self.pos += 1;
                    return Ok(());
                }
                Some(_) if self.deeper(Self::word)? => {}
                Some(_) => return Err(Stop::NotUnderstood),
            }
        }
    }

    /// `@( ... )` and the like, which not every shell has.
    pub(super) fn group(&mut self) -> Parse {
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            self.step()?;
            match byte {
                b'(' => depth += 1,
                b')' => depth = depth.saturating_sub(1),
                b'\n' => return Err(Stop::NotUnderstood),
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
        Err(Stop::NotUnderstood)
    }

    /// Reads one byte of a word, or the construct that it opens.
    pub(super) fn piece(&mut self) -> Parse {
        match self.peek() {
            Some(b'\\') => self.backslash(),
            Some(b'\'') => self.until(b'\'', false),
            Some(b'"') => self.double_quote(),
            Some(b'`') => self.until(b'`', true),
            Some(b'$') => self.dollar(false),
            _ => {
                self.pos += 1;
                Ok(())
            }
        }
    }

    pub(super) fn backslash(&mut self) -> Parse {
        if self.pos + 1 >= self.bytes.len() {
            return Err(Stop::Incomplete);
        }
        self.pos += 2;
        Ok(())
    }

    /// From one quote to the next.
    pub(super) fn until(&mut self, quote: u8, escapes: bool) -> Parse {
        self.pos += 1;
        loop {
            self.step()?;
            let Some(byte) = self.peek() else { return Err(Stop::Incomplete) };
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

    pub(super) fn double_quote(&mut self) -> Parse {
        self.pos += 1;
        loop {
            self.step()?;
            match self.peek() {
                None => return Err(Stop::Incomplete),
                Some(b'"') => {
                    self.pos += 1;
                    return Ok(());
                }
                Some(b'\\') => self.backslash()?,
                Some(b'`') => self.until(b'`', true)?,
                Some(b'$') => self.dollar(true)?,
                _ => self.pos += 1,
            }
        }
    }

    pub(super) fn dollar(&mut self, quoted: bool) -> Parse {
        self.pos += 1;
        match self.peek() {
            Some(b'(') => self.brackets(),
            Some(b'{') => self.deeper(|scanner| scanner.parameter(quoted)),
            Some(b'\'') if !quoted => self.until(b'\'', true),
            _ => Ok(()),
        }
    }

    /// `${ ... }`
    pub(super) fn parameter(&mut self, quoted: bool) -> Parse {
        self.pos += 1;
        loop {
            self.step()?;
            match self.peek() {
                None => return Err(Stop::Incomplete),
                Some(b'}') => {
                    self.pos += 1;
                    return Ok(());
                }
                Some(b'\'') if quoted => self.pos += 1,
                Some(b'$') => self.dollar(quoted)?,
                _ => self.piece()?,
            }
        }
    }
}

/// What may come before the `(` of a pattern in bash or zsh.
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
