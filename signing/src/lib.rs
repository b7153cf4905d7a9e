//! Signed statements: what exactly a person signs, whose signature it is, and whether that is enough.
//!
//! The gate makes a statement of each item that it holds ([`Item`]), with a challenge that is used once. A
//! reviewer signs a [`Decision`] that repeats it. The gate checks the signature against its own list of
//! signers and its own settings, so that neither the broker nor who holds a token can approve.
//!
//! No I/O, no clock.

mod statement;

pub use statement::{
    Allowed, At, Decision, Item, MAX_DECISIONS, MAX_STATEMENT, Session, StatementError, VERSION,
};
