//! Rules and what they answer. It must never decide anything.

use serde::{Deserialize, Serialize};

use super::cover::{Covered, StdinCover};
use crate::Context;

/// What a matching rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Runs without a person.
    Allow,
    /// Refused without a person; wins over every allow rule.
    Deny,
}

/// How a pattern is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MatchKind {
    /// The whole byte string.
    Exact,
    /// Word by word.
    Glob,
    /// Whatever only looks.
    Looks,
    /// A regular expression, anchored at both ends.
    Regex,
    /// Whatever creates and changes files beneath one directory, and only looks otherwise.
    Work,
}

/// Where a rule holds; each part is a glob, absent means everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Scope {
    /// Which agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Which target host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Which user on the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Which working directory; an unknown directory is outside every such scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
}

/// One rule; times in microseconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The rule's name in logs.
    pub id: String,
    /// How the pattern is read.
    pub kind: MatchKind,
    /// What it matches.
    pub pattern: String,
    /// What a match does.
    pub effect: Effect,
    /// Where it holds.
    #[serde(flatten)]
    pub scope: Scope,
    /// Why it exists.
    #[serde(default)]
    pub reason: Option<String>,
    /// Who added it.
    #[serde(default)]
    pub author: String,
    /// When.
    #[serde(default)]
    pub created_at: i64,
    /// When it stops being valid; at that instant it is no longer valid.
    #[serde(default)]
    pub expires_at: Option<i64>,
    /// How often it matched.
    #[serde(default)]
    pub hits: u64,
    /// It allows a command that asks for a terminal of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub terminal: bool,
    /// The standard input that it allows together with a command; a rule that does not say so allows
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<StdinCover>,
}

/// How the pattern of a rule must begin to allow a change of files.
pub(crate) const FOR_FILES: &str = "sftp ";

impl Rule {
    /// A rule that holds everywhere and without an end, of nobody's; for no standard input and no terminal.
    #[must_use]
    pub fn new(
        id: impl Into<String>,
        kind: MatchKind,
        pattern: impl Into<String>,
        effect: Effect,
    ) -> Self {
        Self {
            id: id.into(),
            kind,
            pattern: pattern.into(),
            effect,
            scope: Scope::default(),
            reason: None,
            author: String::new(),
            created_at: 0,
            expires_at: None,
            hits: 0,
            terminal: false,
            stdin: None,
        }
    }

    /// The program the rule is for, as far as its pattern names one: the first word, unless that is
    /// a wildcard or quoted. An expression has none, since what it matches may go on after an
    /// operator: `rm x.*` fits `rm x; kubectl delete y` as well.
    #[must_use]
    pub fn program(&self) -> Option<&str> {
        match self.kind {
            // More may run than its first word.
            MatchKind::Exact
                if self.pattern.contains([';', '&', '|', '\n', '$', '`', '(', '<', '>']) =>
            {
                None
            }
            MatchKind::Exact | MatchKind::Glob => {
                let first = self.pattern.split_whitespace().next();
                first.filter(|word| !word.contains(['*', '?', '\'', '"', '\\']))
            }
            MatchKind::Looks | MatchKind::Regex | MatchKind::Work => None,
        }
    }
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule {id}: {message}")]
pub struct RuleError {
    /// Which rule.
    pub id: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// What the rules say about a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Run it.
    Allow,
    /// Refuse it.
    Deny,
    /// Ask a person.
    Review,
}

/// What the rules say, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleVerdict {
    /// The answer.
    pub verdict: Outcome,
    /// The rule that decided.
    pub rule: Option<String>,
    /// One line for people.
    pub why: String,
    /// The allow rule that came nearest, where a person must decide.
    pub closest: Option<Closest>,
    /// The standard input that is covered with the command, where it is allowed.
    #[serde(default)]
    pub stdin: Covered,
}

/// What the rules say about one command of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandVerdict {
    /// The bytes of the line that it stands in, as text.
    pub text: String,
    /// Start and end (exclusive) in bytes.
    pub span: [usize; 2],
    /// What they say of it by itself.
    pub verdict: Outcome,
    /// The rule that allows it.
    pub by: Option<String>,
    /// Why.
    pub why: String,
}

/// A rule that almost matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closest {
    /// Its id.
    pub rule: String,
    /// What the command has that the rule does not.
    pub differs: String,
}

/// A decision of the past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// The command's bytes.
    pub command: Vec<u8>,
    /// Where and when.
    pub context: Context,
    /// Whether it was allowed.
    pub allowed: bool,
}

/// A rule worth adding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// The rule, ready to be proposed.
    pub rule: Rule,
    /// How many past approvals it covers.
    pub covers: usize,
    /// Why it is suggested.
    pub why: String,
    /// Some of the commands it covers.
    pub examples: Vec<String>,
}

/// Rules worth adding, and what they would have spared people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggested {
    /// The rules.
    pub rules: Vec<Suggestion>,
    /// How many of the decisions looked at no person would have been asked for.
    pub spared: usize,
    /// How many decisions were looked at.
    pub of: usize,
}

/// What a rule would have done in the past.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backtest {
    /// Commands looked at.
    pub total: usize,
    /// Commands the rule would have decided.
    pub matched: usize,
    /// Of these, how many a person had decided the other way.
    pub against_people: usize,
    /// Some of the commands it would have decided.
    pub examples: Vec<String>,
    /// Some of the commands it would have decided otherwise than a person did.
    #[serde(default)]
    pub contradicted: Vec<String>,
    /// The highest risk level among them.
    #[serde(default)]
    pub highest: Option<crate::Level>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_names_its_program_only_where_that_is_certain() {
        for (kind, pattern, program) in [
            (MatchKind::Exact, "rm -rf /srv/x", Some("rm")),
            (MatchKind::Exact, "'rm' x", None),
            (MatchKind::Glob, "  systemctl status *", Some("systemctl")),
            (MatchKind::Glob, "/usr/bin/ls *", Some("/usr/bin/ls")),
            (MatchKind::Glob, "* --force", None),
            (MatchKind::Glob, "git-? x", None),
            (MatchKind::Regex, "rm .*", None),
            (MatchKind::Exact, "ls; rm x", None),
        ] {
            let rule = Rule::new("", kind, pattern, Effect::Deny);
            assert_eq!(rule.program(), program, "{pattern}");
        }
    }
}
