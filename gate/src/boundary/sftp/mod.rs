//! The boundary for SFTP: [`server`] is the only code that can write to a target's SFTP server,
//! [`approved`] says what may go there, [`apply`] carries an approved change out, and [`reading`] takes
//! down what is read.

pub(super) mod apply;
pub(super) mod approved;
pub(super) mod reading;
pub(super) mod server;
