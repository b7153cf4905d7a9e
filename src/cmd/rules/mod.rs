//! `expacti rules`.

mod change;
mod history;
mod list;
mod report;
mod rule;
mod sign;
mod verdict;

pub(crate) use sign::note_unsigned;

use crate::broker::Link;
use crate::cli::RulesCommand;
use crate::config::Config;
use crate::failure::{Failure, Outcome};

/// Runs one of the subcommands on the running broker, or on the data directory when none runs.
pub(crate) async fn run(config: &Config, command: RulesCommand, json: bool) -> Outcome {
    if let RulesCommand::Sign { key, yes } = command {
        let key = crate::signing::key(config, key)?;
        return sign::sign(&Link::running(config)?, key, yes, json).await.map(|()| 0);
    }
    let link = Link::running_or_offline(config).await?;
    let changes = matches!(
        command,
        RulesCommand::Add(_)
            | RulesCommand::Approve { .. }
            | RulesCommand::Cover { .. }
            | RulesCommand::Defaults
            | RulesCommand::Import { .. }
            | RulesCommand::Remove { .. }
    );
    let result = dispatch(&link, command, json).await;
    if changes && result.is_ok() {
        note_unsigned(&link).await;
    }
    link.close().await;
    result.map(|()| 0)
}

async fn dispatch(link: &Link, command: RulesCommand, json: bool) -> Result<(), Failure> {
    match command {
        RulesCommand::Add(args) => change::add(link, args, json).await,
        RulesCommand::Approve { id } => change::approve(link, &id, json).await,
        RulesCommand::Backtest(args) => history::backtest(link, args, json).await,
        RulesCommand::Cover { id, cover } => change::cover(link, &id, &cover, json).await,
        RulesCommand::Defaults => change::defaults(link, json).await,
        RulesCommand::Export => list::list(link, true).await,
        RulesCommand::Import { file } => change::import(link, &file, json).await,
        RulesCommand::List => list::list(link, json).await,
        RulesCommand::Remove { id } => change::remove(link, &id, json).await,
        RulesCommand::Report { since } => report::report(link, &since, json).await,
        // It needs the broker that passes it on to the gates.
        RulesCommand::Sign { .. } => Err(Failure::failed("only a running broker passes rules on")),
        RulesCommand::Suggest => history::suggest(link, json).await,
        RulesCommand::Test(args) => verdict::test(link, args, json).await,
    }
}
