//! Why a wrapped program or a connection did not start: what failed, why, what to do next.

use std::ffi::OsString;
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
    /// The gate did not give a connection.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// An operation of the system failed.
    #[error("failed to {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The kernel, or its policy, gives this user no namespaces.
    #[error(
        "failed to isolate the program: {source}; `expacti wrap --explain` says what this machine \
         allows, --no-isolate runs it without (reviewers see that)"
    )]
    NoNamespaces {
        /// Why.
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
    /// `expacti wrap` ended before its program started.
    #[error("expacti wrap has ended")]
    ParentEnded,
    /// The target cannot be resolved.
    #[error("failed to resolve the target: {0}")]
    Resolve(#[from] ResolveError),
    /// Signals can no longer be handled.
    #[error("the handling of signals ended")]
    SignalsEnded,
    /// The command line cannot be read.
    #[error("{0}")]
    Usage(String),
    /// A shim runs after the end of its wrap.
    #[error("the wrap that this program belongs to has ended")]
    WrapEnded,
}

/// Why the gate did not give a connection.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// It said nothing.
    #[error("the gate closed the connection without an answer")]
    Closed,
    /// Its answer is not JSON.
    #[error("the gate's answer is garbled: {0}")]
    Garbled(serde_json::Error),
    /// It refused, and said why.
    #[error("{0}")]
    Refused(String),
    /// It took too long to answer.
    #[error("the gate did not answer in time")]
    Timeout,
    /// Its answer is longer than any that is expected.
    #[error("the gate's answer is too long")]
    TooLong,
    /// The connected socket cannot be passed to the client.
    #[error("the connection cannot be handed to ssh")]
    Undeliverable,
}

/// Why it is not known where a connection leads, or why the gate cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The wrapped program's command line does not fit into the header.
    #[error(
        "the command line of the wrapped program is too long to show to a reviewer ({0} bytes)"
    )]
    CommandLineTooLong(usize),
    /// A token or variable in a path or command cannot be expanded.
    #[error(transparent)]
    Expand(#[from] ExpandError),
    /// The header of the connection cannot be read.
    #[error("the head of the connection is garbled: {0}")]
    HeaderGarbled(serde_json::Error),
    /// The header of the connection cannot be written.
    #[error("the head cannot be written: {0}")]
    HeaderUnwritable(serde_json::Error),
    /// A jump host is not of the form `[user@]host[:port]`.
    #[error("{0:?} is not a jump host")]
    JumpHost(String),
    /// The client does not print the control path, which tells the values of tokens.
    #[error("ssh -G does not print its control path")]
    NoControlPath,
    /// A path that must be text is not.
    #[error("{0:?} is not UTF-8")]
    NotUtf8(OsString),
    /// A port is not a number.
    #[error("{0:?} is not a port")]
    Port(String),
    /// The agent's own configuration has a proxy command.
    #[error(
        "the file of -F has a ProxyCommand, which would replace the gate; put it in your \
         ~/.ssh/config, or use ProxyJump"
    )]
    ProxyCommandOfAgent,
    /// A proxy command passes a file descriptor.
    #[error("a ProxyCommand with ProxyUseFdpass cannot be followed by the gate")]
    ProxyUseFdpass,
    /// The configuration revokes host keys by a file.
    #[error(
        "RevokedHostKeys is set ({0}), and the gate cannot check it yet; revoke the keys with \
         @revoked lines in known_hosts instead"
    )]
    RevokedHostKeys(String),
    /// The client refused the command line or the configuration.
    #[error("ssh -G says: {0}")]
    Ssh(String),
    /// The client prints the control path with its tokens.
    #[error("ssh -G prints an unexpanded control path")]
    UnexpandedControlPath,
    /// A value that the agent may have chosen would be read by a shell.
    #[error("{value:?} cannot be put into the ProxyCommand {proxy:?}")]
    UnsafeInProxyCommand {
        /// The value.
        value: String,
        /// The command.
        proxy: String,
    },
}

/// Why a path or command of the configuration cannot be expanded.
#[derive(Debug, thiserror::Error)]
pub enum ExpandError {
    /// It ends in the middle of a token.
    #[error("{0:?} ends in %")]
    EndsInPercent(String),
    /// `${` without `}`.
    #[error("{0:?} has an unclosed ${{")]
    UnclosedVariable(String),
    /// A token that OpenSSH does not have.
    #[error("{text:?} holds the unknown %{letter}")]
    UnknownToken {
        /// The text.
        text: String,
        /// The letter after `%`.
        letter: char,
    },
    /// A variable that is not set.
    #[error("{text:?} needs ${name}, not set")]
    UnsetVariable {
        /// The text.
        text: String,
        /// The variable.
        name: String,
    },
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

    /// The exit status: expacti's own where it has one, else what `env(1)` and `ssh(1)` return.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Broker(e) => e.exit_status(),
            Self::Gate(_) | Self::Io { .. } | Self::NoNamespaces { .. } => exit::FAILED,
            // As env(1) and every shell do.
            Self::NotExecutable { .. } => 126,
            Self::NotFound(_) => 127,
            Self::ParentEnded
            | Self::Refused { .. }
            | Self::SignalsEnded
            | Self::Usage(_)
            | Self::WrapEnded => exit::USAGE,
            Self::Resolve(_) => exit::CONNECTION_FAILED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_exit_statuses_are_those_that_agents_know() {
        let expand = |e: ExpandError| WrapError::from(ResolveError::from(e));
        let unset = ExpandError::UnsetVariable { text: "${X}/k".into(), name: "X".into() };
        let unsafe_value =
            ResolveError::UnsafeInProxyCommand { value: "a;b".into(), proxy: "nc %h".into() };
        for (error, message, status) in [
            (GateError::Refused("no route".into()).into(), "no route", 1),
            (GateError::Timeout.into(), "the gate did not answer in time", 1),
            (
                ResolveError::Port("x".into()).into(),
                "failed to resolve the target: \"x\" is not a port",
                255,
            ),
            (
                unsafe_value.into(),
                "failed to resolve the target: \"a;b\" cannot be put into the ProxyCommand \
                 \"nc %h\"",
                255,
            ),
            (
                expand(ExpandError::UnclosedVariable("${X".into())),
                "failed to resolve the target: \"${X\" has an unclosed ${",
                255,
            ),
            (expand(unset), "failed to resolve the target: \"${X}/k\" needs $X, not set", 255),
            (WrapError::WrapEnded, "the wrap that this program belongs to has ended", 2),
            (WrapError::ParentEnded, "expacti wrap has ended", 2),
            (WrapError::SignalsEnded, "the handling of signals ended", 2),
        ] {
            let error: WrapError = error;
            assert_eq!((error.to_string().as_str(), error.exit_status()), (message, status));
        }
    }
}
