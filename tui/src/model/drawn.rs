//! What a drawing put on the screen. It must never name a row that was not drawn: what counts as
//! seen comes from here alone.

use std::ops::Range;

use expacti_protocol::ids::CommandId;
use ratatui::layout::Rect;

use super::pane::Pane;

/// What was drawn; the reviewer has seen nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Drawn {
    /// The request whose details are on the screen.
    pub request: Option<DrawnRequest>,
    /// Where the panes are, for the mouse.
    pub areas: Vec<Area>,
    /// A question that waits for an answer is on the screen, all of it.
    pub question: bool,
    /// The screen is too small for an allow.
    pub small: bool,
    /// Rows of a page of the command, for paging.
    pub page: usize,
    /// The scroll position, where the drawing chose it.
    pub scroll: Option<usize>,
    /// The highest scroll position.
    pub max_scroll: usize,
}

/// The request on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DrawnRequest {
    /// Which.
    pub id: CommandId,
    /// In which revision.
    pub revision: u64,
    /// Rows of the command that were drawn: ranges of its visible text; none when it was masked.
    pub rows: Vec<Range<usize>>,
    /// Rows of the preview that were drawn.
    pub preview: Vec<Range<usize>>,
    /// The command was drawn masked.
    pub masked: bool,
}

/// Where a pane is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Area {
    /// Which pane.
    pub pane: Pane,
    /// Its inside.
    pub rect: Rect,
    /// The first row's index in its list.
    pub first: usize,
}
