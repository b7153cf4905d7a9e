//! Keys and pastes, by what they mean now. It must never let a paste or Enter decide.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind};

use super::{actions, decide, field, find, grant, list, pin, replay, rule, session};
use crate::keymap::Action;
use crate::model::{Effect, Mode, Model, SecondStep};

/// A key.
pub(super) fn key(model: &mut Model, key: KeyEvent, effects: &mut Vec<Effect>) {
    if key.kind == KeyEventKind::Release {
        return;
    }
    // First of all: the rest of a text whose field has closed by itself is not keys.
    if model.arming.still_typing(model.clock.now) {
        return;
    }
    if model.pin.is_some() {
        return pin::wanted_key(model, key, effects);
    }
    match &model.mode {
        Mode::Normal => {
            if let Some(action) = model.settings.keymap.action(&key) {
                actions::act(model, action, effects);
            }
        }
        Mode::Help(_) => help_key(model, key),
        Mode::Filter(_) => filter_key(model, key),
        Mode::Search(_) => search_key(model, key),
        Mode::Comment(..) => comment_key(model, key, effects),
        Mode::Confirm(_) => confirm_key(model, key, effects),
        Mode::Grant(_) => grant::key(model, key, effects),
        Mode::Replay(_) => replay::key(model, key),
        Mode::List(_) => list::key(model, key, effects),
        Mode::Rule(_) => rule::key(model, key, effects),
        Mode::ConfirmSession(..) => session::key(model, key, effects),
    }
}

fn help_key(model: &mut Model, key: KeyEvent) {
    let Mode::Help(scroll) = &mut model.mode else { return };
    match model.settings.keymap.action(&key) {
        Some(Action::Down) => *scroll += 1,
        Some(Action::Up) => *scroll = scroll.saturating_sub(1),
        Some(Action::PageDown) => *scroll += 10,
        Some(Action::PageUp) => *scroll = scroll.saturating_sub(10),
        _ => model.mode = Mode::Normal,
    }
}

fn filter_key(model: &mut Model, key: KeyEvent) {
    let Mode::Filter(input) = &mut model.mode else { return };
    if key.code == KeyCode::Enter {
        model.mode = Mode::Normal;
    } else if field::leaves(&key) {
        model.requests.filter.clear();
        model.mode = Mode::Normal;
    } else {
        field::key(input, key);
        model.requests.filter = input.value().to_owned();
    }
}

fn search_key(model: &mut Model, key: KeyEvent) {
    let Mode::Search(input) = &mut model.mode else { return };
    if key.code == KeyCode::Enter {
        find::typed(model);
    } else if field::leaves(&key) {
        model.leave();
    } else {
        field::key(input, key);
    }
}

fn comment_key(model: &mut Model, key: KeyEvent, effects: &mut Vec<Effect>) {
    let Mode::Comment(_, input) = &mut model.mode else { return };
    if field::leaves(&key) {
        model.leave();
        model.hint("not denied");
    } else if key.code == KeyCode::Enter {
        decide::send_comment(model, effects);
    } else {
        field::key(input, key);
    }
}

/// The second step of an allow: `y`, or a name and Enter.
fn confirm_key(model: &mut Model, key: KeyEvent, effects: &mut Vec<Effect>) {
    let Mode::Confirm(confirming) = &mut model.mode else { return };
    match &mut confirming.step {
        SecondStep::Key if field::confirms(&key) => decide::confirm(model, effects),
        SecondStep::Key => decide::cancel_allow(model),
        SecondStep::Pin { .. } => pin::key(model, key, effects),
        SecondStep::Name { expected, input } => {
            if key.code == KeyCode::Enter && input.value() == expected.as_str() {
                decide::confirm(model, effects);
            } else if key.code == KeyCode::Enter {
                model.press();
                model.warn("that is not the name: nothing was allowed");
            } else if field::leaves(&key) {
                decide::cancel_allow(model);
            } else {
                field::key(input, key);
            }
        }
    }
}

/// Pasted text.
pub(super) fn paste(model: &mut Model, text: &str) {
    if model.arming.still_typing(model.clock.now) {
        return;
    }
    if let Some(input) = &mut model.pin {
        return field::paste(input, text);
    }
    match &mut model.mode {
        Mode::Filter(input) => {
            field::paste(input, text);
            model.requests.filter = input.value().to_owned();
        }
        Mode::Comment(_, input) | Mode::Search(input) => field::paste(input, text),
        Mode::Confirm(_) | Mode::Grant(_) => model.warn("pasted text confirms nothing: type it"),
        _ => {
            // Somebody who pastes into the wrong window is about to press other keys there, too.
            model.press();
            model.hint("pasted text decides nothing");
        }
    }
}
