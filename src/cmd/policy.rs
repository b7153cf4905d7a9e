//! `expacti policy`.

use expacti_engine::{Context, Level, Policy, PolicyKind, PolicySet, assess};
use expacti_protocol::http::{Action, Change, Changed, Step};
use expacti_protocol::now_micros;

use crate::broker::Link;
use crate::cli::{LevelArg, PolicyAddArgs, PolicyCommand, PolicyType};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::{print, segment, units};

/// Runs one of the subcommands on the running broker, or on the data directory when none runs.
pub(crate) async fn run(config: &Config, command: PolicyCommand, json: bool) -> Outcome {
    let link = Link::running_or_offline(config).await?;
    let changes = matches!(
        command,
        PolicyCommand::Add(_) | PolicyCommand::Remove { .. } | PolicyCommand::Approve { .. }
    );
    let result = dispatch(&link, command, json).await;
    if changes && result.is_ok() {
        super::rules::note_unsigned(&link).await;
    }
    link.close().await;
    result.map(|()| 0)
}

async fn dispatch(link: &Link, command: PolicyCommand, json: bool) -> Result<(), Failure> {
    match command {
        PolicyCommand::Add(args) => add(link, args, json).await,
        PolicyCommand::Approve { change } => approve(link, &change, json).await,
        PolicyCommand::Changes => changes(link, json).await,
        PolicyCommand::List => list(link, json).await,
        PolicyCommand::Reject { change } => reject(link, &change, json).await,
        PolicyCommand::Remove { id } => remove(link, &id, json).await,
        PolicyCommand::Test { command, target, user, tag } => {
            let context = Context {
                target: target.unwrap_or_default(),
                user: user.unwrap_or_default(),
                tags: tag,
                now: now_micros(),
                ..Context::default()
            };
            test(link, &command, &context, json).await
        }
    }
}

async fn add(link: &Link, args: PolicyAddArgs, json: bool) -> Result<(), Failure> {
    let answer: Changed<Policy> = link.client.post("/v1/policies", &policy_of(args)?).await?;
    changed(&answer, json, |p| format!("added {}  {}", p.id, describe(p)))
}

async fn approve(link: &Link, change: &str, json: bool) -> Result<(), Failure> {
    let path = format!("/v1/changes/{}/approve", segment::id(change)?);
    let answer: Changed<Change> = link.client.post(&path, &()).await?;
    changed(&answer, json, |change| format!("done: {}", action(change)))
}

async fn changes(link: &Link, json: bool) -> Result<(), Failure> {
    let all: Vec<Change> = link.client.get("/v1/changes").await?;
    if json {
        return Ok(print::json(&all)?);
    }
    if all.is_empty() {
        print::note("no change waits for approval");
        return Ok(());
    }
    let rows: Vec<_> = all
        .iter()
        .map(|c| {
            vec![
                c.id.to_string(),
                print::safe(&c.by),
                format!("{} of {}", c.missing, print::safe(&c.may_approve.join(","))),
                action(c),
            ]
        })
        .collect();
    Ok(print::table(&["ID", "BY", "MISSING", "CHANGE"], &rows)?)
}

async fn list(link: &Link, json: bool) -> Result<(), Failure> {
    let all: Vec<Policy> = link.client.get("/v1/policies").await?;
    if json {
        return Ok(print::json(&all)?);
    }
    if all.is_empty() {
        print::note("there are no policies: any one reviewer decides");
        return Ok(());
    }
    let rows: Vec<_> = all.iter().map(|p| vec![p.id.clone(), describe(p)]).collect();
    Ok(print::table(&["ID", "POLICY"], &rows)?)
}

async fn reject(link: &Link, change: &str, json: bool) -> Result<(), Failure> {
    let path = format!("/v1/changes/{}", segment::id(change)?);
    let change: Change = link.client.delete(&path).await?;
    if json {
        print::json(&change)?;
    } else {
        print::line(&format!("dropped: {}", action(&change)))?;
    }
    Ok(())
}

async fn remove(link: &Link, id: &str, json: bool) -> Result<(), Failure> {
    let path = format!("/v1/policies/{}", segment::id(id)?);
    let answer: Changed<Policy> = link.client.delete(&path).await?;
    changed(&answer, json, |p| format!("removed {}  {}", p.id, describe(p)))
}

async fn test(link: &Link, command: &str, context: &Context, json: bool) -> Result<(), Failure> {
    let all: Vec<Policy> = link.client.get("/v1/policies").await?;
    let level = assess(command.as_bytes(), context).level;
    let requirement = PolicySet::build(all).map_err(|e| Failure::failed(e.to_string()))?.select(
        command.as_bytes(),
        context,
        level,
    );
    if json {
        print::json(&requirement)?;
    } else {
        print::line(&format!("{}: {}", print::level(level), print::safe(&requirement.why)))?;
        print::line(&format!("{} s to decide", requirement.timeout_seconds))?;
    }
    Ok(())
}

/// Says that something is done, or whose approval it waits for.
pub(crate) fn changed<T: serde::Serialize>(
    answer: &Changed<T>,
    json: bool,
    done: impl FnOnce(&T) -> String,
) -> Result<(), Failure> {
    if json {
        print::json(answer)?;
        return Ok(());
    }
    match answer {
        Changed::Done(what) => print::line(&done(what))?,
        Changed::Waiting { change } => print::line(&waiting(change))?,
    }
    Ok(())
}

/// What a change waits for. Prints the reasons on standard error.
pub(crate) fn waiting(change: &Change) -> String {
    for why in &change.needs {
        print::note(&print::safe(why));
    }
    let plural = if change.missing == 1 { "approval" } else { "approvals" };
    format!(
        "needs {} more {plural}: {}: expacti policy approve {}",
        change.missing,
        print::safe(&change.may_approve.join(", ")),
        change.id
    )
}

fn action(change: &Change) -> String {
    match &change.action {
        Action::AddPrincipal { principal, .. } => {
            let owner = principal.owner.as_deref().map(|o| format!(", owner {}", print::safe(o)));
            format!(
                "add {} {}{}",
                principal.role,
                print::safe(&principal.name),
                owner.unwrap_or_default()
            )
        }
        Action::AddPolicy { policy } => format!("add policy {}", describe(policy)),
        Action::Apply { steps } => {
            let steps: Vec<String> = steps.iter().map(say).collect();
            format!("apply: {}", steps.join("; "))
        }
        Action::AddSigningKey { person, public_key } => {
            format!("let {} sign with {}", print::safe(person), print::safe(public_key))
        }
        Action::SetTarget { target } => print::safe(&format!("set target {target}")),
        Action::RemoveTarget { target } => print::safe(&format!("remove target {target}")),
        Action::RemovePolicy { policy } => {
            format!("remove policy {}  {}", policy.id, describe(policy))
        }
        Action::RemoveRule { rule } => {
            format!("remove rule {}  deny {}", rule.id, print::safe(&rule.pattern))
        }
    }
}

/// One step, on one line.
pub(super) fn say(step: &Step) -> String {
    match step {
        Step::AddPolicy { policy } => format!("+ policy {}", describe(policy)),
        Step::RemovePolicy { policy } => {
            format!("- policy {}  {}", policy.id, describe(policy))
        }
        other => print::safe(&other.to_string()),
    }
}

/// `22-6` as hours of the day.
fn hours(text: &str) -> Result<(u8, u8), Failure> {
    let wrong = || Failure::usage(format!("{text:?} are no hours: write 22-6, in UTC"));
    let (from, to) = text.split_once('-').ok_or_else(wrong)?;
    match (from.trim().parse(), to.trim().parse()) {
        (Ok(from @ 0..=23), Ok(to @ 0..=24)) => Ok((from, to)),
        _ => Err(wrong()),
    }
}

fn policy_of(args: PolicyAddArgs) -> Result<Policy, Failure> {
    let kind = match args.kind {
        PolicyType::Any => PolicyKind::Any,
        PolicyType::Quorum => PolicyKind::Quorum,
        PolicyType::All => PolicyKind::All,
        PolicyType::Role => PolicyKind::Role,
    };
    let seconds = |text: Option<String>| text.map(|t| units::seconds(&t)).transpose();
    Ok(Policy {
        id: String::new(),
        kind,
        min: args.min,
        group: args.group,
        role: args.role,
        pattern: args.pattern,
        effects: args.effect,
        target: args.target,
        user: args.user,
        tags: args.tag,
        min_level: args.min_level.map(|l| match l {
            LevelArg::Low => Level::Low,
            LevelArg::Medium => Level::Medium,
            LevelArg::High => Level::High,
            LevelArg::Critical => Level::Critical,
        }),
        hours: args.hours.as_deref().map(hours).transpose()?,
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
    let about = if p.effects.is_empty() { p.pattern.clone() } else { p.effects.join(", ") };
    let mut text = format!("{who} for {}", print::safe(&about));
    if let Some(target) = &p.target {
        text.push_str(&format!(" on {}", print::safe(target)));
    }
    if !p.tags.is_empty() {
        text.push_str(&format!(" tagged {}", print::safe(&p.tags.join(","))));
    }
    if let Some((from, to)) = p.hours {
        text.push_str(&format!(" from {from} to {to} h UTC"));
    }
    if let Some(level) = p.min_level {
        text.push_str(&format!(" from {level}"));
    }
    if let Some(seconds) = p.timeout_seconds {
        text.push_str(&format!(" within {seconds} s"));
    }
    if let Some(seconds) = p.escalate_after_seconds {
        let to = print::safe(&p.escalate_to.join(","));
        text.push_str(&format!(", after {seconds} s also {to}"));
    }
    text
}
