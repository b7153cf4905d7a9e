//! The boundary for interactive shells. What can be written to the terminal of one is an
//! [`Approved`] item, a [`Const`] of the closed set, and keys under a [`KeyGrant`], which exists
//! only as part of the approval of one item and enforces its own limits.

use std::time::{Duration, Instant};

use bytes::Bytes;
use expacti_line::Const;
use expacti_line::remote::{Nonce, probe_command, start_command};
use expacti_protocol::command::Grant;
use expacti_protocol::digest::{StreamDigest, StreamSummary};
use russh::client::Msg;
use russh::{ChannelReadHalf, ChannelWriteHalf};

use super::{Approved, TargetChannel, TargetLost};
use crate::environment::Environment;
use crate::terminal::{MODES, Size, Terminal};

/// The bounds of any grant, whatever was asked for.
const MAX_GRANT: Grant = Grant { seconds: 3600, bytes: 16 * 1024 * 1024 };

impl TargetChannel {
    /// Starts the account's own login shell in a terminal, set up to say where its prompt is.
    /// Nothing that the agent sent is in it but allow-listed locale variables, the name of the
    /// terminal and its size.
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
        Ok(Shell { writer: ShellWriter { half }, reader })
    }

    /// Asks the target about a terminal, on a channel of its own: a constant script with a name
    /// that was checked to be that of a terminal.
    pub(crate) async fn probe(self, tty: &str) -> Result<ChannelReadHalf, TargetLost> {
        let command = probe_command(tty).ok_or(TargetLost)?;
        self.half.exec(true, command.into_bytes()).await?;
        self.half.eof().await?;
        Ok(self.reader)
    }
}

/// What [`TargetChannel::shell`] gives back.
pub(crate) struct Shell {
    /// Writes to its terminal.
    pub(crate) writer: ShellWriter,
    /// Reads what it shows.
    pub(crate) reader: ChannelReadHalf,
}

/// Writes to the terminal of an interactive shell.
pub(crate) struct ShellWriter {
    half: ChannelWriteHalf<Msg>,
}

impl ShellWriter {
    /// Types a constant.
    pub(crate) async fn constant(&self, what: Const) -> Result<(), TargetLost> {
        Ok(self.half.data_bytes(Bytes::from_static(what.bytes())).await?)
    }

    /// Types an approved item, exactly as it was approved. What comes back is the grant that was
    /// approved with it.
    pub(crate) async fn item(&self, approved: Approved) -> Result<Option<KeyGrant>, TargetLost> {
        let grant = approved.grant().map(KeyGrant::new);
        let (bytes, _) = approved.into_parts();
        self.half.data_bytes(bytes).await?;
        Ok(grant)
    }

    /// Types keys under a grant; what its limits leave out is not sent. Says how many were sent.
    pub(crate) async fn keys(
        &self,
        grant: &mut KeyGrant,
        keys: Bytes,
    ) -> Result<usize, TargetLost> {
        let keys = grant.take(keys, Instant::now());
        let n = keys.len();
        if n > 0 {
            self.half.data_bytes(keys).await?;
        }
        Ok(n)
    }

    /// Tells a new size.
    pub(crate) async fn resize(&self, size: Size) -> Result<(), TargetLost> {
        Ok(self.half.window_change(size.cols(), size.rows(), 0, 0).await?)
    }

    /// Closes the channel: the shell gets a hang-up.
    pub(crate) async fn close(&self) -> Result<(), TargetLost> {
        Ok(self.half.close().await?)
    }
}

/// Permission to type keys unreviewed: made only from the approval of one item, counted and timed
/// here. Dropping it ends it.
pub(crate) struct KeyGrant {
    until: Instant,
    left: u64,
    passed: StreamDigest,
}

impl KeyGrant {
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

    /// When it ends by itself.
    pub(crate) fn until(&self) -> Instant {
        self.until
    }

    /// Whether nothing more can pass.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.left == 0 || now >= self.until
    }

    /// Number and digest of the keys that passed.
    pub(crate) fn summary(&self) -> StreamSummary {
        self.passed.summary()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_ends_at_its_limits() {
        let mut grant = KeyGrant::new(Grant { seconds: 10, bytes: 5 });
        let now = Instant::now();
        assert_eq!(grant.take(Bytes::from_static(b"abc"), now).as_ref(), b"abc");
        assert!(!grant.is_over(now));
        assert_eq!(grant.take(Bytes::from_static(b"defg"), now).as_ref(), b"de");
        assert!(grant.is_over(now));
        assert!(grant.take(Bytes::from_static(b"h"), now).is_empty());
        assert_eq!(grant.summary().bytes, 5);

        let mut grant = KeyGrant::new(Grant { seconds: 10, bytes: 5 });
        assert!(grant.take(Bytes::from_static(b"a"), grant.until()).is_empty());
        assert!(grant.is_over(grant.until()));

        let grant = KeyGrant::new(Grant { seconds: u64::MAX, bytes: u64::MAX });
        assert!(grant.until() <= Instant::now() + Duration::from_secs(3600));
        assert_eq!(grant.left, 16 * 1024 * 1024);
    }
}
