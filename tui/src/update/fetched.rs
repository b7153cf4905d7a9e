//! Answers of the broker over HTTP. They must never open anything over what the reviewer has gone
//! on to.

use super::{list, replay, rule, vote};
use crate::model::{Answer, Effect, Fetch, Mode, Model};
use crate::text::clean;

/// Takes in an answer.
pub(super) fn fetched(
    model: &mut Model,
    what: &Fetch,
    answer: Result<Answer, String>,
    effects: &mut Vec<Effect>,
) {
    match (what, answer) {
        (Fetch::Recording(session), Ok(Answer::Recording(recording, commands))) => {
            replay::arrived(model, session, recording, &commands);
        }
        (Fetch::Candidates(view), Ok(Answer::Candidates(candidates))) => {
            rule::arrived(model, view, candidates);
        }
        (_, Ok(Answer::Done(text))) => {
            model.hint(text);
            if matches!(what, Fetch::Vote(..)) {
                list::refresh(model, effects);
            }
        }
        (_, Ok(Answer::Changes(changes))) => vote::count_changes(&mut model.reviewer, &changes),
        (_, Ok(answer)) => list::fill(model, what, answer),
        // Nothing on the screen depends on it.
        (Fetch::Changes, Err(_)) => {}
        (_, Err(why)) => failed(model, what, &why),
    }
}

fn failed(model: &mut Model, what: &Fetch, why: &str) {
    let text = format!("not available: {}", clean(why, 200));
    match &mut model.mode {
        Mode::List(list) if &list.what == what => list.note = Some(text),
        _ => {
            if matches!(model.mode, Mode::Rule(_)) {
                model.mode = Mode::Normal;
            }
            model.warn(text);
        }
    }
}
