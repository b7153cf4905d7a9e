//! Keys that wait for their turn. They must never be dropped in part: half of what was typed would
//! be something that nobody typed.

use std::collections::VecDeque;

use crate::editor::Stroke;

/// Input typed ahead while an item is held, in bytes; past it all of it is dropped.
const MAX_BYTES: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct TypeAhead {
    strokes: VecDeque<Stroke>,
    bytes: usize,
}

impl TypeAhead {
    pub(super) fn push(&mut self, stroke: Stroke) {
        self.bytes += stroke.raw().len();
        self.strokes.push_back(stroke);
    }

    pub(super) fn pop(&mut self) -> Option<Stroke> {
        let stroke = self.strokes.pop_front()?;
        self.bytes = self.bytes.saturating_sub(stroke.raw().len());
        Some(stroke)
    }

    pub(super) fn clear(&mut self) {
        self.strokes.clear();
        self.bytes = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.strokes.is_empty()
    }

    /// Whether more waits than is kept: the caller drops all of it.
    pub(super) fn is_too_long(&self) -> bool {
        self.bytes > MAX_BYTES
    }
}
