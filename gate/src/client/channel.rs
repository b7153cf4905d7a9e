//! One session channel of an agent: its parts, from its request to its end.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::connection::Connection;
use super::end::Stopped;
use super::input::ChannelInput;
use super::writer::ClientWriter;
use crate::boundary::{Environment, Exit, Signal, Size, Terminal};
use crate::transport::backpressure::OpenChannel;

/// What the client asks for on an open channel besides data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// A new size of its terminal.
    Resize(Size),
    /// A signal for the command.
    Signal(Signal),
}

/// A channel whose request is being served. One task owns it, so that an approval and a withdrawal
/// can never both win.
pub(crate) struct Channel {
    pub(crate) connection: Arc<Connection>,
    pub(crate) client: ClientWriter,
    pub(crate) input: Arc<ChannelInput>,
    pub(crate) control: mpsc::Receiver<Control>,
    /// The client closed the channel, or the connection is over.
    pub(crate) gone: CancellationToken,
    pub(crate) terminal: Option<Terminal>,
    pub(crate) environment: Environment,
    /// Counts the channel as open for as long as it is in use.
    pub(crate) _open: OpenChannel,
}

/// Waits for `future`, unless the client disconnects first.
pub(crate) async fn unless_gone<T>(
    gone: &CancellationToken,
    future: impl Future<Output = T>,
) -> Result<T, Stopped> {
    tokio::select! {
        biased;
        () = gone.cancelled() => Err(Stopped::Gone),
        result = future => Ok(result),
    }
}

/// Ends a channel whose command ran.
pub(crate) async fn finish(client: &ClientWriter, gone: &CancellationToken, exit: &Exit) {
    unless_gone(gone, client.finish(exit)).await.ok();
}
