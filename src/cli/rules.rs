//! Arguments of `expacti rules`. Nothing here does anything.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Add a rule
    #[command(
        after_help = "Examples:\n  expacti rules add --exact 'systemctl status nginx' --reason 'looks only'\n  expacti rules add --glob 'journalctl -u *' --target 'web-*' --ttl 7d\n  expacti rules add --glob 'rm *' --deny\n\nA glob's * stands for one plain word part, never for an operator, substitution or further flag."
    )]
    Add(RuleAddArgs),
    /// List the rules
    List,
    /// Remove a rule
    Remove {
        /// The rule's id
        id: String,
    },
    /// Stand for a rule, too: where a policy asks for several approvals, a rule allows only what
    /// enough of them stand for
    Approve {
        /// The rule's id
        id: String,
    },
    /// Say what the rules would do with a command
    #[command(
        after_help = "Example:\n  expacti rules test 'systemctl status nginx' --target web-1 --agent deploybot"
    )]
    Test {
        /// The command
        #[arg(allow_hyphen_values = true)]
        command: String,
        /// On this target
        #[arg(long)]
        target: Option<String>,
        /// For this agent
        #[arg(long)]
        agent: Option<String>,
        /// As this user
        #[arg(long)]
        user: Option<String>,
        /// In this working directory
        #[arg(long)]
        cwd: Option<String>,
    },
    /// Propose narrow rules from what was approved repeatedly
    Suggest,
    /// Show what a rule would have let through in the recorded history
    #[command(
        after_help = "Example:\n  expacti rules backtest --glob 'systemctl status *' --target 'web-*'"
    )]
    Backtest(RuleAddArgs),
    /// Add the rules of a file made by `rules export`
    Import {
        /// The file; - for standard input
        file: PathBuf,
    },
    /// Print all rules as JSON
    Export,
    /// Add the built-in rules for commands that only look
    Defaults,
}

/// What a rule matches; a group of its own, since clap counts every field of a struct to its group.
#[derive(Debug, Args)]
#[group(id = "pattern", required = true, multiple = false)]
pub(crate) struct PatternArgs {
    /// Match this text and no other
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub(crate) exact: Option<String>,
    /// Match word by word; * stands for part of one plain word, ** for any further plain words
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub(crate) glob: Option<String>,
    /// Match this regular expression, anchored at both ends
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub(crate) regex: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RuleAddArgs {
    #[command(flatten)]
    pub(crate) pattern: PatternArgs,
    /// Deny instead of allow; deny wins over allow
    #[arg(long)]
    pub(crate) deny: bool,
    /// End after this time: 30m, 12h, 7d
    #[arg(long, value_name = "DURATION")]
    pub(crate) ttl: Option<String>,
    /// Only on targets like this
    #[arg(long, value_name = "GLOB")]
    pub(crate) target: Option<String>,
    /// Only for agents like this
    #[arg(long, value_name = "GLOB")]
    pub(crate) agent: Option<String>,
    /// Only as target users like this
    #[arg(long, value_name = "GLOB")]
    pub(crate) user: Option<String>,
    /// Only in working directories like this
    #[arg(long, value_name = "GLOB")]
    pub(crate) cwd: Option<String>,
    /// Why the rule is there
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}
