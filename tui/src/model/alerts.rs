//! Telling people of new requests. It must never hold more of a request than its id.

use expacti_protocol::ids::CommandId;

use crate::quiet::QuietHours;
use crate::time::{ALERT_INTERVAL, Millis};

/// New requests that people should hear of.
#[derive(Debug, Default)]
pub(crate) struct Alerts {
    /// Not to be disturbed.
    pub muted: bool,
    /// Desktop notifications are wanted.
    pub desktop: bool,
    /// The bell is wanted.
    pub bell: bool,
    /// Hours of the day without bell and notifications.
    pub quiet: Option<QuietHours>,
    /// Requests nobody was told of yet.
    pub unannounced: Vec<CommandId>,
    /// When people were last told.
    pub announced_at: Option<Millis>,
}

impl Alerts {
    /// When people may be told again.
    pub(crate) fn next_at(&self) -> Option<Millis> {
        self.announced_at.map(|at| at + ALERT_INTERVAL)
    }
}
