//! The live view of one session. It must never look like a part of our own screen: it stays in
//! its box.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::widgets::{Panel, put};
use expacti_protocol::ids::SessionId;

use crate::emulator::DrawOptions;
use crate::keymap::Action;
use crate::model::{Area, Drawn, Model, Pane};
use crate::text::duration;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect, drawn: &mut Drawn) {
    one(model, model.live_session(), frame, area, drawn);
}

/// Several sessions side by side.
pub(super) fn tiles(model: &Model, frame: &mut Frame<'_>, area: Rect, drawn: &mut Drawn) {
    let sessions = model.live_sessions();
    let across: u16 = if sessions.len() > 1 && area.width >= 100 { 2 } else { 1 };
    let down = u16::try_from(sessions.len().max(1)).unwrap_or(1).div_ceil(across);
    let down = down.min((area.height / 4).max(1));
    for row in 0..down {
        for column in 0..across {
            let nth = usize::from(row * across + column);
            if nth > 0 && nth >= sessions.len() {
                continue;
            }
            let (left, right) = (area.width * column / across, area.width * (column + 1) / across);
            let (top, bottom) = (area.height * row / down, area.height * (row + 1) / down);
            let rect = Rect::new(area.x + left, area.y + top, right - left, bottom - top);
            one(model, sessions.get(nth), frame, rect, drawn);
        }
    }
}

fn one(
    model: &Model,
    session: Option<&SessionId>,
    frame: &mut Frame<'_>,
    area: Rect,
    drawn: &mut Drawn,
) {
    let theme = model.settings.theme;
    let live = session.and_then(|id| model.watching.terminals.get(id));
    let mut title = vec![Span::raw("Live".to_owned())];
    if let Some(id) = session {
        title.push(Span::raw(format!(" {}", id.short())));
        if let Some(s) = model.sessions.all.get(id) {
            let who = theme.shown(&format!(" {} {}", s.agent, s.target));
            let who =
                crate::text::fit(&who, usize::from(area.width).saturating_sub(30), theme.ascii);
            title.push(Span::raw(who));
        }
    }
    if let Some(live) = live {
        let (cols, rows) = live.emulator.size();
        title.push(Span::styled(format!(" {} {cols}x{rows}", theme.pick("·", "-")), theme.dim()));
    }
    let ungated = session.and_then(|id| model.sessions.grants.values().find(|g| &g.session == id));
    let mut foot = Vec::new();
    if let Some(running) = ungated {
        let (seconds, _) = running.left(model.clock.broker_now());
        let kill = model.settings.keymap.key(Action::Kill);
        let text = format!(
            " UNREVIEWED for {} more, {}  {kill} ends it ",
            duration(seconds),
            running.bytes_words()
        );
        foot.push(Span::styled(text, theme.alarm()));
    }
    if let Some(live) = live.filter(|l| l.scroll > 0) {
        foot.push(Span::styled(format!(" {} rows back ", live.scroll), theme.warn()));
    }
    let inside = Panel {
        theme,
        pane: Pane::Live,
        focused: model.pane == Pane::Live,
        level: None,
        title,
        foot,
    }
    .draw(frame, area);
    drawn.areas.push(Area { pane: Pane::Live, rect: inside, first: 0 });
    match live {
        Some(live) if live.has_output => {
            let find =
                if model.pane == Pane::Live { model.reading.find.needle.as_str() } else { "" };
            let look = DrawOptions { colour: theme.colour, cursor: true, back: live.scroll, find };
            live.emulator.draw(inside, frame.buffer_mut(), &look);
        }
        Some(_) => {
            put(frame, inside, 0, &Line::styled(" no output yet", theme.dim()));
        }
        None => {
            let ended = session
                .and_then(|id| model.sessions.all.get(id))
                .is_some_and(|s| s.view.closed_at.is_some());
            let text = if ended { " the session has ended" } else { "" };
            put(frame, inside, 0, &Line::styled(text, theme.dim()));
        }
    }
}
