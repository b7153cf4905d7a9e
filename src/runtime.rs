//! What every long-running command needs before it starts: the asynchronous runtime and the log.

use crate::failure::Failure;

/// Starts the asynchronous runtime.
pub(crate) fn start() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("failed to start: {e}")))
}

/// The most files that a server may have open, where the system allows as many. Programs that it starts
/// may walk through all of them.
const MAX_FILES: u64 = 1 << 20;

/// Lets this process have as many files open as the system allows: the shares of a server's
/// connections follow it.
pub(crate) fn raise_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let most = maximum.map_or(MAX_FILES, |n| n.min(MAX_FILES));
    if current.is_some_and(|n| n < most) {
        // Where this fails, the shares are smaller.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum });
    }
}

/// From now on this process, which serves for long, leaves no picture of its memory on disk, and no other
/// program of its user may read or attach to it. What it starts can be attached to, but leaves no
/// pictures either.
pub(crate) fn hide_server() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    expacti_protocol::hidden::hide_for_good();
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// The same for a program that decides or administers, but for the moments in which the broker of this
/// machine has to see who asks.
pub(crate) fn hide_client() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    expacti_protocol::hidden::hide();
    let maximum = getrlimit(Resource::Core).maximum;
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
}

/// Standard error, where no secret is written whatever a message quotes. The log brings one message a
/// write.
struct MaskedLog;

impl std::io::Write for MaskedLog {
    fn write(&mut self, message: &[u8]) -> std::io::Result<usize> {
        let masked = expacti_engine::mask_secrets(message);
        std::io::stderr().write_all(if masked.masked {
            masked.text.as_bytes()
        } else {
            message
        })?;
        Ok(message.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// Sends the log of a server to standard error; `RUST_LOG` chooses how much.
pub(crate) fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,expacti=info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| MaskedLog)
        .with_ansi(false)
        .try_init();
}
