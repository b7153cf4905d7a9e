//! Draws a player. It must never let the recording draw outside its box.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Widget as _};

use super::playback::Player;
use crate::emulator::DrawOptions;
use crate::text::{clean, duration, fit, fit_middle, width};
use crate::theme::{Theme, badge};

const CHAPTERS: u16 = 34;

pub(crate) fn draw(player: &Player, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let [body, bar, keys] =
        Layout::vertical([Constraint::Min(1), Constraint::Length(1), Constraint::Length(1)])
            .areas(area);
    let cols = u16::try_from(player.emulator.size().0).unwrap_or(u16::MAX);
    // The list of chapters takes room that the terminal does not need, or a wide screen has.
    let spare = body.width.saturating_sub(cols.saturating_add(2));
    let list = !player.chapters.is_empty() && (spare >= CHAPTERS || body.width >= 110);
    let side = if list { CHAPTERS.max(spare.min(60)) } else { 0 };
    let [main, side] =
        Layout::horizontal([Constraint::Min(1), Constraint::Length(side)]).areas(body);
    terminal(player, theme, frame, main);
    if list {
        chapters(player, theme, frame, side);
    }
    progress(player, theme, frame, bar);
    let line = footer(player, theme, usize::from(keys.width));
    frame.buffer_mut().set_line(keys.x, keys.y, &line, keys.width);
}

fn boxed(theme: Theme, title: String, style: Style) -> Block<'static> {
    Block::new()
        .borders(Borders::ALL)
        .border_set(theme.border_set())
        .border_style(style)
        .title(title)
}

fn terminal(player: &Player, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let (cols, rows) = player.emulator.size();
    let dot = theme.pick("·", "-");
    let name = theme.shown(&player.title);
    let dot = if name.is_empty() { String::new() } else { format!(" {dot} ") };
    let title = format!(" {name}{dot}{cols}x{rows} ");
    let block = boxed(
        theme,
        fit(&title, usize::from(area.width.saturating_sub(2)), theme.ascii),
        theme.border_focused(),
    );
    let inside = block.inner(area);
    block.render(area, frame.buffer_mut());
    let look = DrawOptions { colour: theme.colour, cursor: true, back: 0, find: player.needle() };
    player.emulator.draw(inside, frame.buffer_mut(), &look);
    if theme.ascii {
        for y in inside.top()..inside.bottom() {
            for x in inside.left()..inside.right() {
                if let Some(cell) = frame.buffer_mut().cell_mut((x, y))
                    && !cell.symbol().is_ascii()
                {
                    cell.set_symbol("?");
                }
            }
        }
    }
}

fn chapters(player: &Player, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let current = player.chapter();
    let verdict = current.and_then(|c| player.chapters.get(c)).map(|c| c.verdict.as_str());
    let mut block = boxed(theme, format!(" Chapters {} ", player.chapters.len()), theme.border());
    if let Some(verdict) = verdict.filter(|v| !v.is_empty()) {
        let room = usize::from(area.width.saturating_sub(4));
        let text = fit(&theme.shown(verdict), room, theme.ascii);
        block = block.title_bottom(format!(" {text} "));
    }
    let inside = block.inner(area);
    block.render(area, frame.buffer_mut());
    let height = usize::from(inside.height);
    let first = current.map_or(0, |c| (c + 1).saturating_sub(height));
    for (y, (i, chapter)) in
        (inside.top()..inside.bottom()).zip(player.chapters.iter().enumerate().skip(first))
    {
        let here = Some(i) == current;
        let style = if here { theme.strong() } else { Style::new() };
        let mark = if here { ">" } else { " " };
        let head = format!("{mark}{:>5} ", duration(chapter.time as i64));
        let (done, colour) = match chapter.allowed {
            Some(true) => (theme.pick("✓ ", "+ "), theme.ok()),
            Some(false) => (theme.pick("✗ ", "x "), theme.warn()),
            None => ("", Style::new()),
        };
        let mut spans = vec![
            Span::styled(head, if here { theme.key() } else { theme.dim() }),
            Span::styled(done, colour),
        ];
        if let Some(level) = chapter.level {
            let (_, shape) = badge(level, theme.ascii);
            spans.push(Span::styled(shape, theme.level(level)));
            spans.push(Span::raw(" "));
        }
        let used: usize = spans.iter().map(|s| width(&s.content)).sum();
        let room = usize::from(inside.width).saturating_sub(used);
        let label = fit_middle(&theme.shown(&chapter.label), room, theme.ascii);
        spans.push(Span::styled(label, style));
        frame.buffer_mut().set_line(inside.x, y, &Line::from(spans), inside.width);
    }
}

fn progress(player: &Player, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let whole = player.duration();
    let state = if player.playing { theme.pick("▶", ">") } else { theme.pick("‖", "=") };
    let left = format!(" {state} {} ", duration(player.time as i64));
    let right = format!(" {}  {}x ", duration(whole as i64), player.speed);
    let columns = usize::from(area.width).saturating_sub(width(&left) + width(&right));
    let place = |time: f64| {
        if whole <= 0.0 {
            0
        } else {
            ((time / whole) * (columns.saturating_sub(1)) as f64) as usize
        }
    };
    let at = place(player.time);
    let mut bar: Vec<(&str, Style)> = (0..columns)
        .map(|i| (if i < at { theme.pick("━", "=") } else { theme.pick("─", "-") }, theme.label()))
        .collect();
    for chapter in &player.chapters {
        if let Some(cell) = bar.get_mut(place(chapter.time)) {
            let style = chapter.level.map_or(theme.label(), |level| theme.level(level));
            *cell = (theme.pick("◆", "*"), style.remove_modifier(Modifier::REVERSED));
        }
    }
    if let Some(cell) = bar.get_mut(at) {
        *cell = (theme.pick("●", "O"), theme.key());
    }
    let mut spans = vec![Span::styled(left, theme.strong())];
    spans.extend(bar.into_iter().map(|(symbol, style)| Span::styled(symbol, style)));
    spans.push(Span::styled(right, theme.dim()));
    frame.buffer_mut().set_line(area.x, area.y, &Line::from(spans), area.width);
}

fn footer(player: &Player, theme: Theme, columns: usize) -> Line<'static> {
    if let Some(input) = &player.search {
        return Line::from(vec![
            Span::styled(" /", theme.key()),
            Span::raw(theme.shown(&clean(input.value(), 200))),
            Span::styled(theme.pick("▏", "_"), theme.key()),
        ]);
    }
    let mut spans = vec![Span::raw(" ")];
    if player.waits() {
        let text = format!("reading ahead {}   ", theme.pick("…", "..."));
        spans.push(Span::styled(text, theme.warn()));
    }
    if let Some(note) = &player.note {
        spans.push(Span::styled(format!("{note}   "), theme.warn()));
    }
    for (key, word) in [
        ("q", "back"),
        ("space", if player.playing { "pause" } else { "play" }),
        (theme.pick("←→", "left/right"), "5 s"),
        ("[ ]", "chapter"),
        (". ,", "frame"),
        ("< >", "speed"),
        ("0-9", "jump"),
        ("/ n", "find"),
    ] {
        let used: usize = spans.iter().map(|s| width(&s.content)).sum();
        if used + width(key) + width(word) + 1 > columns {
            break;
        }
        spans.push(Span::styled(key, theme.key()));
        spans.push(Span::raw(format!(" {word}  ")));
    }
    Line::from(spans)
}
