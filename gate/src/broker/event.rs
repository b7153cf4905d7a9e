//! What the broker says about one item, and the session the item belongs to.

use std::sync::Arc;
use std::time::Duration;

use expacti_engine::{Level, WrittenFile};
use expacti_protocol::command::StdinTreatment;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::session::SessionInfo;

use super::proof::{Decided, Released};

/// What the link reports about one submitted item.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there are a handful of them for each command")]
pub(crate) enum BrokerEvent {
    /// A decision came.
    Decided(Decided),
    /// The link to the broker broke.
    LinkLost,
    /// The broker refused the submission or the release.
    Refused(String),
    /// The release is on record.
    Released(Released),
    /// The broker accepted the submission.
    Submitted(Submitted),
}

/// What the broker says about a submission it accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Submitted {
    pub(crate) id: CommandId,
    pub(crate) risk_score: u8,
    pub(crate) level: Level,
    pub(crate) timeout: Duration,
    pub(crate) stdin: StdinTreatment,
    pub(crate) drop_stdin: bool,
    /// The file that standard input becomes.
    pub(crate) writes: Option<WrittenFile>,
    /// It waits for people: standard input can still join it.
    pub(crate) pending: bool,
    pub(crate) unattended: bool,
}

/// A session of the broker; it lasts as long as the connection (`epoch`) it was opened on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenSession {
    pub(crate) id: SessionId,
    pub(crate) epoch: u64,
    /// The broker has rules to which it may matter which shell reads a command.
    pub(crate) ask_shell: bool,
    /// Who is connected, as the broker was told.
    pub(crate) info: Arc<SessionInfo>,
}
