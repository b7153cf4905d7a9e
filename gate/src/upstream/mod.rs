//! The connections to a target: where to, with what, and how its host key is checked.

pub(crate) mod connect;
mod hostkey;
mod known_hosts;
mod login;
pub(crate) mod pool;
pub(crate) mod route;
mod transport;
