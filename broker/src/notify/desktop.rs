//! One desktop notification for all that waits unseen. It must never wait for the desktop, and says
//! nothing of what a command is.

use std::time::Duration;

use expacti_engine::Level;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::info;

use super::notice::Notice;

/// How long news is collected before it is shown.
const GATHER: Duration = Duration::from_millis(300);

/// The least time between two notifications.
const REST: Duration = Duration::from_secs(30);

/// What a notification says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) text: String,
    pub(super) urgent: bool,
}

/// Shows what comes until the other end is gone.
pub(super) async fn serve(notices: mpsc::Receiver<Notice>) {
    gather(notices, |shown| {
        // The desktop may take its time, or never answer: that is this thread's trouble only.
        let _ = std::thread::Builder::new().name("notification".to_owned()).spawn(move || {
            let done = std::panic::catch_unwind(|| show(&shown));
            if !matches!(done, Ok(Ok(()))) {
                static ONCE: std::sync::Once = std::sync::Once::new();
                ONCE.call_once(|| info!("no desktop takes notifications here"));
            }
        });
    })
    .await;
}

fn show(shown: &Shown) -> Result<(), notify_rust::error::Error> {
    let mut n = notify_rust::Notification::new();
    n.appname("expacti").summary("expacti").body(&shown.text).icon("dialog-warning");
    #[cfg(all(unix, not(target_os = "macos")))]
    if shown.urgent {
        n.urgency(notify_rust::Urgency::Critical);
    }
    n.show().map(drop)
}

/// Groups what comes close together and rests in between.
async fn gather(mut notices: mpsc::Receiver<Notice>, mut show: impl FnMut(Shown)) {
    let mut rested = Instant::now();
    while let Some(first) = notices.recv().await {
        let mut worst = first.command.level;
        let mut waiting = vec![(first.command.id.clone(), first.command.deadline_ms)];
        let until = (Instant::now() + GATHER).max(rested);
        while let Ok(Some(next)) = tokio::time::timeout_at(until, notices.recv()).await {
            worst = worst.max(next.command.level);
            if waiting.len() < 1000 && !waiting.iter().any(|(id, _)| *id == next.command.id) {
                waiting.push((next.command.id.clone(), next.command.deadline_ms));
            }
        }
        // What ran out of time meanwhile waits no more.
        let now_ms = expacti_protocol::now_micros() / 1000;
        waiting.retain(|(_, deadline_ms)| *deadline_ms > now_ms);
        let text = match waiting.len() {
            0 => continue,
            1 => format!("1 {worst} command waits: expacti review"),
            n => format!("{n} commands wait, at most {worst}: expacti review"),
        };
        show(Shown { text, urgent: worst == Level::Critical });
        rested = Instant::now() + REST;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::super::notice::notice;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_one_notification_and_the_next_one_has_to_wait() {
        let (queue, notices) = mpsc::channel(64);
        let all = Arc::new(Mutex::new(Vec::new()));
        let seen = all.clone();
        let task = tokio::spawn(gather(notices, move |shown| {
            seen.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), shown));
        }));
        let start = Instant::now();
        for _ in 0..5 {
            let _ = queue.send(notice("rm -rf /srv/x")).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let _ = queue.send(notice("ls")).await;
        let _ = queue.send(notice("ls")).await;
        drop(queue);
        let _ = task.await;
        let all = all.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let texts: Vec<&str> = all.iter().map(|(_, shown)| shown.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "5 commands wait, at most HIGH: expacti review",
                "2 commands wait, at most LOW: expacti review"
            ]
        );
        assert!(
            all.first().is_some_and(|(at, _)| at.duration_since(start) < Duration::from_secs(1))
        );
    }
}
