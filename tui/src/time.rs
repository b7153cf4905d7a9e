//! The screen's clock and every span of time it works with, in milliseconds. It must never read a
//! clock itself: the time comes in as a message.

/// Milliseconds of a clock that only goes forward; its zero means nothing.
pub(crate) type Millis = u64;

/// How long a request must have been on the screen, and the decision keys at rest, before it can
/// be allowed.
pub(crate) const ARMING: Millis = 500;
/// How long an allow of HIGH and above is held here, to be taken back.
pub(crate) const HOLD: Millis = 2_000;
/// How long a row of something decided stays in the queue.
pub(crate) const LINGER: Millis = 4_000;
/// How long a hint stays.
pub(crate) const HINT: Millis = 4_000;
/// How long the broker may take to confirm a decision before the screen says that it has not.
pub(crate) const SLOW_ANSWER: Millis = 3_000;
/// How long the selection rests before its session is watched.
pub(crate) const WATCH_DELAY: Millis = 250;
/// The shortest time between two notifications.
pub(crate) const ALERT_INTERVAL: Millis = 3_000;
/// How long a grant stays in sight after its time: the gate's clock began a little later.
pub(crate) const GRANT_LINGER: Millis = 5_000;
