//! The boundary: the only code that can write to a target's session channel.
//!
//! [`TargetChannel::deliver`] consumes an [`Approved`] item, which exists only for bytes that the
//! broker released (see [`approved`]). After that, what can be written is: another `Approved`
//! item, a [`GateConst`] (a closed set of constants), and data covered by the [`RawGrant`] that
//! came with the approval of the command; for uploads by scp, the pieces of an approved upload, or
//! as many bytes of content as an approved announcement names (see [`scp`]). No function here takes bytes of an agent as such, and
//! nothing outside this module can reach the channel's writing half. For SFTP see [`sftp`].

mod approved;
mod scp;
mod sftp;
mod shell;

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use expacti_protocol::command::StdinTreatment;
use expacti_protocol::digest::{StreamDigest, StreamSummary};
use russh::client::{Handle, Msg};
use russh::{ChannelReadHalf, ChannelWriteHalf, Sig};

pub(crate) use self::approved::{Approved, Context, Held};
pub(crate) use self::scp::{ApprovedAnnouncement, ApprovedUpload, Unsent};
pub(crate) use self::sftp::{
    ApprovedChanges, Carried, Opening, Planned, Replies, TargetSftp, item_text,
};
pub(crate) use self::shell::{KeyGrant, Shell, ShellWriter};
use crate::terminal::{MODES, Size};
use crate::upstream::TargetHandler;

/// A logged-in connection to a target. From here on nothing but this module can use it.
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

/// An open session channel on which nothing has been asked for. Nothing can be written to it but
/// one approved item.
pub(crate) struct TargetChannel {
    reader: ChannelReadHalf,
    half: ChannelWriteHalf<Msg>,
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
    pub(crate) async fn deliver(self, approved: Approved) -> Result<Running, TargetLost> {
        let half = self.half;
        let context = approved.context();
        for (name, value) in context.environment.kept() {
            half.set_env(false, name.as_str(), value.as_str()).await?;
        }
        if let Some(terminal) = &context.terminal {
            let (cols, rows) = (terminal.size().cols(), terminal.size().rows());
            half.request_pty(true, terminal.term(), cols, rows, 0, 0, MODES).await?;
        }
        let grant =
            (context.stdin == StdinTreatment::Data && !context.login_shell).then_some(RawGrant(()));
        let initial = if context.login_shell {
            half.request_shell(true).await?;
            Some(approved)
        } else {
            let (bytes, _) = approved.into_parts();
            half.exec(true, bytes).await?;
            None
        };
        let writer = TargetWriter { half, stdin: Mutex::default() };
        Ok(Running { writer, reader: self.reader, grant, initial })
    }
}

/// What [`TargetChannel::deliver`] gives back.
pub(crate) struct Running {
    /// Writes further approved bytes.
    pub(crate) writer: TargetWriter,
    /// Reads what the target says.
    pub(crate) reader: ChannelReadHalf,
    /// Data on standard input was approved together with the command.
    pub(crate) grant: Option<RawGrant>,
    /// The approved input of a login shell, to be sent with [`TargetWriter::stdin`].
    pub(crate) initial: Option<Approved>,
}

/// Permission to pass data to the standard input of one approved command, given only together
/// with that approval.
pub(crate) struct RawGrant(());

/// What the gate itself may say to a running command.
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

/// The signals of RFC 4254, section 6.10; names of the client's own making are not among them.
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

    fn on_wire(self) -> Sig {
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

/// Writes to the channel of a command that was approved and delivered.
pub(crate) struct TargetWriter {
    half: ChannelWriteHalf<Msg>,
    stdin: Mutex<StreamDigest>,
}

impl TargetWriter {
    /// Sends a constant of the gate.
    pub(crate) async fn constant(&self, what: GateConst) -> Result<(), TargetLost> {
        match what {
            GateConst::Close => self.half.close().await?,
            GateConst::Eof => self.half.eof().await?,
            GateConst::Signal(signal) => self.half.signal(signal.on_wire()).await?,
            GateConst::WindowChange(size) => {
                self.half.window_change(size.cols(), size.rows(), 0, 0).await?;
            }
        }
        Ok(())
    }

    /// Sends an approved item to the command's standard input, exactly as it was approved.
    pub(crate) async fn stdin(&self, approved: Approved) -> Result<(), TargetLost> {
        let (bytes, _) = approved.into_parts();
        self.send(bytes).await
    }

    /// Passes data under the grant that came with the command's approval, and counts it.
    pub(crate) async fn data(&self, _grant: &RawGrant, data: Bytes) -> Result<(), TargetLost> {
        self.send(data).await
    }

    /// Length and digest of everything that went to standard input.
    pub(crate) fn stdin_summary(&self) -> StreamSummary {
        self.stdin.lock().unwrap_or_else(PoisonError::into_inner).summary()
    }

    async fn send(&self, bytes: Bytes) -> Result<(), TargetLost> {
        self.stdin.lock().unwrap_or_else(PoisonError::into_inner).update(&bytes);
        self.half.data_bytes(bytes).await.map_err(TargetLost::from)
    }
}
