//! Sessions and gates come and go; what they leave behind is ended, never run.

use expacti_audit::Entry;
use expacti_engine::TargetName;
use expacti_protocol::command::{CommandState, Outcome};
use expacti_protocol::gate::GateEvent;
use expacti_protocol::ids::SessionId;
use expacti_protocol::reviewer::ReviewerEvent;
use expacti_protocol::session::{SessionInfo, SessionView};
use expacti_protocol::uplink::Isolation;
use expacti_signing::{Whereabouts, other_names};

use super::model::State;
use super::open::OpenSession;
use super::ports::{Decider, GateId, News, Now, Outgoing, Peer, Refusal, Write};
use super::shown::{Secrets, Shown};

/// Open sessions altogether; past it connections are refused.
const MAX_SESSIONS: usize = 10_000;

/// How reviewers hear of a session.
type SessionNews = fn(Box<SessionView>) -> ReviewerEvent;

impl State {
    /// An agent logged in.
    pub(crate) fn open_session(
        &mut self,
        gate: GateId,
        info: SessionInfo,
        now: Now,
    ) -> Result<SessionId, Refusal> {
        if self.sessions.len() >= MAX_SESSIONS {
            return Err(Refusal::failed(format!("{MAX_SESSIONS} sessions are open already")));
        }
        let id = SessionId::new();
        let info = shown_info(info)?;
        let work = self.begin_work(&info, now);
        let (tags, other_names) = self.names_of(&info);
        let paused_by = self.paused_by(&work);
        let view = SessionView {
            id: id.clone(),
            opened_at: now.seconds(),
            closed_at: None,
            commands: 0,
            pending: 0,
            denied: 0,
            last_command: None,
            recorded: false,
            recording_error: None,
            paused: paused_by.is_some(),
            info,
        };
        let entry = session_entry("session_opened", &view, now);
        self.audit(&entry)?;
        let session = OpenSession { view, gate, work, tags, other_names, redefined: None };
        self.sessions.insert(id.clone(), session);
        self.store_session(&id, now, ReviewerEvent::SessionOpened)?;
        Ok(id)
    }

    /// The tags of a session's target, and what else its machine is called.
    fn names_of(&self, info: &SessionInfo) -> (Vec<String>, Vec<TargetName>) {
        let tags = self.targets.get(&info.target).map(|t| t.tags.clone()).unwrap_or_default();
        let here = Whereabouts {
            target: &info.target,
            host: &info.host,
            port: info.port,
            host_key: info.host_key_sha256.as_deref(),
        };
        (tags, other_names(&self.places(), &here))
    }

    /// Targets have changed: what open sessions are on has other names, or none any more.
    pub(super) fn rename_sessions(&mut self) {
        let all: Vec<_> =
            self.sessions.iter().map(|(id, s)| (id.clone(), s.view.info.clone())).collect();
        for (id, info) in all {
            let (tags, other_names) = self.names_of(&info);
            if let Some(session) = self.sessions.get_mut(&id) {
                (session.tags, session.other_names) = (tags, other_names);
            }
        }
    }

    /// The agent's connection is gone.
    pub(crate) fn close_session(
        &mut self,
        gate: GateId,
        id: &SessionId,
        now: Now,
    ) -> Result<(), Refusal> {
        match self.sessions.get(id) {
            Some(session) if session.gate == gate => {}
            Some(_) => return Err(Refusal::not_entitled("the session belongs to another gate")),
            None => return Err(Refusal::not_found(format!("session {id}"))),
        }
        self.end_session(id, "the agent's connection closed", now)
    }

    fn end_session(&mut self, id: &SessionId, why: &str, now: Now) -> Result<(), Refusal> {
        let open: Vec<_> = self
            .commands
            .iter()
            .filter(|(_, c)| c.view.session_id == *id)
            .map(|(id, _)| id.clone())
            .collect();
        for command in open {
            // The end of one may have ended another: its standard input.
            let Some(state) = self.commands.get(&command).map(|c| c.view.state) else { continue };
            match state {
                CommandState::Pending | CommandState::Allowed => {
                    self.end_undelivered(&command, why, now)?
                }
                CommandState::Released => {
                    let outcome = Outcome { unknown: Some(why.to_owned()), ..Outcome::default() };
                    self.end_released(&command, outcome, now)?;
                }
                _ => {}
            }
        }
        let failure = self.recorder.failure(id);
        let Some(session) = self.sessions.get_mut(id) else { return Ok(()) };
        session.view.closed_at = Some(now.seconds());
        session.view.recording_error = failure;
        let (view, work) = (session.view.clone(), session.work.clone());
        if let Some(history) = self.leave_work(&work, now) {
            let agent = view.info.agent.clone();
            let body = Shown::of(&history, &Secrets::default())?.kept()?;
            self.writes.push(Write::Baseline { agent: agent.clone(), body });
            self.baselines.insert(agent, history);
        }
        self.audit(&session_entry("session_closed", &view, now).with("comment", why))?;
        self.store_session(id, now, ReviewerEvent::SessionClosed)?;
        self.sessions.remove(id);
        Ok(())
    }

    fn store_session(
        &mut self,
        id: &SessionId,
        now: Now,
        news: SessionNews,
    ) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get(id) else { return Ok(()) };
        let view = session.view.clone();
        self.push_session(view, now, news)
    }

    /// Has a session's present state written and told.
    pub(super) fn push_session(
        &mut self,
        view: SessionView,
        now: Now,
        news: SessionNews,
    ) -> Result<(), Refusal> {
        let shown = Shown::of(&view, &Secrets::default())?;
        self.writes.push(Write::Session {
            id: view.id.clone(),
            opened_at: view.opened_at.saturating_mul(1_000_000),
            closed_at: view.closed_at.map(|_| now.micros),
            view: shown.kept()?,
        });
        let news = News { shown: shown.within(news), exact: None };
        self.outgoing.push(Outgoing::Review(Box::new(news)));
        Ok(())
    }

    /// A gate's connection broke: nothing of it can be delivered any more.
    pub(crate) fn gate_gone(&mut self, gate: GateId, now: Now) -> Result<(), Refusal> {
        let sessions: Vec<_> = self
            .sessions
            .iter()
            .filter(|(_, s)| s.gate == gate)
            .map(|(id, _)| id.clone())
            .collect();
        for id in sessions {
            self.end_session(&id, "the connection to the gate was lost", now)?;
        }
        Ok(())
    }

    /// The broker is about to stop: what waits is denied while its gate can still tell the agent,
    /// and nothing new is taken.
    pub(crate) fn drain(&mut self, now: Now) -> Result<(), Refusal> {
        self.stopping = true;
        let pending: Vec<_> = self.pending().map(|view| view.id.clone()).collect();
        for id in pending {
            let why = "the broker is stopping";
            self.deny(&id, &Decider::FailClosed, why, now)?;
        }
        Ok(())
    }

    /// The broker stops: everything open is ended.
    pub(crate) fn end(&mut self, now: Now) -> Result<(), Refusal> {
        let sessions: Vec<_> = self.sessions.iter().map(|(id, _)| id.clone()).collect();
        for id in sessions {
            self.end_session(&id, "the broker stopped", now)?;
        }
        Ok(())
    }

    /// A reviewer ends a session.
    pub(crate) fn kill(&mut self, by: &Peer, id: &SessionId, now: Now) -> Result<(), Refusal> {
        if !by.may_decide() {
            return Err(Refusal::not_entitled(format!("{} may not end sessions", by.name)));
        }
        let Some(session) = self.sessions.get(id) else {
            return Err(Refusal::not_found(format!("open session {id}")));
        };
        let (gate, view) = (session.gate, session.view.clone());
        self.audit(&session_entry("session_killed", &view, now).with("by", by.name.as_str()))?;
        self.cut_off(id, gate, &by.name, "the session was ended by the reviewer", now)
    }

    /// Nothing of a session may be delivered from now on, and its gate is told to end it.
    pub(crate) fn cut_off(
        &mut self,
        id: &SessionId,
        gate: GateId,
        by: &str,
        why: &str,
        now: Now,
    ) -> Result<(), Refusal> {
        // What is allowed but not released goes too: after the kill nothing may be delivered, even
        // if the gate asks for a release that it decided on before it heard of the kill.
        self.deny_pending(id, by, why, now)?;
        let allowed: Vec<_> = self
            .commands
            .iter()
            .filter(|(_, c)| c.view.session_id == *id && c.view.state == CommandState::Allowed)
            .map(|(id, _)| id.clone())
            .collect();
        for command in allowed {
            self.end_undelivered(&command, why, now)?;
        }
        self.tell_gate(gate, GateEvent::Kill { session_id: id.clone(), by: by.to_owned() });
        Ok(())
    }

    fn deny_pending(
        &mut self,
        id: &SessionId,
        by: &str,
        why: &str,
        now: Now,
    ) -> Result<(), Refusal> {
        let pending: Vec<_> = self
            .commands
            .iter()
            .filter(|(_, c)| c.view.session_id == *id && c.view.state == CommandState::Pending)
            .map(|(id, _)| id.clone())
            .collect();
        let by = Decider::Reviewers(by.to_owned());
        for command in pending {
            self.deny(&command, &by, why, now)?;
        }
        Ok(())
    }

    /// A reviewer pauses a session (rules no longer allow by themselves) or lets it go on.
    pub(crate) fn pause(
        &mut self,
        by: &Peer,
        id: &SessionId,
        paused: bool,
        now: Now,
    ) -> Result<SessionView, Refusal> {
        if !by.may_decide() {
            return Err(Refusal::not_entitled(format!("{} may not pause sessions", by.name)));
        }
        let Some(session) = self.sessions.get(id) else {
            return Err(Refusal::not_found(format!("open session {id}")));
        };
        let (session, work) = (session.clone(), session.work.clone());
        // Rules decide for their agent again when somebody else has had a reason that they do not.
        if !paused
            && let Some(other) = self.paused_by(&work).filter(|other| *other != by.name)
            && self.is_behind(&by.name, &session.view.info)
        {
            return Err(Refusal::not_entitled(format!(
                "{} stands behind this agent, and {other} has paused it: {other} or somebody else lets it go on",
                by.name
            )));
        }
        self.set_paused(&work, paused.then(|| by.name.clone()));
        let kind = if paused { "session_paused" } else { "session_resumed" };
        let mut named = session.view.clone();
        named.paused = paused;
        self.audit(&session_entry(kind, &named, now).with("by", by.name.as_str()))?;
        // It is the agent's work there that is held: all its connections.
        let of_work = self.sessions.iter().filter(|(_, session)| session.work == work);
        let all: Vec<SessionId> = of_work.map(|(id, _)| id.clone()).collect();
        for id in all {
            if let Some(session) = self.sessions.get_mut(&id) {
                session.view.paused = paused;
                let view = session.view.clone();
                self.push_session(view, now, ReviewerEvent::SessionOpened)?;
            }
        }
        Ok(named)
    }

    /// The open sessions, oldest first.
    pub(crate) fn open_sessions(&self) -> Vec<SessionView> {
        let mut all: Vec<_> = self.sessions.values().map(|s| s.view.clone()).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// The open sessions with their numbers as of now.
    pub(crate) fn session_views(&self) -> Vec<SessionView> {
        let mut all = self.open_sessions();
        for view in &mut all {
            let pending = self.pending().filter(|c| c.session_id == view.id).count();
            view.pending = u64::try_from(pending).unwrap_or(u64::MAX);
        }
        all
    }
}

/// What is known of a session without the secrets of whoever started it; the names by which rules and
/// policies tell sessions apart stay as they are.
pub(crate) fn shown_info(info: SessionInfo) -> Result<SessionInfo, Refusal> {
    let shown = Shown::of(&info, &Secrets::default())?.into_inner();
    let SessionInfo { agent, owner, target, host, user, .. } = info;
    Ok(SessionInfo { agent, owner, target, host, user, ..shown })
}

pub(super) fn session_entry(kind: &str, view: &SessionView, now: Now) -> Entry {
    Entry::new(kind, &now.rfc3339())
        .with("session_id", view.id.as_str())
        .with("agent", view.info.agent.as_str())
        .with("target", view.info.target.as_str())
        .with("host", view.info.host.as_str())
        .with("port", view.info.port)
        .with("user", view.info.user.as_str())
        .with_some("reason", view.info.reason.clone())
        .with_some("host_key", view.info.host_key.clone())
        .with_some("program", (!view.info.program.is_empty()).then(|| view.info.program.clone()))
        .with_some("isolation", view.info.isolation.map(Isolation::as_str))
        .with_some("with", (!view.info.with.is_empty()).then(|| view.info.with.clone()))
}
