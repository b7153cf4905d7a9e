//! Draws the model. It must never change anything, and reports exactly what it put on the screen.

mod body;
mod chrome;
mod dialog;
mod list;
mod live;
mod queue;
mod rationale;
mod request;
mod sessions;

use expacti_engine::Level;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Widget as _};

use crate::model::{Drawn, Mode, Model, Pane};
use crate::text;

/// The smallest screen on which what an allow rests on has room.
const ALLOW_COLS: u16 = 40;
const ALLOW_ROWS: u16 = 12;

/// Draws everything and says what was drawn.
pub(crate) fn view(model: &Model, frame: &mut Frame<'_>) -> Drawn {
    let all = frame.area();
    let mut drawn =
        Drawn { small: all.width < ALLOW_COLS || all.height < ALLOW_ROWS, ..Drawn::default() };
    if all.width == 0 || all.height == 0 {
        return drawn;
    }
    if let Mode::Help(scroll) = model.mode {
        chrome::help(model, frame, all, scroll);
        return drawn;
    }
    if covers(model, frame, all, &mut drawn) {
        return drawn;
    }
    if all.width >= 80 && all.height >= 20 {
        full(model, frame, all, &mut drawn);
    } else {
        card(model, frame, all, &mut drawn);
    }
    if !matches!(model.link, crate::model::LinkState::Up { .. }) {
        chrome::freeze(frame, all);
        chrome::disconnected(model, frame, all);
    }
    if let Mode::Rule(draft) = &model.mode {
        list::draft(model, draft, frame, all);
        // It covers what a decision would rest on.
        drawn.request = None;
    }
    drawn
}

/// Screens that take all the room: a replay, a list. What waits stays in sight above.
fn covers(model: &Model, frame: &mut Frame<'_>, all: Rect, drawn: &mut Drawn) -> bool {
    if !matches!(model.mode, Mode::Replay(_) | Mode::List(_)) {
        return false;
    }
    let notes: Vec<Line<'_>> =
        chrome::note_lines(model, usize::from(all.width)).into_iter().take(1).collect();
    let [header, body, note] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(u16::try_from(notes.len()).unwrap_or(0)),
    ])
    .areas(all);
    chrome::header(model, frame, header);
    match &model.mode {
        Mode::Replay(player) => crate::player::draw(player, model.theme, frame, body),
        Mode::List(list) => list::draw(model, list, frame, body, drawn),
        _ => {}
    }
    chrome::notes(frame, note, notes);
    true
}

/// Header, panes, footer.
fn full(model: &Model, frame: &mut Frame<'_>, all: Rect, drawn: &mut Drawn) {
    let notes = chrome::note_lines(model, usize::from(all.width));
    let question = dialog::lines(model, usize::from(all.width));
    let [header, banner, body, ask, note, footer] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(u16::from(model.banner.is_some())),
        Constraint::Min(1),
        Constraint::Length(u16::try_from(question.len()).unwrap_or(0)),
        Constraint::Length(u16::try_from(notes.len()).unwrap_or(0)),
        Constraint::Length(1),
    ])
    .areas(all);
    chrome::header(model, frame, header);
    chrome::banner(model, frame, banner);
    if all.width >= 100 && all.height >= 28 {
        columns(model, frame, body, drawn);
    } else {
        stacked(model, frame, body, drawn);
    }
    drawn.question = !question.is_empty() && usize::from(ask.height) >= question.len();
    chrome::notes(frame, ask, question);
    chrome::notes(frame, note, notes);
    chrome::footer(model, frame, footer);
}

/// From 100x28: lists on the left, request and live view on the right.
fn columns(model: &Model, frame: &mut Frame<'_>, body: Rect, drawn: &mut Drawn) {
    let left = (body.width * 3 / 8).clamp(38, 64);
    let [left, right] =
        Layout::horizontal([Constraint::Length(left), Constraint::Min(1)]).areas(body);
    let rows = u16::try_from(model.session_rows().len()).unwrap_or(u16::MAX);
    let sessions = rows.saturating_add(2).clamp(4, body.height / 3);
    let [queue, sessions] =
        Layout::vertical([Constraint::Min(4), Constraint::Length(sessions)]).areas(left);
    queue::draw(model, frame, queue, drawn);
    sessions::draw(model, frame, sessions, drawn);
    if model.tiles {
        return live::tiles(model, frame, right, drawn);
    }
    let want = request::height(model, right.width);
    let live = if model.pane == Pane::Live { body.height * 2 / 3 } else { body.height / 4 };
    let most = body.height.saturating_sub(live.max(5));
    let [request, live] = Layout::vertical([
        Constraint::Length(want.max(body.height * 9 / 20).min(most)),
        Constraint::Min(4),
    ])
    .areas(right);
    request::draw(model, frame, request, drawn);
    live::draw(model, frame, live, drawn);
}

/// From 80x20: the queue above the request; other panes take the request's place.
fn stacked(model: &Model, frame: &mut Frame<'_>, body: Rect, drawn: &mut Drawn) {
    let rows = u16::try_from(model.queue().len()).unwrap_or(u16::MAX);
    let top = rows.saturating_add(2).clamp(4, body.height / 3);
    let [upper, lower] =
        Layout::vertical([Constraint::Length(top), Constraint::Min(4)]).areas(body);
    match model.pane {
        Pane::Queue | Pane::Request if !model.tiles => {
            queue::draw(model, frame, upper, drawn);
            request::draw(model, frame, lower, drawn);
        }
        _ if model.tiles => {
            queue::draw(model, frame, upper, drawn);
            live::tiles(model, frame, lower, drawn);
        }
        Pane::Sessions | Pane::Live => {
            sessions::draw(model, frame, upper, drawn);
            live::draw(model, frame, lower, drawn);
        }
        Pane::Queue | Pane::Request => {}
    }
}

/// Down to 40x12 and below: one card.
fn card(model: &Model, frame: &mut Frame<'_>, all: Rect, drawn: &mut Drawn) {
    let notes = chrome::note_lines(model, usize::from(all.width));
    let notes: Vec<Line<'_>> = notes.into_iter().take(1).collect();
    let head = u16::from(all.height >= 8);
    let question = dialog::lines(model, usize::from(all.width));
    let [header, body, ask, note, footer] = Layout::vertical([
        Constraint::Length(head),
        Constraint::Min(1),
        Constraint::Length(u16::try_from(question.len()).unwrap_or(0)),
        Constraint::Length(u16::try_from(notes.len()).unwrap_or(0).min(head)),
        Constraint::Length(1),
    ])
    .areas(all);
    if head > 0 {
        chrome::header(model, frame, header);
    }
    match model.pane {
        Pane::Sessions => sessions::draw(model, frame, body, drawn),
        Pane::Live => live::draw(model, frame, body, drawn),
        Pane::Queue if model.item().is_none() && !model.items.is_empty() => {
            queue::draw(model, frame, body, drawn);
        }
        Pane::Queue | Pane::Request => request::draw(model, frame, body, drawn),
    }
    drawn.question = !question.is_empty() && usize::from(ask.height) >= question.len();
    chrome::notes(frame, ask, question);
    chrome::notes(frame, note, notes);
    chrome::footer(model, frame, footer);
}

/// A box with a title above and one below; returns its inside.
fn panel(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    pane: Pane,
    title: Vec<Span<'_>>,
    foot: Vec<Span<'_>>,
) -> Rect {
    panel_of(model, frame, area, pane, None, title, foot)
}

/// The same, for what has a level.
fn panel_of(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    pane: Pane,
    level: Option<Level>,
    title: Vec<Span<'_>>,
    foot: Vec<Span<'_>>,
) -> Rect {
    let theme = model.theme;
    let focused = model.pane == pane;
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

/// Clean text for this theme: nothing but ASCII where only that can be drawn.
fn shown(model: &Model, text: &str) -> String {
    if model.theme.ascii { text::to_ascii(text).into_owned() } else { text.to_owned() }
}

/// A line, cut to the width of `area` at row `y`.
fn put(frame: &mut Frame<'_>, area: Rect, y: u16, line: &Line<'_>) {
    if y < area.height {
        frame.buffer_mut().set_line(area.x, area.y + y, line, area.width);
    }
}

/// Clean text broken into lines of `columns` at spaces where there are any.
fn wrapped(text: &str, columns: usize, most: usize) -> Vec<String> {
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

/// `hh:mm:ss` of a moment in seconds since the Unix epoch.
fn clock(model: &Model, seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map(|t| t.to_zoned(model.zone.clone()).strftime("%H:%M:%S").to_string())
        .unwrap_or_default()
}

/// What happens at a deadline, and when.
fn countdown(model: &Model, deadline_ms: i64) -> (i64, String) {
    let left = deadline_ms - model.broker_now();
    // Rounded up: 0:00 is shown only when the time is over.
    (left, text::duration(left.max(0).saturating_add(999) / 1000))
}

/// Two spans: a key and its word.
fn key_word(model: &Model, key: &str, word: &str, on: bool) -> [Span<'static>; 2] {
    let (k, w): (Style, Style) =
        if on { (model.theme.key(), Style::new()) } else { (model.theme.dim(), model.theme.dim()) };
    [Span::styled(key.to_owned(), k), Span::styled(format!(" {word}  "), w)]
}
