//! From a key to a decision. It must never send an allow for anything but the request that was on
//! the screen, armed, with its end shown; and never the same decision twice.

use expacti_engine::Level;
use expacti_protocol::command::{CommandState, Grant};
use expacti_protocol::ids::CommandId;
use expacti_protocol::reviewer::{DecisionMessage, ReviewerRequest};
use tui_input::Input;

use super::hint;
use crate::model::{
    ConfirmKind, Confirming, Effect, Item, LastDecision, LinkState, Mode, Model, NoticeAction,
    Pane, Stage,
};
use crate::time::HOLD;

/// Why a decision key does nothing now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Nothing is selected.
    NoRequest,
    /// The broker cannot be reached, or has not sent everything yet.
    Disconnected,
    /// This role only looks.
    Viewer,
    /// Decided, expired or withdrawn.
    Closed(CommandState),
    /// This reviewer's decision is on its way or done.
    Decided,
    /// The request is not on the screen.
    NotShown,
    /// It was on the screen too short a time; so many milliseconds are missing.
    Arming(u64),
    /// A decision was made a moment ago.
    JustDecided,
    /// The last byte of the command, or of its preview, was not on the screen.
    EndNotSeen,
    /// It needs others.
    NotEntitled(String),
    /// The bytes are not those of the digest.
    NotExact,
    /// The screen is too small to show what an allow rests on.
    Small,
}

impl Lock {
    /// One line for the reviewer.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::NoRequest => "no request is selected".to_owned(),
            Self::Disconnected => "not connected: nothing can be decided".to_owned(),
            Self::Viewer => "your role only looks".to_owned(),
            Self::Closed(state) => format!("too late: {} already", state.as_str()),
            Self::Decided => "you have decided this one".to_owned(),
            Self::NotShown => "not on the screen yet: look, then press again".to_owned(),
            Self::Arming(_) => "just appeared: look, then press again".to_owned(),
            Self::JustDecided => "another request: look, then press again".to_owned(),
            Self::EndNotSeen => "the end was not shown: page down first".to_owned(),
            Self::NotEntitled(who) => format!("you cannot allow this one: it needs {who}"),
            Self::NotExact => {
                "the bytes do not match their digest: this can only be denied".to_owned()
            }
            Self::Small => "enlarge the window to allow; deny works".to_owned(),
        }
    }
}

/// Why the selected request cannot be denied now.
pub(crate) fn deny_lock(model: &Model) -> Option<Lock> {
    let Some(item) = model.item() else { return Some(Lock::NoRequest) };
    if let Some(lock) = open_lock(model, item) {
        return Some(lock);
    }
    if matches!(item.stage, Stage::Sent { .. } | Stage::Done { allow: false }) {
        return Some(Lock::Decided);
    }
    if model.on_screen.as_ref().is_none_or(|s| &s.id != item.id()) {
        return Some(Lock::NotShown);
    }
    let rested = model.decided_at.is_none_or(|at| model.now >= at + model.arming());
    if rested { None } else { Some(Lock::JustDecided) }
}

fn open_lock(model: &Model, item: &Item) -> Option<Lock> {
    if !model.connected() {
        return Some(Lock::Disconnected);
    }
    if !model.role.may_decide() {
        return Some(Lock::Viewer);
    }
    let late = model.broker_now() >= item.view().deadline_ms;
    match item.state() {
        CommandState::Pending if late => Some(Lock::Closed(CommandState::Expired)),
        CommandState::Pending => None,
        state => Some(Lock::Closed(state)),
    }
}

/// Why the selected request cannot be allowed now.
pub(crate) fn allow_lock(model: &Model) -> Option<Lock> {
    let Some(item) = model.item() else { return Some(Lock::NoRequest) };
    if let Some(lock) = unarmed_lock(model, item) {
        return Some(lock);
    }
    let since = model.on_screen.as_ref().map_or(model.now, |s| s.since);
    let ready = since.max(model.pressed_at.unwrap_or(0)) + model.arming();
    if model.now < ready { Some(Lock::Arming(ready - model.now)) } else { None }
}

/// All conditions of an allow but the time on the screen.
pub(super) fn unarmed_lock(model: &Model, item: &Item) -> Option<Lock> {
    if let Some(lock) = open_lock(model, item) {
        return Some(lock);
    }
    if super::decided_here(&item.stage) {
        return Some(Lock::Decided);
    }
    let names = &item.card.may_decide;
    if !names.is_empty() && !names.contains(&model.principal) {
        return Some(Lock::NotEntitled(names.join(", ")));
    }
    if !item.exact {
        return Some(Lock::NotExact);
    }
    if model.drawn.small {
        return Some(Lock::Small);
    }
    let shown = model
        .on_screen
        .as_ref()
        .is_some_and(|s| &s.id == item.id() && s.revision == item.view().revision);
    if !shown {
        return Some(Lock::NotShown);
    }
    if item.end_seen(model.masked(item)) { None } else { Some(Lock::EndNotSeen) }
}

/// The key "allow".
pub(crate) fn allow(model: &mut Model, effects: &mut Vec<Effect>) {
    if let Some(lock) = allow_lock(model) {
        // Pressing too early, or holding the key, starts the waiting afresh.
        model.pressed_at = Some(model.now);
        return hint(model, lock.text(), false);
    }
    model.pressed_at = Some(model.now);
    let Some(item) = model.item() else { return };
    let (id, revision) = (item.id().clone(), item.view().revision);
    let expected = match model.confirm.of(item.level()) {
        // What was not shown is never allowed by one key.
        ConfirmKind::None if model.masked(item) => None,
        ConfirmKind::None => return commit(model, &id, Decision::Allow(None), effects),
        ConfirmKind::Y => None,
        ConfirmKind::TargetName => Some(name_to_type(item)),
    };
    let input = Input::default();
    super::ask(model, Mode::Confirm(Box::new(Confirming { id, revision, expected, input })));
}

/// What must be typed for the most dangerous: the target's name. One that cannot be typed as it is
/// shown is no proof of anything: then it is the id.
pub(super) fn name_to_type(item: &Item) -> String {
    if item.card.target_typable {
        item.card.target_name.clone()
    } else {
        item.id().short().to_owned()
    }
}

/// The second step: `y`, or Enter after the name.
pub(crate) fn confirmed(model: &mut Model, effects: &mut Vec<Effect>) {
    let Mode::Confirm(confirming) = &model.mode else { return };
    let (id, revision) = (confirming.id.clone(), confirming.revision);
    let early = !model.answerable();
    model.pressed_at = Some(model.now);
    if early {
        return hint(model, "look first: then confirm", false);
    }
    model.mode = Mode::Normal;
    let lock = match model.item() {
        Some(item) if item.id() == &id && item.view().revision == revision => {
            unarmed_lock(model, item)
        }
        _ => Some(Lock::NotShown),
    };
    match lock {
        Some(lock) => hint(model, lock.text(), true),
        None => commit(model, &id, Decision::Allow(None), effects),
    }
}

/// The key "deny".
pub(crate) fn deny(model: &mut Model, effects: &mut Vec<Effect>) {
    let lock = deny_lock(model);
    model.pressed_at = Some(model.now);
    match (lock, model.selected.clone()) {
        (Some(lock), _) => hint(model, lock.text(), false),
        (None, Some(id)) => commit(model, &id, Decision::Deny(None), effects),
        (None, None) => {}
    }
}

/// A button of a desktop notification: opens the request, or denies it.
pub(crate) fn clicked(
    model: &mut Model,
    id: &CommandId,
    click: NoticeAction,
    effects: &mut Vec<Effect>,
) {
    let Some(item) = model.items.get(id) else {
        return hint(model, format!("{}: over already", id.short()), false);
    };
    let lock = match item.stage {
        Stage::Sent { .. } | Stage::Done { allow: false } => Some(Lock::Decided),
        _ => open_lock(model, item),
    };
    match (click, lock) {
        // Whoever is typing or answering goes on with that.
        (NoticeAction::Open, _) if !matches!(model.mode, Mode::Normal) => {}
        (NoticeAction::Open, _) => {
            model.pane = Pane::Request;
            select(model, Some(id.clone()));
        }
        (NoticeAction::Deny, Some(lock)) => {
            hint(model, format!("{}: {}", id.short(), lock.text()), true)
        }
        (NoticeAction::Deny, None) => {
            commit(model, id, Decision::Deny(None), effects);
            hint(model, format!("{} denied from its notification", id.short()), false);
        }
    }
}

/// The key "deny with a comment": opens the text field, whether or not there is something to deny
/// now. What follows the key is text, and text must never be read as keys.
pub(crate) fn deny_comment(model: &mut Model) {
    model.pressed_at = Some(model.now);
    model.hint = None;
    model.mode = Mode::Comment(model.selected.clone(), Input::default());
}

/// Why the comment that is being typed cannot be sent now.
pub(crate) fn comment_lock(model: &Model, id: Option<&CommandId>) -> Option<Lock> {
    let Some(item) = id.and_then(|id| model.items.get(id)) else { return Some(Lock::NoRequest) };
    if let Some(lock) = open_lock(model, item) {
        return Some(lock);
    }
    if matches!(item.stage, Stage::Sent { .. } | Stage::Done { allow: false }) {
        return Some(Lock::Decided);
    }
    let shown = model.on_screen.as_ref().filter(|s| &s.id == item.id());
    match shown {
        None => Some(Lock::NotShown),
        // Another one came under the finger: it must have been looked at.
        Some(s) if model.decided_at.is_some_and(|at| s.since >= at) => {
            let ready = s.since + model.arming();
            (model.now < ready).then(|| Lock::Arming(ready - model.now))
        }
        Some(_) => None,
    }
}

/// Enter in the comment of a denial.
pub(crate) fn commented(model: &mut Model, effects: &mut Vec<Effect>) {
    let Mode::Comment(id, input) = std::mem::take(&mut model.mode) else { return };
    model.pressed_at = Some(model.now);
    let lock = comment_lock(model, id.as_ref());
    if let Some(lock) = lock {
        hint(model, format!("not sent: {}", lock.text()), true);
        if matches!(lock, Lock::Disconnected | Lock::NotShown | Lock::Arming(_)) {
            // A moment later it can be sent: the text is kept.
            model.mode = Mode::Comment(id, input);
        }
        return;
    }
    let Some(id) = id else { return };
    let comment = input.value().trim().to_owned();
    let comment = Some(comment).filter(|c| !c.is_empty());
    commit(model, &id, Decision::Deny(comment), effects);
}

/// What a reviewer decides of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// It may run, and what follows may pass unreviewed.
    Allow(Option<Grant>),
    /// It may not, and the agent is told why.
    Deny(Option<String>),
}

/// Makes the decision: holds it, or sends it.
pub(super) fn commit(
    model: &mut Model,
    id: &CommandId,
    decision: Decision,
    effects: &mut Vec<Effect>,
) {
    let (now, at_ms) = (model.now, model.broker_now());
    let next = next_after(model, id);
    let Some(item) = model.items.get_mut(id) else { return };
    let allow = matches!(decision, Decision::Allow(_));
    let revision = item.view().revision;
    match decision {
        Decision::Allow(grant) if grant.is_some() || item.level() >= Level::High => {
            item.stage = Stage::Held { revision, grant, until: now + HOLD };
        }
        decision => {
            effects.push(send(item, model.next_ref, revision, decision, now));
            model.next_ref += 1;
        }
    }
    let headline = item.headline.clone();
    model.last = Some(LastDecision { allow, headline, at_ms, id: id.clone() });
    model.decided_at = Some(now);
    model.failed_decisions.retain(|(failed, _)| failed != id);
    model.hint = None;
    // A key of the reviewer's moves on; the next request is armed afresh.
    if model.selected.as_ref() == Some(id) {
        select(model, next);
    }
}

fn send(item: &mut Item, r#ref: u64, revision: u64, decision: Decision, now: u64) -> Effect {
    let (allow, comment, grant) = match decision {
        Decision::Allow(grant) => (true, None, grant),
        Decision::Deny(comment) => (false, comment, None),
    };
    item.stage = Stage::Sent { r#ref, allow, at: now };
    Effect::Send(ReviewerRequest::Decision(DecisionMessage {
        r#ref: Some(r#ref),
        id: item.id().clone(),
        allow,
        comment,
        sha256: Some(item.view().sha256),
        revision: Some(revision),
        grant,
        signature: None,
    }))
}

/// Sends the allows whose time to take them back is over.
pub(crate) fn release_held(model: &mut Model, effects: &mut Vec<Effect>) {
    let now = model.now;
    let due: Vec<CommandId> = model
        .items
        .values()
        .filter(|i| matches!(i.stage, Stage::Held { until, .. } if until <= now))
        .map(|i| i.id().clone())
        .collect();
    for id in due {
        let lock = model.items.get(&id).map(|item| open_lock(model, item));
        let Some(item) = model.items.get_mut(&id) else { continue };
        let Stage::Held { revision, grant, .. } = item.stage else { continue };
        if revision != item.view().revision || !matches!(lock, Some(None)) {
            drop_held(model, &id, "it changed while it was held");
            continue;
        }
        effects.push(send(item, model.next_ref, revision, Decision::Allow(grant), now));
        model.next_ref += 1;
    }
}

/// Forgets a held allow and says so.
pub(crate) fn drop_held(model: &mut Model, id: &CommandId, why: &str) {
    let Some(item) = model.items.get_mut(id) else { return };
    if !matches!(item.stage, Stage::Held { .. }) {
        return;
    }
    item.stage = Stage::Open;
    let text = format!("allow of {} not sent: {why}", id.short());
    model.failed_decisions.push((id.clone(), text));
}

/// The key "undo": takes back the newest allow that is still held.
pub(crate) fn undo(model: &mut Model) {
    let newest = model
        .items
        .values()
        .filter_map(|i| match i.stage {
            Stage::Held { until, .. } => Some((until, i.id().clone())),
            _ => None,
        })
        .max();
    let Some((_, id)) = newest else {
        return hint(model, "nothing to take back", false);
    };
    if let Some(item) = model.items.get_mut(&id) {
        item.stage = Stage::Open;
    }
    model.last = None;
    // No other request came under the finger.
    model.decided_at = None;
    select(model, Some(id));
    model.pressed_at = Some(model.now);
    hint(model, "taken back: nothing was sent", false);
}

/// Puts the reviewer in front of a request, or of none.
pub(crate) fn select(model: &mut Model, id: Option<CommandId>) {
    if model.selected == id {
        return;
    }
    model.selected = id;
    model.revealed = None;
    model.scroll = 0;
    // Whatever was on the screen was another request.
    model.on_screen = None;
    select_if_none(model);
}

/// From nothing, the first request that waits is taken; from something, never.
pub(crate) fn select_if_none(model: &mut Model) {
    if model.selected.as_ref().is_some_and(|id| model.items.contains_key(id)) {
        return;
    }
    let first = model
        .queue()
        .into_iter()
        .map(|(item, _)| item)
        .find(|i| i.state() == CommandState::Pending && i.stage == Stage::Open)
        .map(|i| i.id().clone());
    if model.selected != first {
        model.selected = first;
        model.revealed = None;
        model.scroll = 0;
        model.on_screen = None;
    }
}

/// The request after `id` that this reviewer has not decided: further down, else from the top.
pub(crate) fn next_after(model: &Model, id: &CommandId) -> Option<CommandId> {
    let rows = model.queue();
    let at = rows.iter().position(|(item, _)| item.id() == id).unwrap_or(0);
    let undecided = |item: &Item| {
        item.id() != id
            && item.state() == CommandState::Pending
            && !super::decided_here(&item.stage)
    };
    let (before, after) = rows.split_at(at);
    after.iter().chain(before).map(|(item, _)| *item).find(|i| undecided(i)).map(|i| i.id().clone())
}

/// Closes a question by itself. The reviewer may be in the middle of an answer to it: the rest of
/// it must not be read as keys.
pub(crate) fn close_typing(model: &mut Model) {
    model.mode = Mode::Normal;
    model.pressed_at = Some(model.now);
    model.typing_until = Some(model.now + model.arming());
}

/// Ends what depended on a request that changed: a second step, a held allow.
pub(crate) fn changed(model: &mut Model, id: &CommandId) {
    let asked = match &model.mode {
        Mode::Confirm(c) if &c.id == id => Some(c.revision),
        Mode::Grant(g) if &g.id == id => Some(g.revision),
        _ => None,
    };
    let stale = asked.is_some_and(|revision| {
        let item = model.items.get(id);
        item.is_none_or(|i| i.view().revision != revision || i.state() != CommandState::Pending)
    });
    if stale {
        close_typing(model);
        hint(model, "not allowed: the request changed under the question", true);
    }
    let held = model.items.get(id).and_then(|i| match i.stage {
        Stage::Held { revision, .. } => {
            Some(revision != i.view().revision || i.state() != CommandState::Pending)
        }
        _ => None,
    });
    if held == Some(true) {
        drop_held(model, id, "it changed while it was held");
    }
}

/// The connection is gone: nothing held is sent, and nobody knows what became of what was.
pub(crate) fn disconnected(model: &mut Model) {
    let open: Vec<(CommandId, Stage)> =
        model.items.values().map(|i| (i.id().clone(), i.stage.clone())).collect();
    for (id, stage) in open {
        match stage {
            Stage::Held { .. } => drop_held(model, &id, "the connection broke"),
            Stage::Sent { allow, .. } => {
                if let Some(item) = model.items.get_mut(&id) {
                    item.stage = Stage::Open;
                }
                let word = if allow { "allow" } else { "deny" };
                let text = format!("{word} of {} not confirmed: the connection broke", id.short());
                model.failed_decisions.push((id, text));
            }
            _ => {}
        }
    }
    model.on_screen = None;
    if matches!(model.mode, Mode::Confirm(_) | Mode::Grant(_) | Mode::ConfirmSession(..)) {
        close_typing(model);
    }
    debug_assert!(!matches!(model.link, LinkState::Up { synced: true }));
}
