//! Authentication of clients: the shim of the local user, or a team's agent with a key or
//! certificate.

pub(crate) mod agents;
pub(crate) mod host_certs;
pub(crate) mod login;
pub(crate) mod preauth_limit;
pub(crate) mod registered;
mod user_certs;
