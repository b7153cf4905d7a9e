//! In a real terminal: the reviewer's screen, and `wrap` with a person in front of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::ffi::OsString;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use expacti_harness::{Tmux, Trial, kill, trial, until, until_for};
use rustix::process::Signal;

const SIZE: (u16, u16) = (120, 36);

/// A shell that starts `expacti ARGS` as a foreground job, as a person does, and stays.
fn shell(t: &Trial, args: &str) -> Result<Tmux> {
    let script = format!("{} {args}; echo status=$?; exec sh", t.binary().display());
    let argv: Vec<OsString> = ["sh", "-c", &script].iter().map(Into::into).collect();
    t.terminal_argv(&argv, SIZE)
}

/// The process of `expacti WORD ...` in this trial.
fn process(t: &Trial, word: &str) -> Result<i32> {
    until(&format!("the process of {word}"), || {
        Ok(t.processes()
            .iter()
            .find(|process| {
                process.program() == "expacti"
                    && process.argv.get(1).is_some_and(|first| first == word)
            })
            .map(|process| process.pid))
    })
}

/// Echo, line mode and the main screen are back: the shell echoes and runs what is typed.
fn usable(terminal: &Tmux) -> Result<()> {
    terminal.wait_until("the main screen", |_| {
        terminal.format("#{alternate_on} #{cursor_flag}").is_ok_and(|state| state == "0 1")
    })?;
    terminal.keys(&["C-u"])?;
    terminal
        .type_text("stty -a | tr ' ;' '\\n\\n' | grep -Ec '^(icanon|echo|isig|icrnl|opost)$'")?;
    terminal.keys(&["Enter"])?;
    terminal.wait_until("the terminal's settings as before", |screen| {
        screen.lines().any(|line| line.trim() == "5")
    })?;
    Ok(())
}

#[test]
fn a_reviewer_allows_and_denies() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let screen = t.terminal(&["review"], SIZE)?;
    let [first, second, third] = ["first", "second", "third"].map(|name| t.marker(name));
    let run = t.wrap(&["ssh", "target", &first.touch()]).spawn()?;
    let held = t.wait_pending()?;
    screen.wait_for("echo ran")?;
    assert!(!first.exists());
    press(&t, &screen, "a", &held.id, "released")?;
    run.wait()?.expect_code(0)?;
    assert_eq!(first.count(), 1);

    let run = t.wrap(&["ssh", "target", &second.touch()]).spawn()?;
    let held = t.wait_pending()?;
    screen.wait_for("second")?;
    until("the prompt for a comment", || {
        screen.keys(&["D"])?;
        Ok(screen.capture()?.contains("what to tell the agent").then_some(()))
    })?;
    screen.keys(&["C-u"])?;
    screen.type_text("not today")?;
    screen.wait_for("not today")?;
    // Typed faster than anyone could have looked at the request: the text is kept, not sent.
    press(&t, &screen, "Enter", &held.id, "decision")?;
    let outcome = run.wait()?;
    outcome.expect_code(77)?.expect_stderr("expacti: command denied — not today")?;
    assert!(!second.exists());

    let run = t.wrap(&["ssh", "target", &third.touch()]).spawn()?;
    let held = t.wait_pending()?;
    screen.wait_for("third")?;
    press(&t, &screen, "d", &held.id, "decision")?;
    run.wait()?.expect_code(77)?;
    assert!(!third.exists());

    screen.keys(&["q"])?;
    assert_eq!(screen.wait_exit()?, 0);
    Ok(())
}

#[test]
fn a_key_is_answered_while_nothing_else_happens() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let screen = t.terminal(&["review"], SIZE)?;
    screen.wait_for("Queue")?;
    // Nothing waits, so nothing but the key can make the screen change.
    for key in ["?", "x", "?", "x"] {
        let help = key == "?";
        // Until the last key has no consequences left: nothing on the screen tells when.
        std::thread::sleep(Duration::from_secs(3));
        screen.keys(&[key])?;
        until_for(Duration::from_secs(2), &format!("the answer to {key}"), || {
            Ok((screen.capture()?.contains("deny it at once") == help).then_some(()))
        })?;
    }
    screen.keys(&["q"])?;
    assert_eq!(screen.wait_exit()?, 0);
    Ok(())
}

/// Presses a key until it counts: a request that has just appeared asks to look first, and a key
/// that is pressed again at once asks to look again.
fn press(t: &Trial, screen: &Tmux, key: &str, id: &str, kind: &str) -> Result<()> {
    let counts = || Ok(t.entry_kinds(id)?.iter().any(|found| found == kind).then_some(()));
    until(&format!("{kind} after {key}"), || {
        screen.keys(&[key])?;
        Ok(until_for(Duration::from_secs(1), "it to count", counts).ok())
    })
    .with_context(|| format!("the screen:\n{}", screen.capture().unwrap_or_default()))
}

#[test]
fn the_screen_follows_its_size() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let screen = t.terminal(&["review"], SIZE)?;
    let run = t.wrap(&["ssh", "target", "echo resized"]).spawn()?;
    let held = t.wait_pending()?;
    screen.wait_for("echo resized")?;
    for (columns, rows) in [(80, 24), (40, 10), (200, 60), (20, 5), (120, 36)] {
        screen.resize(columns, rows)?;
        screen.wait_until("a screen without overflow", |text| {
            text.lines().all(|line| line.chars().count() <= usize::from(columns))
                && !text.trim().is_empty()
        })?;
    }
    screen.wait_for("echo resized")?;
    t.deny(&held.id, "enough")?;
    run.wait()?.expect_code(77)?;
    screen.keys(&["q"])?;
    assert_eq!(screen.wait_exit()?, 0);
    Ok(())
}

#[test]
fn the_terminal_survives_a_killed_review() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    for signal in [Signal::TERM, Signal::HUP] {
        let screen = shell(&t, "review")?;
        screen.wait_until("the review screen", |_| {
            screen.format("#{alternate_on}").is_ok_and(|on| on == "1")
        })?;
        kill(process(&t, "review")?, signal)?;
        screen.wait_for("status=")?;
        usable(&screen)?;
    }
    Ok(())
}

#[test]
fn wrap_in_a_terminal_is_the_program_in_a_terminal() -> Result<()> {
    let t = trial!()?;
    let script = "test -t 0 && test -t 1 && test -t 2 && echo all ttys; stty size; \
                  trap 'echo caught; exit 5' INT; read word; echo word=$word; \
                  read more; exit 6";
    let terminal = shell(&t, &format!("wrap -- sh -c \"{}\"", script.replace('$', "\\$")))?;
    terminal.wait_for("all ttys")?;
    terminal.wait_for("36 120")?;
    terminal.type_text("typed")?;
    terminal.keys(&["Enter"])?;
    terminal.wait_for("word=typed")?;
    terminal.keys(&["C-c"])?;
    terminal.wait_for("caught")?;
    terminal.wait_for("status=5")?;
    usable(&terminal)
}

#[test]
fn wrap_passes_a_resize_on() -> Result<()> {
    let t = trial!()?;
    let script = "echo started; trap 'stty size' WINCH; while :; do read line && exit 0; done";
    let terminal = shell(&t, &format!("wrap -- sh -c \"{script}\""))?;
    terminal.wait_for("started")?;
    terminal.resize(90, 20)?;
    terminal.wait_for("20 90")?;
    terminal.keys(&["Enter"])?;
    terminal.wait_for("status=0")?;
    Ok(())
}

#[test]
fn the_terminal_survives_a_killed_wrap_and_a_killed_program() -> Result<()> {
    let t = trial!()?;
    // The program dies: wrap is alive to clean up.
    let terminal = shell(&t, "wrap -- sh -c \"stty raw -echo; echo ready; exec sleep 300\"")?;
    terminal.wait_for("ready")?;
    let sleeper = t.processes().into_iter().find(|process| process.program() == "sleep");
    kill(sleeper.expect("no sleep").pid, Signal::KILL)?;
    terminal.wait_for("status=137")?;
    usable(&terminal)?;
    // wrap itself is killed with no chance to clean up.
    let terminal = shell(&t, "wrap -- sh -c \"echo ready; exec sleep 300\"")?;
    terminal.wait_for("ready")?;
    kill(process(&t, "wrap")?, Signal::KILL)?;
    terminal.wait_for("status=137")?;
    usable(&terminal)?;
    until("the program to end with its wrap", || {
        Ok(t.processes().iter().all(|process| process.program() != "sleep").then_some(()))
    })
}

#[test]
fn a_person_sees_that_the_command_waits() -> Result<()> {
    let t = trial!()?;
    let config = t.client().config().display().to_string();
    let terminal = shell(&t, &format!("wrap -- ssh -F {config} target 'echo in a terminal'"))?;
    let held = t.wait_pending()?;
    terminal.wait_for("waiting for review")?;
    t.allow(&held.id)?;
    terminal.wait_for("in a terminal")?;
    let text = terminal.wait_for("status=0")?;
    ensure!(!text.contains("waiting for review"), "the status line stayed:\n{text}");
    usable(&terminal)
}
