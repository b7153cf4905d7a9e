//! What the gate remembers of the broker's log. Over a link whose log did not add to what was seen, or of
//! which that is not known, nothing is delivered: such a link does not come up, and one that is up is cut.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use expacti_heads::{HeadError, HeadMemory};
use expacti_protocol::client::Client;

/// After how many intervals without an answer a link is cut.
const PATIENCE: u32 = 5;

/// The gate's memory of one broker's log.
pub(crate) struct LogWatch {
    heads: HeadMemory,
    client: Client,
    interval: Duration,
    refused: AtomicBool,
    /// It is being looked at.
    looking: AtomicBool,
}

impl LogWatch {
    /// With what was seen, and how often to look.
    pub(crate) fn new(heads: HeadMemory, client: Client, interval: Duration) -> Self {
        Self {
            heads,
            client,
            interval,
            refused: AtomicBool::new(false),
            looking: AtomicBool::new(false),
        }
    }

    /// Whether the log was refused when it was looked at last.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Acquire)
    }

    /// Whether it is being looked at: of a long log that takes a while after the broker's start.
    pub(super) fn is_looking(&self) -> bool {
        self.looking.load(Ordering::Acquire)
    }

    /// Looks at the log, and keeps its head.
    async fn look(&self) -> Result<(), HeadError> {
        let looking = Looking::now(&self.looking);
        let looked = self.look_once().await;
        drop(looking);
        match &looked {
            Ok(()) => self.refused.store(false, Ordering::Release),
            Err(HeadError::Refused(_)) => self.refused.store(true, Ordering::Release),
            Err(HeadError::Ask(_) | HeadError::Memory(_)) => {}
        }
        looked
    }

    async fn look_once(&self) -> Result<(), HeadError> {
        let Some(now) = self.heads.check(&self.client).await? else { return Ok(()) };
        let heads = self.heads.clone();
        // It waits for the disk.
        let kept = tokio::task::spawn_blocking(move || heads.remember(&now)).await;
        kept.unwrap_or_else(|e| {
            Err(HeadError::Refused(format!("the look at the log broke off: {e}")))
        })
    }

    async fn refused(&self) -> String {
        let mut last = Instant::now();
        loop {
            tokio::time::sleep(self.interval).await;
            match self.look().await {
                Ok(()) => last = Instant::now(),
                Err(HeadError::Ask(why)) if last.elapsed() <= self.interval * PATIENCE => {
                    tracing::warn!(%why, "the broker does not show the head of its log");
                }
                Err(why) => return why.to_string(),
            }
        }
    }
}

/// Until it is dropped, the log is being looked at.
struct Looking<'a>(&'a AtomicBool);

impl<'a> Looking<'a> {
    fn now(looking: &'a AtomicBool) -> Self {
        looking.store(true, Ordering::Release);
        Self(looking)
    }
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Whether a link may come up.
pub(super) async fn check(log: Option<&LogWatch>) -> Result<(), String> {
    match log {
        Some(log) => log.look().await.map_err(|why| why.to_string()),
        None => Ok(()),
    }
}

/// Returns when a link that is up must not stay so, with why.
pub(super) async fn refused(log: Option<&LogWatch>) -> String {
    match log {
        Some(log) => log.refused().await,
        None => std::future::pending().await,
    }
}
