//! `expacti rules test`: what the rules would do with a command, as the broker sees it.

use std::io::{BufRead as _, BufWriter, Write as _};

use expacti_engine::{
    CommandVerdict, Context, Covered, Outcome, Policy, PolicySet, RuleSet, RuleVerdict, assess,
};
use expacti_protocol::http::RuleView;
use expacti_protocol::now_micros;
use serde::{Deserialize, Serialize};

use crate::broker::Link;
use crate::cli::RuleTestArgs;
use crate::failure::Failure;
use crate::print;

/// A command that would run now, for whom and where; what is missing is as the arguments say.
#[derive(Deserialize)]
struct Question {
    command: String,
    agent: Option<String>,
    target: Option<String>,
    user: Option<String>,
    cwd: Option<String>,
    terminal: Option<bool>,
}

/// What the rules say, of the line and of each command in it.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    verdict: RuleVerdict,
    commands: Vec<CommandVerdict>,
}

/// The rules and policies as they are now.
struct Now {
    rules: RuleSet,
    views: Vec<RuleView>,
    policies: PolicySet,
}

impl Now {
    async fn get(link: &Link) -> Result<Self, Failure> {
        let views: Vec<RuleView> = link.client.get("/v1/rules").await?;
        let rules = RuleSet::build(views.iter().map(|view| view.rule.clone()).collect())
            .map_err(|e| Failure::failed(e.to_string()))?;
        let policies: Vec<Policy> = link.client.get("/v1/policies").await?;
        let policies = PolicySet::build(policies).map_err(|e| Failure::failed(e.to_string()))?;
        Ok(Self { rules, views, policies })
    }

    fn judge(&self, command: &str, context: &Context) -> Answer {
        let mut verdict = self.rules.judge(command.as_bytes(), context);
        let commands = self.rules.explain(command.as_bytes(), context);
        if verdict.verdict == Outcome::Allow {
            let by_part = commands.iter().filter_map(|command| command.by.as_ref());
            let by = verdict.rule.iter().chain(by_part);
            let gap = by
                .filter_map(|id| self.views.iter().find(|view| view.rule.id == *id))
                .find_map(|view| self.missing_approvals(view, command, context));
            if let Some(why) = gap {
                verdict.verdict = Outcome::Review;
                verdict.why = why;
            }
        }
        Answer { verdict, commands }
    }

    /// Why a rule that allows is not enough for this command: too few of those whom the policies ask
    /// have approved the rule. The owner of the agent is not known here.
    fn missing_approvals(
        &self,
        view: &RuleView,
        command: &str,
        context: &Context,
    ) -> Option<String> {
        // A rule of an earlier version names its author alone, and the broker knows their role.
        if view.approvals.is_empty() {
            return None;
        }
        let level = assess(command.as_bytes(), context).level;
        let requirement = self.policies.select(command.as_bytes(), context, level);
        view.gap(&requirement, &context.agent, None)
    }
}

/// Prints the verdict of the rules on a command, or on every line of standard input.
pub(super) async fn test(link: &Link, args: RuleTestArgs, json: bool) -> Result<(), Failure> {
    let now = Now::get(link).await?;
    let context = |question: &Question| Context {
        agent: question.agent.clone().or_else(|| args.agent.clone()).unwrap_or_default(),
        target: question.target.clone().or_else(|| args.target.clone()).unwrap_or_default(),
        user: question.user.clone().or_else(|| args.user.clone()).unwrap_or_default(),
        cwd: question.cwd.clone().or_else(|| args.cwd.clone()),
        shell: Some(args.shell.clone()),
        pty: question.terminal.unwrap_or(args.terminal),
        now: now_micros(),
        // The gate looks when the line is really to run.
        resolves_paths: true,
        ..Context::default()
    };
    if let Some(command) = args.command.clone() {
        let question =
            Question { command, agent: None, target: None, user: None, cwd: None, terminal: None };
        let answer = now.judge(&question.command, &context(&question));
        return if json { Ok(print::json(&answer)?) } else { show(&answer) };
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let question: Question = serde_json::from_str(&line).map_err(|e| {
            Failure::failed(format!("line {} of standard input is not a command: {e}", number + 1))
        })?;
        let answer = now.judge(&question.command, &context(&question));
        if json {
            serde_json::to_writer(&mut out, &answer)?;
            writeln!(out)?;
        } else {
            let word = word(answer.verdict.verdict);
            writeln!(out, "{word:6} {}", print::safe(&question.command))?;
        }
    }
    Ok(out.flush()?)
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Allow => "allow",
        Outcome::Deny => "deny",
        Outcome::Review => "review",
    }
}

fn show(answer: &Answer) -> Result<(), Failure> {
    let verdict = &answer.verdict;
    let rule = verdict.rule.as_ref().map(|r| format!(" by {r}")).unwrap_or_default();
    print::line(&format!("{}{rule}: {}", word(verdict.verdict), print::safe(&verdict.why)))?;
    match &verdict.stdin {
        Covered::No => {}
        Covered::Any => print::line("  with any standard input")?,
        Covered::Digest(all) => all.iter().try_for_each(|one| {
            print::line(&format!("  with standard input of SHA-256 {} ({})", one.sha256, one.rule))
        })?,
    }
    if answer.commands.len() > 1 {
        for command in &answer.commands {
            let by = command.by.as_deref().unwrap_or("-");
            let (word, text) = (word(command.verdict), print::safe(&command.text));
            let why = if command.by.is_some() {
                String::new()
            } else {
                format!("  ({})", print::safe(&command.why))
            };
            print::line(&format!("  {word:6} {by:12} {text}{why}"))?;
        }
    }
    Ok(())
}
