//! Making signatures: here, through an ssh-agent, with a security key; and what goes wrong.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use expacti_signing::{Presence, SignerError, SigningKey, Via};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

use crate::keygen::{Dir, NAMESPACE, field, fields, person, sk_dummy, unarmor, verified};

const MESSAGE: &[u8] = b"{\"a\":1}";

/// A real ssh-agent, which ends with its value.
struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    /// Starts one that asks for confirmations with this program.
    fn start(dir: &Dir, askpass: &str) -> Self {
        let socket = dir.path("agent");
        let provider = sk_dummy_or_none();
        let mut child = Command::new("ssh-agent")
            .args(["-D", "-P", &provider, "-a"])
            .arg(&socket)
            .env("SSH_ASKPASS", askpass)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("DISPLAY", ":")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It says where it listens once it does.
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("SSH_AUTH_SOCK="), "{line}");
        Self { child, socket }
    }

    /// Runs ssh-add; a passphrase is `secret`.
    fn add(&self, dir: &Dir, args: &[&str]) {
        let askpass = dir.write("askpass", "#!/bin/sh\necho secret\n");
        fs::set_permissions(&askpass, Permissions::from_mode(0o700)).unwrap();
        let output = Command::new("ssh-add")
            .args(args)
            .current_dir(dir.path(""))
            .env("SSH_AUTH_SOCK", &self.socket)
            .env("SSH_ASKPASS", &askpass)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("SSH_SK_PROVIDER", sk_dummy_or_none())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ssh-add {args:?}: {errors}");
    }

    fn via(&self) -> Via {
        Via { agent: Some(self.socket.clone()), provider: None }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sk_dummy_or_none() -> String {
    let path = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so";
    if Path::new(path).exists() { path.to_owned() } else { "/nonexistent".to_owned() }
}

async fn error(key: &SigningKey) -> SignerError {
    key.sign(NAMESPACE, MESSAGE).await.unwrap_err()
}

#[tokio::test]
async fn an_agent_signs_for_public_and_encrypted_keys() {
    let dir = Dir::new();
    let agent = Agent::start(&dir, "/bin/false");
    for (at, options) in
        [&["-t", "ed25519"][..], &["-t", "ecdsa", "-b", "521"], &["-t", "rsa", "-b", "2048"]]
            .iter()
            .enumerate()
    {
        let name = format!("key{at}");
        let path = dir.key(&name, options);
        dir.ok(&["-q", "-p", "-P", "", "-N", "secret", "-f", &name], b"");
        agent.add(&dir, &[&name]);
        let list = format!("alice {}\n", dir.public(&name));
        for path in [path, dir.path(&format!("{name}.pub"))] {
            let key = SigningKey::load_via(&path, agent.via()).unwrap();
            let signature = key.sign(NAMESPACE, MESSAGE).await.unwrap();
            assert!(dir.verifies(&list, "alice", &signature, MESSAGE, &[]), "{options:?}");
            assert_eq!(person(&list, &signature, MESSAGE), Ok("alice".to_owned()));
        }
    }
}

#[tokio::test]
async fn a_certificate_signs_with_the_key_beside_it_or_that_of_the_agent() {
    let dir = Dir::new();
    let agent = Agent::start(&dir, "/bin/false");
    dir.key("ca", &["-t", "ed25519"]);
    dir.key("key", &["-t", "ed25519"]);
    dir.ok(&["-q", "-s", "ca", "-I", "id", "-n", "alice", "key.pub"], b"");
    let list = format!("* cert-authority {}\n", dir.public("ca"));
    let path = dir.path("key-cert.pub");
    let beside = SigningKey::load_via(&path, Via::default()).unwrap();
    let signature = beside.sign(NAMESPACE, MESSAGE).await.unwrap();
    assert!(dir.verifies(&list, "alice", &signature, MESSAGE, &[]));
    assert_eq!(person(&list, &signature, MESSAGE), Ok("alice".to_owned()));

    agent.add(&dir, &["key"]);
    fs::remove_file(dir.path("key")).unwrap();
    let asking = SigningKey::load_via(&path, agent.via()).unwrap();
    let signature = asking.sign(NAMESPACE, MESSAGE).await.unwrap();
    assert_eq!(person(&list, &signature, MESSAGE), Ok("alice".to_owned()));

    dir.key("key2", &["-t", "ed25519"]);
    fs::rename(dir.path("key2"), dir.path("key")).unwrap();
    let error = SigningKey::load_via(&path, agent.via()).unwrap_err().to_string();
    assert!(error.contains("is not the private key of this certificate"), "{error}");
}

#[tokio::test]
async fn a_security_key_signs_through_the_agent_that_has_it() {
    if sk_dummy().is_none() {
        return;
    }
    let dir = Dir::new();
    let agent = Agent::start(&dir, "/bin/false");
    for kind in ["ed25519-sk", "ecdsa-sk"] {
        let path = dir.key(kind, &["-t", kind]);
        // Without a provider ssh-keygen cannot do it: the agent does.
        let key = SigningKey::load_via(&path, agent.via()).unwrap();
        assert!(key.needs_touch());
        assert!(matches!(error(&key).await, SignerError::Keygen { .. }));
        agent.add(&dir, &[kind]);
        let signature = key.sign(NAMESPACE, MESSAGE).await.unwrap();
        let counter = 0x1234_5678;
        let presence = Presence { touched: true, verified: false, counter };
        assert_eq!(verified(&signature, MESSAGE).presence(), Some(presence));
        let list = format!("alice {}\n", dir.public(kind));
        assert!(dir.verifies(&list, "alice", &signature, MESSAGE, &[]));
    }
}

#[tokio::test]
async fn what_fails_is_told_with_what_to_do() {
    let dir = Dir::new();
    let path = dir.key("key", &["-t", "ed25519"]);
    let public = dir.path("key.pub");
    let load = |via| SigningKey::load_via(&public, via).unwrap();

    let none = error(&load(Via::default())).await.to_string();
    assert!(none.contains("SSH_AUTH_SOCK is not set; start one"), "{none}");
    assert!(none.ends_with(&format!("ssh-add {}", path.display())), "{none}");
    let nowhere = Via { agent: Some(dir.path("nowhere")), provider: None };
    let nowhere = error(&load(nowhere)).await.to_string();
    assert!(nowhere.contains("nowhere: No such file"), "{nowhere}");

    let agent = Agent::start(&dir, "/bin/false");
    let key = load(agent.via());
    let absent = error(&key).await;
    assert!(matches!(absent, SignerError::NotInAgent { .. }), "{absent}");
    assert!(absent.to_string().contains(&format!("ssh-add {}", path.display())), "{absent}");
    // It has to be confirmed, and nobody does.
    agent.add(&dir, &["-c", "key"]);
    let refused = error(&key).await;
    assert!(matches!(refused, SignerError::Refused { .. }), "{refused}");
    agent.add(&dir, &["-x"]);
    let locked = error(&key).await.to_string();
    assert!(locked.contains("locked (ssh-add -X)"), "{locked}");
}

#[test]
fn files_that_cannot_sign_are_refused() {
    let dir = Dir::new();
    let path = dir.key("key", &["-t", "ed25519"]);
    let load = |path: &Path| SigningKey::load_via(path, Via::default());
    assert!(load(&path).is_ok());
    for mode in [0o640, 0o604, 0o610, 0o644] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let exposed = load(&path).unwrap_err();
        assert!(matches!(exposed, SignerError::Exposed { .. }), "{exposed}");
        assert!(exposed.to_string().contains("chmod 600"), "{exposed}");
    }
    assert!(matches!(load(&dir.path("nowhere")), Err(SignerError::Read { .. })));
    assert!(matches!(load(&dir.path("")), Err(SignerError::Read { .. })));
    let old = dir.key("old", &["-t", "rsa", "-b", "2048", "-m", "PEM"]);
    let error = load(&old).unwrap_err().to_string();
    assert!(error.contains("ssh-keygen -p -f"), "{error}");
    let short = dir.key("short", &["-t", "rsa", "-b", "1024"]);
    let error = load(&short).unwrap_err().to_string();
    assert!(error.contains("RSA key of 1024 bits"), "{error}");
    for (name, text) in [("empty", ""), ("text", "hello"), ("cut.pub", "ssh-ed25519 AAAA")] {
        let error = load(&dir.write(name, text)).unwrap_err();
        assert!(matches!(error, SignerError::NotAKey { .. }), "{name}: {error}");
    }
}

/// An agent that reads one request and answers with these bytes, or does not answer at all. Returns
/// once its client is gone.
async fn false_agent(
    listener: UnixListener,
    answer: Option<Vec<u8>>,
    asked: tokio::sync::oneshot::Sender<()>,
) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let length = stream.read_u32().await.unwrap() as usize;
    stream.read_exact(&mut vec![0; length]).await.unwrap();
    asked.send(()).unwrap();
    if let Some(answer) = answer {
        stream.write_all(&field(&answer)).await.unwrap();
    }
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn what_an_agent_answers_is_checked() {
    let dir = Dir::new();
    dir.key("key", &["-t", "ed25519"]);
    dir.key("other", &["-t", "ed25519"]);
    let of = |name: &str, message: &[u8]| {
        let signature = fields(&unarmor(&dir.sign(name, NAMESPACE, message)));
        [&[14][..], &field(&signature[4])].concat()
    };
    let algorithm = [&field(b"ssh-ed25519")[..], &field(&[0; 64])].concat();
    for (answer, expected) in [
        (of("key", MESSAGE), None),
        (of("key", b"other"), Some("not one of this text")),
        (of("other", MESSAGE), Some("not one of this text")),
        ([&[14][..], &field(&algorithm)].concat(), Some("not one of this text")),
        (vec![14], Some("no ssh-agent answers")),
        (vec![], Some("no ssh-agent answers")),
        (vec![6], Some("no ssh-agent answers")),
        ([&[14][..], &field(b"x")].concat(), Some("no ssh-agent answers")),
    ] {
        let socket = dir.path("false");
        let _ = fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).unwrap();
        let (asked, _was_asked) = tokio::sync::oneshot::channel();
        let agent = tokio::spawn(false_agent(listener, Some(answer), asked));
        let via = Via { agent: Some(socket), provider: None };
        let key = SigningKey::load_via(&dir.path("key.pub"), via).unwrap();
        let found = key.sign(NAMESPACE, MESSAGE).await;
        match expected {
            None => assert!(found.is_ok(), "{found:?}"),
            Some(text) => {
                let error = found.unwrap_err().to_string();
                assert!(error.contains(text), "{text}: {error}");
            }
        }
        agent.await.unwrap();
    }
}

#[tokio::test]
async fn who_stops_waiting_leaves_the_agent() {
    let dir = Dir::new();
    dir.key("key", &["-t", "ed25519"]);
    let socket = dir.path("false");
    let listener = UnixListener::bind(&socket).unwrap();
    let (asked, was_asked) = tokio::sync::oneshot::channel();
    let agent = tokio::spawn(false_agent(listener, None, asked));
    let via = Via { agent: Some(socket), provider: None };
    let key = SigningKey::load_via(&dir.path("key.pub"), via).unwrap();
    tokio::select! {
        found = key.sign(NAMESPACE, MESSAGE) => panic!("nothing signed: {found:?}"),
        asked = was_asked => asked.unwrap(),
    }
    // It ends when the connection does.
    agent.await.unwrap();
}

/// A library for security keys that connects to a socket, and then waits for ever as for a touch.
fn waiting_provider(dir: &Dir, socket: &Path) -> PathBuf {
    let source = format!(
        "#include <string.h>\n#include <sys/socket.h>\n#include <sys/un.h>\n#include <unistd.h>\n\
         unsigned sk_api_version(void) {{ return 0; }}\n\
         __attribute__((constructor)) static void wait_for_ever(void) {{\n\
             struct sockaddr_un to = {{ .sun_family = AF_UNIX }};\n\
             strncpy(to.sun_path, \"{}\", sizeof to.sun_path - 1);\n\
             int fd = socket(AF_UNIX, SOCK_STREAM, 0);\n\
             if (connect(fd, (struct sockaddr *) &to, sizeof to) == 0) for (;;) pause();\n\
         }}\n",
        socket.display()
    );
    let source = dir.write("waiting.c", source);
    let library = dir.path("waiting.so");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(source)
        .status()
        .unwrap();
    assert!(built.success());
    library
}

#[tokio::test]
async fn who_stops_waiting_ends_ssh_keygen_and_its_helper() {
    if sk_dummy().is_none() {
        return;
    }
    let dir = Dir::new();
    let path = dir.key("key", &["-t", "ed25519-sk"]);
    let socket = dir.path("loaded");
    let listener = UnixListener::bind(&socket).unwrap();
    let via = Via { agent: None, provider: Some(waiting_provider(&dir, &socket)) };
    let key = SigningKey::load_via(&path, via).unwrap();
    let mut helper = tokio::select! {
        found = key.sign(NAMESPACE, MESSAGE) => panic!("nothing signed: {found:?}"),
        helper = listener.accept() => helper.unwrap().0,
    };
    // Its connection is closed when it is gone.
    let pid = helper.peer_cred().unwrap().pid().and_then(rustix::process::Pid::from_raw).unwrap();
    let mut rest = Vec::new();
    let gone = tokio::time::timeout(Duration::from_secs(20), helper.read_to_end(&mut rest)).await;
    if gone.is_err() {
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        panic!("the helper of ssh-keygen still waits");
    }
}

#[tokio::test]
async fn a_long_message_is_signed_by_ssh_keygen_too() {
    let Some(provider) = sk_dummy() else { return };
    let dir = Dir::new();
    let path = dir.key("key", &["-t", "ed25519-sk"]);
    let message = vec![b'x'; 1024 * 1024];
    let via = Via { agent: None, provider: Some(provider.to_owned()) };
    let key = SigningKey::load_via(&path, via).unwrap();
    let signature = key.sign(NAMESPACE, &message).await.unwrap();
    let list = format!("alice {}\n", dir.public("key"));
    assert_eq!(person(&list, &signature, &message), Ok("alice".to_owned()));
}
