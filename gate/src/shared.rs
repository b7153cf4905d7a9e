//! What all connections of one gate share.

use std::path::PathBuf;
use std::sync::Arc;

use expacti_protocol::client::Client;
use russh::keys::PrivateKey;
use tokio_util::task::TaskTracker;

use crate::approval::Approvals;
use crate::broker::link::Link;
use crate::keyring::Keyring;
use crate::limits::Limits;
use crate::reads::ReadPolicy;
use crate::upstream::shells::Shells;

/// What every connection of one gate shares.
pub(crate) struct Shared {
    pub(crate) link: Link,
    pub(crate) client: Client,
    pub(crate) limits: Limits,
    pub(crate) host_key: PrivateKey,
    /// What the gate itself asks for before it delivers.
    pub(crate) approvals: Arc<Approvals>,
    pub(crate) identities: Vec<PathBuf>,
    /// Who has the keys for targets.
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) default_target: Option<String>,
    pub(crate) host_ca: Option<PrivateKey>,
    pub(crate) names: Vec<String>,
    /// Every user of the machine may connect, and only registered targets are reached.
    pub(crate) machine: bool,
    pub(crate) history: Option<PathBuf>,
    /// What clients may read without a decision.
    pub(crate) reads: ReadPolicy,
    /// What is known of accounts' shells; `None`: no target is asked.
    pub(crate) shells: Option<Shells>,
    pub(crate) slots: Arc<tokio::sync::Semaphore>,
    /// All tasks that may have something to report.
    pub(crate) tasks: TaskTracker,
}
