//! Votes on rules and on changes of rules and policies. It must never send one for anything but
//! what was on the screen, whole, when the second step was taken.

use crossterm::event::KeyEvent;
use expacti_protocol::http::Change;

use super::field;
use crate::keymap::Action;
use crate::model::{Ballot, Choice, Effect, Fetch, Mode, Model, Reviewer, Voting};

/// Counts what waits for this reviewer.
pub(super) fn count_changes(reviewer: &mut Reviewer, changes: &[Change]) {
    let open = |change: &&Change| Ballot::for_change(change, reviewer).locked.is_none();
    reviewer.changes = changes.iter().filter(open).count();
}

/// The keys "allow" and "deny" in the list: opens the question, bound to the row.
pub(super) fn ask(model: &mut Model, choice: Choice) {
    let Mode::List(list) = &model.mode else { return };
    let row = list.shown().get(list.at).and_then(|row| row.ballot.as_deref()).cloned();
    let Some(ballot) = row else { return model.hint("nothing to vote on here") };
    let locked = match (choice, &ballot.locked) {
        (Choice::Approve, Some(why)) => Some(why.clone()),
        (Choice::Drop, _) if !ballot.may_drop => {
            Some("only a change that waits can be dropped, by who may approve it".to_owned())
        }
        _ if !model.connection.is_synced() => {
            Some("not connected: nothing can be decided".to_owned())
        }
        _ => None,
    };
    model.press();
    if let Some(why) = locked {
        return model.hint(why);
    }
    model.hint = None;
    model.arming.question_opened();
    if let Mode::List(list) = &mut model.mode {
        list.voting = Some(Voting { ballot, choice, scroll: 0 });
    }
}

/// A key while the question is open. It takes an answer while its end is on the screen.
pub(super) fn key(
    model: &mut Model,
    key: KeyEvent,
    action: Option<Action>,
    effects: &mut Vec<Effect>,
) {
    let most = model.drawn.max_scroll;
    let page = model.drawn.page.max(2) - 1;
    let Mode::List(list) = &mut model.mode else { return };
    let Some(voting) = &mut list.voting else { return };
    // `y` answers, whatever else that key does elsewhere.
    match action.filter(|_| !field::confirms(&key)) {
        Some(Action::Down) => voting.scroll = (voting.scroll + 1).min(most),
        Some(Action::Up) => voting.scroll = voting.scroll.saturating_sub(1),
        Some(Action::PageDown) => voting.scroll = (voting.scroll + page).min(most),
        Some(Action::PageUp) => voting.scroll = voting.scroll.saturating_sub(page),
        Some(Action::End) => voting.scroll = most,
        Some(Action::Home) => voting.scroll = 0,
        _ => answer(model, field::confirms(&key), effects),
    }
}

/// Sends the vote, or closes the question without one.
fn answer(model: &mut Model, yes: bool, effects: &mut Vec<Effect>) {
    let (ready, connected) = (model.answerable(), model.connection.is_synced());
    // After that: the key itself starts the wait of the next question.
    model.press();
    if yes && connected && !ready {
        return model.hint("look at all of it first: then confirm");
    }
    let Mode::List(list) = &mut model.mode else { return };
    // Taken out before it is sent: one question gives one vote.
    let Some(voting) = list.voting.take() else { return };
    if yes && connected {
        let vote = Fetch::Vote(voting.ballot.subject, voting.choice);
        return effects.push(Effect::Fetch(vote));
    }
    model.hint(match voting.choice {
        Choice::Approve => "nothing was approved",
        Choice::Drop => "nothing was dropped",
    });
}

/// New rows have come: a question about something that has changed closes. The rest of an answer
/// to it must not be read as keys.
pub(super) fn close_if_changed(model: &mut Model) {
    let Mode::List(list) = &mut model.mode else { return };
    let Some(voting) = &list.voting else { return };
    if list.rows.iter().any(|row| row.ballot.as_deref() == Some(&voting.ballot)) {
        return;
    }
    list.voting = None;
    model.arming.interrupt_typing(model.clock.now);
    model.warn("nothing was decided: it changed under the question");
}

/// The connection is gone: a question that is open is asked again by the reviewer.
pub(super) fn disconnected(model: &mut Model) {
    let Mode::List(list) = &mut model.mode else { return };
    if list.voting.take().is_some() {
        model.arming.interrupt_typing(model.clock.now);
    }
}
