//! The decisions made here. It must never count one as done before the broker has confirmed it.

use std::collections::HashMap;

use expacti_protocol::digest::Digest;
use expacti_protocol::ids::CommandId;

/// Which way a decision went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may run.
    Allow,
    /// It may not.
    Deny,
}

impl Verdict {
    /// As a word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }

    /// What a vote on the wire says.
    pub(crate) fn of_vote(allow: bool) -> Self {
        if allow { Self::Allow } else { Self::Deny }
    }
}

/// The last decision, for the empty screen.
#[derive(Debug, Clone)]
pub(crate) struct LastDecision {
    /// Which way it went.
    pub verdict: Verdict,
    /// The command on one line.
    pub headline: String,
    /// Decided at, broker's time in milliseconds.
    pub at_ms: i64,
    /// Which command.
    pub id: CommandId,
}

/// A decision that was refused, not confirmed, or not sent.
#[derive(Debug, Clone)]
pub(crate) struct FailedDecision {
    /// Of which command.
    pub id: CommandId,
    /// What to say, clean.
    pub text: String,
}

/// What this reviewer decided.
#[derive(Debug, Default)]
pub(crate) struct Decisions {
    /// The last decision made here.
    pub last: Option<LastDecision>,
    /// Those that came to nothing; shown until the reviewer clears them.
    pub failed: Vec<FailedDecision>,
    /// How often this reviewer allowed each group of identical requests.
    pub allowed: HashMap<Digest, u32>,
}

impl Decisions {
    /// A decision on that command came to nothing.
    pub(crate) fn fail(&mut self, id: CommandId, text: String) {
        self.failed.push(FailedDecision { id, text });
    }
}
