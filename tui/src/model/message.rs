//! What goes into `update` and what comes out of it. It must never carry a lock or a handle.

use crossterm::event::{KeyEvent, MouseEvent};
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::reviewer::{ReviewerEvent, ReviewerRequest};

use super::Pane;
use crate::time::Millis;

/// News from the connection.
#[derive(Debug)]
pub(crate) enum LinkMsg {
    /// It is up; `hello` follows.
    Up,
    /// It broke, or could not be made.
    Down {
        /// What failed.
        why: String,
        /// How long until the next attempt.
        retry_in: Millis,
    },
    /// A message.
    Event(Box<ReviewerEvent>),
    /// A round trip took so many milliseconds.
    Latency(u64),
}

/// Everything that can happen.
#[derive(Debug)]
pub(crate) enum Msg {
    /// Time has come to this moment. Sent before every other message.
    Now(Millis),
    /// A key.
    Key(KeyEvent),
    /// Pasted text.
    Paste(String),
    /// The mouse.
    Mouse(MouseEvent),
    /// The terminal has another size, or must be drawn afresh.
    Resized,
    /// The terminal gained or lost the focus.
    Focus(bool),
    /// The connection.
    Link(LinkMsg),
    /// A drawing is on the screen.
    Drawn(Drawn),
    /// A button of a desktop notification.
    Clicked(CommandId, NoticeAction),
    /// The answer to a [`Fetch`].
    Fetched(Fetch, Result<Answer, String>),
}

/// What was drawn; the reviewer has seen nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Drawn {
    /// The request whose details are on the screen.
    pub request: Option<DrawnRequest>,
    /// Where the panes are, for the mouse.
    pub areas: Vec<Area>,
    /// A question that waits for an answer is on the screen, all of it.
    pub question: bool,
    /// The screen is too small for an allow.
    pub small: bool,
    /// Rows of a page of the command, for paging.
    pub page: usize,
    /// The scroll position, where the drawing chose it.
    pub scroll: Option<usize>,
    /// The highest scroll position.
    pub max_scroll: usize,
}

/// The request on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DrawnRequest {
    /// Which.
    pub id: CommandId,
    /// In which revision.
    pub revision: u64,
    /// Rows of the command that were drawn: ranges of its visible text; none when it was masked.
    pub rows: Vec<std::ops::Range<usize>>,
    /// Rows of the preview that were drawn.
    pub preview: Vec<std::ops::Range<usize>>,
    /// The command was drawn masked.
    pub masked: bool,
}

/// Where a pane is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Area {
    /// Which pane.
    pub pane: Pane,
    /// Its inside.
    pub rect: ratatui::layout::Rect,
    /// The first row's index in its list.
    pub first: usize,
}

/// Something to ask the broker for over HTTP.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fetch {
    /// The last commands of a session.
    SessionCommands(SessionId),
    /// Sessions of the past.
    Sessions,
    /// The last commands of all, for the permissions in force.
    Grants,
    /// The recording of a session.
    Recording(SessionId),
    /// What was decided, newest first.
    History,
    /// The rules and policies, and what waits to change them.
    Rules,
    /// What waits to change rules and policies.
    Changes,
    /// Approve a rule or a change, or drop the change.
    Vote(super::Subject, bool),
    /// The end of the audit log.
    Audit,
    /// Rules worth proposing for a command.
    Candidates(Box<expacti_protocol::command::CommandView>),
    /// Add a rule.
    AddRule(Box<expacti_engine::Rule>),
    /// Pause a session, or let it go on.
    Pause(SessionId, bool),
}

/// What the broker answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Commands.
    Commands(Vec<expacti_protocol::command::CommandView>),
    /// Sessions.
    Sessions(Vec<expacti_protocol::session::SessionView>),
    /// A recording, and the commands of its session.
    Recording(
        std::sync::Arc<crate::recording::Recording>,
        Vec<expacti_protocol::command::CommandView>,
    ),
    /// Rules, policies and changes.
    Rules(Box<super::Rulebook>),
    /// Changes that wait.
    Changes(Vec<expacti_protocol::http::Change>),
    /// Lines of text, not clean.
    Lines(Vec<String>),
    /// Rules worth proposing.
    Candidates(Vec<crate::propose::Candidate>),
    /// It was done; one line that says so.
    Done(String),
}

/// A desktop notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    /// The request that its buttons are for.
    pub id: Option<CommandId>,
    /// It can be denied from there.
    pub deny: bool,
    /// One line.
    pub title: String,
    /// A few words.
    pub body: String,
    /// Wants attention at once.
    pub urgent: bool,
}

/// A button of a desktop notification. None allows: the request is not in sight there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoticeAction {
    /// Look at the request.
    Open,
    /// Deny it.
    Deny,
}

/// What `update` wants done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Send to the broker, on this connection or not at all.
    Send(ReviewerRequest),
    /// Ask the broker over HTTP.
    Fetch(Fetch),
    /// Show a desktop notification.
    Notify(Notice),
    /// Ring the bell.
    Bell,
    /// Put text on the clipboard.
    Copy(String),
    /// Draw everything afresh.
    Redraw,
    /// Stop until `fg`.
    Suspend,
    /// End.
    Quit,
}
