//! A rule being proposed. It must never be saved as anything but what is on the screen.

use expacti_protocol::ids::CommandId;

use crate::propose::{Candidate, LIFETIMES};
use crate::time::Millis;

/// A rule being proposed.
#[derive(Debug)]
pub(crate) struct RuleProposal {
    /// For which command.
    pub id: CommandId,
    /// The rules to choose from; none while they are worked out.
    pub candidates: Option<Vec<Candidate>>,
    /// Which is chosen.
    pub at: usize,
    /// How long it holds: an index into [`LIFETIMES`].
    pub lifetime: usize,
    /// Since when the present choice is on the screen.
    pub since: Millis,
}

impl RuleProposal {
    /// Hours the rule holds.
    pub(crate) fn hours(&self) -> u32 {
        LIFETIMES.get(self.lifetime).copied().unwrap_or(8)
    }
}
