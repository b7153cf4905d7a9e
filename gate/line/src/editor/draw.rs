//! Draws a text after the prompt on the agent's terminal, sending only what changed. It must
//! never depend on what a terminal does with a character whose width is in doubt.
//!
//! Movements are relative, so that the prompt may be anywhere. The drawing is never higher than
//! the terminal: a longer text is shown around the cursor, and the prompt stays where it was.

use std::fmt::Write as _;

use super::layout::Layout;
use super::validate::drawn_width;

/// The terminal as the caller knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) cols: usize,
    /// `None`: every text is drawn whole.
    pub(super) rows: Option<usize>,
    /// The column after the prompt.
    pub(super) origin: usize,
}

impl Size {
    pub(super) fn new(cols: u16, rows: Option<u16>, origin: u16) -> Self {
        let cols = usize::from(cols.max(1));
        // With one row there is nothing to scroll in.
        let rows = rows.map(|rows| usize::from(rows.max(2)));
        Self { cols, rows, origin: usize::from(origin).min(cols) }
    }
}

/// What is on the terminal now.
#[derive(Debug)]
struct Shown {
    size: Size,
    rows: Vec<String>,
    /// The row of the layout that is shown first, and whether rows below are left out.
    view: usize,
    below: bool,
    row: usize,
    /// Equal to the width where the terminal waits with its wrap.
    col: usize,
    /// The lowest row the cursor was in: those below do not exist yet.
    reached: usize,
}

/// The drawing.
#[derive(Debug, Default)]
pub(super) struct Drawing {
    layout: Layout,
    shown: Option<Shown>,
}

impl Drawing {
    /// Shows the text with the cursor before the byte `cursor`; `dirty` is the first byte that
    /// changed since the last time.
    pub(super) fn draw(
        &mut self,
        text: &str,
        cursor: usize,
        dirty: Option<usize>,
        size: Size,
    ) -> Vec<u8> {
        let mut out = String::new();
        if self.shown.as_ref().is_some_and(|shown| shown.size != size) {
            self.erase_into(&mut out);
        }
        let kept = self.layout.update(text, dirty, size.cols, size.origin);
        let layout = &self.layout;
        let rows = size.rows.unwrap_or(layout.len());
        let fresh = self.shown.is_none();
        let shown = self.shown.get_or_insert_with(|| Shown::new(size));
        let (row, col) = layout.position(text, cursor);
        let (view, below) = window(layout.len(), row, rows, shown.view);
        let count = (layout.len() - view).min(rows);
        let moved = view != shown.view || below != shown.below;
        let first = if fresh || moved { 0 } else { kept.saturating_sub(view) };
        shown.view = view;
        shown.below = below;
        for at in first..count {
            let content = if at == 0 && view > 0 {
                shown.marker(view + 1, "above", size.cols - size.origin)
            } else if below && at + 1 == count {
                shown.marker(layout.len() - view - at, "below", size.cols)
            } else {
                layout.render(text, view + at)
            };
            shown.show(at, content, &mut out);
        }
        shown.cut(count, &mut out);
        shown.move_to(row - view, col, &mut out);
        out.into_bytes()
    }

    /// Erases the drawing.
    pub(super) fn erase(&mut self) -> Vec<u8> {
        let mut out = String::new();
        self.erase_into(&mut out);
        out.into_bytes()
    }

    fn erase_into(&mut self, out: &mut String) {
        let Some(mut shown) = self.shown.take() else { return };
        let origin = shown.size.origin;
        if shown.rows.iter().all(String::is_empty) && shown.reached == 0 {
            shown.move_to(0, origin, out);
            return;
        }
        // A prompt that fills its row has the cursor in the next one: going back would hit it.
        if origin < shown.size.cols {
            shown.move_to(0, origin, out);
        } else {
            shown.move_to(1, 0, out);
        }
        out.push_str("\x1b[J");
    }

    /// Leaves the text on the terminal, followed by `behind`, and moves to the row below.
    pub(super) fn finish(&mut self, text: &str, behind: &str, size: Size) -> Vec<u8> {
        let size = Size { rows: None, ..size };
        let mut out = Vec::new();
        match &mut self.shown {
            // All of it fits: it may be drawn on.
            Some(shown) if shown.view == 0 && !shown.below => shown.size.rows = None,
            _ => out = self.erase(),
        }
        out.extend(self.draw(text, text.len(), Some(0), size));
        out.extend_from_slice(behind.as_bytes());
        let below = self.shown.take().is_some_and(|shown| shown.row > 0 && shown.col == 0);
        if !below || text.ends_with('\n') || !behind.is_empty() {
            out.extend_from_slice(b"\r\n");
        }
        out
    }

    /// The terminal shows something else now.
    pub(super) fn forget(&mut self) {
        self.shown = None;
    }
}

/// Which rows of the layout are shown: the first one, and whether rows below are left out. The
/// first row shows a marker for the rows above, the last one for those below, if there are four.
fn window(total: usize, cursor: usize, rows: usize, view: usize) -> (usize, bool) {
    if total <= rows {
        return (0, false);
    }
    let last = total - rows;
    let marks_below = |view: usize| rows >= 4 && view < last;
    let mut view = view.min(last);
    if cursor <= view {
        view = cursor.saturating_sub(1);
    }
    if cursor + usize::from(marks_below(view)) >= view + rows {
        view = (cursor + 1 - rows).min(last);
        if marks_below(view) {
            view += 1;
        }
    }
    (view, marks_below(view))
}

impl Shown {
    fn new(size: Size) -> Self {
        let (row, col, reached) = (0, size.origin, 0);
        Self { size, rows: Vec::new(), view: 0, below: false, row, col, reached }
    }

    fn marker(&self, hidden: usize, side: &str, room: usize) -> String {
        let mut text = format!("<{hidden} rows {side}>");
        text.truncate(room);
        text
    }

    /// Makes a row show this.
    fn show(&mut self, at: usize, new: String, out: &mut String) {
        while self.rows.len() <= at {
            self.rows.push(String::new());
        }
        let Some(slot) = self.rows.get_mut(at) else { return };
        let old = std::mem::replace(slot, new.clone());
        if old == new {
            return;
        }
        let begin = if at == 0 { self.size.origin } else { 0 };
        let mut same = 0;
        let mut col = begin;
        for (ours, theirs) in new.chars().zip(old.chars()) {
            if ours != theirs {
                break;
            }
            same += ours.len_utf8();
            col += width(ours);
        }
        let rest = new.get(same..).unwrap_or("");
        let kept = old.get(same..).unwrap_or("");
        let is_new = at > self.reached;
        // After a full row the terminal wraps by itself: no movement is needed.
        let wraps = col == 0 && self.row + 1 == at && self.col >= self.size.cols;
        let goes = !wraps || rest.is_empty();
        if goes {
            self.move_to(at, col, out);
        }
        out.push_str(rest);
        self.row = at;
        self.reached = self.reached.max(at);
        self.col = col + rest.chars().map(width).sum::<usize>();
        let shorter = kept.chars().map(width).sum::<usize>() > self.col - col;
        // Moving to a new row has cleared it: nothing may follow a continuation prompt, as
        // drivers wait for it at the end of what they read.
        if (shorter || is_new && !goes) && self.col < self.size.cols {
            out.push_str("\x1b[K");
        }
    }

    /// Takes the rows from the `count`-th on away.
    fn cut(&mut self, count: usize, out: &mut String) {
        if self.rows.len() <= count {
            return;
        }
        self.rows.truncate(count);
        if count <= self.reached {
            self.move_to(count, 0, out);
            out.push_str("\x1b[J");
        }
    }

    /// Moves the cursor.
    fn move_to(&mut self, row: usize, col: usize, out: &mut String) {
        if (row, col) == (self.row, self.col) {
            return;
        }
        let mut waiting = self.col >= self.size.cols;
        if waiting && row == self.row + 1 && row > self.reached {
            // As readline does: a space makes the terminal wrap.
            out.push_str(" \r\x1b[K");
            (self.row, self.col, self.reached) = (row, 0, row);
            waiting = false;
        }
        let known = row.min(self.reached);
        if known < self.row {
            let _ = write!(out, "\x1b[{}A", self.row - known);
        } else if known > self.row {
            let _ = write!(out, "\x1b[{}B", known - self.row);
        }
        if row > self.reached {
            for _ in self.reached..row {
                out.push_str("\r\n\x1b[K");
            }
            self.col = 0;
            self.reached = row;
        } else if waiting || col == 0 && self.col > 0 {
            out.push('\r');
            self.col = 0;
        }
        self.row = row;
        if col > self.col {
            let _ = write!(out, "\x1b[{}C", col - self.col);
        } else if col + 4 >= self.col {
            out.push_str("\x08".repeat(self.col - col).as_str());
        } else {
            let _ = write!(out, "\x1b[{}D", self.col - col);
        }
        self.col = col;
    }
}

fn width(c: char) -> usize {
    drawn_width(c).unwrap_or(1)
}
