//! Searching in a long command, its preview, and a live terminal. It must never move to another
//! request, nor mark anything as seen.

use tui_input::Input;

use super::hint;
use crate::model::{Find, Mode, Model, Pane};
use crate::search::matches;

/// The key "filter" where there is a text: opens the field.
pub(super) fn open(model: &mut Model) {
    model.mode = Mode::Search(Input::default());
}

/// Enter in the field.
pub(super) fn typed(model: &mut Model) {
    let Mode::Search(input) = std::mem::take(&mut model.mode) else { return };
    model.pressed_at = Some(model.now);
    let needle = input.value();
    // Nothing typed: once more what was searched for before.
    if !needle.is_empty() {
        model.find = Find::new(needle);
    }
    next(model);
}

/// The next match: further down in a request, further back in a terminal.
pub(super) fn next(model: &mut Model) {
    if model.find.needle.is_empty() {
        return hint(model, "nothing to search for: type it after the key for a filter", false);
    }
    match model.pane {
        Pane::Live => in_terminal(model),
        Pane::Queue | Pane::Request | Pane::Sessions => in_request(model),
    }
}

fn in_request(model: &mut Model) {
    let Some(item) = model.item() else { return hint(model, "no request is selected", false) };
    let masked = model.masked(item);
    let needle = model.find.needle.clone();
    let texts = [Some(item.text(masked)), item.shown_preview(masked)];
    let all: Vec<(bool, usize)> = texts
        .into_iter()
        .zip([false, true])
        .filter_map(|(text, preview)| Some((text?, preview)))
        .flat_map(|(text, preview)| matches(text.text(), &needle).map(move |at| (preview, at)))
        .collect();
    let after = model.find.at.and_then(|at| all.iter().position(|m| *m > at));
    let nth = after.unwrap_or(0);
    let Some(found) = all.get(nth).copied() else {
        model.find.at = None;
        return hint(model, "not found in this request", false);
    };
    let again = model.find.at.is_some() && after.is_none();
    model.find.at = Some(found);
    model.find_jump = true;
    model.pane = Pane::Request;
    let from = if again { ", from the beginning" } else { "" };
    hint(model, format!("match {} of {}{from}", nth + 1, all.len()), false);
}

fn in_terminal(model: &mut Model) {
    let needle = model.find.needle.clone();
    let session = model.live_session().cloned();
    let Some(live) = session.and_then(|id| model.live.get_mut(&id)) else {
        return hint(model, "no terminal is shown", false);
    };
    let rows = live.screen.all_rows();
    let last = rows.len().saturating_sub(1);
    let before = live.found.unwrap_or(rows.len()).min(rows.len());
    let has = |row: &&String| matches(row, &needle).next().is_some();
    let up = rows.iter().take(before).rposition(|row| has(&row));
    match up.or_else(|| rows.iter().rposition(|row| has(&row))) {
        Some(row) => {
            live.found = Some(row);
            // Two rows of what follows it stay in sight.
            live.scroll = (last - row).saturating_sub(2);
            let from = if up.is_none() { ", from the end" } else { "" };
            hint(model, format!("found{from}"), false);
        }
        None => hint(model, "not found in this terminal", false),
    }
}
