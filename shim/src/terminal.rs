//! Runs the program in a pseudo-terminal of its own, with the outer terminal in raw mode. Whatever
//! happens, the outer terminal gets its settings back.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{OptionalActions, Termios, Winsize, tcgetattr, tcgetwinsize, tcsetattr};

use crate::context::Context;
use crate::environment::EnvChange;
use crate::error::WrapError;
use crate::guard::Guard;
use crate::launch::{Launch, Streams, settle};
use crate::process::{Change, next_change};
use crate::signals::{self, Event};

/// How long the last output may take to be shown once every process of the program is gone.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// The outer terminal. Dropping it restores its settings, also while a panic unwinds.
struct OuterTerminal {
    saved: Termios,
    is_raw: bool,
}

impl OuterTerminal {
    fn open() -> Result<Self, WrapError> {
        let saved = tcgetattr(std::io::stdin())
            .map_err(WrapError::errno("read the settings of the terminal"))?;
        Ok(Self { saved, is_raw: false })
    }

    /// Whether this process may change the terminal; in the background it would be stopped.
    fn is_foreground() -> bool {
        rustix::termios::tcgetpgrp(std::io::stdin()) == Ok(rustix::process::getpgrp())
    }

    fn set_raw(&mut self) {
        if self.is_raw || !Self::is_foreground() {
            return;
        }
        let mut raw = self.saved.clone();
        raw.make_raw();
        self.is_raw = tcsetattr(std::io::stdin(), OptionalActions::Now, &raw).is_ok();
    }

    fn restore(&mut self) {
        if self.is_raw {
            // A terminal that is gone has no settings to restore.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.saved);
            self.is_raw = false;
        }
    }

    fn size() -> PtySize {
        let none = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let size = tcgetwinsize(std::io::stdin()).unwrap_or(none);
        PtySize {
            rows: size.ws_row,
            cols: size.ws_col,
            pixel_width: size.ws_xpixel,
            pixel_height: size.ws_ypixel,
        }
    }
}

impl Drop for OuterTerminal {
    fn drop(&mut self) {
        self.restore();
    }
}

/// Whether standard input, output and error are all a terminal.
pub(crate) fn is_on_all_streams() -> bool {
    rustix::termios::isatty(std::io::stdin())
        && rustix::termios::isatty(std::io::stdout())
        && rustix::termios::isatty(std::io::stderr())
}

/// Runs the program to its end.
pub(crate) fn run(launch: &mut Launch, context: &Context) -> Result<u8, WrapError> {
    let pty = |what: &'static str| {
        move |e: anyhow::Error| WrapError::io(what)(std::io::Error::other(e.to_string()))
    };
    let mut outer = OuterTerminal::open()?;
    let terminal = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(WrapError::io("duplicate the terminal"))?;
    let guard = Guard::start(context, terminal)?;
    launch.exclude.push(guard.pid);
    let pair = native_pty_system()
        .openpty(OuterTerminal::size())
        .map_err(pty("open a pseudo-terminal"))?;
    inherit_settings(pair.master.as_ref(), &outer.saved);
    let reader = pair.master.try_clone_reader().map_err(pty("read from the pseudo-terminal"))?;
    let writer = pair.master.take_writer().map_err(pty("write to the pseudo-terminal"))?;
    let events = signals::subscribe()?;
    let started = pair.slave.spawn_command(command(launch)?).map_err(pty("start the program"))?;
    drop(pair.slave);
    let pid = started
        .process_id()
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(Pid::from_raw)
        .ok_or_else(|| WrapError::Usage("the program has no process number".to_owned()))?;
    outer.set_raw();
    let output = copy_output(reader)?;
    copy_input(writer)?;
    let status = await_end(pid, &events, pair.master.as_ref(), &mut outer)?;
    settle(launch, &events);
    // The sender is dropped at the end of the output.
    let _ = output.recv_timeout(DRAIN_TIMEOUT);
    outer.restore();
    guard.dismiss();
    Ok(status)
}

/// The inner terminal begins with the settings of the outer one: erase character, UTF-8, and so on.
fn inherit_settings(master: &dyn MasterPty, settings: &Termios) {
    const O_NOCTTY: i32 = rustix::fs::OFlags::NOCTTY.bits() as i32;
    let Some(name) = master.tty_name() else { return };
    let slave = File::options().read(true).write(true).custom_flags(O_NOCTTY).open(name);
    // If that fails, the defaults have to do.
    let _ = slave.map(|slave| tcsetattr(&slave, OptionalActions::Now, settings));
}

fn command(launch: &Launch) -> Result<CommandBuilder, WrapError> {
    let mut command = CommandBuilder::new(&launch.expacti);
    command.args(launch.arguments(Streams::Terminal));
    // The library's own choice would be the home directory.
    command.cwd(std::env::current_dir().map_err(WrapError::io("find the working directory"))?);
    for change in &launch.environment {
        match change {
            EnvChange::Remove(name) => command.env_remove(name),
            EnvChange::Set(name, value) => command.env(name, value),
        }
    }
    Ok(command)
}

fn await_end(
    pid: Pid,
    events: &Receiver<Event>,
    master: &dyn MasterPty,
    outer: &mut OuterTerminal,
) -> Result<u8, WrapError> {
    loop {
        while let Some((who, change)) = next_change() {
            match change {
                Change::Ended(status) if who == pid => return Ok(status),
                Change::Stopped if who == pid => {
                    // The shell above sees its job stopped, on a terminal as it left it.
                    outer.restore();
                    let _ = kill_process(rustix::process::getpid(), Signal::STOP);
                    resume(pid, master, outer);
                }
                _ => {}
            }
        }
        match events.recv() {
            Ok(Event::Resized) => {
                let _ = master.resize(OuterTerminal::size());
            }
            Ok(Event::Signal { signal: Signal::CONT, .. }) => resume(pid, master, outer),
            // The program is in another session: nobody else signals it.
            Ok(Event::Signal { signal, .. }) => {
                let _ = kill_process(pid, signal);
            }
            Ok(Event::Child) => {}
            Err(_) => return Err(WrapError::SignalsEnded),
        }
    }
}

fn resume(pid: Pid, master: &dyn MasterPty, outer: &mut OuterTerminal) {
    outer.set_raw();
    let _ = master.resize(OuterTerminal::size());
    let _ = kill_process(pid, Signal::CONT);
}

/// Shows what the program writes; the receiver is disconnected at its end.
fn copy_output(mut from: Box<dyn Read + Send>) -> Result<Receiver<()>, WrapError> {
    let (until_end, ended) = channel();
    thread("output", move || {
        let mut buffer = vec![0; 64 * 1024];
        let mut out = std::io::stdout().as_fd().try_clone_to_owned().map(File::from).ok();
        while let Ok(n) = retry(|| from.read(&mut buffer)) {
            if n == 0 {
                break;
            }
            // When the terminal is gone the program must still not block on its output.
            let failed =
                |out: &mut File| out.write_all(buffer.get(..n).unwrap_or_default()).is_err();
            if out.as_mut().is_some_and(failed) {
                out = None;
            }
        }
        drop(until_end);
    })?;
    Ok(ended)
}

fn copy_input(mut to: Box<dyn Write + Send>) -> Result<(), WrapError> {
    thread("input", move || {
        let mut buffer = vec![0; 16 * 1024];
        let input = std::io::stdin().as_fd().try_clone_to_owned().map(File::from);
        if let Ok(mut input) = input {
            while let Ok(n) = retry(|| input.read(&mut buffer)) {
                if n == 0 || to.write_all(buffer.get(..n).unwrap_or_default()).is_err() {
                    break;
                }
            }
        }
        // Dropping it would type a line break and the end-of-file character into the program.
        std::mem::forget(to);
    })
}

fn retry(mut read: impl FnMut() -> std::io::Result<usize>) -> std::io::Result<usize> {
    loop {
        match read() {
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), WrapError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(drop)
        .map_err(WrapError::io(format!("start the {name} thread")))
}
