//! What clients have read, on its way to the log: one entry for each file, and for those past a limit
//! one that says how many there were. It must never leave a file out of both.

use std::sync::Arc;

use expacti_protocol::digest::StreamDigest;
use expacti_protocol::gate::GateRequest;
use expacti_protocol::reads::{FileRead, MoreRead};
use tokio::sync::mpsc;

use super::connection::Connection;
use crate::broker::event::OpenSession;

/// Files past the limit after which the log gets a summary, so that it does not miss many if the gate
/// ends.
const SUMMARY: u64 = 1000;

/// Reports what is read on one channel.
pub(crate) struct ReadLog {
    connection: Arc<Connection>,
    /// Files past the limit, and the session in which they were read.
    more: Option<(OpenSession, More)>,
}

#[derive(Default)]
struct More {
    files: u64,
    bytes: u64,
    list: StreamDigest,
}

impl ReadLog {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        Self { connection, more: None }
    }

    /// Reports until there is nothing more to come.
    pub(crate) async fn run(mut self, mut reads: mpsc::UnboundedReceiver<(OpenSession, FileRead)>) {
        while let Some((session, first)) = reads.recv().await {
            let mut batch = vec![first];
            let mut next = None;
            while batch.len() < GateRequest::MOST_READ
                && let Ok((of, read)) = reads.try_recv()
            {
                if of != session {
                    next = Some((of, read));
                    break;
                }
                batch.push(read);
            }
            self.take(&session, batch).await;
            if let Some((session, read)) = next {
                self.take(&session, vec![read]).await;
            }
        }
    }

    /// Reports files that were read in this session.
    async fn take(&mut self, session: &OpenSession, batch: Vec<FileRead>) {
        for FileRead { path, bytes, sha256, .. } in &batch {
            self.connection.note(&format!("read {path}: {bytes} bytes, sha256 {sha256}")).await;
        }
        self.list(session, batch);
    }

    /// Reports files without a note in the recording; at most as many as one message lists.
    pub(crate) fn list(&mut self, session: &OpenSession, batch: Vec<FileRead>) {
        let mut listed = Vec::new();
        for read in batch {
            let FileRead { path, bytes, sha256, .. } = &read;
            let shared = &self.connection.shared;
            if self.connection.reads.is_listed(&shared.limits) {
                listed.push(read);
                continue;
            }
            if self.more.as_ref().is_some_and(|(of, _)| of != session) {
                self.summarise();
            }
            let (_, more) = self.more.get_or_insert_with(|| (session.clone(), More::default()));
            more.files += 1;
            more.bytes = more.bytes.saturating_add(*bytes);
            more.list.update(format!("{sha256} {bytes} {path}\n").as_bytes());
            if more.files >= SUMMARY {
                self.summarise();
            }
        }
        if !listed.is_empty() {
            self.connection.shared.link.files_read(session, listed, None);
        }
    }

    /// Reports the files past the limit.
    fn summarise(&mut self) {
        let Some((session, more)) = self.more.take() else { return };
        let More { files, bytes, list } = more;
        let more = MoreRead { files, bytes, sha256: list.summary().sha256 };
        self.connection.shared.link.files_read(&session, Vec::new(), Some(more));
    }
}

impl Drop for ReadLog {
    fn drop(&mut self) {
        self.summarise();
    }
}
