//! SFTP version 3, as OpenSSH speaks it: packets in, requests and replies out. It must never turn
//! a request that changes something into a [`Query`].

mod attrs;
mod extents;
mod frame;
mod query;
mod reply;
mod request;
mod step;
mod wire;

pub use attrs::Attrs;
pub use extents::{Extents, Piece, TooManyPieces};
pub use frame::{Frame, Framer, MAX_PACKET, TooLong};
pub use query::{Extension, Query, ReplyKind};
pub use reply::{Reply, StatusCode, Version};
pub use request::{ClientPacket, Handle, OpenFlags, Request};
pub use step::{OpenMode, Step};
pub use wire::WireError;
