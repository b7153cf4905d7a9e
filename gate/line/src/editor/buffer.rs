//! The text being edited, its cursor and the kill ring. It must never hold invalid text, or a
//! cursor that is not between two characters.

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

/// The most kills kept for yanking.
const MAX_KILLS: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Buffer {
    text: String,
    cursor: usize,
    kills: Vec<String>,
    /// The last key killed text: the next kill adds to it.
    killing: bool,
    /// The first byte that has changed since this was last taken, if one has.
    dirty: Option<usize>,
}

impl Buffer {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    /// The first byte changed since the last call.
    pub(super) fn take_dirty(&mut self) -> Option<usize> {
        self.dirty.take()
    }

    pub(super) fn set_dirty(&mut self) {
        self.dirty = Some(0);
    }

    pub(super) fn set(&mut self, text: &str, cursor: usize) {
        let same = self.text.chars().zip(text.chars()).take_while(|(a, b)| a == b);
        self.touch(same.map(|(c, _)| c.len_utf8()).sum());
        text.clone_into(&mut self.text);
        self.cursor = if text.is_char_boundary(cursor) { cursor } else { text.len() };
        self.killing = false;
    }

    pub(super) fn take(&mut self) -> String {
        self.dirty = Some(0);
        self.cursor = 0;
        self.killing = false;
        std::mem::take(&mut self.text)
    }

    /// Overwrites the text and the kills, for a secret.
    pub(super) fn wipe(&mut self) {
        self.kills.clear();
        let mut bytes = self.take().into_bytes();
        bytes.fill(0);
        std::hint::black_box(&bytes);
    }

    /// Ends a run of kills: the next one begins a new entry.
    pub(super) fn end_kill(&mut self) {
        self.killing = false;
    }

    fn touch(&mut self, at: usize) {
        self.dirty = Some(self.dirty.map_or(at, |dirty| dirty.min(at)));
    }

    pub(super) fn insert(&mut self, text: &str) {
        self.touch(self.cursor);
        self.text.insert_str(self.cursor, text);
        self.cursor += text.len();
    }

    fn remove(&mut self, from: usize, to: usize) -> String {
        let Some(removed) = self.text.get(from..to).map(str::to_owned) else {
            return String::new();
        };
        self.text.replace_range(from..to, "");
        self.touch(from);
        self.cursor = from;
        removed
    }

    fn kill(&mut self, from: usize, to: usize) -> bool {
        if from >= to {
            return false;
        }
        let forward = self.cursor == from;
        let removed = self.remove(from, to);
        match self.kills.last_mut() {
            Some(last) if self.killing && forward => last.push_str(&removed),
            Some(last) if self.killing => last.insert_str(0, &removed),
            _ => {
                if self.kills.len() >= MAX_KILLS {
                    self.kills.remove(0);
                }
                self.kills.push(removed);
            }
        }
        self.killing = true;
        true
    }

    /// What `^Y` would insert.
    pub(super) fn last_kill(&self) -> Option<String> {
        self.kills.last().cloned()
    }

    fn boundary_before(&self, at: usize) -> Option<usize> {
        // A cursor over the whole text always has its context at hand.
        GraphemeCursor::new(at, self.text.len(), true).prev_boundary(&self.text, 0).ok().flatten()
    }

    fn boundary_after(&self, at: usize) -> Option<usize> {
        GraphemeCursor::new(at, self.text.len(), true).next_boundary(&self.text, 0).ok().flatten()
    }

    fn before_cursor(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or("")
    }

    fn after_cursor(&self) -> &str {
        self.text.get(self.cursor..).unwrap_or("")
    }

    fn line_start(&self) -> usize {
        self.before_cursor().rfind('\n').map_or(0, |at| at + 1)
    }

    fn line_end(&self) -> usize {
        self.after_cursor().find('\n').map_or(self.text.len(), |at| self.cursor + at)
    }

    fn move_to(&mut self, to: usize) -> bool {
        let moved = to != self.cursor;
        self.cursor = to;
        moved
    }

    pub(super) fn left(&mut self) -> bool {
        self.boundary_before(self.cursor).is_some_and(|to| self.move_to(to))
    }

    pub(super) fn right(&mut self) -> bool {
        self.boundary_after(self.cursor).is_some_and(|to| self.move_to(to))
    }

    pub(super) fn home(&mut self) {
        self.move_to(self.line_start());
    }

    pub(super) fn end(&mut self) {
        self.move_to(self.line_end());
    }

    pub(super) fn move_to_end(&mut self) {
        self.move_to(self.text.len());
    }

    /// One line up, in the same column as far as there is one; false on the first line.
    pub(super) fn line_up(&mut self) -> bool {
        let start = self.line_start();
        let Some(end) = start.checked_sub(1) else { return false };
        let column = self.text.get(start..self.cursor).unwrap_or("").graphemes(true).count();
        let from = self.text.get(..end).unwrap_or("").rfind('\n').map_or(0, |at| at + 1);
        self.move_to(self.column(from, end, column))
    }

    /// One line down; false on the last line.
    pub(super) fn line_down(&mut self) -> bool {
        let end = self.line_end();
        if end >= self.text.len() {
            return false;
        }
        let start = self.line_start();
        let column = self.text.get(start..self.cursor).unwrap_or("").graphemes(true).count();
        let from = end + 1;
        let rest = self.text.get(from..).unwrap_or("");
        let to = rest.find('\n').map_or(self.text.len(), |at| from + at);
        self.move_to(self.column(from, to, column))
    }

    fn column(&self, from: usize, to: usize, column: usize) -> usize {
        let line = self.text.get(from..to).unwrap_or("");
        line.grapheme_indices(true).nth(column).map_or(to, |(at, _)| from + at)
    }

    pub(super) fn backspace(&mut self) -> bool {
        let Some(from) = self.boundary_before(self.cursor) else { return false };
        self.remove(from, self.cursor);
        true
    }

    pub(super) fn delete(&mut self) -> bool {
        let Some(to) = self.boundary_after(self.cursor) else { return false };
        self.remove(self.cursor, to);
        true
    }

    /// Where the word before the cursor begins. Words are letters and digits.
    fn word_start(&self) -> usize {
        let before = self.before_cursor();
        let skipped = before.trim_end_matches(|c: char| !c.is_alphanumeric());
        skipped.trim_end_matches(char::is_alphanumeric).len()
    }

    fn word_end(&self) -> usize {
        let after = self.after_cursor();
        let skipped = after.trim_start_matches(|c: char| !c.is_alphanumeric());
        self.text.len() - skipped.trim_start_matches(char::is_alphanumeric).len()
    }

    pub(super) fn word_left(&mut self) -> bool {
        self.move_to(self.word_start())
    }

    pub(super) fn word_right(&mut self) -> bool {
        self.move_to(self.word_end())
    }

    pub(super) fn kill_word(&mut self) -> bool {
        self.kill(self.cursor, self.word_end())
    }

    pub(super) fn kill_word_before(&mut self) -> bool {
        self.kill(self.word_start(), self.cursor)
    }

    /// `^W`: back to a blank.
    pub(super) fn kill_to_blank(&mut self) -> bool {
        let skipped = self.before_cursor().trim_end_matches(char::is_whitespace);
        let from = skipped.trim_end_matches(|c: char| !c.is_whitespace()).len();
        self.kill(from, self.cursor)
    }

    /// `^K`: to the end of the line, or the line break itself.
    pub(super) fn kill_to_end(&mut self) -> bool {
        let end = self.line_end();
        let to = if end == self.cursor { self.text.len().min(end + 1) } else { end };
        self.kill(self.cursor, to)
    }

    /// `^U`: to the beginning of the line, or the line break before it.
    pub(super) fn kill_to_start(&mut self) -> bool {
        let start = self.line_start();
        let from = if start == self.cursor { start.saturating_sub(1) } else { start };
        self.kill(from, self.cursor)
    }

    /// `^T`: swaps the characters around the cursor, at the end of a line the last two.
    pub(super) fn transpose(&mut self) -> bool {
        let at = if self.cursor == self.line_end() {
            self.boundary_before(self.cursor).unwrap_or(0)
        } else {
            self.cursor
        };
        let (Some(from), Some(to)) = (self.boundary_before(at), self.boundary_after(at)) else {
            return false;
        };
        if from < self.line_start() || to > self.line_end() {
            return false;
        }
        let first = self.text.get(from..at).unwrap_or("").to_owned();
        let second = self.text.get(at..to).unwrap_or("").to_owned();
        if first.contains('\n') || second.contains('\n') {
            return false;
        }
        self.text.replace_range(from..to, &format!("{second}{first}"));
        self.touch(from);
        self.cursor = to;
        true
    }
}
