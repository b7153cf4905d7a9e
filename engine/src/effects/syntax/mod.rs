//! A strict reader of shell lines. It accepts only what every shell that may read the line understands
//! in the same way; all else is an error, never a guess. `parse` reads everything and errs towards
//! finding more commands; this errs towards finding none.

mod dialect;
mod here;
mod list;
mod tree;
mod words;

pub(crate) use dialect::Dialect;
pub(crate) use tree::{
    Change, Item, Join, List, Node, Part, Redirect, RedirectOp, Simple, Stage, Word,
};

use crate::parse::Span;

/// The longest line that is read, in bytes: longer ones are scripts, which a person reads.
const MAX_BYTES: usize = 8 * 1024;
/// The deepest nesting.
const MAX_DEPTH: usize = 12;

/// Why a line is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    /// In words, for a reviewer: "`$'…'` has several meanings".
    pub(crate) why: &'static str,
    pub(crate) span: Span,
}

type Result<T> = std::result::Result<T, Unread>;

/// Reads a line; `interactive`: it is typed at a prompt.
pub(crate) fn read(text: &str, dialect: Dialect, interactive: bool) -> Result<List> {
    let whole = |why| Unread { why, span: (0, text.len()) };
    if text.len() > MAX_BYTES {
        return Err(whole("longer than 8 KiB"));
    }
    if dialect == Dialect::Unknown && !means_the_same_everywhere(text.as_bytes()) {
        return Err(whole("the account's shell is not known: only plain words are read"));
    }
    let mut reader = Reader {
        text,
        bytes: text.as_bytes(),
        pos: 0,
        depth: 0,
        dialect,
        interactive,
        bracketed: 0,
        here: None,
    };
    let list = reader.list(&[])?;
    if reader.pos < text.len() {
        return Err(reader.unread("an operator without a command", reader.pos));
    }
    if reader.here.is_some() {
        return Err(whole("a here-document whose text is not where it is expected"));
    }
    Ok(list)
}

/// Whether it is only plain words, which every shell reads alike.
#[must_use]
pub fn means_the_same_everywhere(text: &[u8]) -> bool {
    text.iter().copied().all(is_plain)
}

/// Bytes that mean themselves in every shell there is, PowerShell included.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" -_./:,+=".contains(&byte)
}

/// Where the reader stands.
struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    pos: usize,
    depth: usize,
    dialect: Dialect,
    interactive: bool,
    /// How many lists in round brackets are being read.
    bracketed: usize,
    /// The text of a here-document that follows the next newline.
    here: Option<here::Here>,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> u8 {
        self.at(self.pos)
    }

    /// The byte there; 0 at the end. A NUL in the text is refused where it is read.
    fn at(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    fn done(&self) -> bool {
        self.pos >= self.bytes.len()
    }

    fn starts(&self, with: &str) -> bool {
        self.bytes.get(self.pos..).is_some_and(|rest| rest.starts_with(with.as_bytes()))
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or("")
    }

    fn unread(&self, why: &'static str, from: usize) -> Unread {
        Unread { why, span: (from, self.text.len().min(from + 1).max(from)) }
    }

    fn fail<T>(&self, why: &'static str) -> Result<T> {
        Err(self.unread(why, self.pos))
    }

    /// One level deeper.
    fn deeper<T>(&mut self, body: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_DEPTH {
            return self.fail("nested too deeply");
        }
        self.depth += 1;
        let out = body(self);
        self.depth -= 1;
        out
    }
}

#[cfg(test)]
mod tests;
