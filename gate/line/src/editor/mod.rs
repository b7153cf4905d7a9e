//! The line editor that the agent types at: keys in, whole lines out, and what to draw. Nothing in
//! it can write to the target, and a line it returns is valid.
//!
//! The caller feeds bytes to a [`Decoder`], its keys one by one to [`Editor::key`], stops at an
//! [`Outcome::Submit`], and sends [`Editor::draw`]'s bytes to the agent's terminal.

mod buffer;
mod decoder;
mod draw;
mod history;
mod key;
mod key_bindings;
mod layout;
mod line_editor;
mod outcome;
mod syntax;
#[cfg(test)]
mod tests;
mod validate;

pub use decoder::{Decoder, MAX_PASTE};
pub use history::{History, MAX_BYTES, MAX_LINES};
pub use key::{Key, Stroke};
pub use line_editor::Editor;
pub use outcome::{Line, Mode, Outcome};
pub use syntax::{Syntax, is_complete};
pub use validate::{MAX_INPUT, MAX_LINE, Refusal, notes, validate};
