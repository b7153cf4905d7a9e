//! The two clocks of the screen: its own, which only goes forward, and the broker's. It must never
//! read the time itself.

use crate::time::Millis;

/// What time it is.
#[derive(Debug)]
pub(crate) struct Clock {
    /// Now.
    pub now: Millis,
    /// What to add to `now` for the broker's clock, in milliseconds since the Unix epoch; known
    /// once the broker has said what time it is.
    pub broker_offset: Option<i64>,
    /// The time zone of times on the screen.
    pub zone: jiff::tz::TimeZone,
}

impl Clock {
    /// A clock that knows nothing of the broker's yet.
    pub(crate) fn new() -> Self {
        Self { now: 0, broker_offset: None, zone: jiff::tz::TimeZone::UTC }
    }

    /// The broker says what time it is, in milliseconds since the Unix epoch.
    pub(crate) fn set_broker(&mut self, now_ms: i64) {
        self.broker_offset = Some(now_ms - i64::try_from(self.now).unwrap_or(i64::MAX));
    }

    /// The broker's clock, in milliseconds since the Unix epoch.
    pub(crate) fn broker_now(&self) -> i64 {
        let now = i64::try_from(self.now).unwrap_or(i64::MAX);
        now.saturating_add(self.broker_offset.unwrap_or(0))
    }

    /// The broker's clock, in microseconds since the Unix epoch.
    pub(crate) fn broker_now_us(&self) -> i64 {
        self.broker_now().saturating_mul(1000)
    }

    /// `hh:mm:ss` of a moment in seconds since the Unix epoch.
    pub(crate) fn time_of_day(&self, seconds: i64) -> String {
        jiff::Timestamp::from_second(seconds)
            .map(|t| t.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string())
            .unwrap_or_default()
    }
}
