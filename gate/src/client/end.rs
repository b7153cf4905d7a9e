//! How the work on a channel ends, and what of it the client is still to be told.

use super::refusal::Refusal;
use crate::boundary::Ended;

/// How a command or a shell ended that had been delivered.
#[derive(Debug, Clone)]
pub(crate) enum ChannelEnd {
    /// The client went away.
    ClientGone,
    /// What was to go in was not approved.
    Refused(Refusal),
    /// The target's side ended.
    Target(Ended),
}

/// Why a channel goes no further.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// Nobody is there any more.
    Gone,
    /// The client is to be told why, and its channel closed.
    Refused(Refusal),
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
