//! The history of lines. It must never hold a secret, or a line that would not be accepted now.

use std::collections::VecDeque;

use super::validate::{MAX_LINE, validate};

/// The most lines kept.
pub const MAX_LINES: usize = 1_000;
/// The most bytes kept.
pub const MAX_BYTES: usize = 1 << 20;

/// A history, oldest line first, and the position while it is browsed.
#[derive(Clone, Debug, Default)]
pub struct History {
    lines: VecDeque<String>,
    bytes: usize,
    /// The line shown; `None` is the new one.
    at: Option<usize>,
    /// The new line, while older ones are shown.
    draft: String,
}

impl History {
    /// An empty history.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A history that begins with the lines of earlier sessions, oldest first. Lines that would
    /// not be accepted are left out.
    pub fn with_lines<I>(lines: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut history = Self::default();
        for line in lines {
            history.push(line.as_ref());
        }
        history
    }

    /// Keeps a line, unless it is blank, begins with a space, or repeats the one before it.
    pub fn push(&mut self, line: &str) {
        self.rest();
        if line.trim().is_empty()
            || line.starts_with(' ')
            || self.lines.back().is_some_and(|last| last == line)
            || validate(line.as_bytes(), MAX_LINE).is_err()
        {
            return;
        }
        self.bytes += line.len();
        self.lines.push_back(line.to_owned());
        while self.lines.len() > MAX_LINES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.len());
        }
    }

    /// The lines, oldest first.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator {
        self.lines.iter().map(String::as_str)
    }

    /// How many lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// One line back from the present one; `current` is kept when that is the new line.
    pub(super) fn older(&mut self, current: &str) -> Option<&str> {
        let at = match self.at {
            None => self.lines.len().checked_sub(1)?,
            Some(at) => at.checked_sub(1)?,
        };
        if self.at.is_none() {
            current.clone_into(&mut self.draft);
        }
        self.at = Some(at);
        self.lines.get(at).map(String::as_str)
    }

    /// One line forward; after the last one comes the new line.
    pub(super) fn newer(&mut self) -> Option<&str> {
        let at = self.at? + 1;
        if at < self.lines.len() {
            self.at = Some(at);
            return self.lines.get(at).map(String::as_str);
        }
        self.at = None;
        Some(&self.draft)
    }

    /// Shows the new line again.
    pub(super) fn rest(&mut self) {
        self.at = None;
        self.draft.clear();
    }

    /// The newest line before the `before`-th that contains the text, and where in it.
    fn find(&self, text: &str, before: usize) -> Option<(usize, usize)> {
        let lines = self.lines.iter().enumerate().take(before).rev();
        lines.filter_map(|(at, line)| line.rfind(text).map(|start| (at, start))).next()
    }
}

/// An incremental search backwards (`^R`).
#[derive(Debug)]
pub(super) struct Search {
    query: String,
    /// The line found last, and the position in it.
    found: Option<(usize, usize)>,
    failed: bool,
    /// What was being edited, and the cursor in it.
    pub(super) before: (String, usize),
}

impl Search {
    pub(super) fn new(text: &str, cursor: usize) -> Self {
        Self { query: String::new(), found: None, failed: false, before: (text.to_owned(), cursor) }
    }

    /// Searches for a longer text; false when it is not found.
    pub(super) fn extend(&mut self, history: &History, more: &str) -> bool {
        if self.query.len() + more.len() > MAX_LINE {
            return false;
        }
        self.query.push_str(more);
        // The line found so far may contain the longer text, too.
        let before = self.found.map_or(history.len(), |(at, _)| at + 1);
        self.look(history, before)
    }

    /// Searches for a shorter text, from the newest line on.
    pub(super) fn shorten(&mut self, history: &History) -> bool {
        if self.query.pop().is_none() {
            return false;
        }
        self.found = None;
        self.failed = false;
        self.query.is_empty() || self.look(history, history.len())
    }

    /// Searches for the next older line.
    pub(super) fn again(&mut self, history: &History) -> bool {
        let before = self.found.map_or(history.len(), |(at, _)| at);
        !self.query.is_empty() && self.look(history, before)
    }

    fn look(&mut self, history: &History, before: usize) -> bool {
        match history.find(&self.query, before) {
            Some(found) => {
                self.found = Some(found);
                self.failed = false;
            }
            None => self.failed = true,
        }
        !self.failed
    }

    /// The line as it would be edited now, and the cursor in it.
    pub(super) fn result<'a>(&'a self, history: &'a History) -> (&'a str, usize) {
        match self.found.and_then(|(at, start)| history.lines.get(at).map(|line| (line, start))) {
            Some((line, start)) => (line, start),
            None => (&self.before.0, self.before.1),
        }
    }

    /// What is drawn, and the cursor in it.
    pub(super) fn shown(&self, history: &History) -> (String, usize) {
        let failed = if self.failed { "failed " } else { "" };
        let (line, cursor) = self.result(history);
        let mut text = format!("({failed}reverse-i-search)`{}': ", self.query);
        let at = text.len() + cursor;
        text.push_str(line);
        (text, at)
    }
}
