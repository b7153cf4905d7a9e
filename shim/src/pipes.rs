//! Runs the program without a terminal of its own: it inherits standard input, output and error as
//! they are, and this process never touches a byte of them.

use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::child::{self, PIPED};
use crate::error::WrapError;
use crate::process::{Change, next_change};
use crate::signals::{self, Event};
use crate::wrap::{Launch, settle};

/// Runs the program to its end.
pub(crate) fn run(launch: &Launch) -> Result<u8, WrapError> {
    let events = signals::collect()?;
    let mut command = Command::new(&launch.expacti);
    command.args(child::arguments(PIPED, &launch.program, &launch.args));
    for (name, value) in &launch.environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let started = command
        .spawn()
        .map_err(|source| WrapError::NotExecutable { program: launch.expacti.clone(), source })?;
    let pid = Pid::from_child(&started);
    let status = loop {
        if let Some(status) = changes(pid) {
            break status;
        }
        match events.recv() {
            // The program is in the same process group: what a terminal sends, it got itself.
            Ok(Event::Signal { signal, from_terminal: false }) => {
                let _ = kill_process(pid, signal);
            }
            Ok(_) => {}
            Err(_) => return Err(WrapError::Usage("the handling of signals ended".to_owned())),
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
