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

/// The first row.
pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let theme = model.settings.theme;
    let dot = theme.pick("●", "*");
    let (state, style) = match &model.connection.link {
        LinkState::Up { synced: true } => (String::new(), theme.ok()),
        LinkState::Up { synced: false } => (" loading".to_owned(), theme.warn()),
        LinkState::Connecting => (" connecting".to_owned(), theme.warn()),
        LinkState::Down { .. } => (" disconnected".to_owned(), theme.error()),
    };
    let pending = model.requests.pending().count();
    let oldest = model.requests.pending().map(|i| i.view().timestamp).min();
    let mut spans =
        vec![Span::styled(" expacti", theme.brand()), Span::raw("  "), Span::styled(dot, style)];
    let wide = area.width >= 60;
    if wide {
        spans.push(Span::raw(format!(
            " {}",
            fit(&theme.shown(&model.connection.address), 34, theme.ascii)
        )));
        if let Some(ms) = model.connection.latency {
            spans.push(Span::styled(format!(" {ms}ms"), theme.dim()));
        }
    }
    if wide && model.arming.terminal_delay >= 200 {
        let text = format!(" terminal {}ms", model.arming.terminal_delay);
        spans.push(Span::styled(text, theme.warn()));
    }
    spans.push(Span::styled(state, style));
    if wide && !model.reviewer.name.is_empty() {
        spans.push(Span::raw(format!(
            "  {}",
            fit(&theme.shown(&model.reviewer.name), 20, theme.ascii)
        )));
        if !model.reviewer.role.may_decide() {
            spans.push(Span::styled(format!(" ({})", model.reviewer.role), theme.warn()));
        }
    }
    let style = if pending > 0 { theme.strong() } else { theme.dim() };
    spans.push(Span::styled(format!("  pending {pending}"), style));
    if wide {
        // What matters most may be further down.
        for level in [Level::Critical, Level::High] {
            let count = model.requests.pending().filter(|i| i.level() == level).count();
            if count > 0 {
                let (word, _) = badge(level, theme.ascii);
                spans.push(Span::raw("  "));
                spans.push(Span::styled(format!("{word} {count}"), theme.level(level)));
            }
        }
    }
    if model.reviewer.changes > 0 && wide {
        let key = model.settings.keymap.key(Action::Rules);
        let s = if model.reviewer.changes == 1 { "" } else { "s" };
        let text = format!("  {} change{s} of rules ({key})", model.reviewer.changes);
        spans.push(Span::styled(text, theme.warn()));
    }
    if let Some(oldest) = oldest.filter(|_| area.width >= 70) {
        let age = duration(model.clock.broker_now() / 1000 - oldest);
        spans.push(Span::styled(format!("  oldest {age}"), theme.dim()));
    }
    let mut right = Vec::new();
    if model.alerts.muted {
        right.push(Span::styled("muted  ", theme.warn()));
    }
    if model.clock.broker_offset.is_some() {
        let now = model.clock.time_of_day(model.clock.broker_now() / 1000);
        let counting = model.requests.any_open();
        // Without a countdown nothing wakes every second, and a clock with seconds would lie.
        let now = if counting { now } else { now.get(..5).unwrap_or_default().to_owned() };
        right.push(Span::styled(format!("{now} "), theme.dim()));
    }
    put(frame, area, 0, &Line::from(spans.clone()));
    let used: usize = spans.iter().map(|s| width(&s.content)).sum();
    let need: usize = right.iter().map(|s| width(&s.content)).sum();
    if used + need < usize::from(area.width) {
        let x = area.right().saturating_sub(u16::try_from(need).unwrap_or(0));
        frame.buffer_mut().set_line(x, area.y, &Line::from(right), area.width);
    }
}

/// One line of guidance.
pub(super) fn banner(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let theme = model.settings.theme;
    if let Some(text) = &model.settings.banner {
        let text = fit(&theme.shown(text), usize::from(area.width).saturating_sub(2), theme.ascii);
        put(frame, area, 0, &Line::styled(format!(" {text}"), theme.label()));
    }
}
