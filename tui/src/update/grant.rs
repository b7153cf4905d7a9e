//! An allow that lets what follows pass unreviewed. It must never be given by fewer steps than the
//! most dangerous command: looked at to its end, the target's name typed, held for a while.

use crossterm::event::{KeyCode, KeyEvent};
use expacti_protocol::command::CommandView;

use super::decide::{ask_pin, cancel_allow, commit, name_to_type};
use super::decision::Decision;
use super::field;
use super::lock::{Lock, allow_lock, second_step_lock};
use crate::model::{
    ActiveGrant, Clock, Effect, GrantField, GrantForm, Mode, Model, Reviewer, Sessions,
};
use crate::time::GRANT_LINGER;

/// The key "grant": opens the dialog.
pub(super) fn open(model: &mut Model) {
    let Some(item) = model.requests.current() else { return model.hint(Lock::NoRequest.text()) };
    let keys = item.view().interactive.as_ref().is_some_and(|i| i.grantable);
    let input = item.view().input.as_deref().is_some_and(|input| input.grantable);
    if !keys && !input {
        return model.hint("what follows this one cannot pass unreviewed");
    }
    let (id, revision, name) = (item.id().clone(), item.view().revision, name_to_type(item));
    let form = if input {
        GrantForm::of_input(id, revision, name)
    } else {
        GrantForm::new(id, revision, name)
    };
    let lock = allow_lock(model);
    model.press();
    match lock {
        Some(lock) => model.hint(lock.text()),
        None => model.ask(Mode::Grant(Box::new(form))),
    }
}

/// A key in the dialog.
pub(super) fn key(model: &mut Model, key: KeyEvent, effects: &mut Vec<Effect>) {
    let Mode::Grant(form) = &mut model.mode else { return };
    if field::leaves(&key) {
        return cancel_allow(model);
    }
    match (key.code, form.field) {
        (KeyCode::Tab | KeyCode::Down, at) => form.field = at.next(),
        (KeyCode::BackTab | KeyCode::Up, at) => form.field = at.previous(),
        (KeyCode::Enter, GrantField::Name) => confirm(model, effects),
        (KeyCode::Enter, at) => form.field = at.next(),
        _ => field::key(form.input(), key),
    }
}

/// Enter after the name.
fn confirm(model: &mut Model, effects: &mut Vec<Effect>) {
    let Mode::Grant(form) = &model.mode else { return };
    let (id, revision) = (form.id.clone(), form.revision);
    let named = form.name.value() == form.expected;
    let grant = form.grant();
    let early = !model.answerable();
    model.press();
    if early {
        return model.hint("look first: then confirm");
    }
    if !named {
        return model.warn("that is not the name: nothing was allowed");
    }
    let grant = match grant {
        Ok(grant) => grant,
        Err(why) => return model.warn(why),
    };
    // The dialog closes in any case: one answer counts once.
    model.mode = Mode::Normal;
    match second_step_lock(model, &id, revision) {
        Some(lock) => model.warn(lock.text()),
        None if model.settings.pin => ask_pin(model, id, revision, Some(grant)),
        None => commit(model, &id, Decision::Allow(Some(grant)), effects),
    }
}

/// Takes in what a command says of a grant in force.
pub(super) fn record(sessions: &mut Sessions, reviewer: &Reviewer, view: &CommandView) {
    match ActiveGrant::of(view, &reviewer.name) {
        Some(mut grant) => {
            if let Some(known) = sessions.grants.get(&view.id) {
                grant.used = known.used;
            }
            sessions.grants.insert(view.id.clone(), grant);
        }
        None => {
            sessions.grants.remove(&view.id);
        }
    }
}

/// Forgets grants whose time is over. The gate ends them; this is only what the screen says.
pub(super) fn expire(sessions: &mut Sessions, clock: &Clock) {
    let linger = i64::try_from(GRANT_LINGER).unwrap_or(i64::MAX);
    let now_ms = clock.broker_now().saturating_sub(linger);
    sessions.grants.retain(|_, grant| {
        let (seconds, bytes) = grant.left(now_ms);
        seconds > 0 && bytes > 0
    });
}
