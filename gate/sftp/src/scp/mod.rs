//! Legacy scp: what a sender sends (a client to `scp -t`, or `scp -f` to a client) is split into records and file
//! contents, and can be written out again exactly as it came. It must never accept a record that
//! would be written differently from how it was read.

mod error;
mod limits;
mod parser;
mod record;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
mod tests;
mod text;

pub use error::ScpError;
pub use limits::MAX_RECORDS;
pub use parser::{Event, Parser};
pub use record::Record;
pub use text::{Summary, upload_text};
