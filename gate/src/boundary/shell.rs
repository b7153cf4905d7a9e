//! The boundary for interactive shells. Only three things can be written to a shell's terminal: an
//! [`Approved`] item, a [`Const`] of a closed set, and keys under a [`KeyGrant`], which exists only
//! as part of an item's approval and enforces its own limits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use expacti_line::Const;
use expacti_line::remote::{Nonce, find_command, probe_command, start_command};
use expacti_protocol::command::Grant;
use expacti_protocol::digest::{StreamDigest, StreamSummary};
use russh::ChannelWriteHalf;
use russh::client::Msg;

use super::approved::Approved;
use super::channel::{Signal, TargetChannel, TargetLost};
use super::environment::Environment;
use super::reader::TargetReader;
use super::terminal::{MODES, Size, Terminal};
use crate::approval::Standing;

/// The limits of any grant, whatever was asked for.
const MAX_GRANT: Grant = Grant { seconds: 3600, bytes: 16 * 1024 * 1024 };

impl TargetChannel {
    /// Starts the account's own login shell in a terminal, set up to mark its prompt. Of what the
    /// agent sent, it gets only allow-listed locale variables, the terminal's name and its size.
    pub(crate) async fn shell(
        self,
        terminal: &Terminal,
        environment: &Environment,
        nonce: &Nonce,
    ) -> Result<Shell, TargetLost> {
        let Self { reader, half } = self;
        for (name, value) in environment.kept() {
            half.set_env(false, name.as_str(), value.as_str()).await?;
        }
        let (cols, rows) = (terminal.size().cols(), terminal.size().rows());
        half.request_pty(true, terminal.term(), cols, rows, 0, 0, MODES).await?;
        half.exec(true, start_command(nonce).into_bytes()).await?;
        let writer = ShellWriter { half: Arc::new(half) };
        Ok(Shell { writer, reader: TargetReader::new(reader, true) })
    }

    /// Runs an approved command in the terminal that was approved with it. Nothing can be typed at it
    /// but what a shell's writer can type. Returns the size that was approved as well.
    pub(crate) async fn command_in_terminal(
        self,
        approved: Approved,
    ) -> Result<(Shell, Size), TargetLost> {
        let Self { reader, half } = self;
        let context = approved.context();
        let Some(terminal) = context.terminal.clone() else { return Err(TargetLost) };
        for (name, value) in context.environment.kept() {
            half.set_env(false, name.as_str(), value.as_str()).await?;
        }
        let size = terminal.size();
        half.request_pty(true, terminal.term(), size.cols(), size.rows(), 0, 0, MODES).await?;
        // With a terminal nothing joins a command, so there is no input that was approved with it.
        let (Some(command), _) = approved.into_command_and_input() else { return Err(TargetLost) };
        half.exec(true, command).await?;
        let writer = ShellWriter { half: Arc::new(half) };
        Ok((Shell { writer, reader: TargetReader::new(reader, true) }, size))
    }

    /// Asks the target which terminals the commands of its connection have, on a channel of its own: a
    /// constant script.
    pub(crate) async fn find_terminal(self) -> Result<TargetReader, TargetLost> {
        self.half.exec(true, find_command().into_bytes()).await?;
        self.half.eof().await?;
        Ok(TargetReader::new(self.reader, false))
    }

    /// Asks the target about a terminal, on a channel of its own: a constant script with a name
    /// that was checked to be a terminal's.
    pub(crate) async fn probe(self, tty: &str) -> Result<TargetReader, TargetLost> {
        let command = probe_command(tty).ok_or(TargetLost)?;
        self.half.exec(true, command.into_bytes()).await?;
        self.half.eof().await?;
        Ok(TargetReader::new(self.reader, false))
    }
}

/// What [`TargetChannel::shell`] returns.
pub(crate) struct Shell {
    /// Writes to its terminal.
    pub(crate) writer: ShellWriter,
    /// Reads what it shows.
    pub(crate) reader: TargetReader,
}

/// Writes to the terminal of an interactive shell.
pub(crate) struct ShellWriter {
    half: Arc<ChannelWriteHalf<Msg>>,
}

impl ShellWriter {
    /// Types a constant.
    pub(crate) async fn constant(&self, what: Const) -> Result<(), TargetLost> {
        Ok(self.half.data_bytes(Bytes::from_static(what.bytes())).await?)
    }

    /// Types an approved item, exactly as it was approved. Returns the grant that was approved with
    /// it.
    pub(crate) async fn item(&self, approved: Approved) -> Result<Option<KeyGrant>, TargetLost> {
        let standing = approved.standing();
        let grant = approved.grant();
        let grant = grant.map(|grant| KeyGrant::new(grant, Arc::clone(&self.half), standing));
        let (bytes, _) = approved.into_parts();
        self.half.data_bytes(bytes).await?;
        Ok(grant)
    }

    /// Sends a new terminal size.
    pub(crate) async fn resize(&self, size: Size) -> Result<(), TargetLost> {
        Ok(self.half.window_change(size.cols(), size.rows(), 0, 0).await?)
    }

    /// Sends a signal, to the command that was started in the terminal.
    pub(crate) async fn signal(&self, signal: Signal) -> Result<(), TargetLost> {
        Ok(self.half.signal(signal.on_wire()).await?)
    }

    /// Closes the channel: the shell gets a hang-up.
    pub(crate) async fn close(&self) -> Result<(), TargetLost> {
        Ok(self.half.close().await?)
    }
}

/// Permission to type keys unreviewed. It is made only from the approval of one item, opens only
/// the terminal that the item was typed into, and limits what passes in time and bytes. Dropping it
/// ends it.
pub(crate) struct KeyGrant {
    half: Arc<ChannelWriteHalf<Msg>>,
    budget: KeyBudget,
    standing: Standing,
}

/// The limits of a grant, and what has passed under them.
struct KeyBudget {
    until: Instant,
    left: u64,
    passed: StreamDigest,
}

impl KeyGrant {
    fn new(grant: Grant, half: Arc<ChannelWriteHalf<Msg>>, standing: Standing) -> Self {
        Self { half, budget: KeyBudget::new(grant), standing }
    }

    /// Types keys, as many as the limits allow. Returns how many were sent.
    pub(crate) async fn pass(&mut self, keys: Bytes) -> Result<usize, TargetLost> {
        if !self.standing.holds() {
            // Whoever gave it does not count any more: it is over.
            self.budget.left = 0;
        }
        let keys = self.budget.take(keys, Instant::now());
        let n = keys.len();
        if n > 0 {
            self.half.data_bytes(keys).await?;
        }
        Ok(n)
    }

    /// When it ends by itself.
    pub(crate) fn until(&self) -> Instant {
        self.budget.until
    }

    /// Whether nothing more can pass.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.budget.is_over(now)
    }

    /// Number and digest of the keys that passed.
    pub(crate) fn summary(&self) -> StreamSummary {
        self.budget.passed.summary()
    }
}

impl KeyBudget {
    fn new(grant: Grant) -> Self {
        let seconds = grant.seconds.min(MAX_GRANT.seconds);
        Self {
            until: Instant::now() + Duration::from_secs(seconds),
            left: grant.bytes.min(MAX_GRANT.bytes),
            passed: StreamDigest::default(),
        }
    }

    fn take(&mut self, mut keys: Bytes, now: Instant) -> Bytes {
        let left =
            if now < self.until { usize::try_from(self.left).unwrap_or(usize::MAX) } else { 0 };
        keys.truncate(left);
        self.left -= keys.len() as u64;
        self.passed.update(&keys);
        keys
    }

    fn is_over(&self, now: Instant) -> bool {
        self.left == 0 || now >= self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_ends_at_its_limits() {
        let mut grant = KeyBudget::new(Grant { seconds: 10, bytes: 5 });
        let now = Instant::now();
        assert_eq!(grant.take(Bytes::from_static(b"abc"), now).as_ref(), b"abc");
        assert!(!grant.is_over(now));
        assert_eq!(grant.take(Bytes::from_static(b"defg"), now).as_ref(), b"de");
        assert!(grant.is_over(now));
        assert!(grant.take(Bytes::from_static(b"h"), now).is_empty());
        assert_eq!(grant.passed.summary().bytes, 5);

        let mut grant = KeyBudget::new(Grant { seconds: 10, bytes: 5 });
        assert!(grant.take(Bytes::from_static(b"a"), grant.until).is_empty());
        assert!(grant.is_over(grant.until));

        let grant = KeyBudget::new(Grant { seconds: u64::MAX, bytes: u64::MAX });
        assert!(grant.until <= Instant::now() + Duration::from_secs(3600));
        assert_eq!(grant.left, 16 * 1024 * 1024);
    }
}
