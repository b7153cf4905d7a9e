//! Arguments of `expacti policy`. Nothing here does anything.

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum PolicyType {
    /// One reviewer
    Any,
    /// At least --min of --group
    Quorum,
    /// Every member of --group
    All,
    /// At least --min with --role
    Role,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "UPPER")]
pub(crate) enum LevelArg {
    /// 0 to 24
    Low,
    /// 25 to 49
    Medium,
    /// 50 to 74
    High,
    /// 75 to 100
    Critical,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Add a policy. For each command of a line the most specific match counts; what they ask adds up
    #[command(
        visible_alias = "set",
        after_help = "Examples:\n  expacti policy add --type quorum --min 2 --group alice,bob,carol --match 'kubectl delete **'\n  expacti policy add --type role --role admin --match '*' --min-level CRITICAL --timeout 5m\n  expacti policy add --type quorum --min 2 --group alice,bob,carol --effect deletes --target 'prod-*'"
    )]
    Add(PolicyAddArgs),
    /// List the policies
    List,
    /// Remove a policy; one that asks for several approvals needs them for its removal, too
    #[command(
        after_help = "Example:\n  expacti policy remove pol_01h4\n  needs 1 more approval: bob, carol: expacti policy approve chg_01h5"
    )]
    Remove {
        /// The policy's id
        id: String,
    },
    /// List the changes that wait for approval: to policies, rules and people
    Changes,
    /// Approve a change that waits
    Approve {
        /// The change's id
        change: String,
    },
    /// Reject a change that waits
    Reject {
        /// The change's id
        change: String,
    },
    /// Show which approvals a command would need
    #[command(
        after_help = "Example:\n  expacti policy test 'kubectl delete ns shop' --tag production"
    )]
    Test {
        /// The command
        #[arg(allow_hyphen_values = true)]
        command: String,
        /// On this target
        #[arg(long)]
        target: Option<String>,
        /// As this user
        #[arg(long)]
        user: Option<String>,
        /// On a target with this tag; may be repeated
        #[arg(long, value_name = "TAG")]
        tag: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PolicyAddArgs {
    /// Who must approve
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: PolicyType,
    /// How many must approve
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) min: u32,
    /// Who may approve, by name
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) group: Vec<String>,
    /// The role that approvers need
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: Option<String>,
    /// The commands it applies to; * matches every command
    #[arg(long = "match", value_name = "PATTERN", default_value = "*", allow_hyphen_values = true)]
    pub(crate) pattern: String,
    /// The commands it applies to by what they do, however they are spelt: deletes, writes, runs-unseen,
    /// network, changes:service; asked beside the policies for patterns. What is not understood may do
    /// anything
    #[arg(long, value_delimiter = ',', value_name = "EFFECTS", conflicts_with = "pattern")]
    pub(crate) effect: Vec<String>,
    /// Only on targets that match
    #[arg(long, value_name = "GLOB")]
    pub(crate) target: Option<String>,
    /// Only as target users that match
    #[arg(long, value_name = "GLOB")]
    pub(crate) user: Option<String>,
    /// Only on targets with this tag; may be repeated, and then all tags are needed
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,
    /// Only in these hours of the day, in UTC: 22-6
    #[arg(long, value_name = "FROM-TO")]
    pub(crate) hours: Option<String>,
    /// Only commands of this level or higher
    #[arg(long, value_name = "LEVEL", ignore_case = true)]
    pub(crate) min_level: Option<LevelArg>,
    /// How long people have to decide: 5s to 24h
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<String>,
    /// Who else is asked after --escalate-after
    #[arg(long, value_delimiter = ',', value_name = "NAMES", requires = "escalate_after")]
    pub(crate) escalate_to: Vec<String>,
    /// When to ask them too
    #[arg(long, value_name = "DURATION", requires = "escalate_to")]
    pub(crate) escalate_after: Option<String>,
}
