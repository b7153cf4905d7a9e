//! Routes that wait for their connection. Each is given out once, and soon or never.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use expacti_protocol::uplink::TargetRoute;

/// How long a ticket is good for: the client connects at once.
const LIFETIME: Duration = Duration::from_secs(120);

/// How many may wait at the same time.
const MOST: usize = 256;

/// What a ticket stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Where to.
    pub(crate) route: TargetRoute,
    /// The client's standard error is a terminal.
    pub(crate) status_line: bool,
}

/// The open tickets.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    waiting: HashMap<String, (Instant, Waiting)>,
}

impl Tickets {
    /// Keeps a route under a ticket that nobody has had before; false when too many wait.
    pub(crate) fn add(&mut self, ticket: String, waiting: Waiting, now: Instant) -> bool {
        self.waiting.retain(|_, (since, _)| now.duration_since(*since) < LIFETIME);
        if self.waiting.len() >= MOST || self.waiting.contains_key(&ticket) {
            return false;
        }
        self.waiting.insert(ticket, (now, waiting));
        true
    }

    /// Gives a route out, once.
    pub(crate) fn take(&mut self, ticket: &str, now: Instant) -> Option<Waiting> {
        let (since, waiting) = self.waiting.remove(ticket)?;
        (now.duration_since(since) < LIFETIME).then_some(waiting)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn waiting() -> Waiting {
        Waiting { route: TargetRoute::default(), status_line: false }
    }

    #[test]
    fn a_ticket_is_good_once_and_for_two_minutes() {
        let (mut tickets, now) = (Tickets::default(), Instant::now());
        assert!(tickets.add("a".to_owned(), waiting(), now));
        assert!(!tickets.add("a".to_owned(), waiting(), now));
        assert!(tickets.take("b", now).is_none());
        assert!(tickets.take("a", now).is_some());
        assert!(tickets.take("a", now).is_none());
        assert!(tickets.add("c".to_owned(), waiting(), now));
        assert!(tickets.take("c", now + LIFETIME).is_none());
    }

    #[test]
    fn there_are_never_more_than_so_many() {
        let (mut tickets, now) = (Tickets::default(), Instant::now());
        for n in 0..MOST {
            assert!(tickets.add(n.to_string(), waiting(), now));
        }
        assert!(!tickets.add("more".to_owned(), waiting(), now));
        assert!(tickets.add("more".to_owned(), waiting(), now + LIFETIME));
    }
}
