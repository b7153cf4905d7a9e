//! Votes on rules and on changes of rules and policies. It must never send one for anything but
//! what was on the screen, whole, when the second step was taken.

use crossterm::event::{KeyCode, KeyEvent};
use expacti_protocol::http::Change;

use super::hint;
use crate::keymap::Action;
use crate::model::{Effect, Fetch, Mode, Model, Voting, change};

/// Counts what waits for this reviewer.
pub(super) fn noted(model: &mut Model, changes: &[Change]) {
    let (me, role) = (&model.principal, model.role);
    model.changes = changes.iter().filter(|c| change(c, me, role).locked.is_none()).count();
}

/// The keys "allow" and "deny" in the list: opens the question, bound to the row.
pub(super) fn ask(model: &mut Model, approve: bool) {
    let Mode::List(list) = &model.mode else { return };
    let row = list.shown().get(list.at).and_then(|row| row.ballot.as_deref()).cloned();
    let Some(ballot) = row else { return hint(model, "nothing to vote on here", false) };
    let locked = match (approve, &ballot.locked) {
        (true, Some(why)) => Some(why.clone()),
        (false, _) if !ballot.may_drop => {
            Some("only a change that waits can be dropped, by who may approve it".to_owned())
        }
        _ if !model.connected() => Some("not connected: nothing can be decided".to_owned()),
        _ => None,
    };
    model.pressed_at = Some(model.now);
    if let Some(why) = locked {
        return hint(model, why, false);
    }
    (model.hint, model.asked_since) = (None, None);
    if let Mode::List(list) = &mut model.mode {
        list.voting = Some(Voting { ballot, approve, scroll: 0 });
    }
}

/// A key while the question is open. It takes an answer while its end is on the screen.
pub(super) fn key(
    model: &mut Model,
    key: KeyEvent,
    action: Option<Action>,
    effects: &mut Vec<Effect>,
) {
    let (ready, most) = (model.answerable(), model.drawn.max_scroll);
    let connected = model.connected();
    let Mode::List(list) = &mut model.mode else { return };
    let Some(voting) = &mut list.voting else { return };
    let page = model.drawn.page.max(2) - 1;
    // Whatever else that key does elsewhere.
    let yes = key.code == KeyCode::Char('y') && key.modifiers.is_empty();
    match action.filter(|_| !yes) {
        Some(Action::Down) => voting.scroll = (voting.scroll + 1).min(most),
        Some(Action::Up) => voting.scroll = voting.scroll.saturating_sub(1),
        Some(Action::PageDown) => voting.scroll = (voting.scroll + page).min(most),
        Some(Action::PageUp) => voting.scroll = voting.scroll.saturating_sub(page),
        Some(Action::End) => voting.scroll = most,
        Some(Action::Home) => voting.scroll = 0,
        _ => {
            model.pressed_at = Some(model.now);
            if yes && connected && !ready {
                return hint(model, "look at all of it first: then confirm", false);
            }
            let Some(voting) = list.voting.take() else { return };
            if !(yes && connected) {
                let what = if voting.approve { "approved" } else { "dropped" };
                return hint(model, format!("nothing was {what}"), false);
            }
            effects.push(Effect::Fetch(Fetch::Vote(voting.ballot.subject, voting.approve)));
        }
    }
}

/// New rows have come: a question about what is not as it was closes. The rest of an answer to it
/// must not be read as keys.
pub(super) fn still_there(model: &mut Model) {
    let Mode::List(list) = &mut model.mode else { return };
    let Some(voting) = &list.voting else { return };
    let same = list.rows.iter().any(|row| row.ballot.as_deref() == Some(&voting.ballot));
    if same {
        return;
    }
    list.voting = None;
    model.pressed_at = Some(model.now);
    model.typing_until = Some(model.now + model.arming());
    hint(model, "nothing was decided: it changed under the question", true);
}

/// The connection is gone: a question that is open is asked again by the reviewer.
pub(super) fn disconnected(model: &mut Model) {
    let Mode::List(list) = &mut model.mode else { return };
    if list.voting.take().is_some() {
        model.pressed_at = Some(model.now);
        model.typing_until = Some(model.now + model.arming());
    }
}
