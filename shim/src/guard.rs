//! A tiny process that outlives a `wrap` killed with SIGKILL: it gives the terminal back its
//! settings, ends what the wrap left running and removes its shim directory. When the wrap ends
//! by itself it does nothing.

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};

use expacti_protocol::exit;
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::context::{self, Context};
use crate::error::WrapError;

/// What the wrap sends when it ends by itself.
const DONE: u8 = b'q';

/// The wrap's end of a running guard.
pub(crate) struct Guard {
    stdin: ChildStdin,
    /// Its process.
    pub(crate) pid: Pid,
}

impl Guard {
    /// Starts it, and returns once it has seen the terminal's settings.
    pub(crate) fn start(context: &Context, terminal: OwnedFd) -> Result<Self, WrapError> {
        let failed = || WrapError::io("start the guard of the terminal");
        let mut child = Command::new(&context.expacti)
            .arg("__guard")
            .arg(&context.dir)
            .stdin(Stdio::piped())
            .stdout(terminal)
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed())?;
        let pid = Pid::from_child(&child);
        let mut ready = [0];
        let pipes = child.stdin.take().zip(child.stderr.take());
        let (stdin, mut stderr) =
            pipes.ok_or_else(|| failed()(std::io::ErrorKind::BrokenPipe.into()))?;
        stderr.read_exact(&mut ready).map_err(failed())?;
        Ok(Self { stdin, pid })
    }

    /// The wrap ends by itself.
    pub(crate) fn dismiss(mut self) {
        // If it cannot be reached, it is gone already.
        let _ = self.stdin.write_all(&[DONE]);
    }
}

/// `expacti __guard DIR`, with the wrap's pipe as standard input, the terminal as standard output
/// and a pipe as standard error, on which it reports that it is ready.
pub(crate) fn guard(dir: &Path) -> u8 {
    // Out of reach of the terminal's signals.
    let _ = rustix::process::setsid();
    let terminal = std::io::stdout();
    let Ok(saved) = tcgetattr(&terminal) else { return exit::FAILED };
    if std::io::stderr().write_all(b"r").is_err() {
        return exit::FAILED;
    }
    let mut byte = [0];
    if matches!(std::io::stdin().read(&mut byte), Ok(1)) && byte == [DONE] {
        return exit::OK;
    }
    let _ = tcsetattr(&terminal, OptionalActions::Now, &saved);
    // Only a directory that holds a wrap's context is removed.
    if let Ok(context) = Context::load(&dir.join(context::FILE)) {
        kill_marked(context.wrap_pid);
        let _ = std::fs::remove_dir_all(dir);
    }
    exit::OK
}

/// Ends the processes that carry the marker of that wrap.
fn kill_marked(wrap_pid: u32) {
    let marker = format!("{}={wrap_pid}", expacti_protocol::uplink::WRAP_ENV);
    let Ok(entries) = std::fs::read_dir("/proc") else { return };
    for entry in entries.flatten() {
        let pid = entry.file_name().to_str().and_then(|n| n.parse().ok()).and_then(Pid::from_raw);
        let (Some(pid), Ok(environment)) = (pid, std::fs::read(entry.path().join("environ")))
        else {
            continue;
        };
        let is_marked = environment.split(|b| *b == 0).any(|entry| entry == marker.as_bytes());
        if is_marked && pid != rustix::process::getpid() {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
