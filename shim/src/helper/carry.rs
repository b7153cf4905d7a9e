//! Carries the bytes of a connection where no descriptor can be passed.

use std::io::{Read, Write};

/// Copies until the end. The standard library would use `splice(2)`, which keeps whoever reads a pipe
/// waiting as long as it waits for the other side itself.
pub(super) fn copy(from: &mut dyn Read, to: &mut dyn Write) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        to.write_all(buffer.get(..read).unwrap_or_default())?;
    }
}
