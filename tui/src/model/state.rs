//! The whole state of the screen, in parts. It must never change except in `update`.

use expacti_protocol::ids::SessionId;
use tui_input::Input;

use super::alerts::Alerts;
use super::arming::Arming;
use super::clock::Clock;
use super::confirm::Confirm;
use super::connection::Connection;
use super::decisions::Decisions;
use super::drawn::Drawn;
use super::mode::Mode;
use super::pane::Pane;
use super::reading::Reading;
use super::requests::Requests;
use super::reviewer::Reviewer;
use super::sessions::Sessions;
use super::settings::Settings;
use super::watching::Watching;
use crate::keymap::KeyMap;
use crate::text::clean;
use crate::theme::Theme;
use crate::time::{HINT, Millis};

/// Sessions side by side at most.
const TILES: usize = 6;

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

/// A recording that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ReplayWanted {
    /// Of which session.
    pub session: SessionId,
    /// Where it is to begin, in seconds.
    pub at: Option<f64>,
}

/// The whole state.
#[derive(Debug)]
pub(crate) struct Model {
    /// What time it is.
    pub clock: Clock,
    /// How the screen looks and what its keys do.
    pub settings: Settings,
    /// The connection to the broker.
    pub connection: Connection,
    /// Who looks at the screen.
    pub reviewer: Reviewer,
    /// The requests, and the selected one.
    pub requests: Requests,
    /// The sessions, and the chosen one.
    pub sessions: Sessions,
    /// The terminals that are watched.
    pub watching: Watching,
    /// What stands between a key and a decision.
    pub arming: Arming,
    /// The decisions made here.
    pub decisions: Decisions,
    /// Where the reviewer is in the request's text.
    pub reading: Reading,
    /// Announcing new requests.
    pub alerts: Alerts,
    /// Where the keys go.
    pub pane: Pane,
    /// What the keys mean.
    pub mode: Mode,
    /// Keys go into the PIN that the broker asks for, before anything else. It is not drawn.
    pub pin: Option<Input>,
    /// What the last drawing reported.
    pub drawn: Drawn,
    /// The line at the bottom.
    pub hint: Option<Hint>,
    /// The recording that opens when it arrives.
    pub replay_wanted: Option<ReplayWanted>,
    /// When "quit" was pressed while an allow was held.
    pub quit_asked: Option<Millis>,
}

impl Model {
    /// An empty screen that is about to connect.
    pub(crate) fn new(theme: Theme, broker: &str) -> Self {
        Self {
            clock: Clock::new(),
            settings: Settings {
                theme,
                keymap: KeyMap::default(),
                confirm: Confirm::default(),
                signs: None,
                pin: false,
                banner: None,
            },
            connection: Connection::new(broker),
            reviewer: Reviewer::unknown(),
            requests: Requests::default(),
            sessions: Sessions::default(),
            watching: Watching::default(),
            arming: Arming::default(),
            decisions: Decisions::default(),
            reading: Reading::default(),
            alerts: Alerts::default(),
            pane: Pane::Queue,
            mode: Mode::Normal,
            pin: None,
            drawn: Drawn::default(),
            hint: None,
            replay_wanted: None,
            quit_asked: None,
        }
    }

    /// Shows a line at the bottom.
    pub(crate) fn hint(&mut self, text: impl AsRef<str>) {
        self.show_hint(text.as_ref(), false);
    }

    /// Shows at the bottom that something failed.
    pub(crate) fn warn(&mut self, text: impl AsRef<str>) {
        self.show_hint(text.as_ref(), true);
    }

    fn show_hint(&mut self, text: &str, bad: bool) {
        self.hint = Some(Hint { text: clean(text, 300), bad, until: self.clock.now + HINT });
    }

    /// A key was pressed that decides, or might have been meant to.
    pub(crate) fn press(&mut self) {
        self.arming.press(self.clock.now);
    }

    /// Opens a question. It takes no answer before it has been on the screen.
    pub(crate) fn ask(&mut self, question: Mode) {
        self.hint = None;
        self.arming.question_opened();
        self.mode = question;
    }

    /// Closes a question or field because the reviewer left it.
    pub(crate) fn leave(&mut self) {
        self.mode = Mode::Normal;
        self.press();
    }

    /// Closes a question without the reviewer. The reviewer may be in the middle of an answer to
    /// it: the rest of it must not be read as keys.
    pub(crate) fn close_question(&mut self) {
        self.mode = Mode::Normal;
        self.arming.interrupt_typing(self.clock.now);
    }

    /// Whether the question on the screen takes an answer now.
    pub(crate) fn answerable(&self) -> bool {
        self.arming.answerable(self.clock.now)
    }

    /// The session whose terminal belongs on the screen.
    pub(crate) fn live_session(&self) -> Option<&SessionId> {
        let of_request = self.requests.current().map(|i| &i.view().session_id);
        let chosen = self.sessions.selected.as_ref();
        match self.pane {
            Pane::Sessions => chosen.or(of_request),
            _ => of_request.or(chosen),
        }
    }

    /// The sessions whose terminals belong on the screen.
    pub(crate) fn live_sessions(&self) -> Vec<SessionId> {
        if !self.watching.tiles {
            return self.live_session().cloned().into_iter().collect();
        }
        let rows = self.sessions.rows().into_iter();
        rows.filter(|s| s.is_open()).take(TILES).map(|s| s.view.id.clone()).collect()
    }

    /// The sessions that are to be watched: what is on the screen, and where this reviewer has let
    /// something pass unreviewed, which ends when nobody watches.
    pub(crate) fn watched_sessions(&self) -> Vec<SessionId> {
        let mut wanted = self.live_sessions();
        for grant in self.sessions.grants.values().filter(|g| g.ours) {
            if !wanted.contains(&grant.session) {
                wanted.push(grant.session.clone());
            }
        }
        wanted
    }

    /// A session that is to be watched but is not yet.
    pub(crate) fn watch_due(&self) -> Option<&SessionId> {
        self.watching.wanted.iter().find(|id| {
            self.sessions.open(id).is_some() && !self.watching.terminals.contains_key(*id)
        })
    }
}
