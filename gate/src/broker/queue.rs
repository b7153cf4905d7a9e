//! What the handles of the link send to the task behind it, and the state both share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use expacti_protocol::command::{CommandText, Submission};
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::GateRequest;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::input::InputRef;
use expacti_protocol::reads::{FileRead, MoreRead};
use expacti_protocol::session::SessionInfo;
use expacti_signing::Delivery;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::event::{BrokerEvent, OpenSession};
use super::log_watch::LogWatch;
use super::reporter::{Ended, Reporter};
use crate::approval::PassedOn;

/// Whether the broker is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkStatus {
    /// Commands can be decided.
    Connected,
    /// Every command is denied; the gate keeps trying.
    Disconnected {
        /// Why.
        why: String,
    },
}

/// The broker cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LinkError {
    /// The link is down.
    #[error("broker unreachable")]
    Down,
    /// The broker's log is not the one that this gate has seen.
    #[error(
        "the broker's log is not the one that this gate has seen; `expacti status` on its machine says more"
    )]
    OtherLog,
    /// The broker does not answer.
    #[error("the broker did not answer")]
    Timeout,
    /// The broker refused.
    #[error("{0}")]
    Refused(String),
}

/// Requests to the task that owns the link.
pub(super) enum LinkRequest {
    Open {
        info: Box<SessionInfo>,
        kill: CancellationToken,
        reply: oneshot::Sender<Result<OpenSession, LinkError>>,
    },
    AskShell {
        epoch: u64,
        session: SessionId,
        text: CommandText,
        reply: oneshot::Sender<()>,
    },
    Submit {
        epoch: u64,
        submission: Box<Submission>,
        events: mpsc::UnboundedSender<BrokerEvent>,
    },
    Withdraw {
        epoch: u64,
        id: CommandId,
        reason: String,
    },
    Release {
        epoch: u64,
        id: CommandId,
        session: SessionId,
        sha256: Digest,
        input: Option<InputRef>,
    },
    /// More standard input of a pending item.
    Join {
        epoch: u64,
        id: CommandId,
        session: SessionId,
        offset: u64,
        data: bytes::Bytes,
        input: InputRef,
        compared: Option<String>,
    },
    /// Reports what was read, by its number in [`LinkState::reads`].
    Reads(u64),
    Close {
        epoch: u64,
        session: SessionId,
        done: oneshot::Sender<()>,
    },
}

/// Messages that must stay in order with the output of a session. Requests overtake them.
pub(super) enum OrderedMessage {
    /// Answered once everything queued before it has been sent; dropped with the link.
    Barrier(oneshot::Sender<()>),
    Finished(CommandId),
    Recording {
        epoch: u64,
        message: Box<GateRequest>,
    },
}

/// Files that were read, until the broker has them in its log.
#[derive(Debug, Clone)]
pub(super) struct ReadsReport {
    pub(super) session: SessionId,
    pub(super) files: Vec<FileRead>,
    pub(super) more: Option<MoreRead>,
    /// The `ref` of its last report.
    pub(super) sent: Option<u64>,
}

impl ReadsReport {
    /// As a message, noted as sent.
    pub(super) fn request(&mut self, r#ref: u64) -> GateRequest {
        self.sent = Some(r#ref);
        GateRequest::FilesRead {
            r#ref,
            session_id: self.session.clone(),
            files: self.files.clone(),
            more: self.more.clone(),
        }
    }
}

/// What the task shares with its handles.
pub(super) struct LinkState {
    pub(super) epoch: AtomicU64,
    pub(super) next_ref: AtomicU64,
    /// Outcomes the broker has not acknowledged.
    pub(super) finished: Mutex<BTreeMap<CommandId, Ended>>,
    /// What was delivered and has not ended.
    pub(super) delivered: Mutex<BTreeMap<CommandId, Delivery>>,
    /// Reads that the broker has not acknowledged, in the order of their numbers.
    pub(super) reads: Mutex<BTreeMap<u64, ReadsReport>>,
    /// Sessions whose grants of keys have ended.
    pub(super) grants_over: broadcast::Sender<SessionId>,
    /// What this gate has seen of the broker's log; `None`: it does not look.
    pub(super) log: Option<Arc<LogWatch>>,
    /// Who signs what is reported.
    pub(super) reporter: Reporter,
    /// Where signed rules go.
    pub(super) rulebook: PassedOn,
}

impl LinkState {
    pub(super) fn finished(&self) -> MutexGuard<'_, BTreeMap<CommandId, Ended>> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn delivered(&self) -> MutexGuard<'_, BTreeMap<CommandId, Delivery>> {
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn reads(&self) -> MutexGuard<'_, BTreeMap<u64, ReadsReport>> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next_ref(&self) -> u64 {
        self.next_ref.fetch_add(1, Ordering::Relaxed)
    }
}
