//! A scripted agent: an ordinary SSH client of the gate's socket, as the shim's would be.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use expacti_protocol::exit;
use expacti_protocol::uplink::{Uplink, UplinkReply};
use russh::ChannelMsg;
use russh::client::{Config, Handle, Handler, connect_stream};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use super::failed::failed;
use super::script::Script;
use crate::failure::Failure;

/// How long an agent thinks between two commands.
const THINKING_TIME: Duration = Duration::from_millis(1500);

struct Client {
    gate: PublicKey,
}

impl Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        Ok(matches!(key, PublicKeyOrCertificate::PublicKey { key, .. } if *key == self.gate))
    }
}

/// Plays one script to its end, or until the demo ends.
pub(super) async fn play(
    socket: PathBuf,
    gate: PublicKey,
    uplink: Uplink,
    script: &'static Script,
    stop: CancellationToken,
    no_delay: bool,
) {
    let work = async {
        let session = connect(socket, gate, &uplink).await?;
        for step in script.steps {
            if !no_delay {
                tokio::time::sleep(THINKING_TIME).await;
            }
            if exec(&session, step.command).await? == Some(u32::from(exit::DENIED))
                && let Some(instead) = step.instead
            {
                // Agents often try a variant of what was denied: this is what the anomalies look for.
                exec(&session, instead).await?;
            }
        }
        Ok::<_, Failure>(())
    };
    tokio::select! {
        result = work => if let Err(failure) = result { tracing::debug!("{failure}") },
        () = stop.cancelled() => {}
    }
}

async fn connect(
    socket: PathBuf,
    gate: PublicKey,
    uplink: &Uplink,
) -> Result<Handle<Client>, Failure> {
    let mut stream = UnixStream::connect(socket).await?;
    let mut header = serde_json::to_vec(uplink)?;
    header.push(b'\n');
    stream.write_all(&header).await?;
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await? {
            b'\n' => break,
            byte => line.push(byte),
        }
    }
    let reply: UplinkReply = serde_json::from_slice(&line)?;
    if !reply.ok {
        return Err(failed("reach its target")(reply.error.unwrap_or_default()));
    }
    let config = Arc::new(Config::default());
    let mut session = connect_stream(config, stream, Client { gate })
        .await
        .map_err(failed("connect an agent"))?;
    session.authenticate_none("agent").await.map_err(failed("connect an agent"))?;
    Ok(session)
}

async fn exec(session: &Handle<Client>, command: &str) -> Result<Option<u32>, Failure> {
    let mut channel = session.channel_open_session().await.map_err(failed("open a channel"))?;
    channel.exec(true, command).await.map_err(failed("send a command"))?;
    channel.eof().await.map_err(failed("send a command"))?;
    let mut status = None;
    while let Some(message) = channel.wait().await {
        if let ChannelMsg::ExitStatus { exit_status } = message {
            status = Some(exit_status);
        }
    }
    Ok(status)
}
