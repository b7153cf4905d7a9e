//! Time, position and seeking in a recording. It must never hold up the screen: what takes long is
//! done ahead, on a thread of its own.

use std::sync::Arc;

use expacti_protocol::command::CommandView;
use tui_input::Input;

use super::chapters::{self, Chapter};
use super::keyframes::{Index, apply};
use crate::emulator::Emulator;
use crate::recording::{Event, Kind, Recording};
use crate::text::clean;
use crate::time::Millis;

/// Speeds of the keys `<` and `>`.
const SPEEDS: [f64; 9] = [0.25, 0.5, 1.0, 1.5, 2.0, 4.0, 8.0, 16.0, 32.0];

/// A recording at some moment.
#[derive(Debug)]
pub(crate) struct Player {
    pub(crate) recording: Arc<Recording>,
    /// When each event is played: the recording's times with long pauses cut.
    times: Vec<f64>,
    pub(crate) chapters: Vec<Chapter>,
    index: Index,
    pub(crate) emulator: Emulator,
    /// Events that were applied.
    position: usize,
    /// Seconds since the beginning.
    pub(crate) time: f64,
    pub(crate) playing: bool,
    pub(crate) speed: f64,
    /// When `time` was last brought up to date.
    clock: Millis,
    /// What is shown above.
    pub(crate) title: String,
    /// The field of a search that is being typed.
    pub(crate) search: Option<Input>,
    pub(super) needle: String,
    /// A word about the last key.
    pub(crate) note: Option<String>,
    /// Where to go as soon as the keyframes reach so far: the event, and the moment.
    wanted: Option<(usize, f64)>,
}

/// Output that is gone through at once, in bytes; what is further away waits for its keyframe.
const AT_ONCE: usize = 1 << 20;

impl Player {
    /// A player at the beginning of a recording. `limit`: pauses longer than this, in seconds, are
    /// cut to it; the recording's own limit otherwise.
    pub(crate) fn new(
        recording: Arc<Recording>,
        title: &str,
        speed: f64,
        limit: Option<f64>,
        now: Millis,
    ) -> Self {
        let limit = limit.or(recording.header.idle_time_limit).filter(|l| *l > 0.0);
        let mut times = Vec::with_capacity(recording.events.len());
        let (mut at, mut last) = (0.0, 0.0);
        for event in &recording.events {
            let pause: f64 = event.time - last;
            at += limit.map_or(pause, |l| pause.min(l));
            last = event.time;
            times.push(at);
        }
        let chapters = chapters::of(&recording, &times);
        let index = Index::build(recording.clone());
        let (cols, rows) = (recording.header.cols, recording.header.rows);
        Self {
            emulator: Emulator::new(cols.into(), rows.into()),
            recording,
            times,
            chapters,
            index,
            position: 0,
            time: 0.0,
            playing: true,
            speed: if speed.is_finite() && speed > 0.0 { speed.clamp(0.05, 100.0) } else { 1.0 },
            clock: now,
            title: clean(title, 120),
            search: None,
            needle: String::new(),
            note: None,
            wanted: None,
        }
    }

    /// Adds how dangerous what was decided in it was, by what the broker knows of its commands.
    pub(crate) fn add_levels(&mut self, commands: &[CommandView]) {
        chapters::add_levels(&mut self.chapters, &self.recording, commands);
    }

    /// Seconds it takes at speed 1.
    pub(crate) fn duration(&self) -> f64 {
        self.times.last().copied().unwrap_or(0.0)
    }

    /// Lets time pass.
    pub(crate) fn tick(&mut self, now: Millis) {
        let passed = now.saturating_sub(self.clock) as f64 / 1000.0;
        self.clock = now;
        if let Some((target, time)) = self.wanted {
            if !self.far(target) {
                self.wanted = None;
                self.time = time;
                self.go(target);
            }
            return;
        }
        if !self.playing {
            return;
        }
        self.time = (self.time + passed * self.speed).min(self.duration());
        let target = self.times.partition_point(|t| *t <= self.time);
        self.go(target);
        if self.position >= self.times.len() {
            self.playing = false;
        }
    }

    /// When something changes next.
    pub(crate) fn next_wake(&self) -> Option<Millis> {
        if self.wanted.is_some() {
            return Some(self.clock + 50);
        }
        if !self.playing {
            return None;
        }
        let next = self.times.get(self.position).copied().unwrap_or(self.time);
        let wait = ((next - self.time) / self.speed * 1000.0).ceil().clamp(10.0, 250.0);
        Some(self.clock + wait as Millis)
    }

    /// Plays or pauses; at the end it begins again.
    pub(super) fn toggle(&mut self) {
        if !self.playing && self.position >= self.times.len() {
            self.seek(0.0);
        }
        self.playing = !self.playing;
    }

    /// Brings the terminal to where `target` events were applied.
    fn go(&mut self, target: usize) {
        let target = target.min(self.recording.events.len());
        let near = self.index.before(target);
        let from = match near {
            // Forward, without a keyframe in between: simply on.
            Some((at, _)) if self.position <= target && at <= self.position => self.position,
            Some((at, emulator)) => {
                self.emulator = emulator;
                at
            }
            None if self.position <= target => self.position,
            None => {
                let h = &self.recording.header;
                self.emulator = Emulator::new(h.cols.into(), h.rows.into());
                0
            }
        };
        for event in self.recording.events.get(from..target).unwrap_or_default() {
            apply(&mut self.emulator, &self.recording, event);
        }
        self.position = target;
    }

    /// To a moment.
    pub(crate) fn seek(&mut self, time: f64) {
        let time = time.clamp(0.0, self.duration());
        let target = self.times.partition_point(|t| *t <= time);
        self.reach(target, time);
    }

    /// To where `target` events were applied: now, or when the keyframes are there.
    fn reach(&mut self, target: usize, time: f64) {
        self.wanted = self.far(target).then_some((target, time));
        if self.wanted.is_none() {
            self.time = time;
            self.go(target);
        }
    }

    /// Whether going there now would hold up the screen.
    fn far(&self, target: usize) -> bool {
        if self.index.done() {
            return false;
        }
        let near = self.index.reach().min(target);
        let from = if self.position <= target { near.max(self.position) } else { near };
        let events = self.recording.events.get(from..target).unwrap_or_default();
        let mut bytes = 0;
        events.iter().any(|e| {
            bytes += self.recording.data(e).len();
            bytes > AT_ONCE
        })
    }

    /// Whether the reviewer waits for a moment that is not reached yet.
    pub(crate) fn waits(&self) -> bool {
        self.wanted.is_some()
    }

    /// To a moment of the recording as it was, pauses included.
    pub(crate) fn seek_recorded(&mut self, time: f64) {
        let event = self.recording.events.partition_point(|e| e.time < time);
        let at = self.times.get(event).copied().unwrap_or_else(|| self.duration());
        self.playing = false;
        self.seek(at);
    }

    /// To just after an event.
    fn seek_event(&mut self, event: usize) {
        let time = self.times.get(event).copied().unwrap_or(self.time);
        self.reach(event + 1, time);
    }

    /// One frame on, or back.
    pub(super) fn step(&mut self, forward: bool) {
        self.playing = false;
        let visible = |e: &Event| matches!(e.kind, Kind::Output | Kind::Resize);
        let events = &self.recording.events;
        let to = if forward {
            events.iter().skip(self.position).position(visible).map(|n| self.position + n)
        } else {
            let before = self.position.saturating_sub(1);
            events.get(..before).unwrap_or_default().iter().rposition(visible)
        };
        match to {
            Some(event) => self.seek_event(event),
            None if !forward => self.seek(0.0),
            None => {}
        }
    }

    /// The chapter that is being played.
    pub(crate) fn chapter(&self) -> Option<usize> {
        self.chapters.partition_point(|c| c.event < self.position).checked_sub(1)
    }

    pub(super) fn turn(&mut self, forward: bool) {
        let to = if forward {
            self.chapters.iter().find(|c| c.event >= self.position)
        } else {
            // From within a chapter first to its beginning.
            let last = self.position.saturating_sub(1);
            self.chapters
                .iter()
                .rfind(|c| c.event < last && (c.time < self.time - 1.0 || !self.playing))
        };
        match to.map(|c| c.event) {
            Some(event) => self.seek_event(event),
            None if forward => self.seek(self.duration()),
            None => self.seek(0.0),
        }
    }

    pub(super) fn faster(&mut self, up: bool) {
        let next = if up {
            SPEEDS.iter().find(|s| **s > self.speed + 1e-9)
        } else {
            SPEEDS.iter().rfind(|s| **s < self.speed - 1e-9)
        };
        self.speed = next.copied().unwrap_or(self.speed);
    }

    pub(super) fn find(&mut self) {
        if self.needle.is_empty() {
            return;
        }
        let found = self.recording.find(&self.needle, self.position);
        match found.or_else(|| self.recording.find(&self.needle, 0)) {
            Some(event) => {
                self.playing = false;
                self.note = (event < self.position).then(|| "from the beginning".to_owned());
                self.seek_event(event);
            }
            None => self.note = Some("not found".to_owned()),
        }
    }

    /// What was searched for.
    pub(crate) fn needle(&self) -> &str {
        &self.needle
    }

    /// Whether every keyframe is there.
    #[cfg(any(test, feature = "bench"))]
    pub(crate) fn indexed(&self) -> bool {
        self.index.done()
    }
}
