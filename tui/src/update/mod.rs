//! The one place where the model changes: a message in, effects out. It must never wait, read a
//! clock, or touch the terminal or the network.

mod broker;
mod decide;
mod find;
mod grant;
mod keys;
mod screens;
mod vote;
mod watch;

pub(crate) use decide::Lock;
pub(crate) use decide::{allow_lock, comment_lock, deny_lock};

use crate::model::{DrawnRequest, Effect, Fetch, Hint, Mode, Model, Msg, OnScreen, Stage};
use crate::text::clean;
use crate::time::{HINT, LINGER};

/// Takes in one message.
pub(crate) fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let mut effects = Vec::new();
    match msg {
        Msg::Now(now) => tick(model, now, &mut effects),
        Msg::Key(key) => keys::key(model, key, &mut effects),
        Msg::Paste(text) => keys::paste(model, &text),
        Msg::Mouse(mouse) => keys::mouse(model, mouse),
        Msg::Resized => {}
        Msg::Focus(gained) => {
            // The first keys after coming back may have been meant for another window.
            if gained {
                model.pressed_at = Some(model.now);
            }
        }
        Msg::Link(news) => broker::link(model, news, &mut effects),
        Msg::Drawn(drawn) => {
            seen(model, drawn.request.as_ref());
            model.scroll = drawn.scroll.unwrap_or(model.scroll).min(drawn.max_scroll);
            model.find_jump &= drawn.scroll.is_none();
            model.asked_since = drawn.question.then(|| model.asked_since.unwrap_or(model.now));
            model.drawn = drawn;
        }
        Msg::Clicked(id, click) => decide::clicked(model, &id, click, &mut effects),
        Msg::Fetched(Fetch::SessionCommands(session), answer) => {
            broker::past(model, &session, answer)
        }
        Msg::Fetched(Fetch::Grants, answer) => broker::grants(model, answer),
        Msg::Fetched(Fetch::Sessions, answer) => broker::past_sessions(model, answer),
        Msg::Fetched(what, answer) => screens::fetched(model, &what, answer, &mut effects),
    }
    watch::follow(model, &mut effects);
    effects
}

/// Opens a question. It takes no answer before it was on the screen.
pub(crate) fn ask(model: &mut Model, question: Mode) {
    model.hint = None;
    model.asked_since = None;
    model.mode = question;
}

/// A line at the bottom.
pub(crate) fn hint(model: &mut Model, text: impl AsRef<str>, bad: bool) {
    let text = clean(text.as_ref(), 300);
    model.hint = Some(Hint { text, bad, until: model.now + HINT });
}

fn tick(model: &mut Model, now: u64, effects: &mut Vec<Effect>) {
    model.now = model.now.max(now);
    let now = model.now;
    if model.hint.as_ref().is_some_and(|h| h.until <= now) {
        model.hint = None;
    }
    decide::release_held(model, effects);
    grant::expire(model);
    let selected = model.selected.clone();
    let before = model.items.len();
    model.items.retain(|id, item| {
        item.closed_since.is_none_or(|at| at + LINGER > now) || Some(id) == selected.as_ref()
    });
    if model.items.len() != before {
        decide::select_if_none(model);
    }
    if let Mode::Replay(player) = &mut model.mode {
        player.tick(now);
    }
    watch::announce(model, effects);
}

/// Notes what the last drawing showed: the only source of "this was on the screen".
fn seen(model: &mut Model, request: Option<&DrawnRequest>) {
    let Some(request) = request else {
        model.on_screen = None;
        return;
    };
    let same = model
        .on_screen
        .as_ref()
        .is_some_and(|s| s.id == request.id && s.revision == request.revision);
    if !same {
        model.on_screen =
            Some(OnScreen { id: request.id.clone(), revision: request.revision, since: model.now });
    }
    if let Some(item) = model.items.get_mut(&request.id)
        && item.view().revision == request.revision
    {
        item.saw(request);
    }
    let failed_decisions = &mut model.failed_decisions;
    if matches!(model.mode, Mode::Normal) && failed_decisions.len() > 8 {
        failed_decisions.remove(0);
    }
}

/// Whether this reviewer's decision on the item is under way or done.
pub(crate) fn decided_here(stage: &Stage) -> bool {
    matches!(stage, Stage::Held { .. } | Stage::Sent { .. } | Stage::Done { .. })
}
