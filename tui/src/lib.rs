//! The reviewer's screen: `review` and `replay`. It must never decide by itself, nor let a byte of
//! an agent's reach the terminal other than as a clean cell.
//!
//! # Where the key `a` ends
//!
//! 1. `run` reads the key; `keymap` makes it [`Action::Allow`]; `update::actions` hands that to
//!    `update::decide::allow`.
//! 2. `update::lock` says whether the request may be allowed: connected, entitled, on the screen
//!    long enough in this revision, with its end shown. HIGH and CRITICAL then ask for `y` or the
//!    target's name, and `decide::confirm` looks at all of it once more.
//! 3. `decide::commit` holds HIGH and above for two seconds (`update::held`), in which `u` takes it
//!    back. `decision` makes the one message that carries a decision, with the digest and the
//!    revision that were shown.
//! 4. `run` hands the message to `link`, which sends it on the connection it was made on or never.
//!
//! # The rest
//!
//! `model` is all that the screen knows, `update` the only place where it changes (a message in,
//! effects out), `view` draws it and reports exactly what was drawn: what counts as seen comes from
//! that report alone. `run` is the loop around the three; `link`, `fetch`, `notify` and `terminal`
//! carry out what follows. `recording` and `player` are the replay.

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
mod prover;
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
