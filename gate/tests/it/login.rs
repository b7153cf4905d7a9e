//! Host keys and logins as `ssh` has them: accept-new, authorities, agents, certificates, jumps.

use std::process::{Command, Stdio};

use expacti_protocol::gate::GateRequest;
use expacti_protocol::uplink::HostKeyChecking;

use crate::broker::Mode;
use crate::trial::{Trial, keygen, text};

async fn host_key_note(t: &Trial) -> String {
    t.broker
        .heard("open_session", |r| match r {
            GateRequest::OpenSession { session, .. } => session.host_key.clone(),
            _ => None,
        })
        .await
}

async fn works(t: &Trial) {
    let out = t.run(&["target", "echo ok"]).await;
    assert_eq!(text(&out.stdout), "ok\n", "{}", text(&out.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_added_when_that_is_wanted() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let added = t.path("added");
    for hashed in [false, true] {
        std::fs::write(&added, "# no newline at the end").unwrap();
        t.uplink_header(|u| {
            u.route.known_hosts_files = vec![added.display().to_string()];
            u.route.known_hosts_add = Some(added.display().to_string());
            u.route.host_key_checking = HostKeyChecking::AcceptNew;
            u.route.hash_known_hosts = hashed;
        });
        works(&t).await;
        let found = Command::new("ssh-keygen")
            .args(["-F", &format!("[127.0.0.1]:{}", t.sshd.port), "-f"])
            .arg(&added)
            .output()
            .unwrap();
        assert!(text(&found.stdout).contains("ssh-ed25519"), "{}", text(&found.stdout));
        let file = std::fs::read_to_string(&added).unwrap();
        assert_eq!(file.contains("127.0.0.1"), !hashed);
        // Strict from now on: the added line is enough.
        t.uplink_header(|u| u.route.known_hosts_files = vec![added.display().to_string()]);
        works(&t).await;
    }
    assert_eq!(host_key_note(&t).await, "accept-new");
}

#[tokio::test(flavor = "multi_thread")]
async fn unchecked_is_said_to_the_reviewer() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    t.uplink_header(|u| {
        u.route.known_hosts_files.clear();
        u.route.host_key_checking = HostKeyChecking::Off;
    });
    works(&t).await;
    assert_eq!(host_key_note(&t).await, "not checked (StrictHostKeyChecking=no)");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_type_that_is_known_is_asked_for() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let ecdsa = std::fs::read_to_string(t.path("host_ecdsa.pub")).unwrap();
    let line = format!("[127.0.0.1]:{} {ecdsa}", t.sshd.port);
    std::fs::write(t.path("known_ecdsa"), line).unwrap();
    t.uplink_header(|u| {
        u.route.known_hosts_files = vec![t.path("known_ecdsa").display().to_string()]
    });
    works(&t).await;
    // HostKeyAlias stands for host and port.
    std::fs::write(t.path("alias"), format!("web-1 {ecdsa}")).unwrap();
    t.uplink_header(|u| {
        u.route.known_hosts_files = vec![t.path("alias").display().to_string()];
        u.route.host_key_alias = Some("web-1".to_owned());
    });
    works(&t).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn host_certificates() {
    let dir = tempfile::tempdir().unwrap();
    keygen(&dir.path().join("ca"), "ed25519");
    let certificate = dir.path().join("host_ed25519-cert.pub");
    let extra = format!("HostCertificate {}", certificate.display());
    let sign = |t: &Trial, principals: &str, validity: &str| {
        let public = dir.path().join("host_ed25519.pub");
        std::fs::copy(t.path("host_ed25519.pub"), &public).unwrap();
        let done = Command::new("ssh-keygen")
            .args(["-q", "-h", "-I", "test", "-n", principals, "-V", validity, "-s"])
            .arg(dir.path().join("ca"))
            .arg(&public)
            .status()
            .unwrap();
        assert!(done.success());
    };
    let Some(mut t) = Trial::with(Mode::Auto, Default::default(), &extra).await else { return };
    let ca = std::fs::read_to_string(dir.path().join("ca.pub")).unwrap();
    std::fs::write(t.path("ca_known"), format!("@cert-authority [127.0.0.1]:* {ca}")).unwrap();
    for (principals, validity, good) in [
        ("127.0.0.1,web", "-1h:+1h", true),
        ("other", "-1h:+1h", false),
        ("127.0.0.1", "-2h:-1h", false),
    ] {
        sign(&t, principals, validity);
        t.restart_sshd();
        t.uplink_header(|u| {
            u.route.known_hosts_files = vec![t.path("ca_known").display().to_string()]
        });
        let out = t.run(&["target", "echo ok"]).await;
        let expected = if good { Some(0) } else { Some(255) };
        assert_eq!(out.status.code(), expected, "{principals} {validity}: {}", text(&out.stderr));
        if !good {
            assert!(text(&out.stderr).contains("is not known"), "{}", text(&out.stderr));
        }
    }
    assert_eq!(host_key_note(&t).await, "certificate (known_hosts)");
}

struct Agent(std::process::Child);

impl Drop for Agent {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn agent(t: &Trial) -> Agent {
    let socket = t.path("agent.sock");
    let child = Command::new("ssh-agent")
        .arg("-D")
        .arg("-a")
        .arg(&socket)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let agent = Agent(child);
    let mut rounds = 0;
    while !socket.exists() {
        rounds += 1;
        assert!(rounds < 500, "no ssh-agent");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    agent
}

fn add(t: &Trial, key: &str) {
    let done = Command::new("ssh-add")
        .arg("-q")
        .arg(t.path(key))
        .env("SSH_AUTH_SOCK", t.path("agent.sock"))
        .status()
        .unwrap();
    assert!(done.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_from_the_agent() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let _agent = agent(&t);
    // More keys than sshd's MaxAuthTries, the right one last: IdentitiesOnly must pick it.
    for n in 0..7 {
        let name = format!("wrong{n}");
        keygen(&t.path(&name), "ed25519");
        add(&t, &name);
    }
    add(&t, "id");
    let socket = Some(t.path("agent.sock").display().to_string());
    std::fs::rename(t.path("id"), t.path("moved")).unwrap();
    t.uplink_header(|u| {
        u.route.identity_agent.clone_from(&socket);
        u.route.identities_only = true;
    });
    works(&t).await;
    // Without it, the key that an IdentityFile names still goes first.
    t.uplink_header(|u| u.route.identity_agent.clone_from(&socket));
    works(&t).await;
    t.uplink_header(|u| {
        u.route.identity_agent.clone_from(&socket);
        u.route.identity_files.clear();
    });
    let out = t.run(&["target", "true"]).await;
    assert_eq!(out.status.code(), Some(255), "too many wrong keys");
}

#[tokio::test(flavor = "multi_thread")]
async fn rsa_keys_and_user_certificates() {
    let dir = tempfile::tempdir().unwrap();
    keygen(&dir.path().join("ca"), "ed25519");
    let extra = format!("TrustedUserCAKeys {}/ca.pub", dir.path().display());
    let Some(t) = Trial::with(Mode::Auto, Default::default(), &extra).await else { return };
    keygen(&t.path("rsa"), "rsa");
    let rsa = std::fs::read_to_string(t.path("rsa.pub")).unwrap();
    let id = std::fs::read_to_string(t.path("id.pub")).unwrap();
    std::fs::write(t.path("id.pub"), format!("{id}{rsa}")).unwrap();
    t.uplink_header(|u| u.route.identity_files = vec![t.path("rsa").display().to_string()]);
    works(&t).await;
    keygen(&t.path("certified"), "ed25519");
    let done = Command::new("ssh-keygen")
        .args(["-q", "-I", "test", "-n", &crate::trial::user(), "-V", "-1h:+1h", "-s"])
        .arg(dir.path().join("ca"))
        .arg(t.path("certified.pub"))
        .status()
        .unwrap();
    assert!(done.success());
    t.uplink_header(|u| u.route.identity_files = vec![t.path("certified").display().to_string()]);
    works(&t).await;
    let _agent = agent(&t);
    std::fs::remove_file(t.path("certified-cert.pub")).unwrap();
    t.uplink_header(|u| u.route.identity_files = vec![t.path("certified").display().to_string()]);
    let out = t.run(&["target", "true"]).await;
    assert_eq!(out.status.code(), Some(255), "without its certificate the key means nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_command_as_proxyjump_does() {
    let Some(t) = Trial::new(Mode::Auto).await else { return };
    let config = format!(
        "Host jump\n HostName 127.0.0.1\n Port {}\n IdentityFile {}\n UserKnownHostsFile {}\n \
         BatchMode yes\n",
        t.sshd.port,
        t.path("id").display(),
        t.path("known_hosts").display()
    );
    std::fs::write(t.path("config"), config).unwrap();
    t.uplink_header(|u| {
        let port = u.route.port;
        u.route.transport = Some(
            ["ssh", "-F", &t.path("config").display().to_string(), "-W"]
                .into_iter()
                .map(str::to_owned)
                .chain([format!("127.0.0.1:{port}"), "jump".to_owned()])
                .collect(),
        );
    });
    works(&t).await;
    t.uplink_header(|u| u.route.transport = Some(vec!["/nonexistent/ssh".to_owned()]));
    let out = t.run(&["target", "true"]).await;
    assert!(text(&out.stderr).contains("cannot start /nonexistent/ssh"), "{}", text(&out.stderr));
}
