//! `expacti rules test`: what the rules would do with a command, as the broker sees it.

use expacti_engine::{Context, Outcome, Policy, PolicySet, RuleSet, assess};
use expacti_protocol::http::RuleView;
use expacti_protocol::now_micros;

use crate::broker::Link;
use crate::failure::Failure;
use crate::print;

/// A command that would run now: for whom and where.
pub(super) fn context(
    agent: Option<String>,
    target: Option<String>,
    user: Option<String>,
    cwd: Option<String>,
) -> Context {
    Context {
        agent: agent.unwrap_or_default(),
        target: target.unwrap_or_default(),
        user: user.unwrap_or_default(),
        cwd,
        now: now_micros(),
        ..Context::default()
    }
}

/// Prints the verdict of the rules on a command.
pub(super) async fn test(
    link: &Link,
    command: &str,
    context: &Context,
    json: bool,
) -> Result<(), Failure> {
    let all: Vec<RuleView> = link.client.get("/v1/rules").await?;
    let set = RuleSet::build(all.iter().map(|view| view.rule.clone()).collect())
        .map_err(|e| Failure::failed(e.to_string()))?;
    let mut verdict = set.judge(command.as_bytes(), context);
    if verdict.verdict == Outcome::Allow
        && let Some(view) = all.iter().find(|view| Some(&view.rule.id) == verdict.rule.as_ref())
        && let Some(why) = missing_approvals(link, view, command, context).await?
    {
        verdict.verdict = Outcome::Review;
        verdict.why = why;
    }
    if json {
        return Ok(print::json(&verdict)?);
    }
    let word = match verdict.verdict {
        Outcome::Allow => "allow",
        Outcome::Deny => "deny",
        Outcome::Review => "review",
    };
    let rule = verdict.rule.map(|r| format!(" by {r}")).unwrap_or_default();
    Ok(print::line(&format!("{word}{rule}: {}", print::safe(&verdict.why)))?)
}

/// Why a rule that allows is not enough for this command: too few of those whom the policies ask
/// have approved the rule. The owner of the agent is not known here.
async fn missing_approvals(
    link: &Link,
    view: &RuleView,
    command: &str,
    context: &Context,
) -> Result<Option<String>, Failure> {
    // A rule of an earlier version names its author alone, and the broker knows their role.
    if view.approvals.is_empty() {
        return Ok(None);
    }
    let all: Vec<Policy> = link.client.get("/v1/policies").await?;
    let set = PolicySet::build(all).map_err(|e| Failure::failed(e.to_string()))?;
    let level = assess(command.as_bytes(), context).level;
    let requirement = set.select(command.as_bytes(), context, level);
    Ok(view.gap(&requirement, &context.agent, None))
}
