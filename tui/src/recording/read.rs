//! Reads asciicasts, line by line. It must never hold more of a file than its text.

use std::io::BufRead;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, SeqAccess, Visitor};

use super::{Header, Kind, Recording, RecordingError};

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

impl Recording {
    /// Reads a recording of any version. A last line that was cut off is left out.
    ///
    /// # Errors
    /// When it is no asciicast, or a line of it is no event.
    pub fn read(mut reader: impl BufRead) -> Result<Self, RecordingError> {
        let mut line = Vec::new();
        let mut number = 0;
        while line.trim_ascii().is_empty() {
            line.clear();
            number += 1;
            if reader.read_until(b'\n', &mut line)? == 0 {
                return Err(RecordingError::Empty);
            }
        }
        let raw: RawHeader = match serde_json::from_slice(&line) {
            Ok(raw) => raw,
            // Version 1 is one document that may span lines.
            Err(error) if error.is_eof() => {
                reader.read_to_end(&mut line)?;
                serde_json::from_slice(&line).map_err(|e| RecordingError::Header(e.to_string()))?
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
        loop {
            line.clear();
            number += 1;
            if reader.read_until(b'\n', &mut line)? == 0 {
                return Ok(recording);
            }
            let text = line.trim_ascii();
            if text.is_empty() || text.starts_with(b"#") {
                continue;
            }
            let start = recording.text.len();
            let mut json = serde_json::Deserializer::from_slice(text);
            match Line(&mut recording.text)
                .deserialize(&mut json)
                .and_then(|v| json.end().map(|()| v))
            {
                Ok((t, kind)) => {
                    time = if relative { time + t.max(0.0) } else { t };
                    recording.push(time, kind, start);
                }
                Err(_) if !line.ends_with(b"\n") => {
                    recording.text.truncate(start);
                    recording.truncated = true;
                    return Ok(recording);
                }
                Err(error) => {
                    return Err(RecordingError::Event { line: number, why: error.to_string() });
                }
            }
        }
    }
}
