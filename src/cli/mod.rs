//! The command line: only clap types and their help. The files follow the headings of
//! `expacti --help`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

mod decide;
mod look;
mod policy;
mod principals;
mod rules;
mod run;
mod servers;
mod setup;

pub(crate) use decide::{AllowArgs, DecideArgs, DecideCommand, KeyArg, ReviewArgs, TaintCommand};
pub(crate) use look::{
    AuditCommand, ExportFormat, LookCommand, ReplayArgs, RiskArgs, VerifyArgs, WitnessArgs,
};
pub(crate) use policy::{LevelArg, PolicyAddArgs, PolicyCommand, PolicyType};
pub(crate) use principals::{AgentCommand, ReviewerCommand, RoleArg, SigningKeyCommand};
pub(crate) use rules::{CoverArgs, RuleAddArgs, RuleTestArgs, RulesCommand};
pub(crate) use run::{RunCommand, WrapArgs};
pub(crate) use servers::{BrokerArgs, GateArgs, GateCommand, ServersCommand, TargetCommand};
pub(crate) use setup::{ApplyArgs, ConfigCommand, SetUpCommand, WebhookCommand};

/// expacti puts a person in the loop before an AI agent's command runs on a real server.
#[derive(Debug, Parser)]
#[command(
    name = "expacti",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Examples:\n  expacti wrap -- ssh web-1 'systemctl restart nginx'   hold the command until it is reviewed\n  expacti review                                        decide: a allows, d denies\n  expacti demo                                          see how it works on this machine\n\n`expacti COMMAND --help` explains a command.\n\nExit status: 0 done, 1 failed, 2 usage, 4 not found, 5 refused or too late, 6 broker unreachable,\n77 command denied, 78 timed out, 79 the gate could not decide."
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
    /// The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this
    /// machine
    #[arg(long, global = true, env = "EXPACTI_BROKER", value_name = "URL", hide_env_values = true)]
    pub(crate) broker: Option<String>,
    /// A file with the token for the broker (or set EXPACTI_TOKEN)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Print one JSON document instead of text for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What to do. Each group is a heading of the help; see `crate::help`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Decide(DecideCommand),
    #[command(flatten)]
    Run(RunCommand),
    #[command(flatten)]
    Look(LookCommand),
    #[command(flatten)]
    SetUp(SetUpCommand),
    #[command(flatten)]
    Servers(ServersCommand),
}
