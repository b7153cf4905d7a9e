//! `expacti rules report`: what the rules have spared people over a time, and what they have not.

use std::collections::BTreeMap;

use expacti_engine::{Effect, Rule};
use expacti_protocol::command::{CommandState, CommandView};
use expacti_protocol::now_micros;
use serde::Serialize;

use super::history::is_a_person;
use super::rule::describe;
use crate::broker::Link;
use crate::failure::Failure;
use crate::{print, units};

/// The most commands that the broker gives at once.
const MOST: usize = 10_000;

/// How commands were decided.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Counts {
    /// A person was asked, whatever came of it.
    asked: usize,
    /// A rule let it through.
    let_through: usize,
    /// A rule denied it.
    denied_by_rule: usize,
    /// A person denied it.
    denied: usize,
}

/// What happened over a time.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// Since when, in seconds since the Unix epoch.
    since: i64,
    /// Older commands of that time are not in it: there were too many.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
    commands: usize,
    #[serde(flatten)]
    counts: Counts,
    /// Half of the decisions of people took no longer.
    median_seconds: Option<i64>,
    by_rule: BTreeMap<String, Counts>,
    by_level: BTreeMap<String, Counts>,
    by_agent: BTreeMap<String, Counts>,
    by_target: BTreeMap<String, Counts>,
    /// Rules that have never decided anything.
    unused: Vec<Rule>,
}

impl Counts {
    fn add(&mut self, command: &CommandView) {
        let by_rule = rule_of(command).is_some();
        let denied = command.allow == Some(false);
        self.asked += usize::from(!by_rule);
        self.let_through += usize::from(by_rule && !denied);
        self.denied_by_rule += usize::from(by_rule && denied);
        let person = command.decided_by.as_deref().is_some_and(is_a_person);
        self.denied += usize::from(denied && person);
    }
}

/// The rule that decided. Of a line that several allow, the first is on record.
fn rule_of(command: &CommandView) -> Option<&str> {
    command.decided_by.as_deref()?.strip_prefix("whitelist:")
}

impl Report {
    fn of(all: &[CommandView], rules: &[Rule], since: i64) -> Self {
        let cut = all.len() >= MOST && all.iter().all(|command| command.timestamp > since);
        let mut report = Self { since, cut, ..Self::default() };
        let mut times: Vec<i64> = Vec::new();
        for command in all.iter().filter(|command| command.timestamp >= since) {
            report.commands += 1;
            report.counts.add(command);
            let level = command.level.as_str().to_owned();
            report.by_level.entry(level).or_default().add(command);
            let session = &command.session;
            report.by_agent.entry(session.agent.clone()).or_default().add(command);
            report.by_target.entry(session.target.clone()).or_default().add(command);
            if let Some(rule) = rule_of(command) {
                report.by_rule.entry(rule.to_owned()).or_default().add(command);
            }
            if command.decided_by.as_deref().is_some_and(is_a_person)
                && command.state != CommandState::Pending
            {
                times.extend(command.decided_at.map(|at| (at - command.timestamp).max(0)));
            }
        }
        times.sort_unstable();
        report.median_seconds = times.get(times.len() / 2).copied();
        report.unused = rules.iter().filter(|rule| rule.hits == 0).cloned().collect();
        report
    }
}

/// Shows what the rules did over a time.
pub(super) async fn report(link: &Link, since: &str, json: bool) -> Result<(), Failure> {
    let seconds = i64::try_from(units::seconds(since)?).unwrap_or(i64::MAX);
    let from = (now_micros() / 1_000_000).saturating_sub(seconds);
    let all: Vec<CommandView> = link.client.get(&format!("/v1/commands?limit={MOST}")).await?;
    let rules: Vec<Rule> = link.client.get("/v1/rules").await?;
    let report = Report::of(&all, &rules, from);
    if json { Ok(print::json(&report)?) } else { show(&report, &rules, since) }
}

fn show(report: &Report, rules: &[Rule], since: &str) -> Result<(), Failure> {
    let counts = &report.counts;
    print::line(&format!(
        "{} commands in {since}: a person was asked about {}, rules let {} through and denied {}",
        report.commands, counts.asked, counts.let_through, counts.denied_by_rule
    ))?;
    if let Some(median) = report.median_seconds {
        print::line(&format!(
            "half of the decisions by people took at most {}",
            print::span(median)
        ))?;
    }
    if report.cut {
        print::note(&format!("only the last {MOST} commands are in it"));
    }
    let row = |name: String, counts: &Counts| {
        let Counts { asked, let_through, denied_by_rule, denied } = counts;
        let numbers = [asked, let_through, denied_by_rule, denied].map(ToString::to_string);
        std::iter::once(name).chain(numbers).collect::<Vec<_>>()
    };
    for (what, all) in [
        ("LEVEL", &report.by_level),
        ("AGENT", &report.by_agent),
        ("TARGET", &report.by_target),
        ("RULE", &report.by_rule),
    ] {
        if all.is_empty() {
            continue;
        }
        let named = |id: &String| {
            let rule = rules.iter().find(|rule| rule.id == *id && what == "RULE");
            rule.map_or_else(|| print::safe(id), |rule| format!("{id}  {}", describe(rule)))
        };
        let mut rows: Vec<_> = all.iter().collect();
        if what != "LEVEL" {
            rows.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.asked + counts.let_through));
        }
        let rows: Vec<_> = rows.into_iter().map(|(id, counts)| row(named(id), counts)).collect();
        print::line("")?;
        print::table(&[what, "ASKED", "LET THROUGH", "DENIED BY RULE", "DENIED"], &rows)?;
    }
    if !report.unused.is_empty() {
        print::line("\nrules that nothing has hit:")?;
    }
    for rule in &report.unused {
        // A rule that denies does its work by being there.
        let deny = if rule.effect == Effect::Deny { "  (denies)" } else { "" };
        print::line(&format!("  {}  {}{deny}", rule.id, describe(rule)))?;
    }
    Ok(())
}
