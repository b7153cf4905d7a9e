//! Legacy scp (`scp -t`, the receiving side): what a client sends is split into records and file
//! contents, and can be written out again exactly as it came. It must never accept a record that
//! would be written differently from how it was read.

mod parser;

pub use parser::{Got, MAX_RECORDS, Parser, Record, ScpError, Summary, upload_text};
