//! What decides whom and what restrictions are about: names of machines, owners of agents, pauses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use base64::Engine as _;
use expacti_engine::{Effect, Policy, Scope};
use expacti_protocol::command::CommandState;
use expacti_protocol::http::{Changed, NewPrincipal, NewSigningKey, Target, Wanted, WantedAgent};
use expacti_protocol::ids::SessionId;
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::ErrorCode;
use expacti_protocol::session::SessionInfo;

use super::changes::{approve, waiting};
use super::items::{add, quorum};
use super::world::*;
use crate::state::{Peer, Refusal};

/// A public key that differs by this byte only.
pub(super) fn public_key(byte: u8) -> String {
    let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
    blob.extend([byte; 32]);
    format!("ssh-ed25519 {}", base64::engine::general_purpose::STANDARD.encode(blob))
}

pub(super) fn fingerprint(byte: u8) -> String {
    expacti_signing::fingerprint_of_any(&public_key(byte)).unwrap()
}

pub(super) fn target(name: &str, host: &str, key: u8, tags: &[&str]) -> Target {
    Target {
        name: name.into(),
        user: "deploy".into(),
        host: host.into(),
        port: 22,
        host_keys: vec![public_key(key)],
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        logins: Vec::new(),
    }
}

pub(super) fn set(w: &mut World, by: &Peer, target: &Target) -> Result<Changed<Target>, Refusal> {
    w.run(|l, now| l.add_target(by, target.clone(), now))
}

/// A session of the agent `bot`, behind which boss stands.
pub(super) fn open(
    w: &mut World,
    name: &str,
    host: &str,
    key: Option<u8>,
    user: &str,
) -> SessionId {
    let info = SessionInfo {
        agent: "bot".into(),
        owner: Some("boss".into()),
        target: name.into(),
        host: host.into(),
        port: 22,
        user: user.into(),
        host_key_sha256: key.map(fingerprint),
        ..SessionInfo::default()
    };
    w.run(|state, now| state.open_session(GATE, info, now)).unwrap()
}

pub(super) fn session_on(w: &mut World, name: &str, host: &str, key: Option<u8>) -> SessionId {
    open(w, name, host, key, "deploy")
}

/// How many approvals `uptime` needs on a target of that name at that address.
fn needed(w: &mut World, name: &str, host: &str, key: Option<u8>) -> u32 {
    let session = session_on(w, name, host, key);
    let id = w.submit(&session, "uptime");
    w.state.commands.get(&id).unwrap().view.requirement.needed()
}

/// A world in which two of ann, bob and cat are needed on `prod`, or on what is tagged so.
pub(super) fn world(by_tag: bool) -> (World, [Peer; 3]) {
    let mut w = World::new();
    let ann = add(&mut w, "ann", Role::Admin);
    let bob = add(&mut w, "bob", Role::Reviewer);
    let cat = add(&mut w, "cat", Role::Reviewer);
    let prod = target("prod", "10.0.0.1", 1, &["production"]);
    assert!(matches!(set(&mut w, &ann, &prod).unwrap(), Changed::Done(_)));
    let wanted = quorum(2, &["ann", "bob", "cat"]);
    let wanted = if by_tag {
        Policy { tags: vec!["production".into()], ..wanted }
    } else {
        Policy { target: Some("prod".into()), ..wanted }
    };
    w.run(|l, now| l.add_policy(&ann, wanted, now)).unwrap();
    (w, [ann, bob, cat])
}

#[test]
fn a_machine_is_restricted_by_whatever_name_it_goes() {
    for by_tag in [false, true] {
        let (mut w, [ann, bob, _]) = world(by_tag);
        assert_eq!(needed(&mut w, "prod", "10.0.0.1", Some(1)), 2);
        // Names that nobody registered: by the address, and by the key that the machine shows.
        assert_eq!(needed(&mut w, "x", "10.0.0.1", None), 2);
        assert_eq!(needed(&mut w, "x", "other.example", Some(1)), 2);
        assert_eq!(needed(&mut w, "x", "other.example", Some(9)), 1);
        // A second name takes others' approval, and is no way round them, also with a policy of its own.
        let alias = target("dev", "10.0.0.1", 2, &["development"]);
        let change = waiting(set(&mut w, &ann, &alias).unwrap());
        assert_eq!(change.missing, 1);
        assert!(approve(&mut w, &bob, &change).unwrap());
        let weak = Policy { target: Some("dev".into()), ..Policy::any("", "uptime") };
        let added = w.run(|l, now| l.add_policy(&ann, weak, now)).unwrap();
        if let Changed::Waiting { change } = added {
            approve(&mut w, &bob, &change).unwrap();
        }
        assert_eq!(needed(&mut w, "dev", "10.0.0.1", Some(2)), 2);
        // Also for a session that was open before the name was known.
        let (mut w, [ann, bob, _]) = world(by_tag);
        let session = session_on(&mut w, "later", "db.example", None);
        let later = target("later", "db.example", 1, &[]);
        let change = waiting(set(&mut w, &ann, &later).unwrap());
        approve(&mut w, &bob, &change).unwrap();
        let id = w.submit(&session, "uptime");
        assert_eq!(w.state.commands.get(&id).unwrap().view.requirement.needed(), 2);
    }
}

#[test]
fn denying_rules_follow_the_machine_and_allowing_ones_do_not() {
    let (mut w, [ann, bob, _]) = world(false);
    let scoped = |effect, target: &str| {
        let scope = Scope { target: Some(target.into()), ..Scope::default() };
        let mut rule = rule("uptime");
        (rule.effect, rule.scope) = (effect, scope);
        rule
    };
    w.run(|l, now| l.add_rule(&ann, scoped(Effect::Deny, "prod"), now)).unwrap();
    let session = session_on(&mut w, "x", "10.0.0.1", None);
    let id = w.submit(&session, "uptime");
    assert!(w.state.commands.get(&id).is_none_or(|c| c.view.state == CommandState::Denied));
    // What is allowed on another name of the same machine is not allowed here.
    let mut w = World::new();
    let ann = {
        drop(bob);
        add(&mut w, "ann", Role::Admin)
    };
    set(&mut w, &ann, &target("dev", "10.0.0.1", 1, &[])).unwrap();
    w.run(|l, now| l.add_rule(&ann, scoped(Effect::Allow, "dev"), now)).unwrap();
    let session = session_on(&mut w, "x", "10.0.0.1", Some(1));
    let id = w.submit(&session, "uptime");
    assert_eq!(w.state.commands.get(&id).unwrap().view.state, CommandState::Pending);
    let session = session_on(&mut w, "dev", "10.0.0.1", Some(1));
    let id = w.submit(&session, "uptime");
    assert_eq!(w.state.commands.get(&id).unwrap().view.state, CommandState::Released);
}

#[test]
fn nobody_alone_says_what_a_target_is() {
    for by_tag in [false, true] {
        let (mut w, [ann, bob, cat]) = world(by_tag);
        let prod = target("prod", "10.0.0.1", 1, &["production"]);
        // As it is, it is no change.
        assert!(matches!(set(&mut w, &ann, &prod).unwrap(), Changed::Done(_)));
        let moves = [
            target("prod", "10.0.0.2", 1, &["production"]),
            target("prod", "10.0.0.1", 2, &["production"]),
            target("prod", "10.0.0.1", 1, &[]),
            target("fresh", "10.0.0.9", 9, &[]),
            Target { logins: vec!["deploy".into(), "root".into()], ..prod.clone() },
        ];
        for moved in &moves {
            let change = waiting(set(&mut w, &ann, moved).unwrap());
            assert_eq!(w.state.target_list(), std::slice::from_ref(&prod));
            w.run(|l, now| l.reject_change(&bob, change.id.as_str(), now)).unwrap();
        }
        let removal = w.run(|l, now| l.remove_target(&ann, "prod", now)).unwrap();
        let removal = waiting(removal);
        assert!(approve(&mut w, &cat, &removal).unwrap());
        assert!(w.state.target_list().is_empty());
        // Taken away and put back under another name: that takes them again.
        waiting(set(&mut w, &ann, &target("other", "10.0.0.1", 1, &[])).unwrap());
    }
    // Where nothing goes by targets, one admin is enough.
    let mut w = World::new();
    let ann = add(&mut w, "ann", Role::Admin);
    assert!(matches!(set(&mut w, &ann, &target("a", "h", 1, &[])).unwrap(), Changed::Done(_)));
    let removed = w.run(|l, now| l.remove_target(&ann, "a", now)).unwrap();
    assert!(matches!(removed, Changed::Done(_)));
}

pub(super) fn agent(
    w: &mut World,
    by: &Peer,
    name: &str,
    key: u8,
    owner: Option<&str>,
) -> Result<(), Refusal> {
    let new = NewPrincipal {
        name: name.into(),
        role: Role::Agent,
        public_key: Some(public_key(key)),
        owner: owner.map(str::to_owned),
        unix_user: None,
    };
    w.run(|l, now| l.add_principal(by, new, None, now)).map(drop)
}

#[test]
fn whoever_stood_behind_an_agent_stays_there() {
    let mut w = World::new();
    let ann = add(&mut w, "ann", Role::Admin);
    let bob = add(&mut w, "bob", Role::Admin);
    assert_eq!(code(agent(&mut w, &ann, "bot", 7, Some("zoe"))), ErrorCode::Invalid, "who is zoe?");
    agent(&mut w, &ann, "bot", 7, None).unwrap();
    let session = w.session();
    let id = w.submit(&session, "uptime");
    assert_eq!(code(w.decide(&ann, &id, true)), ErrorCode::NotEntitled);
    // Removed, and added again as somebody else's: by its name, and by its key.
    for (name, key) in [("bot", 8), ("other", 7)] {
        w.run(|l, now| l.remove_principal(&ann, "bot", now)).unwrap();
        agent(&mut w, &bob, name, key, Some("bob")).unwrap();
        let info = SessionInfo {
            agent: name.into(),
            owner: Some("bob".into()),
            target: "web-1".into(),
            ..SessionInfo::default()
        };
        let session = w.run(|state, now| state.open_session(GATE, info, now)).unwrap();
        let id = w.submit(&session, "uptime");
        for person in [&ann, &bob] {
            assert_eq!(
                code(w.decide(person, &id, true)),
                ErrorCode::NotEntitled,
                "{}",
                person.name
            );
        }
        let may = w.state.may_decide(&w.state.commands.get(&id).unwrap().view, &[]);
        assert_eq!(may, ["root"]);
        if name == "bot" {
            continue;
        }
        // Nor does a rule of theirs allow anything for it.
        w.run(|l, now| l.add_rule(&ann, rule("uptime"), now)).unwrap();
        let id = w.submit(&session, "uptime");
        assert_eq!(w.state.commands.get(&id).unwrap().view.state, CommandState::Pending);
    }
}

#[test]
fn a_rule_ends_with_the_people_who_approved_it() {
    let mut w = World::new();
    let ann = add(&mut w, "ann", Role::Admin);
    w.run(|l, now| l.add_rule(&ann, rule("uptime"), now)).unwrap();
    let session = w.session();
    let state = |w: &mut World| {
        let id = w.submit(&session, "uptime");
        w.state.commands.get(&id).map_or(CommandState::Released, |c| c.view.state)
    };
    assert_eq!(state(&mut w), CommandState::Released);
    let root = peer("root", Role::Owner);
    w.run(|l, now| l.remove_principal(&root, "ann", now)).unwrap();
    assert_eq!(state(&mut w), CommandState::Pending);
}

#[test]
fn a_pause_holds_until_somebody_who_is_not_behind_the_agent_ends_it() {
    let mut w = World::new();
    let ann = add(&mut w, "ann", Role::Admin);
    let boss = add(&mut w, "boss", Role::Admin);
    w.run(|l, now| l.add_rule(&ann, rule("uptime"), now)).unwrap();
    let session = w.session();
    w.run(|l, now| l.pause(&ann, &session, true, now)).unwrap();
    let resume = |w: &mut World, by: &Peer, id: &SessionId| {
        w.run(|l, now| l.pause(by, id, false, now)).map(|view| view.paused)
    };
    assert_eq!(code(resume(&mut w, &boss, &session)), ErrorCode::NotEntitled);
    let held = |w: &mut World, session: &SessionId| {
        let id = w.submit(session, "uptime");
        w.state.commands.get(&id).is_some_and(|c| c.view.state == CommandState::Pending)
    };
    assert!(held(&mut w, &session));
    // Connecting again, at once or much later, is no way out of it.
    w.run(|l, now| l.close_session(GATE, &session, now)).unwrap();
    w.pass(std::time::Duration::from_secs(86_400));
    let again = w.session();
    assert!(held(&mut w, &again));
    assert_eq!(code(resume(&mut w, &boss, &again)), ErrorCode::NotEntitled);
    let second = w.session();
    assert!(!resume(&mut w, &ann, &again).unwrap());
    for session in [&again, &second] {
        assert!(!held(&mut w, session), "its work goes on, in all its connections");
    }
    // What they paused themselves they let go on.
    w.run(|l, now| l.pause(&boss, &again, true, now)).unwrap();
    assert!(!resume(&mut w, &boss, &again).unwrap());
}

#[test]
fn a_key_for_somebody_who_signs_takes_what_a_policy_asks() {
    let (mut w, [ann, bob, _]) = world(false);
    let key =
        |person: &str, byte| NewSigningKey { person: person.into(), public_key: public_key(byte) };
    let first = w.run(|l, now| l.add_signing_key(&bob, &key("bob", 20), now)).unwrap();
    assert!(matches!(first, Changed::Done(_)));
    // Ann could sign as bob.
    let change = waiting(w.run(|l, now| l.add_signing_key(&ann, &key("bob", 21), now)).unwrap());
    assert_eq!(w.state.signing_key_list().len(), 1);
    assert!(approve(&mut w, &bob, &change).unwrap());
    assert_eq!(w.state.signing_key_list().len(), 2);
    // Whoever has had one allows nothing without.
    for byte in [20, 21] {
        let old = fingerprint(byte);
        w.run(|l, now| l.remove_signing_key(&ann, &old, now)).unwrap();
    }
    let session = w.session();
    let id = w.submit(&session, "uptime");
    assert_eq!(code(w.decide(&bob, &id, true)), ErrorCode::NotEntitled);
    assert_eq!(
        code(w.run(|l, now| l.add_signing_key(&bob, &key("bob", 22), now))),
        ErrorCode::NotEntitled
    );
    assert_eq!(w.decide(&bob, &id, false).unwrap(), CommandState::Denied);
}

#[test]
fn a_file_is_one_change() {
    let (mut w, [ann, bob, _]) = world(false);
    let apply = |w: &mut World, wanted: &Wanted| w.run(|l, now| l.apply(&ann, wanted, now));
    let claude =
        WantedAgent { name: "claude".into(), public_key: public_key(30), owner: "bob".into() };
    let wanted = Wanted {
        agents: Some(vec![claude.clone()]),
        targets: Some(vec![target("web-1", "10.0.0.7", 7, &["web"])]),
        rules: Some(vec![rule("uptime")]),
        policies: Some(vec![Policy::any("", "reboot")]),
        prune: true,
        dry_run: true,
    };
    let Changed::Done(said) = apply(&mut w, &wanted).unwrap() else { panic!("only said") };
    assert_eq!(said.steps.len(), 6, "{:?}", said.steps);
    assert_eq!(said.needs.len(), 1, "the policy that it removes asks");
    assert_eq!(said.may_approve, ["bob", "cat"]);
    assert!(w.state.change_list(w.now).is_empty());
    // All of it waits, and is done with one more approval, or not at all.
    let wanted = Wanted { dry_run: false, ..wanted };
    let change = waiting(apply(&mut w, &wanted).unwrap());
    let before = (w.state.target_list(), w.state.policy_list(), w.state.rule_list());
    assert!(before.2.is_empty() && before.0[0].name == "prod");
    assert!(approve(&mut w, &bob, &change).unwrap());
    assert_eq!(w.state.target_list()[0].name, "web-1");
    assert_eq!(w.state.policy_list()[0].pattern, "reboot");
    let rules = w.state.rule_list();
    let by: Vec<_> = rules[0].approvals.iter().map(|approval| approval.by.as_str()).collect();
    assert_eq!(by, ["ann", "bob"], "whoever approved the file has approved the rule");
    assert!(w.state.principal_list().iter().any(|p| p.name == "claude"));
    // As it is now, nothing is to be done.
    let Changed::Done(said) = apply(&mut w, &wanted).unwrap() else { panic!("nothing to do") };
    assert_eq!(said.steps, []);
    // What one part refuses refuses all.
    let before = (w.state.target_list(), w.state.rule_list());
    let bad = Wanted {
        agents: Some(vec![
            claude,
            WantedAgent { name: "x".into(), public_key: public_key(30), owner: "bob".into() },
        ]),
        targets: Some(Vec::new()),
        ..wanted.clone()
    };
    assert!(apply(&mut w, &bad).is_err());
    assert_eq!((w.state.target_list(), w.state.rule_list()), before);
    let twice = target("a", "h", 1, &[]);
    let twice = Wanted { targets: Some(vec![twice.clone(), twice]), ..Wanted::default() };
    assert_eq!(code(apply(&mut w, &twice)), ErrorCode::Invalid);
}
