//! Splits what a client sends into records and contents. It must never pass on a byte that it has
//! not assigned to a record or to an announced content.

use bytes::{Buf as _, Bytes, BytesMut};

use super::error::ScpError;
use super::limits::{MAX_DEPTH, MAX_LINE, MAX_RECORDS};
use super::record::Record;

/// What a client sent. After each but `Complaint` and `Content` it waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message of the client for people, for instance that it could not read a file.
    Complaint(String),
    /// More of the file.
    Content(Bytes),
    /// The file has been sent completely.
    Done,
    /// A record.
    Record(Record),
}

enum State {
    Content(u64),
    Line,
    Trailer,
}

/// Splits what a client sends into events.
pub struct Parser {
    recursive: bool,
    state: State,
    line: BytesMut,
    depth: usize,
    records: usize,
    timed: bool,
}

impl Parser {
    /// For `scp -t`, with `-r` if `recursive`.
    pub fn new(recursive: bool) -> Self {
        Self {
            recursive,
            state: State::Line,
            line: BytesMut::new(),
            depth: 0,
            records: 0,
            timed: false,
        }
    }

    /// The next event, taken from the front of `input`; `None` when more input is needed.
    ///
    /// # Errors
    /// When the upload cannot be shown completely. The parser must not be used after that.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Event>, ScpError> {
        if let State::Content(left) = self.state {
            if left > 0 {
                let n = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                self.state = State::Content(left - n as u64);
                let taken = input.split_to(n);
                return Ok((!taken.is_empty()).then_some(Event::Content(taken)));
            }
            self.state = State::Trailer;
        }
        if input.is_empty() {
            return Ok(None);
        }
        if matches!(self.state, State::Trailer) {
            if input.get_u8() != 0 {
                return Err(ScpError::Content);
            }
            self.state = State::Line;
            return Ok(Some(Event::Done));
        }
        let end = input.iter().position(|b| *b == b'\n');
        let taken = input.split_to(end.map_or(input.len(), |at| at + 1));
        if self.line.len() + taken.len() > MAX_LINE {
            return Err(ScpError::Long);
        }
        self.line.extend_from_slice(&taken);
        if !self.line.first().is_some_and(|kind| b"CDET\x01\x02".contains(kind)) {
            return Err(ScpError::Unknown);
        }
        if end.is_none() {
            return Ok(None);
        }
        let line = self.line.split();
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        if let [1 | 2, message @ ..] = line {
            return Ok(Some(Event::Complaint(String::from_utf8_lossy(message).into_owned())));
        }
        let record = Record::parse(line)?;
        self.take(&record)?;
        Ok(Some(Event::Record(record)))
    }

    fn take(&mut self, record: &Record) -> Result<(), ScpError> {
        if matches!(record, Record::File { .. } | Record::Directory { .. }) {
            self.records += 1;
            if self.records > MAX_RECORDS {
                return Err(ScpError::Many);
            }
        }
        let timed = std::mem::take(&mut self.timed);
        match record {
            Record::File { size, .. } => self.state = State::Content(*size),
            Record::Directory { .. } if !self.recursive => return Err(ScpError::Directory),
            Record::Directory { .. } if self.depth >= MAX_DEPTH => return Err(ScpError::Deep),
            Record::Directory { .. } => self.depth += 1,
            Record::End | Record::Times { .. } if timed => return Err(ScpError::Times),
            Record::End => self.depth = self.depth.checked_sub(1).ok_or(ScpError::End)?,
            Record::Times { .. } => self.timed = true,
        }
        Ok(())
    }

    /// Whether the upload could end here: no directory is open, and nothing announced is missing.
    pub fn is_complete(&self) -> bool {
        matches!(self.state, State::Line) && self.line.is_empty() && self.depth == 0 && !self.timed
    }
}
