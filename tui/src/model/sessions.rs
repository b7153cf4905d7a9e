//! The sessions, what ran in them, and the grants in force there. It must never hold a session as
//! open that the broker has closed.

use std::collections::{BTreeMap, HashMap, VecDeque};

use expacti_protocol::command::CommandView;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::session::SessionView;

use super::grants::ActiveGrant;
use super::item::PastCommand;
use crate::text::clean;

/// Commands of a session that are remembered.
const PAST: usize = 12;

/// A session with its clean strings.
#[derive(Debug)]
pub(crate) struct Session {
    /// As the broker sent it; never for drawing.
    pub view: SessionView,
    /// Agent, clean.
    pub agent: String,
    /// Target, clean.
    pub target: String,
    /// `not isolated`, and what the program may use beside, clean.
    pub cautions: Vec<String>,
    /// The last command, clean.
    pub last: Option<String>,
}

impl Session {
    /// A session as the broker sent it.
    pub(crate) fn new(view: SessionView) -> Self {
        Self {
            agent: clean(&view.info.agent, 40),
            target: clean(&view.info.target, 60),
            cautions: view.info.cautions().iter().map(|c| clean(c, 60)).collect(),
            last: view.last_command.as_deref().map(|c| clean(c, 200)),
            view,
        }
    }

    /// Whether it is open.
    pub(crate) fn is_open(&self) -> bool {
        self.view.closed_at.is_none()
    }
}

/// All sessions that are known.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// Open ones, and some closed ones.
    pub all: BTreeMap<SessionId, Session>,
    /// The last commands of each, oldest first.
    pub past: HashMap<SessionId, VecDeque<PastCommand>>,
    /// Permissions that are in force, by the command they were given with.
    pub grants: BTreeMap<CommandId, ActiveGrant>,
    /// The session the reviewer chose.
    pub selected: Option<SessionId>,
}

impl Sessions {
    /// An open session.
    pub(crate) fn open(&self, id: &SessionId) -> Option<&Session> {
        self.all.get(id).filter(|session| session.is_open())
    }

    /// The rows of the list: open ones first, newest first.
    pub(crate) fn rows(&self) -> Vec<&Session> {
        let mut rows: Vec<&Session> = self.all.values().collect();
        rows.sort_by(|a, b| (!a.is_open(), &b.view.id).cmp(&(!b.is_open(), &a.view.id)));
        rows
    }

    /// Remembers how a command of a session ended.
    pub(crate) fn remember(&mut self, session: &SessionId, past: PastCommand) {
        let list = self.past.entry(session.clone()).or_default();
        list.retain(|p| p.id != past.id);
        let at = list.partition_point(|p| (p.at, &p.id) < (past.at, &past.id));
        list.insert(at, past);
        while list.len() > PAST {
            list.pop_front();
        }
    }

    /// What the same agent did on the same target before a request, oldest first. A wrapped program makes a
    /// connection for every command, so that one session alone would say little.
    pub(crate) fn before(&self, request: &CommandView) -> Vec<&PastCommand> {
        let here = &request.session;
        let same = |id: &SessionId| {
            *id == request.session_id
                || self.all.get(id).is_some_and(|session| {
                    let info = &session.view.info;
                    (&info.agent, &info.target, &info.user)
                        == (&here.agent, &here.target, &here.user)
                })
        };
        let sessions = self.past.iter().filter(|(id, _)| same(id));
        let mut list: Vec<&PastCommand> = sessions.flat_map(|(_, past)| past).collect();
        list.retain(|past| past.id != request.id);
        list.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        list
    }

    /// The agent typed so many bytes into a session.
    pub(crate) fn count_typed(&mut self, session: &SessionId, bytes: usize) {
        for grant in self.grants.values_mut().filter(|g| &g.session == session) {
            grant.used = grant.used.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
    }
}
