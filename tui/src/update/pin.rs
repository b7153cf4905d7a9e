//! The reviewer's PIN, typed for one allow or for one request to the broker. It must never be kept longer
//! than for that, nor be drawn.

use crossterm::event::{KeyCode, KeyEvent};
use expacti_protocol::proof::Pin;
use tui_input::Input;

use super::decide::{cancel_allow, commit};
use super::decision::Decision;
use super::field;
use super::lock::second_step_lock;
use crate::model::{Confirming, Effect, Mode, Model, SecondStep};

/// A key while the PIN of an allow is typed.
pub(super) fn key(model: &mut Model, key: KeyEvent, effects: &mut Vec<Effect>) {
    let Mode::Confirm(confirming) = &mut model.mode else { return };
    let SecondStep::Pin { input, .. } = &mut confirming.step else { return };
    if field::leaves(&key) {
        return cancel_allow(model);
    }
    if key.code != KeyCode::Enter {
        return field::key(input, key);
    }
    let Mode::Confirm(confirming) = std::mem::take(&mut model.mode) else { return };
    let Confirming { id, revision, step } = *confirming;
    let SecondStep::Pin { input, decision } = step else { return };
    model.press();
    if input.value().is_empty() {
        return model.hint("no PIN: nothing was allowed");
    }
    if let Some(lock) = second_step_lock(model, &id, revision) {
        return model.warn(lock.text());
    }
    if let Some(item) = model.requests.items.get_mut(&id) {
        item.pin = Some(Pin::new(input.value()));
    }
    commit(model, &id, Decision::Allow(decision), effects);
}

/// The broker asks for the PIN before it does what was asked of it.
pub(super) fn wanted(model: &mut Model) {
    model.press();
    model.pin = Some(Input::default());
}

/// A key while that PIN is typed.
pub(super) fn wanted_key(model: &mut Model, key: KeyEvent, effects: &mut Vec<Effect>) {
    let Some(input) = &mut model.pin else { return };
    let given = if field::leaves(&key) {
        None
    } else if key.code == KeyCode::Enter {
        Some(Pin::new(input.value())).filter(|pin| !pin.reveal().is_empty())
    } else {
        return field::key(input, key);
    };
    model.pin = None;
    model.press();
    effects.push(Effect::GivePin(given));
}
