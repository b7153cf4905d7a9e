//! The process tree of a wrap: who is in it, reaping, and ending what is left. It signals only
//! processes below this one.

use std::collections::HashMap;

use expacti_protocol::ancestry;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};

/// Whether a process of that number exists (a zombie does not).
pub(crate) fn exists(pid: u32) -> bool {
    match i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // Not permitted: it exists, and is somebody else's.
        Some(pid) => rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH),
        None => false,
    }
}

/// What happened to a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It ended, with this status (128 + n after signal n, as shells say it).
    Ended(u8),
    /// It was stopped.
    Stopped,
}

/// The next change of any child, if there is one; never waits.
pub(crate) fn next_change() -> Option<(Pid, Change)> {
    loop {
        match wait(WaitOptions::NOHANG | WaitOptions::UNTRACED) {
            Ok(Some((pid, status))) => {
                if let Some(change) = change(status) {
                    return Some((pid, change));
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Ok(None) | Err(_) => return None,
        }
    }
}

fn change(status: WaitStatus) -> Option<Change> {
    if let Some(code) = status.exit_status() {
        return Some(Change::Ended(u8::try_from(code & 0xff).unwrap_or(u8::MAX)));
    }
    if let Some(signal) = status.terminating_signal() {
        return Some(Change::Ended(u8::try_from(128 + signal).unwrap_or(u8::MAX)));
    }
    status.stopped().then_some(Change::Stopped)
}

/// The processes below this one, without those in (and below) `exclude`. None without `/proc`.
pub(crate) fn descendants(exclude: &[Pid]) -> Vec<Pid> {
    below(rustix::process::getpid().as_raw_pid(), exclude)
}

/// The processes below `root`, without those in (and below) `exclude`. None without `/proc`.
pub(crate) fn below(root: i32, exclude: &[Pid]) -> Vec<Pid> {
    let parents: HashMap<i32, i32> = all()
        .into_iter()
        .filter_map(|pid| {
            let stat = ancestry::stat(u32::try_from(pid).ok()?).ok()?;
            // A zombie has ended; it only waits for its parent.
            (stat.state != 'Z').then_some((pid, i32::try_from(stat.parent).ok()?))
        })
        .collect();
    let is_below = |pid: i32| {
        let mut at = pid;
        // Bounded, since a snapshot of a changing tree may contain a cycle.
        for _ in 0..parents.len() {
            if exclude.iter().any(|p| p.as_raw_pid() == at) {
                return false;
            }
            match parents.get(&at) {
                Some(&parent) if parent == root => return true,
                Some(&parent) => at = parent,
                None => return false,
            }
        }
        false
    };
    parents.keys().copied().filter(|pid| is_below(*pid)).filter_map(Pid::from_raw).collect()
}

/// This process's children now.
pub(crate) fn children() -> Vec<Pid> {
    let me = rustix::process::getpid().as_raw_pid();
    let is_child = |pid: &i32| {
        u32::try_from(*pid)
            .ok()
            .and_then(|p| ancestry::stat(p).ok())
            .is_some_and(|stat| i64::from(stat.parent) == i64::from(me))
    };
    all().into_iter().filter(is_child).filter_map(Pid::from_raw).collect()
}

fn all() -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()
}

/// Ends what the program left running: `SIGTERM`, and after a grace period `SIGKILL`.
///
/// It could otherwise leave the tree when this process ends, and approve its own commands from
/// outside.
pub(crate) fn end_descendants(exclude: &[Pid], grace: std::time::Duration) {
    let mut deadline = std::time::Instant::now() + grace;
    let mut signal = Signal::TERM;
    let mut signalled: Vec<Pid> = Vec::new();
    loop {
        while next_change().is_some() {}
        let remaining = descendants(exclude);
        if remaining.is_empty() {
            return;
        }
        if std::time::Instant::now() >= deadline {
            if signal == Signal::KILL {
                // It cannot be killed (it hangs in the kernel, or runs as another user).
                return;
            }
            signal = Signal::KILL;
            deadline = std::time::Instant::now() + grace;
            signalled.clear();
        }
        for pid in remaining {
            if !signalled.contains(&pid) || signal == Signal::KILL {
                let _ = kill_process(pid, signal);
                // A stopped process acts on SIGTERM only once it continues.
                let _ = kill_process(pid, Signal::CONT);
                signalled.push(pid);
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}
