//! Replay, lists, and proposing a rule. It must never decide a request, nor take a screen away
//! from a reviewer who has gone on to something else.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use expacti_engine::Level;
use expacti_protocol::command::ItemKind;
use expacti_protocol::ids::SessionId;
use tui_input::Input;

use super::{hint, vote};
use crate::keymap::Action;
use crate::model::{
    Answer, Effect, Fetch, List, Mode, Model, Pane, RuleProposal, audit_row, history_row,
};
use crate::player::{Outcome, Player};
use crate::propose::TERMS;
use crate::text::clean;
use crate::time::ARMING;

/// Asks for a recording; it opens when it is there, if the reviewer still waits for it.
pub(super) fn replay(model: &mut Model, effects: &mut Vec<Effect>) {
    let session = match model.pane {
        Pane::Sessions => model.session.clone(),
        Pane::Live => model.live_session().cloned(),
        Pane::Queue | Pane::Request => model.item().map(|i| i.view().session_id.clone()),
    };
    match session.or_else(|| model.session.clone()) {
        Some(session) => open_recording(model, session, None, effects),
        None => hint(model, "no session is selected", false),
    }
}

fn open_recording(
    model: &mut Model,
    session: SessionId,
    at: Option<f64>,
    effects: &mut Vec<Effect>,
) {
    hint(model, format!("loading the recording of {} …", session.short()), false);
    model.replay_wanted = Some((session.clone(), at));
    effects.push(Effect::Fetch(Fetch::Recording(session)));
}

pub(super) fn list(model: &mut Model, what: Fetch, title: &'static str, effects: &mut Vec<Effect>) {
    effects.push(Effect::Fetch(what.clone()));
    model.mode = Mode::List(Box::new(List::new(what, title)));
}

pub(super) fn fetched(
    model: &mut Model,
    what: &Fetch,
    answer: Result<Answer, String>,
    effects: &mut Vec<Effect>,
) {
    match answer {
        Ok(Answer::Recording(recording, commands)) => {
            let Fetch::Recording(session) = what else { return };
            let wanted = model.replay_wanted.as_ref().filter(|(id, _)| id == session).cloned();
            let free = matches!(model.mode, Mode::Normal | Mode::List(_));
            let Some((_, at)) = wanted.filter(|_| free) else { return };
            model.replay_wanted = None;
            model.hint = None;
            let agent = model.sessions.get(session).map(|s| format!(" {} {}", s.agent, s.target));
            let title = format!("Replay {}{}", session.short(), agent.unwrap_or_default());
            let mut player = Player::new(recording, &title, 1.0, Some(2.0), model.now);
            player.judge(&commands);
            if let Some(at) = at {
                player.seek_recorded(at);
            }
            model.mode = Mode::Replay(Box::new(player));
        }
        Ok(Answer::Candidates(candidates)) => {
            let now = model.now;
            if let (Mode::Rule(draft), Fetch::Candidates(view)) = (&mut model.mode, what)
                && draft.id == view.id
            {
                draft.candidates = Some(candidates);
                draft.since = now;
            }
        }
        Ok(Answer::Done(text)) => {
            hint(model, text, false);
            if matches!(what, Fetch::Vote(..)) {
                refresh(model, effects);
            }
        }
        Ok(Answer::Changes(changes)) => vote::noted(model, &changes),
        // Nothing on the screen hangs on it.
        Err(_) if *what == Fetch::Changes => {}
        Ok(answer) => rows(model, what, answer),
        Err(why) => {
            let why = clean(&why, 200);
            match &mut model.mode {
                Mode::List(list) if &list.what == what => {
                    list.note = Some(format!("not available: {why}"));
                }
                _ => {
                    if matches!(model.mode, Mode::Rule(_)) {
                        model.mode = Mode::Normal;
                    }
                    hint(model, format!("not available: {why}"), true);
                }
            }
        }
    }
}

fn rows(model: &mut Model, what: &Fetch, answer: Answer) {
    let now_us = model.broker_now().saturating_mul(1000);
    if let Answer::Rules(book) = &answer {
        vote::noted(model, &book.changes);
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
        Answer::Rules(book) => book.rows(&model.principal, model.role, now_us),
        Answer::Lines(lines) => lines.iter().rev().map(|l| audit_row(l)).collect(),
        Answer::Recording(..)
        | Answer::Candidates(_)
        | Answer::Changes(_)
        | Answer::Done(_)
        | Answer::Sessions(_) => return,
    };
    list.refill(rows);
    vote::still_there(model);
}

/// Rules or policies have changed: what is shown of them is asked for again.
pub(super) fn refresh(model: &Model, effects: &mut Vec<Effect>) {
    let shown = matches!(&model.mode, Mode::List(list) if list.what == Fetch::Rules);
    effects.push(Effect::Fetch(if shown { Fetch::Rules } else { Fetch::Changes }));
}

pub(super) fn list_key(model: &mut Model, key: KeyEvent, effects: &mut Vec<Effect>) {
    let action = model.keymap.action(&key);
    let page = model.drawn.page.max(2) - 1;
    let ctrl_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    let Mode::List(list) = &mut model.mode else { return };
    if list.voting.is_some() {
        return vote::key(model, key, action, effects);
    }
    if let Some(input) = &mut list.typing {
        match key.code {
            KeyCode::Enter => list.typing = None,
            _ if key.code == KeyCode::Esc || ctrl_c => {
                list.typing = None;
                list.filter.clear();
            }
            _ => {
                super::keys::field(input, key);
                list.filter = input.value().to_owned();
            }
        }
        list.at = 0;
        return;
    }
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
                hint(model, "copied", false);
            }
        }
        Some(Action::Allow) => vote::ask(model, true),
        Some(Action::Deny) => vote::ask(model, false),
        Some(Action::Replay | Action::Open) => {
            let session = list.shown().get(list.at).and_then(|r| r.session.clone());
            match session {
                Some((session, at)) => open_recording(model, session, at, effects),
                None => hint(model, "no recording belongs to this", false),
            }
        }
        Some(Action::Back | Action::Quit) => model.mode = Mode::Normal,
        _ => {}
    }
}

pub(super) fn replay_key(model: &mut Model, key: KeyEvent) {
    let Mode::Replay(player) = &mut model.mode else { return };
    player.tick(model.now);
    if player.key(key) == Outcome::Leaves {
        model.mode = Mode::Normal;
    }
}

/// The key "rule".
pub(super) fn propose(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(item) = model.item() else { return hint(model, "no request is selected", false) };
    if !model.role.may_administer() {
        return hint(model, "your role may not change rules", false);
    }
    // A rule is an allow in advance: of what is dangerous there is none from here.
    if item.level() >= Level::High {
        return hint(model, "no rule for HIGH and above from here: expacti rules add", false);
    }
    if !matches!(item.view().kind, ItemKind::Exec | ItemKind::Line | ItemKind::File) {
        return hint(model, "rules are for commands and files: this is neither", false);
    }
    if !item.exact {
        return hint(model, "the bytes do not match their digest", true);
    }
    let view = Box::new(item.view().clone());
    let id = item.id().clone();
    let (candidates, since) = (None, model.now);
    let term = crate::propose::first_term(view.kind);
    model.mode = Mode::Rule(Box::new(RuleProposal { id, candidates, at: 0, term, since }));
    effects.push(Effect::Fetch(Fetch::Candidates(view)));
}

pub(super) fn rule_key(model: &mut Model, key: KeyEvent, effects: &mut Vec<Effect>) {
    let (now, now_us) = (model.now, model.broker_now().saturating_mul(1000));
    let action = model.keymap.action(&key);
    let Mode::Rule(draft) = &mut model.mode else { return };
    let count = draft.candidates.as_ref().map_or(0, Vec::len);
    match (key.code, action) {
        (KeyCode::Char('y'), _) if key.modifiers.is_empty() && count > 0 => {
            if now < draft.since + ARMING {
                return hint(model, "look first: then save", false);
            }
            let hours = i64::from(draft.hours());
            let chosen = draft.candidates.as_ref().and_then(|c| c.get(draft.at));
            let Some(mut rule) = chosen.map(|c| c.rule.clone()) else { return };
            rule.expires_at = Some(now_us + hours * 3_600_000_000);
            rule.reason = Some("proposed from the reviewer's screen".to_owned());
            effects.push(Effect::Fetch(Fetch::AddRule(Box::new(rule))));
            model.mode = Mode::Normal;
            model.pressed_at = Some(now);
        }
        (KeyCode::Left, _) => {
            draft.term = draft.term.saturating_sub(1);
            draft.since = now;
        }
        (KeyCode::Right, _) => {
            draft.term = (draft.term + 1).min(TERMS.len() - 1);
            draft.since = now;
        }
        (_, Some(Action::Down)) => {
            draft.at = (draft.at + 1).min(count.saturating_sub(1));
            draft.since = now;
        }
        (_, Some(Action::Up)) => {
            draft.at = draft.at.saturating_sub(1);
            draft.since = now;
        }
        _ => {
            model.mode = Mode::Normal;
            model.pressed_at = Some(now);
            hint(model, "no rule was added", false);
        }
    }
}
