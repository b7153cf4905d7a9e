//! Chapters: the decisions of a recording. It must never call a decision less dangerous than the
//! broker did.

use std::collections::HashMap;

use expacti_engine::Level;
use expacti_protocol::command::CommandView;

use crate::recording::{Kind, Recording};
use crate::text::{clean, short_ids};

/// How far a marker may be from the place the broker noted, in seconds: the file has microseconds.
const NEAR: f64 = 1e-3;

/// A chapter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chapter {
    /// Its marker, among the events.
    pub event: usize,
    /// When it is played, in seconds.
    pub time: f64,
    /// What was decided, clean: `allowed by mara`; empty when the marker is not about a decision.
    pub verdict: String,
    /// Whether it was allowed.
    pub allowed: Option<bool>,
    /// The command, or the marker's whole text; clean.
    pub label: String,
    /// How dangerous it was, where the broker's commands are known.
    pub level: Option<Level>,
}

/// The markers, with the times at which they are played.
pub(super) fn of(recording: &Recording, times: &[f64]) -> Vec<Chapter> {
    let markers = recording.events.iter().enumerate().filter(|(_, e)| e.kind == Kind::Marker);
    let chapter = |(event, e)| {
        let text = short_ids(&clean(recording.data(e), 200));
        // Who decides has a name without ": ".
        let (verdict, label) = match text.split_once(": ") {
            Some((v, l)) if v.starts_with("allowed by ") || v.starts_with("denied by ") => (v, l),
            _ => ("", text.as_str()),
        };
        Chapter {
            event,
            time: times.get(event).copied().unwrap_or(0.0),
            allowed: (!verdict.is_empty()).then(|| verdict.starts_with("allowed")),
            verdict: verdict.to_owned(),
            label: label.to_owned(),
            level: None,
        }
    };
    markers.map(chapter).collect()
}

/// Adds what the broker knows of the commands: by the place of the marker, or by its text.
pub(super) fn add_levels(
    chapters: &mut [Chapter],
    recording: &Recording,
    commands: &[CommandView],
) {
    let mut labels: HashMap<String, Level> = HashMap::new();
    let mut places: Vec<(f64, Level)> = Vec::new();
    for view in commands {
        if let Some(at) = view.recording_offset.filter(|at| at.is_finite()) {
            places.push((at, view.level));
        }
        let (Some(by), Some(allow)) = (&view.decided_by, view.allow) else { continue };
        let word = if allow { "allowed" } else { "denied" };
        let text = view.masked.as_ref().unwrap_or(&view.text.command);
        let text = expacti_engine::make_visible(text.as_bytes()).text;
        let level = labels.entry(format!("{word} by {by}: {text}")).or_insert(view.level);
        *level = view.level.max(*level);
    }
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    for chapter in chapters {
        let Some(event) = recording.events.get(chapter.event) else { continue };
        let from = places.partition_point(|(at, _)| *at < event.time - NEAR);
        let near = places.iter().skip(from).take_while(|(at, _)| *at <= event.time + NEAR);
        let placed = near.map(|(_, level)| *level).max();
        chapter.level = placed.max(labels.get(recording.data(event)).copied());
    }
}
