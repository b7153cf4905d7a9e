//! Signed statements: what exactly a person signs, whose signature it is, and whether that is enough.
//!
//! The gate makes a statement of each item that it holds ([`Item`]), with a challenge that is used once. A
//! reviewer signs a [`Decision`] that repeats it. The gate checks the signature against its own list of
//! signers and its own settings, so that neither the broker nor who holds a token can approve.
//!
//! No I/O, no clock, except in the module that makes signatures ([`SigningKey`]).

mod allow;
mod approval;
mod check;
mod keys;
mod machine;
mod pattern;
mod request;
mod rulebook;
mod signer;
mod signers;
mod sshsig;
mod statement;

pub use allow::allow;
pub use approval::{
    MAX_SIGNATURES, Missing, Need, Requirement, RulesRequirement, Settings, Subject, enough,
};
pub use check::{
    DECISION_NAMESPACE, ITEM_NAMESPACE, LeftOut, Limits, MAX_STATEMENTS, Reason, Refused, approve,
};
pub use keys::{KeyFault, fingerprint_of, fingerprint_of_any};
pub use machine::{Whereabouts, other_names};
pub use request::{REQUEST_NAMESPACE, Request, RequestPurpose, prove};
pub use rulebook::{
    MAX_RULEBOOK, Place, RULES_NAMESPACE, Rulebook, RulebookFault, RulebookPurpose,
};
pub use signer::{SignerError, SigningKey, Via};
pub use signers::{AllowedSigners, Person, Revoked, SignerFault, Signers, SignersFault};
pub use sshsig::{MAX_SIGNATURE, Presence, SigFault, Signed, SignerKey, Verified};
pub use statement::{
    Allowed, At, Decision, Item, MAX_DECISIONS, MAX_STATEMENT, Session, StatementError, VERSION,
};
