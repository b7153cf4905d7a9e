//! The writer of a session channel on the target: a command and what follows it.
//!
//! [`TargetChannel::deliver`] consumes an [`Approved`] item. After that, only three things can be
//! written: another `Approved` item ([`ItemWriter`]), a [`GateConst`] from a closed set, and data
//! under the [`RawGrant`] that came with the command's approval. No function here takes an agent's
//! bytes as such, and nothing outside the boundary can reach the writing half of the channel.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use expacti_protocol::command::StdinTreatment;
use expacti_protocol::digest::{StreamDigest, StreamSummary};
use expacti_protocol::input::InputGrant;
use russh::client::{Handle, Msg};
use russh::{ChannelReadHalf, ChannelWriteHalf, Sig};

use super::approved::{Approved, ApprovedInput};
use super::handler::TargetHandler;
use super::reader::TargetReader;
use super::terminal::{MODES, Size, Terminal};
use crate::approval::{Standing, Waiting};

/// A logged-in connection to a target. From here on only the boundary can use it.
pub(crate) struct TargetConnection {
    handle: Handle<TargetHandler>,
}

/// The connection to the target is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection to the target was lost")]
pub(crate) struct TargetLost;

impl From<russh::Error> for TargetLost {
    fn from(_: russh::Error) -> Self {
        Self
    }
}

impl TargetConnection {
    /// Takes over a connection after its login.
    pub(crate) fn new(handle: Handle<TargetHandler>) -> Self {
        Self { handle }
    }

    /// Whether it can still be used.
    pub(crate) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Opens a session channel. The target runs nothing for it yet.
    pub(crate) async fn open(&self) -> Result<TargetChannel, russh::Error> {
        let (reader, half) = self.handle.channel_open_session().await?.split();
        Ok(TargetChannel { reader, half })
    }
}

/// An open session channel with nothing requested on it yet. Only one approved item can be written
/// to it.
pub(crate) struct TargetChannel {
    pub(super) reader: ChannelReadHalf,
    pub(super) half: ChannelWriteHalf<Msg>,
}

impl TargetChannel {
    /// Waits until the target closes the idle channel (or the whole connection).
    pub(crate) async fn lost(&mut self) {
        while let Some(message) = self.reader.wait().await {
            if matches!(message, russh::ChannelMsg::Close) {
                break;
            }
        }
    }

    /// Sends an approved item: an `exec` request with exactly its bytes, or a login shell with
    /// exactly its bytes on standard input. Consumes both, so that it cannot happen twice.
    pub(crate) async fn deliver(self, approved: Approved) -> Result<Delivered, TargetLost> {
        let half = self.half;
        let context = approved.context();
        for (name, value) in context.environment.kept() {
            half.set_env(false, name.as_str(), value.as_str()).await?;
        }
        if let Some(terminal) = &context.terminal {
            let (cols, rows) = (terminal.size().cols(), terminal.size().rows());
            half.request_pty(true, terminal.term(), cols, rows, 0, 0, MODES).await?;
        }
        let flows = context.stdin == StdinTreatment::Data && !context.login_shell;
        let dropped = context.drop_stdin && !context.login_shell;
        let size = context.terminal.as_ref().map(Terminal::size);
        let limits = approved.input_grant();
        let (standing, held) = (approved.standing(), approved.held());
        let (command, initial) = approved.into_command_and_input();
        match command {
            Some(command) => half.exec(true, command).await?,
            None => half.request_shell(true).await?,
        }
        let command = Arc::new(CommandChannel { half, stdin: Mutex::default() });
        let grant = |limits| RawGrant::new(Arc::clone(&command), limits, standing);
        let grant = if flows { Some(grant(None)) } else { limits.map(|l| grant(Some(l))) };
        let items = ItemWriter(Arc::clone(&command));
        let stdin = Stdin { initial, grant, dropped, items, held };
        let reader = TargetReader::new(self.reader, size.is_some());
        Ok(Delivered { writer: TargetWriter(command), reader, stdin, size })
    }
}

/// What [`TargetChannel::deliver`] returns.
pub(crate) struct Delivered {
    /// Writes constants.
    pub(crate) writer: TargetWriter,
    /// Reads the target's output.
    pub(crate) reader: TargetReader,
    /// What may go to the command's standard input.
    pub(crate) stdin: Stdin,
    /// The size of the terminal that was asked for, as it was reviewed.
    pub(crate) size: Option<Size>,
}

/// What may go to the standard input of one delivered command.
pub(crate) struct Stdin {
    /// What was approved together with the command, to be sent first.
    pub(crate) initial: Option<ApprovedInput>,
    /// Lets what follows flow.
    pub(crate) grant: Option<RawGrant>,
    /// Nothing reads it: what comes is dropped.
    pub(crate) dropped: bool,
    /// Sends what is approved one item at a time.
    pub(crate) items: ItemWriter,
    /// The command that it is input of.
    pub(crate) held: Option<Arc<Waiting>>,
}

/// The writing half of a delivered command's channel. Private to the boundary: only what the types
/// that hold it allow can go through it.
pub(super) struct CommandChannel {
    half: ChannelWriteHalf<Msg>,
    stdin: Mutex<StreamDigest>,
}

impl CommandChannel {
    /// Sends bytes to standard input, and counts them.
    pub(super) async fn send(&self, bytes: Bytes) -> Result<(), TargetLost> {
        self.stdin.lock().unwrap_or_else(PoisonError::into_inner).update(&bytes);
        self.half.data_bytes(bytes).await.map_err(TargetLost::from)
    }
}

/// Permission to pass data to the standard input of one approved command. It comes only with the
/// approval of that command or of an item of its input, and opens no writer but that command's.
pub(crate) struct RawGrant {
    channel: Arc<CommandChannel>,
    /// `None`: the command only looks, or speaks a protocol of which this is one side.
    limits: Option<Mutex<Limits>>,
    standing: Standing,
}

/// What may still pass.
struct Limits {
    until: Instant,
    left: u64,
}

impl RawGrant {
    fn new(channel: Arc<CommandChannel>, limits: Option<InputGrant>, standing: Standing) -> Self {
        let limits = limits.map(|grant| {
            let seconds = grant.seconds.min(InputGrant::MAX_SECONDS);
            let left = grant.bytes.min(InputGrant::MAX_BYTES);
            Mutex::new(Limits { until: Instant::now() + Duration::from_secs(seconds), left })
        });
        Self { channel, limits, standing }
    }

    /// Passes data to the command that the grant came with, as much as the limits allow, and counts it.
    /// Returns what did not pass; if that is anything, the grant is over.
    pub(crate) async fn pass(&self, mut data: Bytes) -> Result<Bytes, TargetLost> {
        let may = match &self.limits {
            _ if !self.standing.holds() => 0,
            None => data.len(),
            Some(limits) => {
                let mut limits = limits.lock().unwrap_or_else(PoisonError::into_inner);
                limits.take(data.len(), Instant::now())
            }
        };
        let rest = data.split_off(may.min(data.len()));
        if !data.is_empty() {
            self.channel.send(data).await?;
        }
        Ok(rest)
    }
}

impl Limits {
    fn take(&mut self, wanted: usize, now: Instant) -> usize {
        if now >= self.until {
            self.left = 0;
        }
        let may = wanted.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left = self.left.saturating_sub(may as u64);
        may
    }
}

/// Writes approved items to the standard input of one approved command.
pub(crate) struct ItemWriter(Arc<CommandChannel>);

impl ItemWriter {
    /// Sends an item, exactly as it was approved. Returns the grant that was approved with it.
    pub(crate) async fn item(&self, approved: Approved) -> Result<Option<RawGrant>, TargetLost> {
        let (limits, standing) = (approved.input_grant(), approved.standing());
        let (bytes, _) = approved.into_parts();
        self.0.send(bytes).await?;
        Ok(limits.map(|limits| RawGrant::new(Arc::clone(&self.0), Some(limits), standing)))
    }

    /// Sends what was approved together with the command, exactly.
    pub(crate) async fn initial(&self, approved: ApprovedInput) -> Result<(), TargetLost> {
        let bytes = approved.into_bytes();
        if bytes.is_empty() { Ok(()) } else { self.0.send(bytes).await }
    }
}

/// What the gate itself may send to a running command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GateConst {
    /// Closes the channel.
    Close,
    /// End of standard input.
    Eof,
    /// A signal of the SSH protocol.
    Signal(Signal),
    /// A new size of the terminal, clamped.
    WindowChange(Size),
}

/// The signals of RFC 4254, section 6.10. Names that a client invents are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Signal {
    Abrt,
    Alrm,
    Fpe,
    Hup,
    Ill,
    Int,
    Kill,
    Pipe,
    Quit,
    Segv,
    Term,
    Usr1,
}

impl Signal {
    /// The signal a client named, if it is one of the protocol's.
    pub(crate) fn parse(signal: &Sig) -> Option<Self> {
        Some(match signal {
            Sig::ABRT => Self::Abrt,
            Sig::ALRM => Self::Alrm,
            Sig::FPE => Self::Fpe,
            Sig::HUP => Self::Hup,
            Sig::ILL => Self::Ill,
            Sig::INT => Self::Int,
            Sig::KILL => Self::Kill,
            Sig::PIPE => Self::Pipe,
            Sig::QUIT => Self::Quit,
            Sig::SEGV => Self::Segv,
            Sig::TERM => Self::Term,
            Sig::USR1 => Self::Usr1,
            Sig::Custom(_) => return None,
        })
    }

    pub(super) fn on_wire(self) -> Sig {
        match self {
            Self::Abrt => Sig::ABRT,
            Self::Alrm => Sig::ALRM,
            Self::Fpe => Sig::FPE,
            Self::Hup => Sig::HUP,
            Self::Ill => Sig::ILL,
            Self::Int => Sig::INT,
            Self::Kill => Sig::KILL,
            Self::Pipe => Sig::PIPE,
            Self::Quit => Sig::QUIT,
            Self::Segv => Sig::SEGV,
            Self::Term => Sig::TERM,
            Self::Usr1 => Sig::USR1,
        }
    }
}

/// Writes constants to the channel of a command that was approved and delivered.
pub(crate) struct TargetWriter(pub(super) Arc<CommandChannel>);

impl TargetWriter {
    /// Sends a constant of the gate.
    pub(crate) async fn constant(&self, what: GateConst) -> Result<(), TargetLost> {
        let half = &self.0.half;
        match what {
            GateConst::Close => half.close().await?,
            GateConst::Eof => half.eof().await?,
            GateConst::Signal(signal) => half.signal(signal.on_wire()).await?,
            GateConst::WindowChange(size) => {
                half.window_change(size.cols(), size.rows(), 0, 0).await?;
            }
        }
        Ok(())
    }

    /// Length and digest of everything that went to standard input.
    pub(crate) fn stdin_summary(&self) -> StreamSummary {
        self.0.stdin.lock().unwrap_or_else(PoisonError::into_inner).summary()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_of_input_ends_at_its_limits() {
        let now = Instant::now();
        let mut limits = Limits { until: now + Duration::from_secs(10), left: 5 };
        assert_eq!(limits.take(3, now), 3);
        assert_eq!(limits.take(4, now), 2);
        assert_eq!(limits.take(1, now), 0);
        let mut limits = Limits { until: now, left: 5 };
        assert_eq!(limits.take(1, now), 0);
        assert_eq!(limits.left, 0);
    }
}
