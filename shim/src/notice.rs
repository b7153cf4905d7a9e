//! Messages to the user of the wrapped program, on standard error. Standard output belongs to the
//! program.

use std::fmt::Display;
use std::io::Write as _;

/// Prints one message. If even that fails, nobody is listening.
pub(crate) fn print(message: &dyn Display) {
    let _ = writeln!(std::io::stderr(), "expacti: {message}");
}

/// Prints one line on standard output, for the canary.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
