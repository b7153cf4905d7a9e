//! Everything the reviewer's screen knows. It must never change except in `update`, and never
//! hold a string of the broker's for drawing that was not made clean on the way in.

mod ballot;
mod filter;
mod find;
mod grants;
mod item;
mod list;
mod message;
mod seen;
mod sessions;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use expacti_engine::Level;
use expacti_protocol::command::CommandState;
use expacti_protocol::digest::Digest;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::principal::Role;
use tui_input::Input;

pub(crate) use ballot::{Ballot, Rulebook, Subject, Voting, change};
pub(crate) use find::Find;
pub(crate) use grants::{ActiveGrant, GrantField, GrantForm, words};
pub(crate) use item::{Destination, Item, PastCommand, Stage, headline, result};
pub(crate) use list::{List, RuleProposal, Tone, audit_row, history_row};
pub(crate) use message::{
    Answer, Area, Drawn, DrawnRequest, Effect, Fetch, LinkMsg, Msg, Notice, NoticeAction,
};
pub(crate) use sessions::{LiveTerminal, Session};

use crate::keymap::KeyMap;
use crate::player::Player;
use crate::theme::Theme;
use crate::time::{ALERT_INTERVAL, ARMING, LINGER, Millis, SLOW_ANSWER, WATCH_DELAY};

/// Sessions side by side at most.
pub(crate) const TILES: usize = 6;

/// What follows `a` before an allow counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfirmKind {
    /// Nothing.
    None,
    /// The key `y`.
    Y,
    /// The target's name, typed.
    TargetName,
}

/// What follows `a`, by level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Confirm {
    /// For LOW.
    pub low: ConfirmKind,
    /// For MEDIUM.
    pub medium: ConfirmKind,
    /// For HIGH.
    pub high: ConfirmKind,
    /// For CRITICAL.
    pub critical: ConfirmKind,
}

impl Default for Confirm {
    fn default() -> Self {
        Self {
            low: ConfirmKind::None,
            medium: ConfirmKind::None,
            high: ConfirmKind::Y,
            critical: ConfirmKind::TargetName,
        }
    }
}

impl Confirm {
    /// What follows `a` at that level.
    pub fn of(&self, level: Level) -> ConfirmKind {
        match level {
            Level::Low => self.low,
            Level::Medium => self.medium,
            Level::High => self.high,
            Level::Critical => self.critical,
        }
    }
}

/// The connection to the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LinkState {
    /// Being made.
    Connecting,
    /// Broken; nothing can be decided until it is back.
    Down {
        /// Since when.
        since: Millis,
        /// The next attempt.
        retry_at: Millis,
        /// What failed, clean.
        why: String,
    },
    /// Up; `synced` once everything open was sent.
    Up {
        /// Whether all open requests are known.
        synced: bool,
    },
}

/// A part of the screen that takes keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Pane {
    /// The requests that wait.
    Queue,
    /// The sessions.
    Sessions,
    /// The selected request.
    Request,
    /// The session's terminal.
    Live,
}

impl Pane {
    /// All, in the order of `tab`.
    pub(crate) const ALL: [Self; 4] = [Self::Queue, Self::Sessions, Self::Request, Self::Live];
}

/// What the keys mean now.
#[derive(Debug, Default)]
pub(crate) enum Mode {
    /// Keys are actions.
    #[default]
    Normal,
    /// Keys go into the filter.
    Filter(Input),
    /// Keys go into what is searched for in the request or the terminal.
    Search(Input),
    /// Keys go into the comment of a denial: of the command that was selected when it was opened,
    /// or of none. Opened in any case: whoever begins to type must not type into the keys.
    Comment(Option<CommandId>, Input),
    /// An allow waits for its second step.
    Confirm(Box<Confirming>),
    /// An allow that lets what follows pass unreviewed is being made out.
    Grant(Box<GrantForm>),
    /// Ending, pausing or resuming a session waits for `y`.
    ConfirmSession(SessionId, Control),
    /// The keys are shown.
    Help(usize),
    /// A recording is played.
    Replay(Box<Player>),
    /// A list over the whole screen.
    List(Box<List>),
    /// A rule is being proposed.
    Rule(Box<RuleProposal>),
}

/// What can be done to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// End it.
    Kill,
    /// Hold everything, rules or not.
    Pause,
    /// Let rules decide again.
    Resume,
}

/// An allow that waits for its second step; bound to exactly what was shown.
#[derive(Debug)]
pub(crate) struct Confirming {
    /// Which command.
    pub id: CommandId,
    /// The revision that was shown.
    pub revision: u64,
    /// What must be typed; `None`: the key `y`.
    pub expected: Option<String>,
    /// What was typed.
    pub input: Input,
}

/// What is on the screen, as the last drawing reported it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OnScreen {
    /// The request.
    pub id: CommandId,
    /// In which revision.
    pub revision: u64,
    /// Since when without interruption.
    pub since: Millis,
}

/// A decision made here, for the empty screen and the rows.
#[derive(Debug, Clone)]
pub(crate) struct LastDecision {
    /// Allow or deny.
    pub allow: bool,
    /// The command on one line.
    pub headline: String,
    /// Decided at, broker's time in milliseconds.
    pub at_ms: i64,
    /// Which command.
    pub id: CommandId,
}

/// A line at the bottom that goes away by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hint {
    /// The line, clean.
    pub text: String,
    /// Whether something failed.
    pub bad: bool,
    /// Until when.
    pub until: Millis,
}

/// New requests that people should hear of.
#[derive(Debug, Default)]
pub(crate) struct Alerts {
    /// Not to be disturbed.
    pub muted: bool,
    /// Desktop notifications are wanted.
    pub desktop: bool,
    /// The bell is wanted.
    pub bell: bool,
    /// Hours of the day without bell and notifications.
    pub(crate) quiet: Option<crate::quiet::QuietHours>,
    /// Requests nobody was told of yet.
    pub unannounced: Vec<CommandId>,
    /// When people were last told.
    pub announced_at: Option<Millis>,
}

/// The whole state.
#[derive(Debug)]
pub(crate) struct Model {
    /// Now.
    pub now: Millis,
    /// What to add to `now` for the broker's clock, in milliseconds since the Unix epoch.
    pub broker_offset: i64,
    /// The time zone of times on the screen.
    pub zone: jiff::tz::TimeZone,
    /// How it looks.
    pub theme: Theme,
    /// The keys.
    pub keymap: KeyMap,
    /// What follows `a`.
    pub confirm: Confirm,
    /// One line of guidance.
    pub banner: Option<String>,
    /// The broker's address, clean.
    pub broker: String,
    /// The connection.
    pub link: LinkState,
    /// The last measured round trip, in milliseconds.
    pub latency: Option<u64>,
    /// Who the broker takes us for, clean.
    pub principal: String,
    /// With which role.
    pub role: Role,
    /// Things a reviewer must know, clean.
    pub warnings: Vec<String>,
    /// Changes of rules and policies that wait for this reviewer.
    pub changes: usize,
    /// Requests: open ones, and closed ones that are still on the screen.
    pub items: BTreeMap<CommandId, Item>,
    /// Sessions: open ones, and some closed ones.
    pub sessions: BTreeMap<SessionId, Session>,
    /// The last commands of each session.
    pub past: HashMap<SessionId, VecDeque<PastCommand>>,
    /// Permissions that are in force.
    pub grants: BTreeMap<CommandId, ActiveGrant>,
    /// The secret the reviewer asked to see.
    pub revealed: Option<CommandId>,
    /// Terminals of watched sessions.
    pub live: BTreeMap<SessionId, LiveTerminal>,
    /// Open requests seen since the connection came up, until it is synced.
    pub fresh: BTreeSet<CommandId>,
    /// Open sessions seen since the connection came up, until it is synced.
    pub fresh_sessions: BTreeSet<SessionId>,
    /// The request the reviewer looks at. It changes by the reviewer's keys only, or from none.
    pub selected: Option<CommandId>,
    /// The session the reviewer chose.
    pub session: Option<SessionId>,
    /// Where the keys go.
    pub pane: Pane,
    /// What the keys mean.
    pub mode: Mode,
    /// The filter of the queue.
    pub filter: String,
    /// What is searched for in the request or the terminal.
    pub find: Find,
    /// The next drawing begins at the match.
    pub find_jump: bool,
    /// First visible row of the command.
    pub scroll: usize,
    /// First visible line below the command.
    pub on_screen: Option<OnScreen>,
    /// What the last drawing reported.
    pub drawn: Drawn,
    /// Since when the question that is open now is on the screen, all of it.
    pub asked_since: Option<Millis>,
    /// How long a byte takes to the reviewer's terminal and back.
    pub terminal_delay: Millis,
    /// When a decision key was last pressed.
    pub pressed_at: Option<Millis>,
    /// When a decision was last made here.
    pub decided_at: Option<Millis>,
    /// The last decision made here.
    pub last: Option<LastDecision>,
    /// Decisions made here that were refused or not confirmed; shown until looked at.
    pub failed_decisions: Vec<(CommandId, String)>,
    /// The line at the bottom.
    pub hint: Option<Hint>,
    /// Bell and notifications.
    pub alerts: Alerts,
    /// Counts our messages.
    pub next_ref: u64,
    /// Since when the live pane wants another session than it shows.
    pub watch_since: Millis,
    /// The sessions the live pane wants.
    pub watch_wanted: Vec<SessionId>,
    /// How often this reviewer allowed each group of identical requests.
    pub(crate) approved: HashMap<Digest, u32>,
    /// The recording that was asked for, and where it is to begin.
    pub replay_wanted: Option<(SessionId, Option<f64>)>,
    /// Several sessions are shown side by side.
    pub tiles: bool,
    /// A field into which a reviewer was typing has closed by itself: until the keys have rested,
    /// that is until this moment, they mean nothing.
    pub(crate) typing_until: Option<Millis>,
    /// To be stopped, when the loop comes round.
    pub suspend: bool,
    /// When "quit" was pressed while an allow was held.
    pub(crate) quit_asked: Option<Millis>,
}

impl Model {
    /// An empty screen that is about to connect.
    pub(crate) fn new(theme: Theme, broker: &str) -> Self {
        Self {
            now: 0,
            broker_offset: 0,
            zone: jiff::tz::TimeZone::UTC,
            theme,
            keymap: KeyMap::default(),
            confirm: Confirm::default(),
            banner: None,
            broker: crate::text::clean(broker, 80),
            link: LinkState::Connecting,
            latency: None,
            principal: String::new(),
            role: Role::Viewer,
            warnings: Vec::new(),
            changes: 0,
            items: BTreeMap::new(),
            sessions: BTreeMap::new(),
            past: HashMap::new(),
            grants: BTreeMap::new(),
            revealed: None,
            live: BTreeMap::new(),
            fresh: BTreeSet::new(),
            fresh_sessions: BTreeSet::new(),
            selected: None,
            session: None,
            pane: Pane::Queue,
            mode: Mode::Normal,
            filter: String::new(),
            find: Find::default(),
            find_jump: false,
            scroll: 0,
            on_screen: None,
            drawn: Drawn::default(),
            asked_since: None,
            terminal_delay: 0,
            pressed_at: None,
            decided_at: None,
            last: None,
            failed_decisions: Vec::new(),
            hint: None,
            alerts: Alerts::default(),
            next_ref: 1,
            watch_since: 0,
            watch_wanted: Vec::new(),
            approved: HashMap::new(),
            replay_wanted: None,
            tiles: false,
            typing_until: None,
            suspend: false,
            quit_asked: None,
        }
    }

    /// The broker's clock, in milliseconds since the Unix epoch.
    pub(crate) fn broker_now(&self) -> i64 {
        i64::try_from(self.now).unwrap_or(i64::MAX).saturating_add(self.broker_offset)
    }

    /// Whether messages can be exchanged and everything open is known.
    pub(crate) fn connected(&self) -> bool {
        self.link == LinkState::Up { synced: true }
    }

    /// The selected request.
    pub(crate) fn item(&self) -> Option<&Item> {
        self.items.get(self.selected.as_ref()?)
    }

    /// When the question that is on the screen takes an answer: it was there for a while, and no
    /// key was pressed in vain. Never while it is not on the screen.
    pub(crate) fn question_ready(&self) -> Option<Millis> {
        self.asked_since.map(|since| since.max(self.pressed_at.unwrap_or(0)) + self.arming())
    }

    /// Whether the question takes an answer now.
    pub(crate) fn answerable(&self) -> bool {
        self.question_ready().is_some_and(|ready| self.now >= ready)
    }

    /// How long a request or a question must have been on the screen before an allow counts:
    /// longer where keys and pictures take long on their way to the reviewer.
    pub(crate) fn arming(&self) -> Millis {
        ARMING + self.terminal_delay
    }

    /// Whether the request is shown masked.
    pub(crate) fn masked(&self, item: &Item) -> bool {
        item.is_secret() && self.revealed.as_ref() != Some(item.id())
    }

    /// Requests that wait for a decision.
    pub(crate) fn pending(&self) -> impl Iterator<Item = &Item> {
        self.items.values().filter(|i| i.state() == CommandState::Pending)
    }

    /// The rows of the queue: one for each group of identical requests, by deadline, with the
    /// number of requests in it. The selected request stands for its group.
    pub(crate) fn queue(&self) -> Vec<(&Item, usize)> {
        let filter = filter::Filter::parse(&self.filter);
        let mut items: Vec<&Item> = self.items.values().filter(|i| filter.matches(i)).collect();
        items.sort_by(|a, b| a.order().cmp(&b.order()));
        let mut rows: Vec<(&Item, usize)> = Vec::with_capacity(items.len());
        let mut groups = HashMap::new();
        for item in items {
            if item.state() != CommandState::Pending || item.stage != Stage::Open {
                rows.push((item, 1));
                continue;
            }
            match groups.get(&item.group).and_then(|i: &usize| rows.get_mut(*i)) {
                Some((shown, count)) => {
                    *count += 1;
                    if self.selected.as_ref() == Some(item.id()) {
                        *shown = item;
                    }
                }
                None => {
                    groups.insert(item.group, rows.len());
                    rows.push((item, 1));
                }
            }
        }
        rows
    }

    /// The rows of the sessions: open ones first, newest first.
    pub(crate) fn session_rows(&self) -> Vec<&Session> {
        let mut rows: Vec<&Session> = self.sessions.values().collect();
        rows.sort_by(|a, b| {
            (a.view.closed_at.is_some(), &b.view.id).cmp(&(b.view.closed_at.is_some(), &a.view.id))
        });
        rows
    }

    /// The session whose terminal belongs on the screen.
    pub(crate) fn live_session(&self) -> Option<&SessionId> {
        let of_request = self.item().map(|i| &i.view().session_id);
        match self.pane {
            Pane::Sessions => self.session.as_ref().or(of_request),
            _ => of_request.or(self.session.as_ref()),
        }
    }

    /// The next moment at which something changes by itself.
    pub(crate) fn next_wake(&self) -> Option<Millis> {
        let mut wakes: Vec<Millis> = Vec::new();
        if let Some(shown) = &self.on_screen {
            wakes.push(shown.since.max(self.pressed_at.unwrap_or(0)) + self.arming());
        }
        wakes.extend(self.question_ready());
        match &self.mode {
            Mode::Rule(draft) => wakes.push(draft.since + ARMING),
            Mode::Replay(player) => wakes.extend(player.next_wake()),
            _ => {}
        }
        let mut counting = !matches!(self.link, LinkState::Up { .. }) || !self.grants.is_empty();
        for item in self.items.values() {
            match item.stage {
                Stage::Held { until, .. } => wakes.push(until),
                Stage::Sent { at, .. } => wakes.push(at + SLOW_ANSWER),
                _ => {}
            }
            match item.closed_since {
                Some(at) => wakes.push(at + LINGER),
                None => counting = true,
            }
        }
        if counting {
            // The countdown's next whole second, in the broker's time.
            let into = u64::try_from(self.broker_now().rem_euclid(1000)).unwrap_or(0);
            wakes.push(self.now + 1000 - into);
        } else {
            // The clock in the header shows minutes then.
            let into = u64::try_from(self.broker_now().rem_euclid(60_000)).unwrap_or(0);
            wakes.push(self.now + 60_000 - into);
        }
        wakes.extend(self.hint.as_ref().map(|h| h.until));
        if self.watch_wanted != self.watched_sessions() || self.watch_due().is_some() {
            wakes.push(self.watch_since + WATCH_DELAY);
        }
        if !self.alerts.unannounced.is_empty() {
            wakes.push(self.alerts.announced_at.unwrap_or(0) + ALERT_INTERVAL);
        }
        wakes.into_iter().filter(|w| *w > self.now).min()
    }

    /// The sessions whose terminals belong on the screen.
    pub(crate) fn live_sessions(&self) -> Vec<SessionId> {
        if !self.tiles {
            return self.live_session().cloned().into_iter().collect();
        }
        let rows = self.session_rows().into_iter();
        rows.filter(|s| s.view.closed_at.is_none()).take(TILES).map(|s| s.view.id.clone()).collect()
    }

    /// The sessions that are to be watched: what is on the screen, and where this reviewer has let
    /// something pass unreviewed, which ends when nobody watches.
    pub(crate) fn watched_sessions(&self) -> Vec<SessionId> {
        let mut wanted = self.live_sessions();
        for running in self.grants.values().filter(|g| g.ours) {
            if !wanted.contains(&running.session) {
                wanted.push(running.session.clone());
            }
        }
        wanted
    }

    /// A session that is to be watched but is not yet.
    pub(crate) fn watch_due(&self) -> Option<&SessionId> {
        self.watch_wanted.iter().find(|id| {
            let open = self.sessions.get(*id).is_some_and(|s| s.view.closed_at.is_none());
            open && !self.live.contains_key(*id)
        })
    }
}
