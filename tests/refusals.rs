//! What the gate and the shim refuse, and that they say why.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;

use anyhow::{Result, ensure};
use expacti_harness::{Outcome, Trial, Verdict, trial};

/// Not run, not successful, and with a reason on standard error.
fn refused(outcome: &Outcome, reason: &str) -> Result<()> {
    ensure!(outcome.code() != 0, "it succeeded: {}", outcome.describe());
    outcome.expect_no_stdout()?;
    let said = outcome.err().to_lowercase();
    ensure!(said.contains(reason), "expected {reason:?} in {}", outcome.describe());
    Ok(())
}

#[test]
fn a_denial_that_a_program_can_act_on() -> Result<()> {
    let t = trial!()?;
    t.rule("--glob", "systemctl status *")?;
    let asked = ["ssh", "target", "systemctl status --all x"];
    let run = t.wrap(&asked).env("EXPACTI_JSON", "1").spawn()?;
    let held = t.wait_pending()?;
    t.deny(&held.id, "one unit at a time")?;
    let outcome = run.wait()?;
    outcome.expect_code(77)?.expect_no_stdout()?;
    let lines: Vec<String> = outcome.err().lines().map(str::to_owned).collect();
    let denial: serde_json::Value =
        lines.iter().find_map(|line| serde_json::from_str(line).ok()).expect("a line of JSON");
    assert_eq!(denial["decision"], "deny");
    assert_eq!(denial["id"], held.id.as_str());
    assert_eq!(denial["comment"], "one unit at a time");
    assert_eq!(denial["risk_score"], held.risk_score);
    assert_eq!(denial["allowed_instead"], "systemctl status *");
    Ok(())
}

#[test]
fn unknown_host_keys_are_refused() -> Result<()> {
    let t = trial!()?;
    fs::write(t.client().known_hosts(), "")?;
    let marker = t.marker("m");
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    refused(&t.wrap(&["ssh", "target", &marker.touch()]).run()?, "host key")?;
    assert!(!marker.exists());
    Ok(())
}

#[test]
fn changed_host_keys_are_refused() -> Result<()> {
    let t = trial!()?;
    let other = fs::read_to_string(t.client().public_key())?;
    let line = format!("[127.0.0.1]:{} {other}", t.sshd().port());
    fs::write(t.client().known_hosts(), line)?;
    let marker = t.marker("m");
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    refused(&t.wrap(&["ssh", "target", &marker.touch()]).run()?, "host key")?;
    assert!(!marker.exists());
    Ok(())
}

#[test]
fn revoked_host_keys_are_refused() -> Result<()> {
    let t = trial!()?;
    let known = fs::read_to_string(t.client().known_hosts())?;
    let key = known.split_once(' ').unwrap().1;
    fs::write(t.client().known_hosts(), format!("{known}@revoked * {key}"))?;
    let marker = t.marker("m");
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    refused(&t.wrap(&["ssh", "target", &marker.touch()]).run()?, "host key")?;
    assert!(!marker.exists());
    Ok(())
}

#[test]
fn a_new_host_key_is_learnt_where_the_user_says_so() -> Result<()> {
    let t = trial!()?;
    let before = fs::read_to_string(t.client().known_hosts())?;
    fs::write(t.client().known_hosts(), "")?;
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let option = "StrictHostKeyChecking=accept-new";
    t.wrap(&["ssh", "-o", option, "target", "echo hi"]).run()?.expect_stdout("hi\n")?;
    let after = fs::read_to_string(t.client().known_hosts())?;
    let key = before.split_whitespace().nth(2).unwrap();
    assert!(after.contains(key), "{after:?}");
    t.wrap(&["ssh", "target", "echo again"]).run()?.expect_stdout("again\n")?;
    Ok(())
}

#[test]
fn forwarding_is_refused_with_a_message() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let config = t.client().config().display().to_string();
    let inner = format!("ProxyCommand=ssh -F {config} -W 127.0.0.1:22 target");
    let path = t.dir().join("cm").display().to_string();
    let control = format!("ControlPath={path}");
    let cases: [&[&str]; 10] = [
        &["-L", "9:127.0.0.1:9"],
        &["-R", "9:127.0.0.1:9"],
        &["-D", "9"],
        &["-A"],
        &["-X"],
        &["-w", "0:0"],
        &["-o", "LocalForward=9 127.0.0.1:9"],
        &["-M", "-S", &path],
        &["-o", &control, "-o", "ControlMaster=yes"],
        &["-o", &inner],
    ];
    for (number, words) in cases.into_iter().enumerate() {
        let marker = t.marker(&format!("m{number}"));
        let touch = marker.touch();
        let mut argv = vec!["ssh"];
        argv.extend(words);
        argv.extend(["target", &touch]);
        let outcome = t.wrap(&argv).run()?;
        refused(&outcome, "expacti")?;
        assert!(!marker.exists(), "{words:?} ran");
    }
    Ok(())
}

#[test]
fn jumping_to_elsewhere_by_stdio_forwarding_is_refused() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let outcome = t.wrap(&["ssh", "-W", "127.0.0.1:22", "target"]).run()?;
    refused(&outcome, "expacti")
}

#[test]
fn no_command_at_all_does_nothing_behind_the_reviewers_back() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    // `-N` asks for forwarding only: there is nothing the gate could let it do.
    let run = t.wrap(&["ssh", "-N", "target"]).spawn()?;
    expacti_harness::until("a session, or a refusal", || {
        let sessions = t.expacti(&["sessions", "--json"])?.json()?;
        let mut log = t.audit()?.into_iter().map(|entry| entry.kind);
        let opened = log.any(|kind| kind == "session_opened");
        Ok((opened || !sessions.as_array().unwrap().is_empty()).then_some(()))
    })?;
    assert!(t.sshd().commands().is_empty());
    assert!(t.pending()?.is_empty());
    drop(run);
    Ok(())
}

#[test]
fn an_unreachable_target_is_reported_as_ssh_does() -> Result<()> {
    let mut t = trial!()?;
    t.up()?;
    t.sshd_mut().stop()?;
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let outcome = t.wrap(&["ssh", "target", "echo hi"]).run()?;
    outcome.expect_code(255)?.expect_no_stdout()?;
    ensure!(!outcome.err().is_empty(), "no reason given");
    Ok(())
}

#[test]
fn a_refused_login_is_reported_as_ssh_does() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    fs::write(t.dir().join("authorized_keys"), "")?;
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let outcome = t.wrap(&["ssh", "target", "echo hi"]).run()?;
    outcome.expect_code(255)?.expect_no_stdout()?;
    ensure!(!outcome.err().is_empty(), "no reason given");
    Ok(())
}

#[test]
fn client_environment_is_dropped() -> Result<()> {
    let t = Trial::with_sshd(env!("CARGO_BIN_EXE_expacti"), &["AcceptEnv *"])?;
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let outcome = t
        .wrap(&["ssh", "-o", "SendEnv=LD_PRELOAD BASH_ENV LC_TRIAL", "target", "env"])
        .env("BASH_ENV", "/nonexistent")
        .env("LC_TRIAL", "C.UTF-8")
        .run()?;
    outcome.expect_code(0)?;
    assert!(!outcome.out().contains("BASH_ENV"), "{}", outcome.describe());
    assert!(outcome.out().contains("LC_TRIAL=C.UTF-8"), "{}", outcome.describe());
    Ok(())
}
