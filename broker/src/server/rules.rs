//! The HTTP endpoints of rules, policies and the changes of them that wait for approval.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use expacti_engine::{Policy, Rule};
use expacti_protocol::http::{
    Change, Changed, EarlierRule, RuleCover, RuleView, RulebookView, RulesEnsured,
};
use expacti_protocol::signed::SignedText;

use super::answer::{Answer, changed, view};
use crate::broker::Broker;
use crate::state::{Peer, Refusal};

/// The most rules of one request; each is an event for every reviewer.
const MAX_IMPORT: usize = 1000;

pub(super) async fn rules(State(broker): State<Broker>, peer: Peer) -> Answer<Vec<RuleView>> {
    view(&peer)?;
    broker.rules().await.map(Json)
}

pub(super) async fn add_rule(
    State(broker): State<Broker>,
    peer: Peer,
    Json(rule): Json<Rule>,
) -> Answer<RuleView> {
    broker.add_rule(peer, rule).await.map(Json)
}

/// Many at once, all or none: the rules are compiled once.
pub(super) async fn import_rules(
    State(broker): State<Broker>,
    peer: Peer,
    Json(rules): Json<Vec<Rule>>,
) -> Answer<Vec<RuleView>> {
    check_count(&rules)?;
    broker.handle.run(move |state, _, now| state.add_rules(&peer, rules, now)).await.map(Json)
}

/// Those that are missing, all or none, in one transaction; asked again, nothing happens.
pub(super) async fn ensure_rules(
    State(broker): State<Broker>,
    peer: Peer,
    Json(rules): Json<Vec<Rule>>,
) -> Answer<RulesEnsured> {
    check_count(&rules)?;
    broker.handle.run(move |state, _, now| state.ensure_rules(&peer, rules, now)).await.map(Json)
}

fn check_count(rules: &[Rule]) -> Result<(), Refusal> {
    if rules.len() > MAX_IMPORT {
        return Err(Refusal::invalid(format!("at most {MAX_IMPORT} rules at once")));
    }
    Ok(())
}

pub(super) async fn approve_rule(
    State(broker): State<Broker>,
    peer: Peer,
    Path(id): Path<String>,
) -> Answer<RuleView> {
    broker.handle.run(move |state, _, now| state.approve_rule(&peer, &id, now)).await.map(Json)
}

pub(super) async fn cover_rule(
    State(broker): State<Broker>,
    peer: Peer,
    Path(id): Path<String>,
    Json(cover): Json<RuleCover>,
) -> Answer<RuleView> {
    let job = move |state: &mut crate::state::State, now| state.cover_rule(&peer, &id, cover, now);
    broker.handle.run(move |state, _, now| job(state, now)).await.map(Json)
}

/// Rules of before that nobody has been told of.
pub(super) async fn earlier_rules(
    State(broker): State<Broker>,
    peer: Peer,
) -> Answer<Vec<EarlierRule>> {
    view(&peer)?;
    broker.handle.run(|state, _, _| Ok(state.earlier_rules())).await.map(Json)
}

pub(super) async fn told_earlier_rules(State(broker): State<Broker>, peer: Peer) -> Answer<()> {
    broker.handle.run(move |state, _, _| state.told_earlier_rules(&peer)).await.map(Json)
}

pub(super) async fn remove_rule(
    State(broker): State<Broker>,
    peer: Peer,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    broker.remove_rule(peer, id).await.map(changed)
}

pub(super) async fn policies(State(broker): State<Broker>, peer: Peer) -> Answer<Vec<Policy>> {
    view(&peer)?;
    broker.policies().await.map(Json)
}

pub(super) async fn add_policy(
    State(broker): State<Broker>,
    peer: Peer,
    Json(policy): Json<Policy>,
) -> Result<Response, Refusal> {
    broker.add_policy(peer, policy).await.map(changed)
}

pub(super) async fn remove_policy(
    State(broker): State<Broker>,
    peer: Peer,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    broker.remove_policy(peer, id).await.map(changed)
}

pub(super) async fn changes(State(broker): State<Broker>, peer: Peer) -> Answer<Vec<Change>> {
    view(&peer)?;
    broker.handle.run(|state, _, now| Ok(state.change_list(now))).await.map(Json)
}

pub(super) async fn approve_change(
    State(broker): State<Broker>,
    peer: Peer,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let (change, done) =
        broker.handle.run(move |state, _, now| state.approve_change(&peer, &id, now)).await?;
    Ok(changed(if done {
        Changed::Done(change)
    } else {
        Changed::Waiting { change: Box::new(change) }
    }))
}

pub(super) async fn reject_change(
    State(broker): State<Broker>,
    peer: Peer,
    Path(id): Path<String>,
) -> Answer<Change> {
    broker.handle.run(move |state, _, now| state.reject_change(&peer, &id, now)).await.map(Json)
}

pub(super) async fn rulebook(State(broker): State<Broker>, peer: Peer) -> Answer<RulebookView> {
    view(&peer)?;
    broker.handle.run(|state, _, now| state.rulebook(now)).await.map(Json)
}

pub(super) async fn sign_rulebook(
    State(broker): State<Broker>,
    peer: Peer,
    Json(signed): Json<SignedText>,
) -> Answer<RulebookView> {
    broker.handle.run(move |state, _, now| state.sign_rulebook(&peer, signed, now)).await.map(Json)
}
