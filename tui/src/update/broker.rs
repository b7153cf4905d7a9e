//! News from the broker. It must never move the reviewer's selection away from a request.

use expacti_protocol::command::{CommandState, CommandView};
use expacti_protocol::ids::SessionId;
use expacti_protocol::reviewer::ReviewerEvent;
use expacti_protocol::session::SessionView;

use super::{decide, grant, hint, watch};
use crate::model::{
    Answer, Effect, Fetch, Item, LinkMsg, LinkState, Mode, Model, PastCommand, Session, Stage,
};
use crate::text::clean;

/// Commands of a session that are remembered.
const PAST: usize = 12;
/// Closed sessions that stay in the list.
const CLOSED_SESSIONS: usize = 20;

pub(super) fn link(model: &mut Model, news: LinkMsg, effects: &mut Vec<Effect>) {
    match news {
        LinkMsg::Up => {
            model.link = LinkState::Up { synced: false };
            model.fresh.clear();
            model.fresh_sessions.clear();
        }
        LinkMsg::Down { why, retry_in } => {
            let since = match model.link {
                LinkState::Down { since, .. } => since,
                _ => model.now,
            };
            let was_up = matches!(model.link, LinkState::Up { .. });
            model.link =
                LinkState::Down { since, retry_at: model.now + retry_in, why: clean(&why, 200) };
            model.latency = None;
            if was_up {
                decide::disconnected(model);
                super::vote::disconnected(model);
                model.live.clear();
            }
        }
        LinkMsg::Latency(ms) => model.latency = Some(ms),
        LinkMsg::Event(event) => self::event(model, *event, effects),
    }
}

fn event(model: &mut Model, event: ReviewerEvent, effects: &mut Vec<Effect>) {
    match event {
        ReviewerEvent::Hello { principal, role, now_ms, warnings, .. } => {
            model.principal = clean(&principal, 40);
            model.role = role;
            model.broker_offset = now_ms - i64::try_from(model.now).unwrap_or(i64::MAX);
            model.warnings = warnings.iter().take(5).map(|w| clean(w, 200)).collect();
        }
        ReviewerEvent::Synced => {
            synced(model);
            effects.push(Effect::Fetch(Fetch::Sessions));
            effects.push(Effect::Fetch(Fetch::Grants));
            effects.push(Effect::Fetch(Fetch::Changes));
        }
        ReviewerEvent::PendingCommand(view) => {
            model.fresh.insert(view.id.clone());
            let known = model.items.contains_key(&view.id);
            if !known && view.state == CommandState::Pending {
                model.alerts.unannounced.push(view.id.clone());
            }
            command(model, *view);
            decide::select_if_none(model);
            watch::announce(model, effects);
        }
        ReviewerEvent::CommandUpdated(view) => command(model, *view),
        ReviewerEvent::SessionOpened(view) => {
            model.fresh_sessions.insert(view.id.clone());
            session(model, *view);
        }
        ReviewerEvent::SessionClosed(view) => session(model, *view),
        ReviewerEvent::SessionOutput { session_id, stream, data, .. } => {
            watch::output(model, &session_id, stream, &data);
        }
        ReviewerEvent::SessionResized { session_id, cols, rows } => {
            watch::resized(model, &session_id, cols, rows);
        }
        ReviewerEvent::RuleChanged { change, id, by } => {
            let text = match (change.as_str(), id.starts_with("chg_")) {
                ("proposed", true) => {
                    let key = model.keymap.key(crate::keymap::Action::Rules);
                    format!("{by} proposes a change of rules or policies: {key} shows it")
                }
                (change, true) => format!("a change of rules or policies: {change} by {by}"),
                ("policy_changed", _) => format!("policies changed by {by}"),
                (change, _) => format!("rule {change} by {by}"),
            };
            hint(model, text, false);
            super::screens::refresh(model, effects);
        }
        ReviewerEvent::Ack { r#ref } => answered(model, r#ref, None),
        ReviewerEvent::Error { r#ref, message, .. } => {
            answered(model, r#ref, Some(clean(&message, 200)));
        }
        ReviewerEvent::Ping => {}
    }
}

/// Everything open was sent: what was not among it is no longer open.
fn synced(model: &mut Model) {
    model.link = LinkState::Up { synced: true };
    let now = model.now;
    for item in model.items.values_mut() {
        if item.closed_since.is_none() && !model.fresh.contains(item.id()) {
            let mut view = item.view().clone();
            // Nobody said how it ended; what matters is that it cannot be decided any more.
            view.state = CommandState::Unknown;
            view.comment = Some("closed while the connection was down".to_owned());
            view.decided_by.get_or_insert_with(|| "not known here".to_owned());
            item.refresh(view, model.theme.ascii);
            item.closed_since = Some(now);
        }
    }
    let fresh = std::mem::take(&mut model.fresh_sessions);
    model.sessions.retain(|id, s| s.view.closed_at.is_some() || fresh.contains(id));
    model.fresh.clear();
    let sessions = &model.sessions;
    model.grants.retain(|_, g| sessions.contains_key(&g.session));
    decide::select_if_none(model);
}

fn command(model: &mut Model, view: CommandView) {
    let id = view.id.clone();
    let (now, ascii) = (model.now, model.theme.ascii);
    let newest = model.items.get(&id).is_none_or(|i| i.view().revision <= view.revision);
    if newest {
        grant::noted(model, &view);
    }
    let me = model.principal.clone();
    match model.items.get_mut(&id) {
        Some(item) if item.view().revision > view.revision => return,
        Some(item) => item.refresh(view, ascii),
        None if view.state == CommandState::Pending => {
            model.items.insert(id.clone(), Item::new(view, ascii));
        }
        None => {
            // Decided without ever waiting here: for the session's past alone.
            return remember(model, &Item::new(view, ascii));
        }
    }
    let Some(item) = model.items.get_mut(&id) else { return };
    if item.state() == CommandState::Pending {
        item.closed_since = None;
        // A vote of ours from before a reconnect.
        let vote = item.view().votes.iter().find(|v| clean(&v.by, 40) == me).map(|v| v.allow);
        if let (Some(allow), Stage::Open) = (vote, &item.stage) {
            item.stage = Stage::Done { allow };
        }
    } else if item.closed_since.is_none() {
        item.closed_since = Some(now);
    }
    decide::changed(model, &id);
    let past = model.items.get(&id).filter(|i| i.state() != CommandState::Pending).map(Item::past);
    if let Some(past) = past {
        let session = model.items.get(&id).map(|i| i.view().session_id.clone());
        if let Some(session) = session {
            keep(model, &session, past);
        }
    }
}

fn remember(model: &mut Model, item: &Item) {
    keep(model, &item.view().session_id.clone(), item.past());
}

fn keep(model: &mut Model, session: &SessionId, past: PastCommand) {
    let list = model.past.entry(session.clone()).or_default();
    list.retain(|p| p.id != past.id);
    let at = list.partition_point(|p| (p.at, &p.id) < (past.at, &past.id));
    list.insert(at, past);
    while list.len() > PAST {
        list.pop_front();
    }
}

fn session(model: &mut Model, view: SessionView) {
    let id = view.id.clone();
    if view.closed_at.is_some() {
        model.grants.retain(|_, g| g.session != id);
    }
    if view.closed_at.is_some()
        && let Mode::ConfirmSession(asked, _) = &model.mode
        && *asked == id
    {
        decide::close_typing(model);
        hint(model, "the session has ended", false);
    }
    model.sessions.insert(id.clone(), Session::new(view));
    if model.session.is_none() {
        model.session = Some(id);
    }
    let mut closed: Vec<_> = model
        .sessions
        .values()
        .filter(|s| s.view.closed_at.is_some())
        .map(|s| (s.view.closed_at, s.view.id.clone()))
        .collect();
    closed.sort();
    let too_many = closed.len().saturating_sub(CLOSED_SESSIONS);
    for (_, old) in closed.into_iter().take(too_many) {
        model.sessions.remove(&old);
        model.past.remove(&old);
        model.live.remove(&old);
        if model.session.as_ref() == Some(&old) {
            model.session = None;
        }
    }
}

/// The broker answered a message of ours.
fn answered(model: &mut Model, r#ref: Option<u64>, refused: Option<String>) {
    let Some(answered) = r#ref else {
        if let Some(why) = refused {
            hint(model, format!("the broker refused a message: {why}"), true);
        }
        return;
    };
    let item = model
        .items
        .values_mut()
        .find(|i| matches!(i.stage, Stage::Sent { r#ref, .. } if r#ref == answered));
    match (item, refused) {
        (Some(item), None) => {
            if let Stage::Sent { allow, .. } = item.stage {
                item.stage = Stage::Done { allow };
                if allow {
                    *model.approved.entry(item.group).or_default() += 1;
                }
            }
        }
        (Some(item), Some(why)) => {
            let word = match item.stage {
                Stage::Sent { allow: true, .. } => "allow",
                _ => "deny",
            };
            item.stage = Stage::Refused { why: why.clone() };
            let text = format!("{word} of {} refused: {why}", item.id().short());
            model.failed_decisions.push((item.id().clone(), text));
        }
        (None, Some(why)) => hint(model, format!("refused: {why}"), true),
        (None, None) => {}
    }
}

/// What the broker knows of a session from before we came.
pub(super) fn past(model: &mut Model, session: &SessionId, answer: Result<Answer, String>) {
    // A broker that does not know the request: the past begins with the connection.
    let Ok(Answer::Commands(commands)) = answer else { return };
    for view in commands {
        let past = &view.session_id == session && view.state != CommandState::Pending;
        if past && !model.items.contains_key(&view.id) {
            grant::noted(model, &view);
            remember(model, &Item::new(view, model.theme.ascii));
        }
    }
}

/// Permissions that were given before we came, or while the connection was down.
pub(super) fn grants(model: &mut Model, answer: Result<Answer, String>) {
    let Ok(Answer::Commands(commands)) = answer else { return };
    for view in &commands {
        let open = model.sessions.get(&view.session_id).is_some_and(|s| s.view.closed_at.is_none());
        let newer = model.items.get(&view.id).is_some_and(|i| i.view().revision > view.revision);
        if open && !newer {
            grant::noted(model, view);
        }
    }
}

/// Sessions that ended before we came: their recordings can be replayed.
pub(super) fn past_sessions(model: &mut Model, answer: Result<Answer, String>) {
    let Ok(Answer::Sessions(sessions)) = answer else { return };
    for view in sessions {
        // Open ones come by themselves; this answer may be older than what came since.
        if view.closed_at.is_some() && !model.sessions.contains_key(&view.id) {
            session(model, view);
        }
    }
}
