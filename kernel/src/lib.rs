//! System calls that no library wraps in safe code yet: who is at the other end of a socket, in
//! which user namespace a process lives, and what a process gives up before it starts a program.
//!
//! This is the only crate of the project with unsafe code. Each unsafe block is one system call, and
//! nothing here decides anything.
#![cfg(target_os = "linux")]

mod namespace;
mod process;
mod socket;

pub use namespace::{NamespaceId, UserNamespace, can_place_hidden};
pub use process::{
    close_from, enter_new_namespaces, join_new_session_keyring, set_read_only, take_descriptor,
};
pub use socket::{peer_pidfd, peer_user_namespace};
