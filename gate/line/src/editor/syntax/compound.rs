//! Compound commands: groups, loops, conditions. It must never loop without moving on.

use super::{Scanner, Step, Stop, Within, is_meta};

impl Scanner<'_> {
    /// `( ... )` or `(( ... ))`, after any `$`.
    pub(super) fn brackets(&mut self) -> Step {
        if self.starts(b"((") {
            let from = self.pos;
            self.pos += 2;
            let pending = self.pending.len();
            match self.deeper(Self::arithmetic) {
                Err(Stop::Odd) => {
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
    pub(super) fn arithmetic(&mut self) -> Step {
        let mut depth = 0_usize;
        loop {
            self.step()?;
            if self.done() {
                return Err(Stop::Open);
            }
            match self.peek() {
                b'(' => depth += 1,
                b')' if depth > 0 => depth -= 1,
                b')' if self.byte(self.pos + 1) == b')' => {
                    self.pos += 2;
                    return Ok(());
                }
                // Not arithmetic, then, unless the other bracket is still to come.
                b')' if self.pos + 1 < self.bytes.len() => return Err(Stop::Odd),
                b'\\' | b'\'' | b'"' | b'$' | b'`' => {
                    self.piece()?;
                    continue;
                }
                _ => {}
            }
            self.pos += 1;
        }
    }

    pub(super) fn conditional(&mut self) -> Step {
        self.list(&["then"], Within::Words)?;
        loop {
            match self.list(&["elif", "else", "fi"], Within::Words)? {
                "elif" => {
                    self.list(&["then"], Within::Words)?;
                }
                "else" => {
                    self.list(&["fi"], Within::Words)?;
                    return Ok(());
                }
                _ => return Ok(()),
            }
        }
    }

    pub(super) fn for_loop(&mut self, keyword: usize) -> Step {
        self.pos += keyword;
        self.blanks();
        if self.starts(b"((") {
            self.pos += 2;
            self.arithmetic()?;
        } else {
            if !self.word()? {
                return Err(Stop::Odd);
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
                if !self.done() && !matches!(self.peek(), b';' | b'\n' | b'#') {
                    return Err(Stop::Odd);
                }
            }
        }
        self.blanks();
        if self.peek() == b';' {
            self.pos += 1;
        }
        self.more()?;
        match self.bare() {
            b"do" => {
                self.pos += 2;
                self.list(&["done"], Within::Words)?;
            }
            b"{" => {
                self.pos += 1;
                self.list(&["}"], Within::Words)?;
            }
            _ => return Err(Stop::Odd),
        }
        Ok(())
    }

    pub(super) fn case(&mut self) -> Step {
        self.pos += 4;
        self.blanks();
        if !self.word()? {
            return Err(Stop::Odd);
        }
        self.more()?;
        if !self.is_word("in") {
            return Err(Stop::Odd);
        }
        self.pos += 2;
        loop {
            self.more()?;
            if self.is_word("esac") {
                self.pos += 4;
                return Ok(());
            }
            if self.peek() == b'(' {
                self.pos += 1;
            }
            loop {
                self.blanks();
                if !self.word()? {
                    return Err(Stop::Odd);
                }
                self.blanks();
                match self.peek() {
                    b'|' => self.pos += 1,
                    b')' => break,
                    _ => return Err(Stop::Odd),
                }
            }
            self.pos += 1;
            if self.list(&["esac"], Within::Case)? == "esac" {
                return Ok(());
            }
            // `;;`, `;&` or `;;&`.
            self.pos += 2;
            if self.peek() == b'&' {
                self.pos += 1;
            }
        }
    }

    /// `[[ ... ]]`
    pub(super) fn condition(&mut self) -> Step {
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
            let next = self.byte(self.pos + 1);
            match self.peek() {
                _ if self.done() || self.peek() == b'\n' => {
                    // A line may end only where an operand does.
                    if !(matches!(words, 0 | 3) || words == 2 && unary) {
                        return Err(Stop::Odd);
                    }
                    if self.done() {
                        return Err(Stop::Open);
                    }
                    self.pos += 1;
                }
                b'&' | b'|' if next == self.peek() => {
                    self.pos += 2;
                    words = 0;
                }
                b'!' if words == 0 && is_meta(next) => self.pos += 1,
                // Brackets around operands, or in a pattern.
                b'(' | b')' => self.pos += 1,
                b'|' if words >= 2 => self.pos += 1,
                b'<' | b'>' if next != b'(' => {
                    self.pos += 1;
                    words += 1;
                }
                first => {
                    if words == 0 {
                        unary = first == b'-';
                    }
                    if !self.word()? {
                        return Err(Stop::Odd);
                    }
                    words += 1;
                }
            }
        }
    }
}
