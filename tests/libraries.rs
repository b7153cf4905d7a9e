//! Programs that speak SSH themselves, and the ssh-agent inside a wrap: no key is within their reach,
//! the gate is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::PathBuf,
};

use anyhow::{Context, Result, ensure};
use expacti_harness::{Launch, Ordinary, Outcome, Run, ordinary, prerequisites, until};

/// The client, where the user can read it.
fn script(t: &Ordinary) -> Result<String> {
    let path = t.write("ssh_library.py", include_str!("ssh_library.py"))?;
    Ok(path.display().to_string())
}

/// `None`: the library is missing here, and the skip is recorded.
fn python(library: &str) -> Option<&'static str> {
    prerequisites::python_with(library)
}

/// The words that run a command on a host as this user.
fn words<'a>(
    python: &'a str,
    script: &'a str,
    way: &'a str,
    to: (&'a str, &'a str),
    user: &'a str,
    command: &'a str,
) -> Vec<&'a str> {
    vec![python, script, way, to.0, to.1, user, command]
}

/// Requires this text somewhere on standard output, whatever the status.
fn says(outcome: &Outcome, text: &str) -> Result<()> {
    ensure!(outcome.out().contains(text), "expected {text:?}: {}", outcome.describe());
    Ok(())
}

/// The user's own ssh-agent, with the key in it.
struct Agent {
    socket: PathBuf,
    _run: Run,
}

impl Agent {
    fn start(t: &Ordinary) -> Result<Self> {
        let socket = t.run_dir().join("agent");
        let run = t.launch(&["ssh-agent", "-D", "-a", &socket.display().to_string()]).spawn()?;
        // The file is there before anybody listens.
        until("the agent", || Ok(UnixStream::connect(&socket).is_ok().then_some(())))?;
        let agent = Self { socket, _run: run };
        agent.with(t.launch(&["ssh-add", "-q", ".ssh/id_ed25519"])).run()?.expect_code(0)?;
        Ok(agent)
    }

    fn with(&self, launch: Launch) -> Launch {
        launch.env("SSH_AUTH_SOCK", &self.socket)
    }
}

/// A login by the library itself succeeds outside, and fails inside before anybody could be asked.
fn logs_in_only_outside(library: &str, how: &str) -> Result<()> {
    let Some(python) = python(library) else { return Ok(()) };
    let t = ordinary!();
    let (script, port) = (script(&t)?, t.sshd().port().to_string());
    let agent = Agent::start(&t)?;
    let way = format!("{library}-{how}");
    let (outside, inside) = (t.marker("outside"), t.marker("inside"));
    let to = ("127.0.0.1", port.as_str());
    let command = outside.touch();
    agent
        .with(t.launch(&words(python, &script, &way, to, t.name(), &command)))
        .run()?
        .expect_code(0)?;
    assert_eq!(outside.count(), 1);

    let command = inside.touch();
    let outcome =
        agent.with(t.wrap(&words(python, &script, &way, to, t.name(), &command))).run()?;
    assert!(!inside.exists(), "{}", outcome.describe());
    assert_eq!(outcome.code(), 1, "{}", outcome.describe());
    assert!(t.pending()?.is_empty());
    if how == "agent" {
        // At once, since it has no terminal, and at the end.
        let said = outcome.err().matches("tried to log in with a key of your ssh-agent").count();
        assert_eq!(said, 2, "{}", outcome.describe());
        outcome.expect_stderr("EXPACTI_SSH_PROXY")?;
    }
    Ok(())
}

#[test]
fn paramiko_with_a_key() -> Result<()> {
    logs_in_only_outside("paramiko", "key")
}

#[test]
fn paramiko_with_the_agent() -> Result<()> {
    logs_in_only_outside("paramiko", "agent")
}

#[test]
fn asyncssh_with_a_key() -> Result<()> {
    logs_in_only_outside("asyncssh", "key")
}

#[test]
fn asyncssh_with_the_agent() -> Result<()> {
    logs_in_only_outside("asyncssh", "agent")
}

/// Held through the proxy; allowed it runs, denied it does not. The user is the one that the library
/// says, also where the configuration has another.
fn held_through_the_proxy(
    t: &Ordinary,
    launch: impl Fn(&Ordinary, (&str, &str), &str) -> Launch,
) -> Result<()> {
    // Its keys are in the way of nothing.
    let agent = Agent::start(t)?;
    let config = fs::read_to_string(t.home().join(".ssh/config"))?;
    t.write(".ssh/config", &format!("Host target\n  User nobody-of-that-name\n{config}"))?;
    for (verdict, code) in [("allow", 0), ("deny", 77)] {
        let marker = t.marker(verdict);
        let command = format!("{}; id -un", marker.touch());
        // SSH's own port, as libraries say it: the configuration knows the real one.
        let mut run = agent.with(launch(t, ("target", "22"), &command)).spawn()?;
        let held = t.wait_pending(&mut run)?;
        assert!(!marker.exists(), "it ran before it was decided");
        assert_eq!(held.command, command);
        let session = &held.more["session"];
        assert_eq!((&session["user"], &session["target"]), (&t.name().into(), &"target".into()));
        t.decide_all(&mut run, verdict)?;
        let outcome = run.wait()?;
        assert_eq!(outcome.code(), code, "{}", outcome.describe());
        assert_eq!(marker.exists(), verdict == "allow", "{}", outcome.describe());
        if verdict == "allow" {
            outcome.expect_stdout(&format!("{}\n", t.name()))?;
        } else {
            outcome.expect_stderr("expacti: command denied")?;
        }
    }
    Ok(())
}

#[test]
fn paramiko_through_the_proxy() -> Result<()> {
    let Some(python) = python("paramiko") else { return Ok(()) };
    let t = ordinary!();
    let script = script(&t)?;
    held_through_the_proxy(&t, |t, to, command| {
        t.wrap(&words(python, &script, "paramiko", to, t.name(), command))
    })
}

#[test]
fn asyncssh_through_the_proxy() -> Result<()> {
    let Some(python) = python("asyncssh") else { return Ok(()) };
    if prerequisites::command("nc").is_none() {
        return Ok(());
    }
    let t = ordinary!();
    let script = script(&t)?;
    held_through_the_proxy(&t, |t, to, command| {
        t.wrap(&words(python, &script, "asyncssh", to, t.name(), command))
    })
}

#[test]
fn ssh2_through_the_proxy() -> Result<()> {
    let node = prerequisites::command("node");
    let (Some(_), Some(modules)) = (node, prerequisites::npm_library("ssh2")) else {
        return Ok(());
    };
    let t = ordinary!();
    let script = t.write("ssh_library.js", include_str!("ssh_library.js"))?.display().to_string();
    held_through_the_proxy(&t, |t, to, command| {
        t.wrap(&words("node", &script, "ssh2", to, t.name(), command)).env("NODE_PATH", &modules)
    })
}

/// A wrap that leaves the proxy's address in a file and lives on.
fn living(t: &Ordinary, name: &str) -> Result<(Run, String)> {
    let file = t.home().join(name);
    let line = format!("echo $EXPACTI_SSH_PROXY >{name}.new; mv {name}.new {name}; exec sleep 900");
    let run = t.wrap(&["bash", "-c", &line]).spawn()?;
    let address = until("the proxy's address", || Ok(fs::read_to_string(&file).ok()))?;
    Ok((run, address.trim().to_owned()))
}

#[test]
fn the_proxy_is_the_wraps_own() -> Result<()> {
    let t = ordinary!();
    let script = script(&t)?;
    let request = "CONNECT target:22 HTTP/1.1\\r\\n\\r\\n";
    let ask = |launch: fn(&Ordinary, &[&str]) -> Launch, address: Option<&str>, request: &str| {
        // Only the variable of a foreign wrap is set: env(1) runs inside.
        let set = address.map(|address| format!("EXPACTI_SSH_PROXY={address}"));
        let mut argv = vec!["env"];
        argv.extend(set.as_deref());
        argv.extend(words("python3", &script, "dumb", ("", "0"), "", request));
        launch(&t, &argv).run()
    };
    let (_other, address) = living(&t, "other")?;
    // Inside its own wrap.
    says(&ask(Ordinary::wrap, None, request)?, "HTTP/1.1 200")?;
    // Outside, and in another wrap of this user.
    for launch in [Ordinary::launch as fn(&Ordinary, &[&str]) -> Launch, Ordinary::wrap] {
        let outcome = ask(launch, Some(&address), request)?;
        ensure!(outcome.code() == 1 && outcome.out().is_empty(), "{}", outcome.describe());
    }
    // Another user.
    let mut stream = TcpStream::connect(&address)?;
    let mut answer = Vec::new();
    let _ = stream.write_all(b"CONNECT target:22 HTTP/1.1\r\n\r\n");
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    // What is said inside is checked.
    for (request, status) in [
        ("CONNECT -oProxyCommand=id:22 HTTP/1.1\\r\\n\\r\\n", "400"),
        ("CONNECT root@target:22 HTTP/1.1\\r\\n\\r\\n", "400"),
        ("CONNECT $(id):22 HTTP/1.1\\r\\n\\r\\n", "403"),
        ("CONNECT a;b:22 HTTP/1.1\\r\\n\\r\\n", "403"),
        ("GET / HTTP/1.1\\r\\n\\r\\n", "405"),
        ("SSH-2.0-x\\r\\n\\r\\n", "400"),
    ] {
        says(&ask(Ordinary::wrap, None, request)?, &format!("HTTP/1.1 {status}"))?;
    }
    Ok(())
}

#[test]
fn the_agent_shows_keys_and_changes_nothing() -> Result<()> {
    let t = ordinary!();
    let agent = Agent::start(&t)?;
    let inside = |line: &str| agent.with(t.wrap(&["bash", "-c", line])).run();
    let own = agent.with(t.launch(&["ssh-add", "-l"])).run()?;
    let fingerprint = own.out().split(' ').nth(1).context("no fingerprint")?.to_owned();
    let listed = inside("ssh-add -l")?;
    listed.expect_code(0)?;
    for text in [&fingerprint, "held by expacti", "EXPACTI_SSH_PROXY"] {
        says(&listed, text)?;
    }
    for change in ["ssh-add -D", "ssh-add -x </dev/null", "ssh-keygen -qN '' -f k && ssh-add -q k"]
    {
        let outcome = inside(change)?;
        ensure!(outcome.code() != 0, "{change}: {}", outcome.describe());
    }
    assert_eq!(agent.with(t.launch(&["ssh-add", "-l"])).run()?.out(), own.out());
    // Signatures for anything else than git.
    let sign =
        "ssh-add -L >~/key.pub; echo x >f; ssh-keygen -Y sign -n file -f ~/key.pub f; ls f.sig";
    let outcome = inside(sign)?;
    ensure!(outcome.code() != 0, "{}", outcome.describe());
    outcome.expect_stderr("no commit, tag or push of git")?;
    assert!(t.pending()?.is_empty());
    // It serves its own wrap only.
    let line = "echo $SSH_AUTH_SOCK >socket.new; mv socket.new socket; exec sleep 900";
    let _living = agent.with(t.wrap(&["bash", "-c", line])).spawn()?;
    let file = t.home().join("socket");
    let socket = until("the agent's socket", || Ok(fs::read_to_string(&file).ok()))?;
    let listed = t.launch(&["ssh-add", "-l"]).env("SSH_AUTH_SOCK", socket.trim()).run()?;
    ensure!(listed.code() != 0 && !listed.out().contains(&fingerprint), "{}", listed.describe());
    // Without an agent outside there is none inside.
    t.wrap(&["bash", "-c", "echo ${SSH_AUTH_SOCK-none}"]).run()?.expect_stdout("none\n")?;
    Ok(())
}

#[test]
fn a_commit_is_signed_after_review() -> Result<()> {
    let t = ordinary!();
    let agent = Agent::start(&t)?;
    let public = fs::read_to_string(t.home().join(".ssh/id_ed25519.pub"))?;
    let public: Vec<&str> = public.split_whitespace().take(2).collect();
    let public = public.join(" ");
    t.write("signers", &format!("me@example.com {public}\n"))?;
    t.write(
        ".gitconfig",
        &format!(
            "[user]\n\tname = Me\n\temail = me@example.com\n\tsigningKey = key::{public}\n\
             [gpg]\n\tformat = ssh\n[gpg \"ssh\"]\n\tallowedSignersFile = {}\n",
            t.home().join("signers").display()
        ),
    )?;
    t.run(&["git", "init", "-q", "repo"])?.expect_code(0)?;
    let git = |args: &[&str]| {
        let argv = [&["git", "-C", "repo"], args].concat();
        agent.with(t.wrap(&argv)).spawn()
    };
    let commits = || t.run(&["git", "-C", "repo", "rev-list", "--all", "--count"]);
    // No rule signs anything, however wide it is.
    t.expacti(&["rules", "add", "--regex", "(?s).*"])?.expect_code(0)?;
    for (verdict, many) in [("deny", "0\n"), ("allow", "1\n")] {
        let mut run = git(&["commit", "-S", "--allow-empty", "-m", verdict])?;
        let held = t.wait_pending(&mut run)?;
        assert_eq!(held.more["kind"], "signature", "{:?}", held.more);
        assert!(
            held.command.starts_with("git: sign a commit, tag or push as "),
            "{}",
            held.command
        );
        assert!(held.command.contains(" (SHA256:"), "{}", held.command);
        t.decide_all(&mut run, verdict)?;
        let outcome = run.wait()?;
        ensure!((outcome.code() == 0) == (verdict == "allow"), "{}", outcome.describe());
        commits()?.expect_stdout(many)?;
    }
    t.run(&["git", "-C", "repo", "verify-commit", "HEAD"])?.expect_code(0)?;
    // A program that goes away does not wait.
    let mut run = git(&["tag", "-s", "-m", "one", "v1"])?;
    t.wait_pending(&mut run)?;
    run.signal(rustix::process::Signal::INT)?;
    run.wait()?;
    until("the request to be withdrawn", || Ok(t.pending()?.is_empty().then_some(())))?;
    Ok(())
}
