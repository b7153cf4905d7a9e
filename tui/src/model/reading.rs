//! Where the reviewer is in the text of the request. It must never count as having read it.

use super::drawn::Drawn;
use super::find::Find;

/// The position in the request's text, and the search in it.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// First visible row of the command.
    pub scroll: usize,
    /// What is searched for in the request or the terminal.
    pub find: Find,
    /// The next drawing begins at the match.
    pub jump_to_match: bool,
}

impl Reading {
    /// Scrolls by so many rows.
    pub(crate) fn scroll_by(&mut self, rows: isize, last: usize) {
        self.scroll = self.scroll.saturating_add_signed(rows).min(last);
    }

    /// Takes in where the drawing began.
    pub(crate) fn drew(&mut self, drawn: &Drawn) {
        self.scroll = drawn.scroll.unwrap_or(self.scroll).min(drawn.max_scroll);
        self.jump_to_match &= drawn.scroll.is_none();
    }
}
