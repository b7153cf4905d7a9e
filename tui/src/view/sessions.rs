//! The sessions. It must never show a session as open that is closed.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::widgets::{Panel, put};
use crate::model::{Area, Drawn, Model, Pane, Session};
use crate::text::{duration, fit, width};

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect, drawn: &mut Drawn) {
    let theme = model.settings.theme;
    let rows = model.sessions.rows();
    let live = rows.iter().filter(|s| s.view.closed_at.is_none()).count();
    let title = vec![Span::raw(format!("Sessions {} {live} live", theme.pick("·", "-")))];
    let height = usize::from(area.height.saturating_sub(2));
    let at = rows.iter().position(|s| Some(&s.view.id) == model.sessions.selected.as_ref());
    let first = at.map_or(0, |at| (at + 1).saturating_sub(height));
    let more = rows.len().saturating_sub(first + height);
    let foot = if more > 0 {
        vec![Span::styled(format!(" {more} more "), theme.dim())]
    } else {
        Vec::new()
    };
    let inside = Panel {
        theme,
        pane: Pane::Sessions,
        focused: model.pane == Pane::Sessions,
        level: None,
        title,
        foot,
    }
    .draw(frame, area);
    drawn.areas.push(Area { pane: Pane::Sessions, rect: inside, first });
    if rows.is_empty() {
        put(frame, inside, 0, &Line::styled(" no agent is connected", theme.dim()));
    }
    for (y, session) in (0..inside.height).zip(rows.iter().skip(first)) {
        put(frame, inside, y, &row(model, session, usize::from(inside.width)));
    }
}

fn row(model: &Model, session: &Session, columns: usize) -> Line<'static> {
    let theme = model.settings.theme;
    let focused = model.pane == Pane::Sessions;
    let selected = focused && model.sessions.selected.as_ref() == Some(&session.view.id);
    let open = session.view.closed_at.is_none();
    let dot = if open { theme.pick("●", "*") } else { theme.pick("○", "o") };
    let now = model.clock.broker_now() / 1000;
    let oldest = model
        .requests
        .pending()
        .filter(|i| i.view().session_id == session.view.id)
        .map(|i| i.view().timestamp)
        .min();
    let (state, style) = match (open, oldest) {
        (false, _) => ("ended".to_owned(), theme.dim()),
        (true, Some(since)) => (format!("waiting {}", duration(now - since)), theme.warn()),
        (true, None) if session.view.recording_error.is_some() => {
            ("not recorded".to_owned(), theme.error())
        }
        (true, None) if session.view.paused => ("paused".to_owned(), theme.warn()),
        (true, None) => (format!("open {}", duration(now - session.view.opened_at)), theme.dim()),
    };
    let head = vec![
        Span::styled(if selected { ">" } else { " " }, theme.key()),
        Span::styled(format!("{dot} "), if open { theme.ok() } else { theme.dim() }),
    ];
    let room = columns.saturating_sub(3 + width(&state) + 2);
    // In a narrow pane only the most important one.
    let shown = if columns >= 60 { session.cautions.len() } else { 1 };
    let cautions = session.cautions.iter().filter(|_| open).take(shown);
    let caution: String = cautions.map(|c| format!("  {}", theme.shown(c))).collect();
    let caution = fit(&caution, room * 2 / 3, theme.ascii);
    let room = room.saturating_sub(width(&caution));
    let mut name = format!("{} {} {}", session.view.id.short(), session.agent, session.target);
    if let Some(last) = session.last.as_ref().filter(|_| columns >= 60) {
        name.push_str("  ");
        name.push_str(last);
    }
    let name = fit(&theme.shown(&name), room, theme.ascii);
    let gap = columns.saturating_sub(3 + width(&name) + width(&caution) + width(&state) + 1);
    let mut spans = head;
    let row = match (selected, open) {
        (true, _) => theme.selected(focused),
        (false, true) => Style::new(),
        (false, false) => theme.dim(),
    };
    let fill = if selected { row } else { Style::new() };
    spans.push(Span::styled(name, row));
    spans.push(Span::styled(caution, if selected { row } else { theme.warn() }));
    spans.push(Span::styled(" ".repeat(gap), fill));
    spans.push(Span::styled(state, style));
    Line::from(spans)
}
