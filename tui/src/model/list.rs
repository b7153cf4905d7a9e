//! Lists over the whole screen: history, rules, audit log; and a rule being proposed. It must
//! never hold a row that is not clean.

use expacti_engine::Level;
use expacti_protocol::command::{CommandState, CommandView};
use expacti_protocol::ids::{CommandId, SessionId};
use tui_input::Input;

use super::{Ballot, Fetch, Voting, headline, result};
use crate::propose::{Candidate, TERMS};
use crate::text::{clean, fit, short_ids, width};
use crate::time::Millis;

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

/// A list over the whole screen.
#[derive(Debug)]
pub(crate) struct List {
    /// What it shows.
    pub what: Fetch,
    /// Its name.
    pub title: &'static str,
    /// Its rows.
    pub rows: Vec<ListRow>,
    /// The selected row among those that match.
    pub at: usize,
    /// The filter that is being typed.
    pub typing: Option<Input>,
    /// The filter.
    pub filter: String,
    /// Why there are no rows.
    pub note: Option<String>,
    /// A vote that waits for its second step.
    pub voting: Option<Voting>,
}

impl List {
    /// A list that waits for its rows.
    pub(crate) fn new(what: Fetch, title: &'static str) -> Self {
        Self {
            what,
            title,
            rows: Vec::new(),
            at: 0,
            typing: None,
            filter: String::new(),
            note: Some("loading …".to_owned()),
            voting: None,
        }
    }

    /// Takes in new rows; the selection stays on what it was on.
    pub(crate) fn refill(&mut self, rows: Vec<ListRow>) {
        let chosen = self.shown().get(self.at).map(|row| row.copy.clone());
        self.rows = rows;
        let shown = self.shown();
        let at = chosen.and_then(|copy| shown.iter().position(|row| row.copy == copy));
        self.at = at.unwrap_or(self.at).min(shown.len().saturating_sub(1));
        self.note = self.rows.is_empty().then(|| "nothing yet".to_owned());
    }

    /// The rows that match the filter.
    pub(crate) fn shown(&self) -> Vec<&ListRow> {
        let words: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        self.rows
            .iter()
            .filter(|row| {
                words.iter().all(|w| row.pieces.iter().any(|(_, t)| t.to_lowercase().contains(w)))
            })
            .collect()
    }
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

/// How long a rule still holds.
pub(super) fn expiry(rule: &expacti_engine::Rule, now_us: i64) -> String {
    match rule.expires_at {
        None => "no expiry".to_owned(),
        Some(at) if at <= now_us => "expired".to_owned(),
        Some(at) => {
            let hours = (at - now_us) / 3_600_000_000;
            if hours >= 48 { format!("{} d left", hours / 24) } else { format!("{hours} h left") }
        }
    }
}

/// Where a rule holds, not clean.
pub(super) fn scope_of(rule: &expacti_engine::Rule) -> String {
    let scope: Vec<String> = [
        ("agent", &rule.scope.agent),
        ("target", &rule.scope.target),
        ("user", &rule.scope.user),
        ("cwd", &rule.scope.cwd),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)))
    .collect();
    if scope.is_empty() { "everywhere".to_owned() } else { scope.join(", ") }
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

/// A rule being proposed.
#[derive(Debug)]
pub(crate) struct RuleProposal {
    /// For which command.
    pub id: CommandId,
    /// The rules to choose from; none while they are worked out.
    pub candidates: Option<Vec<Candidate>>,
    /// Which is chosen.
    pub at: usize,
    /// How long it holds: an index into [`TERMS`].
    pub term: usize,
    /// Since when the present choice is on the screen.
    pub since: Millis,
}

impl RuleProposal {
    /// Hours the rule holds.
    pub(crate) fn hours(&self) -> u32 {
        TERMS.get(self.term).copied().unwrap_or(8)
    }
}
