//! Signals to this process as a queue. What the process was started to ignore (`nohup`, a background
//! job of a script) stays ignored, here and in the program.

#[cfg(target_os = "linux")]
use std::io::Read as _;
#[cfg(target_os = "linux")]
use std::os::fd::{AsFd as _, BorrowedFd};
#[cfg(target_os = "linux")]
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};

use rustix::process::Signal;
use signal_hook::consts::{
    SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH,
};
use signal_hook::iterator::SignalsInfo;
#[cfg(target_os = "linux")]
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::{Cause, Origin};

use crate::error::WrapError;

/// Something that happened to this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// A child ended or was stopped.
    Child,
    /// The size of the terminal changed.
    Resized,
    /// A signal meant for the program.
    Signal {
        /// The signal.
        signal: Signal,
        /// A terminal sent it, to every process of the foreground group.
        from_terminal: bool,
    },
}

/// The signals that are passed on to the program.
const FORWARDED: [i32; 8] = [SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2];

/// Starts to collect signals; from now on none of them ends this process.
pub(crate) fn subscribe() -> Result<Receiver<Event>, WrapError> {
    let mut signals = SignalsInfo::<WithOrigin>::new(wanted())
        .map_err(WrapError::io("set up the handling of signals"))?;
    let (events, receiver) = channel();
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for event in signals.forever().filter_map(|origin| event(&origin)) {
                if events.send(event).is_err() {
                    return;
                }
            }
        })
        .map_err(WrapError::io("start the thread that handles signals"))?;
    Ok(receiver)
}

/// The same for a process that can start no thread: the events are asked for, and a descriptor tells
/// when there are some.
#[cfg(target_os = "linux")]
pub(crate) struct Queue(SignalDelivery<UnixStream, WithOrigin>);

#[cfg(target_os = "linux")]
impl Queue {
    /// Starts to collect signals; from now on none of them ends this process.
    pub(crate) fn new() -> Result<Self, WrapError> {
        UnixStream::pair()
            .and_then(|(read, write)| {
                read.set_nonblocking(true)?;
                SignalDelivery::with_pipe(read, write, WithOrigin::default(), wanted())
            })
            .map(Self)
            .map_err(WrapError::io("set up the handling of signals"))
    }

    /// Readable when something happened.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.get_read().as_fd()
    }

    /// What has happened since the last call.
    pub(crate) fn events(&mut self) -> Vec<Event> {
        let mut bytes = [0; 64];
        while matches!(self.0.get_read_mut().read(&mut bytes), Ok(1..)) {}
        self.0.pending().filter_map(|origin| event(&origin)).collect()
    }
}

fn event(origin: &Origin) -> Option<Event> {
    Some(match origin.signal {
        SIGCHLD => Event::Child,
        SIGWINCH => Event::Resized,
        number => Event::Signal {
            signal: Signal::from_named_raw(number)?,
            from_terminal: origin.cause == Cause::Kernel,
        },
    })
}

fn wanted() -> Vec<i32> {
    let ignored = ignored();
    let all = FORWARDED.into_iter().chain([SIGCHLD, SIGWINCH]);
    all.filter(|s| !ignored.contains(s)).collect()
}

/// The signals that this process was started to ignore; none can be known without `/proc`.
fn ignored() -> Vec<i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0);
    (1..=64).filter(|n| mask >> (n - 1) & 1 == 1).collect()
}
