//! An item to be held, what may come of it, and its connection with an interactive shell.

use bytes::Bytes;
use expacti_protocol::command::{Interactive, ItemKind};
use expacti_protocol::ids::CommandId;
use expacti_protocol::shell::PosixShell;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::approval::Fed;
use crate::boundary::Approved;
use crate::broker::event::Submitted;
use crate::client::refusal::Refusal;

/// An item to be held.
pub(crate) struct ReviewItem {
    pub(crate) kind: ItemKind,
    pub(crate) parent: Option<CommandId>,
    pub(crate) bytes: Bytes,
    pub(crate) login_shell: bool,
    pub(crate) notes: Vec<String>,
    pub(crate) cwd: Option<String>,
    /// The shell that will read it, where it is known.
    pub(crate) shell: Option<PosixShell>,
    pub(crate) interactive: Option<Interactive>,
    pub(crate) preview: Option<String>,
    /// The command that it is standard input of.
    pub(crate) fed: Option<Fed>,
}

impl ReviewItem {
    /// An item without notes, terminal context or preview.
    pub(crate) fn new(kind: ItemKind, bytes: Bytes) -> Self {
        Self {
            kind,
            parent: None,
            bytes,
            login_shell: false,
            notes: Vec::new(),
            cwd: None,
            shell: None,
            interactive: None,
            preview: None,
            fed: None,
        }
    }

    /// A command.
    pub(crate) fn command(bytes: Bytes) -> Self {
        Self::new(ItemKind::Exec, bytes)
    }

    /// The standard input of a login shell without a terminal.
    pub(crate) fn login_shell(bytes: Bytes) -> Self {
        let notes = vec!["login shell without a terminal".to_owned()];
        Self { login_shell: true, notes, ..Self::new(ItemKind::Stdin, bytes) }
    }

    /// Code for the standard input of a command that runs.
    pub(crate) fn stdin(parent: CommandId, bytes: Bytes, fed: Option<Fed>) -> Self {
        Self { parent: Some(parent), fed, ..Self::new(ItemKind::Stdin, bytes) }
    }
}

/// The outcome of a held item.
pub(crate) enum ReviewResult {
    /// Approved, to be delivered now, once.
    Approved(CommandId, Box<Approved>),
    /// Allowed, but its context is no longer the reviewed one: it was withdrawn.
    Changed,
    /// The client has gone.
    Gone,
    /// Not to be delivered.
    Refused(Refusal),
    /// The agent withdrew it.
    Withdrawn,
}

/// The connection between a held item and the interactive shell it is meant for.
pub(crate) struct Watcher {
    /// Cancelled when the agent withdraws the item.
    pub(crate) withdraw: CancellationToken,
    /// Gets what the broker says when it has accepted the item.
    pub(crate) submitted: mpsc::UnboundedSender<Submitted>,
    /// Asks whether the context is still the reviewed one. No answer counts as no.
    pub(crate) check: mpsc::UnboundedSender<oneshot::Sender<bool>>,
}
