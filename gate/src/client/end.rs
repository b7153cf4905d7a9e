//! How the work on a channel ends, and what the client still has to be told.

use super::refusal::Refusal;
use crate::boundary::Ended;

/// How a delivered command or shell ended.
#[derive(Debug, Clone)]
pub(crate) enum ChannelEnd {
    /// The client went away.
    ClientGone,
    /// Its input was not approved.
    Refused(Refusal),
    /// The target's side ended.
    Target(Ended),
}

/// Why the work on a channel stops.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The client has gone.
    Gone,
    /// The client is to be told why, and its channel closed.
    Refused(Refusal),
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
