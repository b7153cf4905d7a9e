//! The time as the caller gives it, and when things happened last. Nothing here reads a clock.

use std::time::Duration;

#[derive(Debug)]
pub(super) struct Clock {
    pub(super) now: Duration,
    pub(super) started: Duration,
    /// When the agent typed last.
    pub(super) last_key: Duration,
    /// When the target wrote last.
    pub(super) last_output: Duration,
    /// When the last item was typed at the target.
    pub(super) last_delivery: Duration,
}

impl Clock {
    pub(super) fn new(now: Duration) -> Self {
        Self { now, started: now, last_key: now, last_output: now, last_delivery: now }
    }

    /// Whether this much time has passed since then.
    pub(super) fn has_passed(&self, since: Duration, length: Duration) -> bool {
        self.now >= since + length
    }
}
