//! `expacti __init`: the first process of a wrapped program's PID namespace. It makes the file system
//! inside, gives up every right, starts the program, and reaps. When it ends, the kernel ends
//! everything inside.

use std::ffi::{OsStr, OsString};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::enter::{CONTINUE, Mode, STOPPED, plan_file};
use super::plan::Plan;
use super::{lockdown, mounts};
use crate::error::WrapError;
use crate::process::{Change, next_change};
use crate::signals::{self, Event};
use crate::{child, helper, notice};

/// How long what the program left running has to end by itself after SIGTERM.
const GRACE: Duration = Duration::from_secs(1);

/// How many of the processes that are ended are named.
const NAMED: usize = 5;

/// `expacti __init MODE CONTROL DIR KEEP -- PROGRAM NAME ARGS…`: the exit status.
pub(crate) fn init(args: &[OsString]) -> u8 {
    match run(args) {
        Ok(status) => status,
        Err(e) => {
            notice::print(&e);
            e.exit_status()
        }
    }
}

fn run(args: &[OsString]) -> Result<u8, WrapError> {
    let usage = || WrapError::Usage("__init is a helper of `expacti wrap`".to_owned());
    let [mode, control, dir, keep, dashes, program, name, rest @ ..] = args else {
        return Err(usage());
    };
    if dashes != "--" || std::process::id() != 1 {
        return Err(usage());
    }
    let mode = Mode::parse(mode).ok_or_else(usage)?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(WrapError::errno("tie the program to expacti wrap"))?;
    let control = inherited(control.to_str().and_then(|n| n.parse().ok()).ok_or_else(usage)?)?;
    let dir = Path::new(dir);
    let text =
        std::fs::read(plan_file(dir)).map_err(WrapError::io("read the plan of the mounts"))?;
    let plan: Plan = serde_json::from_slice(&text)
        .map_err(|e| WrapError::Usage(format!("the plan of the mounts is garbled: {e}")))?;
    mounts::carry_out(&plan)?;
    lockdown::drop_capabilities()?;
    lockdown::restrict()?;
    lockdown::refuse_tracing()?;
    end_when_unwatched(helper::ready(dir)?)?;
    start(mode, control, keep == "keep", program, name, rest)
}

/// Ends everything inside when the helper is gone: nobody would see that something is not covered any
/// more.
fn end_when_unwatched(mut helper: UnixStream) -> Result<(), WrapError> {
    std::thread::Builder::new()
        .spawn(move || {
            // It says nothing more.
            let _ = helper.read(&mut [0]);
            notice::print(&"the helper of the wrap has ended, and so does the program");
            std::process::exit(i32::from(expacti_protocol::exit::FAILED));
        })
        .map(drop)
        .map_err(WrapError::io("watch the helper of the wrap"))
}

/// The channel to `__enter`, by the number under which it was passed.
fn inherited(number: i32) -> Result<UnixStream, WrapError> {
    expacti_kernel::take_descriptor(number)
        .map(UnixStream::from)
        .map_err(WrapError::io("find the channel to expacti wrap"))
}

fn start(
    mode: Mode,
    control: UnixStream,
    keep: bool,
    program: &OsStr,
    name: &OsStr,
    args: &[OsString],
) -> Result<u8, WrapError> {
    let events = signals::subscribe()?;
    let mut command = match mode {
        Mode::Piped => {
            let mut command = Command::new(program);
            command.arg0(name).args(args);
            command
        }
        Mode::Session => {
            // It waits until it has the terminal, and becomes the program then.
            let mode = child::Mode::Foreground;
            let mut command = Command::new("/proc/self/exe");
            command.arg0("expacti").process_group(0);
            command.args(child::arguments(mode, Path::new(program), name, args));
            command
        }
    };
    let started = command
        .spawn()
        .map_err(|source| WrapError::NotExecutable { program: program.into(), source })?;
    let pid = Pid::from_child(&started);
    if mode == Mode::Session {
        rustix::termios::tcsetpgrp(std::io::stdin(), pid)
            .map_err(WrapError::errno("give the terminal to the program"))?;
    }
    pass_continue(&control, mode, pid)?;
    let status = attend(pid, mode, control, &events)?;
    if keep {
        await_all(&events);
    } else {
        end_survivors(&events);
    }
    Ok(status)
}

fn send(mode: Mode, pid: Pid, signal: Signal) {
    let _ = match mode {
        Mode::Session => kill_process_group(pid, signal),
        Mode::Piped => kill_process(pid, signal),
    };
}

/// Continues the program when `__enter` is continued.
fn pass_continue(control: &UnixStream, mode: Mode, pid: Pid) -> Result<(), WrapError> {
    let mut control = control.try_clone().map_err(WrapError::io("listen to expacti wrap"))?;
    std::thread::spawn(move || {
        let mut byte = [0];
        while matches!(control.read(&mut byte), Ok(1)) {
            if byte == [CONTINUE] {
                send(mode, pid, Signal::CONT);
            }
        }
    });
    Ok(())
}

fn attend(
    pid: Pid,
    mode: Mode,
    mut control: UnixStream,
    events: &std::sync::mpsc::Receiver<Event>,
) -> Result<u8, WrapError> {
    loop {
        while let Some((who, change)) = next_change() {
            match change {
                Change::Ended(status) if who == pid => return Ok(status),
                Change::Stopped if who == pid => {
                    let _ = control.write_all(&[STOPPED]);
                }
                _ => {}
            }
        }
        match events.recv() {
            Ok(Event::Signal { signal, from_terminal: false }) => send(mode, pid, signal),
            Ok(_) => {}
            Err(_) => return Err(WrapError::SignalsEnded),
        }
    }
}

/// The processes inside beside this one, with their names.
fn others() -> Vec<(Pid, String)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != 1)
        .filter_map(|pid| {
            let stat = expacti_protocol::ancestry::stat(pid).ok().filter(|s| s.state != 'Z')?;
            let _ = stat;
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            Some((Pid::from_raw(i32::try_from(pid).ok()?)?, expacti_protocol::one_line(&name)))
        })
        .collect()
}

/// Ends what the program left running, and names it.
fn end_survivors(events: &std::sync::mpsc::Receiver<Event>) {
    while next_change().is_some() {}
    let left = others();
    if left.is_empty() {
        return;
    }
    let names: Vec<String> = left
        .iter()
        .take(NAMED)
        .map(|(pid, name)| format!("{name} ({})", pid.as_raw_pid()))
        .collect();
    let more = left.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    notice::print(&format!(
        "ending what the program left running: {}{more}; `expacti wrap --keep` would wait for it",
        names.join(", ")
    ));
    for (pid, _) in &left {
        let _ = kill_process(*pid, Signal::TERM);
        let _ = kill_process(*pid, Signal::CONT);
    }
    let deadline = Instant::now() + GRACE;
    while !others().is_empty() {
        while next_change().is_some() {}
        let Some(left) = deadline.checked_duration_since(Instant::now()) else { return };
        if let Err(RecvTimeoutError::Disconnected) = events.recv_timeout(left.min(GRACE / 20)) {
            return;
        }
    }
}

/// Waits until nothing runs inside any more, or a signal says to end.
fn await_all(events: &std::sync::mpsc::Receiver<Event>) {
    loop {
        while next_change().is_some() {}
        if others().is_empty() {
            return;
        }
        match events.recv_timeout(Duration::from_millis(200)) {
            Ok(Event::Signal {
                signal: Signal::TERM | Signal::INT | Signal::HUP | Signal::QUIT,
                ..
            }) => return end_survivors(events),
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
