//! Whether fish would ask for more: its blocks end with `end`. It must never loop without moving
//! on.

/// Whether fish would run this text. What it cannot read it calls complete.
pub(super) fn is_complete(text: &str) -> bool {
    let mut scanner = Scanner { bytes: text.as_bytes(), pos: 0, blocks: vec![Block::Whole] };
    !matches!(scanner.read(), Some(true))
}

/// What encloses commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Whole,
    /// Up to `end`.
    Named,
    /// Up to `)`; in double quotes or not.
    Brackets {
        quoted: bool,
    },
}

/// Where the next word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Command,
    /// After `|`, `&&` or `||`: a command must come.
    Needed,
    /// After `else`, where `if` begins nothing new.
    Else,
    Argument,
}

/// A word with a special meaning where a command may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keyword {
    /// `begin`, `while`: a block whose first command follows.
    Begin,
    Case,
    Else,
    End,
    /// `for`, `function`, `switch`: a block with arguments in its first line.
    Header,
    If,
    /// `!`, `and`, `not`, `or`, `time`: a command follows, as before.
    Prefix,
}

impl Keyword {
    fn of(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"begin" | b"while" => Self::Begin,
            b"case" => Self::Case,
            b"else" => Self::Else,
            b"end" => Self::End,
            b"for" | b"function" | b"switch" => Self::Header,
            b"if" => Self::If,
            b"!" | b"and" | b"not" | b"or" | b"time" => Self::Prefix,
            _ => return None,
        })
    }
}

struct Scanner<'a> {
    bytes: &'a [u8],
    pos: usize,
    blocks: Vec<Block>,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    /// Whether the text ends inside something; `None` when it cannot be read.
    fn read(&mut self) -> Option<bool> {
        let mut position = Position::Command;
        while let Some(byte) = self.peek() {
            let twice = self.bytes.get(self.pos + 1) == Some(&byte);
            match byte {
                b' ' | b'\t' => self.pos += 1,
                b'\\' if self.bytes.get(self.pos + 1) == Some(&b'\n') => self.pos += 2,
                b'#' => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.pos += 1;
                    }
                }
                b'\n' => {
                    self.pos += 1;
                    if position != Position::Needed {
                        position = Position::Command;
                    }
                }
                b'&' | b'|' if twice => {
                    self.pos += 2;
                    position = Position::Needed;
                }
                b'|' => {
                    self.pos += 1;
                    position = Position::Needed;
                }
                b';' | b'&' => {
                    self.pos += 1;
                    // `2>&1`, and `&>` or `&|`, are not ends of commands.
                    let joined = byte == b'&'
                        && (self.bytes.get(self.pos.wrapping_sub(2)) == Some(&b'>')
                            || matches!(self.peek(), Some(b'>' | b'|')));
                    if !joined {
                        position = Position::Command;
                    }
                }
                b'<' | b'>' => {
                    self.pos += 1;
                    position = Position::Argument;
                }
                b')' => {
                    let Some(Block::Brackets { quoted }) = self.blocks.pop() else { return None };
                    self.pos += 1;
                    let depth = self.blocks.len();
                    if quoted && self.double_quoted() {
                        return Some(true);
                    }
                    if self.blocks.len() == depth && self.word() {
                        return Some(true);
                    }
                    let opened = self.blocks.len() > depth;
                    position = if opened { Position::Command } else { Position::Argument };
                }
                _ => {
                    let keyword =
                        Keyword::of(self.bare()).filter(|_| position != Position::Argument);
                    if let Some(keyword) = keyword {
                        position = self.keyword(keyword, position)?;
                        continue;
                    }
                    let depth = self.blocks.len();
                    if self.word() {
                        return Some(true);
                    }
                    let opened = self.blocks.len() > depth;
                    position = if opened { Position::Command } else { Position::Argument };
                }
            }
        }
        Some(self.blocks.len() > 1 || position == Position::Needed)
    }

    /// The bytes up to the next blank or operator.
    fn bare(&self) -> &[u8] {
        let rest = self.bytes.get(self.pos..).unwrap_or(&[]);
        let end = rest.iter().position(|byte| is_meta(*byte)).unwrap_or(rest.len());
        rest.get(..end).unwrap_or(&[])
    }

    /// Takes a keyword in; says where the next word is. `None` for an `end` of nothing.
    fn keyword(&mut self, keyword: Keyword, position: Position) -> Option<Position> {
        self.pos += self.bare().len();
        match keyword {
            Keyword::Begin => {
                self.blocks.push(Block::Named);
                Some(Position::Command)
            }
            Keyword::If => {
                if position != Position::Else {
                    self.blocks.push(Block::Named);
                }
                Some(Position::Command)
            }
            Keyword::Header => {
                self.blocks.push(Block::Named);
                Some(Position::Argument)
            }
            Keyword::End => (self.blocks.pop() == Some(Block::Named)).then_some(Position::Argument),
            Keyword::Else => Some(Position::Else),
            Keyword::Case => Some(Position::Argument),
            Keyword::Prefix => Some(position),
        }
    }

    /// Reads a word up to its end, or up to a substitution in it, which it opens; true when the
    /// text ends inside.
    fn word(&mut self) -> bool {
        while let Some(byte) = self.peek() {
            match byte {
                b'\\' => {
                    if self.pos + 1 >= self.bytes.len() {
                        return true;
                    }
                    self.pos += 2;
                }
                b'\'' => {
                    self.pos += 1;
                    loop {
                        match self.peek() {
                            None => return true,
                            Some(b'\\') => self.pos += 2,
                            Some(b'\'') => break,
                            Some(_) => self.pos += 1,
                        }
                    }
                    self.pos += 1;
                }
                b'"' => {
                    self.pos += 1;
                    let depth = self.blocks.len();
                    if self.double_quoted() {
                        return true;
                    }
                    if self.blocks.len() > depth {
                        return false;
                    }
                }
                b'(' => {
                    self.pos += 1;
                    self.blocks.push(Block::Brackets { quoted: false });
                    return false;
                }
                byte if is_meta(byte) => return false,
                _ => self.pos += 1,
            }
        }
        false
    }

    /// Reads up to the closing quote, or up to a `$(`, which it opens; true when the text ends
    /// inside.
    fn double_quoted(&mut self) -> bool {
        loop {
            match self.peek() {
                None => return true,
                Some(b'\\') => self.pos += 2,
                Some(b'"') => {
                    self.pos += 1;
                    return false;
                }
                Some(b'$') if self.bytes.get(self.pos + 1) == Some(&b'(') => {
                    self.pos += 2;
                    self.blocks.push(Block::Brackets { quoted: true });
                    return false;
                }
                Some(_) => self.pos += 1,
            }
        }
    }
}

fn is_meta(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'|' | b'&' | b';' | b'(' | b')' | b'<' | b'>')
}
