//! The boundary for SFTP: [`server`] is the only code that can write to a target's SFTP server,
//! [`approved`] says what may go there, and [`apply`] carries an approved change out.

pub(super) mod apply;
pub(super) mod approved;
pub(super) mod server;
