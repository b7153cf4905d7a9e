//! Splits a shell line into simple commands, however deeply nested. It must never run anything, guess
//! silently, or recurse without a bound: what it cannot read with certainty is a [`Problem`].
//!
//! The grammar is read here, with exact byte spans and bounded work, and checked against
//! `rable`, an independent bash parser, wherever the text is small and flat enough for that to be safe.
//! Disagreement is a problem.

mod ansi;
mod braces;
mod compound;
mod cross_check;
mod expand;
mod grammar;
pub(crate) mod output;
mod simple;
mod types;
mod words;

use types::Limit;
pub(crate) use types::{Place, Problem, Redirect, RedirectOp, Script, Simple, Span, Word};

use std::collections::HashMap;

/// The longest line that is read, in bytes.
pub(crate) const MAX_BYTES: usize = 64 * 1024;
/// The deepest nesting that is read.
pub(crate) const MAX_DEPTH: usize = 32;
/// The most simple commands that are read in one line or script, at about 5 us each; wrappers count
/// twice.
pub(crate) const MAX_COMMANDS: usize = 400;
/// The most stages of one pipeline.
pub(crate) const MAX_STAGES: usize = 200;

/// The most bytes that are read, including nested texts and look-ahead.
const MAX_WORK: usize = 8 * MAX_BYTES;

/// A reader of one text; nested texts share what it found.
pub(crate) struct Reader<'a> {
    text: &'a str,
    pos: usize,
    place: Place,
    root: usize,
    scope: usize,
    depth: usize,
    in_substitution: bool,
    function: Option<usize>,
    pending: Vec<grammar::PendingHereDoc>,
    shared: &'a mut Shared,
}

/// State shared by all texts of one line.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) script: Script,
    variables: HashMap<String, Value>,
    work: usize,
    pipelines: usize,
}

/// What a variable is known to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    /// Exactly this.
    One(String),
    /// An array, or one of these in turn.
    Many(Vec<String>),
    /// Set more than once, or from something unknown.
    Unknown,
}

/// Reads a line.
pub(crate) fn read(text: &str) -> Shared {
    let mut shared = Shared::default();
    read_into(&mut shared, text, Place::At(0), 0, false);
    shared
}

/// Reads a nested text, e.g. the argument of `sh -c`, into the same script.
///
/// Returns the range of commands that were found.
pub(crate) fn read_into(
    shared: &mut Shared,
    text: &str,
    place: Place,
    depth: usize,
    in_substitution: bool,
) -> std::ops::Range<usize> {
    let first = shared.script.commands.len();
    if text.len() > MAX_BYTES {
        let span = place.map((0, text.len()));
        shared.limit(Limit::Bytes, span);
        return first..first;
    }
    let root = shared.script.texts.len();
    shared.script.texts.push(text.to_owned());
    let scope = shared.script.scopes.len();
    shared.script.scopes.push((root, (0, text.len())));
    let mut reader = Reader {
        text,
        pos: 0,
        place,
        root,
        scope,
        depth,
        in_substitution,
        function: None,
        pending: Vec::new(),
        shared,
    };
    reader.program();
    first..shared.script.commands.len()
}

/// Checks everything that was read against the second parser.
pub(crate) fn check(shared: &mut Shared) {
    cross_check::check(&mut shared.script);
}

impl Shared {
    fn problem(&mut self, why: &'static str, span: Span) {
        self.record(Problem { why, span, unread: false });
    }

    /// Reading stops here.
    fn limit(&mut self, limit: Limit, span: Span) {
        self.record(Problem { why: limit.as_str(), span, unread: true });
    }

    fn record(&mut self, problem: Problem) {
        // One is enough for the decision; a few are kept for the explanation.
        if self.script.problems.len() < 8 {
            self.script.problems.push(problem);
        }
    }
}

impl Reader<'_> {
    fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }

    fn peek(&self) -> u8 {
        self.byte(self.pos)
    }

    fn done(&self) -> bool {
        self.pos >= self.text.len()
    }

    fn slice(&self, from: usize, to: usize) -> &str {
        self.text.get(from..to).unwrap_or("")
    }

    fn starts(&self, with: &str) -> bool {
        self.text.as_bytes().get(self.pos..).is_some_and(|rest| rest.starts_with(with.as_bytes()))
    }

    fn problem(&mut self, why: &'static str, from: usize) {
        self.shared.problem(why, self.span_at(from));
    }

    fn limit(&mut self, limit: Limit, from: usize) {
        self.shared.limit(limit, self.span_at(from));
    }

    /// The character at an offset, as the reviewer sees it.
    fn span_at(&self, from: usize) -> Span {
        let length =
            self.text.get(from..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        self.place.map((from, self.text.len().min(from + length).max(from)))
    }

    /// Counts work; false once the budget is spent, and then reading stops.
    pub(super) fn charge(&mut self, bytes: usize) -> bool {
        let before = self.shared.work;
        self.shared.work = before.saturating_add(bytes);
        if self.shared.work <= MAX_WORK {
            return true;
        }
        if before <= MAX_WORK {
            self.limit(Limit::Work, self.pos);
        }
        self.pos = self.text.len();
        false
    }

    /// Runs one level deeper, or records a problem and skips the rest.
    fn deeper(&mut self, body: impl FnOnce(&mut Self)) {
        if self.depth >= MAX_DEPTH {
            self.limit(Limit::Depth, self.pos);
            self.pos = self.text.len();
            return;
        }
        self.depth += 1;
        self.shared.script.depth = self.shared.script.depth.max(self.depth);
        body(self);
        self.depth -= 1;
    }
}

#[cfg(test)]
mod tests;
