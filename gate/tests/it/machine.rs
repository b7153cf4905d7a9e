//! A gate that serves a whole machine: what a wrap says of its target only chooses one of the registered ones.

use std::path::Path;

use expacti_protocol::gate::GateRequest;
use expacti_protocol::http::Target;
use expacti_protocol::session::SessionInfo;
use expacti_protocol::uplink::{HostKeyChecking, TargetRoute, Uplink};

use crate::broker::Mode;
use crate::trial::{Trial, keygen, other_key, private_dir, user};

/// A gate with a key of its own, which the target accepts beside another.
async fn machine(keys: &Path) -> Option<Trial> {
    keygen(&keys.join("own"), "ed25519");
    let own = keys.join("own");
    let t = Trial::configured(
        Mode::Auto,
        |config| {
            config.machine = true;
            config.identities = vec![own];
        },
        "",
    )
    .await?;
    let both =
        [t.path("id.pub"), keys.join("own.pub")].map(|p| std::fs::read_to_string(p).unwrap());
    std::fs::write(t.path("id.pub"), both.concat()).unwrap();
    Some(t)
}

fn registered(t: &Trial, change: impl FnOnce(&mut Target)) {
    let mut target = Target {
        name: "web".to_owned(),
        user: user(),
        host: "127.0.0.1".to_owned(),
        port: t.sshd.port,
        host_keys: vec![std::fs::read_to_string(t.path("host_ed25519.pub")).unwrap()],
        tags: Vec::new(),
        logins: Vec::new(),
    };
    change(&mut target);
    t.broker.set_targets(vec![target]);
}

/// A route that would have the gate run a program, read files and believe any host key.
fn hostile(t: &Trial, uplink: &mut Uplink) {
    let run = format!("touch {}", t.path("transport").display());
    uplink.route = TargetRoute {
        transport: Some(vec!["sh".to_owned(), "-c".to_owned(), run]),
        identity_files: vec![t.path("id").display().to_string()],
        identity_agent: Some(t.path("agent").display().to_string()),
        known_hosts_files: vec![t.path("nothing").display().to_string()],
        known_hosts_add: Some(t.path("added").display().to_string()),
        host_key_checking: HostKeyChecking::Off,
        host_key_alias: Some("other".to_owned()),
        ..uplink.route.clone()
    };
}

fn sessions(t: &Trial) -> Vec<SessionInfo> {
    let opened = |request| match request {
        GateRequest::OpenSession { session, .. } => Some(session),
        _ => None,
    };
    t.broker.log().into_iter().filter_map(opened).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_registered_targets_are_reached_and_by_what_was_registered() {
    let keys = private_dir();
    let Some(t) = machine(keys.path()).await else { return };
    // Nothing is registered.
    for library in [false, true] {
        t.uplink_header(|u| {
            hostile(&t, u);
            u.library = library;
        });
        let out = t.run(&["x", "echo ran"]).await;
        assert!(out.stdout.is_empty() && !out.status.success(), "{}", text(&out.stdout));
        let said = text(&out.stderr);
        assert!(said.contains("is not registered") && said.contains("target add"), "{said}");
    }
    assert!(sessions(&t).is_empty());
    // By its address, and by its name.
    registered(&t, |_| {});
    for name in [None, Some("web")] {
        t.uplink_header(|u| {
            hostile(&t, u);
            if let Some(name) = name {
                (u.route.host, u.route.port) = (name.to_owned(), 22);
            }
        });
        let out = t.run(&["x", "echo ran"]).await;
        assert_eq!(text(&out.stdout), "ran\n", "{}", text(&out.stderr));
    }
    let all = sessions(&t);
    assert_eq!(all.len(), 2);
    for session in all {
        assert_eq!((session.target.as_str(), session.host.as_str()), ("web", "127.0.0.1"));
        assert_eq!(session.host_key.as_deref(), Some("pinned"));
    }
    // Another host key is nobody's, though the route believes any.
    let other = other_key(&t, "other_host");
    registered(&t, |target| target.host_keys = vec![other]);
    t.uplink_header(|u| hostile(&t, u));
    let out = t.run(&["x", "echo ran"]).await;
    assert!(out.stdout.is_empty() && !out.status.success());
    assert!(text(&out.stderr).contains("has CHANGED"), "{}", text(&out.stderr));
    // The gate's own key is the only one: with the client's, which the target accepts, nobody logs in.
    registered(&t, |_| {});
    let accepted = std::fs::read_to_string(t.path("id.pub")).unwrap();
    let without = accepted.lines().next().unwrap();
    std::fs::write(t.path("id.pub"), format!("{without}\n")).unwrap();
    t.uplink_header(|u| hostile(&t, u));
    let out = t.run(&["x", "echo ran"]).await;
    assert!(out.stdout.is_empty() && !out.status.success());
    assert!(text(&out.stderr).contains("Permission denied"), "{}", text(&out.stderr));
    for name in ["transport", "added"] {
        assert!(!t.path(name).exists(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registered_users_are_all_that_may_be_logged_in_as() {
    let keys = private_dir();
    let Some(t) = machine(keys.path()).await else { return };
    registered(&t, |target| {
        target.user = "nobody-of-that-name".to_owned();
        target.logins = vec![target.user.clone()];
    });
    t.uplink_header(|u| hostile(&t, u));
    let out = t.run(&["x", "echo ran"]).await;
    assert!(out.stdout.is_empty() && !out.status.success());
    assert!(text(&out.stderr).contains("may not log in as"), "{}", text(&out.stderr));
    // Nor as a library, which names its user later.
    t.uplink_header(|u| {
        hostile(&t, u);
        u.library = true;
    });
    let out = t.run(&[&format!("{}@x", user()), "echo ran"]).await;
    assert!(out.stdout.is_empty() && !out.status.success(), "{}", text(&out.stdout));
    assert!(sessions(&t).is_empty());
    // And it is not because libraries are refused.
    registered(&t, |target| target.logins = vec![target.user.clone()]);
    let out = t.run(&[&format!("{}@x", user()), "echo ran"]).await;
    assert_eq!(text(&out.stdout), "ran\n", "{}", text(&out.stderr));
}
