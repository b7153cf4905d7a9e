//! From a key to a decision. It must never send an allow for anything but the request that was on
//! the screen, armed, with its end shown; and never the same decision twice.

use expacti_engine::{Level, Snapshot};
use expacti_protocol::command::{CommandState, Grant};
use expacti_protocol::ids::CommandId;
use tui_input::Input;

use super::decision::Decision;
use super::held;
use super::lock::{Lock, allow_lock, closed_lock, comment_lock, deny_lock, second_step_lock};
use super::select::{next_after, select};
use crate::keymap::Action;
use crate::model::{
    ConfirmKind, Confirming, Effect, Item, LastDecision, Mode, Model, NoticeAction, Pane,
    SecondStep, Stage, Verdict,
};
use crate::time::HOLD;

/// The key "allow and trust": allows it, and what only looks in that account is let through afterwards
/// as it was before.
pub(super) fn allow_trusting(model: &mut Model, effects: &mut Vec<Effect>) {
    if model.requests.current().is_some_and(|item| !item.concerns_trust()) {
        let key = model.settings.keymap.key(Action::Allow);
        return model.hint(format!("it changes nothing that is trusted: {key} allows it"));
    }
    allow_as(model, true, effects);
}

/// The key "allow".
pub(super) fn allow(model: &mut Model, effects: &mut Vec<Effect>) {
    allow_as(model, false, effects);
}

fn allow_as(model: &mut Model, trust: bool, effects: &mut Vec<Effect>) {
    set_trust(model, trust);
    let lock = allow_lock(model);
    // In any case: pressing too early, or holding the key down, starts the wait again.
    model.press();
    if let Some(lock) = lock {
        return model.hint(lock.text());
    }
    let Some(item) = model.requests.current() else { return };
    let (id, revision) = (item.id().clone(), item.view().revision);
    // Whoever signs does not go by the broker's word for how dangerous it is.
    let own = model.settings.signs.map(|_| item.view().own_level(&Snapshot::default()));
    let (said, level) = (item.level(), item.level().max(own.unwrap_or_default()));
    let step = match model.settings.confirm.of(level) {
        // What was not shown is never allowed by one key.
        ConfirmKind::None if model.requests.masked(item) => SecondStep::Key,
        ConfirmKind::None if model.settings.pin => pin_step(None),
        ConfirmKind::None => return commit(model, &id, Decision::Allow(None), effects),
        ConfirmKind::Y => SecondStep::Key,
        ConfirmKind::TargetName => {
            SecondStep::Name { expected: name_to_type(item), input: Input::default() }
        }
    };
    model.ask(Mode::Confirm(Box::new(Confirming { id, revision, step })));
    if level > said {
        model.warn(format!("the broker calls it {said}; by what it says it is {level}"));
    }
}

/// What the allow that may follow says of trust.
pub(super) fn set_trust(model: &mut Model, trust: bool) {
    let selected = model.requests.selected.clone();
    if let Some(item) = selected.and_then(|id| model.requests.items.get_mut(&id)) {
        // What is on its way, or held, was decided already.
        if item.stage == Stage::Open {
            item.trust = trust;
        }
    }
}

/// What must be typed for the most dangerous requests: the target's name, or the id where the name
/// cannot be typed as it is shown.
pub(super) fn name_to_type(item: &Item) -> String {
    if item.card.target_typable {
        item.card.target_name.clone()
    } else {
        item.id().short().to_owned()
    }
}

/// The second step: `y`, or Enter after the name.
pub(super) fn confirm(model: &mut Model, effects: &mut Vec<Effect>) {
    let Mode::Confirm(confirming) = &model.mode else { return };
    let (id, revision) = (confirming.id.clone(), confirming.revision);
    let early = !model.answerable();
    model.press();
    if early {
        return model.hint("look first: then confirm");
    }
    // The question closes in any case: one answer counts once.
    model.mode = Mode::Normal;
    match second_step_lock(model, &id, revision) {
        Some(lock) => model.warn(lock.text()),
        None if model.settings.pin => ask_pin(model, id, revision, None),
        None => commit(model, &id, Decision::Allow(None), effects),
    }
}

fn pin_step(decision: Option<Grant>) -> SecondStep {
    SecondStep::Pin { decision, input: Input::default() }
}

/// Asks for the reviewer's PIN: the last step of an allow.
pub(super) fn ask_pin(model: &mut Model, id: CommandId, revision: u64, grant: Option<Grant>) {
    model.ask(Mode::Confirm(Box::new(Confirming { id, revision, step: pin_step(grant) })));
}

/// A second step that is not taken.
pub(super) fn cancel_allow(model: &mut Model) {
    model.leave();
    model.hint("nothing was allowed");
}

/// The key "deny".
pub(super) fn deny(model: &mut Model, effects: &mut Vec<Effect>) {
    let lock = deny_lock(model);
    model.press();
    match (lock, model.requests.selected.clone()) {
        (Some(lock), _) => model.hint(lock.text()),
        (None, Some(id)) => commit(model, &id, Decision::Deny(None), effects),
        (None, None) => {}
    }
}

/// A button of a desktop notification: opens the request, or denies it.
pub(super) fn notice_action(
    model: &mut Model,
    id: &CommandId,
    action: NoticeAction,
    effects: &mut Vec<Effect>,
) {
    let Some(item) = model.requests.items.get(id) else {
        return model.hint(format!("{}: over already", id.short()));
    };
    let lock = match item.stage.is_final() {
        true => Some(Lock::Decided),
        false => closed_lock(model, item),
    };
    match (action, lock) {
        // A reviewer who is typing or answering is not interrupted.
        (NoticeAction::Open, _) if !matches!(model.mode, Mode::Normal) => {}
        (NoticeAction::Open, _) => {
            model.pane = Pane::Request;
            select(model, Some(id.clone()));
        }
        (NoticeAction::Deny, Some(lock)) => {
            model.warn(format!("{}: {}", id.short(), lock.text()));
        }
        (NoticeAction::Deny, None) => {
            commit(model, id, Decision::Deny(None), effects);
            model.hint(format!("{} denied from its notification", id.short()));
        }
    }
}

/// The key "deny with a comment": opens the text field, whether or not there is something to deny
/// now. What follows the key is text, and text must never be read as keys.
pub(super) fn open_comment(model: &mut Model) {
    model.press();
    model.hint = None;
    model.mode = Mode::Comment(model.requests.selected.clone(), Input::default());
}

/// Enter in the comment of a denial.
pub(super) fn send_comment(model: &mut Model, effects: &mut Vec<Effect>) {
    let Mode::Comment(id, input) = std::mem::take(&mut model.mode) else { return };
    model.press();
    if let Some(lock) = comment_lock(model, id.as_ref()) {
        model.warn(format!("not sent: {}", lock.text()));
        if matches!(lock, Lock::Disconnected | Lock::NotShown | Lock::Arming(_)) {
            // A moment later it can be sent: the text is kept.
            model.mode = Mode::Comment(id, input);
        }
        return;
    }
    let Some(id) = id else { return };
    let comment = Some(input.value().trim().to_owned()).filter(|c| !c.is_empty());
    commit(model, &id, Decision::Deny(comment), effects);
}

/// Makes the decision: holds it, or sends it.
pub(super) fn commit(
    model: &mut Model,
    id: &CommandId,
    decision: Decision,
    effects: &mut Vec<Effect>,
) {
    let (now, at_ms) = (model.clock.now, model.clock.broker_now());
    // Before the stage changes: a decided request has another place in the queue.
    let next = next_after(&model.requests, id);
    let Some(item) = model.requests.items.get_mut(id) else { return };
    let verdict = decision.verdict();
    if verdict == Verdict::Deny {
        item.pin = None;
    }
    let revision = item.view().revision;
    match decision {
        Decision::Allow(grant) if grant.is_some() || item.level() >= Level::High => {
            item.stage = Stage::Held { revision, grant, until: now + HOLD };
        }
        decision => effects.push(decision.send(
            &mut model.connection,
            item,
            (revision, model.settings.signs),
            now,
        )),
    }
    let headline = item.headline.clone();
    model.decisions.last = Some(LastDecision { verdict, headline, at_ms, id: id.clone() });
    model.decisions.failed.retain(|failed| &failed.id != id);
    model.arming.decided_at = Some(now);
    model.hint = None;
    // The reviewer's own key moves the selection on; the next request has to be armed again.
    if model.requests.is_selected(id) {
        select(model, next);
    }
}

/// Ends what depended on a request that changed: a second step, a held allow.
pub(super) fn request_changed(model: &mut Model, id: &CommandId) {
    let item = model.requests.items.get(id);
    let stale = |revision: u64| {
        item.is_none_or(|i| i.view().revision != revision || i.state() != CommandState::Pending)
    };
    let question_stale = match &model.mode {
        Mode::Confirm(confirming) => &confirming.id == id && stale(confirming.revision),
        Mode::Grant(form) => &form.id == id && stale(form.revision),
        _ => false,
    };
    let held_stale =
        matches!(item.map(|i| &i.stage), Some(Stage::Held { revision, .. }) if stale(*revision));
    if question_stale {
        model.close_question();
        model.warn("not allowed: the request changed under the question");
    }
    if held_stale {
        held::cancel(model, id, "it changed while it was held");
    }
}

/// The connection is gone: nothing held is sent, and what became of those on their way is not
/// known.
pub(super) fn disconnected(model: &mut Model) {
    debug_assert!(!model.connection.is_synced());
    let undecided: Vec<(CommandId, Stage)> =
        model.requests.items.values().map(|i| (i.id().clone(), i.stage.clone())).collect();
    for (id, stage) in undecided {
        match stage {
            Stage::Held { .. } => held::cancel(model, &id, "the connection broke"),
            Stage::Sent { verdict, .. } => {
                if let Some(item) = model.requests.items.get_mut(&id) {
                    item.stage = Stage::Open;
                }
                let text = format!(
                    "{} of {} not confirmed: the connection broke",
                    verdict.as_str(),
                    id.short()
                );
                model.decisions.fail(id, text);
            }
            Stage::Signing { .. } => {
                if let Some(item) = model.requests.items.get_mut(&id) {
                    item.stage = Stage::Open;
                }
                let text = format!("{} not allowed: the connection broke", id.short());
                model.decisions.fail(id, text);
            }
            Stage::Open | Stage::Done { .. } | Stage::Refused { .. } => {}
        }
    }
    model.arming.nothing_shown();
    if matches!(model.mode, Mode::Confirm(_) | Mode::Grant(_) | Mode::ConfirmSession(..)) {
        model.close_question();
    }
}
