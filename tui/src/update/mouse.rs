//! The mouse. It must never decide, nor move a selection by the wheel.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::navigate::scroll_terminal;
use super::select::select;
use crate::model::{Area, Mode, Model, Pane};

/// Rows that a notch of the wheel scrolls.
const NOTCH: isize = 3;

/// A click, or the wheel.
pub(super) fn mouse(model: &mut Model, event: MouseEvent) {
    if !matches!(model.mode, Mode::Normal) {
        return;
    }
    let at = Position::new(event.column, event.row);
    let Some(area) = model.drawn.areas.iter().find(|a| a.rect.contains(at)).cloned() else {
        return;
    };
    match event.kind {
        MouseEventKind::Down(MouseButton::Left) => click(model, &area, event.row),
        MouseEventKind::ScrollDown => wheel(model, area.pane, NOTCH),
        MouseEventKind::ScrollUp => wheel(model, area.pane, -NOTCH),
        _ => {}
    }
}

fn click(model: &mut Model, area: &Area, row: u16) {
    model.pane = area.pane;
    let row = area.first + usize::from(row - area.rect.y);
    match area.pane {
        Pane::Queue => {
            let id = model.requests.rows().get(row).map(|row| row.item.id().clone());
            if id.is_some() {
                select(model, id);
            }
        }
        Pane::Sessions => {
            let id = model.sessions.rows().get(row).map(|s| s.view.id.clone());
            if id.is_some() {
                model.sessions.selected = id;
            }
        }
        Pane::Request | Pane::Live => {}
    }
}

/// The wheel scrolls the request and the terminal. Over the lists it does nothing: a selection that
/// moves with the wheel moves by accident.
fn wheel(model: &mut Model, pane: Pane, by: isize) {
    match pane {
        Pane::Request => model.reading.scroll_by(by, model.drawn.max_scroll),
        Pane::Live => scroll_terminal(model, -by),
        Pane::Queue | Pane::Sessions => {}
    }
}
