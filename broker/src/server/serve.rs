//! The sockets of the broker: who is let in, and how long a request's headers may take.

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::doors::{Caller, Doors, Guest, Work};
use super::shared::Conn;
use crate::broker::Broker;

/// How long the headers of a request may take, and how long a connection may wait for its next one.
/// The clients of this project let go of an idle connection earlier.
const HEADER_TIME: Duration = Duration::from_secs(10);

/// The longest request line and headers, in bytes.
const MAX_HEADER: usize = 32 * 1024;

/// The most headers of a request.
const MAX_HEADERS: usize = 64;

/// How long to wait after an accept that failed, usually for lack of resources.
const PAUSE: Duration = Duration::from_millis(100);

impl Broker {
    /// Answers on a Unix socket until `stop`: processes of the same user need no token.
    ///
    /// # Errors
    /// When the socket itself fails.
    pub async fn serve_unix(
        &self,
        listener: UnixListener,
        stop: CancellationToken,
    ) -> io::Result<()> {
        self.shared.started_at();
        let router = self.router();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                accepted = listener.accept() => accepted,
            };
            let Some((stream, _)) = survive(accepted).await? else { continue };
            let caller = Conn::caller(&stream);
            let Some(guest) = self.shared.doors.enter(caller) else { continue };
            let conn = Conn::local(&stream, caller);
            tokio::spawn(converse(stream, router.clone(), conn, guest));
        }
    }

    /// Answers on TCP until `stop`: everybody needs a token.
    ///
    /// # Errors
    /// When the socket itself fails.
    pub async fn serve_tcp(
        &self,
        listener: TcpListener,
        stop: CancellationToken,
    ) -> io::Result<()> {
        self.serve_network(listener, None, stop).await
    }

    /// Answers on TCP with TLS until `stop`.
    ///
    /// # Errors
    /// When certificate or key cannot be read, or the socket itself fails.
    pub async fn serve_tls(
        &self,
        listener: std::net::TcpListener,
        cert: &Path,
        key: &Path,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let acceptor = tls(cert, key)?;
        self.serve_network(TcpListener::from_std(listener)?, Some(acceptor), stop).await
    }

    async fn serve_network(
        &self,
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        stop: CancellationToken,
    ) -> io::Result<()> {
        self.shared.started_at();
        answer_network(self.router(), &self.shared.doors, listener, tls, stop).await
    }
}

/// Answers on TCP until `stop`, with so many strangers at a time.
pub(super) async fn answer_network(
    router: Router,
    doors: &Arc<Doors>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    stop: CancellationToken,
) -> io::Result<()> {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        let Some((stream, peer)) = survive(accepted).await? else { continue };
        let Some(guest) = doors.enter(Caller::at(peer.ip())) else { continue };
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let router = router.clone();
        match tls.clone() {
            None => {
                tokio::spawn(converse(stream, router, Conn::Remote, guest));
            }
            Some(tls) => {
                tokio::spawn(async move {
                    let accepting = tokio::time::timeout(HEADER_TIME, tls.accept(stream));
                    let stream = tokio::select! {
                        _ = guest.told_to_leave() => return,
                        accepted = accepting => accepted,
                    };
                    if let Ok(Ok(stream)) = stream {
                        converse(stream, router, Conn::Remote, guest).await;
                    }
                });
            }
        }
    }
}

/// What TLS needs, read from PEM files.
fn tls(cert: &Path, key: &Path) -> io::Result<TlsAcceptor> {
    let wrong = |path: &Path, why: &dyn std::fmt::Display| {
        io::Error::other(format!("failed to read {}: {why}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| wrong(cert, &e))?;
    let pem = expacti_protocol::private::read(key).map_err(|e| wrong(key, &e))?;
    let private = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|e| wrong(key, &e))?;
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|e| wrong(cert, &e))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Errors of one connection are no reason to stop; errors of the socket itself are.
async fn survive<T>(accepted: io::Result<T>) -> io::Result<Option<T>> {
    match accepted {
        Ok(connection) => Ok(Some(connection)),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(error),
        Err(error) => {
            tracing::warn!(%error, "accepting a connection failed");
            tokio::time::sleep(PAUSE).await;
            Ok(None)
        }
    }
}

/// Answers the requests of one connection, until it ends or has to leave.
async fn converse<S>(stream: S, router: Router, conn: Conn, guest: Arc<Guest>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = TokioIo::new(Counted { stream, _guest: Arc::clone(&guest) });
    let asked = Arc::clone(&guest);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        answer(router.clone(), request, conn.clone(), Arc::clone(&asked))
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(MAX_HEADER)
        .max_headers(MAX_HEADERS)
        .serve_connection(stream, service)
        .with_upgrades();
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        _ = serving.as_mut() => return,
        may_finish = guest.told_to_leave() => if !may_finish { return },
    }
    serving.as_mut().graceful_shutdown();
    let _ = serving.await;
}

async fn answer(
    router: Router,
    request: Request<Incoming>,
    conn: Conn,
    guest: Arc<Guest>,
) -> Result<Response<Answering>, Infallible> {
    let work = guest.work();
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(conn));
    request.extensions_mut().insert(guest);
    let response = router.oneshot(request).await?;
    let work = if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        work.never_ends();
        None
    } else {
        Some(work)
    };
    Ok(response.map(|body| Answering { body, _work: work }))
}

/// The body of an answer: until it is sent, or given up, the connection is not idle.
struct Answering {
    body: Body,
    _work: Option<Work>,
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection that counts until it is closed, whoever holds it: a WebSocket outlives its request.
struct Counted<S> {
    stream: S,
    _guest: Arc<Guest>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}
