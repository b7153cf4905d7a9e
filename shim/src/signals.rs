//! Signals to this process as a queue. What the process was started to ignore (`nohup`, a background
//! job of a script) stays ignored, here and in the program.

use std::io::Read as _;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::SendFlags;
use rustix::process::Signal;
use signal_hook::consts::{
    SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH,
};
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
    let mut queue = Queue::new()?;
    let (events, receiver) = channel();
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            loop {
                for event in queue.events() {
                    if events.send(event).is_err() {
                        return;
                    }
                }
                queue.wait();
            }
        })
        .map_err(WrapError::io("start the thread that handles signals"))?;
    Ok(receiver)
}

/// How often signals are looked for where a handler cannot tell of them.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// The signals that came, to be asked for. A process that can start no thread polls its descriptor.
pub(crate) struct Queue {
    delivery: SignalDelivery<UnixStream, WithOrigin>,
    /// The handler of a signal sends a byte; a sandbox may refuse that (Codex does).
    is_told: bool,
}

impl Queue {
    /// Starts to collect signals; from now on none of them ends this process.
    pub(crate) fn new() -> Result<Self, WrapError> {
        let failed = || WrapError::io("set up the handling of signals");
        let (read, write) = UnixStream::pair().map_err(failed())?;
        read.set_nonblocking(true).map_err(failed())?;
        let is_told = rustix::net::send(&write, b"0", SendFlags::DONTWAIT).is_ok();
        let delivery = SignalDelivery::with_pipe(read, write, WithOrigin::default(), wanted())
            .map_err(failed())?;
        Ok(Self { delivery, is_told })
    }

    /// Readable when something happened.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.delivery.get_read().as_fd()
    }

    /// How long to wait for the descriptor.
    pub(crate) fn patience(&self) -> Option<&'static Timespec> {
        if self.is_told { None } else { Some(&LOOK) }
    }

    /// Waits until something may have happened.
    fn wait(&self) {
        let mut fds = [PollFd::from_borrowed_fd(self.descriptor(), PollFlags::IN)];
        // After an error there is only time to go by.
        if poll(&mut fds, self.patience()).is_err_and(|e| e != rustix::io::Errno::INTR) {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// What has happened since the last call.
    pub(crate) fn events(&mut self) -> Vec<Event> {
        let mut bytes = [0; 64];
        while matches!(self.delivery.get_read_mut().read(&mut bytes), Ok(1..)) {}
        self.delivery.pending().filter_map(|origin| event(&origin)).collect()
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
