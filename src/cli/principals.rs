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
        after_help = "Examples:\n  expacti reviewer add alice > alice.token\n  expacti reviewer add alice --key alice.pub > alice.token\n  expacti reviewer add bob --role admin"
    )]
    Add {
        /// The person's name
        name: String,
        /// What they may do
        #[arg(long, default_value = "reviewer")]
        role: RoleArg,
        /// The public key with which they sign what they allow
        #[arg(long, value_name = "FILE.pub")]
        key: Option<PathBuf>,
        /// The user of this machine who is this person, where `expacti setup` has made a service: no token
        /// is needed then
        #[arg(long, value_name = "NAME")]
        unix_user: Option<String>,
    },
    /// Keys with which people sign what they allow
    ///
    /// Of somebody with a key the broker takes no allow that is not signed with it: neither a token nor
    /// whatever types into a terminal is enough any more. Gates that check signatures themselves have a list
    /// of their own ([approval] in their configuration).
    #[command(
        subcommand,
        after_help = "Examples:\n  expacti reviewer key add alice ~/.ssh/expacti.pub\n  expacti reviewer key list --allowed-signers"
    )]
    Key(SigningKeyCommand),
    /// List people
    List,
    /// Set your PIN: from then on every allow, and every change, asks for it
    ///
    /// The PIN is kept as an Argon2 digest. After five wrong ones the next has to wait, ten seconds at first
    /// and up to 15 minutes. It is typed into the terminal, and so holds off what only types into your screen
    /// or has your token; who reads what you type reads the PIN as well. A key that is touched holds off more.
    #[command(after_help = "Examples:\n  expacti reviewer pin\n  expacti reviewer pin --remove")]
    Pin {
        /// Do without a PIN again
        #[arg(long)]
        remove: bool,
    },
    /// Forget keys and PIN of somebody who has lost them
    ///
    /// Works on the broker's machine only, while the broker does not run. The log has it, and every reviewer
    /// is told for a week.
    #[command(
        after_help = "Example:\n  expacti down\n  expacti reviewer reset alice\n  expacti up\n  expacti reviewer key add alice ~/.ssh/new.pub"
    )]
    Reset {
        /// The person's name
        name: String,
    },
    /// Remove a person: their token stops working at once
    Remove {
        /// The person's name
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SigningKeyCommand {
    /// Add a key; from then on that person cannot allow anything without a signature
    #[command(
        after_help = "Examples:\n  ssh-keygen -t ed25519-sk -f ~/.ssh/expacti\n  expacti reviewer key add alice ~/.ssh/expacti.pub\n\nThe first key is yours to add; any other needs an administrator. Gates that check signatures\nhave a list of their own: see `reviewer key list --allowed-signers`."
    )]
    Add {
        /// The person's name
        name: String,
        /// The public key file: ed25519, ecdsa, rsa, or a FIDO2 key (sk)
        file: PathBuf,
    },
    /// List keys
    List {
        /// Print them in the form that a gate reads
        #[arg(long)]
        allowed_signers: bool,
    },
    /// Remove a key
    Remove {
        /// Its fingerprint, SHA256:…, or its public key file
        key: String,
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
        /// The person who answers for the agent, and so never decides on its commands; you, if you name nobody
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
