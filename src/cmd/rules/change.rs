//! `expacti rules add`, `approve`, `defaults`, `import`, `remove`.

use std::io::Read as _;
use std::path::Path;

use expacti_engine::{Caution, Effect, MatchKind, Policy, PolicySet, Rule, caution, default_rules};
use expacti_protocol::http::{Changed, RuleCover, RuleView, RulesEnsured};

use super::list::list;
use super::rule::{add_command, describe, from_args, stdin_of};
use crate::broker::Link;
use crate::cli::{CoverArgs, RuleAddArgs};
use crate::cmd::policy::changed;
use crate::failure::Failure;
use crate::{print, segment};

/// The most rules that the broker takes in one request.
const IMPORT_BATCH: usize = 1000;

/// Adds a rule.
pub(super) async fn add(link: &Link, args: RuleAddArgs, json: bool) -> Result<(), Failure> {
    let view: RuleView = link.client.post("/v1/rules", &from_args(args)?).await?;
    let caution = caution(&view.rule);
    if json {
        let mut answer = serde_json::to_value(&view)?;
        if let (Some(answer), Some(caution)) = (answer.as_object_mut(), &caution) {
            answer.insert("caution".to_owned(), serde_json::to_value(caution)?);
        }
        return Ok(print::json(&answer)?);
    }
    print_added(&view)?;
    if let Some(caution) = caution {
        warn(&view.rule, &caution);
    }
    if never_ends(&view) {
        print::note("this rule has no end; --ttl 7d gives it one");
    }
    note_work(&view.rule);
    if view.rule.effect == Effect::Allow {
        note_policies(link, &view).await?;
    }
    Ok(())
}

/// Adds the approval of whoever runs this to a rule.
pub(super) async fn approve(link: &Link, id: &str, json: bool) -> Result<(), Failure> {
    let path = format!("/v1/rules/{}/approve", segment::id(id)?);
    let view: RuleView = link.client.post(&path, &()).await?;
    if json {
        return Ok(print::json(&view)?);
    }
    let approvers = view.approvals.iter().map(|a| a.by.as_str()).collect::<Vec<_>>().join(", ");
    let (id, rule) = (&view.rule.id, describe(&view.rule));
    Ok(print::line(&format!("approved {id}  {rule}  by {}", print::safe(&approvers)))?)
}

/// Lets a rule cover more.
pub(super) async fn cover(
    link: &Link,
    id: &str,
    cover: &CoverArgs,
    json: bool,
) -> Result<(), Failure> {
    let body = RuleCover { terminal: cover.terminal, stdin: stdin_of(cover) };
    let path = format!("/v1/rules/{}/cover", segment::id(id)?);
    let view: RuleView = link.client.post(&path, &body).await?;
    if json {
        return Ok(print::json(&view)?);
    }
    print::line(&format!("widened {}  {}", view.rule.id, describe(&view.rule)))?;
    note_policies(link, &view).await
}

/// Adds the built-in rules that are missing.
pub(super) async fn defaults(link: &Link, json: bool) -> Result<(), Failure> {
    let ensured: RulesEnsured = link.client.post("/v1/rules/ensure", &default_rules()).await?;
    if json {
        return list(link, true).await;
    }
    if ensured.added.is_empty() {
        print::note("the rule is there already");
    }
    ensured.added.iter().try_for_each(print_added)?;
    if ensured.added.iter().any(never_ends) {
        print::note("this rule has no end; expacti rules remove ID ends it");
    }
    Ok(())
}

/// Adds the rules of a file.
pub(super) async fn import(link: &Link, file: &Path, json: bool) -> Result<(), Failure> {
    let all = read_rules(file)?;
    // Check every rule before the first is added: all or none, as far as can be known here.
    for rule in &all {
        expacti_engine::check_rule(rule).map_err(|e| Failure::failed(e.to_string()))?;
    }
    let mut done = Vec::new();
    for part in all.chunks(IMPORT_BATCH) {
        let added: Result<Vec<Rule>, _> = link.client.post("/v1/rules/import", &part).await;
        done.extend(added.map_err(|e| {
            let message = format!("{e}; {} of {} rules were added", done.len(), all.len());
            Failure::new(e.exit_status(), message)
        })?);
    }
    if json {
        print::json(&done)?;
    } else {
        print::line(&format!("added {} rules", done.len()))?;
    }
    Ok(())
}

fn read_rules(file: &Path) -> Result<Vec<Rule>, Failure> {
    let mut text = String::new();
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        text = std::fs::read_to_string(file)
            .map_err(|e| Failure::failed(format!("failed to read {}: {e}", file.display())))?;
    }
    serde_json::from_str(&text)
        .map_err(|e| Failure::failed(format!("{} holds no rules: {e}", file.display())))
}

/// Removes a rule, or says whose approval that waits for.
pub(super) async fn remove(link: &Link, id: &str, json: bool) -> Result<(), Failure> {
    let path = format!("/v1/rules/{}", segment::id(id)?);
    let answer: Changed<Rule> = link.client.delete(&path).await?;
    changed(&answer, json, |rule| format!("removed {}  {}", rule.id, print::safe(&rule.pattern)))
}

/// Says what else a rule lets through, and what would not.
fn warn(rule: &Rule, caution: &Caution) {
    print::note(&print::warning(&print::safe(&caution.describe())));
    if let Some(narrower) = &caution.narrower {
        let narrower = Rule { pattern: narrower.clone(), ..rule.clone() };
        print::note(&format!("without them: {}", add_command(&narrower)));
    }
    if caution.looks {
        let looks = Rule {
            kind: MatchKind::Looks,
            pattern: "looks".to_owned(),
            terminal: false,
            stdin: None,
            ..rule.clone()
        };
        print::note(&format!("or, for all that only looks: {}", add_command(&looks)));
    }
}

fn print_added(view: &RuleView) -> Result<(), Failure> {
    Ok(print::line(&format!("added {}  {}", view.rule.id, describe(&view.rule)))?)
}

/// A rule that allows something for ever deserves a word.
fn never_ends(view: &RuleView) -> bool {
    view.rule.expires_at.is_none() && view.rule.effect == Effect::Allow
}

/// Says what a rule for working in a directory comes to.
fn note_work(rule: &Rule) {
    if rule.kind != MatchKind::Work {
        return;
    }
    if rule.pattern.contains(" --run ") {
        print::note(
            "what --run names runs anything the agent writes there, and so can do anything",
        );
    }
    print::note(
        "the gate follows every path on the target before a line runs there: a link out of the \
         directory is refused, and without the target's SFTP server nothing is allowed",
    );
}

/// Says where a new rule does not allow anything yet.
async fn note_policies(link: &Link, view: &RuleView) -> Result<(), Failure> {
    let all: Vec<Policy> = link.client.get("/v1/policies").await?;
    let Ok(set) = PolicySet::build(all) else { return Ok(()) };
    for requirement in set.touching(view.rule.program()) {
        if requirement.needed() > 1 {
            print::note(&format!(
                "where {} asks, the rule allows once enough of them approve it: expacti rules approve {}",
                print::safe(&requirement.why),
                view.rule.id
            ));
        }
    }
    Ok(())
}
