//! What the gate asks of its caller, and what the caller tells it of a decision. No effect may
//! carry the bytes of an approved item: only the caller has them.

use super::item::Submission;
use crate::constant::Const;
use crate::remote::AbortReason;

/// What the caller has to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Show this on the agent's screen, and record it.
    Screen(Vec<u8>),
    /// Submit an item for review. There is none under review at this moment.
    Submit(Box<Submission>),
    /// Withdraw the item under review.
    Withdraw,
    /// Ask the target about its terminal; the answer goes to
    /// [`LineGate::probed`](super::LineGate::probed).
    Probe,
    /// Type a constant.
    Type(Const),
    /// Type the approved item, now and once.
    TypeItem,
    /// Type these keys under the grant.
    Keys(Vec<u8>),
    /// The grant has ended.
    GrantOver,
    /// The answer to [`LineGate::check`](super::LineGate::check): whether the item's context is
    /// still the one it was reviewed in.
    ContextHolds(bool),
    /// The approved item must not be typed. It stays unsent.
    Unsent(Unsent),
    /// The item that was typed last is a command line, which runs now.
    Started,
    /// The item that was typed last went to a program; nothing tells when the program is done with
    /// it.
    Passed,
    /// The item that was typed last was not run.
    Aborted(AbortReason),
    /// The command line that runs has ended, with this status where the shell says it.
    Ended(Option<u32>),
    /// A remark for the recording.
    Log(&'static str),
}

/// Why an approved item is not sent. The text goes into the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// Its context is no longer the one it was reviewed in.
    #[error("context changed")]
    ContextChanged,
    /// The agent pressed `^C` before it was typed.
    #[error("interrupted by the agent")]
    Interrupted,
    /// There was nothing that the approval could be for.
    #[error("nothing was under review")]
    NothingUnderReview,
    /// See [`Undeliverable`](crate::remote::Undeliverable).
    #[error("it cannot be typed exactly")]
    Undeliverable,
}

/// What became of the item under review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may be typed now, once.
    Approved {
        /// Keys may pass after it.
        grant: bool,
    },
    /// It will not be typed; what to tell the agent.
    Refused(String),
    /// It was withdrawn because the agent asked for that.
    Withdrawn,
    /// It was allowed, but its context has changed: review it again.
    Changed,
    /// It was allowed, but too long ago to know that its context has not changed since: the
    /// approval is void, and the item is reviewed again.
    Late,
}
