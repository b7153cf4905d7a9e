//! What is said between a wrap, its helper and the wrapped program.
//!
//! On the helper's socket each connection is one question and one answer, each a line of JSON. This
//! is all that may be said from inside:
//!
//! | question | what the helper takes from it |
//! |---|---|
//! | `client` | the options and the destination of one command line of `ssh`, every one of them checked ([`crate::inside`]); the directory, for relative paths; whether standard error is a terminal |
//! | `connect` | a ticket, once |
//! | `ready` | that the asking process, by the number that the kernel says, is the first of the wrap; what it sees is checked, and watched from then on; once |
//! | `enter` | that the asking process, by the number that the kernel says, lives in the wrap's user namespace; once |

use std::path::PathBuf;

use expacti_protocol::uplink::{Isolation, TargetRoute};
use serde::{Deserialize, Serialize};

use crate::context::Context;

/// The socket in the wrap's directory.
pub(crate) const SOCKET: &str = "helper.sock";

/// Where libraries of the wrapped program reach the gate: `host:port` of an HTTP proxy.
pub(crate) const PROXY_ENV: &str = "EXPACTI_SSH_PROXY";

/// The file with the gate's host key, for them.
pub(crate) const KNOWN_HOSTS_ENV: &str = "EXPACTI_KNOWN_HOSTS";

/// The longest question or answer in bytes, newline included.
pub(crate) const MAX_LINE: usize = 256 * 1024;

/// What a wrap tells its helper on standard input.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Start {
    /// What all helpers of the wrap share.
    pub(crate) context: Context,
    /// The broker's socket.
    pub(crate) broker: PathBuf,
    /// What holds.
    pub(crate) isolation: Isolation,
    /// The program has namespaces of its own.
    pub(crate) namespaces: bool,
    /// What the program may use beside.
    pub(crate) with: Vec<String>,
    /// Directories that the program sees read-only. None can be pinned without isolation.
    #[serde(with = "crate::path_text::many")]
    pub(crate) pinned: Vec<PathBuf>,
    /// Where something must stay mounted as long as the wrap lasts.
    #[serde(with = "crate::path_text::many")]
    pub(crate) mask: Vec<PathBuf>,
    /// Those of them of which nothing is seen that is there outside.
    #[serde(with = "crate::path_text::many")]
    pub(crate) hidden: Vec<PathBuf>,
    /// `--ssh-config`, absolute, or a copy of the configuration.
    pub(crate) ssh_config: Option<PathBuf>,
    /// `--ssh-config` as the wrapped program knows it, absolute.
    #[serde(default)]
    pub(crate) config_name: Option<PathBuf>,
    /// `--identity`, absolute.
    pub(crate) identities: Vec<PathBuf>,
    /// The wrapped program is a stock client that the user called with these words: its options are
    /// the user's, not those of a wrapped program.
    pub(crate) own_client: bool,
    /// The program has no terminal of its own that messages would get into.
    #[serde(default)]
    pub(crate) loud: bool,
    /// The route of that client, if the wrap knows it already.
    pub(crate) first: Option<FirstRoute>,
}

/// A route that the wrap resolved itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FirstRoute {
    /// Where to.
    pub(crate) route: TargetRoute,
    /// Standard error is a terminal.
    pub(crate) status_line: bool,
}

/// How the start of a helper ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ready {
    /// It serves.
    Ready {
        /// The ticket of [`Start::first`].
        ticket: Option<String>,
        /// `host:port` for [`PROXY_ENV`].
        proxy: Option<String>,
        /// The user's ssh-agent is stood in for.
        agent: bool,
    },
    /// It does not.
    Failed {
        /// Why.
        message: String,
        /// The exit status for it.
        status: u8,
    },
}

/// What the helper says when the wrap has ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Last {
    /// For the user.
    pub(crate) messages: Vec<String>,
}

/// A question from inside.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Question {
    /// How to run the client for a command line of `ssh`.
    Client {
        /// Its options and destination, without the words of the command.
        args: Vec<String>,
        /// Its directory.
        cwd: PathBuf,
        /// Its standard error is a terminal.
        status_line: bool,
    },
    /// The connection to the gate for a ticket.
    Connect {
        /// The ticket.
        ticket: String,
    },
    /// The asking process lives in the wrap's user namespace.
    Enter,
    /// Everything is covered, and the program is about to start.
    Ready,
}

/// The answer. With [`Answer::Connected`] comes the socket.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// The arguments of the client.
    Client(ClientArgs),
    /// The gate takes the connection.
    Connected,
    /// The broker knows the namespace.
    Entered,
    /// What the program sees is as it must be.
    Watched,
    /// No.
    Refused {
        /// Why, and what to do.
        message: String,
        /// The exit status for it.
        status: u8,
    },
}

/// How to run the client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClientArgs {
    /// For its connection; among the arguments too.
    pub(crate) ticket: String,
    /// Its arguments, without the words of the command.
    pub(crate) args: Vec<String>,
    /// It goes to the background.
    pub(crate) background: bool,
    /// What to tell the user.
    pub(crate) notes: Vec<String>,
}
