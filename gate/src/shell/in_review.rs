//! The one item of an interactive shell that is under review: a future that ends with the result,
//! and the means to withdraw or check the item meanwhile.

use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use expacti_line::session::{Kind, Label, Submission};
use expacti_protocol::command::{Interactive, ItemKind, PromptLabel};
use expacti_protocol::shell::PosixShell;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::boundary::Terminal;
use crate::broker::event::{OpenSession, Submitted};
use crate::review::hold::{AlsoWatched, Review};
use crate::review::item::{ReviewItem, ReviewResult, Watcher};
use crate::review::status_line::{FLICKER, Status};

/// The longest name of a program or directory that reviewers see, in characters: Linux's PATH_MAX.
const MAX_NAME: usize = 4096;

/// An item under review.
pub(super) struct ItemInReview<'a> {
    result: Pin<Box<dyn Future<Output = (Option<OpenSession>, ReviewResult)> + Send + 'a>>,
    withdraw: CancellationToken,
    submitted: mpsc::UnboundedReceiver<Submitted>,
    checks: mpsc::UnboundedReceiver<oneshot::Sender<bool>>,
    /// The status line, and when to draw it next.
    status: Option<(Status, Instant)>,
}

/// What happened to an item under review.
pub(super) enum ItemEvent {
    /// Someone asks whether the context is still the reviewed one.
    Check(oneshot::Sender<bool>),
    /// The review has ended; with the session in which the item was submitted.
    Result(Option<OpenSession>, Box<ReviewResult>),
    /// The status line is to be drawn.
    Status(String),
}

impl<'a> ItemInReview<'a> {
    /// Starts the review of an item.
    pub(super) fn submit(review: Review<'a>, submission: Submission, terminal: Terminal) -> Self {
        let (submitted_tx, submitted) = mpsc::unbounded_channel();
        let (check_tx, checks) = mpsc::unbounded_channel();
        let withdraw = CancellationToken::new();
        let watcher =
            Watcher { withdraw: withdraw.clone(), submitted: submitted_tx, check: check_tx };
        let result = async move {
            let session = match review.connection.current().await {
                Ok(session) => session,
                Err(refusal) => return (None, ReviewResult::Refused(refusal)),
            };
            let review = Review { watcher: Some(&watcher), ..review };
            let mut terminal = Some(terminal);
            let result =
                review.run(&session, item(submission), &mut terminal, AlsoWatched::default()).await;
            (Some(session), result)
        };
        Self { result: Box::pin(result), withdraw, submitted, checks, status: None }
    }

    /// Withdraws the item, unless it is too late.
    pub(super) fn withdraw(&self) {
        self.withdraw.cancel();
    }

    /// Withdraws the item, and waits for the outcome.
    pub(super) async fn abandon(self) -> ReviewResult {
        self.withdraw.cancel();
        self.result.await.1
    }

    /// The next event. Must not be called again after a `Result`.
    pub(super) async fn next(&mut self) -> ItemEvent {
        loop {
            let due = self.status.as_ref().map(|(_, due)| *due);
            tokio::select! {
                biased;
                (session, result) = self.result.as_mut() => {
                    return ItemEvent::Result(session, Box::new(result));
                }
                Some(ask) = self.checks.recv() => return ItemEvent::Check(ask),
                Some(submitted) = self.submitted.recv() => {
                    let now = Instant::now();
                    self.status = Some((Status::new(&submitted, now), now + FLICKER));
                }
                () = sleep_until(due) => {
                    if let Some((status, due)) = &mut self.status {
                        *due += Duration::from_secs(1);
                        return ItemEvent::Status(status.text(Instant::now()));
                    }
                }
            }
        }
    }
}

/// Waits for the deadline; without one, forever.
pub(super) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// What the line gate wants reviewed, as an item for the broker.
fn item(submission: Submission) -> ReviewItem {
    let kind = match submission.kind {
        Kind::Line => ItemKind::Line,
        Kind::Input => ItemKind::Input,
        Kind::Keys => ItemKind::Keys,
        Kind::Control => ItemKind::Control,
    };
    let label = match submission.label {
        Label::Verified => PromptLabel::Verified,
        Label::Continuation => PromptLabel::Continuation,
        Label::Unverified => PromptLabel::Unverified,
        Label::Cooked => PromptLabel::Cooked,
        Label::NoEcho => PromptLabel::NoEcho,
        Label::Raw => PromptLabel::Raw,
    };
    let foreground = submission.foreground.map(|name| bounded(&name));
    let interactive = Interactive {
        label,
        foreground,
        secret: submission.secret,
        grantable: submission.grantable,
    };
    ReviewItem {
        notes: submission.notes,
        shell: submission.shell.as_deref().and_then(PosixShell::parse),
        cwd: submission.cwd.map(|cwd| bounded(&cwd)),
        interactive: Some(interactive),
        preview: submission.preview,
        ..ReviewItem::new(kind, Bytes::from(submission.bytes))
    }
}

/// Text from the target as one line, short enough to leave the reviewer's screen to the item.
fn bounded(text: &str) -> String {
    let line = expacti_protocol::one_line(text);
    let mut short: String = line.chars().take(MAX_NAME).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}
