//! Lists over the whole screen: history, rules, audit log. It must never decide a request.

use crossterm::event::{KeyCode, KeyEvent};
use tui_input::Input;

use super::{field, replay, vote};
use crate::keymap::Action;
use crate::model::{Answer, Choice, Effect, Fetch, List, Mode, Model, audit_row, history_row};

/// Opens a list, and asks for its rows.
pub(super) fn open(model: &mut Model, what: Fetch, title: &'static str, effects: &mut Vec<Effect>) {
    effects.push(Effect::Fetch(what.clone()));
    model.mode = Mode::List(Box::new(List::new(what, title)));
}

/// Rows have come. A list that is not on the screen any more does not want them.
pub(super) fn fill(model: &mut Model, what: &Fetch, answer: Answer) {
    let now_us = model.clock.broker_now_us();
    if let Answer::Rules(book) = &answer {
        vote::count_changes(&mut model.reviewer, &book.changes);
    }
    let Mode::List(list) = &mut model.mode else { return };
    if &list.what != what {
        return;
    }
    let rows = match answer {
        Answer::Commands(commands) => {
            let done = commands.iter().filter(|c| c.decided_by.is_some());
            done.map(history_row).collect()
        }
        Answer::Rules(book) => book.rows(&model.reviewer, now_us),
        Answer::Lines(lines) => lines.iter().rev().map(|l| audit_row(l)).collect(),
        Answer::Recording(..)
        | Answer::Candidates(_)
        | Answer::Changes(_)
        | Answer::Done(_)
        | Answer::Sessions(_) => return,
    };
    list.refill(rows);
    // What the open question is about may have changed with them.
    vote::close_if_changed(model);
}

/// Rules or policies have changed: what is shown of them is asked for again.
pub(super) fn refresh(model: &Model, effects: &mut Vec<Effect>) {
    let shown = matches!(&model.mode, Mode::List(list) if list.what == Fetch::Rules);
    effects.push(Effect::Fetch(if shown { Fetch::Rules } else { Fetch::Changes }));
}

/// A key in a list.
pub(super) fn key(model: &mut Model, key: KeyEvent, effects: &mut Vec<Effect>) {
    let action = model.settings.keymap.action(&key);
    let Mode::List(list) = &mut model.mode else { return };
    if list.voting.is_some() {
        return vote::key(model, key, action, effects);
    }
    if list.typing.is_some() {
        return filter_key(list, key);
    }
    let page = model.drawn.page.max(2) - 1;
    let last = list.shown().len().saturating_sub(1);
    match action {
        Some(Action::Down) => list.at = (list.at + 1).min(last),
        Some(Action::Up) => list.at = list.at.saturating_sub(1),
        Some(Action::PageDown) => list.at = (list.at + page).min(last),
        Some(Action::PageUp) => list.at = list.at.saturating_sub(page),
        Some(Action::Home) => list.at = 0,
        Some(Action::End) => list.at = last,
        Some(Action::Filter) => list.typing = Some(Input::new(list.filter.clone())),
        Some(Action::CopyId | Action::CopyCommand) => {
            if let Some(row) = list.shown().get(list.at) {
                effects.push(Effect::Copy(row.copy.clone()));
                model.hint("copied");
            }
        }
        Some(Action::Allow) => vote::ask(model, Choice::Approve),
        Some(Action::Deny) => vote::ask(model, Choice::Drop),
        Some(Action::Replay | Action::Open) => {
            let session = list.shown().get(list.at).and_then(|r| r.session.clone());
            match session {
                Some((session, at)) => replay::open_at(model, session, at, effects),
                None => model.hint("no recording belongs to this"),
            }
        }
        Some(Action::Back | Action::Quit) => model.mode = Mode::Normal,
        _ => {}
    }
}

fn filter_key(list: &mut List, key: KeyEvent) {
    let Some(input) = &mut list.typing else { return };
    if key.code == KeyCode::Enter {
        list.typing = None;
    } else if field::leaves(&key) {
        list.typing = None;
        list.filter.clear();
    } else {
        field::key(input, key);
        list.filter = input.value().to_owned();
    }
    list.at = 0;
}
