//! Arguments of the commands a reviewer decides with. Nothing here does anything.

use clap::{Args, Subcommand};

/// Commands under the heading "Decide".
#[derive(Debug, Subcommand)]
pub(crate) enum DecideCommand {
    /// Review commands in a terminal: a allows, d denies
    #[command(
        after_help = "Keys: a allow, d deny, D deny with a comment, tab next pane, ? all keys, q quit.\nAllowing a HIGH command is confirmed with y, a CRITICAL one with the target's name."
    )]
    Review(ReviewArgs),
    /// List the commands that wait for a decision
    Pending,
    /// Allow a command
    #[command(
        after_help = "Examples:\n  expacti allow cmd_01h4 'checked with dba'\n  expacti allow cmd_01h4 --grant 5m    for vim or top: keys typed next pass unreviewed\n\nA grant is an ungated shell for as long as it lasts. With several approvers the smallest grant\ncounts, and there is none if one of them gave none."
    )]
    Allow(AllowArgs),
    /// Deny a command
    #[command(after_help = "Example:\n  expacti deny cmd_01h4 'use the staging namespace'")]
    Deny(DecideArgs),
    /// Show and clear accounts that approved lines may have changed
    ///
    /// A line that is not understood, or that writes start-up files, directories of PATH or configuration
    /// of programs, may change what `ls` is. Where a rule lets pass what only looks (rules add --looks),
    /// it is asked about in that account until a reviewer clears it here, or allows with allow --trust or
    /// the key T.
    #[command(
        subcommand,
        after_help = "Examples:\n  expacti taint list\n  expacti taint clear web-1/deploy"
    )]
    Taint(TaintCommand),
    /// Hold every command of a session, whatever the rules allow
    Pause {
        /// The session, or an unambiguous part of its id
        session: String,
    },
    /// Let the rules decide again in a paused session
    Resume {
        /// The session, or an unambiguous part of its id
        session: String,
    },
    /// End a session: close its connection and deny what waits
    Kill {
        /// The session, or an unambiguous part of its id
        session: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TaintCommand {
    /// List the accounts that may have changed
    List,
    /// Trust an account again
    #[command(after_help = "Example:\n  expacti taint clear web-1/deploy")]
    Clear {
        /// The target, or one account on it
        #[arg(value_name = "TARGET[/USER]")]
        account: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ReviewArgs {
    /// Draw with ASCII characters only
    #[arg(long)]
    pub(crate) ascii: bool,
    /// No desktop notifications
    #[arg(long)]
    pub(crate) no_notify: bool,
    /// No terminal bell
    #[arg(long)]
    pub(crate) no_bell: bool,
    #[command(flatten)]
    pub(crate) key: KeyArg,
}

#[derive(Debug, Args)]
pub(crate) struct KeyArg {
    /// The key that signs what you allow: a private key file, or a .pub whose key the ssh-agent has
    /// [default: signing_key of the configuration]
    #[arg(long, value_name = "FILE", env = "EXPACTI_SIGNING_KEY")]
    pub(crate) key: Option<std::path::PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DecideArgs {
    /// The command, or an unambiguous part of its id
    pub(crate) id: String,
    /// A comment for the agent and the log
    pub(crate) comment: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AllowArgs {
    #[command(flatten)]
    pub(crate) decide: DecideArgs,
    #[command(flatten)]
    pub(crate) key: KeyArg,
    /// Go on trusting what only looks in that account, whatever this may change there
    #[arg(long)]
    pub(crate) trust: bool,
    /// Let keys to the program in the foreground pass unreviewed for this long: 1s to 1h
    #[arg(long, value_name = "DURATION")]
    pub(crate) grant: Option<String>,
    /// The most bytes of keys that may pass: 1 to 16M
    #[arg(long, value_name = "BYTES", default_value = "1M", requires = "grant")]
    pub(crate) grant_bytes: String,
    /// Cover the standard input that came with the command too: the one with this SHA-256 (8 digits or
    /// more of it), as `pending` shows it
    #[arg(long, value_name = "SHA256")]
    pub(crate) input: Option<String>,
    /// Let standard input that comes later flow without showing it, for this long: 1s to 24h. Only
    /// where the command writes it into a file or unpacks it
    #[arg(long, value_name = "DURATION")]
    pub(crate) input_grant: Option<String>,
    /// The most bytes of standard input that may flow: 1 to 1024G
    #[arg(long, value_name = "BYTES", default_value = "1G", requires = "input_grant")]
    pub(crate) input_bytes: String,
}
