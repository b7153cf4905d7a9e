//! End-to-end harness: a real sshd, a real ssh client, the real binary, all private to one test.
//! It must never touch the user's own SSH files, listen beyond 127.0.0.1, or leave anything running.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! let t = expacti_harness::Trial::new("target/debug/expacti")?;
//! let run = t.wrap(&["ssh", "target", "echo hi"]).spawn()?;
//! let held = t.wait_pending()?;
//! t.allow(&held.id)?;
//! run.wait()?.expect_stdout("hi\n")?;
//! # Ok(()) }
//! ```
//!
//! In an integration test of the root package, `expacti_harness::trial!()` passes the binary in.

mod client;
mod digest;
mod island;
mod marker;
mod ordinary;
pub mod prerequisites;
mod process;
mod reviewer;
mod run;
mod sshd;
mod team;
mod tmux;
mod trial;
mod until;
mod watchdog;

pub use client::ClientHome;
pub use digest::digest;
pub use island::Island;
pub use marker::Marker;
pub use ordinary::{Layout, Ordinary};
pub use process::{Process, descendants, kill, stop_all, with_environment};
pub use reviewer::{AutoReviewer, Verdict};
pub use run::{Launch, Outcome, Run};
pub use sshd::Sshd;
pub use team::Team;
pub use tmux::Tmux;
pub use trial::{Entry, Pending, Trial};
pub use until::{DEADLINE, until, until_for};

/// Starts a [`Trial`] with the binary that cargo built for this integration test.
#[macro_export]
macro_rules! trial {
    () => {
        $crate::Trial::new(env!("CARGO_BIN_EXE_expacti"))
    };
}

/// Makes an [`Island`] with the binary that cargo built for this integration test; returns from the test where
/// that cannot be.
#[macro_export]
macro_rules! island {
    () => {
        match $crate::Island::new(env!("CARGO_BIN_EXE_expacti"))? {
            Some(island) => island,
            None => return Ok(()),
        }
    };
}

/// Makes an [`Ordinary`] user's world with the binary that cargo built for this integration test;
/// returns from the test where that cannot be.
#[macro_export]
macro_rules! ordinary {
    () => {
        $crate::ordinary!(Xdg)
    };
    ($layout:ident) => {
        match $crate::Ordinary::new(env!("CARGO_BIN_EXE_expacti"), $crate::Layout::$layout)? {
            Some(world) => world,
            None => return Ok(()),
        }
    };
}
