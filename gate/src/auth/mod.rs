//! Who a client is: the shim of this user, or an agent of a team by its key or certificate.

pub(crate) mod agents;
pub(crate) mod host_certs;
pub(crate) mod login;
pub(crate) mod preauth_limit;
mod user_certs;
