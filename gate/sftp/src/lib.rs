//! File transfers as pure code: SFTP, legacy scp and the ref list of a `git push`. Packets of a
//! client go in; what comes out is either a [`Query`], which can change nothing on the target, or
//! a [`Change`], whose text is what a reviewer decides on. No I/O, no clock.
//!
//! It must never turn a request that changes something into a `Query`, nor give two different
//! changes the same text. File names are bytes: nothing here decodes them lossily.

pub mod git_push;
mod path;
mod review;
pub mod scp;
mod sftp;

pub use path::{MAX_PATH, PathError, RemotePath};
pub use review::{
    Change, Content, MAX_DIFF, MAX_PREVIEW, Present, Upload, is_secret, preview, size, text_of,
    why_sensitive,
};
pub use sftp::{
    Attrs, ClientPacket, Extension, Extents, Frame, Framer, Handle, MAX_PACKET, OpenFlags,
    OpenMode, Piece, Query, Reply, ReplyKind, Request, StatusCode, Step, TooLong, TooManyPieces,
    Version, WireError,
};
