//! The line an agent's terminal shows while a command is held. It must never leave a trace where
//! no terminal is: programs read standard error.

use std::time::{Duration, Instant};

use crate::link::Submitted;

/// Erases the line.
pub(crate) const ERASE: &str = "\r\x1b[K";

/// What is known of a held item.
pub(crate) struct Status {
    text: String,
    hint: &'static str,
    deadline: Instant,
}

impl Status {
    /// For an item the broker has taken.
    pub(crate) fn new(news: &Submitted, now: Instant) -> Self {
        Self {
            text: format!("risk {} {}", news.risk_score, news.level),
            hint: if news.unattended { " - run: expacti review" } else { "" },
            deadline: now + news.timeout,
        }
    }

    /// The line as of now, over the old one.
    pub(crate) fn draw(&self, now: Instant) -> String {
        format!("\r{}\x1b[K", self.text(now))
    }

    /// The words of the line.
    pub(crate) fn text(&self, now: Instant) -> String {
        let left = self.deadline.saturating_duration_since(now) + Duration::from_millis(500);
        let (minutes, seconds) = (left.as_secs() / 60, left.as_secs() % 60);
        format!("expacti: waiting for review - {} - {minutes}:{seconds:02}{}", self.text, self.hint)
    }
}

#[cfg(test)]
mod tests {
    use expacti_protocol::command::StdinTreatment;
    use expacti_protocol::ids::CommandId;

    use super::*;

    #[test]
    fn counts_down() {
        let now = Instant::now();
        let mut news = Submitted {
            id: CommandId::new(),
            risk_score: 82,
            level: "CRITICAL".to_owned(),
            timeout: Duration::from_secs(60),
            stdin: StdinTreatment::Data,
            unattended: false,
        };
        let status = Status::new(&news, now);
        assert_eq!(
            status.draw(now + Duration::from_secs(13)),
            "\rexpacti: waiting for review - risk 82 CRITICAL - 0:47\x1b[K"
        );
        news.unattended = true;
        let line = Status::new(&news, now).draw(now + Duration::from_secs(600));
        assert_eq!(
            line,
            "\rexpacti: waiting for review - risk 82 CRITICAL - 0:00 - run: expacti review\x1b[K"
        );
    }
}
