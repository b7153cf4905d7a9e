//! Collects what a client sends and keeps it until the decision: records in order, contents in one
//! spool. It answers in the target's place meanwhile. An upload past its limits must be refused,
//! never truncated.

use std::sync::Arc;

use bytes::Bytes;
use expacti_protocol::digest::StreamDigest;
use expacti_sftp::scp::{Event, Parser, Record};

use crate::client::input::{ChannelInput, Taken};
use crate::client::refusal::Refusal;
use crate::client::writer::ClientWriter;
use crate::staging::scp_upload::{Upload, UploadEntry};
use crate::staging::spool::{Budget, Spool};

/// How many of the client's messages for people are ignored.
const COMPLAINTS: usize = 1000;

/// The result of collecting.
pub(crate) enum Collected {
    /// An upload; `true` when the client has sent everything and waits for the exit status.
    Upload(Upload, bool),
    /// The client sends nothing more.
    End,
    /// The client has gone.
    Gone,
}

/// The content of a file that was announced.
pub(crate) enum Piece {
    /// The next bytes of it.
    Bytes(Bytes),
    /// The client says that it is complete.
    Done,
    /// The client sends nothing more.
    End,
}

/// Collects from one client.
pub(crate) struct Collector {
    parser: Parser,
    pending: Bytes,
    budget: Arc<Budget>,
    each: bool,
    complaints: usize,
}

impl Collector {
    /// `each`: every source is an upload of its own, and the caller sends its last answer.
    pub(crate) fn new(recursive: bool, each: bool) -> Self {
        let budget = Budget::of_channel();
        let parser = Parser::new(recursive);
        Self { parser, pending: Bytes::new(), budget, each, complaints: 0 }
    }

    /// The next upload. Must not be called again after an error, or after it was dropped.
    pub(crate) async fn collect(
        &mut self,
        input: &ChannelInput,
        client: &ClientWriter,
    ) -> Result<Collected, Refusal> {
        let mut spool = Spool::new(Arc::clone(&self.budget));
        let (mut entries, mut at) = (Vec::<UploadEntry>::new(), 0u64);
        let mut digest = StreamDigest::default();
        let refuse = |why: &dyn std::fmt::Display| Err(Refusal::undecided(&why.to_string()));
        let last = loop {
            let got = match self.parser.next(&mut self.pending) {
                Ok(Some(got)) => got,
                Ok(None) => match input.next().await {
                    Taken::Bytes(bytes) => {
                        self.pending = bytes;
                        continue;
                    }
                    Taken::Eof if !self.parser.is_complete() => {
                        return refuse(&expacti_sftp::scp::ScpError::Ended);
                    }
                    Taken::Eof if entries.is_empty() => return Ok(Collected::End),
                    Taken::Eof => break true,
                },
                Err(error) => return refuse(&error),
            };
            match got {
                Event::Complaint(_) => {
                    // The client has already shown it to its user.
                    self.complaints += 1;
                    if self.complaints > COMPLAINTS {
                        return refuse(&"the client does nothing but complain");
                    }
                    continue;
                }
                Event::Content(bytes) => {
                    if let Err(error) = spool.write(at, &bytes) {
                        return refuse(&error);
                    }
                    digest.update(&bytes);
                    at += bytes.len() as u64;
                    continue;
                }
                Event::Done => {
                    if let Some(entry) = entries.last_mut() {
                        entry.sha256 = *digest.summary().sha256.as_bytes();
                    }
                }
                Event::Record(record) => {
                    if let Record::File { size, .. } = &record {
                        if !self.budget.has(*size) {
                            return refuse(&format!(
                                "uploads that wait for review are limited to {}: use rsync, or \
                                 split the upload",
                                expacti_sftp::size(self.budget.limit())
                            ));
                        }
                        digest = StreamDigest::default();
                    }
                    entries.push(UploadEntry { record, start: at, sha256: [0; 32] });
                }
            }
            if self.each && self.parser.is_complete() {
                break false;
            }
            if client.stdout(Bytes::from_static(b"\0")).await.is_err() {
                return Ok(Collected::Gone);
            }
        };
        // Reading everything again takes a while.
        match tokio::task::spawn_blocking(move || spool.seal()).await {
            Ok(Ok(content)) => {
                Ok(Collected::Upload(Upload { entries, content, announced: false }, last))
            }
            Ok(Err(error)) => refuse(&format!("the upload cannot be read back: {error}")),
            Err(_) => refuse(&"the upload cannot be read back"),
        }
    }

    /// The next file, as announced. Once the client has an answer, [`Collector::content`] reads its
    /// content.
    pub(crate) async fn announcement(
        &mut self,
        input: &ChannelInput,
        client: &ClientWriter,
    ) -> Result<Collected, Refusal> {
        let mut entries = Vec::new();
        let refuse = |why: &dyn std::fmt::Display| Err(Refusal::undecided(&why.to_string()));
        loop {
            let record = match self.parser.next(&mut self.pending) {
                Ok(Some(Event::Record(record))) => record,
                Ok(Some(_)) => return refuse(&"the client does not send what it announced"),
                Ok(None) => match input.next().await {
                    Taken::Bytes(bytes) => {
                        self.pending = bytes;
                        continue;
                    }
                    Taken::Eof if entries.is_empty() && self.parser.is_complete() => {
                        return Ok(Collected::End);
                    }
                    Taken::Eof => return refuse(&expacti_sftp::scp::ScpError::Ended),
                },
                Err(error) => return refuse(&error),
            };
            let file = matches!(record, Record::File { .. });
            entries.push(UploadEntry { record, start: 0, sha256: [0; 32] });
            if file {
                break;
            }
            if client.stdout(Bytes::from_static(b"\0")).await.is_err() {
                return Ok(Collected::Gone);
            }
        }
        match Spool::new(Arc::clone(&self.budget)).seal() {
            Ok(content) => {
                Ok(Collected::Upload(Upload { entries, content, announced: true }, false))
            }
            Err(error) => refuse(&error),
        }
    }

    /// More content of the file that was announced last. Cancel safe: nothing is lost when this is
    /// dropped.
    pub(crate) async fn content(&mut self, input: &ChannelInput) -> Result<Piece, Refusal> {
        loop {
            match self.parser.next(&mut self.pending) {
                Ok(Some(Event::Content(bytes))) => return Ok(Piece::Bytes(bytes)),
                Ok(Some(Event::Done)) => return Ok(Piece::Done),
                Ok(Some(_)) => return Err(Refusal::undecided("the client sends no content")),
                Ok(None) => match input.next().await {
                    Taken::Bytes(bytes) => self.pending = bytes,
                    Taken::Eof => return Ok(Piece::End),
                },
                Err(error) => return Err(Refusal::undecided(&error.to_string())),
            }
        }
    }
}
