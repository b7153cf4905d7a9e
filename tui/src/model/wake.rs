//! When the screen must be drawn again though nothing happened. It must never let a moment pass at
//! which something on the screen would be wrong.

use super::item::Stage;
use super::mode::Mode;
use super::state::Model;
use crate::time::{ARMING, LINGER, Millis, SLOW_ANSWER, WATCH_DELAY};

impl Model {
    /// The next moment at which something changes by itself.
    pub(crate) fn next_wake(&self) -> Option<Millis> {
        let mut wakes: Vec<Millis> = Vec::new();
        wakes.extend(self.arming.request_ready());
        wakes.extend(self.arming.question_ready());
        wakes.extend(self.mode_wake());
        self.request_wakes(&mut wakes);
        wakes.push(self.clock_wake());
        wakes.extend(self.hint.as_ref().map(|h| h.until));
        if self.watching.wanted != self.watched_sessions() || self.watch_due().is_some() {
            wakes.push(self.watching.since + WATCH_DELAY);
        }
        if !self.alerts.unannounced.is_empty() {
            wakes.extend(self.alerts.next_at());
        }
        wakes.into_iter().filter(|w| *w > self.clock.now).min()
    }

    fn mode_wake(&self) -> Option<Millis> {
        match &self.mode {
            Mode::Rule(proposal) => Some(proposal.since + ARMING),
            Mode::Replay(player) => player.next_wake(),
            _ => None,
        }
    }

    /// Held allows are sent, late answers are reported, closed rows go away.
    fn request_wakes(&self, wakes: &mut Vec<Millis>) {
        for item in self.requests.items.values() {
            match item.stage {
                Stage::Held { until, .. } => wakes.push(until),
                Stage::Sent { at, .. } => wakes.push(at + SLOW_ANSWER),
                Stage::Open
                | Stage::Done { .. }
                | Stage::Refused { .. }
                | Stage::Signing { .. } => {}
            }
            wakes.extend(item.closed_since.map(|at| at + LINGER));
        }
    }

    /// The next whole second of the broker's time while something is counted down. Otherwise the
    /// clock in the header shows minutes, and the next whole minute is enough.
    fn clock_wake(&self) -> Millis {
        let counting = !self.connection.is_up()
            || !self.sessions.grants.is_empty()
            || self.requests.any_open();
        let step: u32 = if counting { 1_000 } else { 60_000 };
        let into = self.clock.broker_now().rem_euclid(step.into());
        self.clock.now + Millis::from(step) - Millis::try_from(into).unwrap_or(0)
    }
}
