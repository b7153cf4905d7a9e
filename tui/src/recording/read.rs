//! Reads asciicasts, large ones on several threads. It must never take a line that is cut off for
//! an event.

use std::io::BufRead;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, SeqAccess, Visitor};

use super::asciicast::{Header, Kind, Recording, RecordingError};
use super::fast;
use crate::terminal::BACKGROUND_THREAD;

/// The first line of versions 2 and 3; of version 1 everything but the events.
#[derive(Deserialize)]
struct RawHeader {
    version: u64,
    width: Option<u64>,
    height: Option<u64>,
    term: Option<RawTerm>,
    timestamp: Option<f64>,
    title: Option<String>,
    command: Option<String>,
    idle_time_limit: Option<f64>,
    env: Option<std::collections::BTreeMap<String, serde_json::Value>>,
    stdout: Option<Vec<(f64, String)>>,
}

#[derive(Deserialize)]
struct RawTerm {
    cols: Option<u64>,
    rows: Option<u64>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl RawHeader {
    fn header(&self) -> Result<Header, RecordingError> {
        let version = match self.version {
            1 => 1,
            2 => 2,
            3 => 3,
            n => return Err(RecordingError::Version(n)),
        };
        let side = |direct: Option<u64>, of_term: Option<u64>, default: u16| {
            let n = if version == 3 { of_term } else { direct };
            n.and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0).unwrap_or(default)
        };
        let term = self.term.as_ref();
        let env_term = self.env.as_ref().and_then(|e| e.get("TERM")).and_then(|v| v.as_str());
        Ok(Header {
            version,
            cols: side(self.width, term.and_then(|t| t.cols), 80),
            rows: side(self.height, term.and_then(|t| t.rows), 24),
            timestamp: self.timestamp.filter(|t| t.abs() < 1e12).map(|t| t as i64),
            title: self.title.clone(),
            command: self.command.clone(),
            idle_time_limit: self.idle_time_limit.filter(|l| *l > 0.0),
            term: term.and_then(|t| t.kind.clone()).or_else(|| env_term.map(str::to_owned)),
        })
    }
}

/// `[time, "code", "data"]`, the data appended to the text of all.
struct Line<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Line<'_> {
    type Value = (f64, Kind);

    fn deserialize<D: serde::Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Line<'_> {
    type Value = (f64, Kind);

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[time, code, data]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let missing = || A::Error::custom("an event has three parts: time, code, data");
        let time: f64 = seq.next_element()?.ok_or_else(missing)?;
        let kind = seq.next_element_seed(Code)?.ok_or_else(missing)?;
        seq.next_element_seed(Data(self.0))?.ok_or_else(missing)?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok((time, kind))
    }
}

struct Code;

impl<'de> DeserializeSeed<'de> for Code {
    type Value = Kind;

    fn deserialize<D: serde::Deserializer<'de>>(self, d: D) -> Result<Kind, D::Error> {
        d.deserialize_str(self)
    }
}

impl Visitor<'_> for Code {
    type Value = Kind;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an event's code")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Kind, E> {
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some('o'), None) => Ok(Kind::Output),
            (Some('i'), None) => Ok(Kind::Input),
            (Some('m'), None) => Ok(Kind::Marker),
            (Some('r'), None) => Ok(Kind::Resize),
            (Some('x'), None) => Ok(Kind::Exit),
            (Some(c), None) => Ok(Kind::Other(c)),
            _ => Err(E::custom("an event's code is one character")),
        }
    }
}

struct Data<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Data<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl Visitor<'_> for Data<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an event's data")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.0.push_str(text);
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<(), E> {
        self.0.push_str(&n.to_string());
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<(), E> {
        self.0.push_str(&n.to_string());
        Ok(())
    }
}

/// Input below this many bytes is read by one thread.
const ALONE: usize = 1 << 20;
/// Threads at most.
const THREADS: usize = 4;

/// What was read of a piece of the file: times as they stand there.
#[derive(Default)]
struct Chunk {
    text: String,
    /// Time, kind, and where the text of the event ends.
    events: Vec<(f64, Kind, usize)>,
    /// Lines gone through.
    lines: usize,
    /// The line that is no event, and why; the last thing that was read.
    broken: Option<String>,
    /// That line has an end.
    whole: bool,
}

impl Chunk {
    /// Reads whole lines, the last of the file perhaps without its end.
    fn read(mut rest: &[u8]) -> Self {
        let mut part = Self { whole: true, ..Self::default() };
        // What JSON has more than its text is about what an event has less.
        part.text.reserve(rest.len());
        part.events.reserve(rest.len() / 64);
        while !rest.is_empty() {
            let (line, after, whole) = match memchr::memchr(b'\n', rest) {
                Some(at) => (
                    rest.get(..at).unwrap_or_default(),
                    rest.get(at + 1..).unwrap_or_default(),
                    true,
                ),
                None => (rest, [].as_slice(), false),
            };
            rest = after;
            part.lines += 1;
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let start = part.text.len();
            let read = match fast::event(line, &mut part.text) {
                Some(event) => Ok(event),
                None => slow(line, &mut part.text),
            };
            match read {
                Ok((time, kind)) => part.events.push((time, kind, part.text.len())),
                Err(error) => {
                    part.text.truncate(start);
                    (part.broken, part.whole) = (Some(error.to_string()), whole);
                    return part;
                }
            }
        }
        part
    }
}

/// An event of any form that is JSON.
fn slow(line: &[u8], text: &mut String) -> serde_json::Result<(f64, Kind)> {
    let mut json = serde_json::Deserializer::from_slice(line);
    let event = Line(text).deserialize(&mut json)?;
    json.end().map(|()| event)
}

/// Pieces of about the same size that end with lines.
fn pieces(mut bytes: &[u8], count: usize) -> Vec<&[u8]> {
    let size = bytes.len() / count.max(1) + 1;
    let mut pieces = Vec::with_capacity(count);
    while bytes.len() > size {
        let end = bytes.get(size..).and_then(|r| memchr::memchr(b'\n', r));
        let Some((piece, rest)) = end.and_then(|at| bytes.split_at_checked(size + at + 1)) else {
            break;
        };
        pieces.push(piece);
        bytes = rest;
    }
    pieces.push(bytes);
    pieces
}

/// Reads the lines of events, a large file on several threads.
fn parts(bytes: &[u8]) -> Vec<Chunk> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    if bytes.len() < ALONE || threads == 1 {
        return vec![Chunk::read(bytes)];
    }
    let pieces = pieces(bytes, threads);
    std::thread::scope(|scope| {
        let start = |piece| {
            // What no thread can be had for is read here.
            let named = std::thread::Builder::new().name(BACKGROUND_THREAD.to_owned());
            (piece, named.spawn_scoped(scope, move || Chunk::read(piece)).ok())
        };
        let started: Vec<_> = pieces.into_iter().map(start).collect();
        let finish = |(piece, thread): (_, Option<std::thread::ScopedJoinHandle<'_, Chunk>>)| {
            thread.and_then(|t| t.join().ok()).unwrap_or_else(|| Chunk::read(piece))
        };
        started.into_iter().map(finish).collect()
    })
}

impl Recording {
    /// Reads a recording of any version. A last line that was cut off is left out.
    ///
    /// # Errors
    /// When it is no asciicast, or a line of it is no event.
    pub fn read(mut reader: impl BufRead) -> Result<Self, RecordingError> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        Self::parse(&bytes)
    }

    /// Reads a recording that is in memory already.
    ///
    /// # Errors
    /// As [`Recording::read`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordingError> {
        let (mut first, mut rest, mut number): (&[u8], _, _) = (b"", bytes, 0);
        while first.trim_ascii().is_empty() {
            if rest.is_empty() {
                return Err(RecordingError::Empty);
            }
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            (first, rest) = rest.split_at(end);
            number += 1;
        }
        let raw: RawHeader = match serde_json::from_slice(first) {
            Ok(raw) => raw,
            // Version 1 is one document that may span lines.
            Err(error) if error.is_eof() => {
                let all = bytes.get(bytes.len() - rest.len() - first.len()..).unwrap_or_default();
                serde_json::from_slice(all).map_err(|e| RecordingError::Header(e.to_string()))?
            }
            Err(error) => return Err(RecordingError::Header(error.to_string())),
        };
        let header = raw.header()?;
        let relative = header.version == 3;
        let mut recording =
            Self { header, events: Vec::new(), text: String::new(), truncated: false };
        if recording.header.version == 1 {
            let mut time = 0.0;
            for (delay, data) in raw.stdout.unwrap_or_default() {
                time += delay.max(0.0);
                let start = recording.text.len();
                recording.text.push_str(&data);
                recording.push(time, Kind::Output, start);
            }
            return Ok(recording);
        }
        let mut time = 0.0;
        for part in parts(rest) {
            let base = recording.text.len();
            let mut start = base;
            if base == 0 {
                recording.text = part.text;
            } else {
                recording.text.push_str(&part.text);
            }
            recording.events.reserve(part.events.len());
            for (t, kind, end) in part.events {
                time = if relative { time + t.max(0.0) } else { t };
                recording.event(time, kind, start..base + end);
                start = base + end;
            }
            number += part.lines;
            match part.broken {
                Some(_) if !part.whole => recording.truncated = true,
                Some(why) => return Err(RecordingError::Event { line: number, why }),
                None => {}
            }
        }
        Ok(recording)
    }
}
