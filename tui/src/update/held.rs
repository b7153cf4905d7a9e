//! Allows that are held here for a moment, to be taken back. One must never be sent after what was
//! shown has changed, nor on another connection than the one it was made on.

use expacti_protocol::ids::CommandId;

use super::decision::Decision;
use super::lock::closed_lock;
use super::select::select;
use crate::model::{Effect, Model, Stage};

/// Sends the allows whose time to take them back is over.
pub(super) fn send_due(model: &mut Model, effects: &mut Vec<Effect>) {
    let now = model.clock.now;
    let due: Vec<CommandId> = model
        .requests
        .items
        .values()
        .filter(|i| matches!(i.stage, Stage::Held { until, .. } if until <= now))
        .map(|i| i.id().clone())
        .collect();
    for id in due {
        let Some(item) = model.requests.items.get(&id) else { continue };
        let Stage::Held { revision, grant, .. } = item.stage else { continue };
        // All of this was checked when the key was pressed; the deadline may have passed since.
        if revision != item.view().revision || closed_lock(model, item).is_some() {
            cancel(model, &id, "it changed while it was held");
            continue;
        }
        let Some(item) = model.requests.items.get_mut(&id) else { continue };
        let signs = model.settings.signs;
        let allow = Decision::Allow(grant);
        effects.push(allow.send(&mut model.connection, item, (revision, signs), now));
    }
}

/// Forgets a held allow and says so.
pub(super) fn cancel(model: &mut Model, id: &CommandId, why: &str) {
    let Some(item) = model.requests.items.get_mut(id) else { return };
    if !matches!(item.stage, Stage::Held { .. }) {
        return;
    }
    item.stage = Stage::Open;
    item.pin = None;
    model.decisions.fail(id.clone(), format!("allow of {} not sent: {why}", id.short()));
}

/// The key "undo": takes back the newest allow that is still held.
pub(super) fn undo(model: &mut Model) {
    let newest = model
        .requests
        .items
        .values_mut()
        .filter_map(|i| match i.stage {
            Stage::Held { until, .. } => Some((until, i)),
            _ => None,
        })
        .max_by(|(a, i), (b, j)| (a, i.id()).cmp(&(b, j.id())));
    let Some((_, item)) = newest else {
        return model.hint("nothing to take back");
    };
    item.stage = Stage::Open;
    item.pin = None;
    let id = item.id().clone();
    model.decisions.last = None;
    // No other request came under the finger.
    model.arming.decided_at = None;
    select(model, Some(id));
    model.press();
    model.hint("taken back: nothing was sent");
}
