//! The head of a connection from the shim to the local gate.
//!
//! On the gate's Unix socket the shim's helper first writes one line of JSON, an [`Uplink`], and reads
//! one line, an [`UplinkReply`]; after `ok` the socket carries the SSH protocol. The gate has checked
//! the peer's uid and user namespace before it reads a byte, and asks the broker whose token it is
//! before it looks at the route. What is said here chooses the target and is shown to the reviewer; it
//! approves nothing.

use serde::{Deserialize, Serialize};

/// The longest head in bytes, newline included.
pub const MAX_UPLINK: usize = 256 * 1024;

/// How the target's host key is checked, as `ssh_config(5)` has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostKeyChecking {
    /// An unknown key is accepted and added; a changed one is refused.
    AcceptNew,
    /// Any key is accepted; the reviewer sees that it was not checked.
    Off,
    /// Unknown and changed keys are refused. (`ask` is treated as this: the gate cannot ask.)
    #[default]
    Strict,
}

/// One way to the target, as `ssh -G` resolved it for the user who runs the agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TargetRoute {
    /// As the agent typed it.
    pub alias: String,
    /// `hostname`.
    pub host: String,
    /// `port`.
    pub port: u16,
    /// `user`.
    pub user: String,
    /// `identityfile`, absolute paths, existing ones only.
    pub identity_files: Vec<String>,
    /// `certificatefile`, absolute paths.
    pub certificate_files: Vec<String>,
    /// `identitiesonly`.
    pub identities_only: bool,
    /// The socket of the user's agent: `identityagent`, or `SSH_AUTH_SOCK`; none when disabled.
    pub identity_agent: Option<String>,
    /// `userknownhostsfile` and `globalknownhostsfile`, absolute paths, in order.
    pub known_hosts_files: Vec<String>,
    /// The file a new key is added to with `accept-new`.
    pub known_hosts_add: Option<String>,
    /// `stricthostkeychecking`.
    pub host_key_checking: HostKeyChecking,
    /// `hostkeyalias`.
    pub host_key_alias: Option<String>,
    /// `hashknownhosts`.
    pub hash_known_hosts: bool,
    /// `hostkeyalgorithms` the user narrowed, else empty.
    pub host_key_algorithms: Vec<String>,
    /// `connecttimeout` in seconds.
    pub connect_timeout: Option<u64>,
    /// `addressfamily`: `any`, `inet`, `inet6`.
    pub address_family: Option<String>,
    /// A command whose standard input and output are the connection to the target: how `ProxyJump`
    /// and a `ProxyCommand` of the user's own configuration are followed. For a jump this is the
    /// stock client: `ssh -W host:port jump`.
    pub transport: Option<Vec<String>>,
    /// `serveraliveinterval` in seconds.
    pub server_alive_interval: Option<u64>,
}

/// The head of a connection from the shim.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Uplink {
    /// [`crate::PROTOCOL_VERSION`].
    pub protocol: u32,
    /// The broker's word for the wrap ([`WrapGrant::token`]): only the helper that `expacti wrap`
    /// keeps outside the wrapped program knows it.
    pub token: String,
    /// `--agent`, or the wrapped program's name. The gate believes the broker's word for the token
    /// instead.
    pub agent: String,
    /// `--reason`.
    pub reason: Option<String>,
    /// The wrapped program and its arguments.
    pub program: Vec<String>,
    /// The process of `expacti wrap`: the root of the tree from which nobody may review.
    pub wrap_pid: u32,
    /// The agent's standard error is a terminal: a status line is welcome.
    pub status_line: bool,
    /// A refused command ends with one line of JSON on standard error instead of a sentence.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub json: bool,
    /// The client is a library in the wrapped program, which knows of no gate: it may say any
    /// password, and the user that it logs in as is the user on the target.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub library: bool,
    /// A signature is wanted instead of a connection: nothing of it goes to any target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<SignatureRequest>,
    /// Where to.
    pub route: TargetRoute,
}

/// What a wrapped program wants to have signed. The data stays with the helper that holds the
/// user's ssh-agent; this is derived from it there.
///
/// After the [`UplinkReply`] to the head the gate answers once more when it is decided, with a line
/// of the same form; `ok` means that it is released. Then the helper signs, and says with a
/// [`SignatureMade`] how that ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureRequest {
    /// The key's comment in the user's agent.
    pub key: String,
    /// The key's fingerprint: `SHA256:` and base64.
    pub fingerprint: String,
    /// What the signature is good for (`ssh-keygen -Y sign -n`). Only `git` is signed.
    pub namespace: String,
    /// `sha256` or `sha512`.
    pub hash_algorithm: String,
    /// The hash of what is signed, in hexadecimal digits.
    pub hash: String,
}

/// How the signing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureMade {
    /// The user's agent signed it.
    pub signed: bool,
}

/// The gate's answer to an [`Uplink`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UplinkReply {
    /// Whether SSH follows.
    pub ok: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The broker does not know the token (any more): register again, once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown_token: bool,
}

/// What keeps a wrapped program from going round the gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// The program is the stock client itself, started by `expacti wrap`: it runs nothing else.
    Client,
    /// User and mount namespaces: inside them there is neither a key nor an `ssh` but ours.
    Namespace,
    /// Nothing but its `PATH` and its environment (`--path-only`, `--no-isolate`): the program can
    /// use the user's keys without the gate.
    #[default]
    PathOnly,
}

impl Isolation {
    /// Its name on the wire and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Namespace => "namespace",
            Self::PathOnly => "path-only",
        }
    }
}

/// What `expacti wrap` tells the broker before it starts the program: `POST /v1/wraps`. From then
/// on reviewers from inside the process tree of `pid` are refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WrapRegistration {
    /// The process of `expacti wrap`, a child subreaper.
    pub pid: u32,
    /// Its name for the agent.
    pub agent: String,
    /// What holds.
    pub isolation: Isolation,
    /// What the program may use although a reviewer should know of it: `docker`, `gpg`, paths.
    pub with: Vec<String>,
    /// Who answers for it. Only the broker of a whole machine says so, by the user who registered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The user of the machine whose program it is. Only the broker of a whole machine says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_user: Option<String>,
}

/// The broker's answer to a [`WrapRegistration`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrapGrant {
    /// Opens connections to the gate: [`Uplink::token`]. It must never be seen inside the wrap.
    pub token: String,
}

/// `POST /v1/wraps/namespace`: a process that already lives in the wrap's user namespace and waits
/// for the answer. The broker takes the namespace from the process; from then on whoever lives in it,
/// or in one made inside it, is inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrapNamespace {
    /// [`WrapGrant::token`].
    pub token: String,
    /// The process.
    pub pid: u32,
}

/// `POST /v1/wraps/check`, from the gate: whose token this is. The answer is the
/// [`WrapRegistration`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrapCheck {
    /// [`Uplink::token`].
    pub token: String,
    /// The user who showed it: it is nobody else's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
}

/// The environment variable by which wrapped programs (and what they start) can be told.
pub const WRAP_ENV: &str = "EXPACTI_WRAP";

/// The variables by which the dynamic linker is told of libraries. The gate starts a transport without
/// them: they may lead to a directory in which a wrapped program writes.
pub const LOADER_ENV: [&str; 3] = ["LD_AUDIT", "LD_LIBRARY_PATH", "LD_PRELOAD"];
