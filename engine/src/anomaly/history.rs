//! The baseline a command is compared with: this session, and what its agent usually does. It must
//! never grow without a bound, and holds digests instead of commands.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use sha2::Digest;

use super::recon::is_recon;
use crate::modifier::Modifier;
use crate::{Assessment, Context};

/// The most programs and targets that are remembered for an agent.
pub(super) const MAX_KNOWN: usize = 512;
/// The most entries of a session that are remembered.
pub(super) const MAX_RECENT: usize = 128;
/// How many denials are remembered.
const MAX_DENIED: usize = 32;

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

/// The baseline of a session and its agent; bounded to a few tens of kilobytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// Commands by hour of the day, UTC: all that is kept of the agent's habits over time.
    pub(super) hours: [u32; 24],
    /// Programs the agent has used, and how often.
    pub(super) programs: BTreeMap<String, u32>,
    /// Targets the agent has worked on.
    pub(super) targets: BTreeMap<String, u32>,
    /// Times of the session's latest commands, in microseconds.
    pub(super) times: VecDeque<i64>,
    /// How many commands the session has had, and the sum of their scores.
    pub(super) commands: u32,
    pub(super) score_sum: u64,
    /// Words of the commands that were denied in this session.
    pub(super) denied: VecDeque<Denied>,
    /// When the session last looked around, and with what.
    pub(super) recon: VecDeque<(i64, String)>,
    /// When the session last read a secret, and which.
    pub(super) secret: Option<(i64, String)>,
}

/// A denied command, as a set of digests of its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Denied {
    pub(super) digest: u64,
    pub(super) words: Vec<u64>,
}

impl History {
    /// Takes one event into the baseline.
    pub fn observe(&mut self, event: &Event<'_>) {
        match event {
            Event::Submitted { context, assessment, .. } => self.submitted(context, assessment),
            Event::Decided { command, allow } => {
                if !allow {
                    push(&mut self.denied, denied(command), MAX_DENIED);
                }
            }
            Event::SessionOpened => {
                self.times.clear();
                self.commands = 0;
                self.score_sum = 0;
                self.denied.clear();
                self.recon.clear();
                self.secret = None;
            }
        }
    }

    fn submitted(&mut self, context: &Context, assessment: &Assessment) {
        if let Some(hour) = self.hours.get_mut(hour_of(context.now)) {
            *hour = hour.saturating_add(1);
        }
        push(&mut self.times, context.now, MAX_RECENT);
        self.commands = self.commands.saturating_add(1);
        self.score_sum = self.score_sum.saturating_add(u64::from(assessment.score));
        count(&mut self.targets, &context.target);
        for segment in &assessment.segments {
            let Some(program) = &segment.program else { continue };
            count(&mut self.programs, program);
            if is_recon(program, &segment.argv) {
                push(&mut self.recon, (context.now, program.clone()), 8);
            }
        }
        if let Some(term) = assessment.terms.iter().find(|term| term.is(Modifier::Secret)) {
            self.secret = Some((context.now, term.why.clone()));
        }
    }
}

fn push<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    if queue.len() >= most {
        queue.pop_front();
    }
    queue.push_back(item);
}

fn count(map: &mut BTreeMap<String, u32>, key: &str) {
    if key.is_empty() || key.len() > 256 {
        return;
    }
    if let Some(known) = map.get_mut(key) {
        *known = known.saturating_add(1);
    } else if map.len() < MAX_KNOWN {
        map.insert(key.to_owned(), 1);
    }
}

/// The hour of the day, UTC, of a time in microseconds.
pub(super) fn hour_of(now: i64) -> usize {
    usize::try_from(now.div_euclid(3_600_000_000).rem_euclid(24)).unwrap_or(0)
}

/// The digests of a command, so that variations of it can be told without keeping it.
pub(super) fn denied(command: &[u8]) -> Denied {
    let mut words: Vec<u64> = command
        .split(|b| b.is_ascii_whitespace() || b";|&()<>'\"\\$`".contains(b))
        .filter(|word| !word.is_empty())
        .take(64)
        .map(digest)
        .collect();
    words.sort_unstable();
    words.dedup();
    Denied { digest: digest(command), words }
}

fn digest(bytes: &[u8]) -> u64 {
    let hash = sha2::Sha256::digest(bytes);
    hash.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}
