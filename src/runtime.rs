//! What every long-running command needs before it starts: the asynchronous runtime and the log.

use crate::failure::Failure;

/// Starts the asynchronous runtime.
pub(crate) fn start() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("failed to start: {e}")))
}

/// Sends the log of a server to standard error; `RUST_LOG` chooses how much.
pub(crate) fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,expacti=info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
}
