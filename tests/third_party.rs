//! A reviewer in another language, from the protocol's description alone, can decide.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use anyhow::Result;
use expacti_harness::{Launch, Outcome, Trial, trial};
use serde_json::Value;

fn reviewer(t: &Trial, args: &[&str]) -> Launch {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/third_party_reviewer.py");
    let broker = format!("unix://{}", t.home().join("broker.sock").display());
    let mut argv = vec!["python3", script, "--broker", &broker];
    argv.extend(args);
    t.direct(&argv)
}

fn messages(outcome: &Outcome) -> Vec<Value> {
    outcome.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn it_allows_and_denies() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let marker = t.marker("m");
    let outside = reviewer(&t, &["--allow"]).spawn()?;
    t.wrap(&["ssh", "target", &marker.touch()]).run()?.expect_code(0)?;
    assert_eq!(marker.count(), 1);
    let heard = outside.wait()?;
    heard.expect_code(0)?;
    let heard = messages(&heard);
    assert_eq!(heard[0]["type"], "hello");
    let pending = heard.iter().find(|message| message["type"] == "pending_command").unwrap();
    for field in [
        "id",
        "session_id",
        "command",
        "cwd",
        "timestamp",
        "risk_score",
        "anomaly",
        "anomaly_reasons",
    ] {
        assert!(!pending[field].is_null(), "{field} is missing: {pending}");
    }
    assert_eq!(heard.last().unwrap()["type"], "ack");
    assert_eq!(heard.last().unwrap()["ref"], 1);

    // One that connects later hears of what is open already.
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    t.wait_pending()?;
    reviewer(&t, &["--deny", "not by me"]).run()?.expect_code(0)?;
    run.wait()?.expect_code(77)?.expect_stderr("expacti: command denied — not by me")?;
    assert_eq!(marker.count(), 1);
    Ok(())
}

#[test]
fn a_decision_on_other_bytes_is_refused() -> Result<()> {
    let t = trial!()?;
    let marker = t.marker("m");
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    let outcome = reviewer(&t, &["--lie"]).run()?;
    let last = messages(&outcome).pop().unwrap();
    assert_eq!(last["type"], "error", "{last}");
    assert_eq!(last["ref"], 1);
    assert_eq!(t.pending()?.len(), 1);
    assert!(!marker.exists());
    t.deny(&held.id, "no")?;
    run.wait()?.expect_code(77)?;
    Ok(())
}

#[test]
fn from_inside_a_wrapped_tree_it_is_refused() -> Result<()> {
    let t = trial!()?;
    let marker = t.marker("m");
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/third_party_reviewer.py");
    let broker = format!("unix://{}", t.home().join("broker.sock").display());
    let outcome = t.wrap(&["python3", script, "--broker", &broker, "--allow"]).run()?;
    assert_ne!(outcome.code(), 0, "{}", outcome.describe());
    assert!(!marker.exists());
    t.deny(&held.id, "no")?;
    run.wait()?.expect_code(77)?;
    Ok(())
}
