//! Finding and ending the processes of one trial, by id; must never match on a name alone.

use std::{collections::HashMap, fs, path::Path};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::until::until;

/// A process that belongs to the trial.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its process id.
    pub pid: i32,
    /// Its command line; empty for a zombie.
    pub argv: Vec<String>,
}

impl Process {
    /// Whether one of the arguments is exactly `word`.
    #[must_use]
    pub fn has_arg(&self, word: &str) -> bool {
        self.argv.iter().any(|arg| arg == word)
    }

    /// The file name of the program.
    #[must_use]
    pub fn program(&self) -> &str {
        let first = self.argv.first().map_or("", String::as_str);
        Path::new(first).file_name().and_then(|name| name.to_str()).unwrap_or(first)
    }

    /// Whether it still runs (a zombie does not).
    #[must_use]
    pub fn alive(&self) -> bool {
        alive(self.pid)
    }
}

/// Sends a signal; a process that is gone already is no error.
///
/// # Errors
/// When the kernel refuses for any other reason.
pub fn kill(pid: i32, signal: Signal) -> Result<()> {
    let Some(target) = Pid::from_raw(pid) else {
        return Ok(());
    };
    match kill_process(target, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("failed to signal process {pid}")),
    }
}

/// All running processes that were started with `variable=value` in their environment.
#[must_use]
pub fn with_environment(variable: &str, value: &str) -> Vec<Process> {
    let needle = format!("{variable}={value}");
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    pids()
        .into_iter()
        .filter(|pid| *pid != own && alive(*pid))
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
                environment.split(|byte| *byte == 0).any(|entry| entry == needle.as_bytes())
            })
        })
        .map(|pid| Process { pid, argv: argv(pid) })
        .collect()
}

/// All running processes of a user who exists for one test only.
#[must_use]
pub(crate) fn owned_by(uid: u32) -> Vec<Process> {
    pids()
        .into_iter()
        .filter(|pid| alive(*pid))
        // The files of a process that is not dumpable belong to root: its status tells the truth.
        .filter(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let owner = status.lines().find_map(|line| line.strip_prefix("Uid:"));
            owner.is_some_and(|ids| ids.split_whitespace().any(|id| id == uid.to_string()))
        })
        .map(|pid| Process { pid, argv: argv(pid) })
        .collect()
}

/// All descendants of a process, children first; sshd rewrites its environment, so it is found so.
#[must_use]
pub fn descendants(root: i32) -> Vec<Process> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for pid in pids() {
        if let Some((_, parent)) = state_and_parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut queue = vec![root];
    while let Some(pid) = queue.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            found.push(Process { pid: *child, argv: argv(*child) });
            queue.push(*child);
        }
    }
    found
}

/// Kills each process and waits until none of them runs.
///
/// # Errors
/// When one cannot be signalled, or survives.
pub fn stop_all(processes: &[Process]) -> Result<()> {
    for process in processes {
        kill(process.pid, Signal::KILL)?;
    }
    until("killed processes to end", || {
        Ok(processes.iter().all(|process| !process.alive()).then_some(()))
    })
}

fn alive(pid: i32) -> bool {
    state_and_parent(pid).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

fn state_and_parent(pid: i32) -> Option<(char, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in brackets and may hold anything, brackets too: the fields follow the last one.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}

fn argv(pid: i32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words: Vec<String> = bytes
        .split(|byte| *byte == 0)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    words.pop();
    words
}

fn pids() -> Vec<i32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn finds_by_environment_and_by_descent_then_stops() {
        let mark = format!("mark-{}", std::process::id());
        let mut child = Command::new("sh")
            .args(["-c", "sleep 300 & wait"])
            .env("EXPACTI_TRIAL", &mark)
            .spawn()
            .unwrap();
        let id = i32::try_from(child.id()).unwrap();
        let found = until("both processes", || {
            let found = with_environment("EXPACTI_TRIAL", &mark);
            Ok((found.iter().filter(|p| p.program() == "sleep").count() == 1).then_some(found))
        })
        .unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(descendants(id).len(), 1);
        stop_all(&found).unwrap();
        child.wait().unwrap();
        assert!(with_environment("EXPACTI_TRIAL", &mark).is_empty());
    }
}
