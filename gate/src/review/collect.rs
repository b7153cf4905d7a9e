//! Collects standard input that will be run as code, to make an item of it.

use bytes::{Bytes, BytesMut};

use crate::client::connection::Connection;
use crate::client::input::{ChannelInput, Taken};

/// Collects input that will be run, until EOF, until the client has been silent for a while, or until
/// there is as much as one item may hold. The flag is true for EOF.
pub(crate) async fn collect(input: &ChannelInput, connection: &Connection) -> (Bytes, bool) {
    let limits = &connection.shared.limits;
    let mut script = BytesMut::new();
    loop {
        let next = if script.is_empty() {
            input.next().await
        } else {
            match tokio::time::timeout(limits.script_idle, input.next()).await {
                Ok(next) => next,
                Err(_) => return (script.freeze(), false),
            }
        };
        match next {
            Taken::Eof => return (script.freeze(), true),
            Taken::Bytes(bytes) => {
                let mut bytes = bytes;
                let room = limits.script.saturating_sub(script.len());
                // What does not fit into this item belongs to the next one.
                input.give_back(bytes.split_off(bytes.len().min(room)));
                script.extend_from_slice(&bytes);
                if script.len() >= limits.script {
                    return (script.freeze(), false);
                }
            }
        }
    }
}
