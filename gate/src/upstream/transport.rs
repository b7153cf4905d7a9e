//! The byte stream to a target: TCP, or a child process (`ssh -W host:port jump`) whose standard
//! input and output are the connection. The child's command line comes from the user's own
//! configuration by way of the shim, never from a shell.

use std::net::SocketAddr;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};
use std::time::Duration;

use expacti_protocol::uplink::{LOADER_ENV, WRAP_ENV};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::route::{ConnectError, Target};
use crate::transport::stream::SshStream;

/// How long one address may take before the next is tried as well (RFC 8305).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

pub(super) enum TargetStream {
    Tcp(SshStream<TcpStream>),
    Child { input: ChildStdin, output: ChildStdout, _child: Child },
}

pub(super) async fn open(target: &Target) -> Result<TargetStream, ConnectError> {
    let failed =
        |e: std::io::Error| ConnectError(format!("cannot connect to {}: {e}", target.display()));
    match &target.transport {
        None => {
            let stream = tcp(target).await.map_err(failed)?;
            stream.set_nodelay(true).map_err(failed)?;
            Ok(TargetStream::Tcp(SshStream::target(stream)))
        }
        Some(argv) => child(argv).map_err(|e| {
            let program = argv.first().map(String::as_str).unwrap_or_default();
            ConnectError(format!("cannot start {program} to reach {}: {e}", target.display()))
        }),
    }
}

async fn tcp(target: &Target) -> std::io::Result<TcpStream> {
    let family = target.address_family.as_deref();
    let wanted = |address: &SocketAddr| match family {
        Some("inet") => address.is_ipv4(),
        Some("inet6") => address.is_ipv6(),
        _ => true,
    };
    let addresses: Vec<_> = tokio::net::lookup_host((target.host.as_str(), target.port))
        .await?
        .filter(wanted)
        .collect();
    let mut attempts = tokio::task::JoinSet::new();
    let mut addresses = addresses.into_iter();
    let mut last = std::io::Error::other("the name has no address of the wanted family");
    loop {
        match addresses.next() {
            Some(address) => {
                attempts.spawn(TcpStream::connect(address));
                match tokio::time::timeout(NEXT_ADDRESS, attempts.join_next()).await {
                    Ok(Some(Ok(Ok(stream)))) => return Ok(stream),
                    Ok(Some(Ok(Err(e)))) => last = e,
                    Ok(Some(Err(_)) | None) | Err(_) => {}
                }
            }
            None => match attempts.join_next().await {
                Some(Ok(Ok(stream))) => return Ok(stream),
                Some(Ok(Err(e))) => last = e,
                Some(Err(_)) => {}
                None => return Err(last),
            },
        }
    }
}

fn child(argv: &[String]) -> std::io::Result<TargetStream> {
    let missing = || std::io::Error::other("no command was given");
    let (program, args) = argv.split_first().ok_or_else(missing)?;
    let mut command = Command::new(program);
    LOADER_ENV.iter().for_each(|name| {
        command.env_remove(name);
    });
    let mut child = command
        .args(args)
        // A relative path on it leads to nothing that an agent can write.
        .current_dir("/")
        // It runs on behalf of an agent, no matter who named it: the broker takes no decision from
        // it.
        .env(WRAP_ENV, "gate")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let missing = || std::io::Error::other("its pipes are missing");
    let input = child.stdin.take().ok_or_else(missing)?;
    let output = child.stdout.take().ok_or_else(missing)?;
    Ok(TargetStream::Child { input, output, _child: child })
}

impl AsyncRead for TargetStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Child { output, .. } => Pin::new(output).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for TargetStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Child { input, .. } => Pin::new(input).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Child { input, .. } => Pin::new(input).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Child { input, .. } => Pin::new(input).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn a_transport_carries_the_mark_of_a_wrap() {
        let mut transport = child(&["/usr/bin/env".to_owned()]).unwrap();
        let mut said = String::new();
        transport.read_to_string(&mut said).await.unwrap();
        assert!(said.lines().any(|l| l.starts_with(&format!("{WRAP_ENV}="))), "{said}");
    }
}
