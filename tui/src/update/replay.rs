//! Replaying a session. It must never take a screen away from a reviewer who has gone on to
//! something else.

use std::sync::Arc;

use crossterm::event::KeyEvent;
use expacti_protocol::command::CommandView;
use expacti_protocol::ids::SessionId;

use crate::model::{Effect, Fetch, Mode, Model, Pane, ReplayWanted};
use crate::player::{Outcome, Player};
use crate::recording::Recording;

/// The longest pause that is played, in seconds.
const PAUSE: f64 = 2.0;

/// The key "replay": asks for the recording of the chosen session.
pub(super) fn open(model: &mut Model, effects: &mut Vec<Effect>) {
    let session = match model.pane {
        Pane::Sessions => model.sessions.selected.clone(),
        Pane::Live => model.live_session().cloned(),
        Pane::Queue | Pane::Request => {
            model.requests.current().map(|i| i.view().session_id.clone())
        }
    };
    match session.or_else(|| model.sessions.selected.clone()) {
        Some(session) => open_at(model, session, None, effects),
        None => model.hint("no session is selected"),
    }
}

/// Asks for a recording, to begin at a moment of it. It opens when it is there, if the reviewer
/// still waits for it.
pub(super) fn open_at(
    model: &mut Model,
    session: SessionId,
    at: Option<f64>,
    effects: &mut Vec<Effect>,
) {
    model.hint(format!("loading the recording of {} …", session.short()));
    model.replay_wanted = Some(ReplayWanted { session: session.clone(), at });
    effects.push(Effect::Fetch(Fetch::Recording(session)));
}

/// A recording has come.
pub(super) fn arrived(
    model: &mut Model,
    session: &SessionId,
    recording: Arc<Recording>,
    commands: &[CommandView],
) {
    // Whoever decides, answers or types meanwhile goes on with that.
    let free = matches!(model.mode, Mode::Normal | Mode::List(_));
    if !free || model.replay_wanted.as_ref().is_none_or(|wanted| &wanted.session != session) {
        return;
    }
    let Some(wanted) = model.replay_wanted.take() else { return };
    model.hint = None;
    let who = model.sessions.all.get(session).map(|s| format!(" {} {}", s.agent, s.target));
    let title = format!("Replay {}{}", session.short(), who.unwrap_or_default());
    let mut player = Player::new(recording, &title, 1.0, Some(PAUSE), model.clock.now);
    player.add_levels(commands);
    if let Some(at) = wanted.at {
        player.seek_recorded(at);
    }
    model.mode = Mode::Replay(Box::new(player));
}

/// A key while a recording is played.
pub(super) fn key(model: &mut Model, key: KeyEvent) {
    let Mode::Replay(player) = &mut model.mode else { return };
    player.tick(model.clock.now);
    if player.key(key) == Outcome::Leaves {
        model.mode = Mode::Normal;
    }
}
