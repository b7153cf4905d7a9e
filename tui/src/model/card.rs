//! What the screen shows of a request besides its bytes. It must never hold a string that is not
//! clean.

use expacti_engine::{InputUse, PolicyKind};
use expacti_protocol::command::{CommandView, ItemKind, PromptLabel};

use super::decisions::Verdict;
use crate::text::{clean, short_ids};

/// What kind of item it is and where its bytes go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    /// `keys`, `a line`, `a change of a file`.
    pub what: &'static str,
    /// `psql -d shop`, `the shell`, clean.
    pub program: String,
    /// What is known of the prompt.
    pub prompt: Option<&'static str>,
    /// Whether that is known for certain, and as it should be.
    pub certain: bool,
}

impl Destination {
    fn new(view: &CommandView) -> Option<Self> {
        let (kind, interactive) = (view.kind, view.interactive.as_ref());
        let what = match kind {
            ItemKind::Exec | ItemKind::Stdin => return None,
            ItemKind::Line => "a line",
            ItemKind::Input => "a line",
            ItemKind::Keys => "keys",
            ItemKind::Control => "a control key",
            ItemKind::File if view.text.command.starts_with("sftp read ") => {
                "to read a file on the target"
            }
            ItemKind::File => "a change of a file on the target",
            ItemKind::Signature => "a signature with a key of your ssh-agent",
        };
        let Some(i) = interactive else {
            let known = matches!(kind, ItemKind::Line | ItemKind::File | ItemKind::Signature);
            let program = match kind {
                ItemKind::Line => return None,
                ItemKind::File | ItemKind::Signature => "",
                _ => "a program that is not known",
            };
            return Some(Self { what, program: program.to_owned(), prompt: None, certain: known });
        };
        let certain = matches!(i.label, PromptLabel::Verified | PromptLabel::Continuation);
        let program = match &i.foreground {
            Some(program) => clean(program, 120),
            None if certain => "the shell".to_owned(),
            None => "what reads the terminal: not known".to_owned(),
        };
        Some(Self { what, program, prompt: Some(i.label.as_str()), certain })
    }
}

/// The clean strings of a request.
#[derive(Debug, Default)]
pub(crate) struct Card {
    /// `deploy@web-1`.
    pub target: String,
    /// The target's name alone.
    pub target_name: String,
    /// Host and port, where the name does not say them.
    pub place: Option<String>,
    /// Whether the name is what the broker sent: printable ASCII that a person can type.
    pub target_typable: bool,
    /// Working directory.
    pub cwd: String,
    /// Agent.
    pub agent: String,
    /// `not isolated`, and what the program may use beside.
    pub cautions: Vec<String>,
    /// For whom the agent works.
    pub owner: Option<String>,
    /// What it does with files, in one sentence of the broker's.
    pub sentence: Option<String>,
    /// Why the agent works there.
    pub reason: Option<String>,
    /// How the host key was checked, unless as it should be.
    pub host_key: Option<String>,
    /// What kind of item it is and where it goes, unless it is an ordinary command.
    pub destination: Option<Destination>,
    /// Who may still decide.
    pub may_decide: Vec<String>,
    /// Each contribution to the score.
    pub terms: Vec<ScoreTerm>,
    /// What is unusual about it.
    pub anomalies: Vec<Unusual>,
    /// The closest rule.
    pub closest: Option<ClosestRule>,
    /// Why the rules did not decide.
    pub rule_why: String,
    /// What may have changed the account before.
    pub tainted: Option<String>,
    /// Why it may change the account itself.
    pub taints: Option<String>,
    /// Who must approve.
    pub requirement: String,
    /// The votes so far.
    pub votes: Vec<CastVote>,
    /// Notes of the gate, dropped and passed environment.
    pub notes: Vec<String>,
    /// The decision of somebody else.
    pub decided: Option<String>,
}

/// A contribution to the score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScoreTerm {
    /// How much.
    pub points: i32,
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
}

/// An anomaly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unusual {
    /// Its name.
    pub name: String,
    /// What it is concluded from.
    pub evidence: String,
}

/// The rule that comes closest to the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClosestRule {
    /// Its id.
    pub rule: String,
    /// How the command differs from it.
    pub differs: String,
}

/// A vote on the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CastVote {
    /// Who.
    pub by: String,
    /// Which way.
    pub verdict: Verdict,
    /// With which comment; may be empty.
    pub comment: String,
}

impl Card {
    /// The clean strings of a request as the broker sent it.
    pub(super) fn new(view: &CommandView) -> Self {
        let s = &view.session;
        let optional = |text: &Option<String>, max| {
            text.as_deref().map(|t| clean(t, max)).filter(|t| !t.trim().is_empty())
        };
        let target_name = clean(&s.target, 80);
        Self {
            target: clean(&format!("{}@{}", s.user, s.target), 120),
            place: (s.host != s.target || s.port != 22)
                .then(|| clean(&format!("{}:{}", s.host, s.port), 120)),
            target_typable: !s.target.is_empty()
                && s.target.len() <= 64
                && s.target.bytes().all(|b| b.is_ascii_graphic()),
            target_name,
            cwd: clean(&view.cwd, 200),
            destination: Destination::new(view),
            may_decide: view.may_decide.iter().take(20).map(|n| clean(n, 40)).collect(),
            agent: clean(&s.agent, 60),
            cautions: s.cautions().iter().map(|c| clean(c, 80)).collect(),
            owner: optional(&s.owner, 60),
            sentence: optional(&view.headline, 300),
            reason: optional(&s.reason, 300),
            host_key: optional(&s.host_key, 80).filter(|k| k != "known_hosts"),
            terms: view
                .terms
                .iter()
                .take(64)
                .map(|t| ScoreTerm {
                    points: t.points,
                    name: clean(&t.name, 40),
                    why: clean(&t.why, 120),
                })
                .collect(),
            anomalies: view
                .anomalies
                .iter()
                .take(8)
                .map(|a| Unusual { name: clean(&a.name, 40), evidence: clean(&a.evidence, 240) })
                .collect(),
            closest: view.closest.as_ref().map(|c| ClosestRule {
                rule: short_ids(&clean(&c.rule, 40)),
                differs: clean(&c.differs, 240),
            }),
            rule_why: short_ids(&clean(&view.rule_why, 240)),
            tainted: view.tainted.as_ref().map(|why| short_ids(&clean(why, 240))),
            taints: view.taints.as_ref().map(|why| clean(why, 160)),
            requirement: requirement(view),
            votes: view
                .votes
                .iter()
                .take(20)
                .map(|v| CastVote {
                    by: clean(&v.by, 40),
                    verdict: Verdict::of_vote(v.allow),
                    comment: clean(v.comment.as_deref().unwrap_or(""), 120),
                })
                .collect(),
            notes: notes(view),
            decided: decided(view),
        }
    }
}

/// Notes of the gate and the engine, and the environment.
fn notes(view: &CommandView) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    match view.kind {
        ItemKind::Line => {}
        ItemKind::Exec => notes.extend(input(view)),
        ItemKind::Stdin => {
            let what = view.input.as_deref().map_or_else(
                || "a script on standard input".to_owned(),
                |input| format!("standard input: {}", clean(&input.report.describe(), 200)),
            );
            notes.push(what);
        }
        // The header above the command says what these are for.
        ItemKind::Input
        | ItemKind::Keys
        | ItemKind::Control
        | ItemKind::File
        | ItemKind::Signature => {}
    }
    if view.uninspectable {
        notes.push("the engine could not look into all of it".to_owned());
    }
    notes.extend(view.notes.iter().take(20).map(|n| clean(n, 200)));
    if !view.env.is_empty() {
        let list: Vec<String> = view.env.iter().take(50).map(|(k, v)| format!("{k}={v}")).collect();
        notes.push(clean(&format!("environment {}", list.join(" ")), 500));
    }
    if !view.dropped_env.is_empty() {
        let names = view.dropped_env.join(" ");
        notes.push(clean(&format!("dropped environment {names}"), 300));
    }
    notes
}

/// What the command does with its standard input, where that matters.
fn input(view: &CommandView) -> Option<String> {
    let input = view.input.as_deref()?;
    if view.pty.is_some() {
        return None;
    }
    let what = clean(&input.report.describe(), 200);
    let text = match (input.report.r#use, &input.came) {
        (InputUse::Unused | InputUse::Looks, _) => return None,
        (InputUse::Protocol, _) => format!("standard input: {what}, not shown"),
        (_, None) => {
            format!("standard input: {what}; none came yet, what comes later is asked about")
        }
        (_, Some(_)) => format!("standard input: {what}; allowed with the command"),
    };
    let secret = if input.secret { "; a secret in it is not kept" } else { "" };
    Some(text + secret)
}

/// Who must approve; empty when anybody may.
fn requirement(view: &CommandView) -> String {
    let asks = &view.requirement;
    let needed = asks.min.max(1);
    let names = clean(&asks.group.join(", "), 120);
    match asks.kind {
        PolicyKind::Any if asks.group.is_empty() => String::new(),
        PolicyKind::Any => format!("any of {names}"),
        PolicyKind::Quorum => format!("{needed} of {names}"),
        PolicyKind::All => format!("all of {names}"),
        PolicyKind::Role => {
            let role = asks.role.as_deref().unwrap_or("?");
            format!("{needed} with role {}", clean(role, 40))
        }
    }
}

/// Who decided, and with which comment.
fn decided(view: &CommandView) -> Option<String> {
    view.decided_by.as_deref().map(|by| {
        let comment = view.comment.as_deref().unwrap_or_default();
        let dash = if comment.is_empty() { "" } else { " — " };
        short_ids(&clean(&format!("{by}{dash}{comment}"), 300))
    })
}
