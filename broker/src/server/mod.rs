//! HTTP and WebSocket: who is asking, and what they get.

mod auth;
mod gate_ws;
mod rest;
mod reviewer_ws;
mod rules;

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post};
use axum::serve::IncomingStream;
use expacti_protocol::http::ErrorBody;
use expacti_protocol::reviewer::ErrorCode;
use expacti_protocol::uplink::WrapRegistration;
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

use crate::{Broker, Refusal};

pub(crate) use auth::{new_token, owner_name, token_hash};

/// The largest body of a request in bytes.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// What the connections share besides the dispatcher.
#[derive(Default)]
pub(crate) struct Shared {
    local_gates: Mutex<HashSet<String>>,
    wraps: Mutex<Vec<WrapRegistration>>,
    started: std::sync::OnceLock<i64>,
    pub(crate) shutdown: CancellationToken,
    warnings: Mutex<Vec<String>>,
}

impl Shared {
    pub(crate) fn add_local_gate(&self, hash: String) {
        self.local_gates.lock().unwrap_or_else(PoisonError::into_inner).insert(hash);
    }

    fn is_local_gate(&self, hash: &str) -> bool {
        self.local_gates.lock().unwrap_or_else(PoisonError::into_inner).contains(hash)
    }

    fn add_wrap(&self, wrap: WrapRegistration) {
        let mut wraps = self.wraps.lock().unwrap_or_else(PoisonError::into_inner);
        wraps.retain(|w| w.pid != wrap.pid && auth::is_alive(w.pid));
        wraps.push(wrap);
    }

    fn wraps(&self) -> Vec<WrapRegistration> {
        self.wraps.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn started_at(&self) -> i64 {
        *self.started.get_or_init(|| expacti_protocol::now_micros().div_euclid(1_000_000))
    }
}

/// The other end of a connection, as the system tells it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Conn {
    /// A process of this machine.
    Local { uid: u32, pid: Option<i32> },
    /// Somebody on the network.
    Remote,
}

impl Connected<IncomingStream<'_, UnixListener>> for Conn {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        match stream.io().peer_cred() {
            Ok(cred) => Self::Local { uid: cred.uid(), pid: cred.pid() },
            // Without credentials a peer is nobody.
            Err(_) => Self::Remote,
        }
    }
}

impl Connected<IncomingStream<'_, TcpListener>> for Conn {
    fn connect_info(_: IncomingStream<'_, TcpListener>) -> Self {
        Self::Remote
    }
}

impl Connected<std::net::SocketAddr> for Conn {
    fn connect_info(_: std::net::SocketAddr) -> Self {
        Self::Remote
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self.code {
            ErrorCode::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::Invalid => StatusCode::BAD_REQUEST,
            ErrorCode::Mismatch | ErrorCode::TooLate => StatusCode::CONFLICT,
            ErrorCode::NotEntitled => StatusCode::FORBIDDEN,
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
        };
        (status, axum::Json(ErrorBody { code: self.code, message: self.message })).into_response()
    }
}

impl From<crate::StoreError> for Refusal {
    fn from(error: crate::StoreError) -> Self {
        Self::failed(error.to_string())
    }
}

impl Broker {
    fn router(&self) -> Router {
        Router::new()
            .route("/healthz", get(rest::healthz))
            .route("/readyz", get(rest::readyz))
            .route("/metrics", get(rest::metrics))
            .route("/v1/audit", get(rest::audit))
            .route("/v1/audit/checkpoint", post(rest::checkpoint))
            .route("/v1/audit/verify", get(rest::verify))
            .route("/v1/changes", get(rules::changes))
            .route("/v1/changes/{id}", delete(rules::reject_change))
            .route("/v1/changes/{id}/approve", post(rules::approve_change))
            .route("/v1/commands", get(rest::commands))
            .route("/v1/commands/{id}", get(rest::command))
            .route("/v1/commands/{id}/decision", post(rest::decide))
            .route("/v1/commands/{id}/reveal", post(rest::reveal))
            .route("/v1/gate/agent-key", post(rest::agent_key))
            .route("/v1/gate/authorities", get(rest::authorities))
            .route("/v1/openapi.json", get(rest::openapi))
            .route("/v1/pending", get(rest::pending))
            .route("/v1/policies", get(rules::policies).post(rules::add_policy))
            .route("/v1/policies/{id}", delete(rules::remove_policy))
            .route("/v1/principals", get(rest::principals).post(rest::add_principal))
            .route("/v1/principals/{name}", delete(rest::remove_principal))
            .route("/v1/rules", get(rules::rules).post(rules::add_rule))
            .route("/v1/rules/{id}", delete(rules::remove_rule))
            .route("/v1/rules/ensure", post(rules::ensure_rules))
            .route("/v1/rules/import", post(rules::import_rules))
            .route("/v1/rules/{id}/approve", post(rules::approve_rule))
            .route("/v1/sessions", get(rest::sessions))
            .route("/v1/sessions/{id}", get(rest::session))
            .route("/v1/sessions/{id}/kill", post(rest::kill))
            .route("/v1/sessions/{id}/pause", post(rest::pause))
            .route("/v1/sessions/{id}/resume", post(rest::resume))
            .route("/v1/sessions/{id}/recording", get(rest::recording))
            .route("/v1/shutdown", post(rest::shutdown))
            .route("/v1/status", get(rest::status))
            .route("/v1/targets", get(rest::targets).post(rest::add_target))
            .route("/v1/targets/{name}", delete(rest::remove_target))
            .route("/v1/wraps", post(rest::wrap))
            .route("/v1/ws/gate", any(gate_ws::upgrade))
            .route("/v1/ws/reviewer", any(reviewer_ws::upgrade))
            .fallback(|| async { Refusal::not_found("endpoint") })
            .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
            .with_state(self.clone())
    }

    /// A message every reviewer and `status` shows.
    pub fn warn(&self, warning: String) {
        self.shared.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(warning);
    }

    /// Cancelled when an owner asked the broker to stop.
    pub fn shutdown_requested(&self) -> CancellationToken {
        self.shared.shutdown.clone()
    }

    /// Answers on a Unix socket until `stop`: processes of the same user need no token.
    pub async fn serve_unix(
        &self,
        listener: UnixListener,
        stop: CancellationToken,
    ) -> std::io::Result<()> {
        self.shared.started_at();
        let service = self.router().into_make_service_with_connect_info::<Conn>();
        let serving = axum::serve(listener, service).into_future();
        tokio::select! {
            done = serving => done,
            () = stop.cancelled() => Ok(()),
        }
    }

    /// Answers on TCP until `stop`: everybody needs a token.
    pub async fn serve_tcp(
        &self,
        listener: TcpListener,
        stop: CancellationToken,
    ) -> std::io::Result<()> {
        use axum::serve::ListenerExt as _;
        self.shared.started_at();
        let listener = listener.tap_io(|tcp| {
            let _ = tcp.set_nodelay(true);
        });
        let app = self.router().layer(axum::Extension(axum::extract::ConnectInfo(Conn::Remote)));
        let serving = axum::serve(listener, app).into_future();
        tokio::select! {
            done = serving => done,
            () = stop.cancelled() => Ok(()),
        }
    }

    /// Answers on TCP with TLS until `stop`.
    pub async fn serve_tls(
        &self,
        listener: std::net::TcpListener,
        cert: &std::path::Path,
        key: &std::path::Path,
        stop: CancellationToken,
    ) -> std::io::Result<()> {
        self.shared.started_at();
        let config = axum_server::tls_rustls::RustlsConfig::from_pem_file(cert, key).await?;
        let app = self.router().layer(axum::Extension(axum::extract::ConnectInfo(Conn::Remote)));
        let serving =
            axum_server::from_tcp_rustls(listener, config)?.serve(app.into_make_service());
        tokio::select! {
            done = serving => done,
            () = stop.cancelled() => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    #[test]
    fn the_openapi_document_names_every_endpoint() {
        let document: serde_json::Value =
            serde_json::from_str(include_str!("../../openapi.json")).unwrap();
        let mut described: Vec<&str> =
            document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut routed: Vec<&str> = include_str!("mod.rs")
            .split(".route(")
            .skip(1)
            .filter_map(|rest| rest.split('"').nth(1))
            .filter(|path| path.starts_with('/') && !path.starts_with("/v1/ws/"))
            .collect();
        described.sort_unstable();
        routed.sort_unstable();
        assert_eq!(described, routed);
    }
}
