//! What is unusual about a command, with evidence. It must never allow or deny.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{Assessment, Context};

/// One unusual thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anomaly {
    /// One of the eight names, e.g. `rate_burst`.
    pub name: String,
    /// What was seen, in words a reviewer can check.
    pub evidence: String,
}

/// Something that happened and shapes the baseline.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A command was submitted and scored.
    Submitted {
        /// Its bytes.
        command: &'a [u8],
        /// Where and when.
        context: &'a Context,
        /// Its score.
        assessment: &'a Assessment,
    },
    /// A person, rule or deadline decided.
    Decided {
        /// The command's bytes.
        command: &'a [u8],
        /// Whether it was allowed.
        allow: bool,
    },
    /// A new session of the same agent began; what belongs to one session is forgotten.
    SessionOpened,
}

/// The baseline of a session and its agent; bounded, a few kilobytes at most.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    times: VecDeque<i64>,
}

impl History {
    /// Takes one event into the baseline.
    pub fn observe(&mut self, event: &Event<'_>) {
        if let Event::Submitted { context, .. } = event {
            if self.times.len() >= 64 {
                self.times.pop_front();
            }
            self.times.push_back(context.now);
        }
    }
}

/// What is unusual about a command that is not yet part of the history.
#[must_use]
pub fn detect(
    history: &History,
    _command: &[u8],
    _assessment: &Assessment,
    context: &Context,
) -> Vec<Anomaly> {
    let recent = history
        .times
        .iter()
        .filter(|time| context.now.saturating_sub(**time) <= 10_000_000)
        .count();
    if recent < 20 {
        return Vec::new();
    }
    vec![Anomaly {
        name: "rate_burst".to_owned(),
        evidence: format!("{} commands within 10 s", recent + 1),
    }]
}
