//! Lists, pipelines, simple commands and redirections. It must never loop without making progress.

use super::scanner::{End, HereDoc, Keyword, Parse, Scanner, Stop, Within};
use super::words::unquoted;

impl Scanner<'_> {
    /// Reads commands and what ends them, unless that is the `;;` of a case.
    pub(super) fn list(&mut self, ends: &[Keyword], within: Within) -> Parse<End> {
        loop {
            self.newlines()?;
            match (self.peek(), self.ahead(1)) {
                (None, _) if within == Within::Nothing && self.pending.is_empty() => {
                    return Ok(End::Text);
                }
                (None, _) => return Err(Stop::Incomplete),
                (Some(b')'), _) if within == Within::Brackets => {
                    self.pos += 1;
                    return Ok(End::Bracket);
                }
                (Some(b')'), _) => return Err(Stop::NotUnderstood),
                (Some(b';'), Some(b';' | b'&')) if within == Within::Case => {
                    return Ok(End::CaseBranch);
                }
                (Some(b';'), Some(b';' | b'&')) => return Err(Stop::NotUnderstood),
                _ => {}
            }
            match self.keyword() {
                Some(keyword) if ends.contains(&keyword) => {
                    self.pos += self.bare().len();
                    return Ok(End::Keyword(keyword));
                }
                Some(_) => return Err(Stop::NotUnderstood),
                None => {}
            }
            self.and_or()?;
            self.blanks();
            match (self.peek(), self.ahead(1)) {
                (Some(b';'), Some(b';' | b'&')) | (None | Some(b'\n' | b')' | b'#'), _) => {}
                (Some(b';' | b'&'), _) => self.pos += 1,
                _ if self.keyword().is_some() => {}
                _ => return Err(Stop::NotUnderstood),
            }
        }
    }

    /// Reads commands joined by `&&`, `||` and `|`.
    fn and_or(&mut self) -> Parse {
        loop {
            self.deeper(Self::command)?;
            self.blanks();
            let skip = match (self.peek(), self.ahead(1)) {
                (Some(b'&'), Some(b'&')) | (Some(b'|'), Some(b'|' | b'&')) => 2,
                (Some(b'|'), _) => 1,
                _ => return Ok(()),
            };
            self.pos += skip;
            self.more()?;
        }
    }

    pub(super) fn command(&mut self) -> Parse {
        self.step()?;
        while let b"!" | b"time" | b"-p" | b"coproc" = self.bare() {
            self.pos += self.bare().len();
            self.blanks();
            if matches!(self.peek(), None | Some(b'\n' | b';')) {
                return Ok(());
            }
        }
        match self.bare() {
            b"{" => {
                self.pos += 1;
                self.list(&[Keyword::CloseBrace], Within::Keywords)?;
            }
            b"[[" => self.condition()?,
            b"if" => {
                self.pos += 2;
                self.conditional()?;
            }
            b"while" | b"until" => {
                self.pos += 5;
                self.list(&[Keyword::Do], Within::Keywords)?;
                self.list(&[Keyword::Done], Within::Keywords)?;
            }
            b"for" => self.for_loop(3)?,
            b"select" => self.for_loop(6)?,
            b"case" => self.case()?,
            b"function" => return self.function(),
            _ if self.peek() == Some(b'(') => self.brackets()?,
            _ => return self.simple(),
        }
        loop {
            self.blanks();
            if !self.redirection()? {
                return Ok(());
            }
        }
    }

    /// `function name [()] body`
    fn function(&mut self) -> Parse {
        self.pos += 8;
        self.blanks();
        if !self.word()? {
            return Err(Stop::NotUnderstood);
        }
        self.blanks();
        if self.peek() == Some(b'(') {
            self.pos += 1;
            self.blanks();
            match self.peek() {
                Some(b')') => self.pos += 1,
                Some(_) => return Err(Stop::NotUnderstood),
                None => return Err(Stop::Incomplete),
            }
        }
        self.more()?;
        self.deeper(Self::command)
    }

    fn simple(&mut self) -> Parse {
        let from = self.pos;
        let mut words = 0_usize;
        loop {
            self.step()?;
            self.blanks();
            if self.done() || self.redirection()? {
                if self.done() {
                    break;
                }
                continue;
            }
            if self.peek() == Some(b'#') {
                break;
            }
            if self.peek() == Some(b'(') {
                // `name ()`, or something only zsh understands.
                self.pos += 1;
                self.blanks();
                if words != 1 || self.peek() != Some(b')') {
                    return Err(Stop::NotUnderstood);
                }
                self.pos += 1;
                self.more()?;
                return self.deeper(Self::command);
            }
            if !self.word()? {
                break;
            }
            words += 1;
        }
        if self.pos == from { Err(Stop::NotUnderstood) } else { Ok(()) }
    }

    /// Reads a redirection with its target, if there is one.
    fn redirection(&mut self) -> Parse<bool> {
        let both = self.starts(b"&>");
        let angle = matches!(self.peek(), Some(b'<' | b'>'));
        if !both && (!angle || self.ahead(1) == Some(b'(')) {
            return Ok(false);
        }
        if self.starts(b"<<") && !self.starts(b"<<<") {
            return self.here_doc_operator();
        }
        self.pos += usize::from(both);
        while matches!(self.peek(), Some(b'<' | b'>' | b'&' | b'|')) {
            self.pos += 1;
            if self.ahead(1) == Some(b'(') {
                break;
            }
        }
        self.blanks();
        if self.word()? { Ok(true) } else { Err(Stop::NotUnderstood) }
    }

    /// `<<` or `<<-`, and the delimiter.
    fn here_doc_operator(&mut self) -> Parse<bool> {
        self.pos += 2;
        let strip_tabs = self.peek() == Some(b'-');
        self.pos += usize::from(strip_tabs);
        self.blanks();
        let from = self.pos;
        if !self.word()? {
            return Err(Stop::NotUnderstood);
        }
        let delimiter = unquoted(self.bytes.get(from..self.pos).unwrap_or(&[]));
        self.pending.push(HereDoc { delimiter, strip_tabs });
        Ok(true)
    }
}
