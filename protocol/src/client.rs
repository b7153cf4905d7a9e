//! The broker's client: HTTP requests and WebSockets over a Unix socket, `http://` or `https://`.
//!
//! It reports every failure as what it is and never retries: whether a request may be repeated is
//! known only to the caller.

mod websocket;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::websocket::{WsReceiver, WsSender, connect};
use crate::digest::Digest;
use crate::hidden::Seen;
use crate::home::SERVICE_RUNTIME;
use crate::http::ErrorBody;
use crate::proof::{
    PIN_HEADER, Proof, ProofNeeded, ProvenRequest, Prover, SIGNATURE_HEADER, STATEMENT_HEADER,
};
use crate::reviewer::ErrorCode;
use crate::socket;

/// The longest WebSocket message either side accepts, in bytes.
pub const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// How long connecting may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A bearer token; never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes a token, without surrounding white space.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The token itself, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    Unix(PathBuf),
    Tcp { tls: bool, host: String, port: u16 },
}

/// Which broker, as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    address: Address,
    token: Option<Token>,
}

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// `EXPACTI_BROKER` or `--broker` cannot be read.
    #[error(
        "{0:?} is not a broker's address: expected unix:///path, http://host:port or https://host:port"
    )]
    Address(String),
    /// A token would cross the network where anybody can read it.
    #[error("{0} would send the token over the network in clear: use https://")]
    Clear(String),
    /// The answer is not what the protocol says.
    #[error("the broker at {at} gave an answer this version does not understand: {why}")]
    Garbled {
        /// The broker's address.
        at: String,
        /// What is wrong with it.
        why: String,
    },
    /// The broker refused; nothing happened.
    #[error("{message}")]
    Refused {
        /// What kind of refusal.
        code: ErrorCode,
        /// What failed and why.
        message: String,
    },
    /// The broker asked for a proof, and there is none.
    #[error("the broker asks for a proof that this is you, and there is none: {0}")]
    Unproven(String),
    /// Somebody else may answer in the broker's place; nothing was sent.
    #[error("refused to talk to {at}: {why}")]
    Untrusted {
        /// The broker's address.
        at: String,
        /// Who, and what to do.
        why: String,
    },
    /// The connection failed or broke.
    #[error("the broker at {at} cannot be reached: {why}")]
    Unreachable {
        /// The broker's address.
        at: String,
        /// What failed.
        why: String,
    },
}

impl ClientError {
    /// The exit status that INTERFACE.md gives this failure.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Address(_) | Self::Clear(_) => crate::exit::USAGE,
            Self::Garbled { .. } => crate::exit::FAILED,
            Self::Refused { code: ErrorCode::NotFound, .. } => crate::exit::NOT_FOUND,
            Self::Unproven(_) | Self::Untrusted { .. } => crate::exit::REFUSED,
            Self::Refused {
                code:
                    ErrorCode::AlreadyVoted
                    | ErrorCode::Mismatch
                    | ErrorCode::NotEntitled
                    | ErrorCode::TooLate
                    | ErrorCode::Unrecognized,
                ..
            } => crate::exit::REFUSED,
            Self::Refused { .. } => crate::exit::FAILED,
            Self::Unreachable { .. } => crate::exit::UNREACHABLE,
        }
    }
}

/// The innermost cause: what the system said, without the layers it came through.
fn chain(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

impl Endpoint {
    /// The broker behind a Unix socket.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self { address: Address::Unix(path.into()), token: None }
    }

    /// Reads `unix:///path`, `http://host:port` or `https://host:port`.
    pub fn parse(url: &str) -> Result<Self, ClientError> {
        let wrong = || ClientError::Address(url.to_owned());
        if let Some(path) = url.strip_prefix("unix://") {
            return if path.starts_with('/') { Ok(Self::unix(path)) } else { Err(wrong()) };
        }
        let parsed = reqwest::Url::parse(url).map_err(|_| wrong())?;
        let tls = match parsed.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(wrong()),
        };
        if parsed.path() != "/" || parsed.query().is_some() || !parsed.username().is_empty() {
            return Err(wrong());
        }
        let host = parsed.host_str().ok_or_else(wrong)?.to_owned();
        let loopback = host == "localhost"
            || host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback());
        if !tls && !loopback {
            return Err(ClientError::Clear(url.to_owned()));
        }
        let port = parsed.port_or_known_default().ok_or_else(wrong)?;
        Ok(Self { address: Address::Tcp { tls, host, port }, token: None })
    }

    /// The same broker, with a token.
    #[must_use]
    pub fn with_token(mut self, token: Option<Token>) -> Self {
        self.token = token;
        self
    }

    /// The address as people write it.
    pub fn display(&self) -> String {
        match &self.address {
            Address::Unix(path) => format!("unix://{}", path.display()),
            Address::Tcp { tls, host, port } => {
                format!("{}://{host}:{port}", if *tls { "https" } else { "http" })
            }
        }
    }

    fn base(&self) -> String {
        match &self.address {
            Address::Unix(_) => "http://localhost".to_owned(),
            Address::Tcp { .. } => self.display(),
        }
    }

    fn untrusted(&self, why: String) -> ClientError {
        ClientError::Untrusted { at: self.display(), why }
    }

    /// While the broker of this machine is asked, it must be able to see who asks.
    fn seen(&self) -> Option<Seen> {
        matches!(self.address, Address::Unix(_)).then(Seen::now)
    }

    fn unreachable(&self, error: &dyn std::error::Error) -> ClientError {
        let mut why = chain(error);
        if let Address::Unix(path) = &self.address {
            why.push_str(match path.starts_with(SERVICE_RUNTIME) {
                true => " (`sudo systemctl start expacti` starts the service of this machine)",
                false => " (`expacti up` starts the broker of this machine)",
            });
        }
        ClientError::Unreachable { at: self.display(), why }
    }
}

/// A refusal, and what would have made it none.
struct Failed {
    code: ErrorCode,
    message: String,
    proof: Option<ProofNeeded>,
}

impl From<Failed> for ClientError {
    fn from(Failed { code, message, .. }: Failed) -> Self {
        Self::Refused { code, message }
    }
}

/// A proof, as a request carries it.
fn headers(proof: &Proof) -> Result<HeaderMap, reqwest::header::InvalidHeaderValue> {
    let value = |text: &str| {
        let mut value = HeaderValue::from_str(&BASE64.encode(text))?;
        value.set_sensitive(true);
        Ok(value)
    };
    let mut headers = HeaderMap::new();
    if let Some(signed) = &proof.signed {
        headers.insert(STATEMENT_HEADER, value(&signed.statement)?);
        headers.insert(SIGNATURE_HEADER, value(&signed.signature)?);
    }
    if let Some(pin) = &proof.pin {
        headers.insert(PIN_HEADER, value(pin.reveal())?);
    }
    Ok(headers)
}

/// Makes HTTP requests to one broker.
#[derive(Debug, Clone)]
pub struct Client {
    endpoint: Endpoint,
    http: reqwest::Client,
    /// Whose the socket is was seen to be right.
    looked: Arc<AtomicBool>,
    prover: Option<Arc<dyn Prover>>,
}

impl Client {
    /// A client of that broker. Nothing is sent yet.
    pub fn new(endpoint: Endpoint) -> Result<Self, ClientError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(Duration::from_secs(60))
            // The broker closes an idle connection after ten seconds: be earlier.
            .pool_idle_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if let Address::Unix(path) = &endpoint.address {
            builder = builder.unix_socket(path.as_path());
        }
        let http = builder.build().map_err(|e| endpoint.unreachable(&e))?;
        Ok(Self { endpoint, http, looked: Arc::default(), prover: None })
    }

    /// With somebody to ask where the broker wants a proof.
    #[must_use]
    pub fn with_prover(self, prover: Arc<dyn Prover>) -> Self {
        Self { prover: Some(prover), ..self }
    }

    /// The broker it talks to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Looks whose the socket is, where there is one, before anything is sent.
    async fn look(&self) -> Result<(), ClientError> {
        let Address::Unix(path) = &self.endpoint.address else { return Ok(()) };
        socket::check_directory(path).map_err(|why| self.endpoint.untrusted(why))?;
        if self.looked.load(Ordering::Relaxed) {
            return Ok(());
        }
        // Whether the broker can be reached is for the request to say.
        if let Ok(stream) = tokio::net::UnixStream::connect(path).await {
            check_peer(&self.endpoint, path, &stream)?;
            self.looked.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<serde_json::Value>,
    ) -> Result<reqwest::Response, ClientError> {
        self.look().await?;
        let body = body.map(|body| body.to_string().into_bytes());
        let body = body.map(bytes::Bytes::from);
        let failed = match self.send_once(&method, path, body.clone(), None).await? {
            Ok(answer) => return Ok(answer),
            Err(failed) => failed,
        };
        // Refused for want of a proof, nothing has happened: with one it is sent again, once.
        let (Some(needed), Some(prover)) = (&failed.proof, &self.prover) else {
            return Err(failed.into());
        };
        let request = ProvenRequest {
            method: method.to_string(),
            path: path.to_owned(),
            sha256: Digest::of(body.as_deref().unwrap_or_default()),
        };
        let proof = prover.prove(needed, &request).await.map_err(ClientError::Unproven)?;
        self.send_once(&method, path, body, Some(&proof)).await?.map_err(ClientError::from)
    }

    async fn send_once(
        &self,
        method: &reqwest::Method,
        path: &str,
        body: Option<bytes::Bytes>,
        proof: Option<&Proof>,
    ) -> Result<Result<reqwest::Response, Failed>, ClientError> {
        let seen = self.endpoint.seen();
        let url = format!("{}{path}", self.endpoint.base());
        let mut request = self.http.request(method.clone(), url);
        if let Some(token) = &self.endpoint.token {
            request = request.bearer_auth(token.reveal());
        }
        let headers = proof.map(headers).transpose();
        let headers = headers.map_err(|error| ClientError::Unproven(error.to_string()))?;
        request = request.headers(headers.unwrap_or_default());
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let answer = request.send().await.map_err(|e| self.endpoint.unreachable(&e));
        drop(seen);
        let answer = answer?;
        let status = answer.status();
        if status.is_success() {
            return Ok(Ok(answer));
        }
        let text = answer.text().await.map_err(|e| self.endpoint.unreachable(&e))?;
        Ok(Err(match serde_json::from_str::<ErrorBody>(&text) {
            Ok(ErrorBody { code, message, proof }) => Failed { code, message, proof },
            Err(_) => {
                let why = format!("HTTP status {status}");
                return Err(ClientError::Garbled { at: self.endpoint.display(), why });
            }
        }))
    }

    async fn json<T: DeserializeOwned>(&self, answer: reqwest::Response) -> Result<T, ClientError> {
        let bytes = answer.bytes().await.map_err(|e| self.endpoint.unreachable(&e))?;
        let bytes: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        serde_json::from_slice(bytes)
            .map_err(|e| ClientError::Garbled { at: self.endpoint.display(), why: e.to_string() })
    }

    fn to_value<B: Serialize>(&self, body: &B) -> Result<serde_json::Value, ClientError> {
        serde_json::to_value(body)
            .map_err(|e| ClientError::Garbled { at: self.endpoint.display(), why: e.to_string() })
    }

    /// `GET path`, JSON.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let answer = self.send(reqwest::Method::GET, path, None).await?;
        self.json(answer).await
    }

    /// `GET path`, the raw body.
    pub async fn get_bytes(&self, path: &str) -> Result<bytes::Bytes, ClientError> {
        let answer = self.send(reqwest::Method::GET, path, None).await?;
        answer.bytes().await.map_err(|e| self.endpoint.unreachable(&e))
    }

    /// `POST path` with a JSON body; an empty answer reads as `null`.
    pub async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        let body = self.to_value(body)?;
        let answer = self.send(reqwest::Method::POST, path, Some(body)).await?;
        self.json(answer).await
    }

    /// `DELETE path`; an empty answer reads as `null`.
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let answer = self.send(reqwest::Method::DELETE, path, None).await?;
        self.json(answer).await
    }
}

/// Refuses a socket on which somebody else answers.
fn check_peer(
    endpoint: &Endpoint,
    path: &Path,
    stream: &tokio::net::UnixStream,
) -> Result<(), ClientError> {
    let peer = stream.peer_cred().map_err(|e| endpoint.untrusted(e.to_string()))?;
    socket::check_peer(path, peer.uid()).map_err(|why| endpoint.untrusted(why))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in [
            "unix:///run/x.sock",
            "http://127.0.0.1:7443",
            "http://localhost:1",
            "http://[::1]:7443",
            "https://broker:7443",
        ] {
            let endpoint = Endpoint::parse(good).unwrap();
            assert_eq!(endpoint.display(), good);
        }
        for bad in [
            "",
            "foo",
            "unix://x",
            "ftp://h",
            "http://u@localhost",
            "https://h/path",
            "https://h?q",
        ] {
            assert!(matches!(Endpoint::parse(bad), Err(ClientError::Address(_))), "{bad}");
        }
        for clear in ["http://broker:7443", "http://10.0.0.1", "http://[2001:db8::1]:1"] {
            assert!(matches!(Endpoint::parse(clear), Err(ClientError::Clear(_))), "{clear}");
        }
    }

    #[test]
    fn a_refusal_of_any_code_is_a_refusal() {
        for code in ["already_voted", "too_late", "a_code_of_the_future"] {
            let body = format!(r#"{{"code":"{code}","message":"no"}}"#);
            let ErrorBody { code, message, .. } = serde_json::from_str(&body).unwrap();
            assert_eq!(ClientError::Refused { code, message }.exit_status(), crate::exit::REFUSED);
        }
        let event = r#"{"type":"error","ref":7,"code":"a_code_of_the_future","message":"no"}"#;
        let event: crate::reviewer::ReviewerEvent = serde_json::from_str(event).unwrap();
        assert!(matches!(event, crate::reviewer::ReviewerEvent::Error { r#ref: Some(7), .. }));
    }

    #[test]
    fn tokens_are_not_shown() {
        let endpoint = Endpoint::unix("/x").with_token(Some(Token::new("secret\n")));
        assert!(!format!("{endpoint:?}").contains("secret"));
    }
}
