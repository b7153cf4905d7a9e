//! What an agent does on a target is one piece of work, however many connections it makes for it: a
//! wrapped program starts `ssh` anew for every command.

use std::collections::BTreeSet;

use expacti_engine::{Event, History};
use expacti_protocol::session::SessionInfo;

use super::model::State;
use super::ports::Now;

/// How long work goes on after its last connection, in microseconds: half an hour, which an agent that
/// thinks or a person who answers it does not exceed.
const PAUSE: i64 = 30 * 60 * 1_000_000;

/// The most pieces of work that are remembered. Beyond it those without a connection are forgotten.
const MAX_WORK: usize = 10_000;

/// The most denials that are remembered of one piece of work.
const MAX_DENIED: usize = 256;

/// One agent's work on one target.
#[derive(Debug, Clone, Default)]
pub(crate) struct Work {
    /// What it is compared with.
    pub(crate) history: History,
    /// Digests of the commands that were denied.
    denied: BTreeSet<String>,
    /// When it was last heard of, in microseconds.
    last: i64,
    /// Connections that are open now.
    open: usize,
    /// Who has paused it: rules decide for none of its sessions until somebody lets it go on.
    paused_by: Option<String>,
}

impl Work {
    /// A command was denied.
    pub(super) fn remember_denied(&mut self, digest: String) {
        if self.denied.len() < MAX_DENIED {
            self.denied.insert(digest);
        }
    }

    /// Whether exactly this command was denied.
    pub(super) fn was_denied(&self, digest: &str) -> bool {
        self.denied.contains(digest)
    }
}

/// Under which name a session's work is kept.
pub(super) fn key(info: &SessionInfo) -> String {
    format!("{}\n{}\n{}", info.agent, info.target, info.user)
}

impl State {
    /// A session of this work begins: it goes on with it, or begins anew after a pause.
    pub(super) fn begin_work(&mut self, info: &SessionInfo, now: Now) -> String {
        let key = key(info);
        let goes_on = self
            .work
            .get(&key)
            .is_some_and(|work| work.open > 0 || now.micros.saturating_sub(work.last) < PAUSE);
        if !goes_on {
            self.forget_work(now);
            let mut history = self.baselines.get(&info.agent).cloned().unwrap_or_default();
            history.observe(&Event::SessionOpened);
            // Waiting, or connecting again, gets an agent rid of no pause.
            let paused_by = self.paused_by(&key);
            self.work.insert(key.clone(), Work { history, paused_by, ..Work::default() });
        }
        if let Some(work) = self.work.get_mut(&key) {
            work.open = work.open.saturating_add(1);
            work.last = now.micros;
        }
        key
    }

    /// A session of this work ends; what it has become is the agent's baseline from now on.
    pub(super) fn leave_work(&mut self, key: &String, now: Now) -> Option<History> {
        let work = self.work.get_mut(key)?;
        work.open = work.open.saturating_sub(1);
        work.last = now.micros;
        Some(work.history.clone())
    }

    /// Who has paused it.
    pub(super) fn paused_by(&self, key: &String) -> Option<String> {
        self.work.get(key)?.paused_by.clone()
    }

    pub(super) fn set_paused(&mut self, key: &String, by: Option<String>) {
        if let Some(work) = self.work.get_mut(key) {
            work.paused_by = by;
        }
    }

    fn forget_work(&mut self, now: Now) {
        if self.work.len() < MAX_WORK {
            return;
        }
        let over = |work: &Work| {
            work.open == 0
                && work.paused_by.is_none()
                && now.micros.saturating_sub(work.last) >= PAUSE
        };
        let mut gone: Vec<String> =
            self.work.iter().filter(|(_, work)| over(work)).map(|(key, _)| key.clone()).collect();
        if gone.is_empty() {
            let idle = |work: &Work| work.open == 0 && work.paused_by.is_none();
            let idle = self.work.iter().filter(|(_, work)| idle(work));
            gone.extend(idle.min_by_key(|(_, work)| work.last).map(|(key, _)| key.clone()));
        }
        for key in gone {
            self.work.remove(&key);
        }
    }
}
