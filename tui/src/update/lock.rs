//! Why a decision key does nothing now. It must never let an allow through for anything but the
//! request that is on the screen, armed, with its end shown.

use expacti_protocol::command::CommandState;
use expacti_protocol::ids::CommandId;

use crate::model::{Item, Model};
use crate::time::Millis;

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
    Arming(Millis),
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

/// Why the selected request cannot be allowed now.
pub(crate) fn allow_lock(model: &Model) -> Option<Lock> {
    let Some(item) = model.requests.current() else { return Some(Lock::NoRequest) };
    if let Some(lock) = allow_lock_but_time(model, item) {
        return Some(lock);
    }
    let now = model.clock.now;
    let ready = model.arming.request_ready().unwrap_or(now + model.arming.delay());
    (now < ready).then(|| Lock::Arming(ready - now))
}

/// Why the request that a question was about cannot be allowed now. The time is not looked at: the
/// question has its own. All else is, once more: it may have changed since the first step.
pub(super) fn second_step_lock(model: &Model, id: &CommandId, revision: u64) -> Option<Lock> {
    match model.requests.current() {
        Some(item) if item.id() == id && item.view().revision == revision => {
            allow_lock_but_time(model, item)
        }
        _ => Some(Lock::NotShown),
    }
}

/// All conditions of an allow but the time on the screen.
fn allow_lock_but_time(model: &Model, item: &Item) -> Option<Lock> {
    if let Some(lock) = closed_lock(model, item) {
        return Some(lock);
    }
    if item.stage.is_decided() {
        return Some(Lock::Decided);
    }
    let names = &item.card.may_decide;
    if !names.is_empty() && !names.contains(&model.reviewer.name) {
        return Some(Lock::NotEntitled(names.join(", ")));
    }
    if !item.exact {
        return Some(Lock::NotExact);
    }
    if model.drawn.small {
        return Some(Lock::Small);
    }
    let shown = model.arming.shown(item.id());
    if shown.is_none_or(|s| s.revision != item.view().revision) {
        return Some(Lock::NotShown);
    }
    (!item.end_seen(model.requests.masked(item))).then_some(Lock::EndNotSeen)
}

/// Why the selected request cannot be denied now.
pub(crate) fn deny_lock(model: &Model) -> Option<Lock> {
    let Some(item) = model.requests.current() else { return Some(Lock::NoRequest) };
    if let Some(lock) = undeniable_lock(model, item) {
        return Some(lock);
    }
    if model.arming.shown(item.id()).is_none() {
        return Some(Lock::NotShown);
    }
    // A second tap must not reach the request that came under the finger.
    (!model.arming.rested_since_decision(model.clock.now)).then_some(Lock::JustDecided)
}

/// Why the comment that is being typed cannot be sent now.
pub(crate) fn comment_lock(model: &Model, id: Option<&CommandId>) -> Option<Lock> {
    let Some(item) = id.and_then(|id| model.requests.items.get(id)) else {
        return Some(Lock::NoRequest);
    };
    if let Some(lock) = undeniable_lock(model, item) {
        return Some(lock);
    }
    match model.arming.shown(item.id()) {
        None => Some(Lock::NotShown),
        // Another one came under the finger: it must have been looked at.
        Some(shown) if model.arming.decided_at.is_some_and(|at| shown.since >= at) => {
            let (now, ready) = (model.clock.now, shown.since + model.arming.delay());
            (now < ready).then(|| Lock::Arming(ready - now))
        }
        Some(_) => None,
    }
}

/// Why that request cannot be denied now, whether or not it is on the screen.
fn undeniable_lock(model: &Model, item: &Item) -> Option<Lock> {
    closed_lock(model, item).or_else(|| item.stage.is_final().then_some(Lock::Decided))
}

/// Why nothing at all can be decided on that request now.
pub(super) fn closed_lock(model: &Model, item: &Item) -> Option<Lock> {
    if !model.connection.is_synced() {
        return Some(Lock::Disconnected);
    }
    if !model.reviewer.role.may_decide() {
        return Some(Lock::Viewer);
    }
    // The broker's word on the deadline may still be on its way.
    let late = model.clock.broker_now() >= item.view().deadline_ms;
    match item.state() {
        CommandState::Pending if late => Some(Lock::Closed(CommandState::Expired)),
        CommandState::Pending => None,
        state => Some(Lock::Closed(state)),
    }
}
