//! Lists over the whole screen, and the rule being proposed. It must never cut off the part of a
//! rule that says what it lets through.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Widget as _};

use super::{clock, put, shown, wrapped};
use crate::keymap::Action;
use crate::model::{Drawn, List, Model, RuleProposal, Tone, Voting};
use crate::text::{clean, fit, width};
use crate::theme::badge;
use crate::time::ARMING;

fn boxed(model: &Model, frame: &mut Frame<'_>, area: Rect, title: String, foot: String) -> Rect {
    let theme = model.theme;
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

pub(super) fn draw(
    model: &Model,
    list: &List,
    frame: &mut Frame<'_>,
    area: Rect,
    drawn: &mut Drawn,
) {
    let theme = model.theme;
    let rows = list.shown();
    let key = |action| model.keymap.key(action);
    let title = format!(" {} {} ", list.title, rows.len());
    let foot = match &list.typing {
        Some(input) => {
            format!(" /{}{} ", shown(model, &clean(input.value(), 60)), theme.pick("▏", "_"))
        }
        None => {
            let filter = match list.filter.as_str() {
                "" => String::new(),
                f => format!("filter: {}   ", shown(model, &clean(f, 40))),
            };
            let ballot = rows.get(list.at).and_then(|row| row.ballot.as_ref());
            let mut keys = Vec::new();
            if ballot.is_some_and(|m| m.locked.is_none()) {
                keys.push((Action::Allow, "approve"));
            }
            if ballot.is_some_and(|m| m.may_drop) {
                keys.push((Action::Deny, "drop"));
            }
            if rows.get(list.at).is_some_and(|row| row.session.is_some()) {
                keys.push((Action::Replay, "replay"));
            }
            keys.extend([
                (Action::Filter, "filter"),
                (Action::CopyId, "copy"),
                (Action::Back, "back"),
            ]);
            let keys: Vec<String> =
                keys.into_iter().map(|(action, word)| format!("{} {word}", key(action))).collect();
            format!(" {filter}{} ", keys.join("  "))
        }
    };
    let inside = boxed(model, frame, area, title, foot);
    let height = usize::from(inside.height);
    drawn.page = height;
    if let Some(note) = &list.note {
        let rows = wrapped(&shown(model, note), usize::from(inside.width).saturating_sub(2), 6);
        for (y, row) in (0..inside.height).zip(rows) {
            put(frame, inside, y, &Line::styled(format!(" {row}"), theme.dim()));
        }
    }
    let first = (list.at + 1).saturating_sub(height);
    for (y, (i, row)) in (0..inside.height).zip(rows.iter().enumerate().skip(first)) {
        let here = i == list.at;
        let mut spans = vec![Span::styled(if here { ">" } else { " " }, theme.key())];
        if let Some(at) = row.at {
            spans.push(Span::styled(format!("{} ", clock(model, at)), theme.dim()));
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
                    spans.push(Span::styled(
                        format!("{word} {}", shape.trim_end()),
                        theme.level(*level),
                    ));
                    spans.push(Span::raw(" ".repeat(4 - width(shape.trim_end()))));
                    continue;
                }
            };
            let style = if here { style.patch(theme.strong()) } else { style };
            spans.push(Span::styled(format!("{} ", shown(model, text)), style));
        }
        put(frame, inside, y, &Line::from(spans));
        if here {
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
        vote(model, voting, frame, area, drawn);
    }
}

/// A vote that waits for its second step: all of what it is about.
fn vote(model: &Model, voting: &Voting, frame: &mut Frame<'_>, all: Rect, drawn: &mut Drawn) {
    let theme = model.theme;
    let ballot = &voting.ballot;
    let columns = usize::from(all.width).saturating_sub(6).clamp(8, 92);
    let label = if columns >= 40 { 11 } else { 0 };
    let mut lines: Vec<Line<'static>> = Vec::new();
    for (name, text) in &ballot.lines {
        let room = columns.saturating_sub(label.max(1));
        if label == 0 {
            lines.push(Line::styled(*name, theme.label()));
        }
        for (n, row) in wrapped(&shown(model, text), room, usize::MAX).into_iter().enumerate() {
            let head = if n == 0 && label > 0 { *name } else { "" };
            let head = format!("{head:<width$}", width = label.max(1));
            lines.push(Line::from(vec![Span::styled(head, theme.label()), Span::raw(row)]));
        }
    }
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
    let width = u16::try_from(columns + 4).unwrap_or(all.width);
    let area = super::chrome::centred(all, width, height);
    frame.render_widget(Clear, area);
    let word = if voting.approve { "APPROVE" } else { "DROP" };
    let title = format!(" {word}: {} ", ballot.title);
    let view = usize::from(area.height.saturating_sub(2));
    let most = lines.len().saturating_sub(view);
    let scroll = voting.scroll.min(most);
    // It is on the screen when its end is.
    drawn.question = view > 0 && scroll == most && area.width >= 20;
    (drawn.page, drawn.max_scroll) = (view, most);
    let foot = match (drawn.question, model.answerable()) {
        (false, _) => format!(" end NOT shown: {} ", model.keymap.key(Action::PageDown)),
        (true, false) => " look first … ".to_owned(),
        (true, true) => format!(" press y to {}   any other key leaves ", word.to_lowercase()),
    };
    let inside = boxed(model, frame, area, title, shown(model, &foot));
    let inside = Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside };
    for (y, line) in (0..inside.height).zip(lines.iter().skip(scroll)) {
        put(frame, inside, y, line);
    }
}

/// The rule that is being proposed, over everything else.
pub(super) fn draft(model: &Model, draft: &RuleProposal, frame: &mut Frame<'_>, all: Rect) {
    let theme = model.theme;
    let columns = usize::from(all.width).saturating_sub(8).clamp(20, 92);
    let mut lines: Vec<Line<'static>> = Vec::new();
    match &draft.candidates {
        None => lines.push(Line::styled("looking at what was decided before …", theme.dim())),
        Some(list) if list.is_empty() => {
            lines.push(Line::raw("No rule can match this safely: it is more than plain words."));
        }
        Some(list) => {
            for (i, c) in list.iter().enumerate() {
                let here = i == draft.at;
                let kind = format!("{:?}", c.rule.kind).to_lowercase();
                let head = format!("{} {kind:<6} ", if here { ">" } else { " " });
                let pattern = shown(model, &clean(&c.rule.pattern, 400));
                let style = if here { theme.strong() } else { theme.dim() };
                for (n, row) in wrapped(&pattern, columns - 9, 4).into_iter().enumerate() {
                    let head = if n == 0 { head.clone() } else { " ".repeat(9) };
                    lines.push(Line::from(vec![
                        Span::styled(head, theme.key()),
                        Span::styled(row, style),
                    ]));
                }
            }
            if let Some(c) = list.get(draft.at) {
                let s = &c.rule.scope;
                let scope: Vec<String> =
                    [("agent", &s.agent), ("target", &s.target), ("user", &s.user), ("in", &s.cwd)]
                        .into_iter()
                        .filter_map(|(n, v)| Some(format!("{n} {}", v.as_ref()?)))
                        .collect();
                let field = |label: &str, text: &str, style: Style| {
                    let text = fit(
                        &shown(model, &clean(text, 300)),
                        columns.saturating_sub(10),
                        theme.ascii,
                    );
                    Line::from(vec![
                        Span::styled(format!("{label:<10}"), theme.label()),
                        Span::styled(text, style),
                    ])
                };
                lines.push(Line::raw(""));
                lines.push(field("WHY", &c.why, Style::new()));
                lines.push(field("WHERE", &scope.join(", "), Style::new()));
                let hours = draft.hours();
                let term = if hours >= 48 {
                    format!("{} days", hours / 24)
                } else {
                    format!("{hours} hour{}", if hours == 1 { "" } else { "s" })
                };
                lines.push(field(
                    "FOR",
                    &format!("{term}   (left, right: shorter, longer)"),
                    Style::new(),
                ));
                let b = &c.backtest;
                let text = format!(
                    "of {} commands people decided it would have let through {}, {} of them denied by a person",
                    b.total, b.matched, b.against_people
                );
                let style = if b.against_people > 0 { theme.error() } else { Style::new() };
                for (n, row) in wrapped(&text, columns - 10, 3).into_iter().enumerate() {
                    lines.push(field(if n == 0 { "BACKTEST" } else { "" }, &row, style));
                }
                for denied in b.contradicted.iter().take(3) {
                    lines.push(field("DENIED", denied, theme.error()));
                }
                let more = b.examples.iter().filter(|e| !b.contradicted.contains(e));
                for (n, example) in more.take(3).enumerate() {
                    lines.push(field(if n == 0 { "SUCH AS" } else { "" }, example, theme.dim()));
                }
                if let Some(level) = b.highest {
                    lines.push(field("HIGHEST", level.as_str(), theme.level(level)));
                }
            }
        }
    }
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
    let area = super::chrome::centred(all, u16::try_from(columns + 4).unwrap_or(all.width), height);
    frame.render_widget(Clear, area);
    let ready = draft.candidates.as_ref().is_some_and(|c| !c.is_empty());
    let foot = match (ready, model.now >= draft.since + ARMING) {
        (true, true) => " press y to add the rule   any other key leaves ",
        (true, false) => " look first … ",
        _ => " any key leaves ",
    };
    let title = " Allow this in future without asking ".to_owned();
    let inside = boxed(model, frame, area, title, shown(model, foot));
    let inside = Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside };
    for (y, line) in (0..inside.height).zip(&lines) {
        put(frame, inside, y, line);
    }
}
