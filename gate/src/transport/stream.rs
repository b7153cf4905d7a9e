//! A connection's byte stream as russh reads it: bytes that were read with the uplink header come
//! first, reading pauses when [`Backpressure`] says so, and TCP acknowledges at once. It must never
//! alter a byte, nor outlive its cancellation token: russh keeps reading on its own.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::backpressure::Backpressure;

/// How often a paused socket is checked again.
const TICK: Duration = Duration::from_millis(200);

/// Bytes read from a paused socket at each tick: what is queued behind the input (a new channel of
/// a shared connection, a keepalive, a signal) must get through eventually.
const TRICKLE: usize = 256 * 1024;

/// A transport of SSH.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Whether the peer has closed its side, though there may be unread bytes.
    fn is_over(&self) -> bool;

    /// Acknowledges what was read at once, on transports that have acknowledgements. The kernel
    /// returns to delayed acknowledgements whenever it likes, and those cost about 40 ms in each of
    /// several round trips of a new connection.
    fn acknowledge(&self) {}
}

impl Transport for TcpStream {
    fn is_over(&self) -> bool {
        hung_up(self)
    }

    fn acknowledge(&self) {
        rustix::net::sockopt::set_tcp_quickack(self, true).ok();
    }
}

impl Transport for UnixStream {
    fn is_over(&self) -> bool {
        hung_up(self)
    }
}

fn hung_up(socket: &impl AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let fd = socket.as_fd();
    let watched = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
    let mut fds = [PollFd::new(&fd, watched)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut fds, Some(&now)) {
        Ok(_) => fds.iter().any(|f| f.revents().intersects(watched)),
        Err(_) => true,
    }
}

/// A client's or a target's transport.
pub(crate) struct SshStream<S> {
    inner: S,
    prefix: Bytes,
    backpressure: Option<Arc<Backpressure>>,
    tick: Option<Pin<Box<tokio::time::Sleep>>>,
    allowance: usize,
    cut: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl<S: Transport> SshStream<S> {
    /// A client's; it breaks when `cut` is cancelled.
    pub(crate) fn client(
        inner: S,
        prefix: Bytes,
        backpressure: Arc<Backpressure>,
        cut: CancellationToken,
    ) -> Self {
        inner.acknowledge();
        let cut = Some(Box::pin(cut.cancelled_owned()));
        Self { inner, prefix, backpressure: Some(backpressure), tick: None, allowance: 0, cut }
    }

    /// A target's.
    pub(crate) fn target(inner: S) -> Self {
        inner.acknowledge();
        Self {
            inner,
            prefix: Bytes::new(),
            backpressure: None,
            tick: None,
            allowance: 0,
            cut: None,
        }
    }

    /// Whether it is cut off; if not, the task is woken when it is.
    fn is_cut(&mut self, cx: &mut Context<'_>) -> bool {
        self.cut.as_mut().is_some_and(|cut| cut.as_mut().poll(cx).is_ready())
    }
}

impl<S: Transport> AsyncRead for SshStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.is_cut(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if this.prefix.has_remaining() {
            let n = this.prefix.remaining().min(buf.remaining());
            buf.put_slice(&this.prefix.split_to(n));
            return Poll::Ready(Ok(()));
        }
        if let Some(backpressure) = &this.backpressure
            && !backpressure.may_read(cx.waker())
        {
            // A client that is killed while waiting must be noticed: its command is withdrawn.
            if this.allowance == 0 && !this.inner.is_over() {
                let tick = this.tick.get_or_insert_with(|| Box::pin(tokio::time::sleep(TICK)));
                while tick.as_mut().poll(cx).is_ready() {
                    tick.as_mut().reset(tokio::time::Instant::now() + TICK);
                    this.allowance = if backpressure.may_trickle() { TRICKLE } else { 0 };
                }
                if this.allowance == 0 {
                    return Poll::Pending;
                }
            }
        }
        let before = buf.filled().len();
        let result = Pin::new(&mut this.inner).poll_read(cx, buf);
        this.allowance = this.allowance.saturating_sub(buf.filled().len() - before);
        if matches!(result, Poll::Ready(Ok(()))) {
            this.inner.acknowledge();
        }
        result
    }
}

impl<S: Transport> AsyncWrite for SshStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        if written.is_pending() && self.is_cut(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        if written.is_pending() && self.is_cut(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
