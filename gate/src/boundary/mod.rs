//! The boundary: the only code that can write to a target.
//!
//! What it writes is an [`Approved`] item, which exists only for bytes that the broker released
//! (see [`approved`]); a constant of a closed set ([`GateConst`], and the ones of an interactive
//! shell); or bytes under a grant that came with the approval of one item and can open no writer
//! but that item's ([`RawGrant`], [`KeyGrant`], [`scp::ContentGrant`]). No function here takes both
//! an agent's bytes and a writer.
//!
//! | what the target gets | module |
//! |---|---|
//! | a command, its standard input, signals and terminal sizes | [`channel`] |
//! | a line or keys for an interactive shell | [`shell`] |
//! | an upload by legacy scp | [`scp`] |
//! | a change of files by SFTP | [`sftp`] |
//! | the gate's own question which shell an account has: a constant | [`question`] |
//!
//! What accompanies the bytes is decided here as well: [`environment`] and [`terminal`]. The
//! target's output comes through [`reader`]; what it asks for is refused by [`handler`].

mod approved;
mod channel;
mod environment;
mod handler;
mod question;
mod reader;
mod scp;
mod sftp;
mod shell;
mod terminal;

pub(crate) use self::approved::{Approved, Context, HeldItem};
pub(crate) use self::channel::{
    Delivered, GateConst, ItemWriter, RawGrant, Signal, Stdin, TargetChannel, TargetConnection,
    TargetLost, TargetWriter,
};
pub(crate) use self::environment::Environment;
pub(crate) use self::handler::TargetHandler;
#[cfg(test)]
pub(crate) use self::question::WHICH_SHELL;
pub(crate) use self::reader::{Ended, Exit, TargetEvent, TargetReader};
pub(crate) use self::scp::{ApprovedAnnouncement, ApprovedUpload, Unsent};
pub(crate) use self::sftp::apply::Applied;
pub(crate) use self::sftp::approved::{ApprovedChanges, PlannedChange, item_text};
pub(crate) use self::sftp::reading::{OpenFile, ReadCounts, Reading, Reads, Why};
pub(crate) use self::sftp::server::{NoSftp, Opening, ReadHandle, Replies, TargetSftp};
pub(crate) use self::shell::{KeyGrant, Shell, ShellWriter};
pub(crate) use self::terminal::{Size, Terminal};
