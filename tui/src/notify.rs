//! Desktop notifications, on threads of their own. It must never block or end the screen, whatever
//! the desktop does, and never carries an allow: what would be allowed is not in sight there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use expacti_protocol::ids::CommandId;
use tokio::sync::mpsc::Sender;

use crate::model::{Notice, NoticeAction};
use crate::terminal::BACKGROUND_THREAD;

/// Failures in a row after which the desktop is left alone.
const GIVE_UP: u32 = 3;
/// Notifications whose buttons are waited for; more have none.
const BUTTONS: usize = 8;

/// What the buttons of notifications say.
pub(crate) type Clicks = Sender<(CommandId, NoticeAction)>;

/// Hands notices to the thread.
pub(crate) struct Notifier {
    queue: Option<SyncSender<Notice>>,
}

impl Notifier {
    /// Starts the thread, or nothing when notifications are not wanted.
    pub(crate) fn start(wanted: bool, sound: bool, clicks: Clicks) -> Self {
        if !wanted {
            return Self { queue: None };
        }
        let (queue, notices) = sync_channel(4);
        let started = std::thread::Builder::new()
            .name(BACKGROUND_THREAD.to_owned())
            .spawn(move || show_all(&notices, sound, &clicks));
        Self { queue: started.ok().map(|_| queue) }
    }

    /// Shows it, or drops it when the desktop is slow.
    pub(crate) fn show(&self, notice: Notice) {
        if let Some(queue) = &self.queue {
            let _ = queue.try_send(notice);
        }
    }
}

fn show_all(notices: &Receiver<Notice>, sound: bool, clicks: &Clicks) {
    let mut failures = 0;
    let mut waiting = Waiting::default();
    let mut buttons = None;
    for notice in notices {
        let shown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let can = *buttons.get_or_insert_with(takes_buttons);
            show(notice, sound, can, clicks, &mut waiting)
        }));
        failures = if matches!(shown, Ok(true)) { 0 } else { failures + 1 };
        if failures >= GIVE_UP {
            return;
        }
    }
}

/// The notifications whose buttons are waited for.
#[derive(Debug, Default)]
struct Waiting {
    count: Arc<AtomicUsize>,
    /// The number the desktop gave the last one.
    last: Option<u32>,
}

impl Waiting {
    /// One more is shown. A desktop that counts from the beginning again was started anew: nothing
    /// ever comes back from those before it, and they must not take the place of others.
    fn shown(&mut self, number: u32) -> Arc<AtomicUsize> {
        if self.started_anew(number) {
            self.count = Arc::default();
        }
        self.last = Some(number);
        self.count.fetch_add(1, Ordering::SeqCst);
        self.count.clone()
    }

    /// Whether the desktop counts from the beginning again.
    fn started_anew(&self, number: u32) -> bool {
        self.last.is_some_and(|last| number <= last)
    }

    fn full(&self) -> bool {
        self.count.load(Ordering::SeqCst) >= BUTTONS
    }
}

/// Whether the desktop shows buttons at all.
fn takes_buttons() -> bool {
    #[cfg(all(unix, not(target_os = "macos")))]
    return notify_rust::get_capabilities().is_ok_and(|all| all.iter().any(|c| c == "actions"));
    #[cfg(not(all(unix, not(target_os = "macos"))))]
    return false;
}

fn show(
    notice: Notice,
    sound: bool,
    buttons: bool,
    clicks: &Clicks,
    waiting: &mut Waiting,
) -> bool {
    let mut n = notify_rust::Notification::new();
    n.appname("expacti")
        .summary(&notice.title)
        // Desktops read markup here.
        .body(&notice.body.replace('&', "&amp;").replace('<', "&lt;"))
        .icon("dialog-warning");
    if sound {
        n.sound_name(if notice.urgent { "dialog-warning" } else { "message-new-instant" });
    }
    #[cfg(all(unix, not(target_os = "macos")))]
    {
        if notice.urgent {
            n.urgency(notify_rust::Urgency::Critical);
        }
        let full = waiting.full();
        if let Some(id) = notice.id.filter(|_| buttons && !full) {
            // A click on the notification itself opens, as its button does.
            n.action("default", "Open").action("open", "Open");
            if notice.deny {
                n.action("deny", "Deny");
            }
            return n.show().is_ok_and(|handle| {
                let (clicks, count) = (clicks.clone(), waiting.shown(handle.id()));
                let alive = count.clone();
                // Waiting lasts until the notification is gone, which may be never.
                let waits = std::thread::Builder::new().name(BACKGROUND_THREAD.to_owned()).spawn(
                    move || {
                        handle.wait_for_action(|action| {
                            let click = match action {
                                "default" | "open" => NoticeAction::Open,
                                "deny" => NoticeAction::Deny,
                                _ => return,
                            };
                            let _ = clicks.try_send((id.clone(), click));
                        });
                        count.fetch_sub(1, Ordering::SeqCst);
                    },
                );
                if waits.is_err() {
                    alive.fetch_sub(1, Ordering::SeqCst);
                }
                waits.is_ok()
            });
        }
    }
    #[cfg(not(all(unix, not(target_os = "macos"))))]
    let _ = (buttons, clicks, waiting);
    #[cfg(all(unix, not(target_os = "macos")))]
    return n.show().is_ok_and(|handle| {
        if waiting.started_anew(handle.id()) {
            *waiting = Waiting { last: Some(handle.id()), ..Waiting::default() };
        }
        true
    });
    #[cfg(not(all(unix, not(target_os = "macos"))))]
    n.show().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_desktop_that_was_started_anew_gets_buttons_again() {
        let mut waiting = Waiting::default();
        let first: Vec<_> = (1..=8).map(|number| waiting.shown(number)).collect();
        assert!(waiting.full());
        waiting.shown(1);
        assert!(!waiting.full());
        // What still ends of the old ones is not taken from the new.
        first.iter().for_each(|count| {
            count.fetch_sub(1, Ordering::SeqCst);
        });
        assert_eq!(waiting.count.load(Ordering::SeqCst), 1);
    }

    /// With a desktop, without one, or with one that hangs: the screen goes on.
    #[test]
    fn a_hundred_notices_take_no_time() {
        let (clicks, _clicked) = tokio::sync::mpsc::channel(4);
        let notifier = Notifier::start(true, true, clicks.clone());
        let began = std::time::Instant::now();
        for i in 0..100 {
            let (title, body) = (format!("test {i}"), "<b>&".to_owned());
            let id = "cmd_01h455vb4pex5vsknk084s0001".parse().ok();
            notifier.show(Notice { id, title, body, urgent: i % 2 == 0, deny: true });
        }
        assert!(began.elapsed() < std::time::Duration::from_millis(500));
        Notifier::start(false, false, clicks).show(Notice {
            id: None,
            deny: false,
            title: String::new(),
            body: String::new(),
            urgent: false,
        });
    }
}
