//! What goes into `update` and what comes out of it. It must never carry a lock or a handle.

use std::sync::Arc;

use crossterm::event::{KeyEvent, MouseEvent};
use expacti_engine::Rule;
use expacti_protocol::command::CommandView;
use expacti_protocol::http::Change;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::proof::Pin;
use expacti_protocol::reviewer::{DecisionMessage, ReviewerEvent, ReviewerRequest};
use expacti_protocol::session::SessionView;
use expacti_protocol::signed::SignedText;

use super::ballot::{Choice, Subject};
use super::connection::ConnectionId;
use super::drawn::Drawn;
use super::rulebook::Rulebook;
use crate::propose::Candidate;
use crate::recording::Recording;
use crate::time::Millis;

/// What the connection brings.
#[derive(Debug)]
pub(crate) enum LinkMsg {
    /// A new one is up; `hello` follows.
    Up(ConnectionId),
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
    /// The terminal has another size, or must be redrawn.
    Resized,
    /// The terminal gained or lost the focus.
    Focus(bool),
    /// The screen was stopped, and goes on.
    Resumed,
    /// How long a byte takes to the reviewer's terminal and back.
    TerminalDelay(Millis),
    /// The connection.
    Link(LinkMsg),
    /// A drawing is on the screen.
    Drawn(Drawn),
    /// A button of a desktop notification.
    Clicked(CommandId, NoticeAction),
    /// The broker asks for the reviewer's PIN.
    PinWanted,
    /// What a key has signed, or why it has not.
    Signed(Box<DecisionMessage>, Result<SignedText, String>),
    /// The answer to a [`Fetch`].
    Fetched(Fetch, Result<Answer, String>),
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
    Vote(Subject, Choice),
    /// The end of the audit log.
    Audit,
    /// Rules worth proposing for a command.
    Candidates(Box<CommandView>),
    /// Add a rule.
    AddRule(Box<Rule>),
    /// Hold everything in a session, rules or not.
    Pause(SessionId),
    /// Let rules decide in a session again.
    Resume(SessionId),
}

/// What the broker answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Commands.
    Commands(Vec<CommandView>),
    /// Sessions.
    Sessions(Vec<SessionView>),
    /// A recording, and the commands of its session.
    Recording(Arc<Recording>, Vec<CommandView>),
    /// Rules, policies and changes.
    Rules(Box<Rulebook>),
    /// Changes that wait.
    Changes(Vec<Change>),
    /// Lines of text, not clean.
    Lines(Vec<String>),
    /// Rules worth proposing.
    Candidates(Vec<Candidate>),
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

/// A button of a desktop notification. None of them allows: the request cannot be seen there.
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
    /// Have the reviewer's key sign an allow of an item that the gate has stated so.
    Sign(Box<DecisionMessage>, Box<CommandView>),
    /// The key need not sign that any more.
    StopSigning(CommandId),
    /// The PIN that the broker asked for; none if the reviewer did not give it.
    GivePin(Option<Pin>),
    /// Ask the broker over HTTP.
    Fetch(Fetch),
    /// Show a desktop notification.
    Notify(Notice),
    /// Ring the bell.
    Bell,
    /// Put text on the clipboard.
    Copy(String),
    /// Redraw everything.
    Redraw,
    /// Stop until `fg`.
    Suspend,
    /// End.
    Quit,
}
