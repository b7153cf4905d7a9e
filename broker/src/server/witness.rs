//! A witness over HTTP (c2sp.org/tlog-witness): whoever reaches it may ask, and what it answers depends on
//! nothing but signatures.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use expacti_heads::{MAX_REQUEST, Witness, WitnessRefusal};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::doors::Doors;
use super::serve::answer_network;

/// How long the body of a request may take.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Answers on TCP until `stop`.
///
/// # Errors
/// When the socket itself fails.
pub async fn serve_witness(
    witness: Witness,
    listener: TcpListener,
    stop: CancellationToken,
) -> io::Result<()> {
    let router =
        Router::new().route("/add-checkpoint", post(add_checkpoint)).with_state(Arc::new(witness));
    answer_network(router, &Arc::<Doors>::default(), listener, None, stop).await
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Body) -> Response {
    let read = axum::body::to_bytes(body, MAX_REQUEST);
    let request = match tokio::time::timeout(BODY_TIME, read).await {
        Ok(Ok(request)) => request,
        Ok(Err(_)) => {
            return (StatusCode::PAYLOAD_TOO_LARGE, "the request is too long\n").into_response();
        }
        Err(_) => {
            return (StatusCode::REQUEST_TIMEOUT, "the request took too long\n").into_response();
        }
    };
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    // It waits for the disk.
    let cosigned =
        tokio::task::spawn_blocking(move || witness.add_checkpoint(&request, time)).await;
    let cosigned = cosigned.unwrap_or_else(|e| Err(WitnessRefusal::Failed(e.to_string())));
    match cosigned {
        Ok(line) => {
            info!("cosigned a head");
            line.into_response()
        }
        Err(refusal) => refuse(&refusal),
    }
}

fn refuse(refusal: &WitnessRefusal) -> Response {
    let status = match refusal {
        WitnessRefusal::Malformed(_) => StatusCode::BAD_REQUEST,
        WitnessRefusal::UnknownLog(_) => StatusCode::NOT_FOUND,
        WitnessRefusal::Unsigned => StatusCode::FORBIDDEN,
        WitnessRefusal::Other(_) | WitnessRefusal::Forks(_) => StatusCode::CONFLICT,
        WitnessRefusal::Unproven(_) => StatusCode::UNPROCESSABLE_ENTITY,
        WitnessRefusal::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    match refusal {
        WitnessRefusal::Other(size) => {
            return (status, [(CONTENT_TYPE, "text/x.tlog.size")], format!("{size}\n"))
                .into_response();
        }
        // What may be proof of a log that cheats.
        WitnessRefusal::Forks(_) | WitnessRefusal::Unproven(_) | WitnessRefusal::Failed(_) => {
            warn!("not cosigned: {refusal}");
        }
        WitnessRefusal::Malformed(_) | WitnessRefusal::Unsigned | WitnessRefusal::UnknownLog(_) => {
        }
    }
    (status, format!("{}\n", expacti_protocol::one_line(&refusal.to_string()))).into_response()
}
