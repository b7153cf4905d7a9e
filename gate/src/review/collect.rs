//! Collects standard input that will be run as code, to make an item of it.

use bytes::{Bytes, BytesMut};

use crate::client::connection::Connection;
use crate::client::input::{ChannelInput, Taken};
use crate::client::refusal::Refusal;

/// Collects input that will be run, until EOF or until the client has been silent for a while. The
/// flag is true for EOF.
pub(crate) async fn collect(
    input: &ChannelInput,
    connection: &Connection,
) -> Result<(Bytes, bool), Refusal> {
    let limits = &connection.shared.limits;
    let mut script = BytesMut::new();
    loop {
        let next = if script.is_empty() {
            input.next().await
        } else {
            match tokio::time::timeout(limits.script_idle, input.next()).await {
                Ok(next) => next,
                Err(_) => return Ok((script.freeze(), false)),
            }
        };
        match next {
            Taken::Eof => return Ok((script.freeze(), true)),
            Taken::Bytes(bytes) => {
                if script.len() + bytes.len() > limits.script {
                    return Err(Refusal::undecided(&format!(
                        "the script on standard input is longer than {} KiB: copy it to the \
                         target as a file and run that",
                        limits.script / 1024
                    )));
                }
                script.extend_from_slice(&bytes);
            }
        }
    }
}
