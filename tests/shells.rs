//! Interactive shells through the whole product: stock drivers and terminals that were made for
//! plain ssh, with a reviewer at the command line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use anyhow::{Context, Result, ensure};
use expacti_harness::{Tmux, Trial, Verdict, prerequisites, trial};

const SIZE: (u16, u16) = (80, 24);

/// Runs a script for pexpect with the command line of an ssh client: once as it is, once wrapped.
fn pexpect(script: &str) -> Result<()> {
    let Some(interpreter) = prerequisites::python_with("pexpect") else { return Ok(()) };
    let t = trial!()?;
    if !t.has_terminals()? {
        return Ok(());
    }
    t.up()?;
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let config = t.client().config().display().to_string();
    let binary = t.binary().display().to_string();
    let direct = ["ssh", "-F", &config, "-oSetEnv=LC_ALL=C.UTF-8", "target"];
    let wrapped =
        [&binary, "wrap", "--", "ssh", "-F", &config, "-oSetEnv=LC_ALL=C.UTF-8", "target"];
    for argv in [&direct[..], &wrapped[..]] {
        let mut python = vec![interpreter, "-c", script];
        python.extend(argv);
        let outcome = t.direct(&python).run()?;
        outcome.expect_code(0).with_context(|| format!("with {argv:?}"))?;
        assert_eq!(outcome.out().trim(), "done", "with {argv:?}");
    }
    Ok(())
}

#[test]
fn a_login_with_prompts_lines_and_an_exit_status() -> Result<()> {
    pexpect(
        r#"
import pexpect, sys
c = pexpect.spawn(sys.argv[1], sys.argv[2:], timeout=30, encoding="utf-8", dimensions=(24, 80))
c.expect(r"[#$%>] $")
c.sendline("PS1='rea''dy> '")
c.expect("ready> $")
c.sendline("echo sum=$((20+22))")
c.expect(r"sum=(\d+)\r\n")
assert c.match.group(1) == "42", c.match.group(1)
c.expect_exact("ready> ")
c.sendline("for i in 1 2 3; do")
c.expect("> $")
c.sendline("echo round-$((i*i))")
c.sendline("done")
c.expect("round-9\r\n")
c.expect_exact("ready> ")
c.sendline("printf '%s\\n' äö 漢字 | cat -A")
c.expect(r"M-CM-\$M-CM-6\$\r\n")
c.expect_exact("ready> ")
c.sendline("no-such-program; echo status=$?")
c.expect("status=127\r\n")
c.expect_exact("ready> ")
c.sendline("exit 7")
c.expect(pexpect.EOF)
c.close()
assert c.exitstatus == 7, c.exitstatus
print("done")
"#,
    )
}

#[test]
fn a_password_a_question_and_an_interrupt() -> Result<()> {
    pexpect(
        r#"
import pexpect, sys
c = pexpect.spawn(sys.argv[1], sys.argv[2:], timeout=30, encoding="utf-8")
c.expect(r"[#$%>] $")
c.sendline("PS1='rea''dy> '")
c.expect("ready> $")
c.sendline("read -rs -p 'Pass''word: ' x; echo; echo got-${#x}-characters")
c.expect("Password: $")
c.sendline("open sesame")
c.expect(r"got-11-characters\r\n")
assert "sesame" not in c.before, c.before
c.expect_exact("ready> ")
c.sendline("read -r -p 'Na''me? ' n; echo hel''lo $n")
c.expect(r"Name\? $")
c.sendline("world")
c.expect("hello world\r\n")
c.expect_exact("ready> ")
# The program that is interrupted says so itself: a shell that is about to start it may miss the key.
c.sendline("sh -c 'echo slee\"\"ping; exec sleep 1000'")
c.expect("sleeping\r\n")
c.sendintr()
c.expect_exact("ready> ")
c.sendline("echo aft''er=$?")
c.expect("after=130\r\n")
c.expect_exact("ready> ")
c.sendline("echo bye > /dev/null; exit")
c.expect(pexpect.EOF)
c.close()
assert c.exitstatus == 0, c.exitstatus
print("done")
"#,
    )
}

/// Starts a shell in a terminal, and waits for its prompt.
fn terminal(t: &Trial, wrapped: bool) -> Result<Tmux> {
    let config = t.client().config().display().to_string();
    let binary = t.binary().display().to_string();
    let mut argv = if wrapped { vec![binary.as_str(), "wrap", "--"] } else { Vec::new() };
    argv.extend(["ssh", "-F", &config, "-oSetEnv=LC_ALL=C.UTF-8", "target"]);
    let argv: Vec<std::ffi::OsString> = argv.iter().map(Into::into).collect();
    let tmux = t.terminal_argv(&argv, SIZE)?;
    tmux.wait_until("a prompt", |screen| screen.trim_end().ends_with(['#', '$', '%', '>']))?;
    tmux.type_text("PS1='rea''dy> '; clear")?;
    tmux.keys(&["Enter"])?;
    tmux.wait_until("an empty screen", |screen| screen.trim_end() == "ready>")?;
    Ok(tmux)
}

fn enter(tmux: &Tmux, line: &str, shown: &str) -> Result<()> {
    tmux.type_text(line)?;
    tmux.keys(&["Enter"])?;
    tmux.wait_until(shown, |screen| {
        screen.contains(shown) && screen.trim_end().ends_with("\nready>")
    })?;
    Ok(())
}

#[test]
fn a_screen_looks_as_with_plain_ssh() -> Result<()> {
    let t = trial!()?;
    if !t.has_terminals()? {
        return Ok(());
    }
    t.up()?;
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let mut screens = Vec::new();
    for wrapped in [false, true] {
        let tmux = terminal(&t, wrapped)?;
        enter(&tmux, "stty size", "24 80")?;
        enter(&tmux, "printf '\\033[1;31mred\\033[0m and %s\\n' pla''in", "red and plain")?;
        enter(&tmux, &format!("echo {} | wc -c", "long ".repeat(40)), "\n200")?;
        enter(&tmux, "echo 漢字 äöü e''nd", "äöü end")?;
        // The line is edited before it is entered: cursor keys, deletions, a word.
        tmux.type_text("echo two one")?;
        tmux.keys(&["Left", "Left", "Left", "BSpace", "C-w"])?;
        tmux.type_text("si''x-")?;
        tmux.keys(&["Home"])?;
        tmux.type_text(" ")?;
        tmux.keys(&["DC", "End"])?;
        enter(&tmux, "!", "cho")?;
        tmux.keys(&["Up"])?;
        tmux.keys(&["C-a", "C-k"])?;
        enter(&tmux, "false; echo las''t=$?", "last=1")?;
        screens.push((tmux.capture()?, tmux.format("#{cursor_x} #{cursor_y}")?));
        tmux.type_text("exit 3")?;
        tmux.keys(&["Enter"])?;
        assert_eq!(tmux.wait_exit()?, 3);
    }
    ensure!(screens[0] == screens[1], "direct:\n{}\nwrapped:\n{}", screens[0].0, screens[1].0);
    Ok(())
}

#[test]
fn the_status_line_comes_and_goes() -> Result<()> {
    let t = trial!()?;
    if !t.has_terminals()? {
        return Ok(());
    }
    t.up()?;
    let reviewer = t.auto_reviewer(Verdict::Allow);
    let tmux = terminal(&t, true)?;
    drop(reviewer);
    let marker = t.marker("m");
    let before = tmux.capture()?;
    tmux.type_text(&marker.touch())?;
    tmux.keys(&["Enter"])?;
    let held = t.wait_pending()?;
    assert_eq!(held.command, marker.touch());
    tmux.wait_for("expacti: waiting for review")?;
    assert!(!marker.exists());
    t.deny(&held.id, "not on a Friday")?;
    let after =
        tmux.wait_until("the denial", |screen| screen.contains("not on a Friday\nready>"))?;
    ensure!(!after.contains("waiting for review"), "the status stays:\n{after}");
    ensure!(after.starts_with(before.trim_end()), "the prompt went:\n{after}");
    assert!(!marker.exists());
    // A person changes their mind.
    tmux.type_text(&marker.touch())?;
    tmux.keys(&["Enter"])?;
    tmux.wait_for("expacti: waiting for review")?;
    tmux.keys(&["C-c"])?;
    tmux.wait_for("expacti: command withdrawn")?;
    assert!(!marker.exists());
    Ok(())
}
