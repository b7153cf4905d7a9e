//! The bytes under review: the command, and below it the preview. It must never
//! draw a byte other than through `VisibleText`, nor at the left edge, where our own labels stand.

use std::ops::Range;

use expacti_engine::Level;
use expacti_protocol::command::ItemKind;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::keymap::Action;
use crate::model::{Item, Match, Model, Section, came};
use crate::text::{bytes, clean, width};
use crate::visible_text::{Mark, Rows, VisibleText};

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
            ItemKind::Exec | ItemKind::Line | ItemKind::Stdin => "$ ",
            ItemKind::Input
            | ItemKind::Keys
            | ItemKind::Control
            | ItemKind::File
            | ItemKind::Signature => "> ",
        }
    }

    /// What stands between command and preview.
    fn rule(&self, model: &Model) -> Vec<Span<'static>> {
        let theme = model.settings.theme;
        let Some((shown, _)) = &self.preview else { return Vec::new() };
        let input = came(self.item.view()).filter(|_| self.item.view().preview.is_none());
        let what = match (self.item.diff.is_some(), self.item.view().kind) {
            _ if input.is_some() => "STANDARD INPUT",
            (true, _) => "DIFFERENCE",
            (false, ItemKind::Keys | ItemKind::Control) => "THESE KEYS",
            (false, ItemKind::File) => "CONTENT",
            (false, _) => "PREVIEW",
        };
        // Of input its own size, and not that of the difference that is shown before it.
        let own = input.and_then(|input| {
            let lines = input.text.as_ref().filter(|_| input.compared.is_some())?.lines().count();
            Some((lines, usize::try_from(input.given.bytes).unwrap_or(usize::MAX)))
        });
        let (lines, size) = own.unwrap_or((shown.lines, shown.bytes));
        let s = if lines == 1 { "" } else { "s" };
        let mut spans = vec![
            Span::styled(what, theme.label()),
            Span::styled(format!(" {lines} line{s}, {}", bytes(size)), theme.dim()),
        ];
        if let Some(input) = input.filter(|_| self.item.view().kind != ItemKind::Stdin) {
            let end = if input.given.ended { "all of it" } else { "so far" };
            spans.push(Span::styled(format!("  {}, {end}", input.kind), theme.strong()));
            // Of a text it is only what is wrong with it.
            if let Some(note) = input.preview.first().filter(|_| input.text.is_some()) {
                spans.push(Span::styled(format!("  {}", clean(note, 100)), theme.error()));
            }
        }
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
        let mut facts = Vec::new();
        let rows = self.len();
        if rows > view {
            let text = format!("rows {}-{}/{rows}", scroll + 1, scroll + view);
            facts.push(Fact::less(4, text, theme.strong()));
        }
        facts.extend(self.size_facts(model));
        facts.push(self.end_fact(model, scroll + view >= rows, rows > view));
        while 2 + facts.iter().map(|f| width(&f.text) + 3).sum::<usize>() > columns + 3 {
            let Some(least) = facts.iter().filter_map(|f| f.dropped).max() else { break };
            facts.retain(|f| f.dropped != Some(least));
        }
        let mut spans = vec![Span::raw("  ")];
        for (i, fact) in facts.into_iter().enumerate() {
            if i > 0 {
                spans.push(Span::styled(theme.pick(" · ", " - "), theme.dim()));
            }
            spans.push(Span::styled(fact.text, fact.style));
        }
        Line::from(spans)
    }

    /// Lines, bytes, and what would not have been seen.
    fn size_facts(&self, model: &Model) -> Vec<Fact> {
        let theme = model.settings.theme;
        if self.masked {
            let key = model.settings.keymap.key(Action::Reveal);
            let text = format!("typed without echo: {key} shows it");
            return vec![Fact::always(text, theme.warn())];
        }
        let text = self.text;
        let mut facts = vec![
            match text.lines {
                0 | 1 => Fact::less(3, "1 line".to_owned(), theme.dim()),
                lines => Fact::less(1, format!("{lines} lines"), theme.strong()),
            },
            Fact::less(2, bytes(text.bytes), theme.dim()),
        ];
        if text.hidden == 0 && text.non_ascii == 0 {
            facts.push(Fact::less(6, "no hidden characters".to_owned(), theme.dim()));
        }
        if text.hidden > 0 {
            let s = if text.hidden == 1 { "" } else { "s" };
            let text = format!("{} hidden char{s}", text.hidden);
            facts.push(Fact::always(text, theme.error()));
        }
        if text.non_ascii > 0 {
            facts.push(Fact::less(5, format!("{} not ASCII", text.non_ascii), theme.warn()));
        }
        facts
    }

    /// Whether the end was shown: an allow depends on it.
    fn end_fact(&self, model: &Model, in_sight: bool, scrolls: bool) -> Fact {
        let theme = model.settings.theme;
        if !in_sight && !self.item.end_seen(self.masked) {
            let key = model.settings.keymap.key(Action::PageDown);
            return Fact::always(format!("end NOT shown ({key})"), theme.error());
        }
        let read = match self.item.seen_percent() {
            100 => String::new(),
            percent if scrolls => format!(" ({percent}% read)"),
            _ => String::new(),
        };
        Fact::always(format!("end shown {}{read}", theme.pick("✓", "ok")), theme.ok())
    }
}

/// Something to say under the command.
struct Fact {
    text: String,
    style: Style,
    /// How soon it goes where there is no room, the highest first; one without a number stays.
    dropped: Option<u8>,
}

impl Fact {
    fn always(text: String, style: Style) -> Self {
        Self { text, style, dropped: None }
    }

    fn less(dropped: u8, text: String, style: Style) -> Self {
        Self { text, style, dropped: Some(dropped) }
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
            Some((_, Mark::NonAscii)) => theme.non_ascii(),
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
