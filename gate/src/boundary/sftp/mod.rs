//! The boundary for SFTP: [`server`] is the only code that can write to a target's SFTP server,
//! [`approved`] what a change has to be to go there, [`apply`] how it is carried out.

pub(super) mod apply;
pub(super) mod approved;
pub(super) mod server;
