//! Legacy scp (`scp -t`, the sink at the target) as pure code: what a client sends is split into
//! records and contents, and what was split can be written again exactly as it came. No I/O, no
//! clock.
//!
//! It must never accept a record that the same record written again would not equal, nor a name
//! that leads out of the directory it stands in: what a reviewer is shown is what goes out.

use std::fmt::Write as _;

use bytes::{Buf as _, Bytes, BytesMut};

use crate::path::RemotePath;
use crate::review::size;

/// Longest record, in bytes.
const MAX_LINE: usize = 4096;

/// Longest name (`NAME_MAX` of Linux), in bytes.
const MAX_NAME: usize = 255;

/// Deepest directory below what is uploaded.
const MAX_DEPTH: usize = 64;

/// Most files and directories of one upload: nobody reviews more, and the text of an item has its
/// bound.
pub const MAX_RECORDS: usize = 2000;

/// What a client announces (`scp.c` of OpenSSH, `source` and `sink`).
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Record {
    /// `C`: a file; its content follows.
    File { mode: u32, size: u64, name: RemotePath },
    /// `D`: a directory; what is in it follows, up to its `E`.
    Directory { mode: u32, name: RemotePath },
    /// `E`: the directory ends.
    End,
    /// `T`: modification and access time of what comes next, in seconds since the Unix epoch.
    Times { modified: u32, accessed: u32 },
}

impl Record {
    /// As it goes over the wire.
    pub fn encode(&self) -> Bytes {
        let (head, name): (String, &[u8]) = match self {
            Self::File { mode, size, name } => (format!("C{mode:04o} {size} "), name.as_bytes()),
            Self::Directory { mode, name } => (format!("D{mode:04o} 0 "), name.as_bytes()),
            Self::End => ("E".to_owned(), b""),
            Self::Times { modified, accessed } => (format!("T{modified} 0 {accessed} 0"), b""),
        };
        let mut line = BytesMut::from(head.as_bytes());
        line.extend_from_slice(name);
        line.extend_from_slice(b"\n");
        line.freeze()
    }

    fn parse(line: &[u8]) -> Result<Self, ScpError> {
        let (kind, rest) = line.split_first().ok_or(ScpError::Unknown)?;
        let record = match kind {
            b'C' | b'D' => {
                let mut fields = rest.splitn(3, |b| *b == b' ');
                let mode = fields.next().and_then(mode_of).ok_or(ScpError::Malformed)?;
                let size = fields.next().and_then(number).ok_or(ScpError::Malformed)?;
                let name = name_of(fields.next().ok_or(ScpError::Malformed)?)?;
                if *kind == b'C' {
                    Self::File { mode, size, name }
                } else {
                    Self::Directory { mode, name }
                }
            }
            b'E' => Self::End,
            b'T' => {
                let fields: Vec<_> = rest.split(|b| *b == b' ').map(number).collect();
                let [Some(modified), Some(_), Some(accessed), Some(_)] = fields[..] else {
                    return Err(ScpError::Malformed);
                };
                let seconds = |n| u32::try_from(n).map_err(|_| ScpError::Malformed);
                Self::Times { modified: seconds(modified)?, accessed: seconds(accessed)? }
            }
            _ => return Err(ScpError::Unknown),
        };
        // Leading zeros, fractions of seconds, a size of a directory: shown differently from
        // what would go out, so it does not go out.
        let written = record.encode();
        (written.strip_suffix(b"\n") == Some(line)).then_some(record).ok_or(ScpError::Malformed)
    }
}

fn mode_of(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.len() == 4)?;
    u32::from_str_radix(text, 8).ok()
}

fn number(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    (text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn name_of(name: &[u8]) -> Result<RemotePath, ScpError> {
    let climbs = matches!(name, b"" | b"." | b"..") || name.contains(&b'/');
    if climbs || name.len() > MAX_NAME || name.iter().any(u8::is_ascii_control) {
        return Err(ScpError::Name);
    }
    RemotePath::new(Bytes::copy_from_slice(name)).map_err(|_| ScpError::Name)
}

/// Why an upload is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScpError {
    /// A file's content did not end as announced; the client could not read it, or says nonsense.
    #[error("the client did not send a file whole")]
    Content,
    /// Directories in directories.
    #[error("directories are nested more than {MAX_DEPTH} deep")]
    Deep,
    /// A directory without `-r`.
    #[error("the client sends a directory without having asked for `-r`")]
    Directory,
    /// The end came in the middle.
    #[error("the client ended in the middle of the upload")]
    Ended,
    /// `E` without `D`.
    #[error("the client ends a directory that it did not begin")]
    End,
    /// A record without end.
    #[error("a record of the upload is longer than {MAX_LINE} bytes")]
    Long,
    /// Not as scp writes it.
    #[error("a record of the upload is not as scp writes it")]
    Malformed,
    /// Too much.
    #[error(
        "more than {MAX_RECORDS} files and directories at once: nobody could review them. \
         Send an archive, use rsync or sftp, or split the upload"
    )]
    Many,
    /// A name that is none.
    #[error("a name in the upload is empty, too long, leads elsewhere or holds control characters")]
    Name,
    /// Times of nothing.
    #[error("the client sends times that belong to nothing")]
    Times,
    /// Neither a record nor a message.
    #[error("what the client sends is not an upload of scp")]
    Unknown,
}

/// One step of what a client sends. Each but `Complaint` and `Content` waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    /// A line of the client for people: it could not read a file, say.
    Complaint(String),
    /// More of the file.
    Content(Bytes),
    /// The file was sent whole.
    Done,
    /// A record.
    Record(Record),
}

enum State {
    Content(u64),
    Line,
    Trailer,
}

/// Splits what a client sends.
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

    /// The next step, taken from the front of `input`; `None` when more has to come first.
    ///
    /// # Errors
    /// When it is no upload that can be shown whole. Nothing may be taken after that.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Got>, ScpError> {
        if let State::Content(left) = self.state {
            if left > 0 {
                let n = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                self.state = State::Content(left - n as u64);
                let taken = input.split_to(n);
                return Ok((!taken.is_empty()).then_some(Got::Content(taken)));
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
            return Ok(Some(Got::Done));
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
            return Ok(Some(Got::Complaint(String::from_utf8_lossy(message).into_owned())));
        }
        let record = Record::parse(line)?;
        self.take(&record)?;
        Ok(Some(Got::Record(record)))
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

    /// Whether what was sent so far is complete: nothing is open, nothing announced.
    pub fn is_complete(&self) -> bool {
        matches!(self.state, State::Line) && self.line.is_empty() && self.depth == 0 && !self.timed
    }
}

/// The text of an upload as one item: the line of its only change, or a summary and a line for
/// each. `to` is where the client asked to have it.
pub fn upload_text(summary: &Summary, to: &RemotePath, lines: &[String]) -> String {
    if let [line] = lines {
        return line.clone();
    }
    let Summary { files, directories, bytes } = *summary;
    let mut text = format!("scp upload {}", counted(files, "file", "files"));
    if directories > 0 {
        write!(text, " and {}", counted(directories, "directory", "directories")).ok();
    }
    write!(text, ", {}, to {to}", size(bytes)).ok();
    for line in lines {
        write!(text, "\n{line}").ok();
    }
    text
}

/// What an upload comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Summary {
    pub files: usize,
    pub directories: usize,
    pub bytes: u64,
}

fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#[path = "tests.rs"]
mod tests;
