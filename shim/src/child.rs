//! The process between `wrap` and the program. With pipes, it asks the kernel to be killed when
//! `wrap` dies, and then becomes the program. In a terminal it leads the session, as a login shell
//! would: otherwise the program could not be stopped with ^Z.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::error::WrapError;
use crate::notice;
use crate::process::{Change, next_change};
use crate::signals::{self, Event};

/// How the helper runs the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As `Piped`, once this process group is the terminal's foreground.
    Foreground,
    /// The program takes this process's place.
    Piped,
    /// This process leads the session of a terminal and starts the program in it.
    Session,
}

impl Mode {
    fn as_str(self) -> &'static str {
        match self {
            Self::Foreground => "foreground",
            Self::Piped => "piped",
            Self::Session => "session",
        }
    }

    fn parse(text: &OsStr) -> Option<Self> {
        [Self::Foreground, Self::Piped, Self::Session].into_iter().find(|m| text == m.as_str())
    }
}

/// The arguments of the helper.
pub(crate) fn arguments(
    mode: Mode,
    program: &Path,
    name: &OsStr,
    args: &[OsString],
) -> Vec<OsString> {
    let pid = std::process::id().to_string();
    let mut argv: Vec<OsString> = vec!["__child".into(), mode.as_str().into(), pid.into()];
    argv.extend(["--".into(), program.into(), name.into()]);
    argv.extend(args.iter().cloned());
    argv
}

/// `expacti __child MODE PARENT -- PROGRAM NAME ARGS…`: the exit status, when the program did not take
/// this process's place.
pub(crate) fn child(args: &[OsString]) -> u8 {
    match run(args) {
        Ok(status) => status,
        Err(e) => {
            notice::print(&e);
            e.exit_status()
        }
    }
}

fn run(args: &[OsString]) -> Result<u8, WrapError> {
    let usage = || WrapError::Usage("__child is a helper of `expacti wrap`".to_owned());
    let [mode, parent, dashes, program, name, rest @ ..] = args else { return Err(usage()) };
    if dashes != "--" {
        return Err(usage());
    }
    let parent = parent.to_str().and_then(|p| p.parse().ok()).ok_or_else(usage)?;
    let mode = Mode::parse(mode).ok_or_else(usage)?;
    die_with_parent(parent)?;
    match mode {
        Mode::Piped => become_program(program, name, rest),
        Mode::Foreground => {
            await_foreground();
            become_program(program, name, rest)
        }
        Mode::Session => lead_session(program, name, rest),
    }
}

/// Asks the kernel to kill this process when its parent dies, even by `kill -9`.
#[cfg(target_os = "linux")]
pub(crate) fn die_with_parent(parent: i32) -> Result<(), WrapError> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(WrapError::errno("tie the program to expacti wrap"))?;
    // The parent may have died before the request.
    if rustix::process::getppid().map(Pid::as_raw_pid) != Some(parent) {
        return Err(WrapError::ParentEnded);
    }
    Ok(())
}

/// This system has no such request: the program outlives a `wrap` killed with SIGKILL, but it has
/// the marker of the wrap in its environment.
#[cfg(not(target_os = "linux"))]
pub(crate) fn die_with_parent(_parent: i32) -> Result<(), WrapError> {
    Ok(())
}

fn become_program(program: &OsStr, name: &OsStr, args: &[OsString]) -> Result<u8, WrapError> {
    let source = Command::new(program).arg0(name).args(args).exec();
    Err(WrapError::NotExecutable { program: program.into(), source })
}

/// Waits until the parent has made this process group the foreground of the terminal: a program that
/// reads earlier would be stopped. Gives up after a second.
fn await_foreground() {
    let mine = rustix::process::getpgrp();
    for _ in 0..5000 {
        match rustix::termios::tcgetpgrp(std::io::stdin()) {
            Ok(group) if group != mine => {}
            _ => return,
        }
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
}

fn lead_session(program: &OsStr, name: &OsStr, args: &[OsString]) -> Result<u8, WrapError> {
    let events = signals::subscribe()?;
    let expacti = std::env::current_exe().map_err(WrapError::io("find this executable"))?;
    let started = Command::new(expacti)
        .args(arguments(Mode::Foreground, Path::new(program), name, args))
        .process_group(0)
        .spawn()
        .map_err(|source| WrapError::NotExecutable { program: program.into(), source })?;
    let pid = Pid::from_child(&started);
    rustix::termios::tcsetpgrp(std::io::stdin(), pid)
        .map_err(WrapError::errno("give the terminal to the program"))?;
    loop {
        // Children first: a change may have come before the handler was in place.
        while let Some((who, change)) = next_change() {
            match change {
                Change::Ended(status) if who == pid => return Ok(status),
                // `wrap` sees this process stop, and stops too. SIGCONT continues both.
                Change::Stopped if who == pid => {
                    let _ = kill_process(rustix::process::getpid(), Signal::STOP);
                }
                _ => {}
            }
        }
        match events.recv() {
            Ok(Event::Signal { signal, from_terminal: false }) => {
                let _ = kill_process_group(pid, signal);
            }
            Ok(_) => {}
            Err(_) => return Err(WrapError::SignalsEnded),
        }
    }
}
