//! What must be seen before going on, in rows of their own. They must never be drawn over by what
//! came from the broker.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::widgets::put;
use crate::keymap::Action;
use crate::model::Model;
use crate::text::{duration, fit};

/// What must be seen before going on: refused or unconfirmed decisions, warnings, the hint.
pub(super) fn lines(model: &Model, columns: usize) -> Vec<Line<'static>> {
    let theme = model.settings.theme;
    let mut lines = Vec::new();
    let mark = theme.pick("✗", "x");
    let key = model.settings.keymap.key(Action::Back);
    for grant in model.sessions.grants.values().take(3) {
        let (seconds, _) = grant.left(model.clock.broker_now());
        let kill = model.settings.keymap.key(Action::Kill);
        let text = format!(
            " {} UNREVIEWED {} {}: {} left, {}   {kill} ends the session ",
            theme.pick("▲", "!"),
            grant.session.short(),
            theme.shown(&grant.who),
            duration(seconds),
            grant.bytes_words()
        );
        lines.push(Line::styled(fit(&text, columns, theme.ascii), theme.alarm()));
    }
    for failed in model.decisions.failed.iter().rev().take(2) {
        let text = format!(" {mark} {}   {key} clears ", theme.shown(&failed.text));
        lines.push(Line::styled(fit(&text, columns, theme.ascii), theme.alarm()));
    }
    if let Some(hint) = &model.hint {
        let style = if hint.bad { theme.error() } else { theme.warn() };
        let text = format!(" {}", theme.shown(&hint.text));
        lines.push(Line::styled(fit(&text, columns, theme.ascii), style));
    } else if let Some(warning) = model.connection.warnings.first() {
        let text = format!(" ! {}", theme.shown(warning));
        lines.push(Line::styled(fit(&text, columns, theme.ascii), theme.warn()));
    }
    lines
}

/// Draws the notes.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'_>>) {
    for (y, line) in (0..area.height).zip(&lines) {
        put(frame, area, y, line);
    }
}
