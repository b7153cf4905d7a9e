//! Paused work: no rule decides for an agent on a machine until somebody lets it go on. An agent must not
//! get rid of that by connecting again, as another user or by another name of the machine; nor may whoever
//! stands behind it take back what somebody else had a reason for.

use std::collections::BTreeSet;

use expacti_engine::TargetName;
use expacti_protocol::ids::SessionId;
use expacti_protocol::reviewer::ReviewerEvent;
use expacti_protocol::session::{SessionInfo, SessionView};

use super::model::State;
use super::ports::{Now, Pause, Peer, Refusal, Write};
use super::sessions::session_entry;
use super::shown::Kept;

impl Pause {
    fn of(info: &SessionInfo) -> Self {
        Self {
            agent: info.agent.clone(),
            target: info.target.clone(),
            host: info.host.clone(),
            port: info.port,
            host_key_sha256: info.host_key_sha256.clone(),
            by: BTreeSet::new(),
        }
    }

    /// The name under which it is kept: one for each agent, name and address.
    pub(crate) fn id(&self) -> String {
        let Self { agent, target, host, port, .. } = self;
        format!("{agent}\n{target}\n{host}\n{port}")
    }

    /// Whether it is about a session, by whatever name and as whatever user it reaches the machine.
    fn holds(&self, info: &SessionInfo, other_names: &[TargetName]) -> bool {
        let same_name =
            self.target == info.target || other_names.iter().any(|n| n.target == self.target);
        let same_host = !self.host.is_empty()
            && self.host.eq_ignore_ascii_case(&info.host)
            && self.port == info.port;
        let same_key =
            self.host_key_sha256.is_some() && self.host_key_sha256 == info.host_key_sha256;
        self.agent == info.agent && (same_name || same_host || same_key)
    }
}

impl State {
    /// Whether what a session does is paused.
    pub(super) fn is_paused(&self, info: &SessionInfo, other_names: &[TargetName]) -> bool {
        self.pauses.values().any(|pause| pause.holds(info, other_names))
    }

    /// A reviewer pauses what an agent does on a machine (rules no longer allow by themselves) or lets it
    /// go on.
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
        let (view, other_names) = (session.view.clone(), session.other_names.clone());
        if paused {
            let mut pause = Pause::of(&view.info);
            if let Some(known) = self.pauses.get(&pause.id()) {
                pause.by.clone_from(&known.by);
            }
            pause.by.insert(by.name.clone());
            self.keep_pause(pause)?;
        } else {
            self.end_pauses(by, &view.info, &other_names)?;
        }
        let kind = if paused { "session_paused" } else { "session_resumed" };
        self.audit(&session_entry(kind, &view, now).with("by", by.name.as_str()))?;
        self.show_pauses(&view.info.agent, now)?;
        let shown = self.sessions.get(id).map(|session| session.view.clone());
        Ok(shown.unwrap_or(view))
    }

    /// Ends the pauses of a session's agent on its machine. Rules decide for an agent again when somebody had
    /// a reason that they do not: whoever stands behind it takes back nobody's but their own.
    fn end_pauses(
        &mut self,
        by: &Peer,
        info: &SessionInfo,
        other_names: &[TargetName],
    ) -> Result<(), Refusal> {
        let held = self.pauses.values().filter(|pause| pause.holds(info, other_names));
        let held: Vec<Pause> = held.cloned().collect();
        let people: BTreeSet<&str> = held.iter().flat_map(|p| &p.by).map(String::as_str).collect();
        let others: Vec<&str> = people.into_iter().filter(|person| *person != by.name).collect();
        if !others.is_empty() && self.is_behind(&by.name, info) {
            return Err(Refusal::not_entitled(format!(
                "{} stands behind this agent, and {} paused it: somebody who does not stand behind it lets it go on",
                by.name,
                others.join(", ")
            )));
        }
        for pause in held {
            self.pauses.remove(&pause.id());
            self.writes.push(Write::Pause { id: pause.id(), body: None });
        }
        Ok(())
    }

    fn keep_pause(&mut self, pause: Pause) -> Result<(), Refusal> {
        self.writes.push(Write::Pause { id: pause.id(), body: Some(Kept::exact(&pause)?) });
        self.pauses.insert(pause.id(), pause);
        Ok(())
    }

    /// Every session of an agent says whether it is paused.
    fn show_pauses(&mut self, agent: &str, now: Now) -> Result<(), Refusal> {
        let of_agent = self.sessions.iter().filter(|(_, s)| s.view.info.agent == agent);
        let changed: Vec<(SessionId, bool)> = of_agent
            .map(|(id, s)| (id, s, self.is_paused(&s.view.info, &s.other_names)))
            .filter(|(_, session, paused)| session.view.paused != *paused)
            .map(|(id, _, paused)| (id.clone(), paused))
            .collect();
        for (id, paused) in changed {
            let Some(session) = self.sessions.get_mut(&id) else { continue };
            session.view.paused = paused;
            let view = session.view.clone();
            self.push_session(view, now, ReviewerEvent::SessionOpened)?;
        }
        Ok(())
    }
}
