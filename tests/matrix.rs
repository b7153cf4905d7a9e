//! Every party fails at every step of a command's life: broker, gate, client, reviewer, database
//! and disk, killed or stalled while the command is held, at the moment of its decision, and while
//! it runs. What counts is what the target saw: the command ran exactly once if it was approved,
//! released and finished, at most once if its end is unknown, and never otherwise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use expacti_harness::{Process, Run, Team, Trial, kill, trial, until};
use rustix::process::Signal;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Party {
    Broker,
    Client,
    /// Somebody else holds the database's lock for longer than the broker waits.
    Database,
    /// The recording can no longer be written.
    Disk,
    Gate,
    Reviewer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Kill,
    /// Stopped, and let go on after the decision.
    Stall,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Before anything was submitted.
    Idle,
    /// Waiting for a decision, which comes after the fault.
    Held,
    /// The decision is on its way.
    Deciding,
    /// Released, with its effect on the target done.
    Running,
}

/// A writer of the database that does not let go until it is dropped.
struct LockHolder(Child);

impl LockHolder {
    fn new(t: &Trial) -> Result<Self> {
        let script = "import sqlite3, sys\n\
                      db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)\n\
                      db.execute('BEGIN IMMEDIATE')\n\
                      print('locked', flush=True)\n\
                      sys.stdin.read()\n";
        let mut child = Command::new("python3")
            .args(["-c", script])
            .arg(t.home().join("expacti.db"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        ensure!(line == "locked\n", "{line:?}");
        Ok(Self(child))
    }
}

impl Drop for LockHolder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A command with an effect and an end that waits for the test.
struct Probe {
    command: String,
    go: std::path::PathBuf,
}

impl Probe {
    fn new(t: &Trial, touch: &str) -> Self {
        let go = t.dir().join("go");
        let wait = format!("while [ ! -e {} ]; do sleep 0.05; done", go.display());
        Self { command: format!("{touch}; {wait}; echo done"), go }
    }
}

fn clients(t: &Trial) -> Vec<Process> {
    t.processes().into_iter().filter(|p| p.program() == "ssh").collect()
}

/// The decision of a reviewer who may be hit by it, too; whether it was accepted.
fn allow(t: &Trial, id: &str, fault: Option<Fault>) -> Result<bool> {
    let run = t.launch(&["allow", id]).spawn()?;
    match fault {
        Some(Fault::Kill) => run.signal(Signal::KILL)?,
        Some(Fault::Stall) => {
            run.signal(Signal::STOP)?;
            run.signal(Signal::CONT)?;
        }
        None => {}
    }
    Ok(run.wait()?.code() == 0)
}

fn case(party: Party, fault: Fault, step: Step) -> Result<()> {
    let t = trial!()?;
    let mut team = Team::start(&t)?;
    let marker = t.marker("ran");
    let probe = Probe::new(&t, &marker.touch());
    let mut hog = None;
    let mut stopped: Vec<i32> = Vec::new();
    let strike =
        |team: &Team<'_>, hog: &mut Option<LockHolder>, stopped: &mut Vec<i32>| -> Result<()> {
            let pids: Vec<i32> = match party {
                Party::Broker => vec![team.broker_pid()],
                Party::Gate => vec![team.gate_pid()],
                Party::Client => clients(&t).iter().map(|p| p.pid).collect(),
                Party::Reviewer => Vec::new(),
                Party::Database => {
                    *hog = Some(LockHolder::new(&t)?);
                    Vec::new()
                }
                Party::Disk => {
                    let dir = t.home().join("recordings");
                    fs::remove_dir_all(&dir)?;
                    fs::write(&dir, "")?;
                    Vec::new()
                }
            };
            for pid in pids {
                kill(pid, if fault == Fault::Kill { Signal::KILL } else { Signal::STOP })?;
                if fault == Fault::Stall {
                    stopped.push(pid);
                }
            }
            Ok(())
        };
    if step == Step::Idle {
        strike(&team, &mut hog, &mut stopped)?;
    }
    let run: Run = team.ssh(&[], &[&probe.command])?.spawn()?;
    let by = (party == Party::Reviewer).then_some(fault);
    let mut approved = false;
    if step != Step::Idle {
        let held = t.wait_pending()?;
        ensure!(!marker.exists(), "it ran before its decision");
        match step {
            Step::Held => {
                strike(&team, &mut hog, &mut stopped)?;
                // A stopped broker answers nobody: the reviewer's request waits for it.
                if stopped.contains(&team.broker_pid()) {
                    let pending = t.launch(&["allow", &held.id]).spawn()?;
                    for pid in stopped.drain(..) {
                        kill(pid, Signal::CONT)?;
                    }
                    approved = pending.wait()?.code() == 0;
                } else {
                    approved = allow(&t, &held.id, by)?;
                }
            }
            Step::Deciding => {
                let deciding = t.launch(&["allow", &held.id]).spawn()?;
                strike(&team, &mut hog, &mut stopped)?;
                for pid in stopped.drain(..) {
                    kill(pid, Signal::CONT)?;
                }
                approved = deciding.wait()?.code() == 0;
            }
            Step::Running => {
                approved = allow(&t, &held.id, None)?;
                marker.wait()?;
                strike(&team, &mut hog, &mut stopped)?;
            }
            Step::Idle => {}
        }
    }
    for pid in stopped.drain(..) {
        kill(pid, Signal::CONT)?;
    }
    fs::write(&probe.go, "")?;
    drop(hog);
    if step != Step::Idle && !approved {
        // The approval failed. A command that still waits is denied, not left to its deadline.
        for left in t.pending().unwrap_or_default() {
            t.expacti(&["deny", &left.id, "the approval failed"])?;
        }
    }
    let outcome = run.wait()?;
    if party == Party::Broker && fault == Fault::Kill {
        team.restart_broker()?;
    }
    if party == Party::Gate && fault == Fault::Kill {
        team.restart_gate()?;
    }
    until("the target to be idle", || Ok(t.sshd().commands().is_empty().then_some(())))?;
    for left in t.pending()? {
        t.expacti(&["deny", &left.id, "the trial is over"])?;
    }
    judge(&t, &probe.command, marker.count(), &outcome)?;
    if approved && party == Party::Reviewer && step != Step::Running {
        ensure!(marker.count() == 1, "an accepted approval did nothing: {}", outcome.describe());
    }
    Ok(())
}

/// What the log says, against what the target saw.
fn judge(t: &Trial, command: &str, ran: usize, outcome: &expacti_harness::Outcome) -> Result<()> {
    t.expacti(&["audit", "verify"])?.expect_code(0)?;
    let log = t.audit()?;
    let of = |entry: &&expacti_harness::Entry| {
        entry.more.get("command").and_then(|c| c.as_str()) == Some(command)
    };
    let kinds: Vec<&str> = log.iter().filter(of).map(|e| e.kind.as_str()).collect();
    let count = |kind: &str| kinds.iter().filter(|k| **k == kind).count();
    let said = format!("log {kinds:?}, ran {ran} times, {}", outcome.describe());
    ensure!(ran <= 1, "twice: {said}");
    ensure!(count("released") <= 1 && count("decision") <= 1, "{said}");
    ensure!(ran == 0 || count("released") == 1, "ran unreleased: {said}");
    ensure!(count("finished") == 0 || ran == 1, "finished without running: {said}");
    if let (Some(decided), Some(released)) =
        (kinds.iter().position(|k| *k == "decision"), kinds.iter().position(|k| *k == "released"))
    {
        ensure!(decided < released, "{said}");
    }
    if outcome.code() == 0 {
        ensure!(ran == 1 && outcome.out() == "done\n", "{said}");
    } else {
        ensure!(!outcome.err().is_empty() || outcome.code() > 128, "no reason given: {said}");
    }
    let mut rest = String::new();
    outcome.err().as_bytes().read_to_string(&mut rest)?;
    ensure!(!rest.contains("panicked"), "{said}");
    Ok(())
}

/// One test a party, so that they run side by side.
macro_rules! parties {
    ($($name:ident: $party:ident, $faults:expr, $steps:expr;)*) => {$(
        #[test]
        fn $name() -> Result<()> {
            for fault in $faults {
                for step in $steps {
                    case(Party::$party, fault, step)
                        .with_context(|| format!("{:?}, {fault:?} at {step:?}", Party::$party))?;
                }
            }
            Ok(())
        }
    )*};
}

parties! {
    broker_killed: Broker, [Fault::Kill], [Step::Idle, Step::Held, Step::Deciding, Step::Running];
    broker_stalled: Broker, [Fault::Stall], [Step::Held, Step::Deciding, Step::Running];
    client: Client, [Fault::Kill, Fault::Stall], [Step::Held, Step::Deciding, Step::Running];
    database_locked: Database, [Fault::Stall], [Step::Held, Step::Deciding, Step::Running];
    disk_broken: Disk, [Fault::Kill], [Step::Held, Step::Deciding, Step::Running];
    gate_killed: Gate, [Fault::Kill], [Step::Held, Step::Deciding, Step::Running];
    gate_stalled: Gate, [Fault::Stall], [Step::Held, Step::Deciding, Step::Running];
    reviewer: Reviewer, [Fault::Kill, Fault::Stall], [Step::Held];
}
