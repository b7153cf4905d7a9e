//! A grant: while it lasts, keys pass to the program in the foreground unreviewed. It must never
//! outlive that program.

use std::time::Duration;

use super::probe::Foreground;

/// How often the program in the foreground is looked at while a grant lasts.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Grant {
    /// The program it is for; unknown until the first probe after its beginning.
    program: Option<Foreground>,
    probed: Duration,
}

impl Grant {
    pub(super) fn new(now: Duration) -> Self {
        Self { program: None, probed: now }
    }

    /// When the program in the foreground is looked at next.
    pub(super) fn probe_due(&self) -> Duration {
        self.probed + PROBE_INTERVAL
    }

    pub(super) fn probe_begun(&mut self, now: Duration) {
        self.probed = now;
    }

    /// A probe has seen this in the foreground: whether the grant still holds.
    pub(super) fn holds_for(&mut self, foreground: Option<&Foreground>) -> bool {
        match &self.program {
            None => {
                self.program = foreground.cloned();
                true
            }
            Some(program) => foreground == Some(program),
        }
    }

    /// Whether the terminal collects whole lines, as far as is known.
    pub(super) fn collects_lines(&self) -> bool {
        self.program.as_ref().is_none_or(Foreground::collects_lines)
    }
}

/// How many bytes were typed under grants since the last end of a line. A terminal that collects
/// lines still holds them when the grant is over, and the next line would join them.
#[derive(Debug, Default)]
pub(super) struct PartialLine {
    bytes: usize,
}

impl PartialLine {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// These keys were passed on.
    pub(super) fn passed(&mut self, keys: &[u8]) {
        // CR, LF, ^C, ^D, ^U, ^Z and ^\ end or empty the line that a terminal collects.
        let ends = |b: &u8| matches!(b, b'\r' | b'\n' | 3 | 4 | 0x15 | 0x1a | 0x1c);
        match keys.iter().rposition(ends) {
            Some(at) => self.bytes = keys.len() - at - 1,
            None => self.bytes += keys.len(),
        }
    }

    /// The line was ended or taken away.
    pub(super) fn clear(&mut self) {
        self.bytes = 0;
    }
}
