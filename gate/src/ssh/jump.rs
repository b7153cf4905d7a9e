//! `ssh -J gate user@target`: the gate terminates the SSH connection inside a direct-tcpip channel
//! as if it were the target, and holds what comes out of it like everything else. It must never
//! connect the channel to anything: its bytes go into this server and nowhere else.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use expacti_protocol::http::Target as TargetRecord;
use russh::server::{ChannelOpenHandle, Msg};
use russh::{ChannelOpenFailure, ChannelWriteHalf};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::serve::{self, Client};
use crate::auth::agents::{AgentIdentity, Team, targets, unknown};
use crate::auth::login::{Authenticator, Jumped};
use crate::client::channel::Control;
use crate::client::input::{ChannelInput, Taken};
use crate::shared::Shared;
use crate::transport::backpressure::{Backpressure, OpenChannel, Starved};
use crate::transport::stream::Transport;

/// SSH's own port: a client that asks for it speaks SSH and shows a banner.
const SSH: u32 = 22;

/// A channel that asks to be connected to a host.
pub(crate) struct JumpRequest {
    pub(crate) shared: Arc<Shared>,
    pub(crate) identity: AgentIdentity,
    pub(crate) host: String,
    pub(crate) port: u32,
    pub(crate) half: ChannelWriteHalf<Msg>,
    pub(crate) input: Arc<ChannelInput>,
    /// The backpressure of the outer connection.
    pub(crate) backpressure: Arc<Backpressure>,
    pub(crate) gone: CancellationToken,
    pub(crate) peer: Option<SocketAddr>,
    /// Held for as long as the channel is in use.
    pub(crate) open: OpenChannel,
    pub(crate) control: mpsc::Receiver<Control>,
}

/// Answers a request for a connection and serves it to its end. Boxed, because serving a connection
/// may lead to serving another inside it.
pub(crate) fn run(
    request: JumpRequest,
    reply: ChannelOpenHandle,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let gone = request.gone.clone();
        let found = tokio::select! {
            () = gone.cancelled() => return,
            found = find(&request) => found,
        };
        let authenticator = match found {
            Ok(record) => Authenticator::Jumped(Box::new(Jumped {
                identity: request.identity.clone(),
                record,
                team: Team::default(),
            })),
            // russh sends no text when it refuses to open a channel, so a client that speaks SSH is
            // let in as far as the banner.
            Err(why) if request.port == SSH => Authenticator::Closed(why),
            Err(why) => {
                tracing::info!(agent = %request.identity.principal.name, %why, "refused to connect");
                return reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
            }
        };
        let Ok(slot) = Arc::clone(&request.shared.slots).try_acquire_owned() else {
            tracing::warn!("too many connections: one was refused");
            return reply.reject(ChannelOpenFailure::ResourceShortage).await;
        };
        reply.accept().await;
        terminate(request, authenticator).await;
        drop(slot);
    })
}

async fn terminate(request: JumpRequest, authenticator: Authenticator) {
    let JumpRequest { shared, host, half, input, backpressure, gone, peer, open, control, .. } =
        request;
    let config = serve::inner_config(&shared, &host);
    let inner = Arc::new(Backpressure::new(shared.limits.buffered, shared.limits.spilled));
    let tunnel = Tunnel {
        input: Arc::clone(&input),
        waiting: None,
        rest: Bytes::new(),
        writer: Box::pin(half.make_writer()),
        backpressure,
        starved: None,
    };
    let client =
        Client { authenticator, backpressure: inner, cancel: gone.child_token(), peer, slot: None };
    tokio::select! {
        () = serve::serve(shared, config, tunnel, Bytes::new(), client) => {}
        // The outer connection is gone: there is nobody left to notify.
        () = gone.cancelled() => {}
    }
    input.discard();
    half.eof().await.ok();
    half.close().await.ok();
    drop((open, control));
}

/// The target that a client means by this address: its name, or its host and port.
async fn find(request: &JumpRequest) -> Result<TargetRecord, String> {
    let JumpRequest { shared, identity, host, port, .. } = request;
    // It proved its identity at login, which may be a while ago.
    if !identity.still_known(shared).await {
        return Err("the agent is not known any more, or the broker cannot be asked".to_owned());
    }
    let all = targets(shared).await.ok_or("the broker cannot be asked for its targets")?;
    choose(&all, host, *port).cloned()
}

fn choose<'a>(all: &'a [TargetRecord], host: &str, port: u32) -> Result<&'a TargetRecord, String> {
    let named = all
        .iter()
        .find(|t| t.name == host)
        .or_else(|| all.iter().find(|t| t.name.eq_ignore_ascii_case(host)));
    if let Some(target) = named {
        return if port == SSH || port == u32::from(target.port) {
            Ok(target)
        } else {
            Err(format!("the target {:?} is reached at port 22", target.name))
        };
    }
    let mut there =
        all.iter().filter(|t| t.host.eq_ignore_ascii_case(host) && u32::from(t.port) == port);
    match (there.next(), there.next()) {
        (Some(target), None) => Ok(target),
        (Some(one), Some(other)) => Err(format!(
            "several targets are at that address: use the name of one, as {:?} or {:?}",
            one.name, other.name
        )),
        (None, _) => Err(unknown(host)),
    }
}

/// A channel's bytes as a transport.
struct Tunnel {
    input: Arc<ChannelInput>,
    waiting: Option<Pin<Box<dyn Future<Output = Taken> + Send>>>,
    rest: Bytes,
    writer: Pin<Box<dyn AsyncWrite + Send>>,
    backpressure: Arc<Backpressure>,
    /// The channel's window is used up; its adjustment may be queued behind input.
    starved: Option<Starved>,
}

impl Transport for Tunnel {
    fn is_over(&self) -> bool {
        self.input.has_ended()
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = &mut *self;
        if this.rest.is_empty() {
            let waiting = this.waiting.get_or_insert_with(|| {
                let input = Arc::clone(&this.input);
                Box::pin(async move { input.next().await })
            });
            let taken = ready!(waiting.as_mut().poll(cx));
            this.waiting = None;
            match taken {
                Taken::Bytes(bytes) => this.rest = bytes,
                Taken::Eof => return Poll::Ready(Ok(())),
            }
        }
        let n = this.rest.remaining().min(buf.remaining());
        buf.put_slice(&this.rest.split_to(n));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let this = &mut *self;
        let written = this.writer.as_mut().poll_write(cx, buf);
        match &written {
            Poll::Pending if this.starved.is_none() => {
                this.starved = Some(this.backpressure.starved())
            }
            Poll::Pending => {}
            Poll::Ready(_) => this.starved = None,
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.writer.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.writer.as_mut().poll_shutdown(cx)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn target(name: &str, host: &str, port: u16) -> TargetRecord {
        TargetRecord {
            name: name.to_owned(),
            user: "deploy".to_owned(),
            host: host.to_owned(),
            port,
            host_keys: Vec::new(),
            tags: Vec::new(),
            logins: Vec::new(),
        }
    }

    #[test]
    fn addresses_choose_targets() {
        let all = [
            target("web-1", "10.0.0.1", 22),
            target("web-2", "10.0.0.2", 2222),
            target("db", "shared", 22),
            target("db-admin", "shared", 22),
        ];
        let name = |host, port| choose(&all, host, port).map(|t| t.name.as_str());
        assert_eq!(name("web-1", 22), Ok("web-1"));
        assert_eq!(name("WEB-2", 22), Ok("web-2"));
        assert_eq!(name("web-2", 2222), Ok("web-2"));
        assert_eq!(name("10.0.0.2", 2222), Ok("web-2"));
        for (host, port, why) in [
            ("web-1", 80, "port 22"),
            ("10.0.0.2", 22, "no target"),
            ("10.0.0.1", 80, "no target"),
            ("shared", 22, "several"),
            ("localhost", 22, "no target"),
            ("", 0, "no target"),
        ] {
            let said = name(host, port).unwrap_err();
            assert!(said.contains(why), "{host}:{port}: {said}");
        }
    }
}
