//! An allow that lets what follows pass unreviewed. It must never be given by fewer steps than the
//! most dangerous command: looked at to its end, the target's name typed, held for a while.

use crossterm::event::{KeyCode, KeyEvent};
use expacti_protocol::command::CommandView;
use expacti_protocol::ids::SessionId;

use super::decide::{Decision, allow_lock, commit, unarmed_lock};
use super::{hint, keys};
use crate::model::{ActiveGrant, Effect, GrantField, GrantForm, Mode, Model};
use crate::time::GRANT_LINGER;
use crate::update::Lock;

/// The key "grant": opens the dialog.
pub(super) fn open(model: &mut Model) {
    let now = model.now;
    let Some(item) = model.item() else { return hint(model, Lock::NoRequest.text(), false) };
    if !item.view().interactive.as_ref().is_some_and(|i| i.grantable) {
        return hint(model, "what follows this one cannot pass unreviewed", false);
    }
    if let Some(lock) = allow_lock(model) {
        model.pressed_at = Some(now);
        return hint(model, lock.text(), false);
    }
    let expected = super::decide::name_to_type(item);
    let form = GrantForm::new(item.id().clone(), item.view().revision, expected);
    model.pressed_at = Some(now);
    super::ask(model, Mode::Grant(Box::new(form)));
}

/// A key in the dialog.
pub(super) fn key(model: &mut Model, key: KeyEvent, effects: &mut Vec<Effect>) {
    let Mode::Grant(form) = &mut model.mode else { return };
    match (key.code, form.field) {
        (KeyCode::Tab | KeyCode::Down, part) => form.field = turn(part, true),
        (KeyCode::BackTab | KeyCode::Up, part) => form.field = turn(part, false),
        (KeyCode::Enter, GrantField::Name) => given(model, effects),
        (KeyCode::Enter, part) => form.field = turn(part, true),
        _ => keys::field(form.input(), key),
    }
}

fn turn(field: GrantField, on: bool) -> GrantField {
    match (field, on) {
        (GrantField::Seconds, true) | (GrantField::Name, false) => GrantField::Bytes,
        (GrantField::Bytes, true) | (GrantField::Seconds, false) => GrantField::Name,
        (GrantField::Name, true) | (GrantField::Bytes, false) => GrantField::Seconds,
    }
}

/// Enter after the name.
fn given(model: &mut Model, effects: &mut Vec<Effect>) {
    let Mode::Grant(form) = &model.mode else { return };
    let (id, revision) = (form.id.clone(), form.revision);
    let right = form.name.value() == form.expected;
    let early = !model.answerable();
    let grant = form.grant();
    model.pressed_at = Some(model.now);
    if early {
        return hint(model, "look first: then confirm", false);
    }
    if !right {
        return hint(model, "that is not the name: nothing was allowed", true);
    }
    let grant = match grant {
        Ok(grant) => grant,
        Err(why) => return hint(model, why, true),
    };
    model.mode = Mode::Normal;
    let lock = match model.item() {
        Some(item) if item.id() == &id && item.view().revision == revision => {
            unarmed_lock(model, item)
        }
        _ => Some(Lock::NotShown),
    };
    match lock {
        Some(lock) => hint(model, lock.text(), true),
        None => commit(model, &id, Decision::Allow(Some(grant)), effects),
    }
}

/// Takes in what a command says of a grant in force.
pub(super) fn noted(model: &mut Model, view: &CommandView) {
    match ActiveGrant::of(view, &model.principal) {
        Some(mut running) => {
            if let Some(known) = model.grants.get(&view.id) {
                running.used = known.used;
            }
            model.grants.insert(view.id.clone(), running);
        }
        None => {
            model.grants.remove(&view.id);
        }
    }
}

/// The agent typed so many bytes.
pub(super) fn used(model: &mut Model, session: &SessionId, bytes: usize) {
    for running in model.grants.values_mut().filter(|g| &g.session == session) {
        running.used = running.used.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

/// Forgets grants whose time is over. The gate ends them; this is only what the screen says.
pub(super) fn expire(model: &mut Model) {
    let now_ms = model.broker_now();
    model.grants.retain(|_, g| {
        let (seconds, bytes) = g.left(now_ms - i64::try_from(GRANT_LINGER).unwrap_or(i64::MAX));
        seconds > 0 && bytes > 0
    });
}
