//! Processes are killed or stopped at random moments of a command's life; what counts is what the
//! target saw: nothing without a `released` entry before it, and nothing twice.
//! `EXPACTI_CRASH_ROUNDS` sets the number of rounds, `EXPACTI_CRASH_SEED` repeats a run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    env, thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use expacti_harness::{Launch, Process, Team, Trial, Verdict, kill, trial, until};
use rustix::process::Signal;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    /// A team's broker.
    Broker,
    /// The agent's own ssh.
    Client,
    /// Broker and gate in one process.
    Daemon,
    /// A team's gate.
    Gate,
    /// Whatever reviewer command runs at that moment.
    Reviewer,
    /// `expacti wrap`.
    Shim,
}

const LOCAL: [Victim; 4] = [Victim::Daemon, Victim::Client, Victim::Shim, Victim::Reviewer];
const TEAM: [Victim; 4] = [Victim::Broker, Victim::Gate, Victim::Client, Victim::Reviewer];

impl Victim {
    fn find(self, t: &Trial) -> Vec<Process> {
        let runs = |process: &Process, word: &str| {
            process.argv.get(1).is_some_and(|argument| argument == word)
        };
        t.processes()
            .into_iter()
            .filter(|process| match self {
                Self::Broker => runs(process, "broker"),
                Self::Client => process.program() == "ssh",
                Self::Daemon => runs(process, "up"),
                Self::Gate => runs(process, "gate"),
                Self::Reviewer => runs(process, "allow") || runs(process, "pending"),
                Self::Shim => runs(process, "wrap"),
            })
            .collect()
    }
}

/// How the agent reaches the target, and what must be started again after a fault.
enum Deployment<'t> {
    Local(&'t Trial),
    Team(&'t Trial, Box<Team<'t>>),
}

impl Deployment<'_> {
    fn trial(&self) -> &Trial {
        match self {
            Self::Local(t) | Self::Team(t, _) => t,
        }
    }

    fn command(&self, command: &str) -> Result<Launch> {
        match self {
            Self::Local(t) => Ok(t.wrap(&["ssh", "target", command])),
            Self::Team(_, team) => team.ssh(&[], &[command]),
        }
    }

    /// Whatever the fault ended runs again afterwards.
    fn recover(&mut self, victim: Option<Victim>) -> Result<()> {
        match self {
            Self::Local(t) => t.up(),
            Self::Team(_, team) => match victim {
                Some(Victim::Broker) => team.restart_broker(),
                Some(Victim::Gate) => team.restart_gate(),
                _ => Ok(()),
            },
        }
    }
}

/// xorshift64: enough to choose victims and moments, and repeatable.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

#[test]
fn crash_rounds_run_nothing_unreleased_and_nothing_twice() -> Result<()> {
    let t = trial!()?;
    rounds(Deployment::Local(&t), LOCAL)
}

#[test]
fn crash_rounds_of_a_team_run_nothing_unreleased_and_nothing_twice() -> Result<()> {
    let t = trial!()?;
    let team = Box::new(Team::start(&t)?);
    rounds(Deployment::Team(&t, team), TEAM)
}

fn rounds(mut deployment: Deployment<'_>, victims: [Victim; 4]) -> Result<()> {
    let rounds = number("EXPACTI_CRASH_ROUNDS").unwrap_or(12);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let seed = number("EXPACTI_CRASH_SEED").unwrap_or(now).max(1);
    println!("seed {seed}");
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let pace = pace(&mut deployment)?;
    let mut ran = 0;
    for number in 0..rounds {
        let victim = victims[usize::try_from(number)? % victims.len()];
        let stop = random.below(3) == 0;
        let moment = Duration::from_micros(random.below(pace.as_micros() as u64));
        let what = format!("round {number}: {victim:?} stop={stop} after {moment:?}, seed {seed}");
        let count = round(&mut deployment, number, victim, stop, moment).context(what.clone())?;
        println!("{what}: ran {count} times");
        ran += count;
    }
    println!("{ran} of {rounds} commands ran");
    Ok(())
}

/// How long an undisturbed round takes here, so that the moments cover its whole life and little
/// more. The first one also makes the connection to the target, which later ones share.
fn pace(deployment: &mut Deployment<'_>) -> Result<Duration> {
    deployment.recover(None)?;
    let t = deployment.trial();
    let marker = t.marker("pace");
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    let mut shortest = Duration::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        deployment.command(&command(&marker.touch()))?.run()?.expect_code(0)?;
        shortest = shortest.min(start.elapsed());
    }
    Ok(shortest)
}

/// A command with a life of its own after its effect.
fn command(touch: &str) -> String {
    format!("{touch}; sleep 0.1; echo done")
}

fn round(
    deployment: &mut Deployment<'_>,
    number: u64,
    victim: Victim,
    stop: bool,
    moment: Duration,
) -> Result<usize> {
    deployment.recover(None)?;
    let t = deployment.trial();
    let marker = t.marker(&format!("round{number}"));
    let command = command(&marker.touch());
    let reviewer = t.auto_reviewer(Verdict::Allow);
    let run = deployment.command(&command)?.spawn()?;
    // The moment of the fault is the experiment; nothing waits for a condition here.
    thread::sleep(moment);
    let hit = victim.find(t);
    for process in &hit {
        kill(process.pid, if stop { Signal::STOP } else { Signal::KILL })?;
    }
    if stop {
        thread::sleep(Duration::from_millis(300));
        // Wrap stops with its program, as a shell's job does, and goes on when it is told to.
        for process in hit.iter().chain(&Victim::Shim.find(t)) {
            kill(process.pid, Signal::CONT)?;
        }
    }
    let outcome = run.wait()?;
    drop(reviewer);
    // What was killed is started again; nothing that comes back may run the command (again).
    deployment.recover((!stop).then_some(victim))?;
    let t = deployment.trial();
    for left in t.pending()? {
        // The client is gone but the gate may not know yet: whatever is said now is too late or
        // is followed by a delivery to nobody.
        t.expacti(&["deny", &left.id, "the round is over"])?;
    }
    until("the target to be idle", || Ok(t.sshd().commands().is_empty().then_some(())))?;
    t.expacti(&["audit", "verify"])?.expect_code(0)?;
    let count = marker.count();
    ensure!(count <= 1, "it ran {count} times");
    if outcome.code() == 0 {
        ensure!(count == 1 && outcome.out() == "done\n", "{}", outcome.describe());
    }
    let log = t.audit()?;
    let id = log
        .iter()
        .find(|entry| {
            entry.kind == "command_submitted"
                && entry.more.get("command").and_then(|text| text.as_str()) == Some(&command)
        })
        .and_then(|entry| entry.command_id.clone());
    let seq = |kind: &str| -> Vec<u64> {
        log.iter()
            .filter(|entry| entry.kind == kind && entry.command_id == id && id.is_some())
            .map(|entry| entry.seq)
            .collect()
    };
    let (decided, released) = (seq("decision"), seq("released"));
    ensure!(released.len() <= 1, "released {released:?}");
    ensure!(decided.len() <= 1, "decided {decided:?}");
    if let Some(released) = released.first() {
        ensure!(decided.first().is_some_and(|decided| decided < released), "released undecided");
    }
    if count > 0 {
        ensure!(!released.is_empty(), "it ran without a released entry");
    }
    Ok(count)
}
