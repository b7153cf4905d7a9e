//! Which sessions are watched, and their output. It must never watch a session that is neither on
//! the screen nor under a grant of this reviewer's.

use base64::Engine as _;
use expacti_protocol::gate::Stream;
use expacti_protocol::ids::SessionId;
use expacti_protocol::reviewer::ReviewerRequest;

use crate::model::{Effect, Fetch, LiveTerminal, Model};
use crate::time::WATCH_DELAY;

/// Watches what the live pane shows and what runs unreviewed, and nothing else.
pub(super) fn follow(model: &mut Model, effects: &mut Vec<Effect>) {
    if !model.connection.is_synced() {
        return;
    }
    let wanted = model.watched_sessions();
    let (watching, now) = (&mut model.watching, model.clock.now);
    if wanted != watching.wanted {
        watching.wanted = wanted;
        watching.since = now;
    }
    // Whoever only passes a session on the way to another one does not watch it.
    if now < watching.since + WATCH_DELAY {
        return;
    }
    let stale: Vec<SessionId> =
        watching.terminals.keys().filter(|id| !watching.wanted.contains(id)).cloned().collect();
    for session_id in stale {
        watching.terminals.remove(&session_id);
        effects.push(Effect::Send(ReviewerRequest::Unwatch { r#ref: None, session_id }));
    }
    while let Some(session_id) = model.watch_due().cloned() {
        watch(model, session_id, effects);
    }
}

fn watch(model: &mut Model, session_id: SessionId, effects: &mut Vec<Effect>) {
    let (cols, rows) = model
        .requests
        .items
        .values()
        .find(|i| i.view().session_id == session_id)
        .and_then(|i| i.view().pty.as_ref())
        .map_or((80, 24), |p| (size(p.cols), size(p.rows)));
    model.watching.terminals.insert(session_id.clone(), LiveTerminal::new(cols, rows));
    if !model.sessions.past.contains_key(&session_id) {
        effects.push(Effect::Fetch(Fetch::SessionCommands(session_id.clone())));
    }
    effects.push(Effect::Send(ReviewerRequest::Watch { r#ref: None, session_id }));
}

fn size(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// Something passed in a watched session.
pub(super) fn output(model: &mut Model, session: &SessionId, stream: Stream, data: &str) {
    let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(data) else { return };
    if stream == Stream::Stdin {
        // The terminal shows it by its echo, or not at all.
        return model.sessions.count_typed(session, bytes.len());
    }
    if let Some(live) = model.watching.terminals.get_mut(session) {
        live.feed(&bytes);
    }
}

/// The terminal of a watched session has another size.
pub(super) fn resized(model: &mut Model, session: &SessionId, cols: u32, rows: u32) {
    if let Some(live) = model.watching.terminals.get_mut(session) {
        live.emulator.resize(size(cols), size(rows));
    }
}
