//! What a gate is configured with. It must never have a setting that lets an undecided command run.

use std::path::PathBuf;

use expacti_heads::HeadMemory;
use expacti_protocol::client::Endpoint;
use russh::keys::PrivateKey;

use crate::approval::ApprovalConfig;
use crate::limits::Limits;
use crate::reads::ReadPolicy;

/// The configuration of a gate.
pub struct GateConfig {
    /// The key by which clients know the gate; ed25519.
    pub host_key: PrivateKey,
    /// The broker that decides, and the gate's token for it.
    pub broker: Endpoint,
    /// The gate's own private keys for the targets of a team.
    pub identities: Vec<PathBuf>,
    /// The program whose `main` calls [`crate::run_key_holder`]: started once more, it holds the keys for
    /// targets. `None`: they are in this process.
    pub key_holder: Option<PathBuf>,
    /// The target of clients that name none.
    pub default_target: Option<String>,
    /// The authority that signs the gate's host certificates, one for each target that a client
    /// reaches with `ssh -J`; ed25519.
    pub host_ca: Option<PrivateKey>,
    /// The names by which clients reach the gate itself, for its own certificate.
    pub names: Vec<String>,
    /// The gate of a whole machine: every user may connect to its Unix socket, and is led to registered targets
    /// only, with its own keys.
    pub machine: bool,
    /// Where the lines typed at interactive shells are kept for later sessions; nowhere if `None`.
    pub history: Option<PathBuf>,
    /// Whether it may ask targets which shell their accounts have.
    pub ask_shell: bool,
    /// What clients may read by SFTP without a decision.
    pub reads: ReadPolicy,
    /// What it asks for itself before it delivers; nothing beside the broker's word if `None`.
    pub approval: Option<ApprovalConfig>,
    /// What was seen of the broker's log; nothing is delivered on a log that does not add to it. `None`: it
    /// does not look.
    pub heads: Option<HeadMemory>,
    /// Its limits.
    pub limits: Limits,
}

impl GateConfig {
    /// A gate with the default limits, no identities and no default target.
    pub fn new(host_key: PrivateKey, broker: Endpoint) -> Self {
        Self {
            host_key,
            broker,
            identities: Vec::new(),
            key_holder: None,
            default_target: None,
            host_ca: None,
            names: Vec::new(),
            machine: false,
            history: None,
            ask_shell: true,
            reads: ReadPolicy::default(),
            approval: None,
            heads: None,
            limits: Limits::default(),
        }
    }
}
