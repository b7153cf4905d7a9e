//! What the target said about its terminal when it was asked on a side channel. An answer is about
//! one moment: it must never be used for keys that are typed after the terminal may have changed.

use std::time::Duration;

use super::effect::Effect;
use crate::remote::Probe;

/// How long the target may take to answer.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How old an answer may be that keys are taken in by.
const FRESH: Duration = Duration::from_secs(1);
/// How old an answer may be when an item is typed: a few round trips, during which the broker has
/// written the release down.
const FRESH_FOR_DELIVERY: Duration = Duration::from_millis(200);

/// The program in the foreground and the state of its terminal, to detect a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Foreground {
    pid: Option<u32>,
    program: Option<String>,
    echo: bool,
    canonical: bool,
}

impl Foreground {
    fn of(probe: &Probe) -> Self {
        Self {
            pid: probe.pid,
            program: probe.foreground.clone(),
            echo: probe.echo,
            canonical: probe.canonical,
        }
    }

    /// Its terminal collects whole lines.
    pub(super) fn collects_lines(&self) -> bool {
        self.canonical
    }
}

/// The questions to the target, and the last answer.
#[derive(Debug)]
pub(super) struct SideProbe {
    /// The last answer, and when it came.
    answer: Option<(Probe, Duration)>,
    /// When the target was asked, while its answer is awaited.
    asked: Option<Duration>,
    /// Something has happened since the target was asked last that may have changed its terminal.
    is_stale: bool,
    /// The question was not answered; set only while that is being handled.
    timed_out: bool,
}

impl SideProbe {
    pub(super) fn new() -> Self {
        Self { answer: None, asked: None, is_stale: true, timed_out: false }
    }

    /// Asks the target, unless its answer is awaited already.
    pub(super) fn ask(&mut self, now: Duration, out: &mut Vec<Effect>) {
        if self.asked.is_none() {
            self.asked = Some(now);
            self.is_stale = false;
            out.push(Effect::Probe);
        }
    }

    /// Until the target is asked again, nothing is known of its terminal.
    pub(super) fn invalidate(&mut self) {
        self.is_stale = true;
    }

    /// Takes the answer in, or that there was none.
    pub(super) fn answered(&mut self, answer: Option<Probe>, now: Duration) {
        self.asked = None;
        self.timed_out = answer.is_none();
        self.answer = answer.map(|probe| (probe, now));
        // It counts for what is typed now, even if the program has gone on writing meanwhile:
        // otherwise nothing could be typed at a program that never stops writing.
        self.is_stale = false;
    }

    /// The answer, or its absence, has been handled: the next key asks again.
    pub(super) fn forget_timeout(&mut self) {
        self.timed_out = false;
    }

    /// Whether the question was not answered, and what is typed is taken in by a guess.
    pub(super) fn has_timed_out(&self) -> bool {
        self.timed_out
    }

    pub(super) fn is_pending(&self) -> bool {
        self.asked.is_some()
    }

    /// When an answer that is awaited counts as missing.
    pub(super) fn due(&self) -> Option<Duration> {
        self.asked.map(|asked| asked + TIMEOUT)
    }

    /// The last answer, however old.
    pub(super) fn last(&self) -> Option<&Probe> {
        self.answer.as_ref().map(|(probe, _)| probe)
    }

    /// The last answer, if it still says something of what is typed now.
    pub(super) fn current(&self, now: Duration) -> Option<&Probe> {
        let (probe, at) = self.answer.as_ref()?;
        // While a new answer is on its way, the last one is about what was before.
        let usable = self.asked.is_none() && !self.is_stale && now.saturating_sub(*at) <= FRESH;
        usable.then_some(probe)
    }

    /// Whether the last answer is recent enough to type an item by it.
    pub(super) fn is_fresh_for_delivery(&self, now: Duration) -> bool {
        self.answer.as_ref().is_some_and(|(_, at)| now.saturating_sub(*at) <= FRESH_FOR_DELIVERY)
    }

    /// What is in the foreground, as of the last answer.
    pub(super) fn foreground(&self) -> Option<Foreground> {
        self.last().map(Foreground::of)
    }

    /// As of the last answer, the provisioned shell itself reads the terminal.
    pub(super) fn sees_own_shell(&self) -> bool {
        self.last().is_some_and(|probe| probe.pid.is_some() && probe.foreground.is_none())
    }

    /// As of the last answer, the provisioned shell reads keys: its line editor is on.
    pub(super) fn sees_own_line_editor(&self) -> bool {
        self.sees_own_shell() && self.last().is_some_and(|probe| !probe.canonical)
    }
}
