//! SFTP (version 3, as OpenSSH speaks it) as pure code: packets of a client go in; what comes out
//! is either a [`Query`], which can change nothing on the target, or a [`Change`], whose text is
//! what a reviewer decides on. No I/O, no clock.
//!
//! It must never turn a request that changes something into a `Query`, nor give two different
//! changes the same text. Names of files are bytes: nothing here decodes them lossily.

mod attrs;
mod change;
mod extents;
mod frame;
mod path;
mod preview;
mod push;
mod query;
mod reply;
mod request;
mod scp;
mod secret;
mod step;
mod wire;

pub use attrs::Attrs;
pub use change::{Change, Content, Present, Upload, size, text_of};
pub use extents::{Extents, Piece, TooManyPieces};
pub use frame::{Frame, Framer, MAX_PACKET, TooLong};
pub use path::{MAX_PATH, PathError, RemotePath};
pub use preview::{MAX_DIFF, MAX_PREVIEW, preview};
pub use push::{MAX_REFS, RefChange, Refs, read_refs};
pub use query::{Answer, Extension, Query};
pub use reply::{Reply, StatusCode, Version};
pub use request::{Handle, OpenFlags, Parsed, Request};
pub use scp::{Got, MAX_RECORDS, Parser, Record, ScpError, Summary, upload_text};
pub use secret::{is_secret, why_sensitive};
pub use step::{Mode, Step};
pub use wire::WireError;
