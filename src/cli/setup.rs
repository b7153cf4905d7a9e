//! Arguments of the commands that set things up. Nothing here does anything.

use std::path::PathBuf;

use clap::Subcommand;

use super::policy::PolicyCommand;
use super::rules::RulesCommand;

/// Commands under the heading "Set up".
#[derive(Debug, Subcommand)]
pub(crate) enum SetUpCommand {
    /// Manage rules: what is allowed or denied without a person
    ///
    /// A rule matches the text of a command, and may be limited to targets, agents, users and
    /// working directories. What no rule decides waits for a reviewer; a rule that denies wins over
    /// one that allows.
    #[command(
        subcommand,
        after_help = "Examples:\n  expacti rules defaults\n  expacti rules add --glob 'systemctl restart nginx' --ttl 7d\n  expacti rules test 'df -h; systemctl restart nginx'"
    )]
    Rules(RulesCommand),
    /// Manage policies: how many approvals a command needs, and whose
    ///
    /// Without a policy any one reviewer decides. A policy asks for several people, for certain
    /// people or for a role, and may set how long they have. A change that would weaken a policy
    /// needs the approvals that the policy itself asks for.
    #[command(
        subcommand,
        after_help = "Examples:\n  expacti policy add --type quorum --min 2 --group alice,bob,carol --match 'kubectl delete **'\n  expacti policy test 'kubectl delete ns shop'"
    )]
    Policy(PolicyCommand),
    /// Make targets, agents, policies and rules what a file says
    ///
    /// It is one change: what is missing is added, what differs is changed, and with --prune what the file
    /// does not name is removed, of each kind that it names. All of it is done, or nothing; it needs
    /// whatever approval a part of it needs, once. Without a file, what there is is printed in the form of
    /// one.
    #[command(
        after_help = "Examples:\n  expacti apply > team.toml\n  expacti apply team.toml --dry-run\n  expacti apply team.toml --prune\n\nA file:\n  [[target]]\n  name = \"web-1\"\n  address = \"deploy@10.0.0.5:22\"\n  host_keys = [\"ssh-ed25519 AAAA...\"]\n  tags = [\"production\"]\n\n  [[agent]]\n  name = \"claude\"\n  key = \"ssh-ed25519 AAAA...\"\n  owner = \"alice\"\n\n  [[policy]]\n  type = \"quorum\"                 # any, quorum, all, role\n  min = 2\n  group = [\"alice\", \"bob\", \"carol\"]\n  match = \"kubectl delete **\"\n\n  [[rule]]\n  glob = \"systemctl restart nginx\"   # or exact, regex\n  target = \"web-*\"\n  until = \"2027-01-31T12:00:00Z\""
    )]
    Apply(ApplyArgs),
    /// Show the configuration and where each value came from
    ///
    /// The configuration is config.toml, overridden by the environment, overridden by flags.
    #[command(subcommand, after_help = "Example:\n  expacti config show")]
    Config(ConfigCommand),
    /// Test webhooks: messages over HTTP when a command waits
    ///
    /// A webhook tells Slack, Discord, ntfy, Telegram or a service of your own that a command
    /// waits, was decided or expired. Webhooks are defined in config.toml, as [[webhook]].
    #[command(subcommand, after_help = "Example:\n  expacti webhook test chat")]
    Webhook(WebhookCommand),
    /// Check this machine: ssh, directories, disk, broker, enforcement
    Doctor,
    /// Make broker and gate a service of this machine (as root)
    ///
    /// As root: broker and gate become a service with a user of its own, whose keys and data no other
    /// account can read. `expacti wrap` of every account goes to it; who reviews is told by the user.
    /// It logs in to targets with a key of its own, and only to those that are registered with
    /// `expacti target add`. Says what it will do, and asks first; to be repeated at will.
    ///
    /// With --user: puts a line at the top of ~/.ssh/config that leads ssh to the gate inside wrapped
    /// programs, by whatever path it is started, and nowhere else. It is needed only where programs
    /// cannot have namespaces of their own (`expacti wrap --explain` says so). Asks first.
    #[command(
        after_help = "Examples:\n  sudo expacti setup --reviewer alice --key alice.pub\n  sudo expacti setup --undo\n  expacti setup --user\n  expacti setup --user --undo"
    )]
    Setup {
        /// For the ssh configuration of this user's account
        #[arg(long, conflicts_with_all = ["reviewer", "key", "purge"])]
        user: bool,
        /// A user of this machine who reviews; may be repeated
        #[arg(long, value_name = "NAME", conflicts_with = "undo")]
        reviewer: Vec<String>,
        /// The public key with which that reviewer signs what they allow; one for each --reviewer
        #[arg(long, value_name = "FILE.pub", requires = "reviewer")]
        key: Vec<PathBuf>,
        /// Take it out again; the service's data and settings stay
        #[arg(long)]
        undo: bool,
        /// With --undo: remove the data, recordings, keys and settings as well
        #[arg(long, requires = "undo")]
        purge: bool,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Print a shell completion script
    #[command(
        after_help = "Example:\n  expacti completions bash > ~/.local/share/bash-completion/completions/expacti"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write all pages to a directory
    Man {
        /// Write expacti.1 and one page per command to this directory
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct ApplyArgs {
    /// The file, TOML
    #[arg(required_if_eq_any([("prune", "true"), ("dry_run", "true")]))]
    pub(crate) file: Option<PathBuf>,
    /// Remove what the file does not name, of each kind that it names
    #[arg(long)]
    pub(crate) prune: bool,
    /// Only say what would be done, and whose approval it would need
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Send a test message to every webhook of config.toml, or to one of them
    #[command(
        after_help = "Example of config.toml:\n  [[webhook]]\n  name = \"chat\"\n  format = \"slack\"             # json, slack, discord, ntfy or telegram\n  url_file = \"/etc/expacti/slack-url\"\n  min_level = \"HIGH\"\n  events = [\"pending\", \"decided\", \"expired\"]"
    )]
    Test {
        /// Its name, or the host of its address
        name: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the effective values and where each came from
    Show,
}
