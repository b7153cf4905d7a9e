//! Hands news to everybody who wants it. It must never wait for anybody.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use expacti_protocol::command::CommandState;
use expacti_protocol::ids::CommandId;
use expacti_protocol::reviewer::ReviewerEvent;
use tokio::sync::mpsc;
use tracing::warn;

use super::desktop;
use super::notice::{Event, Notice};
use super::webhook::{self, Webhook};
use crate::state::Shown;

/// Notices one receiver may be behind before it misses some.
const QUEUE: usize = 256;

/// How many commands are remembered as escalated.
const MAX_ESCALATED: usize = 10_000;

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
    pub(crate) fn tell(&mut self, event: &Shown<ReviewerEvent>, attended: bool) {
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

    fn notice(&mut self, event: &Shown<ReviewerEvent>) -> Option<Notice> {
        let (view, news) = match &**event {
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
        Some(Notice { event, escalated, command: Arc::new(view.as_ref().clone()) })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use expacti_protocol::command::CommandView;

    use super::super::notice::example;
    use super::*;
    use crate::state::Secrets;

    #[test]
    fn what_is_told_and_when() {
        let mut notifier = Notifier::default();
        let mut view = example("mysql -phunter22 -e 'select 1'");
        let shown = |event: ReviewerEvent| Shown::of(&event, &Secrets::default()).unwrap();
        let pending = shown(ReviewerEvent::PendingCommand(Box::new(view.clone())));
        let told = notifier.notice(&pending);
        assert!(told.as_ref().is_some_and(|n| n.event == Event::Pending && !n.escalated));
        assert!(told.is_some_and(|n| !format!("{n:?}").contains("hunter22")));
        let update =
            |view: &CommandView| shown(ReviewerEvent::CommandUpdated(Box::new(view.clone())));
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
