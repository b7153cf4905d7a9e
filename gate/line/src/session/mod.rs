//! The line gate: joins the agent's line editor, what is known of the remote side, and the one
//! item under review. Pure: bytes, answers and the time go in, [`Effect`]s come out.
//!
//! What reaches the target is decided here by exactly three effects: [`Effect::Type`] (a constant
//! of the closed set), [`Effect::TypeItem`] (the approved bytes, which only the caller has), and
//! [`Effect::Keys`] (keys while a grant lasts, which the caller bounds). None of the agent's bytes
//! are in the first two.
//!
//! The parts know nothing of each other: `Display` has what is on the agent's screen, `TypeAhead`
//! the keys that wait, `SideProbe` what the target said about its terminal, `Review` the item under
//! review, `Grant` the permission to pass keys. [`LineGate`] joins them. Its methods are in `input`
//! (the agent typed), `submit` (what was typed becomes an item), `review` (the item was decided),
//! `deliver` (the item is typed) and `output` (the target wrote).

mod clock;
mod command;
mod deliver;
mod display;
mod echo;
mod effect;
mod grant;
mod input;
mod item;
mod key_names;
mod line_gate;
mod mode;
mod output;
mod password;
mod probe;
mod review;
mod screen;
mod state;
mod submit;
mod type_ahead;

pub use effect::{Effect, Unsent, Verdict};
pub use item::{Kind, Label, Submission};
pub use line_gate::LineGate;
