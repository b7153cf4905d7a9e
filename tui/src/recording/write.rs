//! Writes asciicasts that the stock asciinema accepts, and plain text. It must never write a line
//! that is not whole.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::asciicast::{Event, Kind, Recording, size};

impl Kind {
    fn code(self) -> char {
        match self {
            Self::Output => 'o',
            Self::Input => 'i',
            Self::Marker => 'm',
            Self::Resize => 'r',
            Self::Exit => 'x',
            Self::Other(c) => c,
        }
    }
}

/// A line for whatever shows text: what reorders it, or is not seen, by its name.
fn plain(line: &str, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", expacti_engine::make_visible(line.as_bytes()).text)
}

impl Recording {
    fn line(&self, time: f64, event: &Event, out: &mut impl Write) -> io::Result<()> {
        // Microseconds, as asciinema writes them.
        let code = event.kind.code().to_string();
        write!(out, "[{time:.6}, {}, ", serde_json::to_string(&code)?)?;
        serde_json::to_writer(&mut *out, self.data(event))?;
        out.write_all(b"]\n")
    }

    fn about(&self) -> Map<String, Value> {
        let h = &self.header;
        let mut map = Map::new();
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                map.insert(key.to_owned(), value);
            }
        };
        set("timestamp", h.timestamp.map(Value::from));
        set("title", h.title.clone().map(Value::from));
        set("command", h.command.clone().map(Value::from));
        set("idle_time_limit", h.idle_time_limit.map(Value::from));
        map
    }

    /// Writes asciicast version 2.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write_v2(&self, mut out: impl Write) -> io::Result<()> {
        let h = &self.header;
        let mut header = Map::new();
        header.insert("version".to_owned(), json!(2));
        header.insert("width".to_owned(), json!(h.cols));
        header.insert("height".to_owned(), json!(h.rows));
        header.extend(self.about());
        if let Some(term) = &h.term {
            header.insert("env".to_owned(), json!({ "TERM": term }));
        }
        serde_json::to_writer(&mut out, &header)?;
        out.write_all(b"\n")?;
        for event in &self.events {
            self.line(event.time, event, &mut out)?;
        }
        out.flush()
    }

    /// Writes asciicast version 3.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write_v3(&self, mut out: impl Write) -> io::Result<()> {
        let h = &self.header;
        let mut term = Map::new();
        term.insert("cols".to_owned(), json!(h.cols));
        term.insert("rows".to_owned(), json!(h.rows));
        if let Some(kind) = &h.term {
            term.insert("type".to_owned(), json!(kind));
        }
        let mut header = Map::new();
        header.insert("version".to_owned(), json!(3));
        header.insert("term".to_owned(), Value::Object(term));
        header.extend(self.about());
        serde_json::to_writer(&mut out, &header)?;
        out.write_all(b"\n")?;
        // The differences of rounded times, so that they add up.
        let mut last = 0_i64;
        for event in &self.events {
            let at = (event.time * 1e6).round() as i64;
            self.line((at - last) as f64 / 1e6, event, &mut out)?;
            last = at;
        }
        out.flush()
    }

    /// Writes what was on the screen as plain text, without escape sequences.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write_text(&self, mut out: impl Write) -> io::Result<()> {
        let (cols, rows) = (usize::from(self.header.cols), usize::from(self.header.rows));
        let Ok(mut terminal) = avt::Terminal::new(cols, rows) else { return Ok(()) };
        let mut transcript = avt::observer::Transcript::new();
        for event in &self.events {
            let lines = match event.kind {
                Kind::Output => terminal.feed_with(self.data(event), &mut transcript),
                Kind::Resize => match size(self.data(event)) {
                    Some((cols, rows)) => terminal.resize_with(
                        usize::from(cols).min(1000),
                        usize::from(rows).min(500),
                        &mut transcript,
                    ),
                    None => continue,
                },
                _ => continue,
            };
            for line in lines {
                plain(&line, &mut out)?;
            }
        }
        for line in transcript.finish(&terminal) {
            plain(&line, &mut out)?;
        }
        out.flush()
    }
}
