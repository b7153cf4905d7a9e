//! Moving about: panes, rows, pages. It must never change the selection otherwise than by one row
//! that the reviewer asked for.

use super::select::{next_after, select};
use crate::model::{Model, Pane};

/// The next request that waits, from wherever the selection is.
pub(super) fn next_request(model: &mut Model) {
    let selected = model.requests.selected.as_ref();
    if let Some(next) = selected.and_then(|id| next_after(&model.requests, id)) {
        model.pane = Pane::Queue;
        return select(model, Some(next));
    }
    // Leaving something closed: to nothing, or to what has come since.
    if model.requests.current().is_some_and(|i| i.closed_since.is_none()) {
        model.hint("no other request waits");
    } else {
        select(model, None);
    }
}

/// A row up or down.
pub(super) fn step(model: &mut Model, by: isize) {
    let moved = |at: Option<usize>, len: usize| {
        at.map_or(0, |at| at.saturating_add_signed(by)).min(len.saturating_sub(1))
    };
    match model.pane {
        Pane::Queue => {
            let rows = model.requests.rows();
            let at = rows.iter().position(|row| model.requests.is_selected(row.item.id()));
            let to = rows.get(moved(at, rows.len())).map(|row| row.item.id().clone());
            if to.is_some() {
                select(model, to);
            }
        }
        Pane::Sessions => {
            let sessions = &mut model.sessions;
            let rows = sessions.rows();
            let at = rows.iter().position(|s| Some(&s.view.id) == sessions.selected.as_ref());
            let to = rows.get(moved(at, rows.len())).map(|s| s.view.id.clone());
            if to.is_some() {
                sessions.selected = to;
            }
        }
        Pane::Request | Pane::Live => scroll(model, by),
    }
}

/// To the first row, or to the last.
pub(super) fn jump(model: &mut Model, end: bool) {
    match model.pane {
        Pane::Queue => {
            let rows = model.requests.rows();
            let row = if end { rows.last() } else { rows.first() };
            let id = row.map(|row| row.item.id().clone());
            if id.is_some() {
                select(model, id);
            }
        }
        Pane::Sessions => {
            let rows = model.sessions.rows();
            let row = if end { rows.last() } else { rows.first() };
            let id = row.map(|s| s.view.id.clone());
            if id.is_some() {
                model.sessions.selected = id;
            }
        }
        Pane::Request => model.reading.scroll = if end { model.drawn.max_scroll } else { 0 },
        Pane::Live => scroll_terminal(model, if end { isize::MIN } else { isize::MAX }),
    }
}

/// A page down or up.
pub(super) fn page(model: &mut Model, down: bool) {
    let rows = match model.pane {
        Pane::Live => {
            let live = model.live_session().and_then(|id| model.watching.terminals.get(id));
            live.map_or(1, |l| l.emulator.size().1 / 2)
        }
        Pane::Queue | Pane::Sessions | Pane::Request => model.drawn.page.saturating_sub(1),
    };
    let rows = isize::try_from(rows.max(1)).unwrap_or(1);
    scroll(model, if down { rows } else { -rows });
}

fn scroll(model: &mut Model, by: isize) {
    match model.pane {
        Pane::Live => scroll_terminal(model, by.saturating_neg()),
        Pane::Queue | Pane::Sessions | Pane::Request => {
            model.reading.scroll_by(by, model.drawn.max_scroll);
        }
    }
}

/// Scrolls the live terminal back, or towards its end.
pub(super) fn scroll_terminal(model: &mut Model, back: isize) {
    let session = model.live_session().cloned();
    if let Some(live) = session.and_then(|id| model.watching.terminals.get_mut(&id)) {
        live.scroll_back(back);
    }
}

/// The pane so many further on. Every one can be reached at every size: where not all are drawn,
/// the chosen one is.
pub(super) fn turn(model: &mut Model, by: usize) {
    let at = Pane::ALL.iter().position(|p| *p == model.pane).unwrap_or(0);
    if let Some(pane) = Pane::ALL.get((at + by) % Pane::ALL.len()) {
        model.pane = *pane;
    }
}

/// Several sessions side by side, or no longer.
pub(super) fn tiles(model: &mut Model) {
    model.watching.tiles = !model.watching.tiles;
    model.pane = if model.watching.tiles { Pane::Live } else { Pane::Queue };
}

/// From a list to what is selected in it.
pub(super) fn open(model: &mut Model) {
    model.pane = match model.pane {
        Pane::Queue => Pane::Request,
        Pane::Sessions => Pane::Live,
        pane @ (Pane::Request | Pane::Live) => pane,
    };
}

/// One thing less: failed decisions, tiles, another pane, the filter.
pub(super) fn back(model: &mut Model) {
    if !model.decisions.failed.is_empty() {
        model.decisions.failed.clear();
    } else if model.watching.tiles {
        tiles(model);
    } else if model.pane != Pane::Queue {
        model.pane = Pane::Queue;
    } else if !model.requests.filter.is_empty() {
        model.requests.filter.clear();
    }
    model.hint = None;
}
