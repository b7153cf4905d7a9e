//! The whole judgement of one command from one snapshot. It must never allow anything by itself.

use serde::{Deserialize, Serialize};

use crate::effects::Unread;
use crate::item::{ItemSyntax, Snapshot, changes_in, words_of_change};
use crate::reading::Reading;
use crate::restrict::{Done, Line, Suspect, is_far, policy_level};
use crate::rules::FOR_FILES;
use crate::{
    Anomaly, Assessment, Beneath, Context, Covered, History, MatchKind, Outcome, Requirement,
    RuleVerdict, Taint, detect,
};

/// A judgement with every reason.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// The score and why.
    pub assessment: Assessment,
    /// What the rules say.
    pub rule: RuleVerdict,
    /// Every rule that had its part in that: for several changes of files there can be several.
    #[serde(default)]
    pub rules: Vec<String>,
    /// What must lie beneath which directory of the target, where a rule allows it on that condition.
    #[serde(default)]
    pub beneath: Vec<Beneath>,
    /// What it may leave behind, where a rule trusts programs to be what they are called.
    #[serde(default)]
    pub taint: Taint,
    /// What is unusual.
    pub anomalies: Vec<Anomaly>,
    /// Whose approval is needed.
    pub requirement: Requirement,
}

/// Judges one command.
#[must_use]
pub fn judge(snapshot: &Snapshot, command: &[u8], context: &Context, history: &History) -> Verdict {
    judge_as(snapshot, ItemSyntax::Command, command, context, history)
}

/// Judges one item, whatever it is. Input, keys and signatures are never allowed by a rule: a line
/// `ls` for a program is not the command `ls`. A change of files is allowed only by a rule written for such,
/// and several at once only when each of them alone would be.
#[must_use]
pub fn judge_as(
    snapshot: &Snapshot,
    syntax: ItemSyntax<'_>,
    item: &[u8],
    context: &Context,
    history: &History,
) -> Verdict {
    Reading::of(snapshot, syntax, item, context).into_verdict(history)
}

impl Reading<'_> {
    /// Judges it, as [`judge_as`] does.
    #[must_use]
    pub fn into_verdict(self, history: &History) -> Verdict {
        let Self { snapshot, syntax, item, context, assessment, .. } = &self;
        let line = || self.line();
        let (commands, hidden) = (|| self.commands(), || self.hidden());
        let (mut rule, mut rules) =
            snapshot.rules.judge_with(item, context, commands, line, hidden);
        // What cannot be read as a whole is held against the rules piece by piece.
        if rule.verdict != Outcome::Deny
            && assessment.uninspectable
            && self.runs
            && let Some(denied) = snapshot.rules.denied_in_pieces(item, context)
        {
            rules = denied.rule.iter().cloned().collect();
            rule = denied;
        }
        let mut beneath = Vec::new();
        if snapshot.rules.any_work(&rules) {
            match snapshot.rules.beneath(line(), context) {
                Some(found) => beneath = found,
                // It is the same question as before; without the same answer nothing is allowed.
                None => (rule, rules) = (asked("where its paths lead cannot be told"), Vec::new()),
            }
        }
        let pattern =
            rule.rule.as_ref().and_then(|id| snapshot.rules.rule(id).map(|rule| &rule.pattern));
        let by_hand = match *syntax {
            ItemSyntax::Command => None,
            ItemSyntax::Control { .. } => None,
            ItemSyntax::File if pattern.is_some_and(|pattern| pattern.starts_with(FOR_FILES)) => {
                None
            }
            ItemSyntax::File => Some(NOT_FOR_FILES),
            ItemSyntax::Input { .. } => Some("input to a program is never allowed by a rule"),
            ItemSyntax::Keys { .. } => Some("keys are never allowed by a rule"),
            ItemSyntax::Signature => Some("a signature is never allowed by a rule"),
        };
        if let Some(why) = by_hand
            && rule.verdict != Outcome::Deny
        {
            rule = asked(why);
            rules.clear();
        }
        if *syntax == ItemSyntax::File && rule.verdict != Outcome::Deny {
            (rule, rules) = judge_changes(snapshot, rule, item, context);
        }
        let anomalies = match *syntax {
            ItemSyntax::Command | ItemSyntax::File => detect(history, item, assessment, context),
            // The first word of what a program reads is not the name of a program.
            ItemSyntax::Control { .. }
            | ItemSyntax::Input { .. }
            | ItemSyntax::Keys { .. }
            | ItemSyntax::Signature => Vec::new(),
        };
        let effects = || match *syntax {
            ItemSyntax::Command => Done::of(line()),
            ItemSyntax::File => Done::only(&["deletes", "writes"]),
            ItemSyntax::Signature => Done::default(),
            ItemSyntax::Control { .. } | ItemSyntax::Input { .. } | ItemSyntax::Keys { .. } => {
                Done::anything()
            }
        };
        let far = match *syntax {
            ItemSyntax::Command => is_far(assessment),
            ItemSyntax::File | ItemSyntax::Signature => assessment.uninspectable,
            ItemSyntax::Control { .. } | ItemSyntax::Input { .. } | ItemSyntax::Keys { .. } => true,
        };
        let by_level = snapshot.policies.policies().iter().any(|policy| policy.min_level.is_some());
        let level = if by_level { policy_level(assessment, effects) } else { assessment.level };
        let requirement =
            snapshot.policies.select_with(context, level, commands, effects, hidden, far);
        let taint = if snapshot.rules.trust_names(context) {
            Taint::of(*syntax, item, line, context.has_stdin_script)
        } else {
            Taint::default()
        };
        let assessment = self.assessment;
        Verdict { assessment, rule, rules, beneath, taint, anomalies, requirement }
    }
}

fn asked(why: &str) -> RuleVerdict {
    RuleVerdict {
        verdict: Outcome::Review,
        rule: None,
        why: why.to_owned(),
        closest: None,
        stdin: Covered::No,
    }
}

const NOT_FOR_FILES: &str = "only a rule written for `sftp ` allows a change of files";

/// What the rules say about changes of files, each on its own; `whole` is what they say about the
/// text as one, which counts where it is a rule for exactly this text.
fn judge_changes(
    snapshot: &Snapshot,
    whole: RuleVerdict,
    item: &[u8],
    context: &Context,
) -> (RuleVerdict, Vec<String>) {
    let set = &snapshot.rules;
    let rule_of = |id: &String| set.rule(id);
    let exactly = |id: &String| rule_of(id).is_some_and(|rule| rule.kind == MatchKind::Exact);
    if whole.verdict == Outcome::Allow && whole.rule.as_ref().is_some_and(exactly) {
        let rules = whole.rule.iter().cloned().collect();
        return (whole, rules);
    }
    let lines = changes_in(item);
    let mut rules: Vec<String> = Vec::new();
    let mut open: Option<RuleVerdict> = None;
    for line in &lines {
        // A change of a file is no line of a shell.
        let unread = || Line {
            bytes: line,
            performance: Err(Unread { why: "no rule matches", span: (0, 0) }),
            far: false,
        };
        let words = || words_of_change(line).into_iter().map(Suspect::from).collect::<Vec<_>>();
        let (found, _) = set.judge_with(line, context, words, unread, Vec::new);
        let Some(rule) = found.rule.as_ref().and_then(rule_of) else {
            open.get_or_insert(found);
            continue;
        };
        if found.verdict == Outcome::Deny {
            let rules = vec![rule.id.clone()];
            return (found, rules);
        }
        let text = String::from_utf8_lossy(line);
        let not = if !rule.pattern.starts_with(FOR_FILES) {
            Some(NOT_FOR_FILES.to_owned())
        } else if rule.kind == MatchKind::Exact {
            None
        } else {
            let special = snapshot.tables.too_special(&text, &rule.pattern);
            special.map(|why| format!("a rule for a directory does not cover this path: {why}"))
        };
        match not {
            Some(why) => {
                let verdict = Outcome::Review;
                open.get_or_insert(RuleVerdict {
                    verdict,
                    rule: None,
                    why,
                    closest: None,
                    stdin: Covered::No,
                });
            }
            None if rules.contains(&rule.id) => {}
            None => rules.push(rule.id.clone()),
        }
    }
    let (Some(first), None) = (rules.first().cloned(), &open) else {
        return (open.unwrap_or(whole), Vec::new());
    };
    let why = match (&lines[..], whole.verdict) {
        ([_], Outcome::Allow) => whole.why,
        _ => format!("each of {} changes is allowed by {}", lines.len(), rules.join(", ")),
    };
    (
        RuleVerdict {
            verdict: Outcome::Allow,
            rule: Some(first),
            why,
            closest: None,
            stdin: Covered::No,
        },
        rules,
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::{Effect, Rule, RuleSet};

    fn rule(pattern: &str, effect: Effect) -> Rule {
        Rule::new(pattern, MatchKind::Exact, pattern.to_owned(), effect)
    }

    #[test]
    fn rules_for_commands_do_not_allow_input() {
        let all = ["ls", "q", "\u{4}", "sftp mkdir /srv/x", "mkdir /srv/x"];
        let rules = all.iter().map(|text| rule(text, Effect::Allow)).collect();
        let snapshot = Snapshot { rules: RuleSet::build(rules).unwrap(), ..Snapshot::default() };
        let verdict = |syntax, text: &str| {
            let (context, history) = (Context::default(), History::default());
            judge_as(&snapshot, syntax, text.as_bytes(), &context, &history).rule.verdict
        };
        let foreground = Some("bash");
        assert_eq!(verdict(ItemSyntax::Command, "ls"), Outcome::Allow);
        assert_eq!(verdict(ItemSyntax::Input { foreground }, "ls"), Outcome::Review);
        assert_eq!(verdict(ItemSyntax::Keys { foreground }, "q"), Outcome::Review);
        assert_eq!(verdict(ItemSyntax::Signature, "ls"), Outcome::Review);
        assert_eq!(verdict(ItemSyntax::Control { foreground }, "\u{4}"), Outcome::Allow);
        assert_eq!(verdict(ItemSyntax::File, "sftp mkdir /srv/x"), Outcome::Allow);
        assert_eq!(verdict(ItemSyntax::File, "mkdir /srv/x"), Outcome::Review);
        let deny = Snapshot {
            rules: RuleSet::build(vec![rule("ls", Effect::Deny)]).unwrap(),
            ..Snapshot::default()
        };
        let denied = judge_as(
            &deny,
            ItemSyntax::Input { foreground },
            b"ls",
            &Context::default(),
            &History::default(),
        );
        assert_eq!(denied.rule.verdict, Outcome::Deny);
    }

    fn glob(pattern: &str, effect: Effect) -> Rule {
        Rule { kind: MatchKind::Glob, ..rule(pattern, effect) }
    }

    #[test]
    fn several_changes_are_allowed_one_by_one() {
        let rules = vec![
            glob("sftp write /srv/app/*: **", Effect::Allow),
            glob("sftp mkdir /srv/app/*: **", Effect::Allow),
            glob("write /srv/other/*: **", Effect::Allow),
            glob("sftp write /srv/app/secret/*: **", Effect::Deny),
            glob("sftp write /etc/cron.d/*: **", Effect::Allow),
        ];
        let snapshot = Snapshot { rules: RuleSet::build(rules).unwrap(), ..Snapshot::default() };
        let judge = |text: &str| {
            let (context, history) = (Context::default(), History::default());
            judge_as(&snapshot, ItemSyntax::File, text.as_bytes(), &context, &history)
        };
        let (a, b) = ("sftp write /srv/app/a: 1 B, sha256 aa", "sftp mkdir /srv/app/b: mode 0755");
        let both = judge(&format!("scp upload 1 file and 1 directory, 1 B, to /srv/app\n{b}\n{a}"));
        assert_eq!(both.rule.verdict, Outcome::Allow);
        assert_eq!(both.rules, ["sftp mkdir /srv/app/*: **", "sftp write /srv/app/*: **"]);
        for (text, verdict) in [
            ("sftp write /etc/cron.d/x: 1 B".to_owned(), Outcome::Allow),
            (format!("{a}\n{a}"), Outcome::Allow),
            (format!("sftp upload 1 files, 1 B, to /srv/app\n{a}"), Outcome::Allow),
            ("sftp upload 0 files, 0 B, to /srv/app".to_owned(), Outcome::Review),
            (format!("{a}\nsftp write /etc/x: 1 B"), Outcome::Review),
            (format!("{a}\nsftp write /srv/app/../../etc/x: 1 B"), Outcome::Review),
            (format!("{a}\nscp write /srv/app/x: 1 B"), Outcome::Review),
            (format!("{a}\nsftp upload 2 files, 2 B, to /srv"), Outcome::Review),
            (format!("{a}\n"), Outcome::Review),
            (format!("{a}\nwrite /srv/other/x: 1 B"), Outcome::Review),
            (format!("{a}\nsftp write /srv/app/secret/x: 1 B"), Outcome::Deny),
            ("sftp write $'/srv/app/secret/x!': 1 B".to_owned(), Outcome::Deny),
            ("sftp write /srv/app/.env: 1 B".to_owned(), Outcome::Review),
            ("sftp write /srv/app/.ssh/authorized_keys: 1 B".to_owned(), Outcome::Review),
            (format!("{a}\nsftp write /srv/app/.env: 1 B"), Outcome::Review),
        ] {
            let found = judge(&text);
            assert_eq!(found.rule.verdict, verdict, "{text:?}: {found:?}");
        }
    }

    proptest::proptest! {
        /// Several changes are allowed exactly when each of them alone is, and denied exactly when
        /// one of them is.
        #[test]
        fn together_as_alone(
            lines in proptest::collection::vec(
                ("(sftp (write|mkdir|remove|upload)|scp write|write)",
                 "/(srv|etc|srv/app)/(a|b|\\.\\.|\"a b\")(/x)?", "(: 1 B, sha256 ab)?"),
                2..6,
            ),
            patterns in proptest::collection::vec(
                ("(sftp (write|mkdir|\\*)|write)", "/(srv|etc|srv/app)/(a|\\*|b/x)", "(: \\*\\*)?",
                 proptest::bool::weighted(0.2)),
                0..6,
            ),
            summary in proptest::bool::ANY,
        ) {
            let rules: Vec<Rule> = patterns
                .into_iter()
                .enumerate()
                .map(|(at, (verb, path, rest, deny))| Rule {
                    id: at.to_string(),
                    ..glob(&format!("{verb} {path}{rest}"),
                        if deny { Effect::Deny } else { Effect::Allow })
                })
                .collect();
            let snapshot = Snapshot { rules: RuleSet::build(rules).unwrap(), ..Snapshot::default() };
            let verdict = |text: &str| {
                let (context, history) = (Context::default(), History::default());
                judge_as(&snapshot, ItemSyntax::File, text.as_bytes(), &context, &history).rule.verdict
            };
            let lines: Vec<String> =
                lines.into_iter().map(|(verb, path, rest)| format!("{verb} {path}{rest}")).collect();
            let mut alone = lines.clone();
            let mut text = lines.join("\n");
            if summary {
                text = format!("sftp upload {} files, 9 B, to /srv\n{text}", lines.len());
            } else if alone[0].starts_with("sftp upload") {
                alone.remove(0);
            }
            let alone: Vec<Outcome> = alone.iter().map(|line| verdict(line)).collect();
            let expected = if alone.contains(&Outcome::Deny) {
                Outcome::Deny
            } else if alone.iter().all(|v| *v == Outcome::Allow) {
                Outcome::Allow
            } else {
                Outcome::Review
            };
            proptest::prop_assert_eq!(verdict(&text), expected, "{}", text);
        }
    }
}
