//! Recordings: complete, in a format that the stock tools accept, with the decisions as chapters.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;

use anyhow::{Result, ensure};
use expacti_harness::{Verdict, prerequisites, trial};
use serde_json::Value;

type Event = (f64, String, String);

/// Header and events of an asciicast v2 file.
fn parse(text: &str) -> Result<(Value, Vec<Event>)> {
    let mut lines = text.lines();
    let header = serde_json::from_str(lines.next().unwrap_or_default())?;
    let events = lines.map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok((header, events))
}

#[test]
fn an_exported_recording_is_a_stock_asciicast() -> Result<()> {
    let t = trial!()?;
    if !t.has_terminals()? {
        return Ok(());
    }
    let coloured = "printf '\\033[31mred\\033[0m\\n'; stty size";
    let run = t.wrap(&["ssh", "-tt", "target", coloured]).spawn()?;
    let held = t.wait_pending()?;
    t.allow(&held.id)?;
    run.wait()?.expect_code(0)?;
    t.wait_entry(&held.id, "finished")?;

    let file = t.dir().join("session.cast").display().to_string();
    t.expacti(&["replay", &held.session_id, "--export", &file])?.expect_code(0)?;
    let (header, events) = parse(&fs::read_to_string(&file)?)?;
    assert_eq!(header["version"], 2);
    assert!(header["width"].as_u64().unwrap() > 0 && header["height"].as_u64().unwrap() > 0);
    assert!(events.is_sorted_by(|a, b| a.0 <= b.0), "times run backwards");
    let output: String =
        events.iter().filter(|event| event.1 == "o").map(|event| event.2.as_str()).collect();
    assert!(output.contains("\u{1b}[31mred\u{1b}[0m"), "{output:?}");
    let marker = events.iter().find(|event| event.1 == "m").expect("no marker at the decision");
    assert!(!marker.2.is_empty());

    if prerequisites::command("asciinema").is_none() {
        return Ok(());
    }
    // It wants a terminal of its own even to print a file.
    let script = "asciinema cat \"$0\"; echo status=$?; read wait";
    let argv: Vec<_> = ["sh", "-c", script, &file].iter().map(Into::into).collect();
    let text = t.terminal_argv(&argv, (100, 30))?.wait_for("status=")?;
    ensure!(text.contains("red") && text.contains("status=0"), "asciinema said:\n{text}");
    Ok(())
}

#[test]
fn replay_plays_what_the_agent_saw() -> Result<()> {
    let t = trial!()?;
    if !t.has_terminals()? {
        return Ok(());
    }
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    t.wrap(&["ssh", "-tt", "target", "echo seen"]).run()?.expect_code(0)?;
    let session = t.audit()?.into_iter().find_map(|entry| {
        (entry.kind == "session_opened")
            .then(|| entry.more["session_id"].as_str().unwrap().to_owned())
    });
    let session = session.expect("no session in the log");
    let player = t.terminal(&["replay", &session, "--speed", "20"], (100, 30))?;
    player.wait_for("seen")?;
    Ok(())
}

#[test]
fn a_recorder_that_cannot_write_denies() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    t.rule("--glob", "echo **")?;
    // A file where the directory of recordings belongs: nothing can be created below it.
    let recordings = t.home().join("recordings");
    if recordings.is_dir() {
        fs::remove_dir_all(&recordings)?;
    }
    fs::write(&recordings, "")?;
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let marker = t.marker("m");
    let outcome = t.wrap(&["ssh", "target", &marker.touch()]).run()?;
    ensure!([77, 79].contains(&outcome.code()), "{}", outcome.describe());
    outcome.expect_stderr("expacti: ")?.expect_no_stdout()?;
    assert!(!marker.exists());
    Ok(())
}
