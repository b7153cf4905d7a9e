//! The answer of the risk scorer. It must never hold a term without the bytes that caused it.

use serde::{Deserialize, Serialize};

use crate::modifier::TermKind;
use crate::{Category, Level};

/// One contribution to a score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// The rule's short name, e.g. `recursive`.
    pub name: String,
    /// Points added or taken away.
    pub points: i32,
    /// Start and end (exclusive) of the cause, byte offsets into [`Assessment::command`].
    pub span: [usize; 2],
    /// One line for the reviewer.
    pub why: String,
}

impl Term {
    pub(crate) fn new(
        kind: impl Into<TermKind>,
        points: i32,
        span: (usize, usize),
        why: impl Into<String>,
    ) -> Self {
        let name = kind.into().as_str().to_owned();
        Self { name, points, span: [span.0, span.1], why: why.into() }
    }

    pub(crate) fn is(&self, kind: impl Into<TermKind>) -> bool {
        self.name == kind.into().as_str()
    }
}

/// One simple command found inside the line, however deeply nested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The program's name without its directory; `None` where it is computed at run time.
    pub program: Option<String>,
    /// The words with quoting removed, the program first.
    pub argv: Vec<String>,
    /// The kind of work.
    pub category: Category,
    /// This command's own score, 0-100.
    pub score: u8,
    /// Start and end (exclusive), byte offsets into [`Assessment::command`].
    pub span: [usize; 2],
    /// Wrappers that were looked through, outermost first, e.g. `sudo`.
    pub via: Vec<String>,
    /// Which of the words are known as they stand in `argv`.
    #[serde(skip)]
    pub(crate) known: Vec<bool>,
}

/// What the scorer found out about a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// The command; invalid UTF-8 is replaced by U+FFFD.
    pub command: String,
    /// 0-100: the sum of the terms' points, clamped.
    pub score: u8,
    /// The score's level.
    pub level: Level,
    /// The category of the segment that decided the score.
    pub category: Category,
    /// Every contribution; they add up to the score.
    pub terms: Vec<Term>,
    /// Every simple command found.
    pub segments: Vec<Segment>,
    /// Whether the line, or a part of it, could not be read with certainty.
    pub uninspectable: bool,
    /// The level without what lowers a score: a dry run asks no fewer people.
    #[serde(skip)]
    pub(crate) unreduced: Level,
}
