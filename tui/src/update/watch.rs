//! Which sessions are watched, their output, and telling people of new requests. It must never
//! tell more than once in three seconds, nor put a command's secrets into a notification.

use base64::Engine as _;
use expacti_engine::Level;
use expacti_protocol::gate::Stream;
use expacti_protocol::ids::SessionId;
use expacti_protocol::reviewer::ReviewerRequest;

use crate::emulator::Emulator;
use crate::model::{Effect, Fetch, LiveTerminal, Model, Notice};
use crate::text::clean;
use crate::time::{ALERT_INTERVAL, WATCH_DELAY};

/// Watches what the live pane shows, and nothing else.
pub(super) fn follow(model: &mut Model, effects: &mut Vec<Effect>) {
    if !model.connected() {
        return;
    }
    let wanted = model.watched_sessions();
    if wanted != model.watch_wanted {
        model.watch_wanted = wanted;
        model.watch_since = model.now;
    }
    if model.now < model.watch_since + WATCH_DELAY {
        return;
    }
    let stale: Vec<SessionId> =
        model.live.keys().filter(|id| !model.watch_wanted.contains(id)).cloned().collect();
    for session_id in stale {
        model.live.remove(&session_id);
        effects.push(Effect::Send(ReviewerRequest::Unwatch { r#ref: None, session_id }));
    }
    while let Some(session_id) = model.watch_due().cloned() {
        watch(model, session_id, effects);
    }
}

fn watch(model: &mut Model, session_id: SessionId, effects: &mut Vec<Effect>) {
    let size = model
        .items
        .values()
        .find(|i| i.view().session_id == session_id)
        .and_then(|i| i.view().pty.as_ref())
        .map_or((80, 24), |p| (size(p.cols), size(p.rows)));
    let screen = Emulator::with_scrollback(size.0, size.1);
    model.live.insert(
        session_id.clone(),
        LiveTerminal { screen, has_output: false, scroll: 0, found: None },
    );
    if !model.past.contains_key(&session_id) {
        effects.push(Effect::Fetch(Fetch::SessionCommands(session_id.clone())));
    }
    effects.push(Effect::Send(ReviewerRequest::Watch { r#ref: None, session_id }));
}

fn size(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

pub(super) fn output(model: &mut Model, session: &SessionId, stream: Stream, data: &str) {
    let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(data) else { return };
    if stream == Stream::Stdin {
        // The terminal shows it by its echo, or not at all.
        return super::grant::used(model, session, bytes.len());
    }
    if let Some(live) = model.live.get_mut(session) {
        let before = if live.scroll > 0 { live.screen.all_rows_len() } else { 0 };
        live.screen.feed(&bytes);
        if live.scroll > 0 {
            // What is being read stays where it is.
            live.scroll += live.screen.all_rows_len().saturating_sub(before);
        }
        live.has_output = true;
    }
}

pub(super) fn resized(model: &mut Model, session: &SessionId, cols: u32, rows: u32) {
    if let Some(live) = model.live.get_mut(session) {
        live.screen.resize(size(cols), size(rows));
    }
}

/// Bell and notification for requests nobody was told of.
pub(super) fn announce(model: &mut Model, effects: &mut Vec<Effect>) {
    let rested = model.alerts.announced_at.is_none_or(|at| model.now >= at + ALERT_INTERVAL);
    if model.alerts.unannounced.is_empty() || !rested || !model.connected() {
        return;
    }
    let unannounced = std::mem::take(&mut model.alerts.unannounced);
    let open: Vec<_> = unannounced
        .iter()
        .filter_map(|id| model.items.get(id))
        .filter(|i| i.closed_since.is_none())
        .collect();
    let Some(worst) = open.iter().max_by_key(|i| i.view().risk_score) else { return };
    let (level, masked) = (worst.level(), worst.view().masked.as_deref());
    let line = masked.map_or_else(|| worst.headline.clone(), |m| clean(m, 200));
    let target = &worst.card.target_name;
    let id = Some(worst.id().clone());
    // A group is looked at first: one of it is not all of it.
    let deny = open.len() == 1 && model.role.may_decide();
    let notice = match open.len() {
        1 => Notice {
            id,
            deny,
            title: format!("{level}: {} on {target}", worst.card.agent),
            body: crate::text::fit(&line, 160, false),
            urgent: level >= Level::High,
        },
        n => Notice {
            id,
            deny,
            title: format!("{n} requests wait, the worst is {level}"),
            body: crate::text::fit(&format!("{target}: {line}"), 160, false),
            urgent: level >= Level::High,
        },
    };
    model.alerts.announced_at = Some(model.now);
    if model.alerts.muted || quiet(model) {
        return;
    }
    if model.alerts.bell {
        effects.push(Effect::Bell);
    }
    if model.alerts.desktop {
        effects.push(Effect::Notify(notice));
    }
}

/// Whether it is one of the quiet hours where the reviewer is.
fn quiet(model: &Model) -> bool {
    let Some(hours) = model.alerts.quiet else { return false };
    let Ok(now) = jiff::Timestamp::from_millisecond(model.broker_now()) else { return false };
    let now = now.to_zoned(model.zone.clone());
    let minute = i16::from(now.hour()) * 60 + i16::from(now.minute());
    hours.contains(u16::try_from(minute).unwrap_or(0))
}
