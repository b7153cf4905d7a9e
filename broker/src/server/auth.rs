//! Who is asking: a token, or the uid of a process on this machine. In doubt: nobody.

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use expacti_protocol::ancestry::is_inside_wrap;
use expacti_protocol::principal::Role;

use super::shared::Conn;
use crate::broker::Broker;
use crate::state::{Peer, Refusal};
use crate::tokens::token_hash;
use crate::users::user_name;

fn unauthorized(message: &str) -> Response {
    let body = Refusal::not_entitled(message).into_response().into_body();
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::UNAUTHORIZED;
    answer
        .headers_mut()
        .insert("content-type", axum::http::HeaderValue::from_static("application/json"));
    answer
}

impl FromRequestParts<Broker> for Peer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, broker: &Broker) -> Result<Self, Response> {
        let conn = match ConnectInfo::<Conn>::from_request_parts(parts, broker).await {
            Ok(ConnectInfo(conn)) => conn,
            Err(_) => match parts.extensions.get::<ConnectInfo<Conn>>() {
                Some(ConnectInfo(conn)) => *conn,
                None => Conn::Remote,
            },
        };
        identify(broker, conn, &parts.headers).await
    }
}

/// Establishes who is at the other end.
async fn identify(broker: &Broker, conn: Conn, headers: &HeaderMap) -> Result<Peer, Response> {
    let inside_wrap = match conn {
        Conn::Local { pid, .. } => {
            let wraps = broker.shared.wraps();
            // The marks count also when none is registered: a broker that was restarted has
            // forgotten the wraps of the one before.
            pid.is_none_or(|pid| is_inside_wrap(pid.unsigned_abs(), &wraps))
        }
        Conn::Remote => false,
    };
    if let Some(value) = headers.get(AUTHORIZATION) {
        let token = value
            .to_str()
            .ok()
            .and_then(|v| v.strip_prefix("Bearer "))
            .ok_or_else(|| unauthorized("the authorization header holds no bearer token"))?;
        let hash = token_hash(token.trim());
        if broker.shared.is_local_gate(&hash) {
            return Ok(Peer { name: "gate".to_owned(), role: Role::Gate, inside_wrap: false });
        }
        return match broker.reader.principal_of(&hash).await {
            Ok(Some(p)) => Ok(Peer { name: p.name, role: p.role, inside_wrap }),
            Ok(None) => Err(unauthorized("the token is not known here")),
            Err(e) => Err(Refusal::from(e).into_response()),
        };
    }
    match conn {
        Conn::Local { uid, .. } if uid == rustix::process::geteuid().as_raw() => {
            Ok(Peer { name: user_name(uid), role: Role::Owner, inside_wrap })
        }
        Conn::Local { .. } => Err(unauthorized("this broker belongs to another user")),
        Conn::Remote => Err(unauthorized("a token is needed: set EXPACTI_TOKEN or --token-file")),
    }
}
