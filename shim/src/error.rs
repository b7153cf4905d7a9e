//! Why a wrapped program or a connection did not start: what failed, why, what to do next.

use std::io;
use std::path::PathBuf;

use expacti_protocol::client::ClientError;
use expacti_protocol::exit;

/// Why `expacti wrap` or one of its helpers failed. Nothing reached the target.
#[derive(Debug, thiserror::Error)]
pub enum WrapError {
    /// The broker refused the registration or cannot be reached.
    #[error(
        "failed to announce the wrapped program to the broker: {0}; `expacti status` says more"
    )]
    Broker(#[from] ClientError),
    /// The gate refused the connection.
    #[error("{0}")]
    Gate(String),
    /// An operation of the system failed.
    #[error("failed to {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The program is there but cannot be run.
    #[error("failed to run {}: {source}", .program.display())]
    NotExecutable {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No such program.
    #[error("failed to run {}: no such program in PATH", .0.display())]
    NotFound(PathBuf),
    /// An option would go round the gate.
    #[error("{option} is refused: {why}")]
    Refused {
        /// As it was given.
        option: String,
        /// Why, and what to do instead.
        why: String,
    },
    /// The target cannot be resolved.
    #[error("failed to resolve the target: {0}")]
    Resolve(String),
    /// The command line cannot be read.
    #[error("{0}")]
    Usage(String),
}

impl WrapError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    pub(crate) fn errno(what: impl Into<String>) -> impl FnOnce(rustix::io::Errno) -> Self {
        let what = what.into();
        move |errno| Self::Io { what, source: errno.into() }
    }

    /// The exit status: INTERFACE's where it has one, else the one that `env(1)` and `ssh(1)` give.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Broker(e) => e.exit_status(),
            Self::Gate(_) | Self::Io { .. } => exit::FAILED,
            // As env(1) and every shell have it.
            Self::NotExecutable { .. } => 126,
            Self::NotFound(_) => 127,
            Self::Refused { .. } | Self::Usage(_) => exit::USAGE,
            Self::Resolve(_) => exit::CONNECTION_FAILED,
        }
    }
}
