//! The broker itself: whether it works, what it is, and its end.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use expacti_protocol::PROTOCOL_VERSION;
use expacti_protocol::http::Status;
use expacti_protocol::principal::Role;

use super::answer::{Answer, view};
use crate::broker::Broker;
use crate::state::{Peer, Refusal};

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

pub(super) async fn readyz(State(broker): State<Broker>) -> Result<&'static str, Refusal> {
    // The whole way: the dispatcher answers and the database can be read.
    broker.handle.run(|_, _, _| Ok(())).await?;
    broker.reader.audit_head().await?;
    Ok("ready\n")
}

pub(super) async fn metrics(State(broker): State<Broker>, peer: Peer) -> Result<String, Refusal> {
    view(&peer)?;
    let numbers = broker
        .handle
        .run(|state, clients, _| {
            Ok([
                ("expacti_commands_open", "Commands that are not over.", state.commands.len()),
                ("expacti_sessions_open", "Open sessions.", state.sessions.len()),
                ("expacti_reviewers", "Connected reviewers.", clients.deciders()),
                ("expacti_gates", "Connected gates.", clients.gates.len()),
                (
                    "expacti_audit_entries",
                    "Entries of the audit log.",
                    usize::try_from(state.chain.len()).unwrap_or(usize::MAX),
                ),
            ])
        })
        .await?;
    let mut text = String::new();
    for (name, help, value) in numbers {
        text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n"));
    }
    Ok(text)
}

pub(super) async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], include_str!("../../openapi.json")).into_response()
}

pub(super) async fn status(State(broker): State<Broker>, peer: Peer) -> Answer<Status> {
    let (started_at, shared) = (broker.shared.started_at(), Arc::clone(&broker.shared));
    let status = broker
        .handle
        .run(move |state, clients, now| {
            let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
            Ok(Status {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                protocol: PROTOCOL_VERSION,
                pid: std::process::id(),
                started_at,
                pending: number(state.pending().count()),
                sessions: number(state.sessions.len()),
                reviewers: number(clients.deciders()),
                gates: number(clients.gates.len()),
                audit_entries: state.chain.len(),
                audit_head: state.chain.head().to_owned(),
                principal: peer.name.clone(),
                role: if peer.inside_wrap { Role::Agent } else { peer.role },
                // Who decides nothing needs none of them.
                warnings: if peer.role == Role::Agent {
                    Vec::new()
                } else {
                    shared.warnings(state, now)
                },
            })
        })
        .await?;
    Ok(Json(status))
}

pub(super) async fn shutdown(State(broker): State<Broker>, peer: Peer) -> Answer<()> {
    if peer.role != Role::Owner || peer.inside_wrap {
        return Err(Refusal::not_entitled("only the owner of the local broker may stop it"));
    }
    broker.shared.shutdown.cancel();
    Ok(Json(()))
}
