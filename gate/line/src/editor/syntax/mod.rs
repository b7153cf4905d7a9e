//! Whether a shell would ask for more of this. It decides nothing but the `> ` prompt; what it
//! cannot read it calls complete, and it must never recurse or work without a bound.

mod compound;
mod fish;
mod words;

use words::unquoted;

/// The deepest nesting that is read.
const MAX_DEPTH: usize = 50;
/// The most steps taken; a line of 16 KiB takes a few per byte.
const MAX_STEPS: usize = 1 << 18;
/// Words that close or continue a compound command and cannot begin one.
const CLOSING: [&str; 8] = ["then", "elif", "else", "fi", "do", "done", "esac", "}"];

/// The language a shell reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Syntax {
    /// sh and its like: bash, zsh, dash, ksh.
    #[default]
    Bourne,
    /// fish.
    Fish,
    /// Something else: every line is submitted, and the shell asks for more by itself.
    Unknown,
}

impl Syntax {
    /// The language of a shell, by the name of its program without a path.
    #[must_use]
    pub fn of_shell(name: &str) -> Self {
        match name {
            "ash" | "bash" | "busybox" | "dash" | "ksh" | "mksh" | "sh" | "zsh" => Self::Bourne,
            "fish" => Self::Fish,
            _ => Self::Unknown,
        }
    }

    /// Whether the shell would run this text rather than ask for its next line.
    #[must_use]
    pub fn is_complete(self, text: &str) -> bool {
        match self {
            Self::Bourne => is_complete(text),
            Self::Fish => fish::is_complete(text),
            Self::Unknown => true,
        }
    }
}

/// Whether sh, bash or zsh would run this text rather than ask for its next line.
#[must_use]
pub fn is_complete(text: &str) -> bool {
    let mut scanner =
        Scanner { bytes: text.as_bytes(), pos: 0, depth: 0, steps: 0, pending: Vec::new() };
    !matches!(scanner.list(&[], Within::Nothing), Err(Stop::Open))
}

/// Why reading ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// The text ends inside something.
    Open,
    /// An error, or something not understood: the shell will say.
    Odd,
}

/// What a list of commands stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Nothing,
    /// Ends at `)`.
    Brackets,
    /// Ends at one of the words.
    Words,
    /// Ends at `;;` or its like too.
    Case,
}

/// A here-document whose text begins behind the next newline.
struct HereDoc {
    delimiter: Vec<u8>,
    strip_tabs: bool,
}

struct Scanner<'a> {
    bytes: &'a [u8],
    pos: usize,
    depth: usize,
    steps: usize,
    pending: Vec<HereDoc>,
}

type Step<T = ()> = Result<T, Stop>;

impl<'a> Scanner<'a> {
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    fn peek(&self) -> u8 {
        self.byte(self.pos)
    }

    fn done(&self) -> bool {
        self.pos >= self.bytes.len()
    }

    fn starts(&self, with: &[u8]) -> bool {
        self.bytes.get(self.pos..).is_some_and(|rest| rest.starts_with(with))
    }

    fn step(&mut self) -> Step {
        self.steps += 1;
        if self.steps > MAX_STEPS { Err(Stop::Odd) } else { Ok(()) }
    }

    /// Reads something one level deeper.
    fn deeper<T>(&mut self, body: impl FnOnce(&mut Self) -> Step<T>) -> Step<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Stop::Odd);
        }
        self.depth += 1;
        let result = body(self);
        self.depth -= 1;
        result
    }

    /// The bytes up to the next blank or operator.
    fn bare(&self) -> &'a [u8] {
        let rest = self.bytes.get(self.pos..).unwrap_or(&[]);
        let end = rest.iter().position(|b| is_meta(*b)).unwrap_or(rest.len());
        rest.get(..end).unwrap_or(&[])
    }

    fn is_word(&self, word: &str) -> bool {
        self.bare() == word.as_bytes()
    }

    fn at_closing(&self) -> bool {
        let bare = self.bare();
        CLOSING.iter().any(|word| word.as_bytes() == bare)
    }

    /// Skips spaces, tabs and line continuations. A backslash at the very end asks for more.
    fn blanks(&mut self) {
        loop {
            match (self.peek(), self.byte(self.pos + 1)) {
                (b' ' | b'\t', _) => self.pos += 1,
                (b'\\', b'\n') => self.pos += 2,
                _ => return,
            }
        }
    }

    /// Skips blanks, comments and newlines with the here-documents behind them.
    fn newlines(&mut self) -> Step {
        loop {
            self.step()?;
            self.blanks();
            match self.peek() {
                b'#' => {
                    while !self.done() && self.peek() != b'\n' {
                        self.pos += 1;
                    }
                }
                b'\n' => {
                    self.pos += 1;
                    self.here_docs()?;
                }
                _ => return Ok(()),
            }
        }
    }

    fn here_docs(&mut self) -> Step {
        for doc in std::mem::take(&mut self.pending) {
            loop {
                self.step()?;
                let Some(rest) = self.bytes.get(self.pos..).filter(|rest| !rest.is_empty()) else {
                    return Err(Stop::Open);
                };
                let length = rest.iter().position(|b| *b == b'\n');
                let mut line = rest.get(..length.unwrap_or(rest.len())).unwrap_or(&[]);
                self.pos += line.len() + 1;
                while doc.strip_tabs && line.first() == Some(&b'\t') {
                    line = line.get(1..).unwrap_or(&[]);
                }
                if line == doc.delimiter {
                    // The newline of the delimiter may end the command too.
                    self.pos = self.pos.min(self.bytes.len());
                    break;
                }
                if length.is_none() {
                    return Err(Stop::Open);
                }
            }
        }
        Ok(())
    }

    /// Reads commands up to what ends them, and that too, unless it is the `;;` of a case.
    fn list(&mut self, ends: &[&'static str], within: Within) -> Step<&'static str> {
        loop {
            self.newlines()?;
            if self.done() {
                let whole = within == Within::Nothing && self.pending.is_empty();
                return if whole { Ok("") } else { Err(Stop::Open) };
            }
            if self.peek() == b')' {
                if within != Within::Brackets {
                    return Err(Stop::Odd);
                }
                self.pos += 1;
                return Ok(")");
            }
            if self.peek() == b';' && matches!(self.byte(self.pos + 1), b';' | b'&') {
                return if within == Within::Case { Ok(";;") } else { Err(Stop::Odd) };
            }
            let bare = self.bare();
            if let Some(end) = ends.iter().find(|word| word.as_bytes() == bare) {
                self.pos += bare.len();
                return Ok(end);
            }
            if self.at_closing() {
                return Err(Stop::Odd);
            }
            self.and_or()?;
            self.blanks();
            match (self.peek(), self.byte(self.pos + 1)) {
                (b';', b';' | b'&') | (b'\n' | b')' | b'#', _) => {}
                (b';' | b'&', _) => self.pos += 1,
                _ if self.done() || self.at_closing() => {}
                _ => return Err(Stop::Odd),
            }
        }
    }

    /// Reads commands joined by `&&`, `||` and `|`.
    fn and_or(&mut self) -> Step {
        loop {
            self.deeper(Self::command)?;
            self.blanks();
            let skip = match (self.peek(), self.byte(self.pos + 1)) {
                (b'&', b'&') | (b'|', b'|' | b'&') => 2,
                (b'|', _) => 1,
                _ => return Ok(()),
            };
            self.pos += skip;
            self.more()?;
        }
    }

    /// Goes to the next command, which must come.
    fn more(&mut self) -> Step {
        self.newlines()?;
        if self.done() { Err(Stop::Open) } else { Ok(()) }
    }

    fn command(&mut self) -> Step {
        self.step()?;
        while let b"!" | b"time" | b"-p" | b"coproc" = self.bare() {
            self.pos += self.bare().len();
            self.blanks();
            if self.done() || matches!(self.peek(), b'\n' | b';') {
                return Ok(());
            }
        }
        match self.bare() {
            b"{" => {
                self.pos += 1;
                self.list(&["}"], Within::Words)?;
            }
            b"[[" => self.condition()?,
            b"if" => {
                self.pos += 2;
                self.conditional()?;
            }
            b"while" | b"until" => {
                self.pos += 5;
                self.list(&["do"], Within::Words)?;
                self.list(&["done"], Within::Words)?;
            }
            b"for" => self.for_loop(3)?,
            b"select" => self.for_loop(6)?,
            b"case" => self.case()?,
            b"function" => {
                self.pos += 8;
                self.blanks();
                if !self.word()? {
                    return Err(Stop::Odd);
                }
                self.blanks();
                if self.peek() == b'(' {
                    self.pos += 1;
                    self.blanks();
                    if self.peek() != b')' {
                        return Err(if self.done() { Stop::Open } else { Stop::Odd });
                    }
                    self.pos += 1;
                }
                self.more()?;
                return self.deeper(Self::command);
            }
            _ if self.peek() == b'(' => self.brackets()?,
            _ => return self.simple(),
        }
        loop {
            self.blanks();
            if !self.redirection()? {
                return Ok(());
            }
        }
    }

    fn simple(&mut self) -> Step {
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
            if self.peek() == b'#' {
                break;
            }
            if self.peek() == b'(' {
                // `name ()`, or something only zsh understands.
                self.pos += 1;
                self.blanks();
                if words != 1 || self.peek() != b')' {
                    return Err(Stop::Odd);
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
        if self.pos == from { Err(Stop::Odd) } else { Ok(()) }
    }

    /// Reads a redirection with its target, if there is one.
    fn redirection(&mut self) -> Step<bool> {
        let both = self.starts(b"&>");
        if !both && (!matches!(self.peek(), b'<' | b'>') || self.byte(self.pos + 1) == b'(') {
            return Ok(false);
        }
        if self.starts(b"<<") && !self.starts(b"<<<") {
            self.pos += 2;
            let strip_tabs = self.peek() == b'-';
            self.pos += usize::from(strip_tabs);
            self.blanks();
            let from = self.pos;
            if !self.word()? {
                return Err(Stop::Odd);
            }
            let delimiter = unquoted(self.bytes.get(from..self.pos).unwrap_or(&[]));
            self.pending.push(HereDoc { delimiter, strip_tabs });
            return Ok(true);
        }
        self.pos += usize::from(both);
        while matches!(self.peek(), b'<' | b'>' | b'&' | b'|') {
            self.pos += 1;
            if self.byte(self.pos + 1) == b'(' {
                break;
            }
        }
        self.blanks();
        if self.word()? { Ok(true) } else { Err(Stop::Odd) }
    }
}

fn is_meta(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'|' | b'&' | b';' | b'(' | b')' | b'<' | b'>')
}
