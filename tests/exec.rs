//! `ssh host 'command'` through the gate, with a stock client and a stock server on both ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use expacti_harness::{Launch, Trial, Verdict, trial};
use rustix::process::Signal;

#[test]
fn allowed_command_runs_with_its_streams_and_status() -> Result<()> {
    let t = trial!()?;
    let run = t.wrap(&["ssh", "target", "echo out; echo err >&2; exit 7"]).spawn()?;
    let held = t.wait_pending()?;
    assert_eq!(held.command, "echo out; echo err >&2; exit 7");
    t.allow(&held.id)?;
    let outcome = run.wait()?;
    outcome.expect_code(7)?.expect_stderr("err\n")?;
    assert_eq!(outcome.out(), "out\n");
    assert!(!outcome.err().contains("out\n"));
    Ok(())
}

#[test]
fn nothing_runs_before_the_decision() -> Result<()> {
    let t = trial!()?;
    let marker = t.marker("m");
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    assert!(!marker.exists());
    assert!(t.sshd().commands().is_empty());
    t.allow(&held.id)?;
    run.wait()?.expect_code(0)?;
    assert_eq!(marker.count(), 1);
    t.wait_entry(&held.id, "finished")?;
    let kinds = t.entry_kinds(&held.id)?;
    assert_eq!(kinds, ["command_submitted", "decision", "released", "finished"]);
    Ok(())
}

#[test]
fn denied_command_never_reaches_the_target() -> Result<()> {
    let t = trial!()?;
    let marker = t.marker("m");
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    t.deny(&held.id, "use the staging host")?;
    let outcome = run.wait()?;
    outcome.expect_code(77)?.expect_no_stdout()?;
    outcome.expect_stderr("expacti: command denied — use the staging host\n")?;
    assert!(!marker.exists());
    assert!(!t.entry_kinds(&held.id)?.contains(&"released".to_owned()));
    Ok(())
}

#[test]
fn undecided_command_times_out() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    t.expacti(&["policy", "add", "--type", "any", "--match", "*", "--timeout", "5s"])?
        .expect_code(0)?;
    let marker = t.marker("m");
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    let outcome = run.wait()?;
    outcome.expect_code(78)?.expect_no_stdout()?;
    outcome.expect_stderr("expacti: command timed out — no reviewer responded\n")?;
    t.expacti(&["allow", &held.id])?.expect_code(5)?;
    assert!(!marker.exists());
    let decision = t.wait_entry(&held.id, "decision")?;
    assert_eq!(decision.decided_by.as_deref(), Some("system:timeout"));
    assert!(!t.entry_kinds(&held.id)?.contains(&"released".to_owned()));
    Ok(())
}

#[test]
fn a_command_with_a_rule_runs_at_once_and_compound_ones_do_not() -> Result<()> {
    let t = trial!()?;
    t.rule("--glob", "echo **")?;
    t.wrap(&["ssh", "target", "echo hi"]).run()?.expect_stdout("hi\n")?;

    let marker = t.marker("m");
    let smuggled = format!("echo hi; {}", marker.touch());
    let run = t.wrap(&["ssh", "target", &smuggled]).spawn()?;
    let held = t.wait_pending()?;
    assert_eq!(held.command, smuggled);
    t.deny(&held.id, "no")?;
    run.wait()?.expect_code(77)?;
    assert!(!marker.exists());
    Ok(())
}

#[test]
fn forms_that_only_look_like_a_rule_are_held() -> Result<()> {
    let t = trial!()?;
    t.rule("--glob", "echo **")?;
    let marker = t.marker("m");
    let path = marker.path().display();
    let forms = [
        format!("echo hi\ntouch {path}"),
        format!("echo $(touch {path})"),
        format!("echo `touch {path}`"),
        format!("echo hi && touch {path}"),
        format!("echo hi | tee {path}"),
        format!("echo hi > {path}"),
        format!("echo hi & touch {path}"),
        format!("echo <(touch {path})"),
        format!("echo hi\rtouch {path}"),
    ];
    for form in &forms {
        let run = t.wrap(&["ssh", "target", form]).spawn()?;
        let held = t.wait_pending()?;
        assert_eq!(&held.command, form);
        t.deny(&held.id, "no")?;
        run.wait()?.expect_code(77)?;
        assert!(!marker.exists(), "{form:?} ran");
    }
    Ok(())
}

#[test]
fn exit_statuses_pass_through_wrap() -> Result<()> {
    let t = trial!()?;
    t.rule("--glob", "exit *")?;
    // All of 0 to 255 go over one shared connection in the tests of bulk; these are the ones that
    // ssh, shells, wrap and expacti itself give a meaning to.
    for code in [0, 1, 2, 4, 5, 6, 77, 78, 79, 126, 127, 128, 130, 137, 143, 254, 255] {
        t.wrap(&["ssh", "target", &format!("exit {code}")]).run()?.expect_code(code)?;
    }
    Ok(())
}

#[test]
fn death_by_signal_looks_as_without_the_gate() -> Result<()> {
    let t = trial!()?;
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    for signal in ["KILL", "TERM", "SEGV", "INT"] {
        let command = format!("echo before; kill -{signal} $$; sleep 60");
        let direct = t.direct_ssh(&["target", &command]).run()?;
        let gated = t.wrap(&["ssh", "target", &command]).run()?;
        assert_eq!(gated.code(), direct.code(), "{}", gated.describe());
        assert_eq!(gated.stdout, direct.stdout);
    }
    Ok(())
}

#[test]
fn standard_input_arrives_whole() -> Result<()> {
    let t = trial!()?;
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
    let outcome = t.wrap(&["ssh", "target", "cat"]).stdin(bytes.clone()).run()?;
    outcome.expect_code(0)?;
    ensure!(outcome.stdout == bytes, "the bytes differ: {}", outcome.describe());
    let none = t.wrap(&["ssh", "-n", "target", "cat"]).stdin("not sent").run()?;
    none.expect_stdout("")?;
    Ok(())
}

#[test]
fn a_script_on_standard_input_is_reviewed_before_a_line_of_it_runs() -> Result<()> {
    let t = trial!()?;
    let (early, late) = (t.marker("early"), t.marker("late"));
    let script = format!("{}\n{}\n", early.touch(), late.touch());
    let run = t.wrap(&["ssh", "target", "sh"]).stdin(script.clone()).spawn()?;
    // The command and its script are items of their own; whichever comes, the last is the script.
    let mut held = t.wait_pending()?;
    if held.command == "sh" {
        t.allow(&held.id)?;
        held = expacti_harness::until("the script to be held", || {
            Ok(t.pending()?.into_iter().find(|item| item.command != "sh"))
        })?;
    }
    assert_eq!(held.command, script);
    assert!(!early.exists());
    t.deny(&held.id, "not this script")?;
    run.wait()?.expect_code(77)?.expect_stderr("not this script")?;
    assert!(!early.exists() && !late.exists());
    Ok(())
}

#[test]
fn an_allowed_script_on_standard_input_runs_once() -> Result<()> {
    let t = trial!()?;
    let marker = t.marker("m");
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let script = format!("{}\necho done\n", marker.touch());
    let outcome = t.wrap(&["ssh", "target", "sh", "-s"]).stdin(script).run()?;
    outcome.expect_stdout("done\n")?;
    assert_eq!(marker.count(), 1);
    Ok(())
}

#[test]
fn a_forced_terminal_is_a_terminal() -> Result<()> {
    let t = trial!()?;
    if !t.has_terminals()? {
        return Ok(());
    }
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let outcome = t.wrap(&["ssh", "-tt", "target", "tty; exit 4"]).run()?;
    outcome.expect_code(4)?;
    ensure!(outcome.out().contains("/dev/pts/"), "no terminal: {}", outcome.describe());
    let without = t.wrap(&["ssh", "target", "tty"]).run()?;
    ensure!(without.out().contains("not a tty"), "a terminal: {}", without.describe());
    Ok(())
}

#[test]
fn client_options_are_honoured() -> Result<()> {
    let t = trial!()?;
    t.rule("--glob", "echo **")?;
    let config = t.client().config();
    let options: [&[&str]; 6] = [
        &["-q", "-T", "-4"],
        &["-v"],
        &["-o", "ServerAliveInterval=30", "-oLogLevel=QUIET"],
        &["-C"],
        &["-x", "-a"],
        &["-c", "aes256-gcm@openssh.com", "-m", "hmac-sha2-256"],
    ];
    for words in options {
        let mut argv = vec!["ssh"];
        argv.extend(words);
        argv.extend(["target", "echo", "two", "words"]);
        t.wrap(&argv).run()?.expect_stdout("two words\n")?;
    }
    // All on the command line, nothing from a configuration of an alias.
    let port = t.sshd().port().to_string();
    let key = t.client().key().display().to_string();
    let known = format!("UserKnownHostsFile={}", t.client().known_hosts().display());
    let user = t.direct(&["id", "-un"]).run()?.out().trim().to_owned();
    let plain = [
        "wrap",
        "--",
        "ssh",
        "-F",
        "none",
        "-p",
        &port,
        "-i",
        &key,
        "-l",
        &user,
        "-o",
        &known,
        "-o",
        "BatchMode=yes",
        "127.0.0.1",
        "echo plain",
    ];
    t.launch(&plain).run()?.expect_stdout("plain\n")?;
    let at = format!("ssh://{user}@127.0.0.1:{port}");
    let url = ["wrap", "--", "ssh", "-F", "none", "-i", &key, "-o", &known, &at, "echo url"];
    t.launch(&url).run()?.expect_stdout("url\n")?;
    // Options after the host, and a log file.
    let log = t.dir().join("ssh.log").display().to_string();
    let late = ["ssh", "target", "-E", &log, "echo late"];
    t.wrap(&late).run()?.expect_stdout("late\n")?;
    assert!(config.exists());
    Ok(())
}

#[test]
fn nested_ssh_goes_through_the_gate_too() -> Result<()> {
    let t = trial!()?;
    let marker = t.marker("m");
    let config = t.client().config().display().to_string();
    let script = format!("ssh -F {config} target '{}'; exit $?", marker.touch());
    let run = t.wrap(&["sh", "-c", &script]).spawn()?;
    let held = t.wait_pending()?;
    assert_eq!(held.command, marker.touch());
    assert!(!marker.exists());
    t.deny(&held.id, "nested")?;
    run.wait()?.expect_code(77)?.expect_stderr("expacti: command denied — nested")?;
    assert!(!marker.exists());
    Ok(())
}

#[test]
fn a_wrapped_program_without_ssh_is_untouched() -> Result<()> {
    let t = trial!()?;
    let script = "cat; echo err >&2; exit 9";
    let outcome = t.wrap(&["sh", "-c", script]).stdin("in").run()?;
    outcome.expect_code(9)?.expect_stderr("err\n")?;
    assert_eq!(outcome.out(), "in");
    let killed = t.wrap(&["sh", "-c", "kill -TERM $$"]).run()?;
    assert_eq!(killed.code(), 128 + 15, "{}", killed.describe());
    Ok(())
}

#[test]
fn several_commands_at_once_do_not_mix() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let runs: BTreeMap<String, _> = (0..8)
        .map(|n| {
            let command = format!("echo number {n}; exit {n}");
            let run = t.wrap(&["ssh", "target", &command]).spawn()?;
            Ok((command, run))
        })
        .collect::<Result<_>>()?;
    for held in t.wait_pending_count(8)? {
        let odd = held.command.ends_with(['1', '3', '5', '7']);
        if odd { t.deny(&held.id, &held.command)? } else { t.allow(&held.id)? }
    }
    for (n, (command, run)) in runs.into_iter().enumerate() {
        let outcome = run.wait()?;
        if n % 2 == 1 {
            outcome.expect_code(77)?.expect_stderr(&format!("— {command}\n"))?;
        } else {
            outcome.expect_code(i32::try_from(n)?)?;
            assert_eq!(outcome.out(), format!("number {n}\n"));
        }
    }
    Ok(())
}

#[test]
fn bytes_that_are_not_utf8_are_shown_and_run_exactly() -> Result<()> {
    use std::os::unix::ffi::OsStringExt;
    let t = trial!()?;
    t.up()?;
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let command = std::ffi::OsString::from_vec(b"printf '%s' '\xff\xfe\xc3'".to_vec());
    let outcome = launch_raw(&t, command).run()?;
    outcome.expect_code(0)?;
    assert_eq!(outcome.stdout, b"\xff\xfe\xc3");
    Ok(())
}

fn launch_raw(t: &Trial, command: std::ffi::OsString) -> Launch {
    let mut argv = vec!["wrap".into(), "--".into()];
    argv.extend(t.argv(&["ssh", "target"]));
    argv.push(command);
    t.launch_raw(&argv)
}

#[test]
fn interrupt_withdraws_a_held_command() -> Result<()> {
    let t = trial!()?;
    let marker = t.marker("m");
    let mut run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    run.signal(Signal::INT)?;
    for process in t.processes().iter().filter(|process| process.program() == "ssh") {
        expacti_harness::kill(process.pid, Signal::INT)?;
    }
    expacti_harness::until("wrap to end", || Ok((!run.running()?).then_some(())))?;
    t.wait_pending_count(0)?;
    t.expacti(&["allow", &held.id])?.expect_code(5)?;
    assert!(!marker.exists());
    Ok(())
}
