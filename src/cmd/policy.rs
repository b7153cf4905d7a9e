//! `expacti policy`.

use expacti_engine::{Context, Level, Policy, PolicyKind, PolicySet, assess};
use expacti_protocol::now_micros;

use crate::broker::Link;
use crate::cli::{LevelArg, PolicyAddArgs, PolicyCommand, PolicyType};
use crate::cmd::decide::urlencode;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::print;

/// Runs one of the subcommands on the running broker, or on the data directory when none runs.
pub(crate) async fn run(config: &Config, command: PolicyCommand, json: bool) -> Outcome {
    let link = Link::any(config).await?;
    let result = dispatch(&link, command, json).await;
    link.close().await;
    result
}

async fn dispatch(link: &Link, command: PolicyCommand, json: bool) -> Outcome {
    match command {
        PolicyCommand::Add(args) => {
            let policy: Policy = link.client.post("/v1/policies", &policy_of(args)?).await?;
            if json {
                print::json(&policy)?;
            } else {
                print::line(&format!("added {}  {}", policy.id, describe(&policy)))?;
            }
        }
        PolicyCommand::List => {
            let all: Vec<Policy> = link.client.get("/v1/policies").await?;
            if json {
                print::json(&all)?;
            } else if all.is_empty() {
                print::note("there are no policies: any one reviewer decides");
            } else {
                let rows: Vec<_> = all.iter().map(|p| vec![p.id.clone(), describe(p)]).collect();
                print::table(&["ID", "POLICY"], &rows)?;
            }
        }
        PolicyCommand::Remove { id } => {
            let policy: Policy =
                link.client.delete(&format!("/v1/policies/{}", urlencode(&id)?)).await?;
            if json {
                print::json(&policy)?;
            } else {
                print::line(&format!("removed {}  {}", policy.id, describe(&policy)))?;
            }
        }
        PolicyCommand::Test { command, target } => {
            let all: Vec<Policy> = link.client.get("/v1/policies").await?;
            let context = Context {
                target: target.unwrap_or_default(),
                now: now_micros(),
                ..Context::default()
            };
            let level = assess(command.as_bytes(), &context).level;
            let requirement = PolicySet::build(all)
                .map_err(|e| Failure::new(1, e.to_string()))?
                .select(command.as_bytes(), &context, level);
            if json {
                print::json(&requirement)?;
            } else {
                print::line(&format!(
                    "{}: {}",
                    print::level(level),
                    print::safe(&requirement.why)
                ))?;
                print::line(&format!("{} s to decide", requirement.timeout_seconds))?;
            }
        }
    }
    Ok(0)
}

fn policy_of(args: PolicyAddArgs) -> Result<Policy, Failure> {
    let kind = match args.kind {
        PolicyType::Any => PolicyKind::Any,
        PolicyType::Quorum => PolicyKind::Quorum,
        PolicyType::All => PolicyKind::All,
        PolicyType::Role => PolicyKind::Role,
    };
    let seconds = |text: Option<String>| text.map(|t| print::seconds(&t)).transpose();
    Ok(Policy {
        id: String::new(),
        kind,
        min: args.min,
        group: args.group,
        role: args.role,
        pattern: args.pattern,
        target: args.target,
        user: args.user,
        tags: Vec::new(),
        min_level: args.min_level.map(|l| match l {
            LevelArg::Low => Level::Low,
            LevelArg::Medium => Level::Medium,
            LevelArg::High => Level::High,
            LevelArg::Critical => Level::Critical,
        }),
        hours: None,
        timeout_seconds: seconds(args.timeout)?,
        escalate_after_seconds: seconds(args.escalate_after)?,
        escalate_to: args.escalate_to,
    })
}

fn describe(p: &Policy) -> String {
    let group = p.group.join(",");
    let who = match p.kind {
        PolicyKind::Any if group.is_empty() => "any reviewer".to_owned(),
        PolicyKind::Any => format!("any of {group}"),
        PolicyKind::Quorum => format!("{} of {group}", p.min),
        PolicyKind::All => format!("all of {group}"),
        PolicyKind::Role => format!("{} with role {}", p.min, p.role.as_deref().unwrap_or("?")),
    };
    let mut text = format!("{who} for {}", print::safe(&p.pattern));
    if let Some(target) = &p.target {
        text.push_str(&format!(" on {}", print::safe(target)));
    }
    if let Some(level) = p.min_level {
        text.push_str(&format!(" from {level}"));
    }
    if let Some(seconds) = p.timeout_seconds {
        text.push_str(&format!(" within {seconds} s"));
    }
    text
}
