//! `expacti taint`: accounts in which what only looks is asked about.

use expacti_protocol::taint::{ClearTaint, TaintView};

use crate::broker::Link;
use crate::cli::TaintCommand;
use crate::config::Config;
use crate::failure::Outcome;
use crate::print;

/// Runs one of the subcommands.
pub(crate) async fn run(config: &Config, command: TaintCommand, json: bool) -> Outcome {
    let link = Link::running(config)?;
    match command {
        TaintCommand::List => list(&link, json).await,
        TaintCommand::Clear { account } => clear(&link, &account, json).await,
    }
}

async fn list(link: &Link, json: bool) -> Outcome {
    let all: Vec<TaintView> = link.client.get("/v1/taints").await?;
    if json {
        print::json(&all)?;
        return Ok(0);
    }
    if all.is_empty() {
        print::note("nothing: what only looks is trusted wherever a rule says so");
        return Ok(0);
    }
    let rows: Vec<_> = all
        .iter()
        .map(|taint| {
            let counts = if taint.in_force { "now" } else { "when its rule ends" };
            vec![
                format!("{}/{}", print::safe(&taint.target), print::safe(&taint.user)),
                counts.to_owned(),
                taint.command_id.to_string(),
                print::safe(&taint.why),
                print::safe(&taint.command),
            ]
        })
        .collect();
    print::table(&["ACCOUNT", "COUNTS", "SINCE", "WHY", "COMMAND"], &rows)?;
    Ok(0)
}

async fn clear(link: &Link, account: &str, json: bool) -> Outcome {
    let (target, user) = match account.split_once('/') {
        Some((target, user)) => (target, Some(user.to_owned())),
        None => (account, None),
    };
    let body = ClearTaint { target: target.to_owned(), user };
    let cleared: Vec<TaintView> = link.client.post("/v1/taints/clear", &body).await?;
    if json {
        print::json(&cleared)?;
        return Ok(0);
    }
    for taint in &cleared {
        let (target, user) = (print::safe(&taint.target), print::safe(&taint.user));
        print::line(&format!("trusted again {target}/{user}  {}", print::safe(&taint.command)))?;
    }
    Ok(0)
}
