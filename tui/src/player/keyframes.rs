//! Keyframes: the terminal's state every 10 s or 256 kB, made ahead on a thread. It must never
//! outlive its player.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock, Weak};

use super::apply;
use crate::recording::Recording;
use crate::screen::Screen;

/// The longest stretch of a recording without a keyframe.
const SECONDS: f64 = 10.0;
/// The most output without a keyframe, in bytes.
const BYTES: usize = 256 * 1024;

#[derive(Debug)]
struct Keyframe {
    /// Events applied.
    event: usize,
    cols: usize,
    rows: usize,
    /// What brings an empty terminal there.
    dump: String,
}

#[derive(Debug, Default)]
struct Frames {
    list: RwLock<Vec<Keyframe>>,
    /// Events that were gone through.
    reach: AtomicUsize,
    done: AtomicBool,
}

/// The keyframes that are there so far.
#[derive(Debug)]
pub(crate) struct Index {
    frames: Arc<Frames>,
}

impl Index {
    /// Begins to make keyframes.
    pub(crate) fn build(recording: Arc<Recording>) -> Self {
        let frames = Arc::new(Frames::default());
        let weak = Arc::downgrade(&frames);
        // Without the thread seeking is slower, not wrong.
        let started = std::thread::Builder::new()
            .name(crate::terminal::QUIET_THREAD.to_owned())
            .spawn(move || make(&recording, &weak));
        if started.is_err() {
            frames.done.store(true, Ordering::SeqCst);
        }
        Self { frames }
    }

    /// The last keyframe with at most `events` applied: how many, and the terminal.
    pub(crate) fn before(&self, events: usize) -> Option<(usize, Screen)> {
        let list = self.frames.list.read().ok()?;
        let frame = list.get(list.partition_point(|k| k.event <= events).checked_sub(1)?)?;
        let mut screen = Screen::new(frame.cols, frame.rows);
        screen.feed_str(&frame.dump);
        Some((frame.event, screen))
    }

    /// Events up to which keyframes are made; nothing beyond is quick to reach.
    pub(crate) fn reach(&self) -> usize {
        self.frames.reach.load(Ordering::SeqCst)
    }

    /// Whether every keyframe is there, or the thread that makes them never began.
    pub(crate) fn done(&self) -> bool {
        self.frames.done.load(Ordering::SeqCst)
    }
}

fn make(recording: &Recording, frames: &Weak<Frames>) {
    let h = &recording.header;
    let mut screen = Screen::new(h.cols.into(), h.rows.into());
    let (mut bytes, mut since) = (0, 0.0);
    for (i, event) in recording.events.iter().enumerate() {
        if bytes >= BYTES || event.time - since >= SECONDS && bytes > 0 {
            // The player is gone: nobody needs the rest.
            let Some(frames) = frames.upgrade() else { return };
            let (cols, rows) = screen.size();
            let frame = Keyframe { event: i, cols, rows, dump: screen.dump() };
            let Ok(mut list) = frames.list.write() else { return };
            list.push(frame);
            frames.reach.store(i, Ordering::SeqCst);
            (bytes, since) = (0, event.time);
        }
        apply(&mut screen, recording, event);
        bytes += recording.data(event).len();
    }
    if let Some(frames) = frames.upgrade() {
        frames.done.store(true, Ordering::SeqCst);
    }
}
