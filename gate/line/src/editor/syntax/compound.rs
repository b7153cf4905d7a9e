//! Compound commands: groups, loops, conditions. It must never loop without making progress.

use super::scanner::{End, Keyword, Parse, Scanner, Stop, Within, is_meta};

impl Scanner<'_> {
    /// `( ... )` or `(( ... ))`, after any `$`.
    pub(super) fn brackets(&mut self) -> Parse {
        if self.starts(b"((") {
            let from = self.pos;
            self.pos += 2;
            let pending = self.pending.len();
            match self.deeper(Self::arithmetic) {
                Err(Stop::NotUnderstood) => {
                    self.pending.truncate(pending);
                    self.pos = from;
                }
                result => return result,
            }
        }
        self.pos += 1;
        self.deeper(|scanner| scanner.list(&[], Within::Brackets)).map(|_| ())
    }

    /// Up to `))`.
    pub(super) fn arithmetic(&mut self) -> Parse {
        let mut depth = 0_usize;
        loop {
            self.step()?;
            let Some(byte) = self.peek() else { return Err(Stop::Incomplete) };
            match byte {
                b'(' => depth += 1,
                b')' if depth > 0 => depth -= 1,
                b')' if self.ahead(1) == Some(b')') => {
                    self.pos += 2;
                    return Ok(());
                }
                // Not arithmetic, then, unless the other bracket is still to come.
                b')' if self.ahead(1).is_some() => return Err(Stop::NotUnderstood),
                b'\\' | b'\'' | b'"' | b'$' | b'`' => {
                    self.piece()?;
                    continue;
                }
                _ => {}
            }
            self.pos += 1;
        }
    }

    pub(super) fn conditional(&mut self) -> Parse {
        self.list(&[Keyword::Then], Within::Keywords)?;
        loop {
            match self.list(&[Keyword::Elif, Keyword::Else, Keyword::Fi], Within::Keywords)? {
                End::Keyword(Keyword::Elif) => {
                    self.list(&[Keyword::Then], Within::Keywords)?;
                }
                End::Keyword(Keyword::Else) => {
                    self.list(&[Keyword::Fi], Within::Keywords)?;
                    return Ok(());
                }
                _ => return Ok(()),
            }
        }
    }

    pub(super) fn for_loop(&mut self, keyword: usize) -> Parse {
        self.pos += keyword;
        self.blanks();
        if self.starts(b"((") {
            self.pos += 2;
            self.arithmetic()?;
        } else {
            if !self.word()? {
                return Err(Stop::NotUnderstood);
            }
            self.newlines()?;
            if self.is_word("in") {
                self.pos += 2;
                loop {
                    self.blanks();
                    if !self.word()? {
                        break;
                    }
                }
                if !matches!(self.peek(), None | Some(b';' | b'\n' | b'#')) {
                    return Err(Stop::NotUnderstood);
                }
            }
        }
        self.blanks();
        if self.peek() == Some(b';') {
            self.pos += 1;
        }
        self.more()?;
        match self.bare() {
            b"do" => {
                self.pos += 2;
                self.list(&[Keyword::Done], Within::Keywords)?;
            }
            b"{" => {
                self.pos += 1;
                self.list(&[Keyword::CloseBrace], Within::Keywords)?;
            }
            _ => return Err(Stop::NotUnderstood),
        }
        Ok(())
    }

    pub(super) fn case(&mut self) -> Parse {
        self.pos += 4;
        self.blanks();
        if !self.word()? {
            return Err(Stop::NotUnderstood);
        }
        self.more()?;
        if !self.is_word("in") {
            return Err(Stop::NotUnderstood);
        }
        self.pos += 2;
        loop {
            self.more()?;
            if self.is_word("esac") {
                self.pos += 4;
                return Ok(());
            }
            if self.peek() == Some(b'(') {
                self.pos += 1;
            }
            loop {
                self.blanks();
                if !self.word()? {
                    return Err(Stop::NotUnderstood);
                }
                self.blanks();
                match self.peek() {
                    Some(b'|') => self.pos += 1,
                    Some(b')') => break,
                    _ => return Err(Stop::NotUnderstood),
                }
            }
            self.pos += 1;
            if self.list(&[Keyword::Esac], Within::Case)? == End::Keyword(Keyword::Esac) {
                return Ok(());
            }
            // `;;`, `;&` or `;;&`.
            self.pos += 2;
            if self.peek() == Some(b'&') {
                self.pos += 1;
            }
        }
    }

    /// `[[ ... ]]`
    pub(super) fn condition(&mut self) -> Parse {
        self.pos += 2;
        // Words since the last operand began, and whether the first is an operator.
        let mut words = 0_usize;
        let mut unary = false;
        loop {
            self.step()?;
            self.blanks();
            if self.is_word("]]") {
                self.pos += 2;
                return Ok(());
            }
            let next = self.ahead(1);
            // A line may end only where an operand does.
            let may_end = matches!(words, 0 | 3) || words == 2 && unary;
            match self.peek() {
                None | Some(b'\n') if !may_end => return Err(Stop::NotUnderstood),
                None => return Err(Stop::Incomplete),
                Some(b'\n') => self.pos += 1,
                Some(byte @ (b'&' | b'|')) if next == Some(byte) => {
                    self.pos += 2;
                    words = 0;
                }
                Some(b'!') if words == 0 && next.is_some_and(is_meta) => self.pos += 1,
                // Brackets around operands, or in a pattern.
                Some(b'(' | b')') => self.pos += 1,
                Some(b'|') if words >= 2 => self.pos += 1,
                Some(b'<' | b'>') if next != Some(b'(') => {
                    self.pos += 1;
                    words += 1;
                }
                Some(first) => {
                    if words == 0 {
                        unary = first == b'-';
                    }
                    if !self.word()? {
                        return Err(Stop::NotUnderstood);
                    }
                    words += 1;
                }
            }
        }
    }
}
