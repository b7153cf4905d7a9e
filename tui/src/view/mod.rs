//! Draws the model. It must never change anything, and reports exactly what it put on the screen.

mod body;
mod dialog;
mod disconnected;
mod footer;
mod header;
mod help;
mod layout;
mod list;
mod live;
mod notes;
mod proposal;
mod queue;
mod rationale;
mod request;
mod sessions;
mod vote;
mod widgets;

pub(crate) use layout::view;
