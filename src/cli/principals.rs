//! Arguments of the commands that manage people and agents. Nothing here does anything.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RoleArg {
    /// Decides and administers
    Admin,
    /// Decides
    Reviewer,
    /// Only watches
    Viewer,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReviewerCommand {
    /// Add a person; their token is printed once
    #[command(
        after_help = "Examples:\n  expacti reviewer add alice > alice.token\n  expacti reviewer add bob --role admin"
    )]
    Add {
        /// The person's name
        name: String,
        /// What they may do
        #[arg(long, default_value = "reviewer")]
        role: RoleArg,
    },
    /// List people
    List,
    /// Remove a person: their token stops working at once
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
        /// A principal that a certificate of this agent names; may be repeated [default: NAME]
        #[arg(long, value_name = "NAME", requires = "ca")]
        principal: Vec<String>,
        /// The person who answers for the agent, and so never decides on its commands
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
