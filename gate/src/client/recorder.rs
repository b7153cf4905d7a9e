//! Records the output of one command. It delays the output rather than lose a piece silently, and
//! the recording says so when something is left out on purpose.

use std::borrow::Cow;
use std::sync::Arc;

use expacti_protocol::digest::{StreamDigest, StreamSummary};
use expacti_protocol::gate::Stream;

use super::connection::Connection;
use crate::boundary::Size;
use crate::broker::event::OpenSession;

/// Longest piece of output in one message, in bytes.
const PIECE: usize = 32 * 1024;

/// Looks at a command's standard output on its way to the client.
pub(crate) trait Watch: Send + Sync {
    /// A piece of it.
    fn stdout(&mut self, bytes: &[u8]);
}

/// Records one channel.
pub(crate) struct Recorder {
    connection: Arc<Connection>,
    session: OpenSession,
    /// Bytes of each stream to record; unlimited with a terminal, whose screen is the recording.
    limit: Option<u64>,
    stdout: StreamDigest,
    stderr: StreamDigest,
    truncated: [bool; 2],
    watch: Option<Box<dyn Watch>>,
}

impl Recorder {
    /// A recorder for a command in that session.
    pub(crate) fn new(connection: Arc<Connection>, session: OpenSession, terminal: bool) -> Self {
        let limit = (!terminal).then_some(connection.shared.limits.recorded);
        Self {
            connection,
            session,
            limit,
            stdout: StreamDigest::default(),
            stderr: StreamDigest::default(),
            truncated: [false; 2],
            watch: None,
        }
    }

    /// From now on this looks at standard output.
    pub(crate) fn watch(&mut self, watch: Box<dyn Watch>) {
        self.watch = Some(watch);
    }

    /// Records output of the target.
    pub(crate) async fn output(&mut self, stream: Stream, bytes: &[u8]) {
        let (digest, truncated, name) = match stream {
            Stream::Stderr => (&mut self.stderr, &mut self.truncated[1], "standard error"),
            _ => (&mut self.stdout, &mut self.truncated[0], "standard output"),
        };
        if stream != Stream::Stderr
            && let Some(watch) = &mut self.watch
        {
            watch.stdout(bytes);
        }
        let before = digest.bytes();
        digest.update(bytes);
        let room = match self.limit {
            None => bytes.len(),
            Some(limit) => usize::try_from(limit.saturating_sub(before)).unwrap_or(usize::MAX),
        };
        let kept = bytes.get(..room).unwrap_or(bytes);
        let cut = kept.len() < bytes.len()
            && !std::mem::replace(truncated, *truncated || kept.len() < bytes.len());
        let shown = if self.limit.is_some() { carriage_returns(kept) } else { kept.into() };
        let link = &self.connection.shared.link;
        for piece in shown.chunks(PIECE) {
            self.in_time(link.output(&self.session, stream, piece)).await;
        }
        if cut {
            let label = format!("{name} truncated in the recording");
            self.in_time(link.marker(&self.session, label)).await;
        }
    }

    /// A recorder like this one, for the session that replaces its session.
    pub(crate) fn of_session(&self, session: OpenSession) -> Self {
        Self::new(Arc::clone(&self.connection), session, self.limit.is_none())
    }

    /// Records a marker.
    pub(crate) async fn mark(&self, label: String) {
        let link = &self.connection.shared.link;
        self.in_time(link.marker(&self.session, label)).await;
    }

    /// Records a message of the gate.
    pub(crate) async fn message(&self, text: &[u8]) {
        let link = &self.connection.shared.link;
        self.in_time(link.output(&self.session, Stream::Stdout, text)).await;
    }

    /// Records a new terminal size.
    pub(crate) async fn resize(&self, size: Size) {
        let link = &self.connection.shared.link;
        self.in_time(link.resize(&self.session, size.cols(), size.rows())).await;
    }

    async fn in_time(&self, queued: impl Future<Output = ()>) {
        let lag = self.connection.shared.limits.recording_lag;
        if tokio::time::timeout(lag, queued).await.is_err() {
            self.connection.recording_failed();
        }
    }

    /// Length and digest of standard output and standard error.
    pub(crate) fn summaries(&self) -> (StreamSummary, StreamSummary) {
        (self.stdout.summary(), self.stderr.summary())
    }
}

/// Output without a terminal as a terminal would show it: without the carriage return that a
/// terminal's line discipline adds, a player would draw a staircase.
fn carriage_returns(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !bytes.contains(&b'\n') {
        return Cow::Borrowed(bytes);
    }
    let mut shown = Vec::with_capacity(bytes.len() + bytes.len() / 16);
    let mut last = 0;
    for &byte in bytes {
        if byte == b'\n' && last != b'\r' {
            shown.push(b'\r');
        }
        shown.push(byte);
        last = byte;
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::carriage_returns;

    #[test]
    fn lines_without_a_terminal_begin_at_the_left() {
        assert_eq!(&*carriage_returns(b"a\nb\r\nc\n"), b"a\r\nb\r\nc\r\n");
        assert_eq!(&*carriage_returns(b"abc"), b"abc");
    }
}
