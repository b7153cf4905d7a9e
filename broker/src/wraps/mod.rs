//! The wraps of this machine, and whether a process that connects here lives inside of one.
//!
//! A process is told by the descriptor that the kernel gives of it, and by the user namespace in which
//! it lives; its place in the process tree is the second line. Whatever cannot be told counts as inside.

mod origin;
mod process;
mod registry;
#[cfg(all(test, target_os = "linux"))]
pub(crate) mod tests;

pub(crate) use origin::Origin;
pub(crate) use process::Peer as PeerProcess;
pub(crate) use registry::Wraps;
