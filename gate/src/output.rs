//! What the target says, on its way to the client: byte for byte, recorded, counted. EOF and
//! close are held back until it is known how the command ended.

use bytes::Bytes;
use expacti_protocol::gate::Stream;
use russh::{ChannelMsg, ChannelReadHalf};

use crate::client::{ClientWriter, Exit, Gone};
use crate::recorder::Recorder;

/// How the target's side of a channel ended.
#[derive(Debug, Clone)]
pub(crate) enum Ended {
    /// The command ended and said how.
    Exited(Exit),
    /// The target closed the channel without saying how the command ended.
    Closed,
    /// The connection to the target broke.
    Lost,
    /// The target refused to run the command: it did not run.
    Refused,
    /// The client went away.
    ClientGone,
}

/// Passes output on until the command has ended and all of its output has come.
pub(crate) async fn pump(
    reader: &mut ChannelReadHalf,
    client: &ClientWriter,
    recorder: &mut Recorder,
    terminal: bool,
) -> Ended {
    // Replies come in the order of the requests: pty-req first when there was one.
    let mut terminal_pending = terminal;
    let mut exit = None;
    let mut eof = false;
    loop {
        let Some(message) = reader.wait().await else {
            return exit.map_or(Ended::Lost, Ended::Exited);
        };
        let passed = match message {
            ChannelMsg::Data { data } => pass(client, recorder, Stream::Stdout, data).await,
            ChannelMsg::ExtendedData { data, ext: 1 } => {
                pass(client, recorder, Stream::Stderr, data).await
            }
            ChannelMsg::Success => {
                terminal_pending = false;
                Ok(())
            }
            ChannelMsg::Failure if terminal_pending => {
                terminal_pending = false;
                let text = client.line("expacti: the target gave no terminal");
                recorder.message(text.as_bytes()).await;
                client.say(&text).await
            }
            ChannelMsg::Failure => return Ended::Refused,
            ChannelMsg::ExitStatus { exit_status } => {
                exit = Some(Exit::Status(exit_status));
                Ok(())
            }
            ChannelMsg::ExitSignal { signal_name, core_dumped, error_message, .. } => {
                let message = error_message;
                exit = Some(Exit::Signal { name: signal_name, core: core_dumped, message });
                Ok(())
            }
            ChannelMsg::Eof => {
                eof = true;
                Ok(())
            }
            ChannelMsg::Close => return exit.map_or(Ended::Closed, Ended::Exited),
            _ => Ok(()),
        };
        if passed.is_err() {
            return Ended::ClientGone;
        }
        if eof && let Some(exit) = exit.take() {
            return Ended::Exited(exit);
        }
    }
}

async fn pass(
    client: &ClientWriter,
    recorder: &mut Recorder,
    stream: Stream,
    data: Bytes,
) -> Result<(), Gone> {
    recorder.output(stream, &data).await;
    if stream == Stream::Stderr { client.stderr(data).await } else { client.stdout(data).await }
}
