//! Wraps, with real processes in real user namespaces.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use expacti_protocol::uplink::{Isolation, WrapRegistration};

use super::process::Process;
use super::{Origin, PeerProcess, Wraps};

/// A process that waits, ended and reaped with this value.
pub(crate) struct Waiting(Child);

impl Waiting {
    /// In the namespace of this process, or in one that lies `depth` deeper; none where this system
    /// makes no user namespaces (with CI=true that is a failure).
    pub(crate) fn start(depth: usize) -> Option<Self> {
        let unshare = ["unshare", "--user", "--map-current-user"];
        let words = std::iter::repeat_n(unshare, depth).flatten();
        let mut words = words.chain(["sh", "-c", "echo ready; exec cat"]);
        let mut child = Command::new(words.next().unwrap())
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let waiting = Self(child);
        if line == "ready\n" {
            return Some(waiting);
        }
        assert!(std::env::var_os("CI").is_none_or(|v| v != "true"), "no user namespaces here");
        eprintln!("skipped: this system makes no user namespaces");
        None
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    fn process(&self) -> Process {
        Process::open(self.pid()).unwrap()
    }

    /// As the one at the other end of a connection.
    pub(crate) fn peer(&self) -> PeerProcess {
        PeerProcess::of_pid(self.pid())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a wrap says that holds by namespaces.
pub(crate) fn about(pid: u32) -> WrapRegistration {
    WrapRegistration {
        pid,
        agent: "bot".to_owned(),
        isolation: Isolation::Namespace,
        with: vec!["docker".to_owned()],
        ..WrapRegistration::default()
    }
}

/// A wrap, a process in its namespace, and the token.
fn wrap(wraps: &Wraps, inside: &Waiting) -> (Waiting, String) {
    let wrap = Waiting::start(0).unwrap();
    let grant = wraps.register(&wrap.peer(), about(wrap.pid())).unwrap();
    wraps.set_namespace(&grant.token, inside.pid()).unwrap();
    (wrap, grant.token)
}

#[test]
fn the_namespace_of_a_wrap_is_inside_and_so_is_what_is_made_in_it() {
    let wraps = Wraps::default();
    let (Some(inside), Some(elsewhere)) = (Waiting::start(1), Waiting::start(1)) else { return };
    let outside = Waiting::start(0).unwrap();
    assert_eq!(wraps.origin(&outside.peer(), true), Origin::Outside);
    assert_eq!(wraps.origin(&inside.peer(), true), Origin::Foreign);
    let (wrap, _) = wrap(&wraps, &inside);
    assert_eq!(wraps.origin(&inside.peer(), true), Origin::Wrapped);
    assert_eq!(wraps.origin(&outside.peer(), true), Origin::Outside);
    assert_eq!(wraps.origin(&elsewhere.peer(), true), Origin::Foreign);
    // By its namespace the wrap itself is outside; by its place in the process tree it is not.
    assert_eq!(wraps.origin(&wrap.peer(), false), Origin::Outside);
    assert_eq!(wraps.origin(&wrap.peer(), true), Origin::Wrapped);
    // When the wrap has ended, what it left is still not outside.
    drop(wrap);
    assert_eq!(wraps.origin(&inside.peer(), true), Origin::Foreign);
}

#[test]
fn a_namespace_in_the_namespace_of_a_wrap_is_inside() {
    let wraps = Wraps::default();
    let Some(nested) = Waiting::start(2) else { return };
    // The first of its two namespaces is the wrap's; the parent of the second.
    let wrap = Waiting::start(0).unwrap();
    let grant = wraps.register(&wrap.peer(), about(wrap.pid())).unwrap();
    let lineage = nested.process().lineage().unwrap();
    assert!(lineage.len() >= 3, "{lineage:?}");
    assert_eq!(wraps.origin(&nested.peer(), true), Origin::Foreign);
    let parent = lineage.into_iter().nth(1).unwrap();
    wraps.put_namespace(&grant.token, parent).unwrap();
    assert_eq!(wraps.origin(&nested.peer(), true), Origin::Wrapped);
}

#[test]
fn a_token_names_its_wrap_until_the_wrap_ends() {
    let wraps = Wraps::default();
    let wrap = Waiting::start(0).unwrap();
    let grant = wraps.register(&wrap.peer(), about(wrap.pid())).unwrap();
    // The broker has not seen a namespace yet.
    assert_eq!(wraps.check(&grant.token, None).unwrap().isolation, Isolation::PathOnly);
    for wrong in ["", "expacti_", &grant.token.replace(|c: char| c.is_ascii_digit(), "0")] {
        assert!(wraps.check(wrong, None).is_err(), "{wrong}");
        assert!(wraps.set_namespace(wrong, wrap.pid()).is_err(), "{wrong}");
    }
    if let Some(inside) = Waiting::start(1) {
        wraps.set_namespace(&grant.token, inside.pid()).unwrap();
        assert_eq!(wraps.check(&grant.token, None).unwrap(), about(wrap.pid()));
    }
    drop(wrap);
    assert!(wraps.check(&grant.token, None).is_err());
}

#[test]
fn a_wrap_is_registered_by_itself_or_by_its_child() {
    let wraps = Wraps::default();
    let (one, other) = (Waiting::start(0).unwrap(), Waiting::start(0).unwrap());
    let this = std::process::id();
    wraps.register(&one.peer(), about(one.pid())).unwrap();
    wraps.register(&one.peer(), about(this)).unwrap();
    for pid in [other.pid(), 1, 0, 1 << 23, u32::MAX] {
        assert!(wraps.register(&one.peer(), about(pid)).is_err(), "{pid}");
    }
    // A grandchild is not a child.
    let parent = expacti_protocol::ancestry::stat(this).unwrap().parent;
    assert!(wraps.register(&one.peer(), about(parent)).is_err());
    let gone = one.peer();
    drop(one);
    assert!(wraps.register(&gone, about(this)).is_err());
}

#[test]
fn the_brokers_own_namespace_is_never_a_wraps() {
    let wraps = Wraps::default();
    let (wrap, here) = (Waiting::start(0).unwrap(), Waiting::start(0).unwrap());
    let grant = wraps.register(&wrap.peer(), about(wrap.pid())).unwrap();
    // Their own, that of the first process of the system, and that of nobody.
    for pid in [here.pid(), std::process::id(), 1, 1 << 23] {
        assert!(wraps.set_namespace(&grant.token, pid).is_err(), "{pid}");
    }
    assert_eq!(wraps.origin(&here.peer(), true), Origin::Outside);
    let (Some(first), Some(second)) = (Waiting::start(1), Waiting::start(1)) else { return };
    wraps.set_namespace(&grant.token, first.pid()).unwrap();
    wraps.set_namespace(&grant.token, first.pid()).unwrap();
    assert!(wraps.set_namespace(&grant.token, second.pid()).is_err());
}

#[test]
fn an_ended_process_is_not_outside() {
    let wraps = Wraps::default();
    let peer = Waiting::start(0).unwrap().peer();
    assert_eq!(wraps.origin(&peer, true), Origin::Gone);
    assert_eq!(wraps.origin(&peer, false), Origin::Gone);
}
