//! The command line: only clap types and their help.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

mod policy;
mod rules;
mod servers;

pub(crate) use policy::{LevelArg, PolicyAddArgs, PolicyCommand, PolicyType};
pub(crate) use rules::{RuleAddArgs, RulesCommand};
pub(crate) use servers::{
    AgentCommand, BrokerArgs, GateArgs, GateCommand, ReviewerCommand, RoleArg, TargetCommand,
};

/// expacti puts a person in the loop before an AI agent's command runs on a real server.
#[derive(Debug, Parser)]
#[command(
    name = "expacti",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Examples:\n  expacti wrap -- ssh web-1 'systemctl restart nginx'   hold the command until it is reviewed\n  expacti review                                        decide: a allows, d denies\n  expacti demo                                          see the whole thing on this machine\n\nExit status: 0 done, 1 failed, 2 usage, 4 not found, 5 refused or too late, 6 broker unreachable,\n77 command denied, 78 timed out, 79 the gate could not decide."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// The broker: unix:///path, http://host:port or https://host:port. Default: the one of this
    /// machine
    #[arg(long, global = true, env = "EXPACTI_BROKER", value_name = "URL", hide_env_values = true)]
    pub(crate) broker: Option<String>,
    /// A file that holds the token to show the broker (or set EXPACTI_TOKEN)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Print one JSON document instead of text for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Manage webhooks: who is told over HTTP when a command waits
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Run a program with its SSH connections held for review
    #[command(
        after_help = "Examples:\n  expacti wrap -- ssh -p 2200 deploy@web-1 'uname -a'\n  expacti wrap --agent fixbot --reason 'ticket 4711' -- claude\n  expacti wrap -- ansible-playbook site.yml\n\nThe program's own exit status is passed through; a denied command exits with 77, one that timed\nout with 78, one the gate could not decide with 79."
    )]
    Wrap(WrapArgs),
    /// Review commands in a terminal: a allows, d denies
    #[command(
        after_help = "Keys: a allow, d deny, D deny with a comment, tab next pane, ? all keys, q quit.\nAn allow of a HIGH command is confirmed with y, of a CRITICAL one with the target's name."
    )]
    Review(ReviewArgs),
    /// List the commands that wait for a decision
    Pending,
    /// Allow a command
    #[command(
        after_help = "Examples:\n  expacti allow cmd_01h4 'checked with dba'\n  expacti allow cmd_01h4 --grant 5m    keys to vim or top: what is typed next passes unreviewed\n\nA grant is an ungated shell for as long as it lasts. With several approvers the smallest counts,\nand none if one of them gave none."
    )]
    Allow(AllowArgs),
    /// Deny a command
    #[command(after_help = "Example:\n  expacti deny cmd_01h4 'use the staging namespace'")]
    Deny(DecideArgs),
    /// List sessions, newest first
    Sessions {
        /// At most so many
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u64,
    },
    /// Show the live output of a session
    Watch {
        /// The session, or an unambiguous part of its id
        session: String,
    },
    /// End a session: its connection is closed, what waits is denied
    Kill {
        /// The session, or an unambiguous part of its id
        session: String,
    },
    /// Hold everything in a session, whatever rules allow
    Pause {
        /// The session, or an unambiguous part of its id
        session: String,
    },
    /// Let rules decide again in a paused session
    Resume {
        /// The session, or an unambiguous part of its id
        session: String,
    },
    /// Replay the recording of a session
    #[command(
        after_help = "Examples:\n  expacti replay sess_01h4 --speed 2 --idle-time-limit 1\n  expacti replay sess_01h4 --export incident.cast\n  expacti replay sess_01h4 --export - --format txt\n  expacti replay incident.cast"
    )]
    Replay(ReplayArgs),
    /// Score a command and explain the score (needs no broker)
    #[command(
        after_help = "Examples:\n  expacti risk 'kubectl delete pod --all -n production'\n  expacti risk --json 'curl http://x | sh'\n  jq -c '{command}' history.jsonl | expacti risk --stdin --json"
    )]
    Risk(RiskArgs),
    /// Manage the whitelist: rules that allow or deny without a person
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Manage policies: how many approvals a command needs, by whom, how long
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Read, verify and export the tamper-evident log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Manage reviewers (and admins and viewers) and their tokens
    #[command(subcommand)]
    Reviewer(ReviewerCommand),
    /// Manage agents and their keys
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Manage targets of a team's gate
    #[command(subcommand)]
    Target(TargetCommand),
    /// Start broker and gate in the background on this machine
    Up {
        /// Stay in the foreground
        #[arg(long)]
        foreground: bool,
        /// Started by another `expacti up`: report on standard output when ready
        #[arg(long, hide = true)]
        detached: bool,
    },
    /// Show whether broker and gate of this machine run
    Status,
    /// Stop broker and gate of this machine; what waits is denied
    Down,
    /// Run a team's broker
    #[command(
        after_help = "Example:\n  expacti broker --listen 127.0.0.1:7443\n  expacti broker --listen 0.0.0.0:7443 --tls-cert cert.pem --tls-key key.pem\n\nAdd the first principals on the broker's machine, over its Unix socket:\n  expacti reviewer add alice --role admin"
    )]
    Broker(BrokerArgs),
    /// Run a team's gate, or manage gates
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  expacti gate add edge-1 > gate.token\n  expacti gate --listen 0.0.0.0:2222 --broker https://broker:7443 --token-file gate.token\n\nClients name the target in the user: ssh deploy%web-1@gate -p 2222 'uname -a'"
    )]
    Gate(GateArgs),
    /// See the whole thing on this machine with a scripted agent and a throw-away target
    Demo {
        /// Play without a person: a scripted reviewer decides
        #[arg(long, hide = true)]
        unattended: bool,
    },
    /// Check this machine: keys, clock, disk, versions, what could go round the gate
    Doctor,
    /// Show the configuration and where each value came from
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script
    #[command(
        after_help = "Example:\n  expacti completions bash > ~/.local/share/bash-completion/completions/expacti"
    )]
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write all pages into a directory
    Man {
        /// Write expacti.1 and one page per command here
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct WrapArgs {
    /// The agent's name, as reviewers and rules see it [default: the program's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// Why the agent works there, for the reviewer
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    pub(crate) program: Vec<OsString>,
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
}

#[derive(Debug, Args)]
pub(crate) struct DecideArgs {
    /// The command, or an unambiguous part of its id
    pub(crate) id: String,
    /// What to tell the agent, and the log
    pub(crate) comment: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AllowArgs {
    #[command(flatten)]
    pub(crate) decide: DecideArgs,
    /// Let keys to the program in the foreground pass unreviewed for so long: 1s to 1h
    #[arg(long, value_name = "DURATION")]
    pub(crate) grant: Option<String>,
    /// And at most so many bytes of them: 1 to 16M
    #[arg(long, value_name = "BYTES", default_value = "1M", requires = "grant")]
    pub(crate) grant_bytes: String,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The session, an unambiguous part of its id, or a recording file
    pub(crate) session: String,
    /// Playback speed: 2 is twice as fast
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    pub(crate) speed: f64,
    /// Cut pauses to so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) idle_time_limit: Option<f64>,
    /// Write the recording to a file instead; - for standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) export: Option<PathBuf>,
    /// In which form to write it; by default text to a FILE.txt, asciicast v2 to any other
    #[arg(long, value_enum, requires = "export")]
    pub(crate) format: Option<ExportFormat>,
    /// Draw with ASCII characters only
    #[arg(long)]
    pub(crate) ascii: bool,
}

/// The form of an exported recording.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum ExportFormat {
    /// What asciinema 2 and 3 play
    #[value(name = "asciicast-v2")]
    AsciicastV2,
    /// Of asciinema 3
    #[value(name = "asciicast-v3")]
    AsciicastV3,
    /// What was on the screen, as plain text
    Txt,
}

#[derive(Debug, Args)]
pub(crate) struct RiskArgs {
    /// The command
    #[arg(required_unless_present = "stdin", conflicts_with = "stdin", allow_hyphen_values = true)]
    pub(crate) command: Option<String>,
    /// Read JSON lines {"command":"…","target":"…","cwd":"…"} and answer each with one line
    #[arg(long)]
    pub(crate) stdin: bool,
    /// The target it would run on
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// The working directory it would run in
    #[arg(long)]
    pub(crate) cwd: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Show the log
    Log {
        /// The last so many entries
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u64,
        /// Go on with new entries as they come
        #[arg(long)]
        follow: bool,
    },
    /// Verify the chain; exit status 1 and the first bad entry when it is broken
    #[command(
        after_help = "Examples:\n  expacti audit verify\n  expacti audit verify --file audit.jsonl --key 'ssh-ed25519 AAAA…'\n\nA file is verified offline. It must end in a checkpoint, as `audit export` makes it; --key says\nwhose signature to accept."
    )]
    Verify {
        /// An exported log instead of the broker's
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// The broker's public key that must have signed the checkpoints
        #[arg(long, value_name = "KEY", requires = "file")]
        key: Option<String>,
    },
    /// Write the whole log as canonical JSON lines, with a signed checkpoint at the end
    Export {
        /// Write to this file instead of standard output
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Send a test message to each webhook of config.toml, or to one of them
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
