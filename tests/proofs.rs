//! Whoever signs, or has a PIN, is asked for it by every way to decide: commands, rules, people, keys.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use expacti_harness::{Tmux, Trial, trial};

/// A key pair; the path of the private key.
fn key(t: &Trial, name: &str) -> Result<PathBuf> {
    let path = t.dir().join(name);
    let made = Command::new("ssh-keygen")
        .args(["-q", "-N", "", "-C", name, "-t", "ed25519", "-f"])
        .arg(&path)
        .output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Ok(path)
}

fn public(key: &Path) -> String {
    key.with_extension("pub").display().to_string()
}

/// Who the broker of this trial takes us for.
fn owner(t: &Trial) -> Result<String> {
    let added = t.audit()?.into_iter().find(|entry| entry.kind == "signing_key_added");
    Ok(added.unwrap().more["by"].as_str().unwrap().to_owned())
}

/// The user that runs this.
fn me() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Signs with that key from now on.
fn sign_with(t: &Trial, key: &Path) -> Result<()> {
    t.configure(&format!("signing_key = \"{}\"\n", key.display()))
}

#[test]
fn no_change_goes_round_a_key() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let (first, second) = (key(&t, "first")?, key(&t, "second")?);
    t.expacti(&["reviewer", "add", "carol"])?.expect_code(0)?;
    t.expacti(&["policy", "add", "--type", "any", "--match", "reboot"])?.expect_code(0)?;
    let policies = t.expacti(&["policy", "list", "--json"])?.json()?;
    let policy = policies[0]["id"].as_str().unwrap().to_owned();
    t.expacti(&["reviewer", "key", "add", &me(), &public(&first)])?.expect_code(0)?;
    // Whatever runs as this person has neither key nor PIN, and no way round them.
    let fingerprint = t.expacti(&["reviewer", "key", "list", "--json"])?.json()?;
    let fingerprint = fingerprint[0]["fingerprint"].as_str().unwrap().to_owned();
    let agent = public(&second);
    let attempts: &[&[&str]] = &[
        &["rules", "add", "--glob", "echo **"],
        &["rules", "add", "--exact", "id", "--deny"],
        &["rules", "defaults"],
        &["policy", "remove", &policy],
        &["policy", "add", "--type", "any", "--match", "**"],
        &["reviewer", "add", "mallory"],
        &["reviewer", "remove", "carol"],
        &["reviewer", "key", "add", &me(), &public(&second)],
        &["reviewer", "key", "add", "carol", &public(&second)],
        &["reviewer", "key", "remove", &fingerprint],
        &["agent", "add", "bot", "--key", &agent],
        &["gate", "add", "g2"],
    ];
    for attempt in attempts {
        let outcome = t.expacti(attempt)?;
        ensure!(outcome.code() == 5, "{attempt:?}: {}", outcome.describe());
        ensure!(outcome.err().contains("signing_key"), "{attempt:?}: {}", outcome.describe());
    }
    ensure!(t.expacti(&["rules", "list", "--json"])?.json()? == serde_json::json!([]));
    // A key that is not theirs.
    sign_with(&t, &second)?;
    let outcome = t.expacti(&["rules", "add", "--glob", "echo **"])?;
    outcome.expect_code(5)?.expect_stderr("the signature does not count")?;
    // What ends or holds something needs none.
    let marker = t.marker("held");
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    t.configure("")?;
    t.expacti(&["pause", &held.session_id])?.expect_code(0)?;
    t.expacti(&["resume", &held.session_id])?.expect_code(5)?;
    t.deny(&held.id, "no")?;
    run.wait()?.expect_code(77)?;
    // With the key each is done, and the log has what was signed.
    sign_with(&t, &first)?;
    for attempt in [attempts[0], attempts[7]] {
        t.expacti(attempt)?.expect_code(0)?;
    }
    // The pause holds until somebody ends it, with the key.
    let run = t.wrap(&["ssh", "target", "echo ran"]).spawn()?;
    let held = t.wait_pending()?;
    t.expacti(&["resume", &held.session_id])?.expect_code(0)?;
    t.deny(&held.id, "again")?;
    run.wait()?.expect_code(77)?;
    t.wrap(&["ssh", "target", "echo ran"]).run()?.expect_stdout("ran\n")?;
    let log = t.audit()?;
    let signed: Vec<_> = log.iter().filter(|entry| entry.kind == "request_signed").collect();
    ensure!(signed.len() == 3, "{log:?}");
    let statement = signed[0].more["signed"]["statement"].as_str().unwrap();
    ensure!(statement.contains("\"path\":\"/v1/rules\""), "{statement}");
    ensure!(statement.contains("\"purpose\":\"expacti-request\""), "{statement}");
    ensure!(owner(&t)? == me());
    t.expacti(&["audit", "verify"])?.expect_code(0)?;
    Ok(())
}

/// A terminal in which expacti runs, and its answer to a PIN.
fn at_terminal(t: &Trial, args: &[&str], pins: &[&str]) -> Result<(Tmux, i32)> {
    let screen = t.terminal(args, (100, 20))?;
    for (at, pin) in pins.iter().enumerate() {
        let asked = ["PIN", "once more"];
        screen.wait_until("a question", |text| {
            text.lines().filter(|line| asked.iter().any(|word| line.contains(word))).count() > at
        })?;
        screen.type_text(pin)?;
        screen.keys(&["Enter"])?;
    }
    let code = screen.wait_exit()?;
    Ok((screen, code))
}

#[test]
fn a_pin_is_asked_for_by_every_way() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let (screen, code) = at_terminal(&t, &["reviewer", "pin"], &["4711", "4712"])?;
    ensure!(code == 2, "{}", screen.capture()?);
    let (screen, code) = at_terminal(&t, &["reviewer", "pin"], &["4711", "4711"])?;
    let text = screen.capture()?;
    ensure!(code == 0, "{text}");
    ensure!(!text.contains("4711"), "the PIN is shown: {text}");
    // Without a terminal nobody can be asked.
    let marker = t.marker("m");
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    t.expacti(&["allow", &held.id])?.expect_code(5)?.expect_stderr("PIN")?;
    t.expacti(&["rules", "add", "--glob", "echo **"])?.expect_code(5)?.expect_stderr("PIN")?;
    t.expacti(&["reviewer", "pin", "--remove"])?.expect_code(5)?;
    // A wrong one, and the right one.
    let (screen, code) = at_terminal(&t, &["allow", &held.id], &["4712"])?;
    ensure!(code == 5 && screen.capture()?.contains("not the PIN"), "{}", screen.capture()?);
    ensure!(!marker.exists());
    let (screen, code) = at_terminal(&t, &["allow", &held.id], &["4711"])?;
    ensure!(code == 0, "{}", screen.capture()?);
    run.wait()?.expect_code(0)?;
    ensure!(marker.count() == 1);
    // Changing it takes the old one; nothing of it is anywhere.
    let (screen, code) = at_terminal(&t, &["reviewer", "pin"], &["0815", "0815", "4712"])?;
    ensure!(code == 5, "{}", screen.capture()?);
    let kinds: Vec<String> = t.audit()?.into_iter().map(|entry| entry.kind).collect();
    for kind in ["pin_set", "pin_wrong"] {
        ensure!(kinds.iter().any(|k| k == kind), "{kind}: {kinds:?}");
    }
    let (screen, code) = at_terminal(&t, &["reviewer", "pin", "--remove"], &["4711"])?;
    ensure!(code == 0, "{}", screen.capture()?);
    t.expacti(&["rules", "defaults"])?.expect_code(0)?;
    // Guessing takes its time, also beyond a start of the broker.
    let (screen, code) = at_terminal(&t, &["reviewer", "pin"], &["4711", "4711"])?;
    ensure!(code == 0, "{}", screen.capture()?);
    for _ in 0..6 {
        let (screen, code) = at_terminal(&t, &["rules", "defaults"], &["0000"])?;
        ensure!(code == 5 && screen.capture()?.contains("not the PIN"), "{}", screen.capture()?);
    }
    t.expacti(&["down"])?.expect_code(0)?;
    t.up()?;
    let (screen, code) = at_terminal(&t, &["rules", "defaults"], &["4711"])?;
    ensure!(code == 5 && screen.capture()?.contains("too many wrong"), "{}", screen.capture()?);
    Ok(())
}

#[test]
fn what_only_types_into_the_screen_allows_nothing() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let (screen, code) = at_terminal(&t, &["reviewer", "pin"], &["4711", "4711"])?;
    ensure!(code == 0, "{}", screen.capture()?);
    let marker = t.marker("m");
    let screen = t.terminal(&["review"], (120, 30))?;
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    screen.wait_for("a allow")?;
    screen.keys(&["a"])?;
    screen.wait_for("your PIN")?;
    screen.type_text("0000")?;
    screen.wait_for("PIN > ••••")?;
    screen.keys(&["Enter"])?;
    screen.wait_for("that is not the PIN")?;
    ensure!(!marker.exists());
    // The same request, with the right one.
    screen.keys(&["j"])?;
    screen.wait_for("a allow")?;
    screen.keys(&["a"])?;
    screen.wait_for("your PIN")?;
    screen.type_text("4711")?;
    screen.keys(&["Enter"])?;
    run.wait()?.expect_code(0)?;
    ensure!(marker.count() == 1);
    ensure!(!screen.capture()?.contains("4711"), "{}", screen.capture()?);
    // A rule from the screen asks for it as well.
    let run = t.wrap(&["ssh", "target", "hostname"]).spawn()?;
    t.wait_pending()?;
    screen.wait_for("hostname")?;
    screen.keys(&["w"])?;
    screen.wait_for("press y")?;
    screen.keys(&["y"])?;
    screen.wait_for("the broker asks for your PIN")?;
    screen.type_text("4711")?;
    screen.keys(&["Enter"])?;
    screen.wait_for("added")?;
    ensure!(t.expacti(&["rules", "list", "--json"])?.json()?.as_array().unwrap().len() == 1);
    screen.keys(&["d"])?;
    drop(run);
    ensure!(held.id.starts_with("cmd_"));
    Ok(())
}

#[test]
fn a_lost_key_is_reset_where_the_broker_lives_and_everybody_is_told() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let first = key(&t, "first")?;
    t.expacti(&["reviewer", "key", "add", &me(), &public(&first)])?.expect_code(0)?;
    // Not while it runs.
    t.expacti(&["reviewer", "reset", &me()])?.expect_code(5)?.expect_stderr("expacti down")?;
    t.expacti(&["rules", "defaults"])?.expect_code(5)?;
    t.expacti(&["down"])?.expect_code(0)?;
    t.expacti(&["reviewer", "reset", "nobody-here"])?.expect_code(1)?;
    t.expacti(&["reviewer", "reset", &me()])?.expect_code(0)?;
    t.up()?;
    t.expacti(&["rules", "defaults"])?.expect_code(0)?;
    let status = t.expacti(&["status", "--json"])?.out();
    ensure!(status.contains("were reset on the broker's machine"), "{status}");
    let kinds: Vec<String> = t.audit()?.into_iter().map(|entry| entry.kind).collect();
    ensure!(kinds.iter().any(|kind| kind == "reviewer_reset"), "{kinds:?}");
    // A key that is taken away, by its own signature, leaves nobody who allows without one.
    t.expacti(&["reviewer", "key", "add", &me(), &public(&first)])?.expect_code(0)?;
    sign_with(&t, &first)?;
    t.expacti(&["reviewer", "key", "remove", &public(&first)])?.expect_code(0)?;
    let marker = t.marker("m");
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    t.expacti(&["allow", &held.id])?.expect_code(5)?.expect_stderr("no key any more")?;
    t.expacti(&["rules", "add", "--glob", "echo **"])?.expect_code(5)?;
    t.expacti(&["reviewer", "key", "add", &me(), &public(&first)])?.expect_code(5)?;
    t.deny(&held.id, "")?;
    run.wait()?.expect_code(77)?;
    ensure!(!fs::exists(marker.path())?);
    Ok(())
}
