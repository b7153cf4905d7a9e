//! The queue. It must never show a request as done before the broker said so.

use expacti_protocol::command::{CommandState, ItemKind};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::widgets::{Panel, countdown, put};
use crate::keymap::Action;
use crate::model::{Area, Drawn, Item, Model, Pane, QueueRow, Stage, Verdict, result};
use crate::text::{fit, fit_middle, width};
use crate::theme::badge;
use crate::time::SLOW_ANSWER;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect, drawn: &mut Drawn) {
    let theme = model.settings.theme;
    let rows = model.requests.rows();
    let pending = model.requests.pending().count();
    let dot = theme.pick("·", "-");
    let title = vec![Span::raw(format!("Queue {dot} {pending} {dot} by deadline"))];
    let at = rows.iter().position(|row| model.requests.is_selected(row.item.id()));
    let height = usize::from(area.height.saturating_sub(2));
    let first = at.map_or(0, |at| (at + 1).saturating_sub(height));
    let more = rows.len().saturating_sub(first + height);
    let mut foot = Vec::new();
    if more > 0 {
        foot.push(Span::styled(format!(" {more} more "), theme.dim()));
    }
    let hidden = model.requests.items.len() - {
        let shown: usize = rows.iter().map(|row| row.count).sum();
        shown.min(model.requests.items.len())
    };
    if hidden > 0 {
        foot.push(Span::styled(format!(" {hidden} hidden by the filter "), theme.warn()));
    }
    let inside = Panel {
        theme,
        pane: Pane::Queue,
        focused: model.pane == Pane::Queue,
        level: None,
        title,
        foot,
    }
    .draw(frame, area);
    drawn.areas.push(Area { pane: Pane::Queue, rect: inside, first });
    if rows.is_empty() {
        let text = if model.requests.filter.is_empty() {
            "nothing waits"
        } else {
            "nothing matches the filter"
        };
        put(frame, inside, 0, &Line::styled(format!(" {text}"), theme.dim()));
    }
    for (y, row) in (0..inside.height).zip(rows.iter().skip(first)) {
        put(frame, inside, y, &line(model, row, usize::from(inside.width)));
    }
}

fn line(model: &Model, row: &QueueRow<'_>, columns: usize) -> Line<'static> {
    let QueueRow { item, count } = *row;
    let selected = model.requests.is_selected(item.id());
    let theme = model.settings.theme;
    let (word, shape) = badge(item.level(), theme.ascii);
    let open = item.state() == CommandState::Pending;
    let marker = if selected { ">" } else { " " };
    let mut spans = vec![
        Span::styled(marker, theme.key()),
        Span::styled(
            format!("{word} {}", shape.trim_end()),
            if open { theme.level(item.level()) } else { theme.dim() },
        ),
        Span::raw(" ".repeat(4 - width(shape.trim_end()))),
    ];
    spans.extend(status(model, item, columns));
    if item.view().anomaly {
        spans.push(Span::styled("! ", theme.warn()));
    }
    if count > 1 {
        spans.push(Span::styled(format!("{}{count} ", theme.pick("×", "x")), theme.strong()));
    }
    if item.view().retry_of_denied {
        spans.push(Span::styled(theme.pick("↻ ", "@ "), theme.warn()));
    }
    let used: usize = spans.iter().map(|s| width(&s.content)).sum();
    let text = format!("{} {}", item.card.target_name, brief(item));
    let room = columns.saturating_sub(used);
    let text = fit_middle(&theme.shown(&text), room, theme.ascii);
    let style = match (open, selected) {
        (_, true) => theme.selected(model.pane == Pane::Queue),
        (true, false) => Style::new(),
        (false, false) => theme.dim(),
    };
    let fill = if selected { room.saturating_sub(width(&text)) } else { 0 };
    spans.push(Span::styled(format!("{text}{}", " ".repeat(fill)), style));
    Line::from(spans)
}

/// The request in a row. Of a change of a file that is what and where: the rest, which is sizes,
/// digests and modes, would take the path's room.
fn brief(item: &Item) -> &str {
    let headline = &*item.headline;
    if item.view().kind != ItemKind::File {
        return headline;
    }
    let line = headline.split(['⏎', '\n']).next().unwrap_or(headline);
    match line.strip_prefix("sftp ") {
        Some(change) => change.split_once(": ").map_or(change, |(what, _)| what),
        None => line,
    }
}

/// The countdown, or what has become of the request.
fn status(model: &Model, item: &Item, columns: usize) -> Vec<Span<'static>> {
    let theme = model.settings.theme;
    // As wide as countdown and bar.
    let wide = if columns >= 60 { 11 } else { 10 };
    let pad = |text: &str| format!("{:<wide$}", fit(text, wide - 1, theme.ascii));
    let (text, style) = match (&item.stage, item.state()) {
        (Stage::Held { until, .. }, CommandState::Pending) => {
            let left = until.saturating_sub(model.clock.now).div_ceil(1000);
            (
                pad(&format!("held {left}s {}", model.settings.keymap.key(Action::Undo))),
                theme.warn(),
            )
        }
        (Stage::Sent { at, .. }, CommandState::Pending) => {
            let slow = model.clock.now >= at + SLOW_ANSWER;
            (pad(if slow { "no answer" } else { "sending" }), theme.warn())
        }
        (Stage::Signing { touch, .. }, CommandState::Pending) => {
            (pad(if *touch { "TOUCH KEY" } else { "signing" }), theme.warn())
        }
        (Stage::Refused { .. }, CommandState::Pending) => (pad("REFUSED"), theme.error()),
        (Stage::Done { verdict: Verdict::Allow }, CommandState::Pending) => {
            (pad(&format!("{} more yes", item.view().approvals_missing)), theme.ok())
        }
        (_, CommandState::Pending) => {
            let (left, text) = countdown(&model.clock, item.view().deadline_ms);
            let whole =
                i64::try_from(item.view().timeout_seconds).unwrap_or(i64::MAX).saturating_mul(1000);
            // A narrow queue has more use for the command.
            let cells: u8 = if columns >= 60 { 5 } else { 4 };
            let parts = left.max(0).saturating_mul(i64::from(cells)).saturating_add(whole - 1);
            let cells = usize::from(cells);
            let bars = usize::try_from(parts / whole.max(1)).unwrap_or(0).min(cells);
            let (full, empty) = (theme.pick("▓", "#"), theme.pick("░", "."));
            let bar = full.repeat(bars) + &empty.repeat(cells - bars);
            let style = theme.countdown(left, whole);
            // With time enough the bar is quiet.
            let quiet = if style == Style::new() { theme.dim() } else { style };
            return vec![
                Span::styled(format!("{text:>4} "), style),
                Span::styled(format!("{bar} "), quiet),
            ];
        }
        (_, state) => {
            let (text, good) = result(state, item.view().outcome.as_ref());
            let mark = if good { theme.pick("✓", "+") } else { theme.pick("✗", "x") };
            (
                pad(&fit(&format!("{mark} {text}"), 10, theme.ascii)),
                if good { theme.ok() } else { theme.dim() },
            )
        }
    };
    vec![Span::styled(text, style)]
}
