//! What every endpoint answers with, and whom it lets look.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use expacti_protocol::http::{Changed, ErrorBody};
use expacti_protocol::reviewer::ErrorCode;
use serde::Serialize;

use crate::state::{Peer, Refusal};
use crate::store::StoreError;

pub(super) type Answer<T> = Result<Json<T>, Refusal>;

/// 200 for what is done, 202 for what waits for others.
pub(super) fn changed<T: Serialize>(changed: Changed<T>) -> Response {
    let status = match changed {
        Changed::Done(_) => StatusCode::OK,
        Changed::Waiting { .. } => StatusCode::ACCEPTED,
    };
    (status, Json(changed)).into_response()
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self.code {
            ErrorCode::Failed | ErrorCode::Unrecognized => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::Invalid => StatusCode::BAD_REQUEST,
            ErrorCode::AlreadyVoted | ErrorCode::Mismatch | ErrorCode::TooLate => {
                StatusCode::CONFLICT
            }
            ErrorCode::NotEntitled => StatusCode::FORBIDDEN,
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
        };
        (status, Json(ErrorBody { code: self.code, message: self.message, proof: None }))
            .into_response()
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::failed(error.to_string())
    }
}

pub(super) fn view(peer: &Peer) -> Result<(), Refusal> {
    if peer.inside_wrap {
        return Err(Refusal::not_entitled(
            "a program run by expacti wrap cannot review: use a terminal outside it",
        ));
    }
    if peer.may_view() {
        Ok(())
    } else {
        Err(Refusal::not_entitled(format!("{} ({}) may not look at this", peer.name, peer.role)))
    }
}
