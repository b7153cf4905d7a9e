//! Nothing gets weaker with fewer approvals than what it weakens asked for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use expacti_engine::{Effect, Policy, PolicyKind, Rule};
use expacti_protocol::command::CommandState;
use expacti_protocol::http::{Change, Changed, NewPrincipal, PrincipalView};
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::ErrorCode;
use serde_json::Value;

use super::items::*;
use super::world::*;
use crate::state::{Peer, Refusal, Write};

pub(super) fn waiting<T: std::fmt::Debug>(changed: Changed<T>) -> Change {
    match changed {
        Changed::Waiting { change } => *change,
        Changed::Done(what) => panic!("done at once: {what:?}"),
    }
}

fn policy(w: &mut World, by: &Peer, policy: Policy) -> Changed<Policy> {
    w.run(|l, now| l.add_policy(by, policy, now)).unwrap()
}

fn remove(w: &mut World, by: &Peer, id: &str) -> Result<Changed<Policy>, Refusal> {
    w.run(|l, now| l.remove_policy(by, id, now))
}

pub(super) fn approve(w: &mut World, by: &Peer, change: &Change) -> Result<bool, Refusal> {
    w.run(|l, now| l.approve_change(by, change.id.as_str(), now)).map(|(_, done)| done)
}

fn kinds(w: &World) -> Vec<String> {
    w.disk
        .iter()
        .filter_map(|write| match write {
            Write::Audit { line, .. } => {
                let entry: Value = serde_json::from_str(line).unwrap();
                Some(entry["kind"].as_str().unwrap().to_owned())
            }
            _ => None,
        })
        .collect()
}

/// A world with a policy that asks for two of ann, bob and cat for `kubectl delete`.
fn with_quorum() -> (World, [Peer; 4], String) {
    let mut w = World::new();
    let ann = add(&mut w, "ann", Role::Admin);
    let bob = add(&mut w, "bob", Role::Reviewer);
    let cat = add(&mut w, "cat", Role::Reviewer);
    let eve = add(&mut w, "eve", Role::Admin);
    let wanted = Policy { pattern: "kubectl delete *".into(), ..quorum(2, &["ann", "bob", "cat"]) };
    let Changed::Done(policy) = policy(&mut w, &ann, wanted) else { panic!("nothing was weaker") };
    (w, [ann, bob, cat, eve], policy.id)
}

#[test]
fn a_policy_goes_only_with_the_approval_it_asks_for() {
    let (mut w, [ann, bob, cat, eve], id) = with_quorum();
    let change = waiting(remove(&mut w, &ann, &id).unwrap());
    assert_eq!((change.missing, &change.may_approve), (1, &vec!["bob".into(), "cat".into()]));
    assert_eq!(code(approve(&mut w, &ann, &change)), ErrorCode::AlreadyVoted, "one vote a person");
    assert!(!approve(&mut w, &eve, &change).unwrap(), "eve is not of the group");
    assert_eq!(w.state.policy_list().len(), 1);
    let wrapped = Peer { inside_wrap: true, ..bob.clone() };
    assert_eq!(code(approve(&mut w, &wrapped, &change)), ErrorCode::NotEntitled);
    assert!(approve(&mut w, &bob, &change).unwrap());
    assert!(w.state.policy_list().is_empty() && w.state.change_list(w.now).is_empty());
    assert_eq!(code(approve(&mut w, &cat, &change)), ErrorCode::NotFound);
    let kinds = kinds(&w);
    let tail: Vec<_> = kinds[kinds.len() - 4..].iter().map(String::as_str).collect();
    assert_eq!(tail, ["change_proposed", "change_approved", "change_approved", "policy_changed"]);
}

#[test]
fn nobody_else_and_nothing_old_removes_it() {
    let (mut w, [ann, bob, cat, eve], id) = with_quorum();
    let root = peer("root", Role::Owner);
    assert_eq!(waiting(remove(&mut w, &root, &id).unwrap()).missing, 2, "not even the owner");
    // Those who left do not count, whatever they approved before.
    let change = waiting(remove(&mut w, &ann, &id).unwrap());
    w.run(|l, now| l.remove_principal(&eve, "ann", now)).unwrap();
    assert!(!approve(&mut w, &bob, &change).unwrap());
    assert!(approve(&mut w, &cat, &change).unwrap());
    // What waited too long does not happen.
    let again = Policy { pattern: "kubectl delete *".into(), ..quorum(2, &["bob", "cat"]) };
    let Changed::Done(again) = policy(&mut w, &eve, again) else { panic!("weaker?") };
    let change = waiting(remove(&mut w, &eve, &again.id).unwrap());
    w.pass(Duration::from_secs(86_400));
    assert_eq!(code(approve(&mut w, &bob, &change)), ErrorCode::NotFound);
    // A rejected one neither.
    let change = waiting(remove(&mut w, &eve, &again.id).unwrap());
    w.run(|l, now| l.reject_change(&bob, change.id.as_str(), now)).unwrap();
    assert_eq!(code(approve(&mut w, &cat, &change)), ErrorCode::NotFound);
    assert_eq!(w.state.policy_list().len(), 1);
}

#[test]
fn a_weaker_policy_in_front_is_a_change_and_a_stricter_one_is_not() {
    let (mut w, [ann, bob, ..], _) = with_quorum();
    let any = |pattern: &str| Policy {
        kind: PolicyKind::Any,
        group: Vec::new(),
        pattern: pattern.into(),
        ..quorum(1, &[])
    };
    let change = waiting(policy(&mut w, &ann, any("kubectl delete pod *")));
    assert_eq!(w.state.policy_list().len(), 1);
    assert!(approve(&mut w, &bob, &change).unwrap());
    assert_eq!(w.state.policy_list().len(), 2);
    assert!(matches!(policy(&mut w, &ann, any("ls *")), Changed::Done(_)));
    let strict =
        Policy { pattern: "kubectl delete ns *".into(), ..quorum(3, &["ann", "bob", "cat"]) };
    assert!(matches!(policy(&mut w, &ann, strict), Changed::Done(_)));
}

#[test]
fn a_policy_of_people_who_are_gone_goes_with_the_owner() {
    let mut w = World::new();
    let root = peer("root", Role::Owner);
    let eve = add(&mut w, "eve", Role::Admin);
    let Changed::Done(p) = policy(&mut w, &root, quorum(2, &["ann", "bob"])) else { panic!() };
    let change = waiting(remove(&mut w, &eve, &p.id).unwrap());
    assert_eq!(change.may_approve, ["root"], "an admin alone cannot");
    assert!(approve(&mut w, &root, &change).unwrap());
    // Alone on one machine, with policies anybody meets, nothing waits.
    let any = Policy { kind: PolicyKind::Any, group: Vec::new(), ..quorum(1, &[]) };
    let Changed::Done(p) = policy(&mut w, &root, any) else { panic!() };
    assert!(matches!(remove(&mut w, &root, &p.id).unwrap(), Changed::Done(_)));
}

#[test]
fn a_rule_is_no_way_round_a_quorum() {
    let (mut w, [ann, bob, ..], _) = with_quorum();
    let command = "kubectl delete pod x";
    let allow = w.run(|l, now| l.add_rule(&ann, rule(command), now)).unwrap();
    let session = w.session();
    let id = w.submit(&session, command);
    let held = view(&w, &id);
    assert_eq!(held.state, CommandState::Pending);
    assert!(held.rule_why.contains("1 more must approve the rule"), "{}", held.rule_why);
    w.run(|l, now| l.approve_rule(&bob, &allow.rule.id, now)).unwrap();
    let again = w.run(|l, now| l.approve_rule(&bob, &allow.rule.id, now));
    assert_eq!(code(again), ErrorCode::AlreadyVoted);
    let id = w.submit(&session, command);
    assert!(w.decisions().iter().any(|d| d.id == id && d.allow && d.released));
    // A rule of the person behind the agent does not count for it either.
    let boss = add(&mut w, "boss", Role::Admin);
    w.run(|l, now| l.add_rule(&boss, rule("uptime"), now)).unwrap();
    let id = w.submit(&session, "uptime");
    assert_eq!(view(&w, &id).state, CommandState::Pending);
    let ok = w.run(|l, now| l.add_rule(&ann, rule("id"), now)).unwrap();
    assert_eq!(ok.approvals.len(), 1);
    let id = w.submit(&session, "id");
    assert!(w.decisions().iter().any(|d| d.id == id && d.allow));
}

#[test]
fn a_rule_that_denies_goes_only_with_the_approval_of_policies_about_it() {
    let (mut w, [ann, bob, ..], _) = with_quorum();
    let mut deny = |pattern: &str| {
        let rule = Rule { effect: Effect::Deny, ..rule(pattern) };
        w.run(|l, now| l.add_rule(&ann, rule, now)).unwrap().rule.id
    };
    let (about, other) = (deny("kubectl delete ns x"), deny("reboot"));
    let change = match w.run(|l, now| l.remove_rule(&ann, &about, now)).unwrap() {
        Changed::Waiting { change } => *change,
        Changed::Done(_) => panic!("done at once"),
    };
    assert_eq!(w.state.rule_list().len(), 2);
    assert!(approve(&mut w, &bob, &change).unwrap());
    let done = w.run(|l, now| l.remove_rule(&ann, &other, now)).unwrap();
    assert!(matches!(done, Changed::Done(_)) && w.state.rule_list().is_empty());
}

#[test]
fn an_approval_goes_with_the_person_who_gave_it() {
    let (mut w, [ann, bob, cat, _], id) = with_quorum();
    let change = waiting(remove(&mut w, &ann, &id).unwrap());
    let root = peer("root", Role::Owner);
    w.run(|l, now| l.remove_principal(&root, "ann", now)).unwrap();
    let seat = waiting(enrol(&mut w, &root, "ann", Role::Admin));
    assert!(!approve(&mut w, &bob, &seat).unwrap() && approve(&mut w, &cat, &seat).unwrap());
    let again = peer("ann", Role::Admin);
    assert_eq!(w.state.change_list(w.now)[0].missing, 2, "another ann has approved nothing");
    assert!(!approve(&mut w, &cat, &change).unwrap());
    assert!(approve(&mut w, &again, &change).unwrap());
}

fn enrol(w: &mut World, by: &Peer, name: &str, role: Role) -> Changed<PrincipalView> {
    let new =
        NewPrincipal { name: name.into(), role, public_key: None, owner: None, unix_user: None };
    w.run(|l, now| l.add_principal(by, new, Some(format!("hash of {name}")), now)).unwrap()
}

fn knows(w: &World, name: &str) -> bool {
    w.state.principal_list().iter().any(|p| p.name == name)
}

#[test]
fn an_admin_cannot_meet_a_quorum_with_people_of_their_own_making() {
    let (mut w, [ann, bob, _, _], _) = with_quorum();
    assert!(matches!(enrol(&mut w, &ann, "dan", Role::Reviewer), Changed::Done(_)), "not counted");
    w.run(|l, now| l.remove_principal(&ann, "cat", now)).unwrap();
    let change = waiting(enrol(&mut w, &ann, "cat", Role::Reviewer));
    assert_eq!((change.missing, &change.may_approve), (1, &vec!["bob".into()]));
    assert!(!knows(&w, "cat"));
    assert_eq!(code(approve(&mut w, &ann, &change)), ErrorCode::AlreadyVoted);
    let cat = peer("cat", Role::Reviewer);
    assert!(w.state.still_known(&cat).is_err(), "nobody by that name may do anything yet");
    assert!(approve(&mut w, &bob, &change).unwrap());
    assert!(knows(&w, "cat") && w.state.still_known(&cat).is_ok());
    let row = w.disk.iter().rev().find_map(|write| match write {
        Write::Principal { row: Some(row), .. } => Some(row),
        _ => None,
    });
    assert_eq!(row.unwrap().token_hash.as_deref(), Some("hash of cat"), "the token it was given");
    let logged = w
        .disk
        .iter()
        .any(|write| matches!(write, Write::Audit { line, .. } if line.contains("hash of")));
    assert!(!logged, "the hash is nobody else's business");
    let last = kinds(&w).pop();
    assert_eq!(last.as_deref(), Some("principal_added"));
}

#[test]
fn a_role_asks_for_those_who_would_get_it_and_for_no_others() {
    let mut w = World::new();
    let ann = add(&mut w, "ann", Role::Admin);
    let bob = add(&mut w, "bob", Role::Admin);
    let two = Policy { kind: PolicyKind::Role, role: Some("admin".into()), ..quorum(2, &[]) };
    assert!(matches!(policy(&mut w, &ann, two), Changed::Done(_)));
    assert!(matches!(enrol(&mut w, &ann, "rev", Role::Reviewer), Changed::Done(_)));
    assert!(matches!(enrol(&mut w, &ann, "eye", Role::Viewer), Changed::Done(_)));
    let change = waiting(enrol(&mut w, &ann, "eve", Role::Admin));
    assert!(!approve(&mut w, &peer("rev", Role::Reviewer), &change).unwrap(), "no admin");
    w.run(|l, now| l.reject_change(&bob, change.id.as_str(), now)).unwrap();
    assert!(!knows(&w, "eve") && w.state.change_list(w.now).is_empty());
    let change = waiting(enrol(&mut w, &ann, "eve", Role::Admin));
    assert!(waiting(enrol(&mut w, &bob, "eve", Role::Admin)).id != change.id);
    let both = w.state.change_list(w.now);
    assert!(approve(&mut w, &bob, &change).unwrap() && knows(&w, "eve"));
    let other = both.iter().find(|c| c.id != change.id).unwrap();
    assert!(approve(&mut w, &ann, other).is_err(), "the name is taken by now");
}

#[test]
fn who_answers_for_an_agent_is_nothing_one_person_says_beside_a_quorum() {
    let (mut w, [ann, bob, ..], _) = with_quorum();
    let agent = |w: &mut World, name: &str, owner: Option<&str>| {
        let new = NewPrincipal {
            name: name.into(),
            role: Role::Agent,
            public_key: Some(format!("ssh-ed25519 AAAA{name}")),
            owner: owner.map(str::to_owned),
            unix_user: None,
        };
        w.run(|l, now| l.add_principal(&ann, new, None, now)).unwrap()
    };
    assert!(matches!(agent(&mut w, "mine", Some("ann")), Changed::Done(_)), "it takes ann out");
    let Changed::Done(hers) = agent(&mut w, "hers", None) else { panic!("it is hers as well") };
    assert_eq!(hers.owner.as_deref(), Some("ann"));
    let change = waiting(agent(&mut w, "bobs", Some("bob")));
    assert!(!knows(&w, "bobs"));
    assert!(approve(&mut w, &bob, &change).unwrap() && knows(&w, "bobs"));
}

#[test]
fn without_a_policy_for_several_one_admin_builds_a_team() {
    let mut w = World::new();
    let root = peer("root", Role::Owner);
    assert!(matches!(enrol(&mut w, &root, "ann", Role::Admin), Changed::Done(_)));
    let ann = peer("ann", Role::Admin);
    assert!(matches!(enrol(&mut w, &ann, "bob", Role::Reviewer), Changed::Done(_)));
    // A policy may name people who come later; until they do, the owner of the broker is enough.
    let wanted = quorum(2, &["root", "zoe"]);
    assert!(matches!(policy(&mut w, &root, wanted), Changed::Done(_)));
    waiting(enrol(&mut w, &ann, "zoe", Role::Reviewer));
    assert!(matches!(enrol(&mut w, &root, "zoe", Role::Reviewer), Changed::Done(_)));
}
