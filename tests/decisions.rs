//! A decision counts once, in time, for one command, and never from the agent's own processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

use anyhow::{Result, ensure};
use expacti_harness::{Process, kill, trial, until};
use rustix::process::Signal;

#[test]
fn allowing_twice_runs_once() -> Result<()> {
    let t = trial!()?;
    let marker = t.marker("m");
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    t.allow(&held.id)?;
    t.expacti(&["allow", &held.id])?.expect_code(5)?;
    t.expacti(&["deny", &held.id, "too late"])?.expect_code(5)?;
    run.wait()?.expect_code(0)?;
    t.expacti(&["allow", &held.id])?.expect_code(5)?;
    assert_eq!(marker.count(), 1);
    Ok(())
}

#[test]
fn every_field_of_a_waiting_command_is_documented() -> Result<()> {
    let t = trial!()?;
    let document: serde_json::Value = serde_json::from_str(include_str!("../broker/openapi.json"))?;
    let documented = &document["components"]["schemas"]["Command"]["properties"];
    let run = t.wrap(&["ssh", "target", "git-receive-pack /srv/app.git"]).spawn()?;
    let held = t.wait_pending()?;
    let listed = t.expacti(&["pending", "--json"])?.expect_code(0)?.out();
    let listed: serde_json::Value = serde_json::from_str(&listed)?;
    let command = listed[0].as_object().unwrap();
    assert!(command.contains_key("headline"), "{command:?}");
    // The list has the form of the messages, which say their type.
    for field in command.keys().filter(|field| *field != "type") {
        assert!(documented.get(field).is_some(), "{field}");
    }
    t.deny(&held.id, "enough")?;
    run.wait()?.expect_code(77)?;
    Ok(())
}

#[test]
fn racing_decisions_have_one_winner() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    for round in 0..5 {
        let marker = t.marker(&format!("m{round}"));
        let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
        let held = t.wait_pending()?;
        let racers: Vec<_> = (0..6)
            .map(|n| {
                let verb = if n % 2 == 0 { "allow" } else { "deny" };
                Ok((verb, t.launch(&[verb, &held.id]).spawn()?))
            })
            .collect::<Result<_>>()?;
        let mut winners = Vec::new();
        for (verb, racer) in racers {
            let outcome = racer.wait()?;
            match outcome.code() {
                0 => winners.push(verb),
                5 => {}
                _ => panic!("{}", outcome.describe()),
            }
        }
        assert_eq!(winners.len(), 1, "{winners:?}");
        let allowed = winners == ["allow"];
        run.wait()?.expect_code(if allowed { 0 } else { 77 })?;
        assert_eq!(marker.count(), usize::from(allowed));
    }
    Ok(())
}

#[test]
fn a_vanished_client_withdraws_its_command() -> Result<()> {
    let t = trial!()?;
    let marker = t.marker("m");
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    let clients: Vec<Process> = t
        .processes()
        .into_iter()
        .filter(|process| process.program() == "ssh" || process.has_arg("wrap"))
        .collect();
    assert!(!clients.is_empty());
    for client in &clients {
        kill(client.pid, Signal::KILL)?;
    }
    drop(run);
    t.wait_pending_count(0)?;
    t.expacti(&["allow", &held.id])?.expect_code(5)?;
    assert!(!marker.exists());
    assert!(!t.entry_kinds(&held.id)?.contains(&"released".to_owned()));
    Ok(())
}

#[test]
fn a_killed_wrap_leaves_no_client_behind() -> Result<()> {
    let t = trial!()?;
    let marker = t.marker("m");
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    run.signal(Signal::KILL)?;
    t.wait_pending_count(0)?;
    t.expacti(&["allow", &held.id])?.expect_code(5)?;
    until("the wrapped ssh to end", || {
        Ok(t.processes().iter().all(|process| process.program() != "ssh").then_some(()))
    })?;
    assert!(!marker.exists());
    Ok(())
}

#[test]
fn ids_can_be_shortened_but_not_guessed() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let first = t.wrap(&["ssh", "target", "echo first"]).spawn()?;
    let second = t.wrap(&["ssh", "target", "echo second"]).spawn()?;
    let held = t.wait_pending_count(2)?;
    for short in ["cmd_", "0", "01h"] {
        t.expacti(&["allow", short])?.expect_code(1)?.expect_stderr(&format!(
            "command {short:?}: give the whole id, or at least its last 4 letters"
        ))?;
    }
    t.expacti(&["allow", "cmd_zzzz"])?.expect_code(4)?;
    t.expacti(&["allow", ""])?.expect_no_stdout()?;
    assert_eq!(t.pending()?.len(), 2);
    let one = held.iter().find(|item| item.command == "echo first").unwrap();
    let other = held.iter().find(|item| item.command == "echo second").unwrap();
    // What two ids begin with is the time; their last letters are random.
    let shared = one.id.bytes().zip(other.id.bytes()).take_while(|(a, b)| a == b).count();
    t.expacti(&["allow", &one.id[..shared]])?.expect_code(4)?;
    for time in [&one.id[..shared.max(15)], &one.id[..18]] {
        t.expacti(&["allow", time])?.expect_code(4)?;
    }
    assert_eq!(t.pending()?.len(), 2);
    t.allow(&one.id[one.id.len() - 4..])?;
    first.wait()?.expect_stdout("first\n")?;
    t.deny(&other.id[4..19], "no")?;
    second.wait()?.expect_code(77)?;
    Ok(())
}

#[test]
fn an_agent_cannot_approve_itself() -> Result<()> {
    let t = trial!()?;
    let marker = t.marker("m");
    let waiting = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    let allow = format!("{} allow {}", t.binary().display(), held.id);
    let escaped = t.dir().join("escaped");
    let (status, out) = (escaped.with_extension("status"), escaped.with_extension("out"));
    let detached = |how: &str| {
        let inner = format!("{allow} > {} 2>&1; echo $? > {}", out.display(), status.display());
        // The shell forks, its child forks and leaves: the grandchild loses its parents.
        format!("({how} sh -c '{inner}' > /dev/null 2>&1 < /dev/null &) & wait")
    };
    t.wrap(&["sh", "-c", &allow]).run()?.expect_code(5)?;
    t.wrap(&["env", "-i", "sh", "-c", "true"]).run()?.expect_code(0)?;
    for how in ["", "setsid", "nohup", "setsid nohup"] {
        std::fs::remove_file(&status).ok();
        let mut script = detached(how);
        script.push_str(&format!("; until [ -s {} ]; do sleep 0.05; done", status.display()));
        // A working directory below /tmp is seen inside and outside.
        t.wrap(&["sh", "-c", &script]).current_dir(t.dir()).run()?.expect_code(0)?;
        let code = std::fs::read_to_string(&status)?;
        let said = std::fs::read_to_string(&out)?;
        ensure!(code.trim() == "5", "{how:?} ended with {code}: {said}");
    }
    assert_eq!(t.pending()?.len(), 1);
    assert!(!marker.exists());
    // A reviewer outside is still heard.
    t.deny(&held.id, "nice try")?;
    waiting.wait()?.expect_code(77)?;
    Ok(())
}

#[test]
fn an_agent_cannot_add_a_rule_for_itself() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let binary = t.binary().display().to_string();
    for words in [
        "rules add --glob '*'",
        "rules add --exact 'echo hi'",
        "policy add --type any --match '*'",
        "reviewer add mallory --role admin",
        "agent add mallory --key /dev/null",
    ] {
        let script = format!("{binary} {words}");
        let outcome = t.wrap(&["sh", "-c", &script]).run()?;
        assert_eq!(outcome.code(), 5, "{}", outcome.describe());
    }
    assert_eq!(t.expacti(&["rules", "list", "--json"])?.json()?, serde_json::json!([]));
    Ok(())
}

#[test]
fn an_agent_cannot_stop_the_gate_and_go_on() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let marker = t.marker("m");
    let config = t.client().config().display().to_string();
    // Whether `down` is refused or obeyed, what follows is held or fails; it never runs.
    let script = format!(
        "{binary} down; timeout 5 ssh -F {config} target '{touch}'; true",
        binary = t.binary().display(),
        touch = marker.touch(),
    );
    t.wrap(&["sh", "-c", &script]).run()?;
    assert!(!marker.exists());
    Ok(())
}

#[test]
fn the_default_rule_is_added_once_and_lets_commands_look() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    t.expacti(&["rules", "add", "--exact", "uptime"])?.expect_code(0)?;
    let rules = || t.expacti(&["rules", "list", "--json"])?.json();
    let own = rules()?;
    let said = t.expacti(&["rules", "defaults"])?;
    assert_eq!(said.expect_code(0)?.out().lines().count(), 1, "{}", said.describe());
    let first = rules()?;
    let all = first.as_array().map(Vec::as_slice).unwrap_or_default();
    ensure!(all.len() == 2, "{} rules", all.len());
    assert_eq!(all.first(), own.get(0), "what was there is left");
    t.expacti(&["rules", "defaults"])?.expect_code(0)?;
    assert_eq!(rules()?, first, "again: nothing happens");
    // Nobody is asked.
    t.wrap(&["ssh", "target", "cat /etc/hostname"]).run()?.expect_code(0)?;
    Ok(())
}

#[test]
fn the_report_counts_what_rules_and_people_decided() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    for rule in
        [&["--exact", "hostname"][..], &["--exact", "uptime"], &["--deny", "--glob", "rm **"]]
    {
        t.expacti(&[&["rules", "add"], rule].concat())?.expect_code(0)?;
    }
    t.wrap(&["ssh", "target", "uptime"]).run()?.expect_code(0)?;
    t.wrap(&["ssh", "target", "rm -f /nowhere/x"]).run()?.expect_code(77)?;
    for allow in [true, false] {
        let run = t.wrap(&["ssh", "target", "true"]).spawn()?;
        let held = t.wait_pending()?;
        if allow {
            t.allow(&held.id)?
        } else {
            t.deny(&held.id, "not now")?
        }
        run.wait()?.expect_code(if allow { 0 } else { 77 })?;
    }
    let report = t.expacti(&["rules", "report", "--since", "1h", "--json"])?.json()?;
    let counts = |of: &serde_json::Value| {
        let fields = ["asked", "let_through", "denied_by_rule", "denied"];
        fields.map(|field| of[field].as_u64().unwrap())
    };
    assert_eq!(report["commands"], 4, "{report}");
    assert_eq!(counts(&report), [2, 1, 1, 1], "{report}");
    assert_eq!(counts(&report["by_target"]["target"]), [2, 1, 1, 1], "{report}");
    let by_rule = report["by_rule"].as_object().unwrap();
    assert_eq!(by_rule.len(), 2, "one let through and one denied: {report}");
    let unused = report["unused"].as_array().unwrap();
    assert_eq!(unused.len(), 1, "{report}");
    assert_eq!(unused[0]["pattern"], "hostname");
    assert!(report["median_seconds"].as_i64().is_some(), "{report}");
    let text = t.expacti(&["rules", "report"])?.expect_code(0)?.out();
    assert!(
        text.contains("a person was asked about 2, rules let 1 through and denied 1"),
        "{text}"
    );
    Ok(())
}
