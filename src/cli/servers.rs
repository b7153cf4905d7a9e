//! Arguments of the broker, the gate and those they know: reviewers, agents, targets. Nothing here
//! does anything.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RoleArg {
    /// Decides and administers
    Admin,
    /// Decides
    Reviewer,
    /// Looks
    Viewer,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReviewerCommand {
    /// Add a person; their token is printed once
    Add {
        /// The person's name
        name: String,
        /// What they may do
        #[arg(long, default_value = "reviewer")]
        role: RoleArg,
    },
    /// List people
    List,
    /// Remove a person: their token is worth nothing from now on
    Remove {
        /// The person's name
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// Add an agent that logs in to the gate with a key or with certificates
    #[command(
        after_help = "Examples:\n  expacti agent add claude --key id_ed25519.pub --owner bob\n  expacti agent add ci --ca ca.pub --principal ci --principal build"
    )]
    Add {
        /// The agent's name
        name: String,
        /// Its public key file
        #[arg(
            long,
            value_name = "FILE.pub",
            required_unless_present = "ca",
            conflicts_with = "ca"
        )]
        key: Option<PathBuf>,
        /// The public key file of the authority that signs its certificates
        #[arg(long, value_name = "FILE.pub")]
        ca: Option<PathBuf>,
        /// A principal that makes a certificate this agent's; may be given again [default: NAME]
        #[arg(long, value_name = "NAME", requires = "ca")]
        principal: Vec<String>,
        /// The person who answers for it, and so never decides on its commands
        #[arg(long, value_name = "NAME")]
        owner: Option<String>,
    },
    /// List agents
    List,
    /// Remove an agent
    Remove {
        /// The agent's name
        name: String,
    },
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
        /// Its host key, "ssh-ed25519 AAAA…", or a file with one a line; may be given again
        #[arg(long, required = true, value_name = "KEY")]
        host_key: Vec<String>,
        /// A tag that rules, policies and scores know: production, staging …
        #[arg(long, value_name = "TAG")]
        tag: Vec<String>,
    },
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
    /// The directory of recordings
    #[arg(long, value_name = "PATH")]
    pub(crate) recordings: Option<PathBuf>,
    /// The certificate chain, PEM; without it only loopback addresses are listened on
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
    /// The target of clients that name none
    #[arg(long, value_name = "NAME")]
    pub(crate) default_target: Option<String>,
    /// A private key the gate logs in to targets with; may be given again
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Vec<PathBuf>,
    /// The gate's host key; made when it does not exist
    #[arg(long, value_name = "FILE")]
    pub(crate) host_key: Option<PathBuf>,
    /// The key that signs the gate's host certificates, one for each target reached with ssh -J;
    /// made when it does not exist
    #[arg(long, value_name = "FILE")]
    pub(crate) host_ca: Option<PathBuf>,
    /// A name or address by which clients reach the gate, for its own host certificate; may be
    /// given again [default: this machine's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GateCommand {
    /// Print the known_hosts line by which agents trust the gate as every target
    #[command(
        after_help = "Run it on the gate's machine. Example:\n  expacti gate ca --hosts 'gate.example.com,web-*' >> ~agent/.ssh/known_hosts"
    )]
    Ca {
        /// The hosts for which the gate is trusted, as in known_hosts
        #[arg(long, value_name = "PATTERNS", default_value = "*")]
        hosts: String,
        /// The key that signs the gate's host certificates
        #[arg(long, value_name = "FILE")]
        host_ca: Option<PathBuf>,
    },
    /// Add a gate; its token is printed once
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
