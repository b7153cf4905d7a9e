//! WebSockets of JSON text messages.

use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message};

use super::{Address, CONNECT_TIMEOUT, ClientError, Endpoint, MAX_MESSAGE, chain, check_peer};
use crate::http::ErrorBody;
use crate::reviewer::ErrorCode;
use crate::socket;

/// A byte stream that a WebSocket can run on.
trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

type Socket = WebSocketStream<Box<dyn Io>>;

/// The sending half of a WebSocket of JSON text messages.
pub struct WsSender<T> {
    at: String,
    sink: SplitSink<Socket, Message>,
    of: PhantomData<fn(T)>,
}

/// The receiving half.
pub struct WsReceiver<T> {
    at: String,
    stream: SplitStream<Socket>,
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize> WsSender<T> {
    /// Sends one message; when it returns, the message is handed to the system, not more.
    pub async fn send(&mut self, message: &T) -> Result<(), ClientError> {
        let text = serde_json::to_string(message)
            .map_err(|e| ClientError::Garbled { at: self.at.clone(), why: e.to_string() })?;
        self.sink.send(Message::text(text)).await.map_err(|e| unreachable(&self.at, &e))
    }

    /// Says goodbye.
    pub async fn close(&mut self) -> Result<(), ClientError> {
        self.sink.close().await.map_err(|e| unreachable(&self.at, &e))
    }
}

impl<T: DeserializeOwned> WsReceiver<T> {
    /// The next message; `None` when the broker closed the connection. Messages of a type this
    /// version does not know are passed over, so that the broker may say more in the future.
    pub async fn recv(&mut self) -> Option<Result<T, ClientError>> {
        loop {
            let text = match self.stream.next().await? {
                Ok(Message::Text(text)) => text,
                Ok(Message::Close(_)) => return None,
                Ok(Message::Binary(_)) => {
                    let why = "a binary WebSocket message".to_owned();
                    return Some(Err(ClientError::Garbled { at: self.at.clone(), why }));
                }
                Ok(_) => continue,
                Err(e) => return Some(Err(unreachable(&self.at, &e))),
            };
            match serde_json::from_str(&text) {
                Ok(message) => return Some(Ok(message)),
                Err(e) if e.to_string().starts_with("unknown variant") => {}
                Err(e) => {
                    let why = e.to_string();
                    return Some(Err(ClientError::Garbled { at: self.at.clone(), why }));
                }
            }
        }
    }
}

fn unreachable(at: &str, error: &dyn std::error::Error) -> ClientError {
    ClientError::Unreachable { at: at.to_owned(), why: chain(error) }
}

/// Connects a WebSocket at `path` of that broker.
pub async fn connect<Tx: Serialize, Rx: DeserializeOwned>(
    endpoint: &Endpoint,
    path: &str,
) -> Result<(WsSender<Tx>, WsReceiver<Rx>), ClientError> {
    let at = endpoint.display();
    let _seen = endpoint.seen();
    let connecting = async {
        let io: Box<dyn Io> = match &endpoint.address {
            Address::Unix(path) => {
                socket::check_directory(path).map_err(|why| endpoint.untrusted(why))?;
                let stream = tokio::net::UnixStream::connect(path)
                    .await
                    .map_err(|e| endpoint.unreachable(&e))?;
                check_peer(endpoint, path, &stream)?;
                Box::new(stream)
            }
            Address::Tcp { tls, host, port } => {
                let bare = host.trim_start_matches('[').trim_end_matches(']');
                let tcp = tokio::net::TcpStream::connect((bare, *port))
                    .await
                    .map_err(|e| endpoint.unreachable(&e))?;
                tcp.set_nodelay(true).map_err(|e| endpoint.unreachable(&e))?;
                if *tls { Box::new(tls_connect(endpoint, bare, tcp).await?) } else { Box::new(tcp) }
            }
        };
        handshake(endpoint, path, io).await
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(socket) => {
            let (sink, stream) = socket?.split();
            Ok((
                WsSender { at: at.clone(), sink, of: PhantomData },
                WsReceiver { at, stream, of: PhantomData },
            ))
        }
        Err(_) => Err(ClientError::Unreachable {
            at,
            why: format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()),
        }),
    }
}

async fn tls_connect(
    endpoint: &Endpoint,
    host: &str,
    tcp: tokio::net::TcpStream,
) -> Result<impl Io + use<>, ClientError> {
    use rustls_platform_verifier::ConfigVerifierExt as _;
    let config =
        rustls::ClientConfig::with_platform_verifier().map_err(|e| endpoint.unreachable(&e))?;
    let name = rustls::pki_types::ServerName::try_from(host.to_owned())
        .map_err(|e| endpoint.unreachable(&e))?;
    tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .map_err(|e| endpoint.unreachable(&e))
}

async fn handshake(
    endpoint: &Endpoint,
    path: &str,
    io: Box<dyn Io>,
) -> Result<Socket, ClientError> {
    use tungstenite::client::IntoClientRequest as _;
    let url = format!("{}{path}", endpoint.base()).replacen("http", "ws", 1);
    let mut request = url.into_client_request().map_err(|e| endpoint.unreachable(&e))?;
    if let Some(token) = &endpoint.token {
        let value =
            format!("Bearer {}", token.reveal()).parse().map_err(|_| ClientError::Garbled {
                at: endpoint.display(),
                why: "the token holds characters no token has".to_owned(),
            })?;
        request.headers_mut().insert("authorization", value);
    }
    let config = tungstenite::protocol::WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    match tokio_tungstenite::client_async_with_config(request, io, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(answer)) => {
            let body = answer.body().as_deref().unwrap_or_default();
            Err(match serde_json::from_slice::<ErrorBody>(body) {
                Ok(ErrorBody { code, message, .. }) => ClientError::Refused { code, message },
                Err(_) => ClientError::Refused {
                    code: ErrorCode::NotEntitled,
                    message: format!("the broker refused the connection: HTTP {}", answer.status()),
                },
            })
        }
        Err(e) => Err(endpoint.unreachable(&e)),
    }
}
