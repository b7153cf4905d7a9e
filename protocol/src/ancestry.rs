//! Whether a process belongs to a wrapped program: whoever does must not review.
//!
//! It reads `/proc` and nothing else, and fails closed: what cannot be told counts as inside. It is
//! a guard against an agent that approves itself by its ordinary means; a hostile process of the
//! same user has others (SECURITY says so).

use std::io;

use crate::uplink::{WRAP_ENV, WrapRegistration};

/// What `/proc/PID/stat` says of a process, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// `R`, `S`, `Z` (ended, not yet reaped) and so on.
    pub state: char,
    /// The parent's process number; 0 when it is outside of this PID name space.
    pub parent: u32,
    /// The session: its leader's process number.
    pub session: u32,
    /// When it started, in clock ticks since the boot.
    pub started: u64,
}

/// Reads a line of `/proc/PID/stat`. The program's name stands in parentheses and may hold
/// anything, also parentheses and line breaks: the last `)` ends it.
pub fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    // pgrp comes before the session, starttime is field 22 of proc_pid_stat(5).
    let session = fields.nth(1)?.parse().ok()?;
    let started = fields.nth(15)?.parse().ok()?;
    Some(Stat { state, parent, session, started })
}

/// What the system says of a process. The error is `NotFound` when there is no such process.
#[cfg(target_os = "linux")]
pub fn stat(pid: u32) -> io::Result<Stat> {
    let bytes = std::fs::read(format!("/proc/{pid}/stat")).map_err(gone)?;
    parse_stat(&String::from_utf8_lossy(&bytes))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/PID/stat is garbled"))
}

/// What the system says of a process, through `ps(1)`: without `/proc` there is no other way
/// without unsafe code. Start times are not told, so a reused number is not noticed.
#[cfg(not(target_os = "linux"))]
pub fn stat(pid: u32) -> io::Result<Stat> {
    let text = ps(pid, &["-o", "state=,ppid="])?;
    let mut words = text.split_ascii_whitespace();
    let garbled = || io::Error::new(io::ErrorKind::InvalidData, "ps says nothing of the process");
    let state = words.next().and_then(|w| w.chars().next()).ok_or_else(garbled)?;
    let parent = words.next().and_then(|w| w.parse().ok()).ok_or_else(garbled)?;
    Ok(Stat { state, parent, session: 0, started: 0 })
}

#[cfg(not(target_os = "linux"))]
fn ps(pid: u32, args: &[&str]) -> io::Result<String> {
    let output = std::process::Command::new("/bin/ps")
        .args(args)
        .args(["-p", &pid.to_string()])
        .stdin(std::process::Stdio::null())
        .output()?;
    if !output.status.success() {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether the process was started with the mark of a wrap in its environment.
#[cfg(target_os = "linux")]
fn is_marked(pid: u32) -> io::Result<bool> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).map_err(gone)?;
    let mark = format!("{WRAP_ENV}=");
    Ok(environment.split(|b| *b == 0).any(|entry| entry.starts_with(mark.as_bytes())))
}

/// Whether the process was started with the mark of a wrap in its environment (`ps -E` shows the
/// environment of one's own processes).
#[cfg(not(target_os = "linux"))]
fn is_marked(pid: u32) -> io::Result<bool> {
    let mark = format!("{WRAP_ENV}=");
    let text = ps(pid, &["-Eww", "-o", "command="])?;
    Ok(text.split_ascii_whitespace().any(|word| word.starts_with(&mark)))
}

/// A process that ends while it is looked at: ESRCH is how the kernel says "not found" then.
#[cfg(target_os = "linux")]
fn gone(error: io::Error) -> io::Error {
    const ESRCH: i32 = 3;
    if error.raw_os_error() == Some(ESRCH) { io::ErrorKind::NotFound.into() } else { error }
}

/// The deepest process tree that is followed; deeper counts as inside.
const MAX_DEPTH: usize = 4096;

/// Whether `pid`, the peer of a connection, belongs to a wrapped program: it or one of its
/// ancestors is a registered wrap or carries the mark, or so does the leader of its session.
///
/// Anything about the peer itself that cannot be read counts as inside. So does a peer that is gone:
/// a wrapped process could connect, hand the socket on and end.
pub fn is_inside_wrap(pid: u32, registered: &[WrapRegistration]) -> bool {
    // The mark of the peer itself must be readable, unless it hides its memory (a program could as well
    // clean its environment). That of its ancestors (a login daemon, init) often is not, as they run as
    // somebody else, and their place in the tree says enough.
    match is_marked(pid) {
        Ok(false) => {}
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {}
        Ok(true) | Err(_) => return true,
    }
    let Ok(peer) = stat(pid) else { return true };
    if peer.state == 'Z' || is_below(pid, registered) {
        return true;
    }
    let leader = peer.session;
    if leader == 0 || leader == pid {
        return false;
    }
    match stat(leader) {
        // The leader cannot be younger than the members of its session: another process by now.
        Ok(stat) if stat.started > peer.started => false,
        Ok(_) => is_below(leader, registered),
        Err(e) => e.kind() != io::ErrorKind::NotFound,
    }
}

/// Whether `pid` or one of its ancestors, as far as they can be seen, carries the mark of a wrap. What
/// cannot be read says nothing here: this is for a program that asks about itself.
pub fn is_below_a_mark(pid: u32) -> bool {
    let mut at = pid;
    for _ in 0..MAX_DEPTH {
        if matches!(is_marked(at), Ok(true)) {
            return true;
        }
        match stat(at) {
            Ok(stat) if stat.parent > 0 => at = stat.parent,
            _ => return false,
        }
    }
    false
}

fn is_below(pid: u32, registered: &[WrapRegistration]) -> bool {
    let mut at = pid;
    let mut retried = false;
    for _ in 0..MAX_DEPTH {
        if registered.iter().any(|wrap| wrap.pid == at) {
            return true;
        }
        if matches!(is_marked(at), Ok(true)) {
            return true;
        }
        let Ok(this) = stat(at) else {
            // It ended in between. Its children have a new parent by now: look once more from the
            // beginning; when that fails too, the tree changes too fast to tell.
            if retried || at == pid {
                return true;
            }
            retried = true;
            at = pid;
            continue;
        };
        // 0: the parent is outside of this PID name space, or this is init.
        if this.parent == 0 {
            return false;
        }
        match stat(this.parent) {
            Ok(parent) if parent.started <= this.started => at = this.parent,
            // A parent younger than its child: the number was reused in between.
            _ if !retried => {
                retried = true;
                at = pid;
            }
            _ => return true,
        }
    }
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_in_parentheses() {
        // The numbers are those of the fields in proc_pid_stat(5).
        let line = "77 (a) S 1 (b) c)) R 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 4242 23";
        let stat = parse_stat(line).unwrap();
        assert_eq!(stat, Stat { state: 'R', parent: 4, session: 6, started: 4242 });
        for bad in ["", "77 (a", "77 (a) S", "77 (a) S x 6 7", "77 (a) S 5 6 7 8 9"] {
            assert_eq!(parse_stat(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_process_that_is_not_there_is_inside() {
        // Above the largest number that Linux gives to a process.
        assert!(is_inside_wrap(1 << 23, &[]));
    }
}
