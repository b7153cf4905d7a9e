//! Waiting for a condition with a deadline; must never be used to wait for mere time to pass.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// How long a condition may take before the test fails: generous, since test machines are slow.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Polls `condition` until it yields a value, or fails after [`DEADLINE`] naming `what`.
///
/// # Errors
/// When the deadline passes, or `condition` itself fails.
pub fn until<T>(what: &str, condition: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    until_for(DEADLINE, what, condition)
}

/// As [`until`], with a deadline of its own.
///
/// # Errors
/// When the deadline passes, or `condition` itself fails.
pub fn until_for<T>(
    limit: Duration,
    what: &str,
    mut condition: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        if let Some(value) = condition()? {
            return Ok(value);
        }
        if start.elapsed() > limit {
            bail!("waited {} s in vain for {what}", limit.as_secs());
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(80));
    }
}
