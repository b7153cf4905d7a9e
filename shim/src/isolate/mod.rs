//! The wrapped program's own namespaces: inside them there is no key, no agent and no `ssh` but ours.
//!
//! `survey` looks at the system and makes a [`plan::Plan`]; `enter` makes the namespaces, `init`
//! carries the plan out as their first process and starts the program; `watch` looks from outside
//! whether everything that was covered still is.

pub(crate) mod covers;
pub(crate) mod enter;
pub(crate) mod exposed;
pub(crate) mod init;
pub(crate) mod lockdown;
pub(crate) mod mounts;
pub(crate) mod places;
pub(crate) mod plan;
pub(crate) mod prepare;
pub(crate) mod probe;
pub(crate) mod programs;
pub(crate) mod secret_files;
pub(crate) mod sockets;
pub(crate) mod startup;
pub(crate) mod survey;
pub(crate) mod watch;
pub(crate) mod writable;
