//! Keyframes: the terminal's state every 10 s or 256 kB, made ahead on a thread. It must never
//! outlive its player.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock, Weak};

use crate::emulator::Emulator;
use crate::recording::{Event, Kind, Recording, size};
use crate::terminal::BACKGROUND_THREAD;

/// The longest stretch of a recording without a keyframe.
const SECONDS: f64 = 10.0;
/// The most output without a keyframe, in bytes.
const BYTES: usize = 256 * 1024;
/// All keyframes together, in bytes; past it every other one is dropped, and fewer are made: a
/// recording says itself how large its terminal is, and what is in it.
const MEMORY: usize = 128 << 20;

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
            .name(BACKGROUND_THREAD.to_owned())
            .spawn(move || make(&recording, &weak));
        if started.is_err() {
            frames.done.store(true, Ordering::SeqCst);
        }
        Self { frames }
    }

    /// The last keyframe with at most `events` applied: how many, and the terminal.
    pub(crate) fn before(&self, events: usize) -> Option<(usize, Emulator)> {
        let list = self.frames.list.read().ok()?;
        let frame = list.get(list.partition_point(|k| k.event <= events).checked_sub(1)?)?;
        let mut emulator = Emulator::new(frame.cols, frame.rows);
        emulator.feed_str(&frame.dump);
        Some((frame.event, emulator))
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
    make_within(recording, frames, MEMORY);
}

fn make_within(recording: &Recording, frames: &Weak<Frames>, memory: usize) {
    let h = &recording.header;
    let mut emulator = Emulator::new(h.cols.into(), h.rows.into());
    let (mut bytes, mut since) = (0, 0.0);
    let (mut apart, mut held) = (1_u32, 0_usize);
    for (i, event) in recording.events.iter().enumerate() {
        let most = BYTES.saturating_mul(usize::try_from(apart).unwrap_or(usize::MAX));
        if bytes >= most || event.time - since >= SECONDS * f64::from(apart) && bytes > 0 {
            // The player is gone: nobody needs the rest.
            let Some(frames) = frames.upgrade() else { return };
            let (cols, rows) = emulator.size();
            let frame = Keyframe { event: i, cols, rows, dump: emulator.dump() };
            let Ok(mut list) = frames.list.write() else { return };
            held += frame.dump.len();
            list.push(frame);
            if held > memory {
                let mut keep = false;
                list.retain(|_| {
                    keep = !keep;
                    keep
                });
                held = list.iter().map(|frame| frame.dump.len()).sum();
                apart = apart.saturating_mul(2);
            }
            frames.reach.store(i, Ordering::SeqCst);
            (bytes, since) = (0, event.time);
        }
        apply(&mut emulator, recording, event);
        bytes += recording.data(event).len();
    }
    if let Some(frames) = frames.upgrade() {
        frames.done.store(true, Ordering::SeqCst);
    }
}

/// What an event does to the terminal.
pub(super) fn apply(emulator: &mut Emulator, recording: &Recording, event: &Event) {
    match event.kind {
        Kind::Output => emulator.feed_str(recording.data(event)),
        Kind::Resize => {
            if let Some((cols, rows)) = size(recording.data(event)) {
                emulator.resize(cols.into(), rows.into());
            }
        }
        Kind::Input | Kind::Marker | Kind::Exit | Kind::Other(_) => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn keyframes_have_a_bound() {
        let mut text = "{\"version\":2,\"width\":100,\"height\":50}\n".to_owned();
        for i in 0..4_000 {
            let colours = (0..40).fold(String::new(), |mut all, n| {
                let _ = write!(all, "\\u001b[3{}m{}", (n + i) % 8, n % 10);
                all
            });
            let _ = writeln!(text, "[{i}, \"o\", \"{colours}\"]");
        }
        let recording = Recording::parse(text.as_bytes()).unwrap();
        let frames = Arc::new(Frames::default());
        make_within(&recording, &Arc::downgrade(&frames), usize::MAX);
        let all = frames.list.read().unwrap().len();
        let size = frames.list.read().unwrap().iter().map(|f| f.dump.len()).max().unwrap();
        assert!(all > 300, "{all}");
        let frames = Arc::new(Frames::default());
        make_within(&recording, &Arc::downgrade(&frames), size * 20);
        let list = frames.list.read().unwrap();
        assert!((5..=21).contains(&list.len()), "{}", list.len());
        assert!(list.windows(2).all(|w| matches!(w, [a, b] if a.event < b.event)));
        // The whole of it is still covered.
        assert!(list.last().is_some_and(|last| last.event > 3_000));
        assert!(frames.done.load(Ordering::SeqCst));
    }
}
