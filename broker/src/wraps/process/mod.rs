//! Processes, held so that their number cannot become another's, and where they live.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
pub(crate) use linux::{Namespace, NamespaceId, Peer, Process};
#[cfg(not(target_os = "linux"))]
pub(crate) use other::{Namespace, NamespaceId, Peer, Process};
