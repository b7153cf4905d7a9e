//! The harness itself: its sshd and its ssh client work, without expacti in between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use anyhow::Result;
use expacti_harness::Trial;

#[test]
fn direct_ssh_reaches_the_target_and_all_stops() -> Result<()> {
    // Any file will do as the binary: nothing of expacti runs here.
    let t = Trial::new("/bin/true")?;
    let outcome = t.direct_ssh(&["target", "echo out; echo err >&2; exit 7"]).run()?;
    outcome.expect_code(7)?.expect_stderr("err\n")?;
    assert_eq!(outcome.stdout, b"out\n");

    let marker = t.marker("m");
    let touch = marker.touch();
    t.direct_ssh(&["target", &touch]).run()?.expect_code(0)?;
    assert_eq!(marker.count(), 1);

    let run = t.direct_ssh(&["target", "sleep 300"]).spawn()?;
    expacti_harness::until("the sleep on the target", || {
        let sessions = t.sshd().sessions();
        Ok(sessions.iter().any(|p| p.program() == "sleep").then_some(()))
    })?;
    let sessions = t.sshd().sessions();
    assert_eq!(t.processes().len(), 1);
    drop(run);
    drop(t);
    assert!(sessions.iter().all(|process| !process.alive()));
    Ok(())
}

#[test]
fn a_terminal_shows_what_the_program_writes() -> Result<()> {
    let t = Trial::new("/bin/true")?;
    let shell = ["sh", "-c", "read line; stty size; echo got $line; exit 3"];
    let argv: Vec<_> = shell.iter().map(Into::into).collect();
    let terminal = t.terminal_argv(&argv, (80, 24))?;
    terminal.resize(100, 30)?;
    terminal.type_text("hello")?;
    terminal.keys(&["Enter"])?;
    terminal.wait_for("got hello")?;
    assert!(terminal.capture()?.contains("30 100"));
    assert_eq!(terminal.wait_exit()?, 3);
    Ok(())
}

#[test]
fn sshd_takes_further_options() -> Result<()> {
    let t = Trial::with_sshd("/bin/true", &["ForceCommand echo forced"])?;
    let outcome = t.direct_ssh(&["target", "echo mine"]).run()?;
    outcome.expect_stdout("forced\n")?;
    Ok(())
}
