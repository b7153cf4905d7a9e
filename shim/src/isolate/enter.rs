//! `expacti __enter`: makes the namespaces of a wrapped program and starts their first process.
//!
//! It stays outside of the new PID namespace, as the child that `wrap` waits for: it stops when the
//! program stops, and ends with its status.

use std::ffi::{OsStr, OsString};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process};

use super::lockdown;
use crate::error::WrapError;
use crate::process::{Change, next_change};
use crate::signals::{Event, Queue};
use crate::{child, helper, notice};

/// From `__init`: the program was stopped.
pub(super) const STOPPED: u8 = b'S';
/// To `__init`: go on.
pub(super) const CONTINUE: u8 = b'C';

/// How the program is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// With the streams it got, in the process group of `wrap`.
    Piped,
    /// In a terminal of its own, whose session this process leads.
    Session,
}

impl Mode {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Piped => "piped",
            Self::Session => "session",
        }
    }

    pub(super) fn parse(text: &OsStr) -> Option<Self> {
        [Self::Piped, Self::Session].into_iter().find(|m| text == m.as_str())
    }
}

/// What is started inside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program<'a> {
    pub(crate) path: &'a Path,
    /// What it is called by.
    pub(crate) name: &'a OsStr,
    pub(crate) args: &'a [OsString],
}

/// The arguments of `__enter`. `keep`: what the program leaves running is waited for.
pub(crate) fn arguments(mode: Mode, dir: &Path, keep: bool, program: Program<'_>) -> Vec<OsString> {
    let pid = std::process::id().to_string();
    let keep = if keep { "keep" } else { "end" };
    let mut argv: Vec<OsString> = vec!["__enter".into(), mode.as_str().into(), pid.into()];
    argv.extend([dir.into(), keep.into(), "--".into()]);
    argv.extend([program.path.into(), program.name.to_owned()]);
    argv.extend(program.args.iter().cloned());
    argv
}

/// `expacti __enter MODE PARENT DIR KEEP -- PROGRAM NAME ARGS…`: the exit status.
pub(crate) fn enter(args: &[OsString]) -> u8 {
    match run(args) {
        Ok(status) => status,
        Err(e) => {
            notice::print(&e);
            e.exit_status()
        }
    }
}

fn run(args: &[OsString]) -> Result<u8, WrapError> {
    let usage = || WrapError::Usage("__enter is a helper of `expacti wrap`".to_owned());
    let [mode, parent, dir, keep, dashes, program @ ..] = args else { return Err(usage()) };
    if dashes != "--" || program.is_empty() {
        return Err(usage());
    }
    let mode = Mode::parse(mode).ok_or_else(usage)?;
    let parent = parent.to_str().and_then(|p| p.parse().ok()).ok_or_else(usage)?;
    // Whatever was left open leads out.
    expacti_kernel::close_from(3).map_err(WrapError::io("close inherited descriptors"))?;
    refuse_directories()?;
    let (uid, gid) = (rustix::process::getuid(), rustix::process::getgid());
    expacti_kernel::enter_new_namespaces().map_err(not_allowed)?;
    write("/proc/self/setgroups", "deny")?;
    write("/proc/self/uid_map", &format!("{0} {0} 1", uid.as_raw()))?;
    write("/proc/self/gid_map", &format!("{0} {0} 1", gid.as_raw()))?;
    // After the change of credentials, which clears the request.
    child::die_with_parent(parent)?;
    // A kernel without keyrings has none to leave.
    match expacti_kernel::join_new_session_keyring() {
        Err(e) if e.raw_os_error() != Some(rustix::io::Errno::NOSYS.raw_os_error()) => {
            return Err(WrapError::io("leave the session keyring")(e));
        }
        _ => {}
    }
    helper::enter(Path::new(dir))?;
    lockdown::keep_mounting()?;
    // Before the first process, so that its end is not missed.
    let signals = Queue::new()?;
    let (control, theirs) =
        UnixStream::pair().map_err(WrapError::io("make a channel to the first process"))?;
    let started = {
        // The one descriptor beside the standard ones that it needs.
        rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty())
            .map_err(WrapError::errno("pass a channel to the first process"))?;
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("expacti")
            .arg("__init")
            .arg(mode.as_str())
            .arg(theirs.as_fd().as_raw_fd().to_string());
        command.arg(dir).arg(keep).arg("--").args(program);
        command.spawn().map_err(WrapError::io("start the first process of the namespaces"))?
    };
    drop(theirs);
    lockdown::drop_capabilities()?;
    attend(Pid::from_child(&started), signals, control)
}

/// Waits for the first process, and passes on what it is told in both directions. Without a thread:
/// one could only be started in the new PID namespace.
fn attend(init: Pid, mut signals: Queue, mut control: UnixStream) -> Result<u8, WrapError> {
    let mut is_open = true;
    loop {
        while let Some((who, change)) = next_change() {
            if let Change::Ended(status) = change
                && who == init
            {
                return Ok(status);
            }
        }
        let mut fds = vec![PollFd::from_borrowed_fd(signals.descriptor(), PollFlags::IN)];
        if is_open {
            fds.push(PollFd::new(&control, PollFlags::IN));
        }
        match poll(&mut fds, signals.patience()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(WrapError::errno("wait for the program")(e)),
        }
        let is_told = fds.get(1).is_some_and(|fd| !fd.revents().is_empty());
        drop(fds);
        if is_told {
            let mut byte = [0];
            match control.read(&mut byte) {
                // `wrap` sees this process stop, and stops too. SIGCONT continues both.
                Ok(1) if byte == [STOPPED] => {
                    let _ = kill_process(rustix::process::getpid(), Signal::STOP);
                }
                Ok(1..) => {}
                Ok(0) | Err(_) => is_open = false,
            }
        }
        for event in signals.events() {
            match event {
                Event::Signal { signal: Signal::CONT, .. } => {
                    let _ = control.write_all(&[CONTINUE]);
                }
                // What a terminal sends, the program got itself.
                Event::Signal { signal, from_terminal: false } if signal != Signal::TSTP => {
                    let _ = kill_process(init, signal);
                }
                _ => {}
            }
        }
    }
}

fn refuse_directories() -> Result<(), WrapError> {
    let streams = [
        ("input", std::io::stdin().as_fd().try_clone_to_owned()),
        ("output", std::io::stdout().as_fd().try_clone_to_owned()),
        ("error", std::io::stderr().as_fd().try_clone_to_owned()),
    ];
    for (name, stream) in streams {
        let Ok(stream) = stream else { continue };
        let is_directory = rustix::fs::fstat(&stream).is_ok_and(|stat| {
            rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory
        });
        if is_directory {
            return Err(WrapError::Usage(format!(
                "standard {name} is a directory: it would lead round what is covered; give the \
                 program a file"
            )));
        }
    }
    Ok(())
}

fn write(path: &str, text: &str) -> Result<(), WrapError> {
    std::fs::write(path, text).map_err(WrapError::io(format!("write {path}")))
}

fn not_allowed(source: std::io::Error) -> WrapError {
    WrapError::NoNamespaces { source }
}

/// Where `wrap` leaves the plan.
pub(crate) fn plan_file(dir: &Path) -> PathBuf {
    dir.join("plan.json")
}
