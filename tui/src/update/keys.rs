//! Keys, pastes and the mouse. It must never let the mouse, a paste or Enter decide.

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use expacti_protocol::ids::SessionId;
use expacti_protocol::reviewer::ReviewerRequest;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler as _;

use super::{decide, find, grant, hint, screens};
use crate::keymap::Action;
use crate::model::{Control, Effect, Fetch, Mode, Model, Pane, Stage};
use crate::text::clean;
use crate::time::HINT;

/// The longest text a field takes, in bytes (a comment's limit on the wire is 4,000).
const FIELD: usize = 1_000;

pub(super) fn key(model: &mut Model, key: KeyEvent, effects: &mut Vec<Effect>) {
    if key.kind == KeyEventKind::Release {
        return;
    }
    let ctrl_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    if still_typing(model) {
        return;
    }
    match &mut model.mode {
        Mode::Normal => {
            if let Some(action) = model.keymap.action(&key) {
                act(model, action, effects);
            }
        }
        Mode::Help(scroll) => match model.keymap.action(&key) {
            Some(Action::Down) => *scroll += 1,
            Some(Action::Up) => *scroll = scroll.saturating_sub(1),
            Some(Action::PageDown) => *scroll += 10,
            Some(Action::PageUp) => *scroll = scroll.saturating_sub(10),
            _ => model.mode = Mode::Normal,
        },
        Mode::Filter(_) => filter_key(model, key, ctrl_c),
        Mode::Search(input) => match key.code {
            KeyCode::Enter => find::typed(model),
            _ if key.code == KeyCode::Esc || ctrl_c => {
                model.mode = Mode::Normal;
                model.pressed_at = Some(model.now);
            }
            _ => field(input, key),
        },
        Mode::Comment(_, input) => {
            if key.code == KeyCode::Esc || ctrl_c {
                model.mode = Mode::Normal;
                model.pressed_at = Some(model.now);
                hint(model, "not denied", false);
            } else if key.code == KeyCode::Enter {
                decide::commented(model, effects);
            } else {
                field(input, key);
            }
        }
        Mode::Confirm(confirming) => {
            let typed = confirming.expected.is_some();
            match key.code {
                KeyCode::Enter if typed => {
                    let right = confirming.expected.as_deref() == Some(confirming.input.value());
                    if right {
                        decide::confirmed(model, effects);
                    } else {
                        model.pressed_at = Some(model.now);
                        hint(model, "that is not the name: nothing was allowed", true);
                    }
                }
                KeyCode::Char('y') if !typed && key.modifiers.is_empty() => {
                    decide::confirmed(model, effects);
                }
                KeyCode::Esc => cancel(model),
                _ if ctrl_c || !typed => cancel(model),
                _ => field(&mut confirming.input, key),
            }
        }
        Mode::Grant(_) if key.code == KeyCode::Esc || ctrl_c => cancel(model),
        Mode::Grant(_) => grant::key(model, key, effects),
        Mode::Replay(_) => screens::replay_key(model, key),
        Mode::List(_) => screens::list_key(model, key, effects),
        Mode::Rule(_) => screens::rule_key(model, key, effects),
        Mode::ConfirmSession(session, what) => {
            let (session, what) = (session.clone(), *what);
            let early = !model.answerable();
            if key.code == KeyCode::Char('y') && key.modifiers.is_empty() {
                if early {
                    model.pressed_at = Some(model.now);
                    return hint(model, "look first: then confirm", false);
                }
                model.mode = Mode::Normal;
                control(model, session, what, effects);
            } else {
                model.mode = Mode::Normal;
                hint(model, "nothing was done to the session", false);
            }
        }
    }
}

/// Whether the keys of a text whose field has closed by itself still come. Each one puts the end
/// of it off.
fn still_typing(model: &mut Model) -> bool {
    let typing = model.typing_until.is_some_and(|until| model.now < until);
    model.typing_until = typing.then_some(model.now + model.arming());
    if typing {
        model.pressed_at = Some(model.now);
    }
    typing
}

fn control(model: &mut Model, session_id: SessionId, what: Control, effects: &mut Vec<Effect>) {
    match what {
        Control::Kill => {
            let r#ref = Some(model.next_ref);
            model.next_ref += 1;
            effects.push(Effect::Send(ReviewerRequest::Kill { r#ref, session_id }));
            hint(model, "ending the session …", false);
        }
        Control::Pause => effects.push(Effect::Fetch(Fetch::Pause(session_id, true))),
        Control::Resume => effects.push(Effect::Fetch(Fetch::Pause(session_id, false))),
    }
}

fn cancel(model: &mut Model) {
    model.mode = Mode::Normal;
    model.pressed_at = Some(model.now);
    hint(model, "nothing was allowed", false);
}

/// A key in a text field.
pub(super) fn field(input: &mut Input, key: KeyEvent) {
    let inserts = matches!(key.code, KeyCode::Char(_));
    if !inserts || input.value().len() < FIELD {
        input.handle_event(&Event::Key(key));
    }
}

fn filter_key(model: &mut Model, key: KeyEvent, ctrl_c: bool) {
    let Mode::Filter(input) = &mut model.mode else { return };
    match key.code {
        KeyCode::Enter => model.mode = Mode::Normal,
        _ if key.code == KeyCode::Esc || ctrl_c => {
            model.filter.clear();
            model.mode = Mode::Normal;
        }
        _ => {
            field(input, key);
            model.filter = input.value().to_owned();
        }
    }
}

pub(super) fn paste(model: &mut Model, text: &str) {
    if still_typing(model) {
        return;
    }
    let line = clean(&text.replace(['\n', '\r', '\t'], " "), FIELD);
    let insert = |input: &mut Input| {
        let room = FIELD.saturating_sub(input.value().len());
        let mut rest: String = line.clone();
        while rest.len() > room {
            rest.pop();
        }
        for c in rest.chars() {
            input.handle(tui_input::InputRequest::InsertChar(c));
        }
    };
    match &mut model.mode {
        Mode::Filter(input) => {
            insert(input);
            model.filter = input.value().to_owned();
        }
        Mode::Comment(_, input) | Mode::Search(input) => insert(input),
        Mode::Confirm(_) | Mode::Grant(_) => {
            hint(model, "pasted text confirms nothing: type it", true)
        }
        _ => {
            // Whoever pastes into the wrong window is about to press other keys, too.
            model.pressed_at = Some(model.now);
            hint(model, "pasted text decides nothing", false);
        }
    }
}

pub(super) fn mouse(model: &mut Model, mouse: MouseEvent) {
    if !matches!(model.mode, Mode::Normal) {
        return;
    }
    let place = ratatui::layout::Position::new(mouse.column, mouse.row);
    let Some(area) = model.drawn.areas.iter().find(|a| a.rect.contains(place)).cloned() else {
        return;
    };
    match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => {
            model.pane = area.pane;
            let row = area.first + usize::from(mouse.row - area.rect.y);
            match area.pane {
                Pane::Queue => {
                    let id = model.queue().get(row).map(|(item, _)| item.id().clone());
                    if id.is_some() {
                        decide::select(model, id);
                    }
                }
                Pane::Sessions => {
                    let id = model.session_rows().get(row).map(|s| s.view.id.clone());
                    if id.is_some() {
                        model.session = id;
                    }
                }
                Pane::Request | Pane::Live => {}
            }
        }
        MouseEventKind::ScrollDown => wheel(model, area.pane, true),
        MouseEventKind::ScrollUp => wheel(model, area.pane, false),
        _ => {}
    }
}

/// The wheel scrolls the request and the terminal; over the lists it does nothing, for a selection that moves with
/// the wheel moves by accident.
fn wheel(model: &mut Model, pane: Pane, down: bool) {
    let by = if down { 3 } else { -3 };
    match pane {
        Pane::Request => {
            model.scroll = model.scroll.saturating_add_signed(by).min(model.drawn.max_scroll)
        }
        Pane::Live => scroll_terminal(model, -by),
        Pane::Queue | Pane::Sessions => {}
    }
}

fn scroll(model: &mut Model, by: isize) {
    if model.pane == Pane::Live {
        return scroll_terminal(model, by.saturating_neg());
    }
    model.scroll = model.scroll.saturating_add_signed(by).min(model.drawn.max_scroll);
}

/// Scrolls the live terminal back, or towards its end.
fn scroll_terminal(model: &mut Model, back: isize) {
    let session = model.live_session().cloned();
    if let Some(live) = session.and_then(|id| model.live.get_mut(&id)) {
        let most = live.screen.all_rows_len().saturating_sub(live.screen.size().1);
        live.scroll = live.scroll.saturating_add_signed(back).min(most);
    }
}

fn act(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    match action {
        Action::Allow => decide::allow(model, effects),
        Action::Deny => decide::deny(model, effects),
        Action::DenyComment => decide::deny_comment(model),
        Action::Undo => decide::undo(model),
        Action::Grant => grant::open(model),
        Action::Reveal => reveal(model, effects),
        Action::NextRequest => next(model),
        Action::Down => step(model, 1),
        Action::Up => step(model, -1),
        Action::PageDown => scroll(model, page(model)),
        Action::PageUp => scroll(model, -page(model)),
        Action::Home => jump(model, false),
        Action::End => jump(model, true),
        Action::NextPane => turn(model, 1),
        Action::PreviousPane => turn(model, Pane::ALL.len() - 1),
        Action::PaneQueue => model.pane = Pane::Queue,
        Action::PaneSessions => model.pane = Pane::Sessions,
        Action::PaneRequest => model.pane = Pane::Request,
        Action::PaneLive => model.pane = Pane::Live,
        Action::Open => open(model),
        Action::Back => back(model),
        Action::Filter if matches!(model.pane, Pane::Request | Pane::Live) => find::open(model),
        Action::FindNext => find::next(model),
        Action::Filter => {
            model.mode = Mode::Filter(Input::new(model.filter.clone()));
        }
        Action::Kill => ask_control(model, false),
        Action::Pause => ask_control(model, true),
        Action::CopyCommand => {
            // The exact text, not what is shown of it: it is for a clipboard, not for a terminal.
            match model.item() {
                Some(item) if item.is_secret() => {
                    hint(model, "not copied: it was typed without echo", false);
                }
                Some(item) => {
                    effects.push(Effect::Copy(item.view().text.command.clone()));
                    hint(model, "command copied", false);
                }
                None => {}
            }
        }
        Action::CopyId => {
            if let Some(item) = model.item() {
                effects.push(Effect::Copy(item.id().to_string()));
                hint(model, "id copied", false);
            }
        }
        Action::Mute => {
            model.alerts.muted = !model.alerts.muted;
            let word = if model.alerts.muted { "muted" } else { "not muted" };
            hint(model, format!("bell and notifications: {word}"), false);
        }
        Action::Help => model.mode = Mode::Help(0),
        Action::Redraw => effects.push(Effect::Redraw),
        Action::Suspend => effects.push(Effect::Suspend),
        Action::Quit => quit(model, effects),
        Action::Rule => screens::propose(model, effects),
        Action::Replay => screens::replay(model, effects),
        Action::Tiles => {
            model.tiles = !model.tiles;
            model.pane = if model.tiles { Pane::Live } else { Pane::Queue };
        }
        Action::History => screens::list(model, Fetch::History, "History", effects),
        Action::Rules => screens::list(model, Fetch::Rules, "Rules", effects),
        Action::Audit => screens::list(model, Fetch::Audit, "Audit log", effects),
    }
}

/// At once, but for an allow that is still held: leaving drops it, which must not be a surprise.
fn quit(model: &mut Model, effects: &mut Vec<Effect>) {
    let held = model.items.values().any(|i| matches!(i.stage, Stage::Held { .. }));
    let asked = model.quit_asked.is_some_and(|at| model.now < at + HINT);
    if held && !asked {
        model.quit_asked = Some(model.now);
        return hint(model, "an allow is still held: quit again drops it, unsent", true);
    }
    effects.push(Effect::Quit);
}

/// Shows a secret on this screen, or hides it again.
fn reveal(model: &mut Model, effects: &mut Vec<Effect>) {
    match model.item() {
        Some(item) if item.is_secret() => {
            let id = item.id().clone();
            let shown = model.revealed.as_ref() == Some(&id);
            if !shown {
                // It is here already; the log is to say who looked.
                let r#ref = Some(model.next_ref);
                model.next_ref += 1;
                let id = id.clone();
                effects.push(Effect::Send(ReviewerRequest::Reveal { r#ref, id }));
            }
            model.revealed = (!shown).then_some(id);
            model.scroll = 0;
            // What is on the screen now was not there before.
            model.on_screen = None;
        }
        _ => hint(model, "nothing is hidden here", false),
    }
}

fn page(model: &Model) -> isize {
    if model.pane == Pane::Live {
        let live = model.live_session().and_then(|id| model.live.get(id));
        let rows = live.map_or(1, |l| l.screen.size().1 / 2);
        return isize::try_from(rows.max(1)).unwrap_or(1);
    }
    isize::try_from(model.drawn.page.saturating_sub(1).max(1)).unwrap_or(1)
}

/// Every pane can be reached at every size: where not all are drawn, the chosen one is.
fn turn(model: &mut Model, by: usize) {
    let at = Pane::ALL.iter().position(|p| *p == model.pane).unwrap_or(0);
    if let Some(pane) = Pane::ALL.get((at + by) % Pane::ALL.len()) {
        model.pane = *pane;
    }
}

/// The next request that waits, from wherever the selection is.
fn next(model: &mut Model) {
    let next = match &model.selected {
        Some(id) => decide::next_after(model, id),
        None => None,
    };
    match next {
        Some(id) => {
            model.pane = Pane::Queue;
            decide::select(model, Some(id));
        }
        None => {
            // Leaving something decided: to nothing, or to what has come since.
            let waits = model.item().is_some_and(|i| i.closed_since.is_none());
            if !waits {
                decide::select(model, None);
            } else {
                hint(model, "no other request waits", false);
            }
        }
    }
}

fn step(model: &mut Model, by: isize) {
    let moved = |at: Option<usize>, len: usize| {
        at.map_or(0, |at| at.saturating_add_signed(by)).min(len.saturating_sub(1))
    };
    match model.pane {
        Pane::Queue => {
            let rows = model.queue();
            let at = rows.iter().position(|(i, _)| Some(i.id()) == model.selected.as_ref());
            let to = rows.get(moved(at, rows.len())).map(|(i, _)| i.id().clone());
            if to.is_some() {
                decide::select(model, to);
            }
        }
        Pane::Sessions => {
            let rows = model.session_rows();
            let at = rows.iter().position(|s| Some(&s.view.id) == model.session.as_ref());
            let to = rows.get(moved(at, rows.len())).map(|s| s.view.id.clone());
            model.session = to.or_else(|| model.session.clone());
        }
        Pane::Request | Pane::Live => scroll(model, by),
    }
}

fn jump(model: &mut Model, end: bool) {
    match model.pane {
        Pane::Queue => {
            let rows = model.queue();
            let row = if end { rows.last() } else { rows.first() };
            let id = row.map(|(i, _)| i.id().clone());
            if id.is_some() {
                decide::select(model, id);
            }
        }
        Pane::Sessions => {
            let rows = model.session_rows();
            let row = if end { rows.last() } else { rows.first() };
            model.session = row.map(|s| s.view.id.clone()).or_else(|| model.session.clone());
        }
        Pane::Request => model.scroll = if end { model.drawn.max_scroll } else { 0 },
        Pane::Live => scroll_terminal(model, if end { isize::MIN } else { isize::MAX }),
    }
}

fn open(model: &mut Model) {
    model.pane = match model.pane {
        Pane::Queue => Pane::Request,
        Pane::Sessions => Pane::Live,
        pane => pane,
    };
}

fn back(model: &mut Model) {
    if !model.failed_decisions.is_empty() {
        model.failed_decisions.clear();
    } else if model.tiles {
        model.tiles = false;
        model.pane = Pane::Queue;
    } else if model.pane != Pane::Queue {
        model.pane = Pane::Queue;
    } else if !model.filter.is_empty() {
        model.filter.clear();
    }
    model.hint = None;
}

/// Asks before a session is ended, paused or resumed: the selected one, or that of the request.
fn ask_control(model: &mut Model, pause: bool) {
    // The alarm line about an ungated shell names this key: that session comes first.
    let ungated = model.grants.values().map(|g| g.session.clone()).next().filter(|_| !pause);
    let session = match model.pane {
        Pane::Sessions => model.session.clone(),
        Pane::Live => model.live_session().cloned(),
        Pane::Queue | Pane::Request => {
            ungated.or_else(|| model.item().map(|i| i.view().session_id.clone()))
        }
    };
    let open = session.and_then(|id| {
        let s = model.sessions.get(&id).filter(|s| s.view.closed_at.is_none())?;
        Some((id, s.view.paused))
    });
    match open {
        Some(_) if !model.connected() => hint(model, "not connected", true),
        Some(_) if !model.role.may_decide() => hint(model, "your role only looks", false),
        Some((id, paused)) => {
            let what = match (pause, paused) {
                (false, _) => Control::Kill,
                (true, false) => Control::Pause,
                (true, true) => Control::Resume,
            };
            super::ask(model, Mode::ConfirmSession(id, what));
        }
        None => hint(model, "no open session is selected", false),
    }
}
