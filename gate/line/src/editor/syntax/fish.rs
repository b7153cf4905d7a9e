//! The same for fish, whose blocks end with `end`. It must never loop without moving on.

/// Whether fish would run this text. What it cannot read it calls complete.
pub(super) fn is_complete(text: &str) -> bool {
    let mut scanner = Scanner { bytes: text.as_bytes(), pos: 0, blocks: vec![Block::Whole] };
    !matches!(scanner.read(), Some(true))
}

/// What commands stand in.
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

/// Where the next word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Command,
    /// Behind `|`, `&&` or `||`: a command must come.
    Needed,
    /// Behind `else`, where `if` begins nothing new.
    Else,
    Argument,
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
        let mut place = Place::Command;
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
                    if place != Place::Needed {
                        place = Place::Command;
                    }
                }
                b'&' | b'|' if twice => {
                    self.pos += 2;
                    place = Place::Needed;
                }
                b'|' => {
                    self.pos += 1;
                    place = Place::Needed;
                }
                b';' | b'&' => {
                    self.pos += 1;
                    // `2>&1`, and `&>` or `&|`, are not ends of commands.
                    let joined = byte == b'&'
                        && (self.bytes.get(self.pos.wrapping_sub(2)) == Some(&b'>')
                            || matches!(self.peek(), Some(b'>' | b'|')));
                    if !joined {
                        place = Place::Command;
                    }
                }
                b'<' | b'>' => {
                    self.pos += 1;
                    place = Place::Argument;
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
                    place = if opened { Place::Command } else { Place::Argument };
                }
                _ => {
                    let keyword = self.keyword();
                    if place != Place::Argument && !keyword.is_empty() {
                        place = self.begin(keyword, place)?;
                        continue;
                    }
                    let depth = self.blocks.len();
                    if self.word() {
                        return Some(true);
                    }
                    let opened = self.blocks.len() > depth;
                    place = if opened { Place::Command } else { Place::Argument };
                }
            }
        }
        Some(self.blocks.len() > 1 || place == Place::Needed)
    }

    /// The word here, if it is one of fish's own and ends where a word does.
    fn keyword(&self) -> &'static str {
        const WORDS: [&str; 14] = [
            "!", "and", "begin", "case", "else", "end", "for", "function", "if", "not", "or",
            "switch", "time", "while",
        ];
        let rest = self.bytes.get(self.pos..).unwrap_or(&[]);
        let end = rest.iter().position(|byte| is_meta(*byte)).unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or(&[]);
        WORDS.iter().find(|known| known.as_bytes() == word).copied().unwrap_or("")
    }

    /// Takes a keyword in; says where the next word stands.
    fn begin(&mut self, keyword: &str, place: Place) -> Option<Place> {
        self.pos += keyword.len();
        match keyword {
            "begin" | "while" => {
                self.blocks.push(Block::Named);
                Some(Place::Command)
            }
            "if" => {
                if place != Place::Else {
                    self.blocks.push(Block::Named);
                }
                Some(Place::Command)
            }
            "for" | "switch" | "function" => {
                self.blocks.push(Block::Named);
                Some(Place::Argument)
            }
            "end" => (self.blocks.pop() == Some(Block::Named)).then_some(Place::Argument),
            "else" => Some(Place::Else),
            "case" => Some(Place::Argument),
            _ => Some(place),
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
