//! The reviewer's screen: `review` and `replay`. It must never decide by itself, nor let a byte of
//! an agent's reach the terminal other than as a clean cell.

#[cfg(feature = "bench")]
pub mod bench;
mod emulator;
mod fetch;
mod keymap;
mod link;
mod model;
mod notify;
mod player;
mod propose;
mod quiet;
pub mod recording;
mod run;
mod search;
mod terminal;
mod text;
mod theme;
mod time;
mod update;
mod view;
mod visible_text;

pub use keymap::{Action, KeyMap, KeyMapError};
pub use model::{Confirm, ConfirmKind};
pub use player::standalone::{ReplayOptions, replay};
pub use quiet::{QuietHours, QuietHoursError};
pub use recording::{Format, Recording, export};
pub use run::{ReviewOptions, review};

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests;
