//! One file per command; each only wires the crates together.

mod admin;
mod apply;
mod audit;
mod audit_evidence;
mod audit_heads;
mod audit_reports;
mod audit_witness;
mod decide;
mod demo;
mod doctor;
mod explain;
mod generate;
mod local;
mod pending;
mod policy;
mod promises;
mod replay;
mod review;
mod risk;
mod rules;
mod servers;
mod service;
mod sessions;
mod setup;
mod signatures;
mod taint;
mod watch;
mod webhook;
mod wrap;

use std::path::Path;

use expacti_protocol::inside::is_inside_a_wrap;

use self::sessions::Action;
use crate::cli::{
    AuditCommand, Cli, Command, ConfigCommand, DecideCommand, LookCommand, RunCommand,
    ServersCommand, SetUpCommand,
};
use crate::config::{Config, Entry};
use crate::failure::{Failure, Outcome};
use crate::{daemon, print, runtime};

/// Runs the command.
pub(crate) fn run(cli: Cli) -> Outcome {
    let json = cli.global.json;
    // These need no configuration, and must work without a valid one.
    match &cli.command {
        Command::SetUp(SetUpCommand::Completions { shell }) => {
            return generate::completions(*shell);
        }
        Command::SetUp(SetUpCommand::Man { out }) => return generate::man(out.as_deref()),
        _ => {}
    }
    let config = Config::load(&cli.global)?;
    if !works_inside(&cli.command) && is_inside_a_wrap(&config.home) {
        return Err(Failure::inside_a_wrap());
    }
    hide(&cli.command);
    match cli.command {
        Command::Decide(command) => decide(&config, command, json),
        Command::Run(command) => run_agent(&config, command, json),
        Command::Look(command) => look(&config, command, json),
        Command::SetUp(command) => set_up(&config, command, json),
        Command::Servers(command) => servers(&config, command, json),
    }
}

/// Keeps other programs of the same user out of what serves, decides or holds a token. This comes after
/// the look at this process's own environment, which it could not read any more.
fn hide(command: &Command) {
    match command {
        Command::Servers(
            ServersCommand::Broker(_) | ServersCommand::Up { foreground: true, .. },
        ) => {
            runtime::hide_server();
        }
        Command::Servers(ServersCommand::Gate(args)) if args.command.is_none() => {
            // Its broker may be one of this machine, which looks at who asks.
            runtime::hide_client();
        }
        // What a wrap starts is the user's, and is to be as it would be without.
        Command::Run(_) => {}
        _ => runtime::hide_client(),
    }
}

/// What a wrapped program may run as well: it neither opens the data nor needs the broker.
fn works_inside(command: &Command) -> bool {
    match command {
        Command::Look(LookCommand::Audit(AuditCommand::Verify(args))) => args.is_offline(),
        Command::Look(LookCommand::Replay(args)) => Path::new(&args.session).is_file(),
        Command::Look(LookCommand::Risk(_)) => true,
        Command::SetUp(SetUpCommand::Config(_) | SetUpCommand::Doctor) => true,
        Command::Servers(ServersCommand::Status) => true,
        _ => false,
    }
}

fn decide(config: &Config, command: DecideCommand, json: bool) -> Outcome {
    match command {
        DecideCommand::Allow(args) => wait(decide::allow(config, args, json)),
        DecideCommand::Deny(args) => wait(decide::deny(config, args, json)),
        DecideCommand::Kill { session } => {
            wait(sessions::act(config, &session, Action::Kill, json))
        }
        DecideCommand::Pause { session } => {
            wait(sessions::act(config, &session, Action::Pause, json))
        }
        DecideCommand::Pending => wait(pending::run(config, json)),
        DecideCommand::Resume { session } => {
            wait(sessions::act(config, &session, Action::Resume, json))
        }
        DecideCommand::Review(args) => review::run(config, args),
        DecideCommand::Taint(command) => wait(taint::run(config, command, json)),
    }
}

fn run_agent(config: &Config, command: RunCommand, json: bool) -> Outcome {
    match command {
        RunCommand::Demo { unattended } => demo::run(unattended),
        RunCommand::Wrap(args) => wrap::run(config, args, json),
    }
}

fn look(config: &Config, command: LookCommand, json: bool) -> Outcome {
    match command {
        LookCommand::Audit(command) => wait(audit::run(config, command, json)),
        LookCommand::Replay(args) => wait(replay::run(config, args)),
        LookCommand::Risk(args) => risk::run(config, args, json),
        LookCommand::Sessions { limit } => wait(sessions::list(config, limit, json)),
        LookCommand::Watch { session } => wait(watch::run(config, &session)),
    }
}

fn set_up(config: &Config, command: SetUpCommand, json: bool) -> Outcome {
    match command {
        SetUpCommand::Apply(args) => wait(apply::run(config, args, json)),
        SetUpCommand::Completions { shell } => generate::completions(shell),
        SetUpCommand::Config(ConfigCommand::Show) => show(config, json),
        SetUpCommand::Doctor => doctor::run(config, json),
        SetUpCommand::Setup { user: true, undo, yes, .. } => setup::run(config, undo, yes),
        SetUpCommand::Setup { reviewer, key, undo, purge, yes, .. } => {
            let (reviewers, keys) = (reviewer, key);
            service::run(config, &service::Wanted { reviewers, keys, undo, purge, yes })
        }
        SetUpCommand::Man { out } => generate::man(out.as_deref()),
        SetUpCommand::Policy(command) => wait(policy::run(config, command, json)),
        SetUpCommand::Rules(command) => wait(rules::run(config, command, json)),
        SetUpCommand::Webhook(command) => wait(webhook::run(config, command, json)),
    }
}

fn servers(config: &Config, command: ServersCommand, json: bool) -> Outcome {
    match command {
        ServersCommand::Agent(command) => wait(admin::agent(config, command, json)),
        ServersCommand::Broker(args) => servers::broker(config, args),
        ServersCommand::Down => daemon::down(config),
        ServersCommand::Gate(args) => match args.command {
            Some(command) => wait(admin::gate(config, command, json)),
            None => servers::gate(config, args),
        },
        ServersCommand::Reviewer(command) => wait(admin::reviewer(config, command, json)),
        ServersCommand::Status => local::status(config, json),
        ServersCommand::Target(command) => wait(admin::target(config, command, json)),
        ServersCommand::Up { foreground: true, detached, service } => {
            daemon::foreground(config, detached, service)
        }
        ServersCommand::Up { .. } => local::up(config, json),
    }
}

fn show(config: &Config, json: bool) -> Outcome {
    let shown = config.show()?;
    if json {
        print::json(&shown)?;
    } else {
        let rows: Vec<_> = shown.iter().map(Entry::row).collect();
        print::table(&["KEY", "VALUE", "FROM"], &rows)?;
    }
    Ok(0)
}

fn wait(work: impl Future<Output = Outcome>) -> Outcome {
    runtime::start()?.block_on(work)
}
