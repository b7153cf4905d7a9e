//! Connections to targets: the route, the login and the host key check;
//! and what is known of the accounts there.

pub(crate) mod account_shell;
pub(crate) mod connect;
mod hostkey;
pub(crate) mod known_hosts;
mod login;
pub(crate) mod pool;
pub(crate) mod route;
pub(crate) mod shells;
mod transport;
