//! Connections to targets: the route, the login and the host key check.

pub(crate) mod connect;
mod hostkey;
pub(crate) mod known_hosts;
mod login;
pub(crate) mod pool;
pub(crate) mod route;
mod transport;
