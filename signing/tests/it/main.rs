//! Signatures of real OpenSSH, and what is no signature.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod approval;
mod certificates;
mod check;
mod flips;
mod hostile;
mod keygen;
mod kinds;
mod list;
mod page;
mod reviewer;
mod signer;
mod statement;
