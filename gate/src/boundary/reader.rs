//! Reads what the target sends on the channel of a command or shell, as events. It keeps track of
//! the replies to the gate's requests and of the order in which a channel may end. It can write
//! nothing.

use bytes::Bytes;
use russh::{ChannelMsg, ChannelReadHalf, Sig};

/// How a command ended, as reported by the target.
#[derive(Debug, Clone)]
pub(crate) enum Exit {
    /// By a signal.
    Signal {
        /// Its name.
        name: Sig,
        /// Whether a core was dumped.
        core: bool,
        /// The target's message.
        message: String,
    },
    /// With a status.
    Status(u32),
}

/// How the target's side of a channel ended.
#[derive(Debug, Clone)]
pub(crate) enum Ended {
    /// The target closed the channel without saying how the command ended.
    Closed,
    /// The command ended and said how.
    Exited(Exit),
    /// The connection to the target broke.
    Lost,
    /// The target refused to run the command: it did not run.
    Refused,
}

/// One event from the target.
#[derive(Debug)]
pub(crate) enum TargetEvent {
    /// The target's side has ended; nothing follows.
    Ended(Ended),
    /// The target allocated no terminal and continues without one.
    NoTerminal,
    /// Standard error.
    Stderr(Bytes),
    /// Standard output.
    Stdout(Bytes),
}

/// Reads one channel after the gate's requests on it.
pub(crate) struct TargetReader {
    reader: ChannelReadHalf,
    /// The reply to `pty-req` has not come yet. Replies come in the order of the requests, and that
    /// request is the first.
    terminal_pending: bool,
    exit: Option<Exit>,
    eof: bool,
}

impl TargetReader {
    /// `terminal`: a terminal was requested before the command.
    pub(super) fn new(reader: ChannelReadHalf, terminal: bool) -> Self {
        Self { reader, terminal_pending: terminal, exit: None, eof: false }
    }

    /// The next event. EOF alone is not an event: the end is reported once all output has come and
    /// it is known how the command ended. Cancel safe: nothing is lost when this is dropped.
    pub(crate) async fn next(&mut self) -> TargetEvent {
        loop {
            let Some(message) = self.reader.wait().await else {
                return TargetEvent::Ended(self.exit.take().map_or(Ended::Lost, Ended::Exited));
            };
            if let Some(event) = self.on(message) {
                return event;
            }
            if self.eof
                && let Some(exit) = self.exit.take()
            {
                return TargetEvent::Ended(Ended::Exited(exit));
            }
        }
    }

    fn on(&mut self, message: ChannelMsg) -> Option<TargetEvent> {
        match message {
            ChannelMsg::Data { data } => return Some(TargetEvent::Stdout(data)),
            ChannelMsg::ExtendedData { data, ext: 1 } => return Some(TargetEvent::Stderr(data)),
            ChannelMsg::Success => self.terminal_pending = false,
            ChannelMsg::Failure if self.terminal_pending => {
                self.terminal_pending = false;
                return Some(TargetEvent::NoTerminal);
            }
            ChannelMsg::Failure => return Some(TargetEvent::Ended(Ended::Refused)),
            ChannelMsg::ExitStatus { exit_status } => self.exit = Some(Exit::Status(exit_status)),
            ChannelMsg::ExitSignal { signal_name, core_dumped, error_message, .. } => {
                let (core, message) = (core_dumped, error_message);
                self.exit = Some(Exit::Signal { name: signal_name, core, message });
            }
            ChannelMsg::Eof => self.eof = true,
            ChannelMsg::Close => {
                let ended = self.exit.take().map_or(Ended::Closed, Ended::Exited);
                return Some(TargetEvent::Ended(ended));
            }
            _ => {}
        }
        None
    }

    /// Waits until the target closes the channel. False when the connection broke instead.
    pub(crate) async fn closed(&mut self) -> bool {
        while let Some(message) = self.reader.wait().await {
            if matches!(message, ChannelMsg::Close) {
                return true;
            }
        }
        false
    }

    /// All of standard output, unless it is longer than `limit` bytes.
    pub(crate) async fn read_to_end(mut self, limit: usize) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(message) = self.reader.wait().await {
            match message {
                ChannelMsg::Data { data } if all.len() + data.len() <= limit => {
                    all.extend_from_slice(&data);
                }
                ChannelMsg::Data { .. } => return None,
                ChannelMsg::Eof | ChannelMsg::Close => break,
                _ => {}
            }
        }
        Some(all)
    }
}
