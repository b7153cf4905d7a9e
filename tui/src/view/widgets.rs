//! The pieces that everything on the screen is drawn with. They must never draw outside the area
//! they are given.

use expacti_engine::Level;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Widget as _};

use crate::model::{Clock, Pane};
use crate::text;
use crate::theme::Theme;

/// A box of a pane: its number and title above, a few words below.
pub(super) struct Panel<'a> {
    /// How things look.
    pub(super) theme: Theme,
    /// Which pane.
    pub(super) pane: Pane,
    /// Whether it takes the keys.
    pub(super) focused: bool,
    /// The level of what is in it.
    pub(super) level: Option<Level>,
    /// After its number.
    pub(super) title: Vec<Span<'a>>,
    /// Below.
    pub(super) foot: Vec<Span<'a>>,
}

impl Panel<'_> {
    /// Draws it; returns its inside.
    pub(super) fn draw(self, frame: &mut Frame<'_>, area: Rect) -> Rect {
        let Self { theme, pane, focused, level, title, foot } = self;
        let style = if focused { theme.border_focused() } else { theme.border() };
        let number = Pane::ALL.iter().position(|p| *p == pane).unwrap_or(0) + 1;
        let mut line = vec![Span::styled(format!(" {number} "), style)];
        // A title is not as quiet as the box around it, nor of its colour, unless it says so itself.
        let lit = |span: Span<'_>| {
            let own = span.style != Style::new();
            let dim = span.style.add_modifier.contains(Modifier::DIM);
            let style = match (own, focused) {
                (false, true) => style,
                _ if dim => span.style.remove_modifier(Modifier::BOLD),
                _ => Style::reset().patch(span.style),
            };
            Span::styled(span.content.into_owned(), style)
        };
        line.extend(title.into_iter().map(lit));
        line.push(Span::raw(" "));
        let foot: Vec<Span<'_>> = foot.into_iter().map(lit).collect();
        let set = level.map_or_else(|| theme.border_set(), |level| theme.border_set_of(level));
        let block = Block::new()
            .borders(Borders::ALL)
            .border_set(set)
            .border_style(level.and_then(|level| theme.border_of(level)).unwrap_or(style))
            .title(Line::from(line))
            .title_bottom(Line::from(foot));
        let inside = block.inner(area);
        block.render(area, frame.buffer_mut());
        inside
    }
}

/// A line, cut to the width of `area` at row `y`.
pub(super) fn put(frame: &mut Frame<'_>, area: Rect, y: u16, line: &Line<'_>) {
    if y < area.height {
        frame.buffer_mut().set_line(area.x, area.y + y, line, area.width);
    }
}

/// Clean text broken into lines of `columns` at spaces where there are any.
pub(super) fn wrapped(text: &str, columns: usize, most: usize) -> Vec<String> {
    let columns = columns.max(4);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let mut word = word.to_owned();
        if used + text::width(word.trim_end()) > columns && used > 0 {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            used = 0;
        }
        while text::width(word.trim_end()) > columns {
            let mut head = String::new();
            let mut w = 0;
            for c in word.chars() {
                let cw = text::width(c.encode_utf8(&mut [0; 4]));
                if w + cw > columns {
                    break;
                }
                w += cw;
                head.push(c);
            }
            word = word.get(head.len()..).unwrap_or_default().to_owned();
            lines.push(head);
        }
        used += text::width(&word);
        line.push_str(&word);
    }
    if !line.trim_end().is_empty() {
        lines.push(line.trim_end().to_owned());
    }
    lines.truncate(most);
    lines
}

/// What happens at a deadline, and when.
pub(super) fn countdown(clock: &Clock, deadline_ms: i64) -> (i64, String) {
    let left = deadline_ms - clock.broker_now();
    // Rounded up: 0:00 is shown only when the time is over.
    (left, text::duration(left.max(0).saturating_add(999) / 1000))
}

/// Two spans: a key and its word.
pub(super) fn key_label(theme: Theme, key: &str, word: &str, on: bool) -> [Span<'static>; 2] {
    let (k, w): (Style, Style) =
        if on { (theme.key(), Style::new()) } else { (theme.dim(), theme.dim()) };
    [Span::styled(key.to_owned(), k), Span::styled(format!(" {word}  "), w)]
}

/// A box in use with a title above and one below; returns its inside.
pub(super) fn boxed(
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
    title: String,
    foot: String,
) -> Rect {
    let block = Block::new()
        .borders(Borders::ALL)
        .border_set(theme.border_set())
        .border_style(theme.border_focused())
        .title(title)
        .title_bottom(foot);
    let inside = block.inner(area);
    block.render(area, frame.buffer_mut());
    inside
}

/// A rectangle in the middle.
pub(super) fn centred(all: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(all.width), height.min(all.height));
    Rect { x: all.x + (all.width - width) / 2, y: all.y + (all.height - height) / 2, width, height }
}
