//! The agent's command line that runs. Its end is told by a marker or estimated; it must never be
//! estimated while a program reads the terminal.

use std::time::Duration;

/// A command line that was accepted by the shell and has not ended, as far as is known.
#[derive(Debug)]
pub(super) struct RunningCommand {
    end: End,
}

/// How its end will be known.
#[derive(Debug)]
enum End {
    /// The shell sends a marker.
    Marked,
    /// There may be no marker: since when the end was looked for.
    Estimated { looked: Duration },
}

impl RunningCommand {
    /// `unmarked`: no marker may tell when it ends.
    pub(super) fn new(unmarked: bool, now: Duration) -> Self {
        let end = if unmarked { End::Estimated { looked: now } } else { End::Marked };
        Self { end }
    }

    /// When the end was looked for last, if it has to be estimated.
    pub(super) fn looked_for_end(&self) -> Option<Duration> {
        match self.end {
            End::Marked => None,
            End::Estimated { looked } => Some(looked),
        }
    }

    /// The end is looked for now.
    pub(super) fn look_for_end(&mut self, now: Duration) {
        if let End::Estimated { looked } = &mut self.end {
            *looked = now;
        }
    }
}
