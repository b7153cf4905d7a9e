//! The whole judgement of one command from one snapshot. It must never allow anything by itself.

use serde::{Deserialize, Serialize};

use crate::{
    Anomaly, Assessment, Context, History, Outcome, PolicySet, Requirement, RiskTables, RuleSet,
    RuleVerdict, detect,
};

/// Everything a judgement depends on besides the command; swapped as one.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The risk tables.
    pub tables: RiskTables,
    /// The whitelist.
    pub rules: RuleSet,
    /// Who must approve.
    pub policies: PolicySet,
}

/// A judgement with every reason.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// The score and why.
    pub assessment: Assessment,
    /// What the rules say.
    pub rule: RuleVerdict,
    /// What is unusual.
    pub anomalies: Vec<Anomaly>,
    /// Whose approval is needed.
    pub requirement: Requirement,
}

/// How the bytes of an item are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading<'a> {
    /// A command line of a shell.
    #[default]
    Command,
    /// A control key.
    Control {
        /// The program in the foreground with its arguments, where known.
        foreground: Option<&'a str>,
    },
    /// A change of files through SFTP, in words.
    File,
    /// A line for a program that is not the shell.
    Input {
        /// The program in the foreground with its arguments, where known.
        foreground: Option<&'a str>,
    },
    /// Keys for a program that reads them one by one.
    Keys {
        /// The program in the foreground with its arguments, where known.
        foreground: Option<&'a str>,
    },
}

/// Judges one command.
#[must_use]
pub fn judge(snapshot: &Snapshot, command: &[u8], context: &Context, history: &History) -> Verdict {
    judge_as(snapshot, Reading::Command, command, context, history)
}

/// Judges one item, whatever it is. Input and keys are never allowed by a rule: a line `ls` for a
/// program is not the command `ls`. A change of files is allowed only by a rule written for such.
#[must_use]
pub fn judge_as(
    snapshot: &Snapshot,
    reading: Reading<'_>,
    item: &[u8],
    context: &Context,
    history: &History,
) -> Verdict {
    let tables = &snapshot.tables;
    let assessment = match reading {
        Reading::Command => tables.assess(item, context),
        Reading::Control { foreground } => tables.assess_control(foreground, item, context),
        Reading::File => tables.assess_file(item, context),
        Reading::Input { foreground } => tables.assess_input(foreground, item, context),
        Reading::Keys { foreground } => tables.assess_keys(foreground, item, context),
    };
    // The line is read once: the rules that deny look at the commands the scorer found.
    let commands = || {
        let found = assessment.segments.iter().map(|segment| segment.argv.clone());
        let words = match reading {
            Reading::File => {
                Some(assessment.command.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            }
            _ => None,
        };
        found.chain(words).collect()
    };
    let mut rule = snapshot.rules.judge_with(item, context, commands);
    let pattern = rule.rule.as_ref().and_then(|id| {
        snapshot.rules.rules().iter().find(|rule| rule.id == *id).map(|rule| &rule.pattern)
    });
    let by_hand = match reading {
        Reading::Command => None,
        Reading::Control { .. } => None,
        Reading::File if pattern.is_some_and(|pattern| pattern.starts_with("sftp ")) => None,
        Reading::File => Some("only a rule written for `sftp ` allows a change of files"),
        Reading::Input { .. } => Some("input to a program is never allowed by a rule"),
        Reading::Keys { .. } => Some("keys are never allowed by a rule"),
    };
    if let Some(why) = by_hand
        && rule.verdict != Outcome::Deny
    {
        rule = RuleVerdict {
            verdict: Outcome::Review,
            rule: None,
            why: why.to_owned(),
            closest: None,
        };
    }
    let anomalies = match reading {
        Reading::Command | Reading::File => detect(history, item, &assessment, context),
        // The first word of what a program reads is not the name of a program.
        Reading::Control { .. } | Reading::Input { .. } | Reading::Keys { .. } => Vec::new(),
    };
    let requirement = snapshot.policies.select_with(context, assessment.level, commands);
    Verdict { assessment, rule, anomalies, requirement }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Effect, MatchKind, Rule, Scope};

    fn rule(pattern: &str, effect: Effect) -> Rule {
        Rule {
            id: pattern.to_owned(),
            kind: MatchKind::Exact,
            pattern: pattern.to_owned(),
            effect,
            scope: Scope::default(),
            reason: None,
            author: String::new(),
            created_at: 0,
            expires_at: None,
            hits: 0,
        }
    }

    #[test]
    fn rules_for_commands_do_not_allow_input() {
        let all = ["ls", "q", "\u{4}", "sftp mkdir /srv/x", "mkdir /srv/x"];
        let rules = all.iter().map(|text| rule(text, Effect::Allow)).collect();
        let snapshot = Snapshot { rules: RuleSet::build(rules).unwrap(), ..Snapshot::default() };
        let verdict = |reading, text: &str| {
            let (context, history) = (Context::default(), History::default());
            judge_as(&snapshot, reading, text.as_bytes(), &context, &history).rule.verdict
        };
        let foreground = Some("bash");
        assert_eq!(verdict(Reading::Command, "ls"), Outcome::Allow);
        assert_eq!(verdict(Reading::Input { foreground }, "ls"), Outcome::Review);
        assert_eq!(verdict(Reading::Keys { foreground }, "q"), Outcome::Review);
        assert_eq!(verdict(Reading::Control { foreground }, "\u{4}"), Outcome::Allow);
        assert_eq!(verdict(Reading::File, "sftp mkdir /srv/x"), Outcome::Allow);
        assert_eq!(verdict(Reading::File, "mkdir /srv/x"), Outcome::Review);
        let deny = Snapshot {
            rules: RuleSet::build(vec![rule("ls", Effect::Deny)]).unwrap(),
            ..Snapshot::default()
        };
        let denied = judge_as(
            &deny,
            Reading::Input { foreground },
            b"ls",
            &Context::default(),
            &History::default(),
        );
        assert_eq!(denied.rule.verdict, Outcome::Deny);
    }
}
