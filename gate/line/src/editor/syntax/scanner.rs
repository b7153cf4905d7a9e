//! Walks over the text of a shell command. It must never go back (except for `((`), nest deeper
//! than [`MAX_DEPTH`], or take more than [`MAX_STEPS`].

/// The deepest nesting that is read.
const MAX_DEPTH: usize = 50;
/// The most steps taken; a line of 16 KiB takes a few per byte.
const MAX_STEPS: usize = 1 << 18;

/// Why reading ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The text ends inside something.
    Incomplete,
    /// A syntax error, or something that is not understood here: that is for the shell to say.
    NotUnderstood,
}

pub(super) type Parse<T = ()> = Result<T, Stop>;

/// What encloses a list of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within {
    Nothing,
    /// Ends at `)`.
    Brackets,
    /// Ends at one of the keywords.
    Keywords,
    /// Ends at `;;` or the like, too.
    Case,
}

/// What ended a list of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// `)`
    Bracket,
    /// `;;` or the like, which is not consumed.
    CaseBranch,
    Keyword(Keyword),
    /// The end of the text.
    Text,
}

/// A word that closes or continues a compound command and cannot begin one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    CloseBrace,
    Do,
    Done,
    Elif,
    Else,
    Esac,
    Fi,
    Then,
}

impl Keyword {
    const ALL: [Self; 8] = [
        Self::CloseBrace,
        Self::Do,
        Self::Done,
        Self::Elif,
        Self::Else,
        Self::Esac,
        Self::Fi,
        Self::Then,
    ];

    fn word(self) -> &'static [u8] {
        match self {
            Self::CloseBrace => b"}",
            Self::Do => b"do",
            Self::Done => b"done",
            Self::Elif => b"elif",
            Self::Else => b"else",
            Self::Esac => b"esac",
            Self::Fi => b"fi",
            Self::Then => b"then",
        }
    }
}

/// A here-document whose text begins after the next newline.
pub(super) struct HereDoc {
    pub(super) delimiter: Vec<u8>,
    pub(super) strip_tabs: bool,
}

pub(super) struct Scanner<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) pos: usize,
    depth: usize,
    steps: usize,
    pub(super) pending: Vec<HereDoc>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), pos: 0, depth: 0, steps: 0, pending: Vec::new() }
    }

    /// The byte `by` places further on; `None` after the end.
    pub(super) fn ahead(&self, by: usize) -> Option<u8> {
        self.bytes.get(self.pos + by).copied()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.ahead(0)
    }

    /// The byte before the present one.
    pub(super) fn before(&self) -> Option<u8> {
        self.bytes.get(self.pos.checked_sub(1)?).copied()
    }

    pub(super) fn done(&self) -> bool {
        self.pos >= self.bytes.len()
    }

    pub(super) fn starts(&self, with: &[u8]) -> bool {
        self.bytes.get(self.pos..).is_some_and(|rest| rest.starts_with(with))
    }

    /// Counts a step; every loop takes one per iteration.
    pub(super) fn step(&mut self) -> Parse {
        self.steps += 1;
        if self.steps > MAX_STEPS { Err(Stop::NotUnderstood) } else { Ok(()) }
    }

    /// Reads something that is nested one level deeper.
    pub(super) fn deeper<T>(&mut self, body: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Stop::NotUnderstood);
        }
        self.depth += 1;
        let result = body(self);
        self.depth -= 1;
        result
    }

    /// The bytes up to the next blank or operator.
    pub(super) fn bare(&self) -> &'a [u8] {
        let rest = self.bytes.get(self.pos..).unwrap_or(&[]);
        let end = rest.iter().position(|b| is_meta(*b)).unwrap_or(rest.len());
        rest.get(..end).unwrap_or(&[])
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.bare() == word.as_bytes()
    }

    /// The keyword at this position, if there is one.
    pub(super) fn keyword(&self) -> Option<Keyword> {
        let bare = self.bare();
        Keyword::ALL.into_iter().find(|keyword| keyword.word() == bare)
    }

    /// Skips spaces, tabs and line continuations. A backslash at the very end asks for more.
    pub(super) fn blanks(&mut self) {
        loop {
            match (self.peek(), self.ahead(1)) {
                (Some(b' ' | b'\t'), _) => self.pos += 1,
                (Some(b'\\'), Some(b'\n')) => self.pos += 2,
                _ => return,
            }
        }
    }

    /// Skips blanks, comments and newlines with the here-documents after them.
    pub(super) fn newlines(&mut self) -> Parse {
        loop {
            self.step()?;
            self.blanks();
            match self.peek() {
                Some(b'#') => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.pos += 1;
                    }
                }
                Some(b'\n') => {
                    self.pos += 1;
                    self.here_docs()?;
                }
                _ => return Ok(()),
            }
        }
    }

    /// Skips to the next command, which is required here.
    pub(super) fn more(&mut self) -> Parse {
        self.newlines()?;
        if self.done() { Err(Stop::Incomplete) } else { Ok(()) }
    }

    fn here_docs(&mut self) -> Parse {
        for doc in std::mem::take(&mut self.pending) {
            loop {
                self.step()?;
                let Some(rest) = self.bytes.get(self.pos..).filter(|rest| !rest.is_empty()) else {
                    return Err(Stop::Incomplete);
                };
                let length = rest.iter().position(|b| *b == b'\n');
                let mut line = rest.get(..length.unwrap_or(rest.len())).unwrap_or(&[]);
                self.pos += line.len() + 1;
                while doc.strip_tabs && line.first() == Some(&b'\t') {
                    line = line.get(1..).unwrap_or(&[]);
                }
                if line == doc.delimiter {
                    // The newline of the delimiter may end the command, too.
                    self.pos = self.pos.min(self.bytes.len());
                    break;
                }
                if length.is_none() {
                    return Err(Stop::Incomplete);
                }
            }
        }
        Ok(())
    }
}

/// Whether a word ends here.
pub(super) fn is_meta(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'|' | b'&' | b';' | b'(' | b')' | b'<' | b'>')
}
