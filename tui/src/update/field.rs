//! Text fields. They must never take more than the wire does, nor a line break.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler as _;

use crate::text::clean;

/// The longest text a field takes, in bytes (a comment's limit on the wire is 4,000).
const FIELD: usize = 1_000;

/// A key in a text field.
pub(super) fn key(input: &mut Input, key: KeyEvent) {
    let inserts = matches!(key.code, KeyCode::Char(_));
    if !inserts || input.value().len() < FIELD {
        input.handle_event(&Event::Key(key));
    }
}

/// Pasted text, as one clean line.
pub(super) fn paste(input: &mut Input, text: &str) {
    let mut line = clean(&text.replace(['\n', '\r', '\t'], " "), FIELD);
    let room = FIELD.saturating_sub(input.value().len());
    while line.len() > room {
        line.pop();
    }
    for c in line.chars() {
        input.handle(tui_input::InputRequest::InsertChar(c));
    }
}

/// Whether the key leaves a field or a question.
pub(super) fn leaves(key: &KeyEvent) -> bool {
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    key.code == KeyCode::Esc || key.code == KeyCode::Char('c') && ctrl
}

/// Whether the key is the `y` that confirms.
pub(super) fn confirms(key: &KeyEvent) -> bool {
    key.code == KeyCode::Char('y') && key.modifiers.is_empty()
}
