//! `expacti rules`.

use std::io::Read as _;

use expacti_engine::{
    Approved, Context, Effect, MatchKind, Outcome as RuleOutcome, Policy, PolicySet, Rule, RuleSet,
    Scope, Suggestion, Tally, Vote, Voter, assess, backtest, default_rules, suggest, tally,
};
use expacti_protocol::command::{CommandState, CommandView};
use expacti_protocol::http::{Changed, RuleView};
use expacti_protocol::now_micros;
use expacti_protocol::principal::Role;

use crate::broker::Link;
use crate::cli::{RuleAddArgs, RulesCommand};
use crate::cmd::decide::urlencode;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::print;

/// Rules of one request to the broker, which takes no more at once.
const IMPORT: usize = 1000;

/// Runs one of the subcommands on the running broker, or on the data directory when none runs.
pub(crate) async fn run(config: &Config, command: RulesCommand, json: bool) -> Outcome {
    let link = Link::any(config).await?;
    let result = dispatch(&link, command, json).await;
    link.close().await;
    result
}

async fn dispatch(link: &Link, command: RulesCommand, json: bool) -> Outcome {
    match command {
        RulesCommand::Add(args) => {
            let view: RuleView = link.client.post("/v1/rules", &rule_of(args)?).await?;
            added(&view, json)?;
            if !json && view.rule.effect == Effect::Allow {
                note_policies(link, &view).await?;
            }
        }
        RulesCommand::Approve { id } => {
            let path = format!("/v1/rules/{}/approve", urlencode(&id)?);
            let view: RuleView = link.client.post(&path, &()).await?;
            if json {
                print::json(&view)?;
            } else {
                print::line(&format!(
                    "approved {}  {}  by {}",
                    view.rule.id,
                    describe(&view.rule),
                    print::safe(&people(&view))
                ))?;
            }
        }
        RulesCommand::Backtest(args) => {
            let result = backtest(&rule_of(args)?, &history(link).await?);
            if json {
                print::json(&result)?;
            } else {
                print::line(&format!(
                    "{} of {} recorded commands match; {} of them were decided otherwise by people",
                    result.matched, result.total, result.against_people
                ))?;
                for example in &result.examples {
                    print::line(&format!("  {}", print::safe(example)))?;
                }
            }
        }
        RulesCommand::Defaults => {
            for rule in default_rules() {
                let view: RuleView = link.client.post("/v1/rules", &rule).await?;
                if !json {
                    added(&view, false)?;
                }
            }
            if json {
                list(link, true).await?;
            }
        }
        RulesCommand::Export => print::json(&rules(link).await?)?,
        RulesCommand::Import { file } => {
            let mut text = String::new();
            if file.as_os_str() == "-" {
                std::io::stdin().read_to_string(&mut text)?;
            } else {
                text = std::fs::read_to_string(&file).map_err(|e| {
                    Failure::new(1, format!("failed to read {}: {e}", file.display()))
                })?;
            }
            let all: Vec<Rule> = serde_json::from_str(&text)
                .map_err(|e| Failure::new(1, format!("{} holds no rules: {e}", file.display())))?;
            // All or none as far as can be told before: check each before the first is added.
            for rule in &all {
                expacti_engine::check_rule(rule).map_err(|e| Failure::new(1, e.to_string()))?;
            }
            let mut done = Vec::new();
            for part in all.chunks(IMPORT) {
                let added: Result<Vec<Rule>, _> = link.client.post("/v1/rules/import", &part).await;
                done.extend(added.map_err(|e| {
                    Failure::new(
                        e.exit_status(),
                        format!("{e}; {} of {} rules were added", done.len(), all.len()),
                    )
                })?);
            }
            if json {
                print::json(&done)?;
            } else {
                print::line(&format!("added {} rules", done.len()))?;
            }
        }
        RulesCommand::List => list(link, json).await?,
        RulesCommand::Remove { id } => {
            let answer: Changed<Rule> =
                link.client.delete(&format!("/v1/rules/{}", urlencode(&id)?)).await?;
            super::policy::changed(&answer, json, |rule| {
                format!("removed {}  {}", rule.id, print::safe(&rule.pattern))
            })?;
        }
        RulesCommand::Suggest => {
            let all = suggest(&history(link).await?, now_micros());
            if json {
                print::json(&all)?;
            } else if all.is_empty() {
                print::note("nothing was approved often enough to propose a rule for it");
            } else {
                for suggestion in &all {
                    suggested(suggestion)?;
                }
            }
        }
        RulesCommand::Test { command, target, agent, user, cwd } => {
            let context = Context {
                agent: agent.unwrap_or_default(),
                target: target.unwrap_or_default(),
                user: user.unwrap_or_default(),
                cwd,
                now: now_micros(),
                ..Context::default()
            };
            let all: Vec<RuleView> = link.client.get("/v1/rules").await?;
            let set = RuleSet::build(all.iter().map(|view| view.rule.clone()).collect())
                .map_err(|e| Failure::new(1, e.to_string()))?;
            let mut verdict = set.judge(command.as_bytes(), &context);
            if verdict.verdict == RuleOutcome::Allow
                && let Some(view) =
                    all.iter().find(|view| Some(&view.rule.id) == verdict.rule.as_ref())
                && let Some(why) = gap(link, view, &command, &context).await?
            {
                verdict.verdict = RuleOutcome::Review;
                verdict.why = why;
            }
            if json {
                print::json(&verdict)?;
            } else {
                let word = match verdict.verdict {
                    RuleOutcome::Allow => "allow",
                    RuleOutcome::Deny => "deny",
                    RuleOutcome::Review => "review",
                };
                let rule = verdict.rule.map(|r| format!(" by {r}")).unwrap_or_default();
                print::line(&format!("{word}{rule}: {}", print::safe(&verdict.why)))?;
            }
        }
    }
    Ok(0)
}

async fn rules(link: &Link) -> Result<Vec<Rule>, Failure> {
    Ok(link.client.get("/v1/rules").await?)
}

/// What people have decided so far, as the engine wants to see it.
async fn history(link: &Link) -> Result<Vec<Approved>, Failure> {
    let all: Vec<CommandView> = link.client.get("/v1/commands?limit=10000").await?;
    Ok(all
        .into_iter()
        .filter(|c| c.masked.is_none() && c.decided_by.is_some())
        .filter(|c| !matches!(c.state, CommandState::Pending | CommandState::Withdrawn))
        .filter(|c| !c.decided_by.as_deref().is_some_and(|by| by.starts_with("system:")))
        .filter_map(|c| {
            Some(Approved {
                command: c.text.bytes().ok()?,
                context: Context {
                    agent: c.session.agent,
                    target: c.session.target,
                    user: c.session.user,
                    cwd: Some(c.cwd),
                    pty: c.pty.is_some(),
                    now: c.timestamp.saturating_mul(1_000_000),
                    ..Context::default()
                },
                allowed: c.allow == Some(true),
            })
        })
        .collect())
}

fn rule_of(args: RuleAddArgs) -> Result<Rule, Failure> {
    let (kind, pattern) = match (args.pattern.exact, args.pattern.glob, args.pattern.regex) {
        (Some(text), _, _) => (MatchKind::Exact, text),
        (_, Some(text), _) => (MatchKind::Glob, text),
        (_, _, Some(text)) => (MatchKind::Regex, text),
        _ => return Err(Failure::usage("one of --exact, --glob and --regex is needed")),
    };
    let now = now_micros();
    let expires_at = match args.ttl {
        Some(ttl) => {
            let micros =
                i64::try_from(print::seconds(&ttl)?.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
            Some(now.saturating_add(micros))
        }
        None => None,
    };
    Ok(Rule {
        id: String::new(),
        kind,
        pattern,
        effect: if args.deny { Effect::Deny } else { Effect::Allow },
        scope: Scope { agent: args.agent, target: args.target, user: args.user, cwd: args.cwd },
        reason: args.reason,
        author: String::new(),
        created_at: now,
        expires_at,
        hits: 0,
    })
}

/// Why those who stand for a rule are not enough for it to allow this command, as the broker sees
/// it when the person behind the agent is none of them.
async fn gap(
    link: &Link,
    view: &RuleView,
    command: &str,
    context: &Context,
) -> Result<Option<String>, Failure> {
    let all: Vec<Policy> = link.client.get("/v1/policies").await?;
    let set = PolicySet::build(all).map_err(|e| Failure::new(1, e.to_string()))?;
    let level = assess(command.as_bytes(), context).level;
    let requirement = set.select(command.as_bytes(), context, level);
    let votes: Vec<Vote> = view
        .approvals
        .iter()
        .map(|approval| {
            let mut roles = vec![approval.role.as_str().to_owned()];
            if approval.role == Role::Owner {
                roles.push(Role::Admin.as_str().to_owned());
            }
            Vote { voter: Voter { person: approval.by.clone(), roles }, allow: true }
        })
        .collect();
    Ok(match tally(&requirement, &votes) {
        Tally::Open { have, need, .. } if !votes.is_empty() => Some(format!(
            "rule {} allows it, but {}; {} more must approve the rule",
            view.rule.id,
            requirement.why,
            need.saturating_sub(have)
        )),
        _ => None,
    })
}

fn people(view: &RuleView) -> String {
    view.approvals.iter().map(|a| a.by.as_str()).collect::<Vec<_>>().join(", ")
}

/// Says where the new rule does not hold yet.
async fn note_policies(link: &Link, view: &RuleView) -> Result<(), Failure> {
    let all: Vec<Policy> = link.client.get("/v1/policies").await?;
    let Ok(set) = PolicySet::build(all) else { return Ok(()) };
    for requirement in set.touching(view.rule.program()) {
        if requirement.needed() > 1 {
            print::note(&format!(
                "where {} asks, the rule allows once enough of them stand for it: expacti rules approve {}",
                print::safe(&requirement.why),
                view.rule.id
            ));
        }
    }
    Ok(())
}

fn added(view: &RuleView, json: bool) -> Result<(), Failure> {
    let rule = &view.rule;
    if json {
        print::json(view)?;
    } else {
        print::line(&format!("added {}  {}", rule.id, describe(rule)))?;
        if rule.expires_at.is_none() && rule.effect == Effect::Allow {
            print::note("this rule has no end; --ttl 7d gives it one");
        }
    }
    Ok(())
}

fn describe(rule: &Rule) -> String {
    let kind = match rule.kind {
        MatchKind::Exact => "exact",
        MatchKind::Glob => "glob",
        MatchKind::Regex => "regex",
    };
    let effect = if rule.effect == Effect::Deny { "deny" } else { "allow" };
    format!("{effect} {kind} {}", print::safe(&rule.pattern))
}

async fn list(link: &Link, json: bool) -> Result<(), Failure> {
    let all = rules(link).await?;
    if json {
        return Ok(print::json(&all)?);
    }
    if all.is_empty() {
        print::note("there are no rules: every command is reviewed");
        return Ok(());
    }
    let rows: Vec<_> = all
        .iter()
        .map(|r| {
            let scope: Vec<String> = [
                ("agent", &r.scope.agent),
                ("target", &r.scope.target),
                ("user", &r.scope.user),
                ("cwd", &r.scope.cwd),
            ]
            .iter()
            .filter_map(|(n, v)| v.as_ref().map(|v| format!("{n}={}", print::safe(v))))
            .collect();
            vec![
                r.id.clone(),
                r.hits.to_string(),
                r.expires_at.map_or_else(
                    || "never".to_owned(),
                    |t| print::span((t - now_micros()) / 1_000_000),
                ),
                if scope.is_empty() { "all".to_owned() } else { scope.join(" ") },
                print::safe(&r.author),
                describe(r),
            ]
        })
        .collect();
    print::table(&["ID", "HITS", "ENDS", "SCOPE", "AUTHOR", "RULE"], &rows)?;
    Ok(())
}

/// One proposed rule, with the command that adds it.
fn suggested(suggestion: &Suggestion) -> Result<(), Failure> {
    let rule = &suggestion.rule;
    print::line(&format!("{}  covers {} approvals by people", describe(rule), suggestion.covers))?;
    for example in suggestion.examples.iter().take(3) {
        print::line(&format!("    {}", print::safe(example)))?;
    }
    let quoted = |text: &str| format!("'{}'", print::safe(text).replace('\'', "'\\''"));
    let kind = if rule.kind == MatchKind::Exact { "--exact" } else { "--glob" };
    let mut line = format!("    expacti rules add {kind} {} --ttl 30d", quoted(&rule.pattern));
    for (name, value) in [("agent", &rule.scope.agent), ("target", &rule.scope.target)] {
        if let Some(value) = value {
            line.push_str(&format!(" --{name} {}", quoted(value)));
        }
    }
    print::line(&line)?;
    Ok(())
}
