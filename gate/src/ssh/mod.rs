//! The SSH server for agents. One connection can carry another (`ssh -J`), and [`serve`] serves
//! both, which is why these modules refer to each other.

mod callbacks;
mod handler;
mod jump;
mod registry;
pub(crate) mod serve;
