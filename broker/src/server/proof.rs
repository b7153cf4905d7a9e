//! Asks whoever signs, or has a PIN, to prove every request that decides something: otherwise a token, or
//! a program that runs as the reviewer, could add a rule, a person or a key instead of allowing a command.

use std::time::Instant;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts as _, MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use expacti_protocol::digest::Digest;
use expacti_protocol::http::ErrorBody;
use expacti_protocol::proof::{PIN_HEADER, Pin, ProofNeeded, SIGNATURE_HEADER, STATEMENT_HEADER};
use expacti_protocol::reviewer::ErrorCode;
use expacti_protocol::signed::SignedText;
use expacti_signing::Request as Wanted;

use super::body::MAX_BODY;
use super::pins;
use crate::broker::Broker;
use crate::state::{Asked, Peer, Refusal};

/// What needs no proof: it allows nothing, or asks for one itself. Whatever is not here needs one.
const UNPROVEN: &[(Method, &str)] = &[
    // A decision carries its own; a denial needs none.
    (Method::POST, "/v1/commands/{id}/decision"),
    // Shows, and the log says so.
    (Method::POST, "/v1/commands/{id}/reveal"),
    // Ends or holds.
    (Method::DELETE, "/v1/changes/{id}"),
    (Method::POST, "/v1/sessions/{id}/kill"),
    (Method::POST, "/v1/sessions/{id}/pause"),
    (Method::POST, "/v1/shutdown"),
    // Writes down what is there.
    (Method::POST, "/v1/audit/checkpoint"),
    (Method::POST, "/v1/rules/earlier/told"),
    // Is a signature, which the gates check.
    (Method::POST, "/v1/rulebook"),
    // Is no person's.
    (Method::POST, "/v1/gate/agent-key"),
    (Method::POST, "/v1/wraps"),
    (Method::POST, "/v1/wraps/check"),
];

/// Lets a request pass that decides something only if whoever signs, or has a PIN, proves it.
pub(super) async fn ask(State(broker): State<Broker>, request: Request, next: Next) -> Response {
    if is_free(&request) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let peer = match Peer::from_request_parts(&mut parts, &broker).await {
        Ok(peer) => peer,
        Err(answer) => return answer,
    };
    let name = peer.name.clone();
    let asked = match broker.handle.run(move |state, _, _| Ok(state.asked_of(&name))).await {
        Ok(asked) => asked,
        Err(refusal) => return refusal.into_response(),
    };
    // Agents, gates and viewers decide nothing, and have no proofs.
    if asked.is_nothing() || !peer.may_decide() {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let body = match to_bytes(body, MAX_BODY).await {
        Ok(body) => body,
        Err(error) => {
            return Refusal::invalid(format!("failed to read the request: {error}"))
                .into_response();
        }
    };
    let path = parts.uri.path_and_query().map_or_else(|| parts.uri.path(), |all| all.as_str());
    let wanted = |challenge| {
        Wanted::new(&peer.name, challenge, parts.method.as_str(), path, Digest::of(&body))
    };
    match proven(&broker, &peer, &asked, &parts.headers, wanted).await {
        Ok(()) => next.run(Request::from_parts(parts, Body::from(body))).await,
        Err(refusal) => needed(&broker, &peer, &asked, refusal),
    }
}

fn is_free(request: &Request) -> bool {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method()) {
        return true;
    }
    let path = request.extensions().get::<MatchedPath>();
    path.is_some_and(|path| {
        UNPROVEN.iter().any(|(method, free)| method == request.method() && *free == path.as_str())
    })
}

/// Refuses a request whose proof is missing, or is not enough.
async fn proven(
    broker: &Broker,
    peer: &Peer,
    asked: &Asked,
    headers: &HeaderMap,
    wanted: impl FnOnce(Digest) -> Wanted,
) -> Result<(), Refusal> {
    let text = |name| text_of(headers, name);
    if asked.signature {
        let (statement, signature) = (text(STATEMENT_HEADER), text(SIGNATURE_HEADER));
        let signed = SignedText::of(statement.as_ref(), signature.as_ref())
            .ok_or_else(|| missing(&peer.name, "a signature by one of their keys"))?;
        // Only one that was given to this person, and not used yet, can be signed.
        let said: Option<Challenged> = serde_json::from_str(&signed.statement).ok();
        let challenge = said.map(|said| said.challenge).filter(|challenge| {
            broker.shared.challenges.take(*challenge, &peer.name, Instant::now())
        });
        let challenge = challenge.ok_or_else(|| {
            Refusal::not_entitled(
                "the request was signed too long ago, or for another broker: sign again",
            )
        })?;
        let (who, wanted) = (peer.clone(), wanted(challenge));
        let job = move |state: &mut crate::state::State, now| {
            state.still_known(&who)?;
            state.check_request(&who, &wanted, &signed, now)
        };
        broker.handle.run(move |state, _, now| job(state, now)).await?;
    }
    if asked.pin.is_some() {
        let pin = pin_of(headers).ok_or_else(|| missing(&peer.name, "their PIN"))?;
        pins::prove(broker, peer, &pin).await?;
    }
    Ok(())
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let bytes = BASE64.decode(headers.get(name)?.as_bytes()).ok()?;
    String::from_utf8(bytes).ok()
}

/// The PIN that came with a request.
pub(super) fn pin_of(headers: &HeaderMap) -> Option<Pin> {
    text_of(headers, PIN_HEADER).map(|pin| Pin::new(&pin))
}

/// A refusal of an allow without a PIN; with what it needs if the PIN may be all that it lacked.
pub(super) async fn ask_pin(broker: &Broker, peer: &Peer, refusal: Refusal) -> Response {
    let name = peer.name.clone();
    match broker.handle.run(move |state, _, _| Ok(state.asked_of(&name))).await {
        // The signature of a decision is in the decision.
        Ok(asked) if asked.pin.is_some() => {
            needed(broker, peer, &Asked { signature: false, ..asked }, refusal)
        }
        _ => refusal.into_response(),
    }
}

#[derive(serde::Deserialize)]
struct Challenged {
    challenge: Digest,
}

fn missing(person: &str, what: &str) -> Refusal {
    Refusal::not_entitled(format!("{person} proves such a request with {what}"))
}

/// The refusal, with what the same request needs.
fn needed(broker: &Broker, peer: &Peer, asked: &Asked, refusal: Refusal) -> Response {
    if refusal.code != ErrorCode::NotEntitled {
        return refusal.into_response();
    }
    let challenge = match broker.shared.challenges.new_for(&peer.name, Instant::now()) {
        Ok(challenge) => challenge,
        Err(failed) => return failed.into_response(),
    };
    let proof = ProofNeeded {
        challenge,
        person: peer.name.clone(),
        pin: asked.pin.is_some(),
        signature: asked.signature,
    };
    let Refusal { code, message } = refusal;
    (StatusCode::FORBIDDEN, Json(ErrorBody { code, message, proof: Some(proof) })).into_response()
}
