//! One request on the reviewer's screen. It must never show a string that is not clean, nor call
//! bytes exact whose digest is not the command's.

use expacti_engine::{Level, PolicyKind};
use expacti_protocol::command::{CommandState, CommandView, Grant, ItemKind, Outcome, PromptLabel};
use expacti_protocol::digest::Digest;
use expacti_protocol::ids::CommandId;

use super::DrawnRequest;
use super::seen::Seen;
use crate::text::{VisibleText, clean, short_ids};
use crate::time::Millis;

/// What this reviewer did with the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing yet.
    Open,
    /// Allowed here, not sent: `undo` takes it back.
    Held {
        /// The revision that was shown.
        revision: u64,
        /// What may pass unreviewed after it.
        grant: Option<Grant>,
        /// Sent at.
        until: Millis,
    },
    /// Sent; the broker has not answered.
    Sent {
        /// Names the message.
        r#ref: u64,
        /// Allow or deny.
        allow: bool,
        /// Sent at.
        at: Millis,
    },
    /// The broker has it on disk.
    Done {
        /// Allow or deny.
        allow: bool,
    },
    /// The broker refused it; nothing happened.
    Refused {
        /// Why, clean.
        why: String,
    },
}

/// A command of the past, on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PastCommand {
    /// Which.
    pub id: CommandId,
    /// Submitted at, in seconds since the Unix epoch.
    pub at: i64,
    /// `ok`, `exit 2`, `denied`.
    pub result: String,
    /// Whether it ran and succeeded.
    pub good: bool,
    /// The command, clean.
    pub headline: String,
}

/// A request with everything the screen shows of it.
#[derive(Debug)]
pub(crate) struct Item {
    view: CommandView,
    /// The exact bytes, visible.
    pub command: VisibleText,
    /// The bytes are those the digest names.
    pub exact: bool,
    /// The text is the broker's masked one: this reviewer does not get the exact bytes.
    pub redacted: bool,
    /// The command on one line, clean.
    pub headline: String,
    /// Pieces of clean text, made once.
    pub card: Card,
    /// Identical requests have the same.
    pub group: Digest,
    /// What this reviewer did.
    pub stage: Stage,
    /// What goes with it for reading, visible.
    pub preview: Option<VisibleText>,
    /// The preview is a difference of two files: lines added, lines removed.
    pub diff: Option<(usize, usize)>,
    /// What stands for the command until the reviewer asks for it.
    mask: Option<VisibleText>,
    seen: Seen,
    preview_seen: Seen,
    mask_seen: bool,
    /// When it stopped to be open.
    pub closed_since: Option<Millis>,
}

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
            ItemKind::Exec | ItemKind::Shell | ItemKind::Stdin => return None,
            ItemKind::Line => "a line",
            ItemKind::Input => "a line",
            ItemKind::Keys => "keys",
            ItemKind::Control => "a control key",
            ItemKind::File if view.text.command.starts_with("sftp read ") => {
                "to read a file on the target"
            }
            ItemKind::File => "a change of a file on the target",
        };
        let Some(i) = interactive else {
            let known = matches!(kind, ItemKind::Line | ItemKind::File);
            let program = match kind {
                ItemKind::Line => return None,
                ItemKind::File => "",
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
    /// Whether the name is what the broker sent: printable ASCII that a person can type.
    pub target_typable: bool,
    /// Working directory.
    pub cwd: String,
    /// Agent.
    pub agent: String,
    /// `as ann` or empty.
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
    /// Each term: points, name, why.
    pub terms: Vec<(i32, String, String)>,
    /// Each anomaly: name, evidence.
    pub anomalies: Vec<(String, String)>,
    /// The closest rule: id, difference.
    pub closest: Option<(String, String)>,
    /// Why the rules did not decide.
    pub rule_why: String,
    /// Who must approve.
    pub requirement: String,
    /// Votes: who, allow, comment.
    pub votes: Vec<(String, bool, String)>,
    /// Notes of the gate, dropped and passed environment.
    pub notes: Vec<String>,
    /// The decision of somebody else.
    pub decided: Option<String>,
}

/// What stands for a secret; it does not tell the length.
const MASK: &str = "********";

/// Typed without echo: most likely a password.
fn secret(view: &CommandView) -> bool {
    view.interactive.as_ref().is_some_and(|i| i.secret)
}

/// The command on one line, clean; of a secret not even that.
pub(crate) fn headline(view: &CommandView, max: usize) -> String {
    match (&view.preview, view.kind) {
        _ if secret(view) => MASK.to_owned(),
        // Keys are read by their names.
        (Some(names), ItemKind::Keys | ItemKind::Control) => clean(names, max),
        _ => clean(&view.text.command, max),
    }
}

/// Lines added and removed, when a text has the head of a unified difference.
fn diff(text: &str) -> Option<(usize, usize)> {
    let head = text.lines().take(20).any(|l| l.starts_with("@@ "));
    let count = |sign: &str, file: &str| {
        text.lines().filter(|l| l.starts_with(sign) && !l.starts_with(file)).count()
    };
    head.then(|| (count("+", "+++ "), count("-", "--- ")))
}

impl Item {
    /// A request as the broker sent it.
    pub(crate) fn new(view: CommandView, ascii: bool) -> Self {
        let (bytes, decoded) = match view.text.bytes() {
            Ok(bytes) => (bytes, true),
            Err(_) => (view.text.command.as_bytes().to_vec(), false),
        };
        let exact = decoded && Digest::of(&bytes) == view.sha256;
        let s = &view.session;
        // All that a reviewer judges by; what differs in any of it is another row.
        let key = (
            (exact, Digest::of(&bytes).to_string(), format!("{:?}", view.kind)),
            (&s.agent, &s.target, &s.host, s.port, &s.user, &s.reason, &view.cwd),
            (&view.env, &view.parent, view.risk_score, view.retry_of_denied, view.anomaly),
            (&view.interactive, &view.preview),
        );
        let group = Digest::of(format!("{key:?}").as_bytes());
        let preview = view.preview.as_ref().map(|p| VisibleText::of_file(p.as_bytes(), ascii));
        Self {
            command: VisibleText::new(&bytes, ascii),
            exact,
            redacted: view.masked.as_ref() == Some(&view.text.command),
            headline: headline(&view, 240),
            card: Card::new(&view),
            group,
            stage: Stage::Open,
            diff: preview.as_ref().and_then(|p| diff(p.text())),
            preview,
            mask: secret(&view).then(|| VisibleText::new(MASK.as_bytes(), ascii)),
            seen: Seen::default(),
            preview_seen: Seen::default(),
            mask_seen: false,
            closed_since: None,
            view,
        }
    }

    /// Takes in a newer state. What was on the screen of the command stays known: its bytes are
    /// the same or the digest differs, and then everything begins afresh.
    pub(crate) fn refresh(&mut self, view: CommandView, ascii: bool) {
        let same = view.sha256 == self.view.sha256
            && view.text == self.view.text
            && view.preview == self.view.preview
            && view.interactive == self.view.interactive;
        if !same {
            // Once it is decided the broker shows the masked text: what this reviewer did stays.
            let stage = match view.state {
                CommandState::Pending => Stage::Open,
                _ => std::mem::replace(&mut self.stage, Stage::Open),
            };
            let closed_since = self.closed_since;
            *self = Self { stage, closed_since, ..Self::new(view, ascii) };
            return;
        }
        self.card = Card::new(&view);
        self.view = view;
    }

    /// The message itself. For deciding and sorting, never for drawing.
    pub(crate) fn view(&self) -> &CommandView {
        &self.view
    }

    /// Its id.
    pub(crate) fn id(&self) -> &CommandId {
        &self.view.id
    }

    /// Where it is in its life.
    pub(crate) fn state(&self) -> CommandState {
        self.view.state
    }

    /// Its level.
    pub(crate) fn level(&self) -> Level {
        self.view.level
    }

    /// Its place in the queue.
    pub(crate) fn order(&self) -> (i64, &CommandId) {
        (self.view.deadline_ms, &self.view.id)
    }

    /// Whether the command is not to be shown before the reviewer asks for it.
    pub(crate) fn is_secret(&self) -> bool {
        self.mask.is_some()
    }

    /// What is shown of the command.
    pub(crate) fn text(&self, masked: bool) -> &VisibleText {
        self.mask.as_ref().filter(|_| masked).unwrap_or(&self.command)
    }

    /// What is shown of the preview: none of a masked item's, which repeats it.
    pub(crate) fn shown_preview(&self, masked: bool) -> Option<&VisibleText> {
        self.preview.as_ref().filter(|_| !masked)
    }

    /// Notes what a drawing showed.
    pub(crate) fn saw(&mut self, drawn: &DrawnRequest) {
        if drawn.masked {
            self.mask_seen = true;
            return;
        }
        drawn.rows.iter().for_each(|row| self.seen.note(row));
        drawn.preview.iter().for_each(|row| self.preview_seen.note(row));
    }

    /// Whether the last byte of all that is shown was on the screen.
    pub(crate) fn end_seen(&self, masked: bool) -> bool {
        if masked && self.mask.is_some() {
            return self.mask_seen;
        }
        self.seen.end(&self.command)
            && self.preview.as_ref().is_none_or(|p| self.preview_seen.end(p))
    }

    /// How much was on the screen, in per cent; 100 only when it was all.
    pub(crate) fn seen_percent(&self) -> usize {
        let preview = self.preview.as_ref();
        let all = self.command.text().len() + preview.map_or(0, |p| p.text().len());
        let seen =
            self.seen.bytes(&self.command) + preview.map_or(0, |p| self.preview_seen.bytes(p));
        if all == 0 || seen >= all { 100 } else { (seen * 100 / all).min(99) }
    }

    /// The command on one line with its result.
    pub(crate) fn past(&self) -> PastCommand {
        let (result, good) = result(self.state(), self.view.outcome.as_ref());
        PastCommand {
            id: self.id().clone(),
            at: self.view.timestamp,
            result,
            good,
            headline: self.headline.clone(),
        }
    }
}

/// How a command ended, in one or two words, and whether that is good.
pub(crate) fn result(state: CommandState, outcome: Option<&Outcome>) -> (String, bool) {
    match (state, outcome) {
        (CommandState::Finished, Some(o)) => match (o.exit_status, &o.exit_signal) {
            (Some(0), _) => ("ok".to_owned(), true),
            (Some(n), _) => (format!("exit {n}"), false),
            (None, Some(signal)) => (format!("SIG{}", clean(signal, 12)), false),
            (None, None) => ("ended".to_owned(), true),
        },
        (CommandState::Finished, None) => ("ended".to_owned(), true),
        (CommandState::Released, _) => ("running".to_owned(), true),
        (CommandState::Unknown, _) => ("outcome unknown".to_owned(), false),
        (state, _) => (state.as_str().to_owned(), state == CommandState::Allowed),
    }
}

impl Card {
    fn new(view: &CommandView) -> Self {
        let s = &view.session;
        let optional = |text: &Option<String>, max| {
            text.as_deref().map(|t| clean(t, max)).filter(|t| !t.trim().is_empty())
        };
        let target_name = clean(&s.target, 80);
        let mut notes: Vec<String> = Vec::new();
        match view.kind {
            ItemKind::Exec | ItemKind::Line => {}
            ItemKind::Shell => notes.push("a login shell: its script comes next".to_owned()),
            ItemKind::Stdin => notes.push("script on standard input".to_owned()),
            // What these are for stands above the command.
            ItemKind::Input | ItemKind::Keys | ItemKind::Control | ItemKind::File => {}
        }
        if view.uninspectable {
            notes.push("the engine could not look into all of it".to_owned());
        }
        notes.extend(view.notes.iter().take(20).map(|n| clean(n, 200)));
        if !view.env.is_empty() {
            let list: Vec<String> =
                view.env.iter().take(50).map(|(k, v)| format!("{k}={v}")).collect();
            notes.push(clean(&format!("environment {}", list.join(" ")), 500));
        }
        if !view.dropped_env.is_empty() {
            let names = view.dropped_env.join(" ");
            notes.push(clean(&format!("dropped environment {names}"), 300));
        }
        let needed = view.requirement.min.max(1);
        let names = |list: &[String]| clean(&list.join(", "), 120);
        let requirement = match view.requirement.kind {
            PolicyKind::Any if view.requirement.group.is_empty() => String::new(),
            PolicyKind::Any => format!("any of {}", names(&view.requirement.group)),
            PolicyKind::Quorum => format!("{needed} of {}", names(&view.requirement.group)),
            PolicyKind::All => format!("all of {}", names(&view.requirement.group)),
            PolicyKind::Role => {
                let role = view.requirement.role.as_deref().unwrap_or("?");
                format!("{needed} with role {}", clean(role, 40))
            }
        };
        let decided = view.decided_by.as_deref().map(|by| {
            let comment = view.comment.as_deref().unwrap_or_default();
            let dash = if comment.is_empty() { "" } else { " — " };
            short_ids(&clean(&format!("{by}{dash}{comment}"), 300))
        });
        Self {
            target: clean(&format!("{}@{}", s.user, s.target), 120),
            target_typable: !s.target.is_empty()
                && s.target.len() <= 64
                && s.target.bytes().all(|b| b.is_ascii_graphic()),
            target_name,
            cwd: clean(&view.cwd, 200),
            destination: Destination::new(view),
            may_decide: view.may_decide.iter().take(20).map(|n| clean(n, 40)).collect(),
            agent: clean(&s.agent, 60),
            owner: optional(&s.owner, 60),
            sentence: optional(&view.headline, 300),
            reason: optional(&s.reason, 300),
            host_key: optional(&s.host_key, 80).filter(|k| k != "known_hosts"),
            terms: view
                .terms
                .iter()
                .take(64)
                .map(|t| (t.points, clean(&t.name, 40), clean(&t.why, 120)))
                .collect(),
            anomalies: view
                .anomalies
                .iter()
                .take(8)
                .map(|a| (clean(&a.name, 40), clean(&a.evidence, 240)))
                .collect(),
            closest: view
                .closest
                .as_ref()
                .map(|c| (short_ids(&clean(&c.rule, 40)), clean(&c.differs, 240))),
            rule_why: short_ids(&clean(&view.rule_why, 240)),
            requirement,
            votes: view
                .votes
                .iter()
                .take(20)
                .map(|v| {
                    (clean(&v.by, 40), v.allow, clean(v.comment.as_deref().unwrap_or(""), 120))
                })
                .collect(),
            notes,
            decided,
        }
    }
}
