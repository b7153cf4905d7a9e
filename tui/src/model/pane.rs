//! The parts of the screen. Each must be reachable by a key at every size.

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
