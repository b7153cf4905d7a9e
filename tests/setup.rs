//! One machine, enforced: broker and gate as a service, an agent's user, and a reviewer who is somebody else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

use std::fs;

use anyhow::{Context as _, Result, ensure};
use expacti_harness::{Island, Run, island, prerequisites, until};

/// Which directories setup may touch.
const TOUCHED: &[&str] = &["/etc", "/run", "/usr/local", "/var/lib"];

/// What everybody may read of the target's account.
const RAN: &str = "/home/deploy/ran";

/// A service, three users, and a target that only the service can log in to.
struct Machine {
    island: Island,
    port: u16,
    host_key: String,
    key: String,
    service: Option<Run>,
}

impl Machine {
    /// As an administrator does it, where systemd does not run.
    fn set_up(mut island: Island) -> Result<Self> {
        for name in ["bot", "alice", "deploy"] {
            island.user(name)?;
        }
        let key = island.key("alice", "signing")?;
        let (port, host_key) = island.sshd()?;
        let mut machine = Self { island, port, host_key, key, service: None };
        let said = machine.setup()?;
        machine.start(&said)?;
        let key = machine.island.root_expacti(&["target", "key"])?;
        key.expect_code(0)?;
        ensure!(said.contains(key.out().trim()), "setup named another key: {said}");
        machine.island.authorize("deploy", &key.out())?;
        let address = format!("deploy@127.0.0.1:{port}");
        let add = ["target", "add", "web", &address, "--host-key", &machine.host_key];
        machine.island.root_expacti(&add)?.expect_code(0)?;
        Ok(machine)
    }

    fn setup(&self) -> Result<String> {
        let public = format!("{}.pub", self.key);
        let args = ["setup", "--reviewer", "alice", "--key", &public, "--yes"];
        let done = self.island.root_expacti(&args)?;
        done.expect_code(0)?;
        Ok(done.out())
    }

    /// Runs the commands that setup printed.
    fn start(&mut self, said: &str) -> Result<()> {
        ensure!(said.contains("systemd does not run here"), "{said}");
        let commands: Vec<&str> = said
            .lines()
            .filter(|line| line.starts_with("  install ") || line.starts_with("  setpriv "))
            .collect();
        ensure!(commands.len() == 2, "{said}");
        self.service =
            Some(self.island.service(&format!("{}\nexec {}", commands[0], commands[1].trim()))?);
        until("the service to answer", || {
            Ok((self.island.root_expacti(&["status"])?.code() == 0).then_some(()))
        })
    }

    /// The process of the service, as it is numbered on the island.
    fn pid(&self) -> Result<String> {
        let status = self.island.root_expacti(&["status", "--json"])?.json()?;
        Ok(status["pid"].as_u64().context("no pid")?.to_string())
    }

    /// `expacti wrap -- ARGV` as the agent's user.
    fn wrap(&self, argv: &[&str]) -> Result<Run> {
        self.island.user_runs("bot", &[&["expacti", "wrap", "--"], argv].concat()).spawn()
    }

    /// What is held, as the reviewer sees it.
    fn held(&self, run: &mut Run) -> Result<serde_json::Value> {
        until("a held command", || {
            let ended = !run.running()?;
            let all = self.island.expacti("alice", &["pending", "--json"])?.json()?;
            let first = all.as_array().and_then(|all| all.first().cloned());
            ensure!(first.is_some() || !ended, "the program ended, and nothing was held");
            Ok(first)
        })
    }

    fn ran(&self) -> usize {
        fs::read_to_string(self.island.path(RAN)).map_or(0, |text| text.lines().count())
    }
}

#[test]
fn a_command_of_the_agents_user_runs_when_the_reviewer_has_signed_it() -> Result<()> {
    let island = island!();
    let before = island.changes(TOUCHED)?;
    let mut m = Machine::set_up(island)?;
    // Twice is once.
    let again = m.setup()?;
    ensure!(again.contains("Every command needs a signature"), "{again}");
    let bare = m.island.root_expacti(&["setup", "--yes"])?.out();
    ensure!(bare.contains("Every command needs a signature") && bare.contains("alice"), "{bare}");
    m.island.root_expacti(&["setup"])?.expect_code(2)?.expect_stderr("--yes")?;
    let signers = fs::read_to_string(m.island.path("/etc/expacti/allowed_signers"))?;
    ensure!(signers.lines().count() == 1 && signers.starts_with("alice "), "{signers}");
    // A program of the agent's user, which is isolated; the target by its registered name.
    let touch = format!("echo ran >> {RAN}");
    let mut run = m.wrap(&["sh", "-c", &format!("ssh web '{touch}; id -un'")])?;
    let held = m.held(&mut run)?;
    let session = &held["session"];
    for (field, is) in [
        ("agent", "bot/sh"),
        ("owner", "bot"),
        ("target", "web"),
        ("user", "deploy"),
        ("host", "127.0.0.1"),
        ("host_key", "pinned"),
        ("isolation", "namespace"),
    ] {
        ensure!(session[field] == is, "{field} is not {is}: {session}");
    }
    let id = held["id"].as_str().unwrap();
    // The broker asks for her signature.
    m.island.expacti("alice", &["allow", id])?.expect_code(5)?.expect_stderr("signs")?;
    ensure!(m.ran() == 0);
    m.island.expacti("alice", &["allow", id, "--key", &m.key])?.expect_code(0)?;
    let outcome = run.wait()?;
    outcome.expect_code(0)?.expect_stdout("deploy\n")?;
    ensure!(m.ran() == 1);
    // And so does the gate, whatever the owner of the broker allows.
    let mut run = m.wrap(&["ssh", "-p", &m.port.to_string(), "deploy@127.0.0.1", &touch])?;
    let held = m.held(&mut run)?;
    m.island.root_expacti(&["allow", held["id"].as_str().unwrap()])?.expect_code(0)?;
    run.wait()?.expect_code(79)?.expect_stderr("needs 1 signature")?;
    ensure!(m.ran() == 1);
    // A denial needs none.
    let mut run = m.wrap(&["ssh", "web", &touch])?;
    let held = m.held(&mut run)?;
    m.island.expacti("alice", &["deny", held["id"].as_str().unwrap(), "no"])?.expect_code(0)?;
    run.wait()?.expect_code(77)?;
    m.island.root_expacti(&["audit", "verify"])?.expect_code(0)?;
    // Taken away, with the service running: the data stays, and is nobody's but root's.
    m.island.root_expacti(&["setup", "--undo", "--yes"])?.expect_code(0)?;
    m.service.take().unwrap().wait()?.expect_code(0)?;
    let left = m.island.changes(TOUCHED)?;
    let left: Vec<&String> =
        left.iter().filter(|line| !is_of_users(line) && !before.contains(line)).collect();
    ensure!(
        left.iter().any(|line| line.starts_with("/var/lib/expacti/expacti.db 0:0 600")),
        "{left:?}"
    );
    ensure!(
        left.iter().any(|line| line.starts_with("/var/lib/expacti/keys/target_ed25519 0:0 600")),
        "{left:?}"
    );
    let kept =
        |line: &str| line.starts_with("/var/lib/expacti") || line.starts_with("/etc/expacti");
    ensure!(left.iter().all(|line| kept(line)), "{left:?}");
    ensure!(!m.island.path("/etc/expacti/client.toml").exists());
    m.island.root(&["id", "expacti"]).run()?.expect_code(1)?;
    m.island.expacti("bot", &["status"])?.expect_code(6)?.expect_stderr("expacti up")?;
    // And set up again it goes on where it was.
    let said = m.setup()?;
    m.start(&said)?;
    let log = m.island.root_expacti(&["audit", "log"])?;
    ensure!(log.expect_code(0)?.out().contains("decision"), "{}", log.describe());
    m.island.root_expacti(&["target", "list"])?.expect_code(0)?;
    m.island.root_expacti(&["setup", "--undo", "--purge", "--yes"])?.expect_code(0)?;
    m.service.take().unwrap().wait()?.expect_code(0)?;
    let after = m.island.changes(TOUCHED)?;
    let gone: Vec<_> =
        before.iter().filter(|line| !after.contains(line) && !is_of_users(line)).collect();
    let new: Vec<_> =
        after.iter().filter(|line| !before.contains(line) && !is_of_users(line)).collect();
    ensure!(gone.is_empty() && new.is_empty(), "gone: {gone:?}, new: {new:?}");
    Ok(())
}

/// What making users changes, and what the test itself does beside.
fn is_of_users(line: &str) -> bool {
    let path = line.split(' ').next().unwrap_or_default();
    let files = ["passwd", "shadow", "group", "gshadow", "subuid", "subgid", ".pwd.lock"];
    files.iter().any(|file| path.trim_end_matches('-') == format!("/etc/{file}"))
}

/// Reading, as the agent's user: none of it may say anything.
#[test]
fn the_agents_user_reads_nothing_of_the_service() -> Result<()> {
    let m = Machine::set_up(island!())?;
    let pid = m.pid()?;
    let mut run = m.wrap(&["ssh", "web", "echo secret-in-the-recording"])?;
    let held = m.held(&mut run)?;
    let id = held["id"].as_str().unwrap();
    m.island.expacti("alice", &["allow", id, "--key", &m.key])?.expect_code(0)?;
    run.wait()?.expect_code(0)?;
    for path in [
        "keys/target_ed25519",
        "keys/gate_ed25519",
        "expacti.db",
        "recordings",
        "expacti.db-wal",
        "",
    ] {
        let path = format!("/var/lib/expacti/{path}");
        // It is there, and that is not why it cannot be read.
        ensure!(m.island.path(&path).exists(), "{path}");
        for user in ["bot", "alice"] {
            let read = m
                .island
                .user_runs(user, &["sh", "-c", "cat \"$1\" || ls \"$1\"", "sh", &path])
                .run()?;
            ensure!(read.code() != 0 && read.out().is_empty(), "{user}: {}", read.describe());
            read.expect_stderr("Permission denied")?;
        }
    }
    for (name, how) in [
        ("mem", "dd if=/proc/$1/mem bs=1 count=1 skip=4096"),
        ("maps", "test -n \"$(cat /proc/$1/maps)\""),
        ("environ", "test -n \"$(cat /proc/$1/environ)\""),
        ("fd", "ls /proc/$1/fd"),
        ("root", "ls /proc/$1/root/"),
        ("cwd", "ls /proc/$1/cwd/"),
        ("ns", "readlink /proc/$1/ns/user"),
        ("stack", "cat /proc/$1/auxv"),
        ("signal", "kill -TERM $1"),
        ("stop", "kill -STOP $1"),
    ] {
        let tried = m.island.user_runs("bot", &["sh", "-c", how, "sh", &pid]).run()?;
        ensure!(tried.code() != 0 && tried.out().is_empty(), "{name}: {}", tried.describe());
    }
    // Nor does the service tell it.
    for asks in [
        &["pending"][..],
        &["sessions"],
        &["audit", "log"],
        &["audit", "export"],
        &["audit", "bundle", id, "--out", "bundle"],
        &["replay", "last"],
        &["target", "list"],
        &["reviewer", "list"],
        &["reviewer", "key", "list"],
        &["rules", "list"],
        &["policy", "list"],
        &["review"],
    ] {
        let asked = m.island.expacti("bot", asks)?;
        ensure!(asked.code() == 5, "{asks:?}: {}", asked.describe());
        asked.expect_stderr("is no reviewer of this machine")?;
    }
    ensure!(m.pid()? == pid, "the service was ended");
    // Root's word leads an account there, and its own goes before it.
    let shown = m.island.expacti("bot", &["config", "show", "--json"])?.json()?;
    let service = shown.as_array().unwrap().iter().find(|entry| entry["key"] == "service").unwrap();
    ensure!(service["value"] == true && service["from"] == "/etc/expacti/client.toml", "{service}");
    let own = "mkdir -p .config/expacti; echo 'service = false' > .config/expacti/config.toml";
    m.island.user_runs("bot", &["sh", "-c", own]).run()?.expect_code(0)?;
    m.island.expacti("bot", &["status"])?.expect_code(6)?.expect_stderr("expacti up")?;
    m.island.user_runs("bot", &["rm", ".config/expacti/config.toml"]).run()?.expect_code(0)?;
    m.island.expacti("bot", &["status"])?.expect_code(0)?;
    // Each user is told what holds for them, and nothing is promised that does not.
    let broken = |user: &str| -> Result<Vec<String>> {
        let said = m.island.user_runs(user, &["expacti", "doctor", "--json"]).run()?;
        let checks = said.json()?;
        let promises = checks.as_array().unwrap().iter().filter(|c| c["promise"] == true);
        let promises: Vec<_> = promises.collect();
        ensure!(promises.len() == 7, "{}", said.describe());
        let broken = promises.iter().filter(|c| c["result"] != "ok");
        Ok(broken.map(|c| c["name"].as_str().unwrap().to_owned()).collect())
    };
    ensure!(broken("bot")? == [""; 0], "{:?}", broken("bot")?);
    ensure!(broken("alice")? == ["approvals", "other user"], "{:?}", broken("alice")?);
    m.island.key("bot", ".id")?;
    m.island.user_runs("bot", &["sh", "-c", "mkdir -p .ssh; mv .id .ssh/id_ed25519"]).run()?;
    ensure!(broken("bot")? == ["target keys"], "{:?}", broken("bot")?);
    m.island.root(&["chmod", "g+w", "/etc/expacti/allowed_signers"]).run()?.expect_code(0)?;
    ensure!(broken("bot")?.contains(&"settings".to_owned()), "{:?}", broken("bot")?);
    Ok(())
}

/// Approving, as the agent's user: none of it may let anything run.
#[test]
fn the_agents_user_approves_nothing() -> Result<()> {
    if prerequisites::command("curl").is_none() {
        prerequisites::missing("curl", &prerequisites::install("curl"));
        return Ok(());
    }
    let mut m = Machine::set_up(island!())?;
    let own = m.island.key("bot", "own")?;
    let public = format!("{own}.pub");
    let touch = format!("echo ran >> {RAN}");
    let mut run = m.wrap(&["ssh", "web", &touch])?;
    let held = m.held(&mut run)?;
    let id = held["id"].as_str().unwrap().to_owned();
    let sha256 = held["sha256"].as_str().unwrap().to_owned();
    let pid = m.pid()?;
    for tries in [
        &["allow", &id][..],
        &["allow", &id, "--key", &own],
        &["allow", &id, "--key", &m.key],
        &["deny", &id],
        &["rules", "add", "--glob", "**"],
        &["rules", "defaults"],
        &["policy", "add", "--type", "any", "--match", "**"],
        &["reviewer", "add", "bot", "--unix-user", "bot"],
        &["reviewer", "add", "mallory"],
        &["reviewer", "key", "add", "bot", &public],
        &["reviewer", "key", "add", "alice", &public],
        &["reviewer", "remove", "alice"],
        &["target", "add", "web", "deploy@127.0.0.2", "--host-key", &m.host_key],
        &["target", "remove", "web"],
        &["agent", "add", "x", "--key", &public],
        &["gate", "add", "x"],
        &["down"],
    ] {
        let tried = m.island.expacti("bot", tries)?;
        ensure!([1, 2, 5].contains(&tried.code()), "{tries:?}: {}", tried.describe());
    }
    // Straight to the socket: another name, a token, a made-up signature, from a namespace of its own.
    let say = |user: &str, before: &str, method: &str, path: &str, body: &str| {
        let script = format!(
            "exec {before} curl -sS --unix-socket /run/expacti/broker.sock -X {method} http://localhost{path} \
             -H 'authorization: Bearer alice' -H 'content-type: application/json' -d @-"
        );
        m.island.user_runs(user, &["sh", "-c", &script]).stdin(body.to_owned()).run()
    };
    let decision = format!(
        r#"{{"allow":true,"sha256":"{sha256}","statement":"{{}}","signature":"-----BEGIN SSH SIGNATURE-----"}}"#
    );
    let path = format!("/v1/commands/{id}/decision");
    let said = say("bot", "", "POST", &path, &decision)?;
    ensure!(said.out().contains("is no reviewer of this machine"), "{}", said.describe());
    let said = say("bot", "", "POST", "/v1/wraps/check", r#"{"token":"x"}"#)?;
    ensure!(said.out().contains("is no reviewer of this machine"), "{}", said.describe());
    // As the reviewer, but made up.
    let said = say("alice", "", "POST", &path, &decision)?;
    ensure!(said.out().contains("\"code\":\"not_entitled\""), "{}", said.describe());
    // As the reviewer's user, but in another namespace, as her own wrapped programs are.
    let said = say("alice", "unshare --user --map-current-user", "POST", &path, &decision)?;
    ensure!(said.out().contains("another user namespace"), "{}", said.describe());
    // Nor inside of a wrap, whoever's it is.
    for user in ["bot", "alice"] {
        let inside = ["expacti", "wrap", "--", "expacti", "allow", &id, "--key", &m.key];
        let tried = m.island.user_runs(user, &inside).run()?;
        tried.expect_code(5)?.expect_stderr("refused: inside a wrap")?;
    }
    // Another process's wrap: init's would make everybody a wrapped program.
    let said = say("bot", "", "POST", "/v1/wraps", r#"{"pid":1,"agent":"x"}"#)?;
    ensure!(said.out().contains("may register itself or its parent"), "{}", said.describe());
    // What the service goes by.
    for script in [
        "echo >> /etc/expacti/config.toml",
        "echo >> /etc/expacti/allowed_signers",
        "echo >> /etc/expacti/client.toml",
        "touch /etc/expacti/x",
        "mv /etc/expacti /etc/x",
        "rm /run/expacti/broker.sock",
        "mv /run/expacti/gate.sock /run/expacti/x",
        "touch /run/expacti/x",
        "mv /run/expacti /run/x",
        "touch /var/lib/expacti/x",
        "mv /var/lib/expacti /var/lib/x",
    ] {
        let tried = m.island.user_runs("bot", &["sh", "-c", script]).run()?;
        ensure!(tried.code() != 0, "{script}: {}", tried.describe());
    }
    // A gate of its own has no key, and neither has it.
    let to = ["ssh", "-p", &m.port.to_string(), "-o", "BatchMode=yes"].map(str::to_owned);
    let known = format!("[127.0.0.1]:{} {}\n", m.port, m.host_key);
    m.island
        .user_runs("bot", &["sh", "-c", "umask 077; mkdir -p .ssh; cat > .ssh/known_hosts"])
        .stdin(known)
        .run()?
        .expect_code(0)?;
    let mut words: Vec<&str> = to.iter().map(String::as_str).collect();
    words.extend(["deploy@127.0.0.1", &touch]);
    m.island
        .user_runs("bot", &words)
        .run()?
        .expect_code(255)?
        .expect_stderr("Permission denied")?;
    let own_gate = ["env", "EXPACTI_HOME=/home/bot/x", "expacti", "wrap", "--"];
    let tried = m.island.user_runs("bot", &[&own_gate[..], &words].concat()).run()?;
    ensure!(tried.code() != 0, "{}", tried.describe());
    tried.expect_stderr("Permission denied")?;
    m.island
        .user_runs("bot", &["env", "EXPACTI_HOME=/home/bot/x", "expacti", "down"])
        .run()?
        .expect_code(0)?;
    // Where it may go is the registration's word, and nobody is asked about anything else.
    for route in [["-p", "1", "deploy@127.0.0.1"], ["-p", "22", "deploy@example.invalid"]] {
        let argv = [&["expacti", "wrap", "--", "ssh"], &route[..], &["true"]].concat();
        let tried = m.island.user_runs("bot", &argv).run()?;
        ensure!(tried.code() != 0, "{}", tried.describe());
        tried.expect_stderr("is not registered with the service")?;
    }
    let waiting = m.island.expacti("alice", &["pending", "--json"])?.json()?;
    ensure!(waiting.as_array().unwrap().len() == 1, "{waiting}");
    // Nothing of that was an approval, and the service is what it was.
    ensure!(m.ran() == 0 && m.pid()? == pid);
    ensure!(run.running()?, "the held command ended");
    m.island.expacti("alice", &["allow", &id, "--key", &m.key])?.expect_code(0)?;
    run.wait()?.expect_code(0)?;
    ensure!(m.ran() == 1);
    // Named after its user, whatever it says of itself.
    let argv = ["expacti", "wrap", "--agent", "alice/claude", "--", "ssh", "web", &touch];
    let mut run = m.island.user_runs("bot", &argv).spawn()?;
    let held = m.held(&mut run)?;
    ensure!(held["session"]["agent"] == "bot/alice/claude", "{held}");
    m.island.expacti("alice", &["deny", held["id"].as_str().unwrap()])?.expect_code(0)?;
    run.wait()?.expect_code(77)?;
    m.service.take();
    Ok(())
}
