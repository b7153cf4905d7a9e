//! File transfers to a target, by SFTP and by legacy scp.

pub(crate) mod describe;
pub(crate) mod scp;
pub(crate) mod sftp;
