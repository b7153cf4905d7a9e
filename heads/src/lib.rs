//! What others remember of a broker's log. Who has seen its head keeps it, and takes no later one that does
//! not add to it: a log that went back, forks, or is another one is refused, with both heads.
//!
//! Clients and gates share this. What is seen first is taken as it is. A witness goes further: it cosigns the
//! heads that it has seen, for others to check.

mod judge;
mod keys;
mod memory;
mod store;
mod witness;

pub use judge::{SeenHead, ShownHead, judge};
pub use keys::{check_ed25519, read_ed25519};
pub use memory::{HeadError, HeadMemory};
pub use store::StoreError;
pub use witness::{AddCheckpoint, MAX_REQUEST, Witness, WitnessRefusal};
