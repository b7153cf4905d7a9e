//! News to people who are not looking: webhooks, and the desktop of the broker's machine. It must
//! never delay or decide anything, nor carry a secret: what cannot be sent is dropped and logged.

mod desktop;
mod message;
mod webhook;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use expacti_engine::Requirement;
use expacti_protocol::command::{CommandState, CommandText, CommandView, ItemKind, StdinTreatment};
use expacti_protocol::digest::Digest;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::reviewer::ReviewerEvent;
use expacti_protocol::session::SessionInfo;
use tokio::sync::mpsc;
use tracing::warn;

use crate::state::for_viewer;

pub use webhook::{Format, Webhook, WebhookError};

/// Notices one receiver may be behind before it misses some.
const QUEUE: usize = 256;

/// How many commands are remembered as escalated.
const MAX_ESCALATED: usize = 10_000;

/// What can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A reviewer allowed or denied.
    Decided,
    /// Nobody decided in time.
    Expired,
    /// A command waits, or others are asked as well by now.
    Pending,
}

/// One piece of news; its command holds no secret.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    pub(crate) event: Event,
    pub(crate) escalated: bool,
    pub(crate) command: Arc<CommandView>,
}

struct Receiver {
    name: String,
    queue: mpsc::Sender<Notice>,
    behind: AtomicBool,
}

/// Hands news to everybody who wants it, without waiting for anybody.
#[derive(Default)]
pub(crate) struct Notifier {
    receivers: Vec<Receiver>,
    desktop: Option<mpsc::Sender<Notice>>,
    escalated: HashSet<CommandId>,
}

impl Notifier {
    /// Starts a task for each receiver; they end with this.
    pub(crate) fn start(webhooks: Vec<Webhook>, review_url: Option<&str>, desktop: bool) -> Self {
        let mut receivers = Vec::new();
        for hook in webhooks {
            let (queue, notices) = mpsc::channel(QUEUE);
            let name = hook.label();
            let review = review_url.map(str::to_owned);
            tokio::spawn(webhook::serve(hook, review, notices));
            receivers.push(Receiver { name, queue, behind: AtomicBool::new(false) });
        }
        let desktop = desktop.then(|| {
            let (queue, notices) = mpsc::channel(QUEUE);
            tokio::spawn(desktop::serve(notices));
            queue
        });
        Self { receivers, desktop, escalated: HashSet::new() }
    }

    /// Tells of what happened; `attended`: somebody who decides is connected.
    pub(crate) fn tell(&mut self, event: &ReviewerEvent, attended: bool) {
        if self.receivers.is_empty() && self.desktop.is_none() {
            return;
        }
        let Some(notice) = self.notice(event) else { return };
        if !attended
            && notice.event == Event::Pending
            && let Some(desktop) = &self.desktop
        {
            // What does not fit is grouped with what does.
            let _ = desktop.try_send(notice.clone());
        }
        for receiver in &self.receivers {
            let full = receiver.queue.try_send(notice.clone()).is_err();
            if full && !receiver.behind.swap(true, Ordering::Relaxed) {
                warn!("the webhook {} is too slow: it misses some news", receiver.name);
            } else if !full {
                receiver.behind.store(false, Ordering::Relaxed);
            }
        }
    }

    fn notice(&mut self, event: &ReviewerEvent) -> Option<Notice> {
        let (view, news) = match event {
            ReviewerEvent::PendingCommand(view) => (view, true),
            ReviewerEvent::CommandUpdated(view) => (view, false),
            _ => return None,
        };
        let escalates = view.requirement.escalated && view.state == CommandState::Pending;
        let (event, escalated) = match view.state {
            CommandState::Pending if news => (Event::Pending, false),
            CommandState::Pending if escalates && self.escalated.insert(view.id.clone()) => {
                (Event::Pending, true)
            }
            CommandState::Allowed | CommandState::Denied => (Event::Decided, false),
            CommandState::Expired => (Event::Expired, false),
            _ => return None,
        };
        if self.escalated.len() > MAX_ESCALATED || view.state != CommandState::Pending {
            self.escalated.remove(&view.id);
        }
        Some(Notice { event, escalated, command: Arc::new(for_viewer(view.as_ref().clone())) })
    }
}

/// A made-up command, for test messages.
fn example(command: &str) -> CommandView {
    let session = SessionInfo {
        agent: "test".to_owned(),
        target: "nowhere".to_owned(),
        user: "nobody".to_owned(),
        ..SessionInfo::default()
    };
    let context = expacti_engine::Context::default();
    let assessment = expacti_engine::assess(command.as_bytes(), &context);
    let masked = expacti_engine::mask_secrets(command.as_bytes());
    let now = expacti_protocol::now_micros();
    CommandView {
        id: CommandId::new(),
        session_id: SessionId::new(),
        text: CommandText::new(command.as_bytes()),
        masked: masked.masked.then_some(masked.text),
        sha256: Digest::of(command.as_bytes()),
        revision: 1,
        state: CommandState::Pending,
        kind: ItemKind::Exec,
        headline: None,
        parent: None,
        cwd: "~".to_owned(),
        timestamp: now.div_euclid(1_000_000),
        risk_score: assessment.score,
        level: assessment.level,
        terms: assessment.terms,
        uninspectable: assessment.uninspectable,
        anomaly: false,
        anomaly_reasons: Vec::new(),
        anomalies: Vec::new(),
        session,
        pty: None,
        stdin: StdinTreatment::Data,
        dropped_env: Vec::new(),
        env: Vec::new(),
        notes: Vec::new(),
        interactive: None,
        preview: None,
        grant: None,
        rule_why: "no rules".to_owned(),
        closest: None,
        requirement: Requirement::default(),
        votes: Vec::new(),
        approvals_missing: 1,
        may_decide: Vec::new(),
        deadline_ms: now.div_euclid(1000).saturating_add(60_000),
        timeout_seconds: 60,
        retry_of_denied: false,
        allow: None,
        decided_by: None,
        comment: None,
        decided_at: None,
        outcome: None,
        recording_offset: None,
    }
}

/// What `expacti webhook test` sends.
fn test_notice() -> Notice {
    let command = "echo 'this is a test of expacti; nothing waits'";
    Notice { event: Event::Pending, escalated: false, command: Arc::new(example(command)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn notice(command: &str) -> Notice {
        let command = Arc::new(for_viewer(example(command)));
        Notice { event: Event::Pending, escalated: false, command }
    }

    #[test]
    fn what_is_told_and_when() {
        let mut notifier = Notifier::default();
        let mut view = example("mysql -phunter22 -e 'select 1'");
        let pending = ReviewerEvent::PendingCommand(Box::new(view.clone()));
        let told = notifier.notice(&pending);
        assert!(told.as_ref().is_some_and(|n| n.event == Event::Pending && !n.escalated));
        assert!(told.is_some_and(|n| !format!("{n:?}").contains("hunter22")));
        let update = |view: &CommandView| ReviewerEvent::CommandUpdated(Box::new(view.clone()));
        assert!(notifier.notice(&update(&view)).is_none(), "a vote is no news");
        view.requirement.escalated = true;
        assert!(notifier.notice(&update(&view)).is_some_and(|n| n.escalated));
        assert!(notifier.notice(&update(&view)).is_none(), "once is enough");
        for (state, event) in [
            (CommandState::Allowed, Some(Event::Decided)),
            (CommandState::Denied, Some(Event::Decided)),
            (CommandState::Expired, Some(Event::Expired)),
            (CommandState::Released, None),
            (CommandState::Finished, None),
            (CommandState::Withdrawn, None),
        ] {
            view.state = state;
            assert_eq!(notifier.notice(&update(&view)).map(|n| n.event), event, "{state:?}");
        }
    }
}
