//! What is drawn where, by the size of the screen. It must never draw a request in pieces that the
//! report of the drawing does not name.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;

use super::{dialog, disconnected, footer, header, help, list, live, notes, proposal, queue};
use super::{request, sessions};
use crate::model::{Drawn, Mode, Model, Pane};

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
        help::draw(model, frame, all, scroll);
        return drawn;
    }
    if full_screen(model, frame, all, &mut drawn) {
        return drawn;
    }
    if all.width >= 80 && all.height >= 20 {
        full(model, frame, all, &mut drawn);
    } else {
        one_card(model, frame, all, &mut drawn);
    }
    if !model.connection.is_up() {
        disconnected::draw(model, frame, all);
    }
    if let Mode::Rule(draft) = &model.mode {
        proposal::draw(model, draft, frame, all);
        // It full_screen what a decision would rest on.
        drawn.request = None;
    }
    drawn
}

/// Screens that take all the room: a replay, a list. What waits stays in sight above.
fn full_screen(model: &Model, frame: &mut Frame<'_>, all: Rect, drawn: &mut Drawn) -> bool {
    if !matches!(model.mode, Mode::Replay(_) | Mode::List(_)) {
        return false;
    }
    let notes: Vec<Line<'_>> =
        notes::lines(model, usize::from(all.width)).into_iter().take(1).collect();
    let [header, body, note] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(u16::try_from(notes.len()).unwrap_or(0)),
    ])
    .areas(all);
    header::draw(model, frame, header);
    match &model.mode {
        Mode::Replay(player) => crate::player::draw(player, model.settings.theme, frame, body),
        Mode::List(list) => list::draw(model, list, frame, body, drawn),
        _ => {}
    }
    notes::draw(frame, note, notes);
    true
}

/// Header, panes, footer.
fn full(model: &Model, frame: &mut Frame<'_>, all: Rect, drawn: &mut Drawn) {
    let notes = notes::lines(model, usize::from(all.width));
    let question = dialog::lines(model, usize::from(all.width));
    let [header, banner, body, ask, note, footer] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(u16::from(model.settings.banner.is_some())),
        Constraint::Min(1),
        Constraint::Length(u16::try_from(question.len()).unwrap_or(0)),
        Constraint::Length(u16::try_from(notes.len()).unwrap_or(0)),
        Constraint::Length(1),
    ])
    .areas(all);
    header::draw(model, frame, header);
    header::banner(model, frame, banner);
    if all.width >= 100 && all.height >= 28 {
        columns(model, frame, body, drawn);
    } else {
        stacked(model, frame, body, drawn);
    }
    drawn.question = !question.is_empty() && usize::from(ask.height) >= question.len();
    notes::draw(frame, ask, question);
    notes::draw(frame, note, notes);
    footer::draw(model, frame, footer);
}

/// From 100x28: lists on the left, request and live view on the right.
fn columns(model: &Model, frame: &mut Frame<'_>, body: Rect, drawn: &mut Drawn) {
    let left = (body.width * 3 / 8).clamp(38, 64);
    let [left, right] =
        Layout::horizontal([Constraint::Length(left), Constraint::Min(1)]).areas(body);
    let rows = u16::try_from(model.sessions.rows().len()).unwrap_or(u16::MAX);
    let sessions = rows.saturating_add(2).clamp(4, body.height / 3);
    let [queue, sessions] =
        Layout::vertical([Constraint::Min(4), Constraint::Length(sessions)]).areas(left);
    queue::draw(model, frame, queue, drawn);
    sessions::draw(model, frame, sessions, drawn);
    if model.watching.tiles {
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
    let rows = u16::try_from(model.requests.rows().len()).unwrap_or(u16::MAX);
    let top = rows.saturating_add(2).clamp(4, body.height / 3);
    let [upper, lower] =
        Layout::vertical([Constraint::Length(top), Constraint::Min(4)]).areas(body);
    match model.pane {
        Pane::Queue | Pane::Request if !model.watching.tiles => {
            queue::draw(model, frame, upper, drawn);
            request::draw(model, frame, lower, drawn);
        }
        _ if model.watching.tiles => {
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
fn one_card(model: &Model, frame: &mut Frame<'_>, all: Rect, drawn: &mut Drawn) {
    let notes = notes::lines(model, usize::from(all.width));
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
        header::draw(model, frame, header);
    }
    match model.pane {
        Pane::Sessions => sessions::draw(model, frame, body, drawn),
        Pane::Live => live::draw(model, frame, body, drawn),
        Pane::Queue if model.requests.current().is_none() && !model.requests.items.is_empty() => {
            queue::draw(model, frame, body, drawn);
        }
        Pane::Queue | Pane::Request => request::draw(model, frame, body, drawn),
    }
    drawn.question = !question.is_empty() && usize::from(ask.height) >= question.len();
    notes::draw(frame, ask, question);
    notes::draw(frame, note, notes);
    footer::draw(model, frame, footer);
}
