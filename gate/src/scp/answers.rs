//! What the target's scp says: answers on its standard output, words for people on its standard
//! error. It must never take silence, or what it does not understand, for a yes.

use bytes::{Buf as _, BytesMut};
use expacti_protocol::gate::Stream;
use russh::{ChannelMsg, ChannelReadHalf};

use crate::client::{ClientWriter, Exit};
use crate::output::Ended;
use crate::recorder::Recorder;

/// The longest answer, in bytes.
const MAX_ANSWER: usize = 4096;

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Yes.
    Done,
    /// This one failed; others may follow.
    Failed(String),
    /// Nothing more will be taken.
    Fatal(String),
    /// The target's side has ended; [`Answers::end`] says how.
    Ended,
}

/// The target's side of the channel.
pub(crate) struct Answers<'a> {
    reader: &'a mut ChannelReadHalf,
    client: &'a ClientWriter,
    recorder: &'a mut Recorder,
    buffer: BytesMut,
    exit: Option<Exit>,
    eof: bool,
    ended: Option<Ended>,
}

impl<'a> Answers<'a> {
    /// Of the command that was just started on that channel.
    pub(crate) fn new(
        reader: &'a mut ChannelReadHalf,
        client: &'a ClientWriter,
        recorder: &'a mut Recorder,
    ) -> Self {
        let buffer = BytesMut::new();
        Self { reader, client, recorder, buffer, exit: None, eof: false, ended: None }
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
            self.hear().await;
        }
    }

    /// Listens until the target's side ends. Nothing that is heard is lost when it is dropped.
    pub(crate) async fn watch(&mut self) -> Ended {
        loop {
            if let Some(ended) = &self.ended {
                return ended.clone();
            }
            self.hear().await;
        }
    }

    /// Waits for the end; answers that nobody asked for any more are dropped.
    pub(crate) async fn end(&mut self) -> Ended {
        let ended = self.watch().await;
        self.buffer.clear();
        ended
    }

    async fn hear(&mut self) {
        let Some(message) = self.reader.wait().await else {
            self.ended = Some(self.exit.take().map_or(Ended::Lost, Ended::Exited));
            return;
        };
        match message {
            ChannelMsg::Data { data } => {
                // What it says beyond all bounds is no answer.
                let room = (MAX_ANSWER * 4).saturating_sub(self.buffer.len()).min(data.len());
                self.buffer.extend_from_slice(data.get(..room).unwrap_or_default());
            }
            ChannelMsg::ExtendedData { data, ext: 1 } => {
                self.recorder.output(Stream::Stderr, &data).await;
                if self.client.stderr(data).await.is_err() {
                    self.ended = Some(Ended::ClientGone);
                }
            }
            ChannelMsg::Failure => self.ended = Some(Ended::Refused),
            ChannelMsg::ExitStatus { exit_status } => self.exit = Some(Exit::Status(exit_status)),
            ChannelMsg::ExitSignal { signal_name, core_dumped, error_message, .. } => {
                let message = error_message;
                self.exit = Some(Exit::Signal { name: signal_name, core: core_dumped, message });
            }
            ChannelMsg::Eof => self.eof = true,
            ChannelMsg::Close => {
                self.ended = Some(self.exit.take().map_or(Ended::Closed, Ended::Exited));
            }
            _ => {}
        }
        if self.eof
            && self.ended.is_none()
            && let Some(exit) = self.exit.take()
        {
            self.ended = Some(Ended::Exited(exit));
        }
    }
}

/// The answer at the front, once it is there in full.
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
