//! Recordings of terminals: asciicast versions 1, 2 and 3. It must never take a broken line for an
//! event, nor believe a size or a time without bounds.

mod asciicast;
mod export;
mod fast;
mod read;
mod search;
mod write;

pub use asciicast::{Event, Header, Kind, Recording, RecordingError};
pub use export::{Format, FormatError, export};

pub(crate) use asciicast::size;

#[cfg(test)]
mod tests;
