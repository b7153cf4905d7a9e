//! Which request the reviewer looks at. It must never move from one request to another but by a
//! key of the reviewer's.

use expacti_protocol::command::CommandState;
use expacti_protocol::ids::CommandId;

use crate::model::{Item, Model, Requests, Stage};

/// Puts the reviewer in front of a request, or of none.
pub(super) fn select(model: &mut Model, id: Option<CommandId>) {
    if model.requests.selected == id {
        return;
    }
    put_in_front(model, id);
    select_if_none(model);
}

/// From nothing, the first request that waits is taken; from something, never.
pub(super) fn select_if_none(model: &mut Model) {
    if model.requests.current().is_some() {
        return;
    }
    let first = model
        .requests
        .rows()
        .into_iter()
        .map(|row| row.item)
        .find(|i| i.state() == CommandState::Pending && i.stage == Stage::Open)
        .map(|i| i.id().clone());
    if model.requests.selected != first {
        put_in_front(model, first);
    }
}

fn put_in_front(model: &mut Model, id: Option<CommandId>) {
    model.requests.selected = id;
    model.requests.revealed = None;
    model.reading.scroll = 0;
    // Whatever was on the screen was another request.
    model.arming.nothing_shown();
}

/// The request after `id` that this reviewer has not decided: further down, else from the top.
pub(super) fn next_after(requests: &Requests, id: &CommandId) -> Option<CommandId> {
    let rows = requests.rows();
    let at = rows.iter().position(|row| row.item.id() == id).unwrap_or(0);
    let undecided = |item: &Item| {
        item.id() != id && item.state() == CommandState::Pending && !item.stage.is_decided()
    };
    let (before, after) = rows.split_at(at);
    let mut items = after.iter().chain(before).map(|row| row.item);
    items.find(|i| undecided(i)).map(|i| i.id().clone())
}
