//! What the connection to the broker brings. It must never move the reviewer's selection away from
//! a request.

use expacti_protocol::command::{CommandState, CommandView};
use expacti_protocol::ids::SessionId;
use expacti_protocol::reviewer::{ReviewerEvent, RuleChange};
use expacti_protocol::session::SessionView;

use super::{alerts, decide, grant, list, select, vote, watch};
use crate::keymap::Action;
use crate::model::{
    Answer, Effect, Fetch, Item, LinkMsg, LinkState, Mode, Model, Session, Sessions, Stage, Verdict,
};
use crate::text::clean;

/// Closed sessions that stay in the list.
const CLOSED_SESSIONS: usize = 20;

/// The connection says something.
pub(super) fn link(model: &mut Model, news: LinkMsg, effects: &mut Vec<Effect>) {
    match news {
        LinkMsg::Up(_) => {
            // Not synced: until everything open has been sent, nothing can be decided.
            model.connection.link = LinkState::Up { synced: false };
            model.connection.reported = Default::default();
        }
        LinkMsg::Down { why, retry_in } => down(model, &why, retry_in),
        LinkMsg::Latency(ms) => model.connection.latency = Some(ms),
        LinkMsg::Event(event) => self::event(model, *event, effects),
    }
}

fn down(model: &mut Model, why: &str, retry_in: u64) {
    let now = model.clock.now;
    let since = match model.connection.link {
        LinkState::Down { since, .. } => since,
        LinkState::Connecting | LinkState::Up { .. } => now,
    };
    let was_up = model.connection.is_up();
    // The state comes first: nothing below may be sent on a connection that is gone.
    model.connection.link =
        LinkState::Down { since, retry_at: now + retry_in, why: clean(why, 200) };
    model.connection.latency = None;
    if was_up {
        decide::disconnected(model);
        vote::disconnected(model);
        model.watching.terminals.clear();
    }
}

fn event(model: &mut Model, event: ReviewerEvent, effects: &mut Vec<Effect>) {
    match event {
        ReviewerEvent::Hello { principal, role, now_ms, warnings, pin, .. } => {
            model.settings.pin = pin;
            model.reviewer.name = clean(&principal, 40);
            model.reviewer.role = role;
            model.clock.set_broker(now_ms);
            model.connection.warnings = warnings.iter().take(5).map(|w| clean(w, 200)).collect();
        }
        ReviewerEvent::Synced => {
            synced(model);
            effects.push(Effect::Fetch(Fetch::Sessions));
            effects.push(Effect::Fetch(Fetch::Grants));
            effects.push(Effect::Fetch(Fetch::Changes));
        }
        ReviewerEvent::PendingCommand(view) => pending(model, *view, effects),
        ReviewerEvent::CommandUpdated(view) => command(model, *view),
        ReviewerEvent::SessionOpened(view) => {
            model.connection.reported.sessions.insert(view.id.clone());
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
            let text = rule_changed(model, change, &id, &by);
            model.hint(text);
            list::refresh(model, effects);
        }
        ReviewerEvent::Ack { r#ref } => answered(model, r#ref, Ok(())),
        ReviewerEvent::Error { r#ref, message, .. } => {
            answered(model, r#ref, Err(clean(&message, 200)));
        }
        ReviewerEvent::Ping => {}
    }
}

fn rule_changed(model: &Model, change: RuleChange, id: &str, by: &str) -> String {
    let what = change.as_str();
    match (change, id.starts_with("chg_")) {
        (RuleChange::Proposed, true) => {
            let key = model.settings.keymap.key(Action::Rules);
            format!("{by} proposes a change of rules or policies: {key} shows it")
        }
        (_, true) => format!("a change of rules or policies: {what} by {by}"),
        (RuleChange::PolicyChanged, _) => format!("policies changed by {by}"),
        _ => format!("rule {what} by {by}"),
    }
}

/// Everything open was sent: what was not among it is no longer open.
fn synced(model: &mut Model) {
    model.connection.link = LinkState::Up { synced: true };
    let reported = std::mem::take(&mut model.connection.reported);
    for item in model.requests.items.values_mut() {
        if item.closed_since.is_none() && !reported.requests.contains(item.id()) {
            let mut view = item.view().clone();
            // How it ended is not known here; it cannot be decided any more.
            view.state = CommandState::Unknown;
            view.comment = Some("closed while the connection was down".to_owned());
            view.decided_by.get_or_insert_with(|| "not known here".to_owned());
            item.refresh(view, model.settings.theme.ascii);
            item.closed_since = Some(model.clock.now);
        }
    }
    let Sessions { all, grants, .. } = &mut model.sessions;
    all.retain(|id, s| !s.is_open() || reported.sessions.contains(id));
    grants.retain(|_, g| all.contains_key(&g.session));
    select::select_if_none(model);
}

/// A request that waits: a new one, or one from before the connection broke.
fn pending(model: &mut Model, view: CommandView, effects: &mut Vec<Effect>) {
    model.connection.reported.requests.insert(view.id.clone());
    let known = model.requests.items.contains_key(&view.id);
    if !known && view.state == CommandState::Pending {
        model.alerts.unannounced.push(view.id.clone());
    }
    command(model, view);
    select::select_if_none(model);
    alerts::announce(model, effects);
}

/// A newer state of a command. An older one, which a reconnect may bring, changes nothing.
fn command(model: &mut Model, view: CommandView) {
    let known = model.requests.items.get_mut(&view.id);
    if known.as_ref().is_some_and(|item| item.view().revision > view.revision) {
        return;
    }
    grant::record(&mut model.sessions, &model.reviewer, &view);
    let was = known.as_ref().map(|item| item.state());
    let (id, ascii) = (view.id.clone(), model.settings.theme.ascii);
    let item = match known {
        Some(item) => {
            item.refresh(view, ascii);
            item
        }
        None if view.state == CommandState::Pending => {
            model.requests.items.entry(id.clone()).or_insert_with(|| Item::new(view, ascii))
        }
        // Decided without ever waiting here: for the session's past alone.
        None => return remember(&mut model.sessions, &Item::new(view, ascii)),
    };
    if item.state() == CommandState::Pending {
        item.closed_since = None;
        // A vote of this reviewer from before a reconnect: it must not be sent a second time.
        let me = &model.reviewer.name;
        let vote = item.view().votes.iter().find(|v| &clean(&v.by, 40) == me).map(|v| v.allow);
        if let (Some(allow), Stage::Open) = (vote, &item.stage) {
            item.stage = Stage::Done { verdict: Verdict::of_vote(allow) };
        }
    } else {
        item.closed_since.get_or_insert(model.clock.now);
        remember(&mut model.sessions, item);
        // What this reviewer allowed, and the gate has not delivered.
        let allowed = matches!(
            item.stage,
            Stage::Sent { verdict: Verdict::Allow, .. } | Stage::Done { verdict: Verdict::Allow }
        );
        if item.state() == CommandState::Withdrawn
            && was != Some(CommandState::Withdrawn)
            && allowed
        {
            let why = clean(item.view().comment.as_deref().unwrap_or("it was withdrawn"), 300);
            let text = format!("{} was allowed and did not run: {why}", id.short());
            if model.decisions.last.as_ref().is_some_and(|last| last.id == id) {
                model.decisions.last = None;
            }
            model.decisions.fail(id.clone(), text);
        }
    }
    decide::request_changed(model, &id);
}

fn remember(sessions: &mut Sessions, item: &Item) {
    sessions.remember(&item.view().session_id, item.past());
}

/// A newer state of a session.
fn session(model: &mut Model, view: SessionView) {
    let id = view.id.clone();
    if view.closed_at.is_some() {
        model.sessions.grants.retain(|_, g| g.session != id);
        if matches!(&model.mode, Mode::ConfirmSession(asked, _) if *asked == id) {
            model.close_question();
            model.hint("the session has ended");
        }
    }
    model.sessions.all.insert(id.clone(), Session::new(view));
    model.sessions.selected.get_or_insert(id);
    for old in long_closed(&model.sessions) {
        model.sessions.all.remove(&old);
        model.sessions.past.remove(&old);
        model.watching.terminals.remove(&old);
        if model.sessions.selected.as_ref() == Some(&old) {
            model.sessions.selected = None;
        }
    }
}

/// Closed sessions that are too many for the list: the ones that were closed first.
fn long_closed(sessions: &Sessions) -> Vec<SessionId> {
    let mut closed: Vec<_> = sessions
        .all
        .values()
        .filter_map(|s| Some((s.view.closed_at?, s.view.id.clone())))
        .collect();
    closed.sort();
    let too_many = closed.len().saturating_sub(CLOSED_SESSIONS);
    closed.into_iter().take(too_many).map(|(_, id)| id).collect()
}

/// The broker answered a message of ours; an error says why it refused.
fn answered(model: &mut Model, r#ref: Option<u64>, answer: Result<(), String>) {
    let Some(answered) = r#ref else {
        if let Err(why) = answer {
            model.warn(format!("the broker refused a message: {why}"));
        }
        return;
    };
    let sent = model.requests.items.values_mut().find_map(|item| match item.stage {
        Stage::Sent { r#ref, verdict, .. } if r#ref == answered => Some((item, verdict)),
        _ => None,
    });
    match (sent, answer) {
        (Some((item, verdict)), Ok(())) => {
            item.stage = Stage::Done { verdict };
            if verdict == Verdict::Allow {
                *model.decisions.allowed.entry(item.group).or_default() += 1;
            }
        }
        (Some((item, verdict)), Err(why)) => {
            let text = format!("{} of {} refused: {why}", verdict.as_str(), item.id().short());
            item.stage = Stage::Refused { why };
            model.decisions.fail(item.id().clone(), text);
        }
        (None, Err(why)) => model.warn(format!("refused: {why}")),
        (None, Ok(())) => {}
    }
}

/// What the broker knows of a session from before this screen connected.
pub(super) fn session_commands(
    model: &mut Model,
    session: &SessionId,
    answer: Result<Answer, String>,
) {
    // A broker that does not know the request: the past begins with the connection.
    let Ok(Answer::Commands(commands)) = answer else { return };
    for view in commands {
        let past = &view.session_id == session && view.state != CommandState::Pending;
        if past && !model.requests.items.contains_key(&view.id) {
            grant::record(&mut model.sessions, &model.reviewer, &view);
            remember(&mut model.sessions, &Item::new(view, model.settings.theme.ascii));
        }
    }
}

/// Grants that were given before this screen connected, or while the connection was down.
pub(super) fn grants(model: &mut Model, answer: Result<Answer, String>) {
    let Ok(Answer::Commands(commands)) = answer else { return };
    for view in &commands {
        let open = model.sessions.open(&view.session_id).is_some();
        let known = model.requests.items.get(&view.id);
        // The answer may be older than what came over the connection since.
        if open && known.is_none_or(|item| item.view().revision <= view.revision) {
            grant::record(&mut model.sessions, &model.reviewer, view);
        }
    }
}

/// Sessions that ended before this screen connected: their recordings can be replayed.
pub(super) fn past_sessions(model: &mut Model, answer: Result<Answer, String>) {
    let Ok(Answer::Sessions(sessions)) = answer else { return };
    for view in sessions {
        // Open ones come by themselves; this answer may be older than what came since.
        if view.closed_at.is_some() && !model.sessions.all.contains_key(&view.id) {
            session(model, view);
        }
    }
}
