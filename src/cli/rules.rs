//! Arguments of `expacti rules`. Nothing here does anything.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Add a rule
    #[command(
        after_help = "Examples:\n  expacti rules add --exact 'systemctl status nginx' --reason 'read-only'\n  expacti rules add --glob 'journalctl -u *' --target 'web-*' --ttl 7d\n  expacti rules add --glob 'rm *' --deny\n  expacti rules add --looks --target 'web-*' --trust-dir /srv/app --ttl 30d\n  expacti rules add --glob 'tar -xf - -C /srv/app' --stdin --ttl 1h\n  expacti rules add --work /srv/app --run 'pytest **' --ttl 2h\n\nA line of several commands is allowed when each of them is. A glob's * stands for part of one plain word, never for an operator, a substitution or another\noption. A rule covers a command without standard input and without a terminal, unless it says so."
    )]
    Add(RuleAddArgs),
    /// List the rules
    List,
    /// Remove a rule
    Remove {
        /// The rule's id
        id: String,
    },
    /// Add your approval to a rule: where a policy asks for several approvals, a rule allows only
    /// once it has as many
    Approve {
        /// The rule's id
        id: String,
    },
    /// Let a rule cover a terminal or standard input as well
    ///
    /// The rule counts as a new one: where a policy asks for several approvals, it needs them again.
    #[command(
        after_help = "Examples:\n  expacti rules cover rule_01h4 --terminal\n  expacti rules cover rule_01h4 --stdin-sha256 \"$(sha256sum < script.py | cut -d' ' -f1)\""
    )]
    Cover {
        /// The rule's id
        id: String,
        #[command(flatten)]
        cover: CoverArgs,
    },
    /// Show what the rules would do with a command
    #[command(
        after_help = "Example:\n  expacti rules test 'systemctl status nginx' --target web-1 --agent deploybot\n  expacti rules test --stdin --json < commands.jsonl"
    )]
    Test(RuleTestArgs),
    /// Sign the rules, policies and owners in force, for gates that go by nothing else
    ///
    /// Shows what differs from what was signed last. A gate with [approval.rules] delivers nothing without
    /// signed rules, nor by rules that were signed more than a day ago.
    #[command(
        after_help = "Examples:\n  expacti rules sign\n  expacti rules sign --key ~/.ssh/expacti --yes"
    )]
    Sign {
        #[command(flatten)]
        key: super::KeyArg,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Show what the rules let through and denied, what people were asked about, and which rules
    /// nothing has hit
    #[command(after_help = "Example:\n  expacti rules report --since 7d --json")]
    Report {
        /// Over this time: 12h, 7d
        #[arg(long, default_value = "7d", value_name = "DURATION")]
        since: String,
    },
    /// Suggest narrow rules for what was approved repeatedly
    ///
    /// Of a line of several commands, each that no rule covers gets a rule of its own. Where files were
    /// written in one directory again and again, a rule for working there is suggested (--work), for 12
    /// hours. Only what people have approved counts.
    Suggest,
    /// Show which recorded commands a rule would have matched
    #[command(
        after_help = "Example:\n  expacti rules backtest --glob 'systemctl status *' --target 'web-*'"
    )]
    Backtest(RuleAddArgs),
    /// Add the rules of a file written by `rules export`
    Import {
        /// The file; - for standard input
        file: PathBuf,
    },
    /// Print all rules as JSON
    Export,
    /// Add the built-in rule: whatever only looks may run without a person
    Defaults,
}

/// What a rule matches. A struct of its own, since clap puts every field of a struct into its group.
#[derive(Debug, Args)]
#[group(id = "pattern", required = true, multiple = false)]
pub(crate) struct PatternArgs {
    /// Match exactly this text
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub(crate) exact: Option<String>,
    /// Match word by word; * stands for part of one plain word, ** for any further plain words
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub(crate) glob: Option<String>,
    /// Match this regular expression, anchored at both ends
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub(crate) regex: Option<String>,
    /// Match every command that only looks: one rule in place of a hundred globs
    #[arg(long)]
    pub(crate) looks: bool,
    /// Work here: create and change regular files and directories below this directory of the target,
    /// and whatever only looks. Ends after 1h unless --ttl says otherwise, and after 24h at most
    #[arg(long, value_name = "DIR")]
    pub(crate) work: Option<String>,
}

/// What a rule covers beside the command.
#[derive(Debug, Args)]
pub(crate) struct CoverArgs {
    /// Also with a terminal, as `ssh -t` asks for one: in a pager or an editor there, more can be run
    #[arg(long)]
    pub(crate) terminal: bool,
    /// Also with any standard input, unseen; not for what may run its input
    #[arg(long = "stdin")]
    pub(crate) any_stdin: bool,
    /// Also with the standard input that has this SHA-256
    #[arg(long, value_name = "DIGEST", conflicts_with = "any_stdin")]
    pub(crate) stdin_sha256: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RuleAddArgs {
    #[command(flatten)]
    pub(crate) pattern: PatternArgs,
    /// With --looks: only what reads and lists below this directory of the target
    #[arg(long, value_name = "DIR", requires = "looks")]
    pub(crate) under: Vec<String>,
    /// With --looks: files below this directory may configure programs, as .git/config does git
    #[arg(long, value_name = "DIR", requires = "looks")]
    pub(crate) trust_dir: Vec<String>,
    /// With --looks: the target's own addresses may be asked, as by curl http://localhost
    #[arg(long, requires = "looks")]
    pub(crate) loopback: bool,
    /// With --work: run commands that match there, whatever they do: they run what the agent writes
    #[arg(long, value_name = "GLOB", requires = "work", allow_hyphen_values = true)]
    pub(crate) run: Vec<String>,
    #[command(flatten)]
    pub(crate) cover: CoverArgs,
    /// Deny instead of allow; deny wins over allow
    #[arg(long)]
    pub(crate) deny: bool,
    /// Expire after this time: 30m, 12h, 7d
    #[arg(long, value_name = "DURATION")]
    pub(crate) ttl: Option<String>,
    /// Only on targets that match
    #[arg(long, value_name = "GLOB")]
    pub(crate) target: Option<String>,
    /// Only for agents that match
    #[arg(long, value_name = "GLOB")]
    pub(crate) agent: Option<String>,
    /// Only as target users that match
    #[arg(long, value_name = "GLOB")]
    pub(crate) user: Option<String>,
    /// Only in working directories that match
    #[arg(long, value_name = "GLOB")]
    pub(crate) cwd: Option<String>,
    /// Why the rule exists
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RuleTestArgs {
    /// The command
    #[arg(required_unless_present = "stdin", conflicts_with = "stdin", allow_hyphen_values = true)]
    pub(crate) command: Option<String>,
    /// Read JSON lines {"command":"…","target":"…","agent":"…","user":"…","cwd":"…",
    /// "terminal":false} and answer each with one line
    #[arg(long)]
    pub(crate) stdin: bool,
    /// On this target
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// For this agent
    #[arg(long)]
    pub(crate) agent: Option<String>,
    /// As this user
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// In this working directory
    #[arg(long)]
    pub(crate) cwd: Option<String>,
    /// With a terminal of its own
    #[arg(long)]
    pub(crate) terminal: bool,
    /// In an account with this shell
    #[arg(long, default_value = "bash", value_name = "NAME")]
    pub(crate) shell: String,
}
