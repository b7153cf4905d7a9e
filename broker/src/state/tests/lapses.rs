//! What somebody approved lapses with them, also when somebody comes by their name later.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use expacti_engine::{Level, Policy, Scope};
use expacti_protocol::command::CommandState;
use expacti_protocol::http::RuleView;
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::ErrorCode;

use super::changes::{approve, waiting};
use super::items::{add, quorum};
use super::scope::{set, target};
use super::world::*;
use crate::state::Loaded;

fn state_of(w: &mut World, command: &str) -> CommandState {
    let session = w.session();
    let id = w.submit(&session, command);
    w.state.commands.get(&id).unwrap().view.state
}

#[test]
fn a_rule_does_not_come_back_with_the_name_of_who_approved_it() {
    let mut w = World::new();
    let root = peer("root", Role::Owner);
    let ann = add(&mut w, "ann", Role::Admin);
    let allow = w.run(|l, now| l.add_rule(&ann, rule("uptime"), now)).unwrap().rule.id;
    assert_eq!(state_of(&mut w, "uptime"), CommandState::Released);
    w.run(|l, now| l.remove_principal(&root, "ann", now)).unwrap();
    assert_eq!(state_of(&mut w, "uptime"), CommandState::Pending);
    w.pass(Duration::from_secs(1));
    let ann = add(&mut w, "ann", Role::Admin);
    assert_eq!(state_of(&mut w, "uptime"), CommandState::Pending, "another ann");
    // Who is there now may approve it anew.
    w.run(|l, now| l.approve_rule(&ann, &allow, now)).unwrap();
    assert_eq!(state_of(&mut w, "uptime"), CommandState::Released);
}

#[test]
fn a_rule_of_an_earlier_version_ends_with_its_author_too() {
    let now = World::new().now;
    let mut old = rule("uptime");
    (old.id, old.author) = ("rule_old".into(), "ann".into());
    old.created_at = now.micros - 60_000_000;
    let view = RuleView { rule: old, approvals: Vec::new() };
    let mut w = World::with(Loaded { rules: vec![view], ..Loaded::default() });
    add(&mut w, "ann", Role::Admin);
    assert_eq!(state_of(&mut w, "uptime"), CommandState::Pending, "she came after it was made");
}

#[test]
fn one_of_two_who_approved_a_rule_is_too_few() {
    let mut w = World::new();
    let root = peer("root", Role::Owner);
    let (ann, bob) = (add(&mut w, "ann", Role::Admin), add(&mut w, "bob", Role::Admin));
    add(&mut w, "cat", Role::Admin);
    w.run(|l, now| l.add_policy(&root, quorum(2, &["ann", "bob", "cat"]), now)).unwrap();
    let id = w.run(|l, now| l.add_rule(&ann, rule("uptime"), now)).unwrap().rule.id;
    w.run(|l, now| l.approve_rule(&bob, &id, now)).unwrap();
    assert_eq!(state_of(&mut w, "uptime"), CommandState::Released);
    w.run(|l, now| l.remove_principal(&root, "bob", now)).unwrap();
    assert_eq!(state_of(&mut w, "uptime"), CommandState::Pending);
}

#[test]
fn a_vote_does_not_come_back_with_the_name_of_who_gave_it() {
    let mut w = World::new();
    let root = peer("root", Role::Owner);
    let (ann, bob) = (add(&mut w, "ann", Role::Admin), add(&mut w, "bob", Role::Reviewer));
    w.run(|l, now| l.add_policy(&root, quorum(2, &["ann", "bob"]), now)).unwrap();
    let session = w.session();
    let id = w.submit(&session, "uptime");
    assert_eq!(w.decide(&ann, &id, true).unwrap(), CommandState::Pending);
    w.run(|l, now| l.remove_principal(&root, "ann", now)).unwrap();
    // A policy would count her: whoever is left of its people has to approve that.
    add(&mut w, "ann", Role::Admin);
    let change = w.state.change_list(w.now).remove(0);
    assert!(approve(&mut w, &bob, &change).unwrap());
    assert_eq!(w.decide(&bob, &id, true).unwrap(), CommandState::Pending, "one of two");
    assert_eq!(w.decide(&ann, &id, true).unwrap(), CommandState::Allowed);
}

#[test]
fn a_rule_that_allows_on_a_target_is_moved_to_no_other_machine_by_one_person() {
    let mut w = World::new();
    let root = peer("root", Role::Owner);
    let (ann, bob) = (add(&mut w, "ann", Role::Admin), add(&mut w, "bob", Role::Admin));
    set(&mut w, &ann, &target("web-1", "10.0.0.1", 1, &[])).unwrap();
    // Two are needed everywhere, and have approved a rule for one machine.
    w.run(|l, now| l.add_policy(&root, quorum(2, &["ann", "bob"]), now)).unwrap();
    let scope = Scope { target: Some("web-*".into()), ..Scope::default() };
    let id = {
        let mut rule = rule("uptime");
        rule.scope = scope;
        w.run(|l, now| l.add_rule(&ann, rule, now)).unwrap().rule.id
    };
    w.run(|l, now| l.approve_rule(&bob, &id, now)).unwrap();
    for moved in ["web-1", "web-9"] {
        let change = waiting(set(&mut w, &ann, &target(moved, "10.0.0.9", 9, &[])).unwrap());
        assert_eq!(code(approve(&mut w, &ann, &change)), ErrorCode::AlreadyVoted);
        assert!(change.needs.iter().any(|why| !why.is_empty()), "{change:?}");
    }
}

#[test]
fn a_tag_that_raises_the_level_of_a_policy_is_taken_away_by_nobody_alone() {
    let mut w = World::new();
    let root = peer("root", Role::Owner);
    let ann = add(&mut w, "ann", Role::Admin);
    add(&mut w, "bob", Role::Admin);
    let tagged = target("web-1", "10.0.0.1", 1, &["production"]);
    set(&mut w, &ann, &tagged).unwrap();
    let high = Policy { min_level: Some(Level::High), ..quorum(2, &["ann", "bob"]) };
    w.run(|l, now| l.add_policy(&root, high, now)).unwrap();
    waiting(set(&mut w, &ann, &target("web-1", "10.0.0.1", 1, &[])).unwrap());
    assert_eq!(w.state.target_list(), [tagged]);
}
