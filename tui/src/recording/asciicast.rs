//! A recording in memory. It must never let time run backwards, nor believe a size without bounds.

use std::ops::Range;

/// What a recording says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// The version of the format it was read from: 1, 2 or 3.
    pub version: u8,
    /// Columns at the beginning.
    pub cols: u16,
    /// Rows at the beginning.
    pub rows: u16,
    /// Recorded at, in seconds since the Unix epoch.
    pub timestamp: Option<i64>,
    /// Title, as written; not clean.
    pub title: Option<String>,
    /// The command, as written; not clean.
    pub command: Option<String>,
    /// Pauses longer than this, in seconds, are to be cut to it.
    pub idle_time_limit: Option<f64>,
    /// `TERM` of the recorded terminal.
    pub term: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The terminal was written to (`o`).
    Output,
    /// Something was typed (`i`).
    Input,
    /// A chapter begins (`m`).
    Marker,
    /// The terminal has another size (`r`, `COLSxROWS`).
    Resize,
    /// The recorded program ended (`x`, its status).
    Exit,
    /// Something this version does not know; kept for export.
    Other(char),
}

/// One event; its text is [`Recording::data`].
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Seconds since the beginning; never less than that of the event before.
    pub time: f64,
    /// What happened.
    pub kind: Kind,
    pub(super) data: Range<usize>,
}

/// A recording in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// What it says of itself.
    pub header: Header,
    /// Its events, by time.
    pub events: Vec<Event>,
    /// The text of all events, one after the other: one allocation instead of a million.
    pub(super) text: String,
    /// The last line was cut off; the recording is whole up to it.
    pub truncated: bool,
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file ends before its header.
    #[error("failed to read the recording: it is empty")]
    Empty,
    /// The first line is not a header.
    #[error("failed to read the recording: not an asciicast: {0}")]
    Header(String),
    /// A version nobody has written yet.
    #[error("failed to read the recording: asciicast version {0} is not known (1, 2 and 3 are)")]
    Version(u64),
    /// A line is not an event.
    #[error("failed to read the recording: line {line}: {why}")]
    Event {
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The file cannot be read.
    #[error("failed to read the recording: {0}")]
    Io(#[from] std::io::Error),
}

impl Recording {
    /// The text of an event.
    pub fn data(&self, event: &Event) -> &str {
        self.text.get(event.data.clone()).unwrap_or_default()
    }

    /// Seconds from the beginning to the last event.
    pub fn duration(&self) -> f64 {
        self.events.last().map_or(0.0, |e| e.time)
    }

    /// Chapters: time and label of each marker; labels are not clean.
    pub fn markers(&self) -> impl Iterator<Item = (f64, &str)> {
        self.events.iter().filter(|e| e.kind == Kind::Marker).map(|e| (e.time, self.data(e)))
    }

    pub(super) fn push(&mut self, time: f64, kind: Kind, start: usize) {
        self.event(time, kind, start..self.text.len());
    }

    pub(super) fn event(&mut self, time: f64, kind: Kind, data: Range<usize>) {
        let last = self.events.last().map_or(0.0, |e| e.time);
        let time = if time.is_finite() { time.max(last) } else { last };
        self.events.push(Event { time, kind, data });
    }
}

/// `COLSxROWS`, within bounds.
pub(crate) fn size(text: &str) -> Option<(u16, u16)> {
    let (cols, rows) = text.split_once('x')?;
    let (cols, rows) = (cols.parse().ok()?, rows.parse().ok()?);
    (cols > 0 && rows > 0).then_some((cols, rows))
}
