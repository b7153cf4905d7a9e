//! The frozen screen while there is no connection. It must never look as if something could be
//! decided.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Clear, Widget as _};

use super::widgets::{centred, put, wrapped};
use crate::keymap::Action;
use crate::model::{LinkState, Model};
use crate::text::duration;

/// Everything under the frozen state is grey.
fn freeze(frame: &mut Frame<'_>, area: Rect) {
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = frame.buffer_mut().cell_mut((x, y)) {
                cell.set_style(Style::reset().add_modifier(Modifier::DIM));
            }
        }
    }
}

/// Why nothing can be decided, and when it is tried again.
pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, all: Rect) {
    freeze(frame, all);
    let theme = model.settings.theme;
    let columns = usize::from(all.width).saturating_sub(4).clamp(1, 66);
    let mut lines: Vec<Line<'_>> = Vec::new();
    match &model.connection.link {
        LinkState::Down { since, retry_at, why } => {
            let left = duration(
                i64::try_from(retry_at.saturating_sub(model.clock.now).div_ceil(1000)).unwrap_or(0),
            );
            let gone = duration(i64::try_from((model.clock.now - since) / 1000).unwrap_or(0));
            lines.push(Line::styled(" DISCONNECTED ", theme.alarm()));
            for row in wrapped(&theme.shown(why), columns, 3) {
                lines.push(Line::raw(row));
            }
            lines.push(Line::raw("Nothing can be decided. What waits is denied at its deadline."));
            lines.push(Line::raw(format!(
                "Retry in {left}, down for {gone}.  {} quit",
                model.settings.keymap.key(Action::Quit)
            )));
        }
        _ => lines
            .push(Line::raw(format!("Connecting to {} …", theme.shown(&model.connection.address)))),
    }
    let height = u16::try_from(lines.len()).unwrap_or(0) + 2;
    let area = centred(all, u16::try_from(columns).unwrap_or(0) + 4, height);
    frame.render_widget(Clear, area);
    let block = Block::new()
        .borders(Borders::ALL)
        .border_set(theme.border_set())
        .border_style(theme.error());
    let inside = block.inner(area);
    block.render(area, frame.buffer_mut());
    for (y, line) in (0..inside.height).zip(&lines) {
        let inside = Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside };
        put(frame, inside, y, line);
    }
}
