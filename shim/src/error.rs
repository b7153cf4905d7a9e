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
    /// The configuration cannot be used for a wrapped program.
    #[error(transparent)]
    Fixed(#[from] FixedError),
    /// The gate did not give a connection.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// The helper of the wrap did not do what it was asked.
    #[error(transparent)]
    Helper(#[from] HelperError),
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
    /// There are no namespaces, and what would have to do instead has gaps.
    #[error(
        "the program does not start: it could reach servers without the gate, by {gaps}{}. Allow \
         namespaces (`expacti wrap --explain` says how), lead the stock client to the gate \
         (`expacti setup --user`), or accept it with --path-only, which every reviewer sees",
        .reason.as_ref().map(|r| format!("; it cannot be isolated: {r}")).unwrap_or_default()
    )]
    NotHeld {
        /// Why it is not isolated, when it should have been.
        reason: Option<String>,
        /// How it would get past.
        gaps: String,
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
    /// Somebody else may answer in its place; nothing was sent.
    #[error("refused to talk to the gate at {0}: {1}")]
    Untrusted(String, String),
    /// The connected socket cannot be passed to the client.
    #[error("the connection cannot be handed to ssh")]
    Undeliverable,
}

/// Why the helper of a wrap did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    /// It said nothing.
    #[error("the helper of the wrap closed the connection without an answer")]
    Closed,
    /// A second process says that it is the first inside.
    #[error("the namespace of this wrap is known already")]
    EnteredAlready,
    /// It refused or failed, and said why.
    #[error("{message}")]
    Failed {
        /// What it said.
        message: String,
        /// The exit status for it.
        status: u8,
    },
    /// A sandbox keeps this process from Unix sockets.
    #[error(
        "a sandbox around this command forbids the connection to the gate ({0}), so nothing runs. \
         Allow Unix sockets: Codex: `-c sandbox_workspace_write.network_access=true`; Claude Code: \
         `sandbox.network.allowUnixSockets` (or allowAllUnixSockets) in its settings"
    )]
    Forbidden(io::Error),
    /// A question or an answer is not JSON.
    #[error("what was said between the wrap and its helper is garbled: {0}")]
    Garbled(serde_json::Error),
    /// There is no randomness.
    #[error("the system gives no random numbers")]
    NoRandom,
    /// The ticket was never given out, was used, or is too old.
    #[error("this connection was used already, or waited too long; run the command again")]
    NoTicket,
    /// The wrapped program is the client itself.
    #[error("this wrap is of one ssh client, which is connected already")]
    OneClient,
    /// A process of another wrap, or of none, asks.
    #[error("this process does not belong to the program of this wrap")]
    OtherWrap,
    /// It answered another question.
    #[error("the helper of the wrap gave an answer to another question")]
    OtherQuestion,
    /// More is said than any command line needs.
    #[error("the command line is too long ({0} bytes): give ssh fewer or shorter options")]
    TooLong(usize),
    /// Too many routes wait for their connection.
    #[error("too many connections are being opened at once; try again")]
    TooMany,
    /// The kernel does not say who asks.
    #[error("this system does not say which process asks")]
    UnknownPeer,
    /// A file of `-F` is no configuration.
    #[error("the file of -F is not a configuration that ssh can read")]
    UnreadableConfig,
    /// Something cannot be written as JSON.
    #[error("the wrap cannot be described: {0}")]
    Unwritable(serde_json::Error),
}

/// Why the ssh configuration cannot be used for a wrapped program.
#[derive(Debug, thiserror::Error)]
pub enum FixedError {
    /// A wrapped program could change a file of it.
    #[error(
        "the ssh configuration {} is not used for a wrapped program, which could change it: {why}. \
         Put it into ~/.ssh, or name it when the wrap starts: wrap --ssh-config FILE", .file.display()
    )]
    File {
        /// The file.
        file: PathBuf,
        /// How.
        why: String,
    },
    /// A wrapped program could change a program that it names.
    #[error(
        "{} ({what} of the ssh configuration) is not run for a wrapped program, which could change \
         it: {why}. Put it where only root can write, such as /usr/local/bin, or take it out of the \
         configuration", .program.display()
    )]
    Program {
        /// The program, or the command line.
        program: PathBuf,
        /// Where it is named.
        what: String,
        /// How, or what is not known.
        why: String,
    },
    /// A program that it names would leave a connection behind that others can use.
    #[error(
        "{command:?} ({what} of the ssh configuration) is not run for a wrapped program, which could use \
         the connection that its ssh shares (ControlMaster) without the gate. Use ProxyJump instead, add \
         -oControlMaster=no -oControlPath=none, or let ControlPath name a directory that holds nothing \
         else, such as ~/.ssh/control/%C"
    )]
    Shares {
        /// Where it is named.
        what: String,
        /// The command line.
        command: String,
    },
    /// It cannot be told what belongs to it.
    #[error("the ssh configuration cannot be used for a wrapped program: {0}")]
    Unreadable(String),
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
    /// The header of the connection cannot be written.
    #[error("the head cannot be written: {0}")]
    HeaderUnwritable(serde_json::Error),
    /// A file cannot be named in the configuration for the jump hosts.
    #[error(
        "{0:?} cannot be named to ssh for its jump hosts; move it to a path without spaces and special \
         characters"
    )]
    JumpConfig(String),
    /// That configuration cannot be written.
    #[error("the configuration for the jump hosts cannot be written: {0}")]
    JumpConfigUnwritten(io::Error),
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
            Self::Fixed(_) | Self::NotHeld { .. } => exit::REFUSED,
            Self::Helper(HelperError::Failed { status, .. }) => *status,
            Self::Helper(HelperError::Forbidden(_)) => exit::UNDECIDED,
            Self::Helper(_) => exit::FAILED,
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
