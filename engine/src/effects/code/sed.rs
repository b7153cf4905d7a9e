//! sed: no command that writes, runs or reads a file.

use super::{Doubt, no};

/// Whether a script only reads what it is given and prints.
pub(super) fn check(text: &str) -> Result<(), Doubt> {
    Sed { bytes: text.as_bytes(), at: 0 }.run()
}

/// A script of sed's.
struct Sed<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Sed<'_> {
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip(&mut self, set: &[u8]) {
        while self.at < self.bytes.len() && set.contains(&self.peek()) {
            self.at += 1;
        }
    }

    fn run(&mut self) -> Result<(), Doubt> {
        loop {
            self.skip(b" \t\n;{}");
            if self.at >= self.bytes.len() {
                return Ok(());
            }
            self.addresses()?;
            self.skip(b" \t!");
            let command = self.peek();
            self.at += 1;
            match command {
                b'p' | b'd' | b'D' | b'P' | b'n' | b'N' | b'g' | b'G' | b'h' | b'H' | b'x'
                | b'=' | b'z' | b'F' => {}
                b'q' | b'Q' | b'l' | b'L' => self.skip(b" 0123456789"),
                b'{' => continue,
                b's' => self.substitute()?,
                b'y' => {
                    self.delimited(2)?;
                }
                b'a' | b'i' | b'c' => {
                    // Text to the end of the line, or of several that end in a backslash.
                    while self.at < self.bytes.len() && self.peek() != b'\n' {
                        self.at += if self.peek() == b'\\' { 2 } else { 1 };
                    }
                }
                b'b' | b't' | b'T' | b':' => {
                    self.skip(b" ");
                    while self.peek().is_ascii_alphanumeric() || self.peek() == b'_' {
                        self.at += 1;
                    }
                }
                b'#' => {
                    while self.at < self.bytes.len() && self.peek() != b'\n' {
                        self.at += 1;
                    }
                }
                _ => return no("a command of sed that may write, run or read something"),
            }
            self.skip(b" \t");
            if self.at < self.bytes.len() && !matches!(self.peek(), b'\n' | b';' | b'}' | b'#') {
                return no("a command of sed that is not read");
            }
        }
    }

    /// `1`, `$`, `/x/I`, `1,5`, `1~2`, `/a/,/b/`.
    fn addresses(&mut self) -> Result<(), Doubt> {
        for _ in 0..2 {
            self.skip(b" \t");
            match self.peek() {
                b'0'..=b'9' => self.skip(b"0123456789~"),
                b'$' => self.at += 1,
                b'+' | b'~' => {
                    self.at += 1;
                    self.skip(b"0123456789");
                }
                b'/' => {
                    self.delimited(1)?;
                    self.skip(b"IM");
                }
                b'\\' => {
                    self.at += 1;
                    self.delimited(1)?;
                    self.skip(b"IM");
                }
                _ => return Ok(()),
            }
            self.skip(b" \t");
            if self.peek() != b',' {
                return Ok(());
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Parts that the first character ends: one after `/`, two after `s` and `y`.
    fn delimited(&mut self, parts: usize) -> Result<(), Doubt> {
        let mark = self.peek();
        if mark == b'\\'
            || mark == b'\n'
            || mark.is_ascii_alphanumeric()
            || mark >= 0x80
            || mark == 0
        {
            return no("a delimiter that is not read");
        }
        self.at += 1;
        for part in 0..parts {
            let mut set = false;
            loop {
                let c = self.peek();
                if self.at >= self.bytes.len() || (c == b'\n' && part == 0) {
                    return no("an expression that is never closed");
                }
                // Whether the mark ends the expression inside `[…]` differs from sed to sed.
                if set && c == mark {
                    return no("a delimiter inside a set of characters");
                }
                match c {
                    b'\\' => self.at += 1,
                    // `[:alpha:]` inside of a set.
                    b'[' if set && matches!(self.byte(1), b':' | b'.' | b'=') => {
                        let kind = self.byte(1);
                        self.at += 2;
                        while self.peek().is_ascii_alphabetic() {
                            self.at += 1;
                        }
                        if self.peek() != kind || self.byte(1) != b']' {
                            return no("a set of characters that is not read");
                        }
                        self.at += 1;
                    }
                    b'[' if part == 0 && !set => {
                        set = true;
                        // A `]` at its beginning is a character of the set.
                        self.at += usize::from(self.byte(1) == b'^');
                        self.at += usize::from(self.byte(1) == b']');
                    }
                    b']' => set = false,
                    _ if c == mark => break,
                    _ => {}
                }
                self.at += 1;
            }
            self.at += 1;
        }
        Ok(())
    }

    fn substitute(&mut self) -> Result<(), Doubt> {
        self.delimited(2)?;
        self.skip(b"gpiIMm0123456789");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use crate::tables::CodeKind;

    fn fits(language: CodeKind, list: &[&str], ok: bool) {
        for text in list {
            assert_eq!(check(language, text).is_ok(), ok, "{text}: {:?}", check(language, text));
        }
    }

    #[test]
    fn sed_that_only_prints() {
        fits(
            CodeKind::Sed,
            &[
                "1,5p",
                "s/a/b/g",
                "/x/d",
                "$!d",
                "800,850p;850q",
                "s|/usr|/opt|",
                "/a/,/b/p",
                "s/[;w]/x/",
                "/x/{s/a/b/;p}",
                "5q",
                "1~2p",
                "y/abc/xyz/",
                "a\\ text; e id",
                "s/^[ \\t]*//;s/w e/x/",
                "s/^[[:space:]]*x[^[:alnum:]_]/y/g",
                "s/[]a]/x/",
            ],
            true,
        );
        fits(
            CodeKind::Sed,
            &[
                "e",
                "1e id",
                "s/a/b/e",
                "s/a/b/w f",
                "w f",
                "1w f",
                "W f",
                "r /etc/shadow",
                "R f",
                "s/x/y/;e id",
                "p;w f",
                "s/[/]/x/w f/",
                "s/a/b/gew",
                "1!e",
                "/x/e",
                "$w f",
                "v;e",
                "M",
                "s\\na\\nb\\ne",
                "s/a\\/b/c/e",
                "a\\\nx\ne id",
                "s/[]/a/;#]/b/w f",
                "s/[^]/a/;#]/b/w f",
                "s/[[:alpha:]/a/;#]/b/w f",
                "s/[[.a.]/a/;#]/b/w f",
                "/[]/p;#]/w f",
            ],
            false,
        );
    }
}
