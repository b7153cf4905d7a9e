//! Lists over the whole screen. They must never show a row that the filter leaves out.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::vote;
use super::widgets::{boxed, put, wrapped};
use crate::keymap::Action;
use crate::model::{Drawn, List, ListRow, Model, Settings, Tone};
use crate::text::{clean, width};
use crate::theme::badge;

/// Draws a list, and the vote that is open in it.
pub(super) fn draw(
    model: &Model,
    list: &List,
    frame: &mut Frame<'_>,
    area: Rect,
    drawn: &mut Drawn,
) {
    let theme = model.settings.theme;
    let rows = list.shown();
    let title = format!(" {} {} ", list.title, rows.len());
    let foot = foot(&model.settings, list, rows.get(list.at).copied());
    let inside = boxed(theme, frame, area, title, foot);
    let height = usize::from(inside.height);
    drawn.page = height;
    if let Some(note) = &list.note {
        let rows = wrapped(&theme.shown(note), usize::from(inside.width).saturating_sub(2), 6);
        for (y, row) in (0..inside.height).zip(rows) {
            put(frame, inside, y, &Line::styled(format!(" {row}"), theme.dim()));
        }
    }
    let first = (list.at + 1).saturating_sub(height);
    for (y, (i, row)) in (0..inside.height).zip(rows.iter().enumerate().skip(first)) {
        let selected = i == list.at;
        put(frame, inside, y, &line(model, row, selected));
        if selected {
            let row = Rect {
                x: inside.x + 1,
                y: inside.y + y,
                height: 1,
                width: inside.width.saturating_sub(1),
            };
            frame.buffer_mut().set_style(row, theme.selected_row());
        }
    }
    if let Some(voting) = &list.voting {
        vote::draw(model, voting, frame, area, drawn);
    }
}

/// The filter, and the keys that do something with the selected row.
fn foot(settings: &Settings, list: &List, selected: Option<&ListRow>) -> String {
    let theme = settings.theme;
    if let Some(input) = &list.typing {
        let caret = theme.pick("▏", "_");
        return format!(" /{}{caret} ", theme.shown(&clean(input.value(), 60)));
    }
    let filter = match list.filter.as_str() {
        "" => String::new(),
        f => format!("filter: {}   ", theme.shown(&clean(f, 40))),
    };
    let ballot = selected.and_then(|row| row.ballot.as_ref());
    let mut keys = Vec::new();
    if ballot.is_some_and(|b| b.locked.is_none()) {
        keys.push((Action::Allow, "approve"));
    }
    if ballot.is_some_and(|b| b.may_drop) {
        keys.push((Action::Deny, "drop"));
    }
    if selected.is_some_and(|row| row.session.is_some()) {
        keys.push((Action::Replay, "replay"));
    }
    keys.extend([(Action::Filter, "filter"), (Action::CopyId, "copy"), (Action::Back, "back")]);
    let keys: Vec<String> = keys
        .into_iter()
        .map(|(action, word)| format!("{} {word}", settings.keymap.key(action)))
        .collect();
    format!(" {filter}{} ", keys.join("  "))
}

/// One row.
fn line(model: &Model, row: &ListRow, selected: bool) -> Line<'static> {
    let theme = model.settings.theme;
    let mut spans = vec![Span::styled(if selected { ">" } else { " " }, theme.key())];
    if let Some(at) = row.at {
        spans.push(Span::styled(format!("{} ", model.clock.time_of_day(at)), theme.dim()));
    }
    for (tone, text) in &row.pieces {
        let style = match tone {
            Tone::Plain => Style::new(),
            Tone::Dim => theme.dim(),
            Tone::Strong => theme.strong(),
            Tone::Good => theme.ok(),
            Tone::Bad => theme.warn(),
            Tone::Level(level) => {
                let (word, shape) = badge(*level, theme.ascii);
                let shape = shape.trim_end();
                spans.push(Span::styled(format!("{word} {shape}"), theme.level(*level)));
                spans.push(Span::raw(" ".repeat(4 - width(shape))));
                continue;
            }
        };
        let style = if selected { style.patch(theme.strong()) } else { style };
        spans.push(Span::styled(format!("{} ", theme.shown(text)), style));
    }
    Line::from(spans)
}
