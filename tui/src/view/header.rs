//! The first row: the connection, who looks, and how much waits. It must never count a request as
//! waiting that is not.

use expacti_engine::Level;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::widgets::put;
use crate::keymap::Action;
use crate::model::{LinkState, Model};
use crate::text::{duration, fit, width};
use crate::theme::badge;
use crate::time::Millis;

/// The slowest terminal that is not worth a word, in milliseconds.
const SLOW_TERMINAL: Millis = 200;

/// The first row.
pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let wide = area.width >= 60;
    let mut left = connection(model, wide);
    left.extend(waiting(model, wide));
    if area.width >= 70 {
        left.extend(oldest(model));
    }
    let right = right(model);
    let used: usize = left.iter().map(|s| width(&s.content)).sum();
    let need: usize = right.iter().map(|s| width(&s.content)).sum();
    put(frame, area, 0, &Line::from(left));
    if used + need < usize::from(area.width) {
        let x = area.right().saturating_sub(u16::try_from(need).unwrap_or(0));
        frame.buffer_mut().set_line(x, area.y, &Line::from(right), area.width);
    }
}

/// Which broker, how well it can be reached, and as whom.
fn connection(model: &Model, wide: bool) -> Vec<Span<'static>> {
    let theme = model.settings.theme;
    let (state, style) = match &model.connection.link {
        LinkState::Up { synced: true } => ("", theme.ok()),
        LinkState::Up { synced: false } => (" loading", theme.warn()),
        LinkState::Connecting => (" connecting", theme.warn()),
        LinkState::Down { .. } => (" disconnected", theme.error()),
    };
    let dot = theme.pick("●", "*");
    let mut spans =
        vec![Span::styled(" expacti", theme.brand()), Span::raw("  "), Span::styled(dot, style)];
    if !wide {
        spans.push(Span::styled(state, style));
        return spans;
    }
    let address = fit(&theme.shown(&model.connection.address), 34, theme.ascii);
    spans.push(Span::raw(format!(" {address}")));
    if let Some(ms) = model.connection.latency {
        spans.push(Span::styled(format!(" {ms}ms"), theme.dim()));
    }
    let delay = model.arming.terminal_delay;
    if delay >= SLOW_TERMINAL {
        spans.push(Span::styled(format!(" terminal {delay}ms"), theme.warn()));
    }
    spans.push(Span::styled(state, style));
    if !model.reviewer.name.is_empty() {
        let name = fit(&theme.shown(&model.reviewer.name), 20, theme.ascii);
        spans.push(Span::raw(format!("  {name}")));
        if !model.reviewer.role.may_decide() {
            spans.push(Span::styled(format!(" ({})", model.reviewer.role), theme.warn()));
        }
    }
    spans
}

/// How much waits.
fn waiting(model: &Model, wide: bool) -> Vec<Span<'static>> {
    let theme = model.settings.theme;
    let pending = model.requests.pending().count();
    let style = if pending > 0 { theme.strong() } else { theme.dim() };
    let mut spans = vec![Span::styled(format!("  pending {pending}"), style)];
    if !wide {
        return spans;
    }
    // The most dangerous one may be further down.
    for level in [Level::Critical, Level::High] {
        let count = model.requests.pending().filter(|i| i.level() == level).count();
        if count > 0 {
            let (word, _) = badge(level, theme.ascii);
            spans.push(Span::raw("  "));
            spans.push(Span::styled(format!("{word} {count}"), theme.level(level)));
        }
    }
    let changes = model.reviewer.changes;
    if changes > 0 {
        let key = model.settings.keymap.key(Action::Rules);
        let s = if changes == 1 { "" } else { "s" };
        let text = format!("  {changes} change{s} of rules ({key})");
        spans.push(Span::styled(text, theme.warn()));
    }
    spans
}

/// How long the first of them has waited.
fn oldest(model: &Model) -> Option<Span<'static>> {
    let oldest = model.requests.pending().map(|i| i.view().timestamp).min()?;
    let age = duration(model.clock.broker_now() / 1000 - oldest);
    Some(Span::styled(format!("  oldest {age}"), model.settings.theme.dim()))
}

/// What stands at the right: whether it is muted, and the time.
fn right(model: &Model) -> Vec<Span<'static>> {
    let theme = model.settings.theme;
    let mut spans = Vec::new();
    if model.alerts.muted {
        spans.push(Span::styled("muted  ", theme.warn()));
    }
    if model.clock.broker_offset.is_some() {
        let now = model.clock.time_of_day(model.clock.broker_now() / 1000);
        let counting = model.requests.any_open();
        // Without a countdown nothing wakes every second, and a clock with seconds would lie.
        let now = if counting { now } else { now.get(..5).unwrap_or_default().to_owned() };
        spans.push(Span::styled(format!("{now} "), theme.dim()));
    }
    spans
}

/// One line of guidance.
pub(super) fn banner(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let theme = model.settings.theme;
    if let Some(text) = &model.settings.banner {
        let text = fit(&theme.shown(text), usize::from(area.width).saturating_sub(2), theme.ascii);
        put(frame, area, 0, &Line::styled(format!(" {text}"), theme.label()));
    }
}
