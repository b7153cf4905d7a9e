//! Hands each message to the module that it concerns. It must never lose an effect.

use super::{
    alerts, broker, decide, fetched, grant, held, keys, mouse, pin, select, signing, watch,
};
use crate::model::{Drawn, Effect, Fetch, Mode, Model, Msg};
use crate::time::{LINGER, Millis};

/// Takes in one message.
pub(crate) fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let mut effects = Vec::new();
    let before = signing::under_way(model);
    match msg {
        Msg::Now(now) => tick(model, now, &mut effects),
        Msg::Key(key) => keys::key(model, key, &mut effects),
        Msg::Paste(text) => keys::paste(model, &text),
        Msg::Mouse(event) => mouse::mouse(model, event),
        // Even if the size is what it was when the last frame was drawn: in between the terminal may have
        // lost what it showed.
        Msg::Resized => {
            model.arming.nothing_shown();
            effects.push(Effect::Redraw);
        }
        Msg::Focus(gained) => {
            // The first keys after coming back may have been meant for another window.
            if gained {
                model.press();
            }
        }
        // What was on the screen before is not what was looked at since.
        Msg::Resumed => model.arming.nothing_shown(),
        Msg::TerminalDelay(delay) => model.arming.terminal_delay = delay,
        Msg::Link(news) => broker::link(model, news, &mut effects),
        Msg::Drawn(drawn) => self::drawn(model, drawn),
        Msg::Clicked(id, action) => decide::notice_action(model, &id, action, &mut effects),
        Msg::PinWanted => pin::wanted(model),
        Msg::Signed(message, answer) => signing::signed(model, *message, answer, &mut effects),
        Msg::Fetched(Fetch::SessionCommands(session), answer) => {
            broker::session_commands(model, &session, answer);
        }
        Msg::Fetched(Fetch::Grants, answer) => broker::grants(model, answer),
        Msg::Fetched(Fetch::Sessions, answer) => broker::past_sessions(model, answer),
        Msg::Fetched(what, answer) => fetched::fetched(model, &what, answer, &mut effects),
    }
    watch::follow(model, &mut effects);
    let now = signing::under_way(model);
    effects.extend(before.difference(&now).cloned().map(Effect::StopSigning));
    effects
}

fn tick(model: &mut Model, now: Millis, effects: &mut Vec<Effect>) {
    model.clock.now = model.clock.now.max(now);
    let now = model.clock.now;
    if model.hint.as_ref().is_some_and(|h| h.until <= now) {
        model.hint = None;
    }
    held::send_due(model, effects);
    grant::expire(&mut model.sessions, &model.clock);
    let requests = &mut model.requests;
    let before = requests.items.len();
    // The selected request stays, however long ago it was closed: the reviewer moves on, not it.
    requests.items.retain(|id, item| {
        item.closed_since.is_none_or(|at| at + LINGER > now)
            || Some(id) == requests.selected.as_ref()
    });
    if requests.items.len() != before {
        select::select_if_none(model);
    }
    if let Mode::Replay(player) = &mut model.mode {
        player.tick(now);
    }
    alerts::announce(model, effects);
}

/// A drawing is on the screen: only now does what it showed count as seen.
fn drawn(model: &mut Model, drawn: Drawn) {
    model.arming.drew(drawn.request.as_ref(), drawn.question, model.clock.now);
    model.reading.drew(&drawn);
    if let Some(request) = &drawn.request {
        if let Some(item) = model.requests.items.get_mut(&request.id)
            // A newer revision may have arrived since the drawing began. It was not shown.
            && item.view().revision == request.revision
        {
            item.saw(request);
        }
        let failed = &mut model.decisions.failed;
        if matches!(model.mode, Mode::Normal) && failed.len() > 8 {
            failed.remove(0);
        }
    }
    model.drawn = drawn;
}
