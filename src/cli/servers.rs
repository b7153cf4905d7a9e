//! Arguments of the broker, the gate and their targets. Nothing here does anything.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::principals::{AgentCommand, ReviewerCommand};

/// Commands under the heading "Servers".
#[derive(Debug, Subcommand)]
pub(crate) enum ServersCommand {
    /// Start the broker and the gate of this machine in the background
    Up {
        /// Stay in the foreground
        #[arg(long)]
        foreground: bool,
        /// Started by another `expacti up`: report on standard output when ready
        #[arg(long, hide = true)]
        detached: bool,
        /// As the service of this machine, or not at all
        #[arg(long, hide = true, requires = "foreground")]
        service: bool,
    },
    /// Show whether the broker and the gate are running
    Status,
    /// Stop the broker and the gate of this machine; deny what waits
    Down,
    /// Run a team's broker
    #[command(
        after_help = "Examples:\n  expacti broker --listen 127.0.0.1:7443\n  expacti broker --listen 0.0.0.0:7443 --tls-cert cert.pem --tls-key key.pem\n\nAdd the first people on the broker's machine, over its Unix socket:\n  expacti reviewer add alice --role admin"
    )]
    Broker(BrokerArgs),
    /// Run a team's gate, or manage gates
    ///
    /// A team's gate is an SSH server between agents and targets. It holds every command until the
    /// broker has released it, and logs in to the targets with its own keys.
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  expacti gate add edge-1 > gate.token\n  expacti gate --listen 0.0.0.0:2222 --broker https://broker:7443 --token-file gate.token\n\nClients name the target in the user: ssh -p 2222 deploy%web-1@gate 'uname -a'"
    )]
    Gate(GateArgs),
    /// Manage the targets of a team's gate
    ///
    /// A target is a server that agents reach through a team's gate by its name. The gate accepts
    /// only the host keys given here. On one machine no targets are needed: `expacti wrap` takes
    /// them from your SSH configuration.
    #[command(
        subcommand,
        after_help = "Example:\n  expacti target add web-1 deploy@10.0.0.7 --host-key \"ssh-ed25519 AAAA…\" --tag production"
    )]
    Target(TargetCommand),
    /// Manage reviewers, admins and viewers, and their tokens
    ///
    /// A reviewer decides on commands; an admin also manages rules, policies and people; a viewer
    /// only watches. Each shows the broker a token, which is printed once, when they are added.
    #[command(
        subcommand,
        after_help = "Examples:\n  expacti reviewer add alice > alice.token\n  EXPACTI_BROKER=https://broker:7443 expacti review --token-file alice.token"
    )]
    Reviewer(ReviewerCommand),
    /// Manage agents and the keys they log in with
    ///
    /// An agent logs in to a team's gate with a key or a certificate of its own, which opens the
    /// gate and nothing else. On one machine no agents are added: `expacti wrap --agent` names them.
    #[command(
        subcommand,
        after_help = "Example:\n  expacti agent add fixbot --key fixbot.pub --owner bob\n\nbob answers for fixbot, and never decides on its commands."
    )]
    Agent(AgentCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum TargetCommand {
    /// Add a target
    #[command(
        after_help = "Example:\n  expacti target add web-1 deploy@10.0.0.7:22 --host-key \"$(ssh-keyscan -t ed25519 10.0.0.7 2>/dev/null | cut -d' ' -f2-)\""
    )]
    Add {
        /// The name agents use
        name: String,
        /// user@host:port
        address: String,
        /// Its host key, "ssh-ed25519 AAAA…", or a file with one per line; may be repeated
        #[arg(long, required = true, value_name = "KEY")]
        host_key: Vec<String>,
        /// A tag for policies and scores: production, staging …; may be repeated
        #[arg(long, value_name = "TAG")]
        tag: Vec<String>,
        /// A user that agents may log in as; may be repeated [default: any]
        #[arg(long, value_name = "USER")]
        login: Vec<String>,
    },
    /// Print the key by which the service of this machine logs in, for authorized_keys of a target
    #[command(
        after_help = "Example:\n  expacti target key | ssh web-1 'cat >> .ssh/authorized_keys'"
    )]
    Key,
    /// List targets
    List,
    /// Remove a target
    Remove {
        /// The target's name
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct BrokerArgs {
    /// Where to listen for reviewers and gates
    #[arg(long, default_value = "127.0.0.1:7443", value_name = "ADDRESS")]
    pub(crate) listen: String,
    /// The database: sqlite:PATH
    #[arg(long, value_name = "URL")]
    pub(crate) database: Option<String>,
    /// The directory for recordings
    #[arg(long, value_name = "PATH")]
    pub(crate) recordings: Option<PathBuf>,
    /// The certificate chain, PEM; without it the broker listens only on loopback addresses
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct GateArgs {
    #[command(subcommand)]
    pub(crate) command: Option<GateCommand>,
    /// Where to listen for SSH
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// The target for clients that name none
    #[arg(long, value_name = "NAME")]
    pub(crate) default_target: Option<String>,
    /// A private key the gate logs in to targets with; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Vec<PathBuf>,
    /// The gate's host key; created if it does not exist
    #[arg(long, value_name = "FILE")]
    pub(crate) host_key: Option<PathBuf>,
    /// The key that signs the gate's host certificates, one for each target reached with ssh -J;
    /// created if it does not exist
    #[arg(long, value_name = "FILE")]
    pub(crate) host_ca: Option<PathBuf>,
    /// A name or address by which clients reach the gate, for its own host certificate; may be
    /// repeated [default: this machine's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GateCommand {
    /// Print the known_hosts line that makes agents trust the gate as every target
    #[command(
        after_help = "Run it on the gate's machine. Example:\n  expacti gate ca --hosts 'gate.example.com,web-*' >> ~agent/.ssh/known_hosts"
    )]
    Ca {
        /// The hosts the gate is trusted for, as in known_hosts
        #[arg(long, value_name = "PATTERNS", default_value = "*")]
        hosts: String,
        /// The key that signs the gate's host certificates
        #[arg(long, value_name = "FILE")]
        host_ca: Option<PathBuf>,
    },
    /// Add a gate; its token is printed once
    #[command(after_help = "Example:\n  expacti gate add edge-1 > gate.token")]
    Add {
        /// The gate's name
        name: String,
    },
    /// List gates
    List,
    /// Remove a gate
    Remove {
        /// The gate's name
        name: String,
    },
}
