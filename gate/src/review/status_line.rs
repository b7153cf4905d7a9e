//! The line that an agent's terminal shows while a command is held. It must never appear where
//! there is no terminal: programs read standard error.

use std::time::{Duration, Instant};

use crate::broker::event::Submitted;
use crate::client::writer::ClientWriter;

/// Erases the line.
const ERASE: &str = "\r\x1b[K";

/// Delay before the status line appears, so that a quick decision causes no flicker.
pub(crate) const FLICKER: Duration = Duration::from_millis(150);

/// How long drawing may take: a client that does not read its screen must not hold up a decision.
const SLOW_CLIENT: Duration = Duration::from_millis(200);

/// How long an agent waits for a change of files before it is told why.
const NOTICE_AFTER: Duration = Duration::from_secs(2);

/// The notice for an agent without a status line, sent once per item: what it is waiting for. Only
/// for clients whose standard error nobody reads as data.
pub(crate) fn waiting(item: &str) -> String {
    let first = item.lines().next().unwrap_or_default();
    // Up to the digest, which would mean nothing to it.
    let what = first.split_once(", sha256").map_or(first, |(what, _)| what);
    let what: String = expacti_protocol::one_line(what).chars().take(200).collect();
    format!("expacti: waiting for review: {what}")
}

/// Waits for `held`; runs `say` once if that takes a while.
pub(crate) async fn with_notice<T>(
    held: impl Future<Output = T>,
    say: impl Future<Output = ()>,
) -> T {
    within(NOTICE_AFTER, held, say).await
}

async fn within<T>(
    patience: Duration,
    held: impl Future<Output = T>,
    say: impl Future<Output = ()>,
) -> T {
    let notice = async {
        tokio::time::sleep(patience).await;
        say.await;
        std::future::pending::<()>().await;
    };
    tokio::pin!(held, notice);
    tokio::select! {
        biased;
        held = &mut held => held,
        // It never ends by itself.
        () = &mut notice => held.await,
    }
}

/// What the status line shows of a held item.
pub(crate) struct Status {
    text: String,
    hint: &'static str,
    deadline: Instant,
}

impl Status {
    /// For an item that the broker has accepted.
    pub(crate) fn new(submitted: &Submitted, now: Instant) -> Self {
        Self {
            text: format!("risk {} {}", submitted.risk_score, submitted.level),
            hint: if submitted.unattended { " - run: expacti review" } else { "" },
            deadline: now + submitted.timeout,
        }
    }

    /// The line as of now, over the old one.
    pub(crate) fn draw(&self, now: Instant) -> String {
        format!("\r{}\x1b[K", self.text(now))
    }

    /// The text of the line.
    pub(crate) fn text(&self, now: Instant) -> String {
        let left = self.deadline.saturating_duration_since(now) + Duration::from_millis(500);
        let (minutes, seconds) = (left.as_secs() / 60, left.as_secs() % 60);
        format!("expacti: waiting for review - {} - {minutes}:{seconds:02}{}", self.text, self.hint)
    }
}

/// The status line of one held item.
pub(crate) struct StatusLine<'a> {
    client: Option<&'a ClientWriter>,
    status: Option<Status>,
    drawn: bool,
    next: tokio::time::Instant,
}

impl<'a> StatusLine<'a> {
    pub(crate) fn new(client: Option<&'a ClientWriter>, wanted: bool) -> Self {
        let client = client.filter(|_| wanted);
        Self { client, status: None, drawn: false, next: tokio::time::Instant::now() }
    }

    pub(crate) fn show(&mut self, status: Status) {
        // A quick decision must not cause flicker.
        self.next = tokio::time::Instant::now() + FLICKER;
        self.status = Some(status);
    }

    /// Draws the line when it is time to, and returns after each drawing.
    pub(crate) async fn tick(&mut self) {
        let (Some(client), Some(status)) = (self.client, &self.status) else {
            return std::future::pending().await;
        };
        tokio::time::sleep_until(self.next).await;
        self.next += Duration::from_secs(1);
        self.drawn = true;
        // A client that does not read its screen must not hold up the decision.
        let line = status.draw(Instant::now());
        let drawing = client.send_text(&line);
        if tokio::time::timeout(SLOW_CLIENT, drawing).await.is_err() {
            self.client = None;
        }
    }

    pub(crate) async fn erase(&mut self) {
        if let (Some(client), true) = (self.client, self.drawn) {
            tokio::time::timeout(SLOW_CLIENT, client.send_text(ERASE)).await.ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use expacti_protocol::command::StdinTreatment;
    use expacti_protocol::ids::CommandId;

    use super::*;

    #[test]
    fn what_an_agent_waits_for() {
        for (item, line) in [
            ("sftp write /srv/x: 12 B, sha256 ab, new file", "sftp write /srv/x: 12 B"),
            ("sftp upload 2 files, 2 B, to /srv\nsftp write", "sftp upload 2 files, 2 B, to /srv"),
            ("sftp remove /srv/x: 1 B\x1b[2J", "sftp remove /srv/x: 1 B\\x1b[2J"),
        ] {
            let told = waiting(item);
            assert!(told.starts_with("expacti: waiting for review: sftp "), "{told}");
            assert!(!told.chars().any(char::is_control), "{told:?}");
            if !item.contains('\x1b') {
                assert_eq!(told, format!("expacti: waiting for review: {line}"));
            }
        }
    }

    #[tokio::test]
    async fn told_once_and_only_when_it_takes_a_while() {
        let told = std::cell::Cell::new(0);
        let heard = tokio::sync::Notify::new();
        let say = || async {
            told.set(told.get() + 1);
            heard.notify_one();
        };
        assert_eq!(with_notice(async { 1 }, say()).await, 1);
        assert_eq!(told.get(), 0);
        let held = async {
            heard.notified().await;
            2
        };
        assert_eq!(within(Duration::ZERO, held, say()).await, 2);
        assert_eq!(told.get(), 1);
    }

    #[test]
    fn counts_down() {
        let now = Instant::now();
        let mut submitted = Submitted {
            id: CommandId::new(),
            risk_score: 82,
            level: expacti_engine::Level::Critical,
            timeout: Duration::from_secs(60),
            stdin: StdinTreatment::Data,
            drop_stdin: false,
            writes: None,
            pending: true,
            unattended: false,
        };
        let status = Status::new(&submitted, now);
        assert_eq!(
            status.draw(now + Duration::from_secs(13)),
            "\rexpacti: waiting for review - risk 82 CRITICAL - 0:47\x1b[K"
        );
        submitted.unattended = true;
        let line = Status::new(&submitted, now).draw(now + Duration::from_secs(600));
        assert_eq!(
            line,
            "\rexpacti: waiting for review - risk 82 CRITICAL - 0:00 - run: expacti review\x1b[K"
        );
    }
}
