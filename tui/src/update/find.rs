//! Searching in a long command, its preview, and a live terminal. It must never move to another
//! request, nor mark anything as seen.

use tui_input::Input;

use crate::model::{Find, Match, Mode, Model, Pane, Section};
use crate::search::matches;

/// The key "filter" where there is a text: opens the field.
pub(super) fn open(model: &mut Model) {
    model.mode = Mode::Search(Input::default());
}

/// Enter in the field.
pub(super) fn typed(model: &mut Model) {
    let Mode::Search(input) = std::mem::take(&mut model.mode) else { return };
    model.press();
    let needle = input.value();
    // Nothing typed: once more what was searched for before.
    if !needle.is_empty() {
        model.reading.find = Find::new(needle);
    }
    next(model);
}

/// The next match: further down in a request, further back in a terminal.
pub(super) fn next(model: &mut Model) {
    if model.reading.find.needle.is_empty() {
        return model.hint("nothing to search for: type it after the key for a filter");
    }
    match model.pane {
        Pane::Live => in_terminal(model),
        Pane::Queue | Pane::Request | Pane::Sessions => in_request(model),
    }
}

fn in_request(model: &mut Model) {
    let Some(item) = model.requests.current() else {
        return model.hint("no request is selected");
    };
    let masked = model.requests.masked(item);
    let find = &mut model.reading.find;
    let texts = [
        (Section::Command, Some(item.text(masked))),
        (Section::Preview, item.shown_preview(masked)),
    ];
    let all: Vec<Match> = texts
        .into_iter()
        .filter_map(|(section, text)| Some((section, text?)))
        .flat_map(|(section, text)| {
            matches(text.text(), &find.needle).map(move |at| Match { section, at })
        })
        .collect();
    let after = find.at.and_then(|at| all.iter().position(|m| *m > at));
    let nth = after.unwrap_or(0);
    let Some(found) = all.get(nth).copied() else {
        find.at = None;
        return model.hint("not found in this request");
    };
    let again = find.at.is_some() && after.is_none();
    find.at = Some(found);
    model.reading.jump_to_match = true;
    model.pane = Pane::Request;
    let from = if again { ", from the beginning" } else { "" };
    model.hint(format!("match {} of {}{from}", nth + 1, all.len()));
}

fn in_terminal(model: &mut Model) {
    let needle = &model.reading.find.needle;
    let session = model.live_session().cloned();
    let Some(live) = session.and_then(|id| model.watching.terminals.get_mut(&id)) else {
        return model.hint("no terminal is shown");
    };
    let rows = live.emulator.all_rows();
    let last = rows.len().saturating_sub(1);
    let before = live.found.unwrap_or(rows.len()).min(rows.len());
    let has = |row: &&String| matches(row, needle).next().is_some();
    let up = rows.iter().take(before).rposition(|row| has(&row));
    match up.or_else(|| rows.iter().rposition(|row| has(&row))) {
        Some(row) => {
            live.found = Some(row);
            // Two rows of what follows it stay in sight.
            live.scroll = (last - row).saturating_sub(2);
            let from = if up.is_none() { ", from the end" } else { "" };
            model.hint(format!("found{from}"));
        }
        None => model.hint("not found in this terminal"),
    }
}
