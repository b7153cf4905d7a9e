//! Who must approve, and whether they have. It must never count a person twice, nor a deadline as a yes.

mod set;
mod tally;
mod types;
mod voter;

pub use set::PolicySet;
pub use tally::{Tally, Vote, missing, tally};
pub use types::{Policy, PolicyError, PolicyKind, Requirement};
pub use voter::Voter;
