//! Writes to a client's channel, within the client's window. Waiting here must never hold up
//! another channel.

use std::sync::Arc;

use bytes::Bytes;
use russh::ChannelWriteHalf;
use russh::server::{Handle, Msg};

use super::refusal::Refusal;
use crate::boundary::Exit;
use crate::transport::backpressure::Backpressure;

/// Longest piece handed to russh at once.
const PIECE: usize = 32 * 1024;

/// The client has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// The writing side of one channel. Not shared: standard output and error draw on one window.
pub(crate) struct ClientWriter {
    half: ChannelWriteHalf<Msg>,
    handle: Handle,
    backpressure: Arc<Backpressure>,
    terminal: bool,
}

impl ClientWriter {
    pub(crate) fn new(
        half: ChannelWriteHalf<Msg>,
        handle: Handle,
        backpressure: Arc<Backpressure>,
    ) -> Self {
        Self { half, handle, backpressure, terminal: false }
    }

    /// The channel has a terminal: messages go to its screen.
    pub(crate) fn set_terminal(&mut self) {
        self.terminal = true;
    }

    /// Standard output.
    pub(crate) async fn stdout(&self, bytes: Bytes) -> Result<(), Gone> {
        self.write(false, bytes).await
    }

    /// Standard error.
    pub(crate) async fn stderr(&self, bytes: Bytes) -> Result<(), Gone> {
        self.write(true, bytes).await
    }

    async fn write(&self, stderr: bool, mut bytes: Bytes) -> Result<(), Gone> {
        while !bytes.is_empty() {
            let window = self.half.writable_packet_size().await;
            // Only a used-up window is worth reading for: its adjustment may be queued behind
            // input.
            let _starved = (window == 0).then(|| self.backpressure.starved());
            let n = bytes.len().min(PIECE).min(if window == 0 { PIECE } else { window });
            let piece = bytes.split_to(n);
            let sent = if stderr {
                self.half.extended_data_bytes(1, piece).await
            } else {
                self.half.data_bytes(piece).await
            };
            sent.map_err(|_| Gone)?;
        }
        Ok(())
    }

    /// A message with the line ending for this client.
    pub(crate) fn line(&self, message: &str) -> String {
        format!("{message}{}", if self.terminal { "\r\n" } else { "\n" })
    }

    /// Sends text of the gate itself: to the screen, or to standard error.
    pub(crate) async fn send_text(&self, text: &str) -> Result<(), Gone> {
        self.write(!self.terminal, Bytes::copy_from_slice(text.as_bytes())).await
    }

    /// Tells the client why nothing runs, and closes the channel.
    pub(crate) async fn refuse(&self, refusal: &Refusal) -> Result<(), Gone> {
        if !refusal.is_told {
            self.send_text(&self.line(&refusal.message)).await?;
        }
        self.finish(&Exit::Status(u32::from(refusal.status))).await
    }

    /// Ends the channel. The status goes first: clients that share a connection close their side
    /// as soon as they see EOF.
    pub(crate) async fn finish(&self, exit: &Exit) -> Result<(), Gone> {
        match exit {
            Exit::Status(status) => self.half.exit_status(*status).await.map_err(|_| Gone)?,
            Exit::Signal { name, core, message } => self
                .handle
                .exit_signal_request(
                    self.half.id(),
                    name.clone(),
                    *core,
                    message.clone(),
                    String::new(),
                )
                .await
                .map_err(|()| Gone)?,
        }
        self.half.eof().await.map_err(|_| Gone)?;
        self.half.close().await.map_err(|_| Gone)
    }
}
