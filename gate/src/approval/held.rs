//! An item that waits, as far as its approval is concerned: what it is, and what rules and policies say of
//! it as the gate reads it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use expacti_engine::{
    Context, GivenInput, History, InputReport, Level, RiskTables, Snapshot, Verdict, WrittenFile,
    judge_as, judge_more_input, judge_with_input, make_visible,
};
use expacti_protocol::command::{ItemKind, Submission};
use expacti_protocol::digest::Digest;
use expacti_protocol::input::InputRef;
use expacti_protocol::now_micros;
use expacti_protocol::session::SessionInfo;
use expacti_signing::{Delivery, Item};

/// How much of a command a note about its input repeats, in characters.
const NOTE: usize = 200;

/// An item that waits, as far as its approval is concerned.
pub(crate) struct Waiting {
    pub(super) submission: Submission,
    pub(super) info: Arc<SessionInfo>,
    pub(super) item: Option<Item>,
    /// The digest of its statement, as it was signed.
    pub(super) item_sha256: Option<Digest>,
    /// What the broker said of it. It can only add to what the gate thinks.
    pub(super) level: Mutex<Level>,
    /// The command that it is input of.
    pub(super) fed: Option<Fed>,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waiting")
    }
}

/// The command that an item is standard input of.
#[derive(Clone)]
pub(crate) struct Fed {
    /// The command, as it was approved.
    pub(crate) command: Arc<Waiting>,
    /// What it was given already; `None` where some of that was not seen.
    pub(crate) given: Option<GivenInput>,
}

impl Fed {
    /// What it is input of, for whoever decides.
    pub(super) fn note(&self) -> String {
        let command = self.command.bytes().unwrap_or_default();
        let visible = make_visible(&command).text;
        let cut: String = visible.chars().take(NOTE).collect();
        let more = if cut.len() < visible.len() { "…" } else { "" };
        let sha256 = self.command.submission.sha256;
        match self.command.submission.kind {
            ItemKind::Stdin => "goes to a login shell".to_owned(),
            _ => format!("goes to {cut}{more} (sha256 {sha256})"),
        }
    }
}

impl Waiting {
    /// The broker has scored it.
    pub(crate) fn scored(&self, level: Level) {
        let mut known = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        *known = (*known).max(level);
    }

    pub(super) fn level(&self) -> Level {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What rules and policies say of the item, together with the standard input that goes with it; of an
    /// item of standard input, as the command takes it.
    pub(super) fn verdict(
        &self,
        snapshot: &Snapshot,
        context: &Context,
        input: &[u8],
    ) -> Result<Verdict, String> {
        let bytes = self.bytes()?;
        let history = History::default();
        if let Some(Fed { command, given: Some(given) }) = &self.fed {
            // What is fed to a login shell is the shell's, and has no command of its own.
            let reader = match command.submission.kind {
                ItemKind::Stdin => b"sh".to_vec(),
                _ => command.bytes()?,
            };
            let context = Context {
                cwd: Some(command.submission.cwd.clone()),
                shell: command.submission.reader().map(|shell| shell.as_str().to_owned()),
                ..context.clone()
            };
            return Ok(judge_more_input(snapshot, &reader, given, &bytes, &context, &history).0);
        }
        Ok(if input.is_empty() {
            judge_as(snapshot, self.submission.syntax(), &bytes, context, &history)
        } else {
            judge_with_input(snapshot, &bytes, input, context, &history)
        })
    }

    /// Whether it is input of a command of which not all is known: then it may do anything.
    pub(super) fn is_fed_in_the_dark(&self) -> bool {
        let is_input = self.submission.kind == ItemKind::Stdin && self.submission.parent.is_some();
        is_input && self.fed.as_ref().is_none_or(|fed| fed.given.is_none())
    }

    /// What a command does with its standard input, as the gate reads it.
    pub(super) fn input_use(&self, context: &Context) -> Result<InputReport, String> {
        let bytes = self.bytes()?;
        Ok(match self.submission.kind {
            ItemKind::Exec => {
                let tables = RiskTables::builtin();
                tables.input_use(&bytes, context, &tables.assess(&bytes, context))
            }
            _ => InputReport::default(),
        })
    }

    /// Whether the file that standard input becomes is the one that the broker says: only that is read.
    pub(super) fn writes(&self, said: &WrittenFile) -> bool {
        let context = self.submission.context(session(&self.info));
        self.input_use(&context).is_ok_and(|report| report.file.as_ref() == Some(said))
    }

    /// What is delivered now, for the gate's report.
    pub(crate) fn delivery(
        &self,
        (bytes, sha256): (u64, Digest),
        input: Option<InputRef>,
    ) -> Delivery {
        Delivery {
            at: now_micros(),
            bytes,
            input,
            item_sha256: self.item_sha256,
            session_id: self.submission.session_id.clone(),
            sha256,
        }
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        self.submission.text.bytes().map_err(|error| error.to_string())
    }
}

/// What the engine may know of a session.
pub(super) fn session(info: &SessionInfo) -> Context {
    Context {
        agent: info.agent.clone(),
        target: info.target.clone(),
        user: info.user.clone(),
        now: now().saturating_mul(1_000_000),
        ..Context::default()
    }
}

/// The time, in seconds since the Unix epoch.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
