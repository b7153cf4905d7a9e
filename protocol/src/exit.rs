//! The exit statuses that scripts rely on.

/// Done.
pub const OK: u8 = 0;
/// Failed; the message says why.
pub const FAILED: u8 = 1;
/// Wrong usage of the command line.
pub const USAGE: u8 = 2;
/// No such command, session, rule or principal.
pub const NOT_FOUND: u8 = 4;
/// Refused: not allowed to, or too late.
pub const REFUSED: u8 = 5;
/// The broker cannot be reached.
pub const UNREACHABLE: u8 = 6;
/// The command was denied.
pub const DENIED: u8 = 77;
/// Nobody decided before the deadline.
pub const TIMED_OUT: u8 = 78;
/// The gate could not decide, so the command did not run.
pub const UNDECIDED: u8 = 79;
/// The target could not be reached or refused the login, as `ssh` itself reports it.
pub const CONNECTION_FAILED: u8 = 255;
