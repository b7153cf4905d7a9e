//! What an action of the key map does while no field or question is open. It must never do two
//! things for one key.

use expacti_protocol::reviewer::ReviewerRequest;
use tui_input::Input;

use super::{decide, find, grant, held, list, navigate, replay, rule, session};
use crate::keymap::Action;
use crate::model::{Effect, Fetch, Mode, Model, Pane};
use crate::time::HINT;

/// Carries out an action.
pub(super) fn act(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    match action {
        // What decides, or takes back.
        Action::Allow => decide::allow(model, effects),
        Action::AllowTrusting => decide::allow_trusting(model, effects),
        Action::Deny => decide::deny(model, effects),
        Action::DenyComment => decide::open_comment(model),
        Action::Undo => held::undo(model),
        Action::Grant => {
            decide::set_trust(model, false);
            grant::open(model);
        }
        // Where to look.
        Action::NextRequest => navigate::next_request(model),
        Action::Down => navigate::step(model, 1),
        Action::Up => navigate::step(model, -1),
        Action::PageDown => navigate::page(model, true),
        Action::PageUp => navigate::page(model, false),
        Action::Home => navigate::jump(model, false),
        Action::End => navigate::jump(model, true),
        Action::NextPane => navigate::turn(model, 1),
        Action::PreviousPane => navigate::turn(model, Pane::ALL.len() - 1),
        Action::PaneQueue => model.pane = Pane::Queue,
        Action::PaneSessions => model.pane = Pane::Sessions,
        Action::PaneRequest => model.pane = Pane::Request,
        Action::PaneLive => model.pane = Pane::Live,
        Action::Tiles => navigate::tiles(model),
        Action::Open => navigate::open(model),
        Action::Back => navigate::back(model),
        Action::Filter if matches!(model.pane, Pane::Request | Pane::Live) => find::open(model),
        Action::Filter => model.mode = Mode::Filter(Input::new(model.requests.filter.clone())),
        Action::FindNext => find::next(model),
        Action::Reveal => reveal(model, effects),
        // Other screens.
        Action::Help => model.mode = Mode::Help(0),
        Action::Rule => rule::propose(model, effects),
        Action::Replay => replay::open(model, effects),
        Action::History => list::open(model, Fetch::History, "History", effects),
        Action::Rules => list::open(model, Fetch::Rules, "Rules", effects),
        Action::Audit => list::open(model, Fetch::Audit, "Audit log", effects),
        // The session, the terminal, the program.
        Action::Kill => session::ask_kill(model),
        Action::Pause => session::ask_pause(model),
        Action::CopyCommand => copy_command(model, effects),
        Action::CopyId => copy_id(model, effects),
        Action::Mute => mute(model),
        Action::Redraw => effects.push(Effect::Redraw),
        Action::Suspend => effects.push(Effect::Suspend),
        Action::Quit => quit(model, effects),
    }
}

fn copy_command(model: &mut Model, effects: &mut Vec<Effect>) {
    match model.requests.current() {
        Some(item) if item.is_secret() => model.hint("not copied: it was typed without echo"),
        Some(item) => {
            // The exact text, not what is shown of it: a clipboard is not a terminal.
            effects.push(Effect::Copy(item.view().text.command.clone()));
            model.hint("command copied");
        }
        None => {}
    }
}

fn copy_id(model: &mut Model, effects: &mut Vec<Effect>) {
    if let Some(item) = model.requests.current() {
        effects.push(Effect::Copy(item.id().to_string()));
        model.hint("id copied");
    }
}

fn mute(model: &mut Model) {
    model.alerts.muted = !model.alerts.muted;
    let word = if model.alerts.muted { "muted" } else { "not muted" };
    model.hint(format!("bell and notifications: {word}"));
}

/// Quits at once, unless an allow is still held: quitting drops it, which must not be a surprise.
fn quit(model: &mut Model, effects: &mut Vec<Effect>) {
    let now = model.clock.now;
    let asked = model.quit_asked.is_some_and(|at| now < at + HINT);
    if model.requests.any_held() && !asked {
        model.quit_asked = Some(now);
        return model.warn("an allow is still held: quit again drops it, unsent");
    }
    effects.push(Effect::Quit);
}

/// Shows a secret on this screen, or hides it again.
fn reveal(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(item) = model.requests.current().filter(|item| item.is_secret()) else {
        return model.hint("nothing is hidden here");
    };
    let (id, masked) = (item.id().clone(), model.requests.masked(item));
    if masked {
        // The text is here already; this makes the log say who looked.
        let r#ref = Some(model.connection.next_ref());
        effects.push(Effect::Send(ReviewerRequest::Reveal { r#ref, id: id.clone() }));
    }
    model.requests.revealed = masked.then_some(id);
    model.reading.scroll = 0;
    // What is on the screen now was not there before.
    model.arming.nothing_shown();
}
