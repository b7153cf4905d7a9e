//! The question before a vote. It must never count as shown before its end is on the screen.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;

use super::widgets::{boxed, centred, put, wrapped};
use crate::keymap::Action;
use crate::model::{Choice, Drawn, Model, Voting};

/// A vote that waits for its second step: all of what it is about.
pub(super) fn draw(
    model: &Model,
    voting: &Voting,
    frame: &mut Frame<'_>,
    all: Rect,
    drawn: &mut Drawn,
) {
    let theme = model.settings.theme;
    let ballot = &voting.ballot;
    let columns = usize::from(all.width).saturating_sub(6).clamp(8, 92);
    let label = if columns >= 40 { 11 } else { 0 };
    let mut lines: Vec<Line<'static>> = Vec::new();
    for (name, text) in &ballot.lines {
        let room = columns.saturating_sub(label.max(1));
        if label == 0 {
            lines.push(Line::styled(*name, theme.label()));
        }
        for (n, row) in wrapped(&theme.shown(text), room, usize::MAX).into_iter().enumerate() {
            let head = if n == 0 && label > 0 { *name } else { "" };
            let head = format!("{head:<width$}", width = label.max(1));
            lines.push(Line::from(vec![Span::styled(head, theme.label()), Span::raw(row)]));
        }
    }
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
    let width = u16::try_from(columns + 4).unwrap_or(all.width);
    let area = centred(all, width, height);
    frame.render_widget(Clear, area);
    let word = match voting.choice {
        Choice::Approve => "APPROVE",
        Choice::Drop => "DROP",
    };
    let title = format!(" {word}: {} ", ballot.title);
    let view = usize::from(area.height.saturating_sub(2));
    let most = lines.len().saturating_sub(view);
    let scroll = voting.scroll.min(most);
    // It is on the screen when its end is.
    drawn.question = view > 0 && scroll == most && area.width >= 20;
    (drawn.page, drawn.max_scroll) = (view, most);
    let foot = match (drawn.question, model.answerable()) {
        (false, _) => format!(" end NOT shown: {} ", model.settings.keymap.key(Action::PageDown)),
        (true, false) => " look first … ".to_owned(),
        (true, true) => format!(" press y to {}   any other key leaves ", word.to_lowercase()),
    };
    let inside = boxed(theme, frame, area, title, theme.shown(&foot));
    let inside = Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside };
    for (y, line) in (0..inside.height).zip(lines.iter().skip(scroll)) {
        put(frame, inside, y, line);
    }
}
