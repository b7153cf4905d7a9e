//! The users that agents may log in as on a target of a team.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;

use anyhow::{Result, ensure};
use expacti_harness::{Launch, Team, Trial, trial};

/// `ssh LOGIN%target@gate true` as the agent.
fn ssh(t: &Trial, team: &Team<'_>, login: &str) -> Launch {
    let port = team.gate_port().to_string();
    let key = t.client().key().display().to_string();
    let to = format!("{login}%target@127.0.0.1");
    let known = format!("UserKnownHostsFile={}", t.dir().join("team/known_hosts").display());
    let mut argv = vec!["ssh", "-p", &port, "-i", &key, "-o", &known];
    argv.extend(["-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]);
    argv.extend([&*to, "true"]);
    t.direct(&argv)
}

#[test]
fn only_users_of_the_targets_list_reach_it() -> Result<()> {
    let t = trial!()?;
    let team = Team::start(&t)?;
    let user = t.expacti(&["target", "list", "--json"])?.json()?[0]["user"].clone();
    let user = user.as_str().unwrap();
    let address = format!("{user}@127.0.0.1:{}", t.sshd().port());
    let key = t.sshd().host_key()?;
    let add = |logins: &[&str]| {
        let mut args = vec!["target", "add", "target", &address, "--host-key", &key];
        args.extend(logins.iter().flat_map(|login| ["--login", *login]));
        t.expacti(&args)
    };
    // The target's own user has to be in the list, and a login is a plain name.
    add(&["deploy"])?.expect_code(1)?;
    add(&[user, "a b"])?.expect_code(1)?;
    add(&[user, "deploy"])?.expect_code(0)?;
    let listed = t.expacti(&["target", "list", "--json"])?.json()?;
    ensure!(listed[0]["logins"] == serde_json::json!([user, "deploy"]), "{listed}");
    let outcome = ssh(&t, &team, "intruder").run()?;
    ensure!(outcome.code() == 255 || outcome.code() == 79, "{}", outcome.describe());
    ensure!(
        outcome.err().contains("agents may not log in as \"intruder\""),
        "{}",
        outcome.describe()
    );
    ensure!(t.pending()?.is_empty());
    let run = ssh(&t, &team, user).spawn()?;
    let held = t.wait_pending()?;
    t.allow(&held.id)?;
    run.wait()?.expect_code(0)?;
    let mut seen = 0;
    for entry in fs::read_dir(t.dir().join("sshd"))? {
        let text = fs::read(entry?.path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        ensure!(!text.contains("intruder"), "the target saw the name");
        seen += usize::from(text.contains("Accepted"));
    }
    ensure!(seen > 0, "the target's log says nothing of the login that was allowed");
    // Without a list any name is tried, as before.
    add(&[])?.expect_code(0)?;
    let outcome = ssh(&t, &team, "intruder").run()?;
    ensure!(!outcome.err().contains("agents may not log in"), "{}", outcome.describe());
    Ok(())
}
