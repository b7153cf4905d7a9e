//! SFTP as pure code: packets of a client go in, what to do comes out.
