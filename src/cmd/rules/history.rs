//! `expacti rules backtest`, `suggest`: rules beside what people have decided so far.

use expacti_engine::{Approved, Context, Rule, Suggestion, caution};
use expacti_protocol::command::{CommandState, CommandView, ItemKind};
use expacti_protocol::now_micros;

use super::rule::{add_command, describe, from_args};
use crate::broker::Link;
use crate::cli::RuleAddArgs;
use crate::failure::Failure;
use crate::print;

/// In microseconds.
const HOUR: i64 = 3600 * 1_000_000;

/// Shows which recorded commands a rule would have matched.
pub(super) async fn backtest(link: &Link, args: RuleAddArgs, json: bool) -> Result<(), Failure> {
    let result = expacti_engine::backtest(&from_args(args)?, &history(link).await?);
    if json {
        return Ok(print::json(&result)?);
    }
    print::line(&format!(
        "{} of {} recorded commands match; {} of them were decided otherwise by people",
        result.matched, result.total, result.against_people
    ))?;
    for example in &result.examples {
        print::line(&format!("  {}", print::safe(example)))?;
    }
    Ok(())
}

/// Suggests rules for what was approved repeatedly.
pub(super) async fn suggest(link: &Link, json: bool) -> Result<(), Failure> {
    let rules: Vec<Rule> = link.client.get("/v1/rules").await?;
    let found = expacti_engine::suggest(&history(link).await?, &rules, now_micros());
    if json {
        return Ok(print::json(&found)?);
    }
    if found.rules.is_empty() {
        print::note("nothing was approved often enough to propose a rule for it");
        return Ok(());
    }
    found.rules.iter().try_for_each(print_suggestion)?;
    print::note(&format!(
        "together they would have spared {} of the last {} decisions",
        found.spared, found.of
    ));
    Ok(())
}

/// Whether a person decided, and neither a rule nor the system.
pub(super) fn is_a_person(decided_by: &str) -> bool {
    !decided_by.starts_with("system:") && !decided_by.starts_with("whitelist:")
}

/// What people have decided so far, in the engine's terms.
async fn history(link: &Link) -> Result<Vec<Approved>, Failure> {
    let all: Vec<CommandView> = link.client.get("/v1/commands?limit=10000").await?;
    Ok(all
        .into_iter()
        .filter(|c| c.masked.is_none() && c.decided_by.is_some())
        .filter(|c| !matches!(c.state, CommandState::Pending | CommandState::Withdrawn))
        .filter(|c| c.decided_by.as_deref().is_some_and(is_a_person))
        .filter_map(|c| {
            Some(Approved {
                command: c.text.bytes().ok()?,
                context: Context {
                    agent: c.session.agent,
                    target: c.session.target,
                    user: c.session.user,
                    cwd: Some(c.cwd),
                    pty: c.pty.is_some(),
                    in_shell: c.kind != ItemKind::Exec,
                    // Where a path leads is seen when a line comes; here it counts as being where it says.
                    resolves_paths: c.kind == ItemKind::Exec,
                    shell: c.shell.map(|shell| shell.as_str().to_owned()),
                    now: c.timestamp.saturating_mul(1_000_000),
                    ..Context::default()
                },
                allowed: c.allow == Some(true),
            })
        })
        .collect())
}

/// One suggested rule, with the command that adds it.
fn print_suggestion(suggestion: &Suggestion) -> Result<(), Failure> {
    let rule = &suggestion.rule;
    print::line(&format!("{}  covers {} approvals by people", describe(rule), suggestion.covers))?;
    for example in suggestion.examples.iter().take(3) {
        print::line(&format!("    {}", print::safe(example)))?;
    }
    let ends = rule.expires_at.map_or(0, |end| end.saturating_sub(rule.created_at));
    let hours = ends / HOUR;
    let ttl = if hours % 24 == 0 { format!("{}d", hours / 24) } else { format!("{hours}h") };
    print::line(&format!("    {} --ttl {ttl}", add_command(rule)))?;
    if let Some(caution) = caution(rule) {
        print::line(&format!("    {}", print::warning(&print::safe(&caution.describe()))))?;
    }
    Ok(())
}
