//! File transfers to a target, by SFTP and by legacy scp.

mod describe;
pub(crate) mod scp;
pub(crate) mod sftp;
