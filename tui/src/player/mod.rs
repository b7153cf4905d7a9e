//! Plays a recording, on the reviewer's screen or alone. It must never let a recording draw outside
//! its box, nor hold up the screen.

mod chapters;
mod keyframes;
mod keys;
mod playback;
pub(crate) mod standalone;
mod view;

pub(crate) use keys::Outcome;
pub(crate) use playback::Player;
pub(crate) use view::draw;

#[cfg(test)]
mod tests;
