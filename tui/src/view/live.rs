//! The live view of one session. It must never look like a part of our own screen: it stays in
//! its box.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{panel, put};
use crate::model::{Area, Drawn, Model, Pane};

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect, drawn: &mut Drawn) {
    let theme = model.theme;
    let session = model.live_session();
    let live = session.and_then(|id| model.live.get(id));
    let mut title = vec![Span::raw("Live".to_owned())];
    if let Some(id) = session {
        title.push(Span::raw(format!(" {}", id.short())));
    }
    if let Some(live) = live {
        let (cols, rows) = live.screen.size();
        title.push(Span::styled(format!(" {} {cols}x{rows}", theme.pick("·", "-")), theme.dim()));
    }
    let inside = panel(model, frame, area, Pane::Live, title, Vec::new());
    drawn.areas.push(Area { pane: Pane::Live, rect: inside, first: 0 });
    match live {
        Some(live) if live.heard => {
            live.screen.draw(inside, frame.buffer_mut(), theme.colour, true);
        }
        Some(_) => {
            put(frame, inside, 0, &Line::styled(" no output yet", theme.dim()));
        }
        None => {
            let ended = session
                .and_then(|id| model.sessions.get(id))
                .is_some_and(|s| s.view.closed_at.is_some());
            let text = if ended { " the session has ended" } else { "" };
            put(frame, inside, 0, &Line::styled(text, theme.dim()));
        }
    }
}
