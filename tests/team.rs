//! A team's deployment: plain ssh to the gate, broker elsewhere, tokens and roles.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

use anyhow::{Result, ensure};
use expacti_harness::{Team, Trial, kill, trial, until};
use rustix::process::Signal;

/// `expacti ARGS...` as the reviewer alice, over TCP.
fn alice(t: &Trial, team: &Team<'_>, args: &[&str]) -> Result<expacti_harness::Outcome> {
    let mut all = args.to_vec();
    let url = team.url();
    all.extend(["--broker", &url]);
    t.launch(&all).env("EXPACTI_TOKEN", team.token()).run()
}

#[test]
fn plain_ssh_is_held_allowed_and_denied() -> Result<()> {
    let t = trial!()?;
    let team = Team::start(&t)?;
    let marker = t.marker("m");
    let run = team.ssh(&[], &[&format!("{}; exit 5", marker.touch())])?.spawn()?;
    let held = t.wait_pending()?;
    assert!(!marker.exists());
    alice(&t, &team, &["allow", &held.id, "go"])?.expect_code(0)?;
    run.wait()?.expect_code(5)?;
    assert_eq!(marker.count(), 1);
    assert_eq!(t.wait_entry(&held.id, "decision")?.decided_by.as_deref(), Some("alice"));

    let run = team.ssh(&[], &[&marker.touch()])?.spawn()?;
    let held = t.wait_pending()?;
    alice(&t, &team, &["deny", &held.id, "no"])?.expect_code(0)?;
    run.wait()?.expect_code(77)?.expect_stderr("expacti: command denied — no")?;
    assert_eq!(marker.count(), 1);
    Ok(())
}

#[test]
fn the_agents_key_opens_only_the_gate() -> Result<()> {
    let t = trial!()?;
    let _team = Team::start(&t)?;
    t.direct_ssh(&["target", "true"]).run()?.expect_code(255)?;
    Ok(())
}

#[test]
fn strangers_are_not_let_in() -> Result<()> {
    let t = trial!()?;
    let team = Team::start(&t)?;
    // An agent that is removed, a wrong token, no token.
    t.expacti(&["agent", "remove", "bot"])?.expect_code(0)?;
    let outcome = team.ssh(&[], &["true"])?.run()?;
    outcome.expect_code(255)?;
    assert!(t.pending()?.is_empty());
    for token in ["", "expacti_0000", &team.token()[..team.token().len() - 1]] {
        let url = team.url();
        let args = ["pending", "--json", "--broker", &url];
        let outcome = t.launch(&args).env("EXPACTI_TOKEN", token).run()?;
        ensure!(outcome.code() != 0, "{token:?}: {}", outcome.describe());
        outcome.expect_no_stdout()?;
    }
    Ok(())
}

#[test]
fn a_killed_broker_denies_with_its_own_message_and_status() -> Result<()> {
    let t = trial!()?;
    let mut team = Team::start(&t)?;
    let marker = t.marker("m");
    let run = team.ssh(&[], &[&marker.touch()])?.spawn()?;
    let held = t.wait_pending()?;
    kill(team.broker_pid(), Signal::KILL)?;
    let outcome = run.wait()?;
    outcome.expect_code(79)?.expect_no_stdout()?;
    outcome.expect_stderr("expacti: command denied — broker unreachable")?;
    // Nobody to ask: a new command is denied in the same way.
    let outcome = team.ssh(&[], &[&marker.touch()])?.run()?;
    ensure!([79, 255].contains(&outcome.code()), "{}", outcome.describe());
    team.restart_broker()?;
    t.expacti(&["allow", &held.id])?.expect_code(5)?;
    assert!(!marker.exists());
    // And it works again as soon as the broker is back.
    let again = until("the gate to find the broker", || {
        let run = team.ssh(&[], &[&marker.touch()])?.spawn()?;
        let held = until("a held command or an end", || {
            Ok(match t.pending()?.into_iter().next() {
                Some(held) => Some(Some(held)),
                None => t.processes().iter().all(|p| p.program() != "ssh").then_some(None),
            })
        })?;
        Ok(held.map(|held| (run, held)))
    })?;
    t.allow(&again.1.id)?;
    again.0.wait()?.expect_code(0)?;
    assert_eq!(marker.count(), 1);
    Ok(())
}

#[test]
fn a_stalled_broker_never_means_yes() -> Result<()> {
    let t = trial!()?;
    let team = Team::start(&t)?;
    t.expacti(&["policy", "add", "--type", "any", "--match", "*", "--timeout", "5s"])?
        .expect_code(0)?;
    let marker = t.marker("m");
    let run = team.ssh(&[], &[&marker.touch()])?.spawn()?;
    t.wait_pending()?;
    kill(team.broker_pid(), Signal::STOP)?;
    let outcome = run.wait()?;
    ensure!([78, 79].contains(&outcome.code()), "{}", outcome.describe());
    kill(team.broker_pid(), Signal::CONT)?;
    t.wait_pending_count(0)?;
    assert!(!marker.exists());
    Ok(())
}

#[test]
fn a_killed_gate_voids_what_was_held() -> Result<()> {
    let t = trial!()?;
    let mut team = Team::start(&t)?;
    let marker = t.marker("m");
    let run = team.ssh(&[], &[&marker.touch()])?.spawn()?;
    let held = t.wait_pending()?;
    kill(team.gate_pid(), Signal::KILL)?;
    run.wait()?.expect_code(255)?;
    t.wait_pending_count(0)?;
    t.expacti(&["allow", &held.id])?.expect_code(5)?;
    team.restart_gate()?;
    assert!(!marker.exists());
    Ok(())
}

#[test]
fn statuses_are_right_under_a_control_master() -> Result<()> {
    let t = trial!()?;
    let team = Team::start(&t)?;
    t.rule("--glob", "exit *")?;
    let control = format!("ControlPath={}", t.dir().join("cm").display());
    let options = ["-o", &control, "-o", "ControlMaster=auto", "-o", "ControlPersist=30"];
    for n in 0..100 {
        team.ssh(&options, &[&format!("exit {n}")])?.run()?.expect_code(n)?;
    }
    team.ssh(&[&options[..], &["-O", "exit"]].concat(), &[])?.run()?;
    Ok(())
}

#[test]
fn forwarding_through_the_gate_is_refused() -> Result<()> {
    let t = trial!()?;
    let team = Team::start(&t)?;
    t.rule("--glob", "echo **")?;
    let port = t.sshd().port();
    // -W: the gate must open no channel to anywhere.
    let direct = format!("127.0.0.1:{port}");
    // At the target's own address it is the gate that answers, as for ssh -J; elsewhere nobody.
    let outcome = team.ssh(&["-W", &direct], &[])?.run()?;
    let said = outcome.out();
    ensure!(said.is_empty() || said.starts_with("SSH-2.0-expacti_"), "{}", outcome.describe());
    for other in ["127.0.0.1:1", "localhost:22", "unix:1"] {
        let outcome = team.ssh(&["-W", other], &[])?.run()?;
        let said = outcome.out();
        ensure!(!said.contains("OpenSSH"), "{}", outcome.describe());
    }
    let remote = ["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:9"];
    let outcome = team.ssh(&remote, &["echo forwarded"])?.run()?;
    ensure!(outcome.code() == 255, "{}", outcome.describe());
    // An agent is not forwarded, and X11 is not; the command itself runs.
    let outcome = team.ssh(&["-A", "-X"], &["echo", "plain"])?.run()?;
    outcome.expect_stdout("plain\n")?;
    let outcome = team.ssh(&["-s"], &["netconf"])?.run()?;
    ensure!(outcome.code() != 0 && outcome.stdout.is_empty(), "{}", outcome.describe());
    Ok(())
}

/// A configuration for ssh: the gate under the name `gate`, with that key.
fn config(t: &Trial, team: &Team<'_>, key: &str) -> Result<String> {
    let dir = t.dir();
    let line = t
        .launch(&["gate", "ca", "--hosts", "*"])
        .env("EXPACTI_HOME", team.gate_home())
        .run()?
        .out();
    ensure!(line.starts_with("@cert-authority * ssh-ed25519 AAAA"), "{line}");
    let known = std::fs::read_to_string(dir.join("team/known_hosts"))?;
    std::fs::write(dir.join("jump_hosts"), format!("{known}{line}"))?;
    let text = format!(
        "Host gate\nHostName 127.0.0.1\nPort {port}\nHost * !gate\nProxyJump gate\nHost *\n\
         UserKnownHostsFile {hosts}\nGlobalKnownHostsFile /dev/null\nIdentityFile {key}\n\
         IdentitiesOnly yes\nBatchMode yes\nStrictHostKeyChecking yes\n",
        port = team.gate_port(),
        hosts = dir.join("jump_hosts").display(),
    );
    let path = dir.join(format!("jump_config_{}", key.len()));
    std::fs::write(&path, text)?;
    Ok(path.display().to_string())
}

#[test]
fn a_jump_through_the_gate_is_held_as_the_target() -> Result<()> {
    let t = trial!()?;
    let team = Team::start(&t)?;
    let config = config(&t, &team, &t.client().key().display().to_string())?;
    let marker = t.marker("m");
    let ssh = |destination: &str, args: &[&str]| {
        let mut all = vec!["ssh", "-F", &config, destination];
        all.extend(args);
        t.direct(&all)
    };
    let run = ssh("target", &[&format!("{}; exit 5", marker.touch())]).spawn()?;
    let held = t.wait_pending()?;
    assert!(!marker.exists());
    alice(&t, &team, &["allow", &held.id])?.expect_code(0)?;
    run.wait()?.expect_code(5)?;
    assert_eq!(marker.count(), 1);
    let run = ssh("target", &[&marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    alice(&t, &team, &["deny", &held.id, "no"])?.expect_code(0)?;
    run.wait()?.expect_code(77)?.expect_stderr("expacti: command denied — no")?;
    assert_eq!(marker.count(), 1);
    let outcome = ssh("elsewhere", &["true"]).run()?;
    outcome.expect_code(255)?.expect_stderr("expacti: there is no target \"elsewhere\"")?;
    Ok(())
}

#[test]
fn an_agent_with_a_certificate_is_who_its_authority_says() -> Result<()> {
    let t = trial!()?;
    let team = Team::start(&t)?;
    t.rule("--glob", "echo **")?;
    let file = |name: &str| t.dir().join(name).display().to_string();
    for name in ["ca", "worker"] {
        t.direct(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", &file(name)])
            .run()?
            .expect_code(0)?;
    }
    let certify = |principal: &str| {
        let public = file("worker.pub");
        t.direct(&["ssh-keygen", "-q", "-s", &file("ca"), "-I", "w", "-n", principal, &public])
            .run()?
            .expect_code(0)
            .map(drop)
    };
    t.expacti(&["agent", "add", "ci", "--ca", &file("ca.pub"), "--owner", "boss"])?
        .expect_code(0)?;
    let config = config(&t, &team, &file("worker"))?;
    let echo = || t.direct(&["ssh", "-F", &config, "target", "echo in"]).run();
    certify("ci")?;
    echo()?.expect_stdout("in\n")?;
    certify("root")?;
    echo()?.expect_code(255)?.expect_stderr("Permission denied")?;
    certify("ci")?;
    t.expacti(&["agent", "remove", "ci"])?.expect_code(0)?;
    echo()?.expect_code(255)?.expect_stderr("Permission denied")?;
    // An agent has a key or an authority, and a principal is a plain name.
    for wrong in [&["--ca", &file("ca.pub"), "--principal", "a\"b"][..], &[], &["--principal", "x"]]
    {
        let args = [&["agent", "add", "other"][..], wrong].concat();
        let outcome = t.expacti(&args)?;
        ensure!(outcome.code() != 0, "{}", outcome.describe());
    }
    Ok(())
}
