//! Runs the program without a terminal of its own: it inherits standard input, output and error as
//! they are, and this process never touches a byte of them.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileTypeExt as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process};

use crate::environment::EnvChange;
use crate::error::WrapError;
use crate::launch::{Launch, Streams, settle};
use crate::process::{Change, next_change};
use crate::signals::{self, Event};

/// How long a client whose output nobody reads any more may take to end by itself.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether standard output is a pipe or a socket, whose reader can go away.
pub(crate) fn has_reader() -> bool {
    let Ok(fd) = std::io::stdout().as_fd().try_clone_to_owned() else { return false };
    File::from(fd).metadata().is_ok_and(|m| m.file_type().is_fifo() || m.file_type().is_socket())
}

/// Ends a client of `ssh` whose output nobody reads any more, as in `ssh host yes | head`.
///
/// OpenSSH's client ignores SIGPIPE and tells a server of its own kind by a message
/// (`eow@openssh.com`) that not every server can hear; without it, it reads on for ever.
fn end_when_unread(client: Pid, ended: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let stdout = std::io::stdout();
        let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
        loop {
            match poll(&mut fds, None) {
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
                Ok(_) => break,
            }
        }
        std::thread::sleep(UNREAD_TIMEOUT);
        if !ended.load(Ordering::SeqCst) {
            let _ = kill_process(client, Signal::TERM);
        }
    });
}

/// Runs the program to its end.
pub(crate) fn run(launch: &Launch) -> Result<u8, WrapError> {
    let events = signals::subscribe()?;
    let mut command = Command::new(&launch.expacti);
    command.args(launch.arguments(Streams::Inherited));
    for change in &launch.environment {
        match change {
            EnvChange::Remove(name) => command.env_remove(name),
            EnvChange::Set(name, value) => command.env(name, value),
        };
    }
    let started = command
        .spawn()
        .map_err(|source| WrapError::NotExecutable { program: launch.expacti.clone(), source })?;
    let pid = Pid::from_child(&started);
    let ended = Arc::new(AtomicBool::new(false));
    if launch.client && has_reader() {
        end_when_unread(pid, Arc::clone(&ended));
    }
    let status = loop {
        if let Some(status) = changes(pid) {
            ended.store(true, Ordering::SeqCst);
            break status;
        }
        match events.recv() {
            // The program is in the same process group: what a terminal sends, it got itself.
            Ok(Event::Signal { signal, from_terminal: false }) => {
                let _ = kill_process(pid, signal);
            }
            Ok(_) => {}
            Err(_) => return Err(WrapError::SignalsEnded),
        }
    };
    settle(launch, &events);
    Ok(status)
}

fn changes(program: Pid) -> Option<u8> {
    while let Some((pid, change)) = next_change() {
        match change {
            Change::Ended(status) if pid == program => return Some(status),
            // Stop as well, so that a shell above sees its job stopped; go on together.
            Change::Stopped if pid == program => {
                let _ = kill_process(rustix::process::getpid(), Signal::STOP);
                let _ = kill_process(program, Signal::CONT);
            }
            _ => {}
        }
    }
    None
}
