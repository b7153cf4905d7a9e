//! Ending, pausing and resuming a session, each after a question. It must never do so to another
//! session than the question named.

use crossterm::event::KeyEvent;
use expacti_protocol::ids::SessionId;
use expacti_protocol::reviewer::ReviewerRequest;

use super::field;
use crate::model::{Effect, Fetch, Mode, Model, Pane, SessionControl};

/// The key "kill": asks before a session is ended.
pub(super) fn ask_kill(model: &mut Model) {
    // The alarm line about an ungated shell names this key: that session comes first.
    let ungated = model.sessions.grants.values().next().map(|g| g.session.clone());
    ask(model, ungated, |_| SessionControl::Kill);
}

/// The key "pause": asks before a session is paused, or resumed when it is.
pub(super) fn ask_pause(model: &mut Model) {
    ask(model, None, |paused| match paused {
        true => SessionControl::Resume,
        false => SessionControl::Pause,
    });
}

/// Asks for the chosen session; elsewhere for `first`, or for that of the request.
fn ask(model: &mut Model, first: Option<SessionId>, what: impl Fn(bool) -> SessionControl) {
    let session = match model.pane {
        Pane::Sessions => model.sessions.selected.clone(),
        Pane::Live => model.live_session().cloned(),
        Pane::Queue | Pane::Request => {
            first.or_else(|| model.requests.current().map(|i| i.view().session_id.clone()))
        }
    };
    let paused = session.as_ref().and_then(|id| model.sessions.open(id)).map(|s| s.view.paused);
    match (session, paused) {
        (Some(_), Some(_)) if !model.connection.is_synced() => model.warn("not connected"),
        (Some(_), Some(_)) if !model.reviewer.role.may_decide() => {
            model.hint("your role only looks");
        }
        (Some(id), Some(paused)) => model.ask(Mode::ConfirmSession(id, what(paused))),
        _ => model.hint("no open session is selected"),
    }
}

/// A key while the question is open.
pub(super) fn key(model: &mut Model, key: KeyEvent, effects: &mut Vec<Effect>) {
    let early = !model.answerable();
    if field::confirms(&key) && early {
        model.press();
        return model.hint("look first: then confirm");
    }
    let Mode::ConfirmSession(session, what) = std::mem::take(&mut model.mode) else { return };
    if field::confirms(&key) {
        carry_out(model, session, what, effects);
    } else {
        model.hint("nothing was done to the session");
    }
}

fn carry_out(
    model: &mut Model,
    session_id: SessionId,
    what: SessionControl,
    effects: &mut Vec<Effect>,
) {
    match what {
        SessionControl::Kill => {
            let r#ref = Some(model.connection.next_ref());
            effects.push(Effect::Send(ReviewerRequest::Kill { r#ref, session_id }));
            model.hint("ending the session …");
        }
        SessionControl::Pause => effects.push(Effect::Fetch(Fetch::Pause(session_id))),
        SessionControl::Resume => effects.push(Effect::Fetch(Fetch::Resume(session_id))),
    }
}
