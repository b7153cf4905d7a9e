//! One file per command; each only wires the crates together.

mod admin;
mod audit;
mod decide;
mod demo;
mod doctor;
mod generate;
mod list;
mod local;
mod policy;
mod replay;
mod review;
mod risk;
mod rules;
mod servers;
mod watch;
mod webhook;
mod wrap;

use crate::cli::{Cli, Command, ConfigCommand};
use crate::config::Config;
use crate::failure::Outcome;
use crate::runtime;

/// Runs the command.
pub(crate) fn run(cli: Cli) -> Outcome {
    let json = cli.global.json;
    // What needs no configuration must work without one.
    match &cli.command {
        Command::Completions { shell } => return generate::completions(*shell),
        Command::Man { out } => return generate::man(out.as_deref()),
        _ => {}
    }
    let config = Config::load(&cli.global)?;
    match cli.command {
        Command::Agent(command) => wait(admin::agent(&config, command, json)),
        Command::Allow(args) => wait(decide::allow(&config, args, json)),
        Command::Audit(command) => wait(audit::run(&config, command, json)),
        Command::Broker(args) => servers::broker(&config, args),
        Command::Completions { .. } | Command::Man { .. } => Ok(0),
        Command::Config(ConfigCommand::Show) => {
            let shown = config.show()?;
            if json {
                crate::print::json(&shown)?;
            } else {
                let rows: Vec<_> = shown.iter().map(crate::config::Shown::row).collect();
                crate::print::table(&["KEY", "VALUE", "FROM"], &rows)?;
            }
            Ok(0)
        }
        Command::Demo { unattended } => demo::run(unattended),
        Command::Deny(args) => wait(decide::deny(&config, args, json)),
        Command::Doctor => doctor::run(&config, json),
        Command::Down => crate::daemon::down(&config),
        Command::Gate(args) => match args.command {
            Some(command) => wait(admin::gate(&config, command, json)),
            None => servers::gate(&config, args),
        },
        Command::Kill { session } => wait(list::act(&config, &session, "kill", "ended", json)),
        Command::Pause { session } => wait(list::act(&config, &session, "pause", "paused", json)),
        Command::Pending => wait(list::pending(&config, json)),
        Command::Policy(command) => wait(policy::run(&config, command, json)),
        Command::Replay(args) => wait(replay::run(&config, args)),
        Command::Resume { session } => {
            wait(list::act(&config, &session, "resume", "resumed", json))
        }
        Command::Review(args) => review::run(&config, args),
        Command::Reviewer(command) => wait(admin::reviewer(&config, command, json)),
        Command::Risk(args) => risk::run(&config, args, json),
        Command::Rules(command) => wait(rules::run(&config, command, json)),
        Command::Sessions { limit } => wait(list::sessions(&config, limit, json)),
        Command::Status => local::status(&config, json),
        Command::Target(command) => wait(admin::target(&config, command, json)),
        Command::Up { foreground: true, detached } => crate::daemon::foreground(&config, detached),
        Command::Up { .. } => local::up(&config, json),
        Command::Watch { session } => wait(watch::run(&config, &session)),
        Command::Webhook(command) => wait(webhook::run(&config, command, json)),
        Command::Wrap(args) => wrap::run(&config, args),
    }
}

fn wait(work: impl Future<Output = Outcome>) -> Outcome {
    runtime::start()?.block_on(work)
}
