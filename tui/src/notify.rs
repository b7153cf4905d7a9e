//! Desktop notifications, on a thread of their own. It must never block or end the screen, whatever
//! the desktop does, and never carries a decision.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::model::Notice;

/// Failures in a row after which the desktop is left alone.
const GIVE_UP: u32 = 3;

/// Hands notices to the thread.
pub(crate) struct Notifier {
    queue: Option<SyncSender<Notice>>,
}

impl Notifier {
    /// Starts the thread, or nothing when notifications are not wanted.
    pub(crate) fn start(wanted: bool) -> Self {
        if !wanted {
            return Self { queue: None };
        }
        let (queue, notices) = sync_channel(4);
        let started = std::thread::Builder::new()
            .name(crate::terminal::QUIET_THREAD.to_owned())
            .spawn(move || show(&notices));
        Self { queue: started.ok().map(|_| queue) }
    }

    /// Shows it, or drops it when the desktop is slow.
    pub(crate) fn show(&self, notice: Notice) {
        if let Some(queue) = &self.queue {
            let _ = queue.try_send(notice);
        }
    }
}

fn show(notices: &Receiver<Notice>) {
    let mut failures = 0;
    for notice in notices {
        let shown = std::panic::catch_unwind(|| {
            let mut n = notify_rust::Notification::new();
            n.appname("expacti")
                .summary(&notice.title)
                // Desktops read markup here.
                .body(&notice.body.replace('&', "&amp;").replace('<', "&lt;"))
                .icon("dialog-warning");
            #[cfg(all(unix, not(target_os = "macos")))]
            if notice.urgent {
                n.urgency(notify_rust::Urgency::Critical);
            }
            n.show().is_ok()
        });
        failures = if matches!(shown, Ok(true)) { 0 } else { failures + 1 };
        if failures >= GIVE_UP {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With a desktop, without one, or with one that hangs: the screen goes on.
    #[test]
    fn a_hundred_notices_take_no_time() {
        let notifier = Notifier::start(true);
        let began = std::time::Instant::now();
        for i in 0..100 {
            let (title, body) = (format!("test {i}"), "<b>&".to_owned());
            notifier.show(Notice { title, body, urgent: i % 2 == 0 });
        }
        assert!(began.elapsed() < std::time::Duration::from_millis(500));
        Notifier::start(false).show(Notice {
            title: String::new(),
            body: String::new(),
            urgent: false,
        });
    }
}
