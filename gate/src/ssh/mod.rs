//! The SSH server towards agents. A connection may carry another one (`ssh -J`): [`serve`] serves
//! both, so these modules know each other.

mod callbacks;
mod handler;
mod jump;
mod registry;
pub(crate) mod serve;
