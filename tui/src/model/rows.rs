//! The rows of lists: history, rules, audit log. They must never hold text that is not clean.

use expacti_engine::Level;
use expacti_protocol::command::{CommandState, CommandView};
use expacti_protocol::ids::SessionId;

use super::ballot::Ballot;
use super::item::{headline, result};
use crate::text::{clean, fit, short_ids, width};

/// How a piece of a row is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As text.
    Plain,
    /// Less.
    Dim,
    /// More.
    Strong,
    /// It went well.
    Good,
    /// It did not.
    Bad,
    /// A level.
    Level(Level),
}

/// One row.
#[derive(Debug)]
pub(crate) struct ListRow {
    /// A time to show before it, in seconds since the Unix epoch.
    pub at: Option<i64>,
    /// Pieces of clean text.
    pub pieces: Vec<(Tone, String)>,
    /// The recording it belongs to, and where in it.
    pub session: Option<(SessionId, Option<f64>)>,
    /// What `copy` copies.
    pub copy: String,
    /// What can be voted on.
    pub ballot: Option<Box<Ballot>>,
}

/// Who decided, as briefly as people say it, clean: `mara`, `rule 9jp0`, `timeout`.
fn who(by: &str) -> String {
    let name = by.strip_prefix("whitelist:").or_else(|| by.strip_prefix("system:"));
    short_ids(&clean(name.unwrap_or(by), 60))
}

/// Clean text in a column of its own.
fn column(text: &str, columns: usize) -> String {
    let text = fit(text, columns, false);
    let fill = columns.saturating_sub(width(&text));
    text + &" ".repeat(fill)
}

/// A command of the history.
pub(crate) fn history_row(view: &CommandView) -> ListRow {
    let (result, good) = result(view.state, view.outcome.as_ref());
    let by = view.decided_by.as_deref().unwrap_or_default();
    let comment = view.comment.as_deref().map(|c| format!(" “{c}”")).unwrap_or_default();
    let ran = matches!(view.state, CommandState::Finished | CommandState::Released);
    let target = clean(&view.session.target, 24);
    ListRow {
        at: Some(view.timestamp),
        pieces: vec![
            (Tone::Level(view.level), String::new()),
            (if good && ran { Tone::Good } else { Tone::Bad }, column(&result, 9)),
            (Tone::Dim, column(&who(by), 12)),
            (Tone::Plain, column(&target, 10)),
            (Tone::Plain, headline(view, 300)),
            (Tone::Dim, clean(&comment, 200)),
        ],
        session: Some((view.session_id.clone(), view.recording_offset)),
        copy: view.id.to_string(),
        ballot: None,
    }
}

/// An entry of the audit log: a line of JSON.
pub(crate) fn audit_row(line: &str) -> ListRow {
    let value: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
    let field = |name: &str| match value.get(name) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let tone = match field("decision").as_str() {
        "allow" | "allowed" => Tone::Good,
        "" => Tone::Plain,
        _ => Tone::Bad,
    };
    // RFC 3339: the date is the same for most of what is on the screen.
    let time = field("time");
    let time = time.split_once('T').map_or(time.as_str(), |(_, t)| t.get(..8).unwrap_or(t));
    let what = format!("{} {}", field("kind").replace('_', " "), field("decision"));
    ListRow {
        at: None,
        pieces: vec![
            (Tone::Dim, clean(&format!("{:>6} {time}", field("seq")), 40)),
            (tone, clean(&format!("{:<17}", what.trim_end()), 40)),
            (Tone::Dim, column(&who(&field("decided_by")), 12)),
            (Tone::Plain, clean(&field("command"), 300)),
            (Tone::Dim, clean(&field("comment"), 200)),
        ],
        session: field("session_id")
            .parse()
            .ok()
            .map(|id| (id, value.get("recording_offset").and_then(serde_json::Value::as_f64))),
        copy: line.to_owned(),
        ballot: None,
    }
}
