//! One request on the reviewer's screen. It must never show a string that is not clean, nor call
//! bytes exact whose digest is not the command's.

use std::borrow::Cow;

use expacti_engine::Level;
use expacti_protocol::command::{CommandState, CommandView, Grant, ItemKind, Outcome};
use expacti_protocol::digest::Digest;
use expacti_protocol::ids::CommandId;
use expacti_protocol::input::InputView;
use expacti_protocol::proof::Pin;

use super::card::Card;
use super::decisions::Verdict;
use super::drawn::DrawnRequest;
use super::seen::Seen;
use crate::text::clean;
use crate::time::Millis;
use crate::visible_text::VisibleText;

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
    /// Allowed here; the reviewer's key is asked to sign it.
    Signing {
        /// Names the message.
        r#ref: u64,
        /// The key wants to be touched.
        touch: bool,
    },
    /// Sent; the broker has not answered.
    Sent {
        /// Names the message.
        r#ref: u64,
        /// Which way it went.
        verdict: Verdict,
        /// Sent at.
        at: Millis,
    },
    /// The broker has it on disk.
    Done {
        /// Which way it went.
        verdict: Verdict,
    },
    /// The broker refused it; nothing happened.
    Refused {
        /// Why, clean.
        why: String,
    },
}

impl Stage {
    /// Whether this reviewer's decision is under way or done.
    pub(crate) fn is_decided(&self) -> bool {
        matches!(
            self,
            Self::Held { .. } | Self::Signing { .. } | Self::Sent { .. } | Self::Done { .. }
        )
    }

    /// Whether it is too late to deny: a denial is done, or something is on its way.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Sent { .. } | Self::Done { verdict: Verdict::Deny })
    }
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
    /// Its allow says that the account goes on being trusted.
    pub trust: bool,
    /// The reviewer's PIN, from when it is typed until the allow is sent or taken back.
    pub pin: Option<Pin>,
    /// Its preview, made visible.
    pub preview: Option<VisibleText>,
    /// Set when the preview is a difference of two files.
    pub diff: Option<DiffStat>,
    /// What stands for the command until the reviewer asks for it.
    mask: Option<VisibleText>,
    seen: Seen,
    preview_seen: Seen,
    mask_seen: bool,
    /// Since when it is not open any more.
    pub closed_since: Option<Millis>,
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

/// The standard input that came with a command.
pub(crate) fn came(view: &CommandView) -> Option<&InputView> {
    view.input.as_deref().and_then(|input| input.came.as_ref())
}

/// What is shown below the command: what goes with it for reading, or the standard input that is allowed
/// with it.
fn previewed(view: &CommandView) -> Option<Cow<'_, str>> {
    let input = || {
        let came = came(view)?;
        Some(match &came.text {
            Some(text) => match &came.compared {
                Some(compared) => Cow::from(format!("{compared}\nall of it:\n{text}")),
                None => Cow::from(text),
            },
            None => Cow::from(came.preview.join("\n")),
        })
    };
    view.preview.as_deref().map(Cow::from).or_else(input)
}

/// How much a difference of two files changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DiffStat {
    /// Lines added.
    pub added: usize,
    /// Lines removed.
    pub removed: usize,
}

impl DiffStat {
    /// Counts the lines of a text that begins like a unified difference.
    fn of(text: &str) -> Option<Self> {
        let head = text.lines().take(20).any(|l| l.starts_with("@@ "));
        let count = |sign: &str, file: &str| {
            text.lines().filter(|l| l.starts_with(sign) && !l.starts_with(file)).count()
        };
        head.then(|| Self { added: count("+", "+++ "), removed: count("-", "--- ") })
    }
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
            (&view.interactive, &view.preview, &view.input, &view.taints, &view.tainted),
        );
        let group = Digest::of(format!("{key:?}").as_bytes());
        let preview = previewed(&view).map(|p| VisibleText::of_file(p.as_bytes(), ascii));
        Self {
            command: VisibleText::new(&bytes, ascii),
            exact,
            redacted: view.masked.as_ref() == Some(&view.text.command),
            headline: headline(&view, 240),
            card: Card::new(&view),
            group,
            stage: Stage::Open,
            trust: false,
            pin: None,
            diff: preview.as_ref().and_then(|p| DiffStat::of(p.text())),
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
    /// the same or the digest differs, and then everything starts again.
    pub(crate) fn refresh(&mut self, view: CommandView, ascii: bool) {
        let same = view.sha256 == self.view.sha256
            && view.text == self.view.text
            && view.preview == self.view.preview
            && came(&view) == came(&self.view)
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

    /// Whether it has to do with what is trusted in its account: it may change that, or something did.
    pub(crate) fn concerns_trust(&self) -> bool {
        self.view.taints.is_some() || self.view.tainted.is_some()
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
