//! The request under review: the exact command and what a decision rests on. It must never draw a
//! byte of the command other than through `Shown`, nor report a row as drawn that was not.

use std::ops::Range;

use expacti_engine::Level;
use expacti_protocol::command::CommandState;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{clock, countdown, panel, put, shown, wrapped};
use crate::keymap::Action;
use crate::model::{Area, Drawn, DrawnRequest, Item, Model, Pane, Stage};
use crate::text::{Piece, Rows, Shown, bytes, fit, width};
use crate::theme::badge;

/// Rows of the command that are kept even when everything else needs room.
const COMMAND_ROWS: usize = 3;

/// Allows of the same after which a rule is offered.
const REPEATED: u32 = 2;

/// Columns the command has inside a box of that width: borders, a space, the prompt.
fn command_columns(outer: u16) -> usize {
    usize::from(outer.saturating_sub(2)).saturating_sub(4).max(2)
}

/// The rows a box of that width wants.
pub(super) fn height(model: &Model, outer: u16) -> u16 {
    let Some(item) = model.item() else { return 0 };
    let columns = usize::from(outer.saturating_sub(4));
    let rows = rows(item, command_columns(outer)).len();
    let all = head(model, item, columns).len() + rows + 2 + facts_below(model, item, columns).len();
    u16::try_from(all + 2).unwrap_or(u16::MAX)
}

fn rows(item: &Item, columns: usize) -> Rows {
    item.command.rows(columns)
}

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect, drawn: &mut Drawn) {
    let theme = model.theme;
    let Some(item) = model.item() else { return empty(model, frame, area, drawn) };
    let (word, shape) = badge(item.level(), theme.ascii);
    let title = vec![
        Span::raw(format!("Request {} {} ", item.id().short(), theme.pick("·", "-"))),
        Span::styled(
            format!(" {} {} ", word.trim_end(), shape.trim_end()),
            theme.level(item.level()),
        ),
        Span::styled(format!(" {}", item.view().risk_score), theme.strong()),
    ];
    let inside = panel(model, frame, area, Pane::Request, title, foot(model, item));
    drawn.areas.push(Area { pane: Pane::Request, rect: inside, first: 0 });
    let inside = Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside };
    let columns = usize::from(inside.width);
    let room = usize::from(inside.height);
    let mut above = head(model, item, columns);
    let rows = rows(item, command_columns(area.width));
    let below = facts_below(model, item, columns);
    above.truncate(room.saturating_sub(COMMAND_ROWS + 1).max(usize::from(room > 2)));
    // The command, its one line of facts, and as much of the rest as fits.
    let free = room.saturating_sub(above.len() + 1);
    let view = rows.len().min(free.saturating_sub(below.len()).max(COMMAND_ROWS.min(free)));
    let max_scroll = rows.len().saturating_sub(view);
    let scroll = model.scroll.min(max_scroll);
    let mut y = 0;
    let mut line = |frame: &mut Frame<'_>, line: &Line<'_>| {
        put(frame, inside, y, line);
        y += 1;
    };
    for l in &above {
        line(frame, l);
    }
    let visible = rows.get(scroll..scroll + view).unwrap_or_default();
    let causes = causes(item);
    for (i, row) in visible.iter().enumerate() {
        let prompt = if scroll + i == 0 { "$ " } else { "  " };
        let mut spans = vec![Span::styled(prompt, theme.dim())];
        spans.extend(command_row(model, &item.command, item.level(), row, &causes));
        line(frame, &Line::from(spans));
    }
    line(frame, &facts(model, item, scroll, view, rows.len(), columns));
    for l in &below {
        line(frame, l);
    }
    drawn.page = view;
    drawn.max_scroll = max_scroll;
    let complete = area.width >= 20 && room >= 3;
    drawn.small |= !complete;
    if complete {
        drawn.request = Some(DrawnRequest {
            id: item.id().clone(),
            revision: item.view().revision,
            rows: visible.to_vec(),
        });
    }
}

/// What happens at the deadline.
fn foot(model: &Model, item: &Item) -> Vec<Span<'static>> {
    let theme = model.theme;
    if item.state() != CommandState::Pending {
        return Vec::new();
    }
    let (left, text) = countdown(model, item.view().deadline_ms);
    let whole = i64::try_from(item.view().timeout_seconds).unwrap_or(i64::MAX).saturating_mul(1000);
    vec![Span::styled(format!(" auto-DENY in {text} "), theme.countdown(left, whole))]
}

/// Above the command: where, who, why, and what has become of it.
fn head(model: &Model, item: &Item, columns: usize) -> Vec<Line<'static>> {
    let theme = model.theme;
    let card = &item.card;
    let mut lines = Vec::new();
    if let Some((text, style)) = band(model, item) {
        lines.push(Line::styled(fit(&format!(" {text} "), columns, theme.ascii), style));
    }
    let mut pairs = vec![
        ("", shown(model, &card.target), true),
        ("cwd ", shown(model, &card.cwd), false),
        ("agent ", shown(model, &card.agent), false),
        ("session ", item.view().session_id.short().to_owned(), false),
    ];
    if let Some(owner) = &card.owner {
        pairs.push(("for ", shown(model, owner), false));
    }
    if let Some(key) = &card.host_key {
        pairs.push(("host key ", shown(model, key), false));
    }
    let mut spans: Vec<Span<'static>> = Vec::new();
    let mut used = 0;
    for (label, value, strong) in pairs {
        let value = fit(&value, columns.saturating_sub(width(label)).max(4), theme.ascii);
        let need = width(label) + width(&value);
        if used > 0 && used + 2 + need > columns {
            lines.push(Line::from(std::mem::take(&mut spans)));
            used = 0;
        }
        if used > 0 {
            spans.push(Span::raw("  "));
            used += 2;
        }
        spans.push(Span::styled(label, theme.dim()));
        spans.push(Span::styled(value, if strong { theme.strong() } else { Style::new() }));
        used += need;
    }
    lines.push(Line::from(spans));
    if let Some(reason) = &card.reason {
        let text = fit(&shown(model, reason), columns.saturating_sub(15), theme.ascii);
        lines.push(Line::from(vec![Span::styled("the agent says ", theme.dim()), Span::raw(text)]));
    }
    lines
}

/// What has become of the request, when it does not simply wait.
fn band(model: &Model, item: &Item) -> Option<(String, Style)> {
    let theme = model.theme;
    let next = model.keymap.key(Action::NextRequest);
    if item.state() != CommandState::Pending {
        let (text, _) = crate::model::result(item.state(), item.view().outcome.as_ref());
        let by =
            item.card.decided.as_ref().map(|d| format!(" {}", shown(model, d))).unwrap_or_default();
        return Some((format!("{}{by}   {next} next", text.to_uppercase()), theme.alarm_calm()));
    }
    match &item.stage {
        Stage::Held { until, .. } => {
            let left = until.saturating_sub(model.now).div_ceil(1000);
            let undo = model.keymap.key(Action::Undo);
            Some((format!("ALLOW held for {left} s: {undo} takes it back"), theme.alarm_calm()))
        }
        Stage::Sent { allow, at, .. } => {
            let word = if *allow { "ALLOW" } else { "DENY" };
            let slow = if model.now >= at + 3_000 { ", no answer yet" } else { "" };
            Some((format!("{word} sent, not confirmed{slow}"), theme.alarm_calm()))
        }
        Stage::Done { allow: true } => {
            let n = item.view().approvals_missing;
            Some((format!("you approved; {n} more needed   {next} next"), theme.alarm_calm()))
        }
        Stage::Done { allow: false } => Some(("you denied".to_owned(), theme.alarm_calm())),
        Stage::Refused { why } => Some((format!("REFUSED {}", shown(model, why)), theme.alarm())),
        Stage::Open if !item.exact => Some((
            "THE BYTES DO NOT MATCH THEIR DIGEST: this can only be denied".to_owned(),
            theme.alarm(),
        )),
        Stage::Open if item.view().retry_of_denied => {
            Some(("denied before in this session: the agent tries again".to_owned(), theme.warn()))
        }
        Stage::Open => None,
    }
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

/// One row of the command.
fn command_row(
    model: &Model,
    command: &Shown,
    level: Level,
    row: &Range<usize>,
    causes: &[Range<usize>],
) -> Vec<Span<'static>> {
    let theme = model.theme;
    let text = command.text().get(row.clone()).unwrap_or_default();
    let marks: Vec<&(Range<usize>, Piece)> = command.marks(row).collect();
    let style_at = |at: usize| {
        match marks.iter().find(|(r, _)| r.contains(&at)) {
            Some((_, Piece::Hidden)) => return theme.hidden(),
            Some((_, Piece::Foreign)) => return theme.foreign(),
            _ => {}
        }
        if causes.iter().any(|r| r.contains(&at)) { theme.cause(level) } else { Style::new() }
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

/// The line under the command: size, hidden characters, whether the end was shown.
fn facts(
    model: &Model,
    item: &Item,
    scroll: usize,
    view: usize,
    rows: usize,
    columns: usize,
) -> Line<'static> {
    let theme = model.theme;
    let c = &item.command;
    let dot = theme.pick(" · ", " - ");
    // (text, style, how soon it goes when there is no room; 0 stays)
    let mut parts: Vec<(String, Style, u8)> = Vec::new();
    if rows > view {
        parts.push((format!("rows {}-{}/{rows}", scroll + 1, scroll + view), theme.strong(), 4));
    }
    if c.lines > 1 {
        parts.push((format!("{} lines", c.lines), theme.strong(), 1));
    } else {
        parts.push(("1 line".to_owned(), theme.dim(), 3));
    }
    parts.push((bytes(c.bytes), theme.dim(), 2));
    match (c.hidden, c.foreign) {
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
    if item.end_seen() || scroll + view >= rows {
        let percent = item.seen_percent();
        let part = match percent {
            100 => String::new(),
            _ if rows <= view => String::new(),
            n => format!(" ({n}% read)"),
        };
        parts.push((format!("end shown {}{part}", theme.pick("✓", "ok")), theme.ok(), 0));
    } else {
        let key = model.keymap.key(Action::PageDown);
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

/// Below the command, most important first.
fn facts_below(model: &Model, item: &Item, columns: usize) -> Vec<Line<'static>> {
    let theme = model.theme;
    let card = &item.card;
    let mut lines = Vec::new();
    why(model, item, columns, &mut lines);
    for (name, evidence) in &card.anomalies {
        let text = format!("{} {}", shown(model, &name.replace('_', " ")), shown(model, evidence));
        labelled(model, "UNUSUAL ", &text, theme.warn(), columns, 2, &mut lines);
    }
    if card.anomalies.is_empty() && item.view().anomaly {
        let names = crate::text::clean(&item.view().anomaly_reasons.join(", "), 200);
        labelled(model, "UNUSUAL ", &shown(model, &names), theme.warn(), columns, 2, &mut lines);
    }
    approvals(model, item, columns, &mut lines);
    let times = model.approved.get(&item.group).copied().unwrap_or(0);
    if times >= REPEATED && item.level() < Level::High && model.role.may_administer() {
        let key = model.keymap.key(Action::Rule);
        let text = format!("you allowed exactly this {times} times: {key} proposes a rule");
        labelled(model, "AGAIN ", &text, theme.ok(), columns, 1, &mut lines);
    }
    for note in &card.notes {
        labelled(model, "NOTE ", &shown(model, note), theme.warn(), columns, 2, &mut lines);
    }
    match &card.closest {
        Some((rule, differs)) => {
            let label = format!("CLOSEST RULE {} ", shown(model, rule));
            let text = format!("differs by: {}", shown(model, differs));
            labelled(model, &label, &text, Style::new(), columns, 2, &mut lines);
        }
        None if !card.rule_why.is_empty() => {
            labelled(
                model,
                "RULES ",
                &shown(model, &card.rule_why),
                theme.dim(),
                columns,
                1,
                &mut lines,
            );
        }
        None => {}
    }
    before(model, item, columns, &mut lines);
    lines
}

fn labelled(
    model: &Model,
    label: &str,
    text: &str,
    style: Style,
    columns: usize,
    most: usize,
    lines: &mut Vec<Line<'static>>,
) {
    let indent = width(label).min(columns / 2);
    for (i, row) in wrapped(text, columns.saturating_sub(indent), most).into_iter().enumerate() {
        let head = if i == 0 {
            Span::styled(fit(label, indent.max(4), model.theme.ascii), model.theme.label())
        } else {
            Span::raw(" ".repeat(indent))
        };
        lines.push(Line::from(vec![head, Span::styled(row, style)]));
    }
}

/// Each contribution to the score.
fn why(model: &Model, item: &Item, columns: usize, lines: &mut Vec<Line<'static>>) {
    let theme = model.theme;
    let label = format!("WHY {} ", item.view().risk_score);
    let mut spans = vec![Span::styled(label.clone(), theme.label())];
    let mut used = width(&label);
    let indent = used;
    let mut terms: Vec<&(i32, String, String)> = item.card.terms.iter().collect();
    terms.sort_by_key(|t| -t.0);
    let mut rows = 0;
    for (points, name, why) in terms {
        let text =
            if why.is_empty() || width(why) > 34 { name.replace('_', " ") } else { why.clone() };
        let points = format!("{points:+}");
        let text = format!(" {}", shown(model, &text));
        let need = width(&points) + width(&text) + 2;
        if used + need > columns + 2 && used > indent {
            lines.push(Line::from(std::mem::take(&mut spans)));
            rows += 1;
            if rows == 3 {
                return;
            }
            spans.push(Span::raw(" ".repeat(indent)));
            used = indent;
        }
        let style = if points.starts_with('+') { theme.level(item.level()) } else { theme.ok() };
        let style = style.remove_modifier(ratatui::style::Modifier::REVERSED);
        spans.push(Span::styled(points, style));
        spans.push(Span::raw(format!("{text}  ")));
        used += need;
    }
    lines.push(Line::from(spans));
}

/// Who must approve and who has.
fn approvals(model: &Model, item: &Item, columns: usize, lines: &mut Vec<Line<'static>>) {
    let card = &item.card;
    if card.requirement.is_empty() && card.votes.is_empty() && item.view().approvals_missing <= 1 {
        return;
    }
    let mut parts = Vec::new();
    if item.state() == CommandState::Pending {
        parts.push(format!("{} more needed", item.view().approvals_missing.max(1)));
    }
    if !card.requirement.is_empty() {
        parts.push(shown(model, &card.requirement));
    }
    for (by, allow, comment) in &card.votes {
        let word = if *allow { "yes" } else { "no" };
        let dash = if comment.is_empty() { "" } else { " " };
        parts.push(shown(model, &format!("{by}: {word}{dash}{comment}")));
    }
    let text = parts.join(model.theme.pick(" · ", " - "));
    labelled(model, "APPROVALS ", &text, Style::new(), columns, 2, lines);
}

/// The last commands of the session with their results.
fn before(model: &Model, item: &Item, columns: usize, lines: &mut Vec<Line<'static>>) {
    let theme = model.theme;
    let Some(past) = model.past.get(&item.view().session_id) else { return };
    let list: Vec<_> = past.iter().filter(|p| &p.id != item.id()).collect();
    let skip = list.len().saturating_sub(3);
    for (i, p) in list.into_iter().skip(skip).enumerate() {
        let label = if i == 0 { "BEFORE " } else { "       " };
        let style = if p.good { theme.ok() } else { theme.warn() };
        let head = format!("{} ", clock(model, p.at));
        let room = columns.saturating_sub(7 + width(&head) + width(&p.result) + 2);
        lines.push(Line::from(vec![
            Span::styled(label, theme.label()),
            Span::styled(head, theme.dim()),
            Span::styled(format!("{}  ", p.result), style),
            Span::styled(fit(&shown(model, &p.headline), room, theme.ascii), theme.dim()),
        ]));
    }
}

/// Nothing is selected.
fn empty(model: &Model, frame: &mut Frame<'_>, area: Rect, drawn: &mut Drawn) {
    let theme = model.theme;
    let inside = panel(model, frame, area, Pane::Request, vec![Span::raw("Request")], Vec::new());
    drawn.areas.push(Area { pane: Pane::Request, rect: inside, first: 0 });
    let columns = usize::from(inside.width).saturating_sub(4);
    let mut lines: Vec<Line<'static>> = Vec::new();
    let waits = model.pending().count();
    if waits > 0 {
        let text =
            format!("{waits} waiting; {} takes the next", model.keymap.key(Action::NextRequest));
        lines.push(Line::styled(text, theme.strong()));
    } else {
        lines.push(Line::styled("Nothing to review", theme.strong()));
    }
    if let Some(last) = &model.last {
        let word = if last.allow { "allowed" } else { "denied" };
        let state = model.items.get(&last.id).map(|i| match (&i.stage, i.state()) {
            (Stage::Held { .. }, _) => " (held)",
            (Stage::Sent { .. }, CommandState::Pending) => " (sending)",
            (Stage::Refused { .. }, _) => " (REFUSED)",
            _ => "",
        });
        let at = clock(model, last.at_ms / 1000);
        let text = format!("last: {at} {word}{} ", state.unwrap_or_default());
        let room = columns.saturating_sub(width(&text));
        lines.push(Line::from(vec![
            Span::styled(text, theme.dim()),
            Span::raw(fit(&shown(model, &last.headline), room, theme.ascii)),
        ]));
    }
    let live = model.sessions.values().filter(|s| s.view.closed_at.is_none()).count();
    let text = match live {
        0 => "no agent is connected: expacti wrap -- ssh host".to_owned(),
        1 => "1 session is open".to_owned(),
        n => format!("{n} sessions are open"),
    };
    lines.push(Line::styled(text, theme.dim()));
    let top = inside.height.saturating_sub(u16::try_from(lines.len()).unwrap_or(0)) / 2;
    for (y, line) in (top..inside.height).zip(&lines) {
        let w = u16::try_from(line.width()).unwrap_or(0).min(inside.width);
        let x = inside.x + (inside.width - w) / 2;
        let area = Rect { x, width: w, ..inside };
        put(frame, area, y, line);
    }
}
