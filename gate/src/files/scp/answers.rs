//! Reads what the target's scp says: answers on its standard output, text for people on its
//! standard error. It must never take silence, or an answer it does not understand, for a yes.

use bytes::{Buf as _, BytesMut};
use expacti_protocol::gate::Stream;

use crate::boundary::{TargetEvent, TargetReader};
use crate::client::end::ChannelEnd;
use crate::client::recorder::Recorder;
use crate::client::writer::ClientWriter;

/// The longest answer, in bytes.
const MAX_ANSWER: usize = 4096;

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Yes.
    Done,
    /// This entry failed; others may follow.
    Failed(String),
    /// The target accepts nothing more.
    Fatal(String),
    /// The target's side has ended; [`Answers::end`] returns how.
    Ended,
}

/// The target's side of the channel.
pub(crate) struct Answers<'a> {
    reader: &'a mut TargetReader,
    client: &'a ClientWriter,
    recorder: &'a mut Recorder,
    buffer: BytesMut,
    ended: Option<ChannelEnd>,
}

impl<'a> Answers<'a> {
    /// The answers of the command that was just started on that channel.
    pub(crate) fn new(
        reader: &'a mut TargetReader,
        client: &'a ClientWriter,
        recorder: &'a mut Recorder,
    ) -> Self {
        let buffer = BytesMut::new();
        Self { reader, client, recorder, buffer, ended: None }
    }

    /// The next answer.
    pub(crate) async fn next(&mut self) -> Answer {
        loop {
            if let Some(answer) = take(&mut self.buffer) {
                return answer;
            }
            if self.ended.is_some() {
                return Answer::Ended;
            }
            self.read_event().await;
        }
    }

    /// Listens until the target's side ends. Cancel safe: no answer is lost when this is dropped.
    pub(crate) async fn watch(&mut self) -> ChannelEnd {
        loop {
            if let Some(ended) = &self.ended {
                return ended.clone();
            }
            self.read_event().await;
        }
    }

    /// Waits for the end and drops the answers that are left.
    pub(crate) async fn end(&mut self) -> ChannelEnd {
        let ended = self.watch().await;
        self.buffer.clear();
        ended
    }

    async fn read_event(&mut self) {
        match self.reader.next().await {
            TargetEvent::Stdout(data) => {
                // What exceeds all limits is not an answer.
                let room = (MAX_ANSWER * 4).saturating_sub(self.buffer.len()).min(data.len());
                self.buffer.extend_from_slice(data.get(..room).unwrap_or_default());
            }
            TargetEvent::Stderr(data) => {
                self.recorder.output(Stream::Stderr, &data).await;
                if self.client.stderr(data).await.is_err() {
                    self.ended = Some(ChannelEnd::ClientGone);
                }
            }
            // An upload has no terminal.
            TargetEvent::NoTerminal => {}
            TargetEvent::Ended(ended) => self.ended = Some(ChannelEnd::Target(ended)),
        }
    }
}

/// The first answer, once it is complete.
fn take(buffer: &mut BytesMut) -> Option<Answer> {
    let first = *buffer.first()?;
    if first == 0 {
        buffer.advance(1);
        return Some(Answer::Done);
    }
    let end = buffer.iter().position(|b| *b == b'\n');
    if end.is_none() && buffer.len() < MAX_ANSWER {
        return None;
    }
    let line = buffer.split_to(end.map_or(buffer.len(), |at| at + 1));
    let text = String::from_utf8_lossy(&line);
    let text = text.trim_matches(|c| matches!(c, '\x01' | '\x02' | '\n' | '\r')).to_owned();
    Some(match first {
        1 => Answer::Failed(text),
        2 => Answer::Fatal(text),
        _ => Answer::Fatal(format!("the target's scp does not answer as one: {text}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_zero_is_a_yes() {
        let all = |bytes: &[u8]| {
            let mut buffer = BytesMut::from(bytes);
            std::iter::from_fn(|| take(&mut buffer)).collect::<Vec<_>>()
        };
        let failed = |text: &str| Answer::Failed(text.to_owned());
        assert_eq!(all(b"\0\0"), [Answer::Done, Answer::Done]);
        assert_eq!(all(b"\x01scp: x: full\n\0"), [failed("scp: x: full"), Answer::Done]);
        assert_eq!(all(b"\x02gone\n"), [Answer::Fatal("gone".to_owned())]);
        assert_eq!(all(b"\x01not yet"), []);
        assert!(matches!(&all(b"Welcome!\n\0")[..], [Answer::Fatal(_), Answer::Done]));
        assert!(matches!(&all(&[b'x'; MAX_ANSWER])[..], [Answer::Fatal(_)]));
    }
}
