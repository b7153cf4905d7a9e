//! The sessions whose terminals are watched. It must never keep the terminal of a session that
//! nobody looks at.

use std::collections::BTreeMap;

use expacti_protocol::ids::SessionId;

use crate::emulator::Emulator;
use crate::time::Millis;

/// The terminal of a watched session.
#[derive(Debug)]
pub(crate) struct LiveTerminal {
    /// The terminal.
    pub emulator: Emulator,
    /// Whether anything has arrived.
    pub has_output: bool,
    /// Rows that it is scrolled back.
    pub scroll: usize,
    /// The row of the last match, from the oldest.
    pub found: Option<usize>,
}

impl LiveTerminal {
    /// A terminal of that size in which nothing was seen yet.
    pub(crate) fn new(cols: usize, rows: usize) -> Self {
        let emulator = Emulator::with_scrollback(cols, rows);
        Self { emulator, has_output: false, scroll: 0, found: None }
    }

    /// Takes output.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        let before = if self.scroll > 0 { self.emulator.all_rows_len() } else { 0 };
        self.emulator.feed(bytes);
        if self.scroll > 0 {
            // What is being read stays where it is.
            self.scroll += self.emulator.all_rows_len().saturating_sub(before);
        }
        self.has_output = true;
    }

    /// Scrolls back by so many rows, or towards the end.
    pub(crate) fn scroll_back(&mut self, rows: isize) {
        let most = self.emulator.all_rows_len().saturating_sub(self.emulator.size().1);
        self.scroll = self.scroll.saturating_add_signed(rows).min(most);
    }
}

/// What is watched, and what is to be.
#[derive(Debug, Default)]
pub(crate) struct Watching {
    /// Terminals of watched sessions.
    pub terminals: BTreeMap<SessionId, LiveTerminal>,
    /// The sessions that are to be watched.
    pub wanted: Vec<SessionId>,
    /// Since when these are.
    pub since: Millis,
    /// Several sessions are shown side by side.
    pub tiles: bool,
}
