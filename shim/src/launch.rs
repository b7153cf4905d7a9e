//! A program ready to be started, and what is done once it has ended. Nothing of it may outlive the
//! wrap, but for what went to the background on purpose.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use rustix::process::{Pid, kill_process};

use crate::environment::EnvChange;
#[cfg(target_os = "linux")]
use crate::isolate::{enter, prepare::Isolate};
use crate::signals::Event;
use crate::{child, process};

/// How long what the program left running has to end by itself after SIGTERM.
const GRACE: Duration = Duration::from_secs(1);

/// What is run, and how.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) expacti: PathBuf,
    pub(crate) program: PathBuf,
    /// What it is called by.
    pub(crate) name: OsString,
    pub(crate) args: Vec<OsString>,
    pub(crate) environment: Vec<EnvChange>,
    /// The program is the client of `ssh` itself.
    pub(crate) client: bool,
    /// The program sends itself to the background (`ssh -f`): its end is not the end.
    pub(crate) background: bool,
    /// Children that do not belong to the program.
    pub(crate) exclude: Vec<Pid>,
    /// The program gets namespaces of its own.
    #[cfg(target_os = "linux")]
    pub(crate) isolate: Option<Isolate>,
}

/// How the program is started in the terminal it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    /// None of its own: it inherits the streams of this process.
    Inherited,
    /// A terminal of its own.
    Terminal,
}

impl Launch {
    /// The arguments of the helper that starts the program.
    pub(crate) fn arguments(&self, streams: Streams) -> Vec<OsString> {
        #[cfg(target_os = "linux")]
        if let Some(isolate) = &self.isolate {
            let mode = match streams {
                Streams::Inherited => enter::Mode::Piped,
                Streams::Terminal => enter::Mode::Session,
            };
            let program =
                enter::Program { path: &self.program, name: &self.name, args: &self.args };
            return enter::arguments(mode, &isolate.dir, isolate.keep, program);
        }
        let mode = match streams {
            Streams::Inherited => child::Mode::Piped,
            Streams::Terminal => child::Mode::Session,
        };
        child::arguments(mode, &self.program, &self.name, &self.args)
    }

    /// Ends whatever the program left running.
    pub(crate) fn end_leftovers(&self) {
        process::end_descendants(&self.exclude, GRACE);
    }
}

/// Waits for what went to the background on purpose, then ends what is left.
pub(crate) fn settle(launch: &Launch, events: &Receiver<Event>) {
    if launch.background {
        await_background(launch, events);
    }
    launch.end_leftovers();
}

fn await_background(launch: &Launch, events: &Receiver<Event>) {
    loop {
        while process::next_change().is_some() {}
        let remaining = process::descendants(&launch.exclude);
        if remaining.is_empty() {
            return;
        }
        match events.recv() {
            Ok(Event::Signal { signal, .. }) => {
                for pid in remaining {
                    let _ = kill_process(pid, signal);
                }
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}
