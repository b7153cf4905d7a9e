//! Team mode: agents log in over TCP by their key, the gate by its own.

use std::sync::Arc;

use expacti_gate::{Gate, GateConfig, load_or_create_host_key};
use expacti_protocol::client::Endpoint;
use expacti_protocol::gate::GateRequest;
use expacti_protocol::http::{PrincipalView, Target};
use expacti_protocol::principal::Role;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::broker::Mode;
use crate::trial::{Trial, finish, keygen, text, user};

/// A gate of a team beside the trial's own, with the same broker.
pub async fn serve(t: &Trial) -> (u16, Arc<Gate>, tokio_util::sync::DropGuard) {
    serve_with(t, |_| {}).await
}

pub async fn serve_with(
    t: &Trial,
    change: impl FnOnce(&mut GateConfig),
) -> (u16, Arc<Gate>, tokio_util::sync::DropGuard) {
    keygen(&t.path("agent"), "ed25519");
    let key = std::fs::read_to_string(t.path("agent.pub")).unwrap();
    let words: Vec<_> = key.split_whitespace().take(2).collect();
    t.broker.add_agent(
        &words.join(" "),
        PrincipalView {
            id: "prn_1".to_owned(),
            name: "claude".to_owned(),
            role: Role::Agent,
            public_key: None,
            owner: Some("bob".to_owned()),
            unix_user: None,
            former_owners: Vec::new(),
            created_at: 0,
        },
    );
    let pinned = std::fs::read_to_string(t.path("host_ed25519.pub")).unwrap();
    let target = |name: &str, host_keys: Vec<String>| Target {
        name: name.to_owned(),
        user: user(),
        host: "127.0.0.1".to_owned(),
        port: t.sshd.port,
        host_keys,
        tags: Vec::new(),
        logins: Vec::new(),
    };
    let other = crate::trial::other_key(t, "other_host");
    t.broker.set_targets(vec![
        target("web-1", vec![pinned]),
        target("impostor", vec![other]),
        target("unpinned", Vec::new()),
    ]);
    let host_key = load_or_create_host_key(&t.path("gate_key")).unwrap();
    let mut config = GateConfig::new(host_key, Endpoint::unix(&t.broker.path));
    config.identities = vec![t.path("id")];
    config.default_target = Some("web-1".to_owned());
    change(&mut config);
    let gate = Arc::new(Gate::new(config).unwrap());
    gate.linked().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let shutdown = CancellationToken::new();
    let (serving, token) = (Arc::clone(&gate), shutdown.clone());
    tokio::spawn(async move { serving.serve_tcp(listener, token).await });
    (port, gate, shutdown.drop_guard())
}

pub fn ssh(t: &Trial, port: u16, key: &str, args: &[&str]) -> Command {
    let mut command = Command::new("ssh");
    command
        .arg("-F/dev/null")
        .arg(format!("-p{port}"))
        .arg(format!("-i{}", t.path(key).display()))
        .arg("-oIdentitiesOnly=yes")
        .arg("-oHostKeyAlias=expacti-gate")
        .arg(format!("-oUserKnownHostsFile={}", t.path("gate_known_hosts").display()))
        .arg("-oGlobalKnownHostsFile=/dev/null")
        .arg("-oBatchMode=yes")
        .args(args)
        .env_remove("SSH_AUTH_SOCK")
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_by_key_targets_by_name() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let (port, _gate, _guard) = serve(&t).await;
    let run =
        async |key: &str, args: &[&str]| finish(ssh(&t, port, key, args).spawn().unwrap()).await;
    let me = user();
    let named = format!("{me}%web-1@127.0.0.1");
    for destination in [named.as_str(), "web-1@127.0.0.1"] {
        let out = run("agent", &[destination, "echo ok; exit 3"]).await;
        assert_eq!(text(&out.stdout), "ok\n", "{}", text(&out.stderr));
        assert_eq!(out.status.code(), Some(3));
    }
    for cipher in ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes192-ctr"] {
        let out = run("agent", &["-c", cipher, &named, "echo ok"]).await;
        assert_eq!(text(&out.stdout), "ok\n", "{cipher}: {}", text(&out.stderr));
    }
    // Any other user name means that user on the default target.
    let out = run("agent", &[&format!("{me}@127.0.0.1"), "echo default"]).await;
    assert_eq!(text(&out.stdout), "default\n", "{}", text(&out.stderr));
    let session = t
        .broker
        .heard("open_session", |r| match r {
            GateRequest::OpenSession { session, .. } => Some(session.clone()),
            _ => None,
        })
        .await;
    assert_eq!(session.agent, "claude");
    assert_eq!(session.owner.as_deref(), Some("bob"));
    assert_eq!(session.host_key.as_deref(), Some("pinned"));
    assert!(session.client.unwrap().contains("OpenSSH"));

    // An unknown key: no login.
    keygen(&t.path("stranger"), "ed25519");
    let out = run("stranger", &["web-1@127.0.0.1", "true"]).await;
    assert_eq!(out.status.code(), Some(255));
    let err = text(&out.stderr);
    assert!(err.contains("Permission denied (publickey)"), "{err}");
    // An unknown target, one without pinned keys, a user name that is none: the agent is told,
    // whatever it asks for, and nobody else hears of it.
    let sessions = t.broker.log().len();
    for (destination, why) in [
        ("x%nowhere@127.0.0.1", "there is no target \"nowhere\""),
        ("unpinned@127.0.0.1", "no usable host key is pinned for the target \"unpinned\""),
        ("a$b%web-1@127.0.0.1", "the user name is refused"),
    ] {
        for args in [&["-T", "--", destination, "true"][..], &["-T", "--", destination]] {
            let out = run("agent", args).await;
            let err = text(&out.stderr);
            assert!(err.contains(&format!("expacti: {why}")), "{destination}: {err}");
            assert_eq!(out.status.code(), Some(79), "{destination}");
        }
    }
    assert_eq!(t.broker.log().len(), sessions);
    // Another host key than pinned: the login works, the command does not.
    let out = run("agent", &["impostor@127.0.0.1", "true"]).await;
    assert_eq!(out.status.code(), Some(255));
    assert!(text(&out.stderr).contains("has CHANGED"), "{}", text(&out.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_lets_nobody_in() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let (port, _gate, _guard) = serve(&t).await;
    t.broker.cut(true);
    let out = finish(ssh(&t, port, "agent", &["web-1@127.0.0.1", "true"]).spawn().unwrap()).await;
    assert_eq!(out.status.code(), Some(255));
    assert!(text(&out.stderr).contains("Permission denied"), "{}", text(&out.stderr));
}

/// `ssh-keygen -s`: certifies the trial's key `key` with its key `ca`.
fn certify(t: &Trial, ca: &str, key: &str, args: &[&str]) {
    let done = std::process::Command::new("ssh-keygen")
        .arg("-q")
        .arg("-s")
        .arg(t.path(ca))
        .args(["-I", "run-7"])
        .args(args)
        .arg(t.path(&format!("{key}.pub")))
        .status()
        .unwrap();
    assert!(done.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_by_certificate() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let (port, _gate, _guard) = serve(&t).await;
    for name in ["ca", "other_ca", "worker"] {
        keygen(&t.path(name), "ed25519");
    }
    let run = async |args: &[&str]| {
        let all = [&["-T", "web-1@127.0.0.1"][..], args].concat();
        finish(ssh(&t, port, "worker", &all).spawn().unwrap()).await
    };
    let ca = std::fs::read_to_string(t.path("ca.pub")).unwrap();
    let words: Vec<_> = ca.split_whitespace().take(2).collect();
    let line = format!("cert-authority,principals=\"ci\" {}", words.join(" "));
    t.broker.add_agent(
        &line,
        PrincipalView {
            id: "prn_2".to_owned(),
            name: "ci".to_owned(),
            role: Role::Agent,
            public_key: Some(line.clone()),
            owner: None,
            unix_user: None,
            former_owners: Vec::new(),
            created_at: 0,
        },
    );
    for (ca, args, good) in [
        ("ca", &["-n", "ci", "-V", "-5m:+5m"][..], true),
        ("ca", &["-n", "other,ci", "-O", "source-address=127.0.0.0/8"], true),
        ("ca", &["-n", "ci", "-O", "source-address=10.0.0.0/8"], false),
        ("ca", &["-n", "ci", "-O", "force-command=id"], false),
        ("ca", &["-n", "ci", "-V", "-10m:-5m"], false),
        ("ca", &["-n", "ci", "-V", "+5m:+10m"], false),
        ("ca", &["-n", "root"], false),
        ("ca", &[], false),
        ("ca", &["-n", "ci", "-h"], false),
        ("other_ca", &["-n", "ci"], false),
    ] {
        certify(&t, ca, "worker", args);
        let out = run(&["echo in"]).await;
        let err = text(&out.stderr);
        assert_eq!(text(&out.stdout) == "in\n", good, "{ca} {args:?}: {err}");
        assert_eq!(err.contains("Permission denied (publickey)"), !good, "{args:?}: {err}");
    }
    let session = t.broker.heard("open_session", |r| match r {
        GateRequest::OpenSession { session, .. } => Some(session.clone()),
        _ => None,
    });
    let session = session.await;
    assert_eq!(session.agent, "ci");
    assert!(session.client.unwrap().contains("certificate \"run-7\" serial 0"));
    // Without permit-pty no terminal is given.
    certify(&t, "ca", "worker", &["-n", "ci", "-O", "clear"]);
    let out = run(&["-tt", "tty"]).await;
    assert!(text(&out.stderr).contains("PTY allocation request failed"), "{}", text(&out.stderr));
    // The bare key is nobody's, and an agent that is removed is out.
    std::fs::remove_file(t.path("worker-cert.pub")).unwrap();
    assert_eq!(run(&["echo in"]).await.status.code(), Some(255));
    certify(&t, "ca", "worker", &["-n", "ci"]);
    t.broker.forget_agents();
    assert_eq!(run(&["echo in"]).await.status.code(), Some(255));
}
