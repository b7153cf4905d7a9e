//! A list over the whole screen: history, rules, or audit log. It must never show a row that the
//! filter leaves out.

use tui_input::Input;

use super::ballot::Voting;
use super::message::Fetch;
use super::rows::ListRow;

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
