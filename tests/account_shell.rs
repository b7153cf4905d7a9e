//! The gate finds out which shell an account has, and rules read lines accordingly: with the real
//! shells of a throw-away account, below a real sshd.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;

use anyhow::{Context, Result, ensure};
use expacti_harness::{Entry, Ordinary, Outcome, ordinary, prerequisites, until};

/// A line of several commands, all of which only look, in every shell of the Bourne family.
const LOOKS: &str = "cd / && ls -d usr bin | head -n 1; test -d /usr && echo 'it is';";

/// Runs a command on the target, wrapped.
fn run(t: &Ordinary, command: &str) -> Result<Outcome> {
    t.wrap(&["ssh", "target", command]).run()
}

/// Requires that a command is held; denies it.
fn held(t: &Ordinary, command: &str) -> Result<()> {
    let mut run = t.wrap(&["ssh", "target", command]).spawn()?;
    t.wait_pending(&mut run).with_context(|| format!("{command:?} is to be held"))?;
    t.decide_all(&mut run, "deny")?;
    run.wait()?.expect_code(77).map(drop)
}

/// Restarts broker and gate: what the gate knew is forgotten.
fn restart(t: &Ordinary) -> Result<()> {
    t.expacti(&["down"])?.expect_code(0)?;
    t.expacti(&["up"])?.expect_code(0).map(drop)
}

fn log(t: &Ordinary) -> Result<Vec<Entry>> {
    let exported = t.expacti(&["audit", "export"])?;
    exported.expect_code(0)?;
    exported.out().lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn count(log: &[Entry], kind: &str) -> usize {
    log.iter().filter(|entry| entry.kind == kind).count()
}

fn looks_rule(t: &Ordinary) -> Result<()> {
    t.expacti(&["up"])?.expect_code(0)?;
    t.expacti(&["rules", "add", "--looks", "--ttl", "1d"])?.expect_code(0).map(drop)
}

#[test]
fn a_line_that_looks_passes_where_the_shell_is_known() -> Result<()> {
    let t = ordinary!();
    looks_rule(&t)?;
    let mut asked = 0;
    for (shell, name) in [
        ("/bin/bash", Some("bash")),
        ("/bin/dash", Some("dash")),
        ("/usr/bin/zsh", Some("zsh")),
        ("/usr/bin/ksh93", Some("ksh")),
        ("/usr/bin/mksh", Some("mksh")),
        ("/usr/bin/fish", None),
        ("/bin/tcsh", None),
    ] {
        if !prerequisites::program(shell) {
            continue;
        }
        t.set_login_shell(shell)?;
        restart(&t)?;
        asked += 1;
        match name {
            Some(name) => {
                let outcome = run(&t, LOOKS)?;
                outcome.expect_code(0).with_context(|| shell.to_owned())?;
                assert!(outcome.out().ends_with("it is\n"), "{shell}: {}", outcome.describe());
                let log = log(&t)?;
                let last = log.iter().rfind(|e| e.kind == "command_submitted").unwrap();
                assert_eq!(last.more["shell"], name);
                assert_eq!(last.more["command"], LOOKS);
            }
            None => held(&t, LOOKS).with_context(|| shell.to_owned())?,
        }
        // It is in the log, once for an account: the second line is read by what is known.
        let before = log(&t)?;
        assert_eq!(count(&before, "shell_asked"), asked, "{shell}");
        if name.is_some() {
            run(&t, "cd /usr && ls -d bin | head -n 1")?.expect_code(0)?;
            assert_eq!(count(&log(&t)?, "shell_asked"), asked, "{shell}");
        }
    }
    ensure!(asked >= 3, "bash, dash and zsh at least");
    Ok(())
}

#[test]
fn what_another_shell_reads_differently_is_held_there() -> Result<()> {
    let t = ordinary!();
    if !prerequisites::program("/usr/bin/fish") {
        prerequisites::missing("fish", &prerequisites::install("fish"));
        return Ok(());
    }
    looks_rule(&t)?;
    t.set_login_shell("/usr/bin/fish")?;
    let marker = t.marker("ran");
    // Two words for bash; fish closes the quotes elsewhere, and runs what follows.
    let two = format!("echo 'a\\' 'b; {} #'", marker.touch());
    held(&t, &two)?;
    assert!(!marker.exists());
    // Plain words are the same in every shell.
    run(&t, "ls -d /usr")?.expect_code(0)?.expect_stdout("/usr\n")?;
    Ok(())
}

#[test]
fn noise_around_the_answer_means_that_the_shell_is_not_known() -> Result<()> {
    let t = ordinary!();
    looks_rule(&t)?;
    run(&t, LOOKS)?.expect_code(0)?;
    for noise in ["echo Welcome", "echo Welcome >&2"] {
        // sshd runs it before every command, with the command's own output.
        t.write(".ssh/rc", &format!("{noise}\n"))?;
        restart(&t)?;
        held(&t, LOOKS).with_context(|| noise.to_owned())?;
    }
    fs::remove_file(t.home().join(".ssh/rc"))?;
    restart(&t)?;
    run(&t, LOOKS)?.expect_code(0).map(drop)
}

#[test]
fn an_account_without_a_shell_has_none() -> Result<()> {
    let t = ordinary!();
    looks_rule(&t)?;
    let keys = t.dir().join("authorized_keys");
    let key = fs::read_to_string(&keys)?;
    let ran = t.marker("forced");
    let forced = format!("command=\"echo ran >> {}; cat\" {key}", ran.path().display());
    for line in [forced, format!("restrict,command=\"internal-sftp\" {key}")] {
        fs::write(&keys, line)?;
        restart(&t)?;
        held(&t, LOOKS)?;
    }
    // A forced command ran in place of the question: a rule waited for the answer, and would have
    // let the agent run it. Where none does, nothing is asked.
    assert_eq!(ran.count(), 1);
    fs::write(&keys, format!("command=\"echo ran >> {}; cat\" {key}", ran.path().display()))?;
    let rules = t.expacti(&["rules", "list", "--json"])?.json()?;
    for rule in rules.as_array().unwrap() {
        t.expacti(&["rules", "remove", rule["id"].as_str().unwrap()])?.expect_code(0)?;
    }
    restart(&t)?;
    held(&t, LOOKS)?;
    assert_eq!(ran.count(), 1);
    Ok(())
}

#[test]
fn only_a_line_to_which_it_matters_is_asked_about() -> Result<()> {
    let t = ordinary!();
    looks_rule(&t)?;
    run(&t, "ls -d /usr")?.expect_code(0)?;
    for asks_anyway in ["rm -f /nonexistent/x; ls", "git-upload-pack '/srv/x'", "cd / && make"] {
        held(&t, asks_anyway)?;
    }
    assert_eq!(count(&log(&t)?, "shell_asked"), 0);
    Ok(())
}

#[test]
fn what_a_person_allows_may_change_the_shell() -> Result<()> {
    let t = ordinary!();
    looks_rule(&t)?;
    run(&t, LOOKS)?.expect_code(0)?;
    assert_eq!(count(&log(&t)?, "shell_asked"), 1);
    let mut changing = t.wrap(&["ssh", "target", "touch .profile"]).spawn()?;
    t.wait_pending(&mut changing)?;
    t.decide_all(&mut changing, "allow")?;
    changing.wait()?.expect_code(0)?;
    // What it may have changed beside the shell is another matter.
    t.expacti(&["taint", "clear", "target"])?.expect_code(0)?;
    run(&t, LOOKS)?.expect_code(0)?;
    assert_eq!(count(&log(&t)?, "shell_asked"), 2);
    Ok(())
}

#[test]
fn a_gate_that_may_not_ask_knows_no_shell() -> Result<()> {
    let t = ordinary!(Home);
    looks_rule(&t)?;
    let shown = t.expacti(&["config", "show", "--json"])?.out();
    assert!(shown.contains("ask_shell"), "{shown}");
    let file = until("the configuration directory", || {
        let found = t.run(&["sh", "-c", "echo $EXPACTI_HOME"])?.out();
        Ok(Some(std::path::PathBuf::from(found.trim()).join("config.toml")))
    })?;
    fs::write(file, "ask_shell = false\n")?;
    restart(&t)?;
    held(&t, LOOKS)?;
    assert_eq!(count(&log(&t)?, "shell_asked"), 0);
    Ok(())
}

#[test]
fn a_line_typed_at_a_prompt_is_read_by_the_shell_that_was_started() -> Result<()> {
    let t = ordinary!();
    looks_rule(&t)?;
    let binary = t.binary().display().to_string();
    let tmux = t.terminal(&[&binary, "wrap", "--", "ssh", "target"], (100, 24))?;
    tmux.wait_until("a prompt", |screen| screen.trim_end().ends_with(['$', '%', '>']))?;
    tmux.type_text("cd /usr && ls -d bin | sed -n 1p")?;
    tmux.keys(&["Enter"])?;
    tmux.wait_until("its output", |screen| screen.lines().any(|line| line.trim_end() == "bin"))?;
    // No question: the shell has said by itself which it is.
    let log = log(&t)?;
    assert_eq!(count(&log, "shell_asked"), 0);
    let typed = log.iter().rfind(|e| e.kind == "command_submitted").unwrap();
    assert_eq!(typed.more["shell"], "bash");
    assert_eq!(typed.more["item"], "line");
    Ok(())
}
