//! Sessions and their terminals. It must never draw what the terminal holds without `screen`.

use expacti_protocol::session::SessionView;

use crate::emulator::Emulator;
use crate::text::clean;

/// A session with its clean strings.
#[derive(Debug)]
pub(crate) struct Session {
    /// As the broker sent it; never for drawing.
    pub view: SessionView,
    /// Agent, clean.
    pub agent: String,
    /// Target, clean.
    pub target: String,
    /// The last command, clean.
    pub last: Option<String>,
}

impl Session {
    /// A session as the broker sent it.
    pub(crate) fn new(view: SessionView) -> Self {
        Self {
            agent: clean(&view.info.agent, 40),
            target: clean(&view.info.target, 60),
            last: view.last_command.as_deref().map(|c| clean(c, 200)),
            view,
        }
    }
}

/// The terminal of a watched session.
#[derive(Debug)]
pub(crate) struct LiveTerminal {
    /// The terminal.
    pub screen: Emulator,
    /// Whether anything has arrived.
    pub has_output: bool,
    /// Rows that it is scrolled back.
    pub scroll: usize,
    /// The row of the last match, from the oldest.
    pub found: Option<usize>,
}
