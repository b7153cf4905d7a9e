//! The boundary for SFTP: [`server`] is the only code that can write to a target's SFTP server,
//! [`approved`] what a change has to be to go there, [`carry`] how it is carried out.

pub(super) mod approved;
pub(super) mod carry;
pub(super) mod server;
