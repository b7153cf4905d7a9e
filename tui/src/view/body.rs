//! The bytes under review: the command, and below it what goes with it for reading. It must never
//! draw a byte other than through `VisibleText`, nor at the left edge, where our own labels stand.

use std::ops::Range;

use expacti_engine::Level;
use expacti_protocol::command::ItemKind;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::keymap::Action;
use crate::model::{Item, Match, Model, Section};
use crate::text::{Mark, Rows, VisibleText, bytes, width};

/// Command and preview, broken into rows.
pub(super) struct Body<'a> {
    item: &'a Item,
    masked: bool,
    text: &'a VisibleText,
    text_rows: Rows,
    preview: Option<(&'a VisibleText, Rows)>,
}

/// One row of it.
enum Row<'a> {
    /// Of the command.
    Text(&'a Range<usize>),
    /// Between the two.
    Rule,
    /// Of the preview.
    Preview(&'a Range<usize>),
}

/// The rows that were drawn.
pub(super) struct DrawnRows {
    pub(super) lines: Vec<Line<'static>>,
    pub(super) text: Vec<Range<usize>>,
    pub(super) preview: Vec<Range<usize>>,
}

impl<'a> Body<'a> {
    /// The body of a request at that width.
    pub(super) fn new(model: &Model, item: &'a Item, columns: usize) -> Self {
        let masked = model.requests.masked(item);
        let text = item.text(masked);
        let preview = item.shown_preview(masked).map(|p| (p, p.rows(columns)));
        Self { item, masked, text, text_rows: text.rows(columns), preview }
    }

    /// Rows in all.
    pub(super) fn len(&self) -> usize {
        self.text_rows.len() + self.preview.as_ref().map_or(0, |(_, rows)| rows.len() + 1)
    }

    /// Whether what is on the screen is a mask.
    pub(super) fn masked(&self) -> bool {
        self.masked
    }

    fn row(&self, n: usize) -> Option<Row<'_>> {
        if let Some(row) = self.text_rows.get(n) {
            return Some(Row::Text(row));
        }
        let (_, rows) = self.preview.as_ref()?;
        match n - self.text_rows.len() {
            0 => Some(Row::Rule),
            n => rows.get(n - 1).map(Row::Preview),
        }
    }

    /// The row that a match begins in.
    pub(super) fn row_of(&self, found: Match) -> usize {
        let row = |rows: &Rows| rows.partition_point(|r| r.start <= found.at).saturating_sub(1);
        match (found.section, &self.preview) {
            (Section::Command, _) => row(&self.text_rows),
            // Below the command and the line between the two.
            (Section::Preview, preview) => {
                let rows = preview.as_ref().map_or(&self.text_rows, |(_, rows)| rows);
                self.text_rows.len() + 1 + row(rows)
            }
        }
    }

    /// Draws `count` rows from `first`.
    pub(super) fn draw(&self, model: &Model, first: usize, count: usize) -> DrawnRows {
        let theme = model.settings.theme;
        let causes = if self.masked { Vec::new() } else { causes(self.item) };
        let mut drawn = DrawnRows { lines: Vec::new(), text: Vec::new(), preview: Vec::new() };
        for n in first..first + count {
            let Some(row) = self.row(n) else { break };
            let mut spans = Vec::new();
            match row {
                Row::Text(row) => {
                    spans.push(Span::styled(self.gutter(n), theme.dim()));
                    let finds = model.reading.find.ranges(self.text, row);
                    let level = self.item.level();
                    spans.extend(pieces(
                        model,
                        self.text,
                        row,
                        |at| cause(model, level, &causes, at),
                        &finds,
                    ));
                    drawn.text.push(row.clone());
                }
                Row::Rule => spans = self.rule(model),
                Row::Preview(row) => {
                    let Some((shown, _)) = &self.preview else { break };
                    spans.push(Span::styled(theme.pick("┆ ", ": "), theme.dim()));
                    let style = match self.item.diff {
                        Some(_) => theme.diff(line_of(shown.text(), row.start)),
                        None => Style::new(),
                    };
                    let finds = model.reading.find.ranges(shown, row);
                    spans.extend(pieces(model, shown, row, |_| style, &finds));
                    drawn.preview.push(row.clone());
                }
            }
            drawn.lines.push(Line::from(spans));
        }
        drawn
    }

    fn gutter(&self, row: usize) -> &'static str {
        match self.item.view().kind {
            _ if row > 0 => "  ",
            ItemKind::Exec | ItemKind::Line | ItemKind::Shell | ItemKind::Stdin => "$ ",
            ItemKind::Input | ItemKind::Keys | ItemKind::Control | ItemKind::File => "> ",
        }
    }

    /// What stands between command and preview.
    fn rule(&self, model: &Model) -> Vec<Span<'static>> {
        let theme = model.settings.theme;
        let Some((shown, _)) = &self.preview else { return Vec::new() };
        let what = match (self.item.diff.is_some(), self.item.view().kind) {
            (true, _) => "DIFFERENCE",
            (false, ItemKind::Keys | ItemKind::Control) => "THESE KEYS",
            (false, ItemKind::File) => "CONTENT",
            (false, _) => "PREVIEW",
        };
        let s = if shown.lines == 1 { "" } else { "s" };
        let mut spans = vec![
            Span::styled(what, theme.label()),
            Span::styled(format!(" {} line{s}, {}", shown.lines, bytes(shown.bytes)), theme.dim()),
        ];
        if let Some(diff) = self.item.diff {
            spans.push(Span::styled(format!("  +{}", diff.added), theme.ok()));
            spans.push(Span::styled(format!(" -{}", diff.removed), theme.error()));
        }
        if shown.hidden > 0 {
            let s = if shown.hidden == 1 { "" } else { "s" };
            spans.push(Span::styled(format!("  {} hidden char{s}", shown.hidden), theme.error()));
        }
        spans
    }

    /// The line under it all: size, hidden characters, whether the end was shown.
    pub(super) fn facts(
        &self,
        model: &Model,
        scroll: usize,
        view: usize,
        columns: usize,
    ) -> Line<'static> {
        let theme = model.settings.theme;
        let item = self.item;
        let (c, rows) = (self.text, self.len());
        let dot = theme.pick(" · ", " - ");
        // (text, style, how soon it goes when there is no room; 0 stays)
        let mut parts: Vec<(String, Style, u8)> = Vec::new();
        if rows > view {
            parts.push((
                format!("rows {}-{}/{rows}", scroll + 1, scroll + view),
                theme.strong(),
                4,
            ));
        }
        if self.masked {
            let key = model.settings.keymap.key(Action::Reveal);
            parts.push((format!("typed without echo: {key} shows it"), theme.warn(), 0));
        } else if c.lines > 1 {
            parts.push((format!("{} lines", c.lines), theme.strong(), 1));
        } else {
            parts.push(("1 line".to_owned(), theme.dim(), 3));
        }
        if !self.masked {
            parts.push((bytes(c.bytes), theme.dim(), 2));
        }
        match (c.hidden, c.foreign) {
            _ if self.masked => {}
            (0, 0) => parts.push(("no hidden characters".to_owned(), theme.dim(), 6)),
            (hidden, foreign) => {
                if hidden > 0 {
                    let s = if hidden == 1 { "" } else { "s" };
                    parts.push((format!("{hidden} hidden char{s}"), theme.error(), 0));
                }
                if foreign > 0 {
                    parts.push((format!("{foreign} not ASCII"), theme.warn(), 5));
                }
            }
        }
        if item.end_seen(self.masked) || scroll + view >= rows {
            let percent = item.seen_percent();
            let part = match percent {
                100 => String::new(),
                _ if rows <= view => String::new(),
                n => format!(" ({n}% read)"),
            };
            parts.push((format!("end shown {}{part}", theme.pick("✓", "ok")), theme.ok(), 0));
        } else {
            let key = model.settings.keymap.key(Action::PageDown);
            parts.push((format!("end NOT shown ({key})"), theme.error(), 0));
        }
        while 2 + parts.iter().map(|p| width(&p.0) + 3).sum::<usize>() > columns + 3 {
            let Some(first) = parts.iter().map(|p| p.2).max().filter(|p| *p > 0) else { break };
            parts.retain(|p| p.2 != first);
        }
        let mut spans = vec![Span::raw("  ")];
        for (i, (text, style, _)) in parts.into_iter().enumerate() {
            if i > 0 {
                spans.push(Span::styled(dot, theme.dim()));
            }
            spans.push(Span::styled(text, style));
        }
        Line::from(spans)
    }
}

/// The line of `text` that `at` is in.
fn line_of(text: &str, at: usize) -> &str {
    let start = text.get(..at).and_then(|t| t.rfind('\n')).map_or(0, |n| n + 1);
    let line = text.get(start..).unwrap_or_default();
    line.get(..4).or_else(|| line.lines().next()).unwrap_or_default()
}

/// Ranges of the visible text that raised the score.
fn causes(item: &Item) -> Vec<Range<usize>> {
    let whole = item.command.text().trim().len();
    item.view()
        .terms
        .iter()
        .filter(|t| t.points > 0)
        .map(|t| item.command.range(t.span))
        // What points at everything highlights nothing.
        .filter(|r| !r.is_empty() && r.len() < whole)
        .collect()
}

/// How a byte that raised the score is drawn.
fn cause(model: &Model, level: Level, causes: &[Range<usize>], at: usize) -> Style {
    if causes.iter().any(|r| r.contains(&at)) {
        model.settings.theme.cause(level)
    } else {
        Style::new()
    }
}

/// One row of a text; what is hidden in it, and what was searched for, stands out.
fn pieces(
    model: &Model,
    shown: &VisibleText,
    row: &Range<usize>,
    plain: impl Fn(usize) -> Style,
    finds: &[Range<usize>],
) -> Vec<Span<'static>> {
    let theme = model.settings.theme;
    let text = shown.text().get(row.clone()).unwrap_or_default();
    let marks: Vec<&(Range<usize>, Mark)> = shown.marks(row).collect();
    let style_at = |at: usize| {
        if finds.iter().any(|r| r.contains(&at)) {
            return theme.found();
        }
        match marks.iter().find(|(r, _)| r.contains(&at)) {
            Some((_, Mark::Hidden)) => theme.hidden(),
            Some((_, Mark::NonAscii)) => theme.foreign(),
            _ => plain(at),
        }
    };
    let mut spans: Vec<Span<'static>> = Vec::new();
    let mut piece = String::new();
    let mut style = Style::new();
    for (i, c) in text.char_indices() {
        let s = style_at(row.start + i);
        if s != style && !piece.is_empty() {
            spans.push(Span::styled(std::mem::take(&mut piece), style));
        }
        style = s;
        piece.push(c);
    }
    spans.push(Span::styled(piece, style));
    spans
}
