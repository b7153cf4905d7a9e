//! Signals to this process as a queue. What the process was started to ignore (`nohup`, a background
//! job of a script) stays ignored, here and in the program.

use std::sync::mpsc::{Receiver, channel};

use rustix::process::Signal;
use signal_hook::consts::{
    SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH,
};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::Cause;

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
    let ignored = ignored();
    let wanted = FORWARDED.into_iter().chain([SIGCHLD, SIGWINCH]).filter(|s| !ignored.contains(s));
    let mut signals = SignalsInfo::<WithOrigin>::new(wanted)
        .map_err(WrapError::io("set up the handling of signals"))?;
    let (events, receiver) = channel();
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for origin in signals.forever() {
                let event = match origin.signal {
                    SIGCHLD => Event::Child,
                    SIGWINCH => Event::Resized,
                    number => match Signal::from_named_raw(number) {
                        Some(signal) => {
                            let from_terminal = origin.cause == Cause::Kernel;
                            Event::Signal { signal, from_terminal }
                        }
                        None => continue,
                    },
                };
                if events.send(event).is_err() {
                    return;
                }
            }
        })
        .map_err(WrapError::io("start the thread that handles signals"))?;
    Ok(receiver)
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
