//! `ssh -J gate user@target` with stock clients: everything is held as it is without the jump, and
//! nothing but a known target is reached.

use std::process::Stdio;

use expacti_gate::{Limits, cert_authority_line};
use expacti_protocol::gate::GateRequest;
use russh::keys::{Algorithm, PrivateKey};
use tokio::process::Command;

use crate::broker::Mode;
use crate::team::serve_with;
use crate::trial::{Trial, finish, keygen, text, until, user};

/// A gate with an authority, and an ssh configuration with one `@cert-authority` line.
struct Jump {
    t: Trial,
    _gate: std::sync::Arc<expacti_gate::Gate>,
    _guard: tokio_util::sync::DropGuard,
}

impl Jump {
    async fn new(mode: Mode) -> Option<Self> {
        let t = Trial::with(mode, Limits::default(), "Subsystem sftp internal-sftp").await?;
        let mut rng = russh::keys::key::safe_rng();
        let ca = PrivateKey::random(&mut rng, Algorithm::Ed25519).unwrap();
        let line = cert_authority_line("*", &ca);
        let (port, gate, guard) = serve_with(&t, |config| {
            config.host_ca = Some(ca);
            config.names = vec!["127.0.0.1".to_owned()];
            config.default_target = None;
        })
        .await;
        std::fs::write(t.path("authorities"), line).unwrap();
        let common = |key: &str| {
            format!(
                "IdentityFile {}\nIdentitiesOnly yes\nUserKnownHostsFile {}\n\
                 GlobalKnownHostsFile /dev/null\nStrictHostKeyChecking yes\nBatchMode yes\n",
                t.path(key).display(),
                t.path("authorities").display()
            )
        };
        let config = format!(
            "Host gate\nHostName 127.0.0.1\nPort {port}\nUser claude\nControlPath {control}\n{}\n\
             Host * !gate\nProxyJump gate\n{}",
            common("agent"),
            common("agent"),
            control = t.path("jump.sock").display(),
        );
        std::fs::write(t.path("config"), config).unwrap();
        Some(Self { t, _gate: gate, _guard: guard })
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .arg(format!("-F{}", self.t.path("config").display()))
            .args(args)
            .env_remove("SSH_AUTH_SOCK")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Waits for a file of the trial.
    async fn appears(&self, name: &str) {
        until(name, || self.t.path(name).exists()).await;
    }

    async fn ssh(&self, args: &[&str]) -> std::process::Output {
        finish(self.command("ssh", args).spawn().unwrap()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_through_a_jump_is_held_under_its_targets_name() {
    let Some(j) = Jump::new(Mode::Manual).await else { return };
    let destination = format!("{}@web-1", user());
    let marker = j.t.path("marker");
    let touch = format!("touch {}; exit 7", marker.display());
    let run = |n| {
        let child = j.command("ssh", &[&destination, &touch]).spawn().unwrap();
        let broker = j.t.broker.clone();
        async move { (broker.item(n).await, child) }
    };
    let (item, child) = run(0).await;
    assert_eq!(item.submission.text.command, touch);
    assert!(!marker.exists());
    j.t.broker.deny(&item, "not now");
    let out = finish(child).await;
    assert_eq!(out.status.code(), Some(77), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("expacti: command denied — not now"));
    assert!(!marker.exists());

    let (item, child) = run(1).await;
    j.t.broker.allow(&item);
    let out = finish(child).await;
    assert_eq!(out.status.code(), Some(7), "{}", text(&out.stderr));
    assert!(marker.exists());
    let sessions: Vec<_> =
        j.t.broker
            .log()
            .into_iter()
            .filter_map(|r| match r {
                GateRequest::OpenSession { session, .. } => Some(session),
                _ => None,
            })
            .collect();
    // The connection around opens no session of its own.
    assert_eq!(sessions.len(), 2);
    for session in sessions {
        assert_eq!((session.agent.as_str(), session.target.as_str()), ("claude", "web-1"));
        assert_eq!((session.owner.as_deref(), session.user), (Some("bob"), user()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn much_data_both_ways_and_standard_error() {
    let Some(j) = Jump::new(Mode::Auto).await else { return };
    let destination = format!("{}@web-1", user());
    let data: Vec<u8> = (0..24u32 << 20).map(|i| (i / 3 % 251) as u8).collect();
    std::fs::write(j.t.path("data"), &data).unwrap();
    let mut command = j.command("ssh", &[&destination, "cat; echo done >&2; exit 3"]);
    command.stdin(std::fs::File::open(j.t.path("data")).unwrap());
    let out = finish(command.spawn().unwrap()).await;
    assert_eq!((out.status.code(), text(&out.stderr).as_str()), (Some(3), "done\n"));
    assert!(out.stdout == data);
    // scp, old and new protocol.
    for (n, flags) in [&["-O"][..], &["-s"]].iter().enumerate() {
        let copy = j.t.path(&format!("copy-{n}"));
        let (from, to) = (j.t.path("data"), format!("{destination}:{}", copy.display()));
        let from = from.to_str().unwrap();
        let args: Vec<&str> = flags.iter().copied().chain([from, &to]).collect();
        let out = finish(j.command("scp", &args).spawn().unwrap()).await;
        assert_eq!(out.status.code(), Some(0), "{flags:?}: {}", text(&out.stderr));
        assert!(std::fs::read(copy).unwrap() == data);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_master_of_the_jump_and_one_of_the_target() {
    let Some(j) = Jump::new(Mode::Auto).await else { return };
    let destination = format!("{}@web-1", user());
    let control = format!("-oControlPath={}", j.t.path("%n.sock").display());
    let gate = j.command("ssh", &["-MN", "gate"]).spawn().unwrap();
    let target = j.command("ssh", &[&control, "-MN", &destination]).spawn().unwrap();
    j.appears("jump.sock").await;
    j.appears("web-1.sock").await;
    let runs = (0..8).map(|n| {
        let line = format!("echo {n}; exit {n}");
        let j = &j;
        let (control, destination) = (&control, &destination);
        async move { j.ssh(&[control, destination, &line]).await }
    });
    for (n, out) in futures_util::future::join_all(runs).await.into_iter().enumerate() {
        assert_eq!(text(&out.stdout), format!("{n}\n"), "{}", text(&out.stderr));
        assert_eq!(out.status.code(), i32::try_from(n).ok());
    }
    drop((gate, target));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_no_target_is_refused_with_words() {
    let Some(j) = Jump::new(Mode::Auto).await else { return };
    for (args, why) in [
        (&["nowhere", "true"][..], "there is no target \"nowhere\""),
        (&["127.0.0.1", "true"], "there is no target \"127.0.0.1\""),
        (&["gate", "true"], "no target was named"),
        (&["a$b@web-1", "true"], "the user name is refused"),
        (&["unpinned", "true"], "no usable host key is pinned"),
    ] {
        let out = j.ssh(args).await;
        let err = text(&out.stderr);
        assert!(err.contains(&format!("expacti: {why}")), "{args:?}: {err}");
        assert!([255, 79].contains(&out.status.code().unwrap()), "{args:?}");
    }
    // Any other port: the channel is not opened.
    for address in ["127.0.0.1:1", "web-1:80", "unix:22x"] {
        let out = j.ssh(&["-W", address, "gate"]).await;
        let err = text(&out.stderr);
        assert_ne!(out.status.code(), Some(0), "{address}: {err}");
        assert!(out.stdout.is_empty());
    }
    // A target by its address is the target, held as ever; the address of three is refused.
    let at = format!("127.0.0.1:{}", j.t.sshd.port);
    let out = j.ssh(&["-W", &at, "gate"]).await;
    assert!(text(&out.stderr).contains("administratively prohibited"), "{}", text(&out.stderr));
    assert!(j.t.broker.items().is_empty());
    assert!(!std::fs::read_to_string(j.t.path("sshd.log")).unwrap().contains("Accepted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_the_authority_does_not_know_the_gate() {
    let Some(j) = Jump::new(Mode::Auto).await else { return };
    let destination = format!("{}@web-1", user());
    std::fs::write(j.t.path("authorities"), "").unwrap();
    let out = j.ssh(&[&destination, "true"]).await;
    assert!(text(&out.stderr).contains("verification failed"), "{}", text(&out.stderr));
    assert!(j.t.broker.items().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_agent_jumps_no_more_through_its_old_connection() {
    let Some(j) = Jump::new(Mode::Auto).await else { return };
    let gate = j.command("ssh", &["-MN", "gate"]).spawn().unwrap();
    j.appears("jump.sock").await;
    let destination = format!("{}@web-1", user());
    let out = j.ssh(&[&destination, "echo ok"]).await;
    assert_eq!(text(&out.stdout), "ok\n", "{}", text(&out.stderr));
    j.t.broker.forget_agents();
    let out = j.ssh(&[&destination, "echo ok"]).await;
    assert_eq!(out.status.code(), Some(255));
    assert!(text(&out.stderr).contains("not known any more"), "{}", text(&out.stderr));
    drop(gate);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_inside_a_jump_and_other_forwarding_inside_are_refused() {
    let Some(j) = Jump::new(Mode::Auto).await else { return };
    let destination = format!("{}@web-1", user());
    let out = j.ssh(&["-W", "web-1:22", &destination]).await;
    assert_ne!(out.status.code(), Some(0));
    assert!(text(&out.stderr).contains("stdio forwarding failed"), "{}", text(&out.stderr));
    let out = j.ssh(&["-R0:127.0.0.1:9", "-oExitOnForwardFailure=yes", &destination, "true"]).await;
    assert_eq!(out.status.code(), Some(255));
    assert!(j.t.broker.items().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_killed_withdraws() {
    let Some(j) = Jump::new(Mode::Manual).await else { return };
    let destination = format!("{}@web-1", user());
    let touch = format!("touch {}", j.t.path("marker").display());
    let mut child = j.command("ssh", &[&destination, &touch]).spawn().unwrap();
    let item = j.t.broker.item(0).await;
    child.kill().await.unwrap();
    let session = item.submission.session_id.clone();
    j.t.broker
        .heard("the end of the session", |r| match r {
            GateRequest::CloseSession { session_id, .. } if *session_id == session => Some(()),
            _ => None,
        })
        .await;
    j.t.broker.allow(&item);
    // Decisions come in order: when a later command has run, this one has come.
    j.t.broker.set_mode(Mode::Auto);
    let out = j.ssh(&[&destination, "true"]).await;
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(!j.t.path("marker").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_insist_on_a_key_show_the_agents() {
    let Some(python) = crate::hostile::paramiko() else { return };
    let Some(j) = Jump::new(Mode::Auto).await else { return };
    keygen(&j.t.path("stranger"), "ed25519");
    let tool = j.t.path("jump.py");
    std::fs::write(&tool, PARAMIKO).unwrap();
    let run = async |key: &str| {
        let port = j.ssh(&["-G", "gate"]).await;
        let port = text(&port.stdout);
        let port = port.lines().find_map(|l| l.strip_prefix("port ")).unwrap().to_owned();
        let mut command = Command::new(python);
        command.arg(&tool).arg(port).arg(j.t.path("agent")).arg(j.t.path(key)).arg(user());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        finish(command.spawn().unwrap()).await
    };
    let out = run("agent").await;
    assert_eq!(text(&out.stdout), "hello\n", "{}", text(&out.stderr));
    let out = run("stranger").await;
    assert!(text(&out.stderr).contains("AuthenticationException"), "{}", text(&out.stderr));
    assert_eq!(j.t.broker.items().len(), 1);
}

const PARAMIKO: &str = r#"
import sys, paramiko
port, agent, key, user = sys.argv[1:]
gate = paramiko.SSHClient()
gate.set_missing_host_key_policy(paramiko.AutoAddPolicy())
gate.connect("127.0.0.1", int(port), "claude", key_filename=agent, allow_agent=False, look_for_keys=False)
channel = gate.get_transport().open_channel("direct-tcpip", ("web-1", 22), ("127.0.0.1", 0))
target = paramiko.SSHClient()
target.set_missing_host_key_policy(paramiko.AutoAddPolicy())
target.connect("web-1", 22, user, key_filename=key, sock=channel, allow_agent=False, look_for_keys=False)
print(target.exec_command("echo hello")[1].read().decode(), end="")
"#;

/// Children of the target's sshd.
fn connections(t: &Trial) -> usize {
    let pid = t.sshd.pid();
    let path = format!("/proc/{pid}/task/{pid}/children");
    std::fs::read_to_string(path).unwrap_or_default().split_whitespace().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_when_a_jump_is_over() {
    let Some(j) = Jump::new(Mode::Auto).await else { return };
    let destination = format!("{}@web-1", user());
    for n in 0..10 {
        let out = j.ssh(&[&destination, &format!("exit {n}")]).await;
        assert_eq!(out.status.code(), Some(n), "{}", text(&out.stderr));
    }
    until("the end of the connections to the target", || connections(&j.t) == 0).await;
}
