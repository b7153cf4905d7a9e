//! `up`, `status`, `down`, and what happens to agents when broker and gate go away.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::os::unix::fs::PermissionsExt;

use anyhow::{Result, ensure};
use expacti_harness::{kill, trial, until};
use rustix::process::Signal;

#[test]
fn up_status_and_down_are_idempotent() -> Result<()> {
    let t = trial!()?;
    t.expacti(&["down"])?.expect_code(0)?;
    let status = t.expacti(&["status", "--json"])?;
    ensure!([0, 6].contains(&status.code()), "{}", status.describe());
    t.up()?;
    let daemons = t.daemons().len();
    assert!(daemons > 0, "nothing runs after up: {:?}", t.processes());
    t.up()?;
    assert_eq!(t.daemons().len(), daemons);
    t.expacti(&["status", "--json"])?.json()?;
    t.expacti(&["down"])?.expect_code(0)?;
    assert!(t.processes().is_empty(), "{:?}", t.processes());
    t.expacti(&["down"])?.expect_code(0)?;
    t.up()?;
    assert_eq!(t.daemons().len(), daemons);
    Ok(())
}

#[test]
fn starting_many_at_once_starts_one() -> Result<()> {
    let t = trial!()?;
    let starters: Vec<_> = (0..6).map(|_| t.launch(&["up"]).spawn()).collect::<Result<_>>()?;
    for starter in starters {
        starter.wait()?.expect_code(0)?;
    }
    let many = t.daemons().len();
    t.expacti(&["down"])?.expect_code(0)?;
    t.up()?;
    assert_eq!(many, t.daemons().len());
    Ok(())
}

#[test]
fn files_are_private() -> Result<()> {
    let t = trial!()?;
    let run = t.wrap(&["ssh", "target", "echo secret"]).spawn()?;
    let held = t.wait_pending()?;
    t.allow(&held.id)?;
    run.wait()?;
    let mut queue = vec![t.home()];
    let mut seen = 0;
    while let Some(dir) = queue.pop() {
        for entry in std::fs::read_dir(dir)?.flatten() {
            let meta = entry.metadata()?;
            let mode = meta.permissions().mode() & 0o777;
            let open = if meta.is_dir() { mode & 0o077 } else { mode & 0o066 };
            // A file in a private directory is private too; what counts is that none is reachable.
            let parent = entry.path().parent().unwrap().metadata()?.permissions().mode() & 0o077;
            ensure!(open == 0 || parent == 0, "{} has mode {mode:o}", entry.path().display());
            seen += 1;
            if meta.is_dir() {
                queue.push(entry.path());
            }
        }
    }
    assert!(seen > 2);
    Ok(())
}

#[test]
fn a_killed_broker_denies_what_was_held() -> Result<()> {
    let t = trial!()?;
    let marker = t.marker("m");
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    for daemon in t.daemons() {
        kill(daemon.pid, Signal::KILL)?;
    }
    // Broker and gate are one process here: nobody is left to speak SSH, only wrap can tell why.
    let outcome = run.wait()?;
    ensure!([77, 79, 255].contains(&outcome.code()), "{}", outcome.describe());
    ensure!(!outcome.err().is_empty(), "no reason given: {}", outcome.describe());
    outcome.expect_no_stdout()?;
    assert!(!marker.exists());
    // What comes back knows of the command and does not run it.
    t.up()?;
    t.expacti(&["allow", &held.id])?.expect_code(5)?;
    assert!(t.pending()?.is_empty());
    t.expacti(&["audit", "verify"])?.expect_code(0)?;
    assert!(!marker.exists());
    Ok(())
}

#[test]
fn going_down_denies_what_is_held() -> Result<()> {
    let t = trial!()?;
    let marker = t.marker("m");
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    t.wait_pending()?;
    t.expacti(&["down"])?.expect_code(0)?;
    let outcome = run.wait()?;
    ensure!([77, 79].contains(&outcome.code()), "{}", outcome.describe());
    outcome.expect_stderr("expacti: command denied — ")?;
    assert!(!marker.exists());
    assert!(t.daemons().is_empty());
    Ok(())
}

#[test]
fn a_killed_broker_during_a_run_leaves_the_outcome_unknown() -> Result<()> {
    let t = trial!()?;
    let marker = t.marker("m");
    let command = format!("{}; sleep 300", marker.touch());
    let run = t.wrap(&["ssh", "target", &command]).spawn()?;
    let held = t.wait_pending()?;
    t.allow(&held.id)?;
    marker.wait()?;
    for daemon in t.daemons() {
        kill(daemon.pid, Signal::KILL)?;
    }
    let outcome = run.wait()?;
    ensure!(outcome.code() != 0, "{}", outcome.describe());
    t.up()?;
    let kinds = until("the outcome to be settled", || {
        let kinds = t.entry_kinds(&held.id)?;
        Ok((kinds.last().is_some_and(|kind| kind != "released")).then_some(kinds))
    })?;
    assert_eq!(kinds.iter().filter(|kind| *kind == "released").count(), 1, "{kinds:?}");
    t.expacti(&["allow", &held.id])?.expect_code(5)?;
    assert_eq!(marker.count(), 1);
    Ok(())
}

#[test]
fn commands_without_a_broker_say_so() -> Result<()> {
    let t = trial!()?;
    for words in [&["pending"][..], &["allow", "cmd_x"], &["deny", "cmd_x"], &["kill", "sess_x"]] {
        let outcome = t.expacti(words)?;
        ensure!(outcome.code() == 6, "{}", outcome.describe());
        ensure!(!outcome.err().is_empty(), "no reason given: {}", outcome.describe());
    }
    t.expacti(&["no-such-command"])?.expect_code(2)?;
    t.expacti(&["allow"])?.expect_code(2)?;
    Ok(())
}

#[test]
fn unknown_keys_in_the_configuration_are_named() -> Result<()> {
    let t = trial!()?;
    t.configure("time_out = \"60s\"\n")?;
    let outcome = t.expacti(&["up"])?;
    assert_ne!(outcome.code(), 0);
    outcome.expect_stderr("time_out")?;
    assert!(t.processes().is_empty());
    Ok(())
}

#[test]
fn the_engine_needs_no_broker() -> Result<()> {
    let t = trial!()?;
    let risk = t.expacti(&["risk", "kubectl delete pod --all -n production", "--json"])?.json()?;
    assert_eq!(risk["score"], 82);
    assert_eq!(risk["level"], "CRITICAL");
    let lines: String = (0..1000).map(|n| format!("{{\"command\":\"echo {n}\"}}\n")).collect();
    let outcome = t.launch(&["risk", "--stdin", "--json"]).stdin(lines).run()?;
    outcome.expect_code(0)?;
    assert_eq!(outcome.out().lines().count(), 1000);
    assert!(t.processes().is_empty(), "risk started a broker");
    Ok(())
}
