//! The reviewer of docs/SIGNING.md, which is a shell script, with a real broker and a gate that asks for
//! signatures.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use expacti_harness::{Trial, prerequisites, trial};

fn keygen(args: &[&str]) -> Result<String> {
    let output = Command::new("ssh-keygen").args(args).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// Goes through what waits, with this answer.
fn review(t: &Trial, reply: &str) -> Result<Output> {
    use std::io::Write as _;
    let mut child = Command::new("tests/signing_reviewer.sh")
        .args([t.dir().join("alice"), t.dir().join("gates")])
        .arg("--unix-socket")
        .arg(t.home().join("broker.sock"))
        .env_remove("EXPACTI_BROKER")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start the script")?;
    child.stdin.take().unwrap().write_all(reply.as_bytes())?;
    Ok(child.wait_with_output()?)
}

#[test]
fn a_shell_script_with_ssh_keygen_is_a_reviewer() -> Result<()> {
    for program in ["curl", "jq"] {
        if prerequisites::command(program).is_none() {
            return Ok(());
        }
    }
    let t = trial!()?;
    let alice = t.dir().join("alice");
    let alice = alice.display().to_string();
    keygen(&["-q", "-N", "", "-t", "ed25519", "-f", &alice])?;
    let public = fs::read_to_string(format!("{alice}.pub"))?;
    fs::write(
        t.home().join("allowed_signers"),
        format!("alice namespaces=\"expacti-*\" {public}"),
    )?;
    t.configure("[approval]\nsigners = \"allowed_signers\"\n[[approval.require]]\n")?;
    t.up()?;
    let gate = t.home().join("keys/gate_ed25519").display().to_string();
    let gate = keygen(&["-y", "-f", &gate])?;
    fs::write(t.dir().join("gates"), format!("gate namespaces=\"expacti-item\" {gate}"))?;

    let marker = t.marker("signed");
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    t.wait_pending()?;
    let passed = review(&t, "n\n")?;
    ensure!(passed.status.success(), "{}", String::from_utf8_lossy(&passed.stderr));
    assert!(!marker.exists());
    let signed = review(&t, "y\n")?;
    let shown = String::from_utf8_lossy(&signed.stdout).into_owned();
    ensure!(signed.status.success(), "{shown}{}", String::from_utf8_lossy(&signed.stderr));
    assert!(shown.contains(&marker.touch()) && shown.contains("\"target\": \"target\""), "{shown}");
    run.wait()?.expect_code(0)?;
    assert_eq!(marker.count(), 1);
    Ok(())
}
