//! Recordings: one asciicast v2 file per session, and the live view of it.
//!
//! A recording that cannot be written is marked as failed; from then on every command of its
//! session is denied. It must never lose a byte silently.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use expacti_protocol::gate::Stream;
use expacti_protocol::ids::SessionId;
use expacti_protocol::session::{Pty, SessionInfo};
use serde_json::json;
use tokio::sync::broadcast;

use crate::state::{Now, Recorder, Shown};

/// Live events a slow watcher may be behind before it misses some and is told so.
const LIVE_QUEUE: usize = 1024;

/// One piece of a live session.
#[derive(Debug, Clone)]
pub(crate) enum Live {
    Output { stream: Stream, offset: f64, data: Arc<[u8]> },
    Resize { cols: u32, rows: u32 },
}

#[derive(Debug)]
struct Recording {
    info: SessionInfo,
    path: PathBuf,
    file: Option<File>,
    started_us: i64,
    last: f64,
    /// The beginning of a UTF-8 sequence whose end has not come, per stream.
    partial: HashMap<u8, Vec<u8>>,
    failure: Option<String>,
    live: broadcast::Sender<Live>,
}

/// All recordings of the broker.
#[derive(Debug, Clone)]
pub(crate) struct Recordings {
    dir: PathBuf,
    open: Arc<Mutex<HashMap<SessionId, Recording>>>,
}

impl Recordings {
    /// Keeps recordings in `dir`.
    pub(crate) fn new(dir: &Path) -> io::Result<Self> {
        crate::files::private_dir(dir)?;
        Ok(Self { dir: dir.to_owned(), open: Arc::default() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Recording>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the recording of a session is.
    pub(crate) fn path(&self, session: &SessionId) -> PathBuf {
        self.dir.join(format!("{session}.cast"))
    }

    /// A session was opened; its file is made with its first command, or what it first shows.
    pub(crate) fn open(&self, session: &SessionId, info: SessionInfo) {
        let recording = Recording {
            info,
            path: self.path(session),
            file: None,
            started_us: 0,
            last: 0.0,
            partial: HashMap::new(),
            failure: None,
            live: broadcast::channel(LIVE_QUEUE).0,
        };
        self.lock().insert(session.clone(), recording);
    }

    /// A session was closed.
    pub(crate) fn close(&self, session: &SessionId) {
        if let Some(mut recording) = self.lock().remove(session) {
            recording.flush_partial();
            if let Some(file) = &recording.file {
                let _ = file.sync_all();
            }
        }
    }

    /// Takes in a piece of a session.
    pub(crate) fn output(&self, session: &SessionId, stream: Stream, time_us: i64, data: &[u8]) {
        if let Some(recording) = self.lock().get_mut(session) {
            // A shell shows its prompt before anybody has typed. A failure denies what follows.
            let _ = recording.start(None, time_us);
            recording.output(stream, time_us, data);
        }
    }

    /// Takes in a new size.
    pub(crate) fn resize(&self, session: &SessionId, time_us: i64, cols: u32, rows: u32) {
        if let Some(recording) = self.lock().get_mut(session) {
            if recording.file.is_none() {
                let term = "xterm-256color".to_owned();
                let _ = recording.start(Some(&Pty { term, cols, rows }), time_us);
            } else {
                let _ = recording.event(time_us, "r", &format!("{cols}x{rows}"));
            }
            let _ = recording.live.send(Live::Resize { cols, rows });
        }
    }

    /// Takes in a marker that is not a decision.
    pub(crate) fn marker(&self, session: &SessionId, time_us: i64, label: &str) {
        if let Some(recording) = self.lock().get_mut(session) {
            let _ = recording.event(time_us, "m", &Shown::plain(label));
        }
    }

    /// What was recorded so far, and everything from then on.
    pub(crate) fn watch(
        &self,
        session: &SessionId,
    ) -> Option<(Vec<u8>, broadcast::Receiver<Live>)> {
        let open = self.lock();
        let recording = open.get(session)?;
        let receiver = recording.live.subscribe();
        Some((std::fs::read(&recording.path).unwrap_or_default(), receiver))
    }
}

impl Recorder for Recordings {
    fn start(&self, session: &SessionId, pty: Option<&Pty>, now: Now) -> Result<(), String> {
        let mut open = self.lock();
        let recording = open.get_mut(session).ok_or("the session has no recording")?;
        recording.start(pty, now.micros)
    }

    fn mark(&self, session: &SessionId, label: &Shown<String>, now: Now) -> Result<f64, String> {
        let mut open = self.lock();
        let recording = open.get_mut(session).ok_or("the session has no recording")?;
        recording.start(None, now.micros)?;
        recording.event(now.micros, "m", label)
    }

    fn show(&self, session: &SessionId, line: &Shown<String>, now: Now) -> Result<(), String> {
        let mut open = self.lock();
        let recording = open.get_mut(session).ok_or("the session has no recording")?;
        recording.event(now.micros, "o", line)?;
        let _ = recording.live.send(Live::Output {
            stream: Stream::Stdout,
            offset: recording.last,
            data: line.as_bytes().into(),
        });
        Ok(())
    }

    fn failure(&self, session: &SessionId) -> Option<String> {
        self.lock().get(session).and_then(|r| r.failure.clone())
    }
}

/// What a player shows above a recording.
fn title(info: &SessionInfo) -> String {
    let caution = info.caution().map(|caution| format!(" ({caution})")).unwrap_or_default();
    format!("{}{caution} on {}@{}", info.agent, info.user, info.target)
}

impl Recording {
    fn start(&mut self, pty: Option<&Pty>, now_us: i64) -> Result<(), String> {
        if let Some(why) = &self.failure {
            return Err(why.clone());
        }
        if self.file.is_some() {
            return Ok(());
        }
        let (cols, rows, term) =
            pty.map_or((80, 24, "dumb"), |p| (p.cols, p.rows, p.term.as_str()));
        let header = json!({
            "version": 2,
            "width": cols.clamp(1, 1000),
            "height": rows.clamp(1, 1000),
            "timestamp": now_us.div_euclid(1_000_000),
            "title": *Shown::plain(&title(&self.info)),
            "env": {"TERM": term},
        });
        let made = OpenOptions::new().create_new(true).append(true).mode(0o600).open(&self.path);
        let written = made.and_then(|mut file| {
            file.write_all(format!("{header}\n").as_bytes())?;
            Ok(file)
        });
        match written {
            Ok(file) => {
                self.file = Some(file);
                self.started_us = now_us;
                Ok(())
            }
            Err(e) => Err(self.fail(&e)),
        }
    }

    fn fail(&mut self, error: &io::Error) -> String {
        let why = format!("failed to write {}: {error}", self.path.display());
        tracing::error!("{why}");
        self.failure.get_or_insert(why).clone()
    }

    /// Seconds since the recording began; never less than before, whatever the clock does.
    fn offset(&mut self, time_us: i64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a session fit in 53 bits")]
        let offset = time_us.saturating_sub(self.started_us) as f64 / 1e6;
        self.last = self.last.max(offset);
        self.last
    }

    fn event(&mut self, time_us: i64, code: &str, data: &str) -> Result<f64, String> {
        if let Some(why) = &self.failure {
            return Err(why.clone());
        }
        let offset = self.offset(time_us);
        let Some(file) = &mut self.file else { return Ok(offset) };
        let line = format!("{}\n", json!([offset, code, data]));
        match file.write_all(line.as_bytes()) {
            Ok(()) => Ok(offset),
            Err(e) => Err(self.fail(&e)),
        }
    }

    fn output(&mut self, stream: Stream, time_us: i64, data: &[u8]) {
        let key = match stream {
            Stream::Stdin => b'i',
            Stream::Stdout => b'o',
            Stream::Stderr => b'e',
        };
        let mut bytes = self.partial.remove(&key).unwrap_or_default();
        bytes.extend_from_slice(data);
        let (text, rest) = decode(&bytes);
        if !rest.is_empty() {
            self.partial.insert(key, rest);
        }
        // asciicast has one output stream: standard error appears on the same screen.
        let code = if key == b'i' { "i" } else { "o" };
        // What the agent sends may hold passwords; what the target prints is kept as it is.
        let data: Arc<[u8]> = if key == b'i' {
            let shown = Shown::plain(&text);
            let _ = self.event(time_us, code, &shown);
            shown.as_bytes().into()
        } else {
            let _ = self.event(time_us, code, &text);
            data.into()
        };
        let offset = self.last;
        let _ = self.live.send(Live::Output { stream, offset, data });
    }

    fn flush_partial(&mut self) {
        let rest: Vec<_> = self.partial.drain().collect();
        for (key, bytes) in rest {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let text = if key == b'i' { Shown::plain(&text).into_inner() } else { text };
            let _ = self.event(self.started_us, if key == b'i' { "i" } else { "o" }, &text);
        }
    }
}

/// The text of `bytes`, invalid ones as U+FFFD, without a sequence that is not finished yet.
fn decode(bytes: &[u8]) -> (String, Vec<u8>) {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = Vec::new();
    let mut chunks = bytes.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        text.push_str(chunk.valid());
        let invalid = chunk.invalid();
        if invalid.is_empty() {
            continue;
        }
        // At the very end, an incomplete sequence may yet be completed by what follows.
        if chunks.peek().is_none() && invalid.len() < 4 && may_go_on(invalid) {
            rest = invalid.to_vec();
        } else {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    (text, rest)
}

fn may_go_on(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).err().is_some_and(|e| e.error_len().is_none())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::string_slice, clippy::indexing_slicing)]
mod tests {
    use expacti_protocol::uplink::Isolation;

    use super::*;

    fn info() -> SessionInfo {
        SessionInfo {
            agent: "bot".into(),
            user: "u".into(),
            target: "t".into(),
            isolation: Some(Isolation::PathOnly),
            with: vec!["docker".into()],
            ..SessionInfo::default()
        }
    }

    #[test]
    fn split_characters_are_put_together() {
        let all = "aé€🦀z".as_bytes();
        for cut in 0..=all.len() {
            let (a, rest) = decode(&all[..cut]);
            let (b, left) = decode(&[rest.as_slice(), &all[cut..]].concat());
            assert_eq!(format!("{a}{b}"), "aé€🦀z", "cut at {cut}");
            assert!(left.is_empty());
        }
        assert_eq!(decode(b"\xff\xfex\xc3").0, "\u{fffd}\u{fffd}x");
    }

    #[test]
    fn a_recording_has_header_events_and_markers() {
        let dir = tempfile::tempdir().unwrap();
        let all = Recordings::new(dir.path()).unwrap();
        let id = SessionId::new();
        all.open(&id, info());
        let now = Now::read();
        all.start(&id, None, now).unwrap();
        all.output(&id, Stream::Stdout, now.micros + 500_000, b"h\xc3");
        all.output(&id, Stream::Stderr, now.micros + 600_000, b"!");
        all.output(&id, Stream::Stdout, now.micros + 400_000, b"\xa9");
        all.output(&id, Stream::Stdin, now.micros, b"export PGPASSWORD=hunter2\n");
        let offset = all.mark(&id, &Shown::plain("allowed by mara"), now).unwrap();
        all.close(&id);
        let text = std::fs::read_to_string(all.path(&id)).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines[0]["version"], 2);
        assert_eq!(lines[0]["title"], "bot (not isolated, with docker) on u@t");
        assert_eq!(lines[1], json!([0.5, "o", "h"]));
        assert_eq!(lines[2], json!([0.6, "o", "!"]));
        assert_eq!(lines[3], json!([0.6, "o", "é"]));
        assert_eq!(lines[4], json!([0.6, "i", "export PGPASSWORD=•••\n"]));
        assert_eq!(lines[5], json!([0.6, "m", "allowed by mara"]));
        assert!((offset - 0.6).abs() < 1e-9);
    }

    #[test]
    fn a_recording_that_cannot_be_made_fails_every_command() {
        let dir = tempfile::tempdir().unwrap();
        let all = Recordings::new(dir.path()).unwrap();
        let id = SessionId::new();
        all.open(&id, info());
        std::fs::create_dir(all.path(&id)).unwrap();
        let now = Now::read();
        let why = all.start(&id, None, now).unwrap_err();
        assert!(why.contains("failed to write"), "{why}");
        std::fs::remove_dir(all.path(&id)).unwrap();
        assert!(all.start(&id, None, now).is_err(), "a failed recording stays failed");
        assert!(all.mark(&id, &Shown::plain("x"), now).is_err());
        assert!(all.failure(&id).is_some());
        assert!(all.start(&SessionId::new(), None, now).is_err(), "unknown session");
    }
}
