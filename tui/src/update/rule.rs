//! Proposing a rule for the selected request. It must never propose one for what is dangerous, nor
//! save one that was not on the screen for a moment.

use crossterm::event::{KeyCode, KeyEvent};
use expacti_engine::Level;
use expacti_protocol::command::{CommandView, ItemKind};

use super::field;
use crate::keymap::Action;
use crate::model::{Effect, Fetch, Item, Mode, Model, Reviewer, RuleProposal};
use crate::propose::{Candidate, LIFETIMES, default_lifetime};
use crate::time::ARMING;

/// Microseconds of an hour.
const HOUR_US: i64 = 3_600_000_000;

/// The key "rule".
pub(super) fn propose(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(item) = model.requests.current() else {
        return model.hint("no request is selected");
    };
    if let Some(why) = not_for(&model.reviewer, item) {
        return model.hint(why);
    }
    if !item.exact {
        return model.warn("the bytes do not match their digest");
    }
    let view = Box::new(item.view().clone());
    model.mode = Mode::Rule(Box::new(RuleProposal {
        id: item.id().clone(),
        candidates: None,
        at: 0,
        lifetime: default_lifetime(view.kind),
        since: model.clock.now,
    }));
    effects.push(Effect::Fetch(Fetch::Candidates(view)));
}

/// Why no rule is proposed for that request from here.
fn not_for(reviewer: &Reviewer, item: &Item) -> Option<&'static str> {
    if !reviewer.role.may_administer() {
        return Some("your role may not change rules");
    }
    // A rule is an allow in advance: of what is dangerous there is none from here.
    if item.level() >= Level::High {
        return Some("no rule for HIGH and above from here: expacti rules add");
    }
    let kind = item.view().kind;
    let fits = matches!(kind, ItemKind::Exec | ItemKind::Line | ItemKind::File);
    (!fits).then_some("rules are for commands and files: this is neither")
}

/// The rules to choose from have come.
pub(super) fn arrived(model: &mut Model, view: &CommandView, candidates: Vec<Candidate>) {
    let Mode::Rule(proposal) = &mut model.mode else { return };
    if proposal.id == view.id {
        proposal.candidates = Some(candidates);
        proposal.since = model.clock.now;
    }
}

/// A key while a rule is proposed. Whatever changes what is shown starts the wait afresh.
pub(super) fn key(model: &mut Model, key: KeyEvent, effects: &mut Vec<Effect>) {
    let now = model.clock.now;
    let action = model.settings.keymap.action(&key);
    let Mode::Rule(proposal) = &mut model.mode else { return };
    let count = proposal.candidates.as_ref().map_or(0, Vec::len);
    match (key.code, action) {
        _ if field::confirms(&key) && count > 0 => return save(model, effects),
        (KeyCode::Left, _) => proposal.lifetime = proposal.lifetime.saturating_sub(1),
        (KeyCode::Right, _) => {
            proposal.lifetime = (proposal.lifetime + 1).min(LIFETIMES.len() - 1);
        }
        (_, Some(Action::Down)) => {
            proposal.at = (proposal.at + 1).min(count.saturating_sub(1));
        }
        (_, Some(Action::Up)) => proposal.at = proposal.at.saturating_sub(1),
        _ => {
            model.leave();
            return model.hint("no rule was added");
        }
    }
    proposal.since = now;
}

fn save(model: &mut Model, effects: &mut Vec<Effect>) {
    let Mode::Rule(proposal) = &model.mode else { return };
    if model.clock.now < proposal.since + ARMING {
        return model.hint("look first: then save");
    }
    let chosen = proposal.candidates.as_ref().and_then(|c| c.get(proposal.at));
    let Some(mut rule) = chosen.map(|c| c.rule.clone()) else { return };
    let hours = i64::from(proposal.hours());
    rule.expires_at = Some(model.clock.broker_now_us() + hours * HOUR_US);
    rule.reason = Some("proposed from the reviewer's screen".to_owned());
    effects.push(Effect::Fetch(Fetch::AddRule(Box::new(rule))));
    model.leave();
}
