//! Reads the beginning of a `git push`: the refs it would move. They go into the recording. A push
//! that deletes refs, or whose refs cannot be read, becomes an item of its own; what is no push is
//! refused. This module must never pass any of it on.

use bytes::{Bytes, BytesMut};
use expacti_engine::describe_push;
use expacti_sftp::git_push::{RefList, read_ref_list};

use crate::client::input::{ChannelInput, Taken};
use crate::client::refusal::Refusal;

/// The most refs that are noted in the recording.
const NOTED: usize = 64;

/// What a client sent before its pack.
pub(crate) struct RefPreamble {
    /// Exactly the bytes it sent.
    pub(crate) bytes: Bytes,
    /// No more input follows.
    pub(crate) eof: bool,
    refs: RefList,
}

/// The sentence that describes the command, if it receives a push, or may.
pub(crate) fn push_sentence(command: &[u8]) -> Option<String> {
    describe_push(command)
}

impl RefPreamble {
    /// Reads the beginning of a push.
    pub(crate) async fn read(input: &ChannelInput) -> Self {
        let mut bytes = BytesMut::new();
        loop {
            let refs = read_ref_list(&bytes);
            if refs != RefList::Incomplete {
                return Self { bytes: bytes.freeze(), eof: false, refs };
            }
            match input.next().await {
                Taken::Bytes(more) => bytes.extend_from_slice(&more),
                // The client left without asking for anything: what it began is no list.
                Taken::Eof => return Self { bytes: Bytes::new(), eof: true, refs },
            }
        }
    }

    /// The refs in words, for the recording.
    pub(crate) fn lines(&self) -> Vec<String> {
        let RefList::Complete(list) = &self.refs else { return Vec::new() };
        let mut lines: Vec<_> = list.iter().take(NOTED).map(ToString::to_string).collect();
        if list.len() > NOTED {
            lines.push(format!("git: {} refs more", list.len() - NOTED));
        }
        lines
    }

    /// The text that needs a decision besides the command, if any. What is no push at all is refused:
    /// nothing of it may pass.
    pub(crate) fn to_decide(&self, sentence: &str) -> Result<Option<String>, Refusal> {
        let list = match &self.refs {
            RefList::Complete(list) if list.iter().any(|change| change.deletes()) => list,
            // A list that the client cut off does nothing: the server waits for its end.
            RefList::Complete(_) | RefList::Incomplete => return Ok(None),
            RefList::Unreadable => {
                let text = format!("{sentence}: its refs cannot be read (a signed push?)");
                return Ok(Some(text));
            }
            RefList::Foreign => {
                return Err(Refusal::unsupported(
                    "what came on standard input is no push: nothing of it was sent",
                ));
            }
        };
        // Deletions first: they are why a decision is needed.
        let (gone, kept): (Vec<_>, Vec<_>) = list.iter().partition(|change| change.deletes());
        let lines: Vec<_> = gone.iter().chain(&kept).map(ToString::to_string).collect();
        Ok(Some(format!(
            "{sentence}: deletes {} of {} refs\n{}",
            gone.len(),
            list.len(),
            lines.join("\n")
        )))
    }
}
