//! Who is asking: a token, or the uid of a process on this machine. In doubt: nobody.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use expacti_protocol::principal::Role;

use super::doors::Guest;
use super::machine;
use super::shared::Conn;
use crate::broker::Broker;
use crate::state::{Peer, Refusal};
use crate::tokens::token_hash;
use crate::users::user_name;
use crate::wraps::Origin;

fn unauthorized(message: &str) -> Response {
    let body = Refusal::not_entitled(message).into_response().into_body();
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::UNAUTHORIZED;
    answer
        .headers_mut()
        .insert("content-type", axum::http::HeaderValue::from_static("application/json"));
    answer
}

impl<S: Send + Sync> FromRequestParts<S> for Conn {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(conn(&parts.extensions))
    }
}

impl FromRequestParts<Broker> for Peer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, broker: &Broker) -> Result<Self, Response> {
        if let Some(Known(peer)) = parts.extensions.get::<Known>() {
            return Ok(welcome(&parts.extensions, peer.clone()));
        }
        let conn = conn(&parts.extensions);
        let origin = match parts.extensions.get::<Origin>() {
            Some(origin) => *origin,
            None => origin(broker, &conn, &parts.headers),
        };
        let peer = identify(broker, &conn, origin, &parts.headers).await?;
        Ok(welcome(&parts.extensions, peer))
    }
}

/// Who was found to be asking, before the request came to its endpoint.
#[derive(Clone)]
struct Known(Peer);

/// The connection is no stranger's any more. A user of the machine of whom nothing else is known stays one.
fn welcome(extensions: &Extensions, peer: Peer) -> Peer {
    if let Some(guest) = extensions.get::<Arc<Guest>>()
        && !peer.inside_wrap
        && peer.role != Role::Agent
    {
        guest.becomes_known();
    }
    peer
}

/// The connection a request came over.
fn conn(extensions: &Extensions) -> Conn {
    match extensions.get::<ConnectInfo<Conn>>() {
        Some(ConnectInfo(conn)) => conn.clone(),
        None => Conn::Remote,
    }
}

/// Lets a request pass only if it comes from outside of every wrap, whatever token it carries.
pub(super) async fn refuse_those_inside(
    State(broker): State<Broker>,
    mut request: Request,
    next: Next,
) -> Response {
    let conn = conn(request.extensions());
    let origin = origin(&broker, &conn, request.headers());
    if let Some(why) = origin.refusal() {
        return Refusal::not_entitled(why).into_response();
    }
    request.extensions_mut().insert(origin);
    if broker.shared.serves_machine() && matches!(conn, Conn::Local { .. }) {
        let peer = match identify(&broker, &conn, origin, request.headers()).await {
            Ok(peer) => peer,
            Err(answer) => return answer,
        };
        if let Some(refusal) = machine::refusal(&peer, request.method(), request.uri().path()) {
            return refusal.into_response();
        }
        request.extensions_mut().insert(Known(peer));
    }
    next.run(request).await
}

/// Where the other end stands. Nothing is known of the network's: it needs a token for everything.
fn origin(broker: &Broker, conn: &Conn, headers: &HeaderMap) -> Origin {
    match conn {
        Conn::Local { process, .. } => {
            // The broker's own ancestors say nothing of the gate that lives in the same process.
            let by_ancestry =
                !bearer_hash(headers).is_some_and(|hash| is_own_gate(broker, conn, &hash));
            broker.shared.wraps.origin(process, by_ancestry)
        }
        Conn::Remote => Origin::Outside,
    }
}

/// Whether this is the gate that lives in this process: its token is worth nothing elsewhere.
fn is_own_gate(broker: &Broker, conn: &Conn, hash: &str) -> bool {
    let here = matches!(conn, Conn::Local { process, .. } if process.is_this_process());
    here && broker.shared.is_local_gate(hash)
}

/// The digest of the bearer token, if there is one.
fn bearer_hash(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    Some(token_hash(value.strip_prefix("Bearer ")?.trim()))
}

/// Establishes who is at the other end.
async fn identify(
    broker: &Broker,
    conn: &Conn,
    origin: Origin,
    headers: &HeaderMap,
) -> Result<Peer, Response> {
    let inside_wrap = origin != Origin::Outside;
    if broker.shared.serves_machine()
        && let Conn::Local { uid, .. } = conn
        && !bearer_hash(headers).is_some_and(|hash| is_own_gate(broker, conn, &hash))
    {
        let peer = machine::peer_of(broker, *uid, inside_wrap).await;
        return peer.map_err(|refusal| refusal.into_response());
    }
    if headers.contains_key(AUTHORIZATION) {
        let hash = bearer_hash(headers)
            .ok_or_else(|| unauthorized("the authorization header holds no bearer token"))?;
        if is_own_gate(broker, conn, &hash) {
            return Ok(Peer { name: "gate".to_owned(), role: Role::Gate, inside_wrap });
        }
        return match broker.reader.principal_of(&hash).await {
            Ok(Some(p)) => Ok(Peer { name: p.name, role: p.role, inside_wrap }),
            Ok(None) => Err(unauthorized("the token is not known here")),
            Err(e) => Err(Refusal::from(e).into_response()),
        };
    }
    match conn {
        Conn::Local { uid: Some(uid), .. } if *uid == rustix::process::geteuid().as_raw() => {
            Ok(Peer { name: user_name(*uid), role: Role::Owner, inside_wrap })
        }
        Conn::Local { .. } => Err(unauthorized("this broker belongs to another user")),
        Conn::Remote => Err(unauthorized("a token is needed: set EXPACTI_TOKEN or --token-file")),
    }
}
