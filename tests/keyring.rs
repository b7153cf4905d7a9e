//! The gate logs in to targets with keys that its own memory never holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use expacti_harness::{Process, Team, descendants, kill, trial, until};
use rustix::process::Signal;

fn decoded(text: &str) -> Result<Vec<u8>> {
    Ok(base64::engine::general_purpose::STANDARD.decode(text)?)
}

/// The secret and the public half of an Ed25519 key without a passphrase, as they are in memory.
fn halves(private: &Path) -> Result<([u8; 32], [u8; 32])> {
    let public = fs::read_to_string(private.with_extension("pub"))?;
    let blob = decoded(public.split_whitespace().nth(1).context("no key")?)?;
    let public: [u8; 32] = blob[blob.len() - 32..].try_into()?;
    let text = fs::read_to_string(private)?;
    let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let body = decoded(&body)?;
    // The secret half stands before the last public one.
    let at = body.windows(32).rposition(|part| part == public).context("no public half")?;
    Ok((body[at - 32..at].try_into()?, public))
}

/// Whether a process has these bytes in memory that it can write.
fn has_in_memory(pid: i32, bytes: &[u8]) -> Result<bool> {
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    for line in fs::read_to_string(format!("/proc/{pid}/maps"))?.lines() {
        let mut words = line.split_whitespace();
        let (range, flags) = (words.next().unwrap(), words.next().unwrap());
        let (from, to) = range.split_once('-').unwrap();
        let (mut from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
        if !flags.starts_with("rw") {
            continue;
        }
        let mut piece = vec![0; 1 << 20];
        while from < to {
            let length = usize::try_from((to - from).min(1 << 20))?;
            let Ok(read) = memory.read_at(&mut piece[..length], from) else { break };
            if piece[..read].windows(bytes.len()).any(|part| part == bytes) {
                return Ok(true);
            }
            // The next piece begins a little earlier, for what lies across.
            let step =
                if read == length && from + (read as u64) < to { read - bytes.len() } else { read };
            if step == 0 {
                break;
            }
            from += step as u64;
        }
    }
    Ok(false)
}

/// The process that holds a gate's keys.
fn holder(gate: i32) -> Result<Process> {
    let mut all = descendants(gate);
    all.retain(|process| process.has_arg("__keys"));
    ensure!(all.len() == 1, "{all:?}");
    all.pop().context("no holder of keys")
}

/// Checks that the gate has logged in with a key and never had it.
fn never_held(gate: i32, key: &Path) -> Result<()> {
    let (secret, public) = halves(key)?;
    ensure!(has_in_memory(gate, &public)?, "not even the public key is found in the gate's memory");
    ensure!(!has_in_memory(gate, &secret)?, "the private key is in the gate's memory");
    Ok(())
}

fn is_readable() -> bool {
    // Root may look at every process; others at none of these.
    rustix::process::geteuid().is_root()
}

#[test]
fn the_gate_of_one_machine_never_holds_a_targets_key() -> Result<()> {
    let t = trial!()?;
    t.rule("--exact", "echo one")?;
    // The connection stays, so that it is looked at while it lasts.
    let run = t.wrap(&["ssh", "target", "echo held; cat"]).stdin_open().spawn()?;
    let held = t.wait_pending()?;
    let gate =
        t.daemons().into_iter().find(|process| process.has_arg("up")).context("no gate")?.pid;
    if is_readable() {
        never_held(gate, &t.client().key())?;
    }
    let first = holder(gate)?;
    t.expacti(&["deny", &held.id, "no"])?.expect_code(0)?;
    run.wait()?.expect_code(77)?;
    // Without it there is no login; the next one starts it again.
    kill(first.pid, Signal::KILL)?;
    t.wrap(&["ssh", "target", "echo one"]).run()?.expect_code(0)?.expect_stdout("one\n")?;
    let second = until("the holder to be another one", || {
        Ok(holder(gate).ok().filter(|new| new.pid != first.pid))
    })?;
    // It ends with the gate, however that ends.
    kill(gate, Signal::KILL)?;
    until("the holder of keys to end", || Ok((!second.alive()).then_some(())))
}

#[test]
fn the_gate_of_a_team_never_holds_a_targets_key() -> Result<()> {
    let t = trial!()?;
    let team = Team::start(&t)?;
    let marker = t.marker("m");
    let run = team.ssh(&[], &[&marker.touch()])?.spawn()?;
    let held = t.wait_pending()?;
    if is_readable() {
        never_held(team.gate_pid(), &t.dir().join("team/gate_key"))?;
    }
    let allow = t.launch(&["allow", &held.id, "--broker", &team.url()]);
    allow.env("EXPACTI_TOKEN", team.token()).run()?.expect_code(0)?;
    run.wait()?.expect_code(0)?;
    assert_eq!(marker.count(), 1);
    Ok(())
}
