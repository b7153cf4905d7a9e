//! Why a command failed, as one message on standard error and one exit status.

use expacti_protocol::client::ClientError;
use expacti_protocol::exit;

/// A failure that ends the program.
#[derive(Debug)]
pub(crate) struct Failure {
    status: u8,
    /// None when there is nothing to say.
    message: Option<String>,
}

/// The result of a command: its exit status.
pub(crate) type Outcome = Result<u8, Failure>;

impl Failure {
    /// A failure with its own exit status.
    pub(crate) fn new(status: u8, message: impl Into<String>) -> Self {
        Self { status, message: Some(message.into()) }
    }

    /// A failure without an exit status of its own.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(exit::FAILED, message)
    }

    /// Wrong usage.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(exit::USAGE, message)
    }

    /// This is a program run by `expacti wrap`.
    pub(crate) fn inside_a_wrap() -> Self {
        Self::new(exit::REFUSED, expacti_protocol::inside::INSIDE_MESSAGE)
    }

    /// The exit status.
    pub(crate) fn status(&self) -> u8 {
        self.status
    }

    /// Prints the message.
    pub(crate) fn report(&self) {
        if let Some(message) = &self.message {
            crate::print::note(message);
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message.as_deref().unwrap_or_default())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::new(error.exit_status(), error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            // Whoever was reading our output has stopped.
            return Self { status: exit::OK, message: None };
        }
        Self::failed(error.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::failed(format!("{error:#}"))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::failed(error.to_string())
    }
}
