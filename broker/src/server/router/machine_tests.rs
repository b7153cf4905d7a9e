//! The broker of a whole machine, as its users see it.
#![cfg(target_os = "linux")]

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use expacti_protocol::http::{NewPrincipal, PrincipalAdded, UnixUser};
use expacti_protocol::principal::Role;
use expacti_protocol::uplink::{Isolation, WrapRegistration};

use super::super::shared::Conn;
use super::tests::{ask, broker, routes, tokens};
use crate::broker::Broker;
use crate::state::Peer;
use crate::users::user_name;
use crate::wraps::tests::{Waiting, about};

/// A user of the machine of whom the broker knows nothing.
const STRANGER: u32 = 61_999;
/// A user that every system has.
const SOMEBODY: u32 = 65_534;

/// None where the broker cannot be that of a machine.
async fn machine(dir: &tempfile::TempDir) -> Option<Broker> {
    let broker = broker(dir).await;
    match broker.set_machine() {
        Ok(()) => Some(broker),
        Err(why) => {
            assert!(std::env::var_os("CI").is_none_or(|v| v != "true"), "{why}");
            eprintln!("skipped: {why}");
            None
        }
    }
}

fn owner() -> Peer {
    Peer { name: "expacti".to_owned(), role: Role::Owner, inside_wrap: false }
}

fn person(name: &str, role: Role, uid: u32) -> NewPrincipal {
    let unix_user = Some(UnixUser { name: user_name(uid), uid });
    NewPrincipal { name: name.to_owned(), role, public_key: None, owner: None, unix_user }
}

#[tokio::test]
async fn a_user_who_is_nobody_may_wrap_and_ask_for_the_status() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = machine(&dir).await else { return };
    let tokens = tokens(&broker).await;
    let outside = Waiting::start(0).unwrap();
    let conn = |uid| Conn::Local { uid, process: Arc::new(outside.peer()) };
    let open = ["/healthz", "/readyz", "/v1/openapi.json", "/v1/status", "/v1/wraps"];
    let mut refused = 0;
    for (path, methods) in routes() {
        for method in &methods {
            // Whatever token is shown: also the owner's would open nothing.
            for token in &tokens {
                let token = token.as_deref();
                let (status, said) = ask(&broker, &conn(Some(STRANGER)), method, path, token).await;
                if path == "/v1/wraps/namespace" {
                    // Looks at the wrap itself.
                    assert_eq!(status, StatusCode::BAD_REQUEST, "{said}");
                } else if open.contains(&path) {
                    let why = "is no reviewer of this machine";
                    assert!(!said.contains(why), "{method} {path}: {said}");
                } else {
                    assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}: {said}");
                    assert!(said.contains("is no reviewer of this machine"), "{path}: {said}");
                    refused += 1;
                }
                // Of whom the system says nothing, nobody.
                let (status, said) = ask(&broker, &conn(None), method, path, token).await;
                let harmless = ["/healthz", "/readyz", "/v1/openapi.json"].contains(&path);
                assert!(harmless || status == StatusCode::FORBIDDEN, "{method} {path}: {said}");
            }
        }
    }
    assert!(refused > 40 * tokens.len(), "{refused}");
    // Root is the owner, and so is the service itself.
    for uid in [0, rustix::process::geteuid().as_raw()] {
        let (status, said) =
            ask(&broker, &conn(Some(uid)), &Method::GET, "/v1/principals", None).await;
        assert_eq!(status, StatusCode::OK, "{said}");
    }
}

#[tokio::test]
async fn a_registered_user_is_that_person_and_no_token_makes_more_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = machine(&dir).await else { return };
    let tokens = tokens(&broker).await;
    let outside = Waiting::start(0).unwrap();
    let conn = |uid| Conn::Local { uid: Some(uid), process: Arc::new(outside.peer()) };
    let alice = person("alice", Role::Reviewer, SOMEBODY);
    let PrincipalAdded::Done(added) = broker.add_principal(owner(), alice).await.unwrap() else {
        unreachable!("no policy asks for approval")
    };
    assert_eq!(added.token, None, "a token that opens nothing");
    let get = async |path: &str, token: Option<&str>| {
        ask(&broker, &conn(SOMEBODY), &Method::GET, path, token).await
    };
    let (status, said) = get("/v1/pending", None).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    for token in &tokens {
        let (_, said) = get("/v1/status", token.as_deref()).await;
        assert!(said.contains(r#""principal":"alice","role":"reviewer""#), "{said}");
        let (status, said) =
            ask(&broker, &conn(SOMEBODY), &Method::POST, "/v1/shutdown", token.as_deref()).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{said}");
    }
    // Another number, or the same number with another name, is somebody else.
    let (status, _) = ask(&broker, &conn(STRANGER), &Method::GET, "/v1/pending", None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let found = async |uid: u32, name: &'static str| {
        broker.handle.run(move |s, _, _| Ok(s.person_of_unix_user(uid, name))).await.unwrap()
    };
    assert_eq!(found(SOMEBODY, "somebody-else").await, None);
    // One user is one person, root is the owner, and only a person is a user.
    for (name, role, uid) in [
        ("bob", Role::Admin, SOMEBODY),
        ("carol", Role::Admin, 0),
        ("edge", Role::Gate, STRANGER),
        ("bot", Role::Agent, STRANGER),
    ] {
        let refused = broker.add_principal(owner(), person(name, role, uid)).await;
        assert!(refused.is_err(), "{name}");
    }
    let removed = broker
        .handle
        .run(|state, _, now| state.remove_principal(&owner(), "alice", now))
        .await
        .unwrap();
    assert_eq!(removed.name, "alice");
    let (status, _) = get("/v1/pending", None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn nobody_speaks_for_another_user() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = machine(&dir).await else { return };
    let outside = Waiting::start(0).unwrap();
    let own = rustix::process::geteuid().as_raw();
    let wraps = &broker.shared.wraps;
    let said = |pid| WrapRegistration {
        agent: "alice/claude".to_owned(),
        owner: Some("mallory".to_owned()),
        unix_user: Some("alice".to_owned()),
        ..about(pid)
    };
    let of = |uid, role, about| {
        let peer = Peer { name: user_name(uid), role, inside_wrap: false };
        super::super::machine::of_user(uid, &peer, about)
    };
    let about = of(SOMEBODY, Role::Agent, said(outside.pid()));
    let name = user_name(SOMEBODY);
    assert_eq!(about.agent, format!("{name}/alice/claude"));
    assert_eq!((about.owner, about.unix_user), (Some(name.clone()), Some(name)));
    // A reviewer's own programs are nobody's, as on a machine of one person.
    assert_eq!(of(SOMEBODY, Role::Reviewer, said(1)).owner, None);
    // The process of another user is not taken for a wrap: everybody below would be inside.
    let peer = outside.peer();
    assert!(wraps.register_of(&peer, STRANGER, said(outside.pid())).is_err());
    let grant = wraps.register_of(&peer, own, said(outside.pid())).unwrap();
    // A token is good for the user whose wrap it is.
    assert!(wraps.check(&grant.token, Some(own)).is_ok());
    for other in [Some(STRANGER), Some(0).filter(|_| own != 0), None] {
        assert!(wraps.check(&grant.token, other).is_err(), "{other:?}");
    }
    // Isolation is vouched for once a process was seen in another namespace, of the same user.
    let isolation = || wraps.check(&grant.token, Some(own)).unwrap().isolation;
    assert_eq!(isolation(), Isolation::PathOnly);
    assert!(wraps.see_namespace_of(&grant.token, outside.pid(), own).is_err());
    let Some(inside) = Waiting::start(1) else { return };
    assert!(wraps.see_namespace_of(&grant.token, inside.pid(), STRANGER).is_err());
    assert!(wraps.see_namespace_of("no token", inside.pid(), own).is_err());
    assert_eq!(isolation(), Isolation::PathOnly);
    wraps.see_namespace_of(&grant.token, inside.pid(), own).unwrap();
    assert_eq!(isolation(), Isolation::Namespace);
    // And whoever lives there is refused, though no namespace is held.
    let conn = Conn::Local { uid: Some(own), process: Arc::new(inside.peer()) };
    let (status, _) = ask(&broker, &conn, &Method::GET, "/v1/pending", None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    // The wraps of one user are bounded.
    let more = (0..1000).take_while(|_| wraps.register_of(&peer, own, said(outside.pid())).is_ok());
    assert!(more.count() < 1000);
}
