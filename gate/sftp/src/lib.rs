//! File transfers as pure code: SFTP, legacy scp and the ref list of a `git push`. Packets of a
//! client go in; what comes out is either a [`Query`], which can change nothing on the target, or
//! a [`Change`], whose text is what a reviewer decides on. No I/O, no clock.
//!
//! It must never turn a request that changes something into a `Query`, nor give two different
//! changes the same text. File names are bytes: nothing here decodes them lossily.

mod git_push;
mod path;
mod review;
mod scp;
mod sftp;

pub use git_push::{MAX_REFS, RefChange, Refs, read_refs};
pub use path::{MAX_PATH, PathError, RemotePath};
pub use review::{
    Change, Content, MAX_DIFF, MAX_PREVIEW, Present, Upload, is_secret, preview, size, text_of,
    why_sensitive,
};
pub use scp::{Got, MAX_RECORDS, Parser, Record, ScpError, Summary, upload_text};
pub use sftp::{
    Answer, Attrs, Extension, Extents, Frame, Framer, Handle, MAX_PACKET, Mode, OpenFlags, Parsed,
    Piece, Query, Reply, Request, StatusCode, Step, TooLong, TooManyPieces, Version, WireError,
};
