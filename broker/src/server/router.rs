//! Which endpoint answers what.

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{any, delete, get, post};
use tokio_util::sync::CancellationToken;

use super::body::MAX_BODY;
use super::{
    auth, body, commands, gate_ws, log, pins, principals, proof, proofs, reviewer_ws, rules,
    sessions, signing_keys, status, taints, wraps,
};
use crate::broker::Broker;
use crate::state::Refusal;

impl Broker {
    pub(super) fn router(&self) -> Router {
        self.for_everybody()
            .merge(self.for_those_outside())
            .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
            .layer(from_fn(body::read_what_is_left))
            .with_state(self.clone())
    }

    /// What wrapped programs may ask as well: none of it looks at a command or changes anything. The
    /// last one looks closer at who asks, itself.
    fn for_everybody(&self) -> Router<Self> {
        Router::new()
            .route("/healthz", get(status::healthz))
            .route("/readyz", get(status::readyz))
            .route("/v1/openapi.json", get(status::openapi))
            .route("/v1/status", get(status::status))
            .route("/v1/wraps/namespace", post(wraps::namespace))
    }

    /// Everything else. A new endpoint belongs here.
    fn for_those_outside(&self) -> Router<Self> {
        Router::new()
            .route("/metrics", get(status::metrics))
            .route("/v1/apply", post(rules::apply))
            .route("/v1/audit", get(log::audit))
            .route("/v1/audit/checkpoint", post(log::checkpoint))
            .route("/v1/audit/verify", get(log::verify))
            .route("/v1/changes", get(rules::changes))
            .route("/v1/changes/{id}", delete(rules::reject_change))
            .route("/v1/changes/{id}/approve", post(rules::approve_change))
            .route("/v1/checkpoint", get(proofs::checkpoint))
            .route("/v1/checkpoint/consistency", get(proofs::consistency))
            .route("/v1/commands", get(commands::commands))
            .route("/v1/commands/{id}", get(commands::command))
            .route("/v1/commands/{id}/decision", post(commands::decide))
            .route("/v1/commands/{id}/reveal", post(commands::reveal))
            .route("/v1/gate/agent-key", post(principals::agent_key))
            .route("/v1/gate/authorities", get(principals::authorities))
            .route("/v1/pending", get(commands::pending))
            .route("/v1/policies", get(rules::policies).post(rules::add_policy))
            .route("/v1/policies/{id}", delete(rules::remove_policy))
            .route("/v1/principals", get(principals::principals).post(principals::add_principal))
            .route("/v1/principals/{name}", delete(principals::remove_principal))
            .route("/v1/proofs/{id}", get(proofs::command))
            .route("/v1/signing-keys", get(signing_keys::list).post(signing_keys::add))
            .route("/v1/signing-keys/remove", post(signing_keys::remove))
            .route("/v1/rulebook", get(rules::rulebook).post(rules::sign_rulebook))
            .route("/v1/rules", get(rules::rules).post(rules::add_rule))
            .route("/v1/rules/{id}", delete(rules::remove_rule))
            .route("/v1/rules/ensure", post(rules::ensure_rules))
            .route("/v1/rules/import", post(rules::import_rules))
            .route("/v1/rules/earlier", get(rules::earlier_rules))
            .route("/v1/rules/earlier/told", post(rules::told_earlier_rules))
            .route("/v1/rules/{id}/cover", post(rules::cover_rule))
            .route("/v1/rules/{id}/approve", post(rules::approve_rule))
            .route("/v1/sessions", get(sessions::sessions))
            .route("/v1/sessions/{id}", get(sessions::session))
            .route("/v1/sessions/{id}/kill", post(sessions::kill))
            .route("/v1/sessions/{id}/pause", post(sessions::pause))
            .route("/v1/sessions/{id}/resume", post(sessions::resume))
            .route("/v1/sessions/{id}/recording", get(sessions::recording))
            .route("/v1/shutdown", post(status::shutdown))
            .route("/v1/taints", get(taints::taints))
            .route("/v1/taints/clear", post(taints::clear))
            .route("/v1/targets", get(principals::targets).post(principals::add_target))
            .route("/v1/targets/{name}", delete(principals::remove_target))
            .route("/v1/wraps", post(wraps::register))
            .route("/v1/wraps/check", post(wraps::check))
            .route("/v1/ws/gate", any(gate_ws::upgrade))
            .route("/v1/ws/reviewer", any(reviewer_ws::upgrade))
            .route("/v1/pin", post(pins::set).delete(pins::remove))
            .route_layer(from_fn_with_state(self.clone(), proof::ask))
            .fallback(|| async { Refusal::not_found("endpoint") })
            .layer(from_fn_with_state(self.clone(), auth::refuse_those_inside))
    }

    /// It is the broker of one person, who approves on the machine on which agents run: reviewers are told
    /// what that means.
    pub fn set_local(&self) {
        self.shared.set_local();
    }

    /// A message every reviewer and `status` shows.
    pub fn warn(&self, warning: String) {
        self.shared.add_warning(warning);
    }

    /// Cancelled when an owner asked the broker to stop.
    pub fn shutdown_requested(&self) -> CancellationToken {
        self.shared.shutdown.clone()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod machine_tests;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
