//! Tries the ways in which programs start `ssh`, and tells which of them would not reach the gate.
//!
//! Each runs `ssh -G` for a host that does not exist: it connects to nothing, and what it prints tells
//! who answered. The shim names itself; the stock client prints our `ProxyCommand` where the user's
//! configuration leads it to the gate.

use std::ffi::OsString;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::environment::{EnvChange, environment};

/// The host that is asked for.
pub(crate) const HOST: &str = "expacti-canary.invalid";

/// In the answer of the shim, and of the stock client that is led to the gate.
pub(crate) const MARK: &str = "expacti-canary-held";

/// How long one way may take: the start-up files of a login shell run.
const PATIENCE: Duration = Duration::from_secs(5);

/// One way of starting `ssh`.
struct Way {
    name: String,
    argv: Vec<OsString>,
    /// Nothing of the wrap's environment.
    is_clean: bool,
}

/// The ways that would not reach the gate.
pub(crate) fn gaps(context: &Context) -> Vec<String> {
    let mut trials: Vec<(String, Trial)> = ways(context)
        .into_iter()
        .map(|way| (way.name.clone(), Trial::start(&way, context)))
        .collect();
    trials.retain_mut(|(_, trial)| !trial.is_held());
    trials.into_iter().map(|(name, _)| name).collect()
}

fn ways(context: &Context) -> Vec<Way> {
    let asked = format!("ssh -G {HOST}");
    let way = |name: String, argv: &[&str], is_clean| Way {
        name,
        argv: argv.iter().map(OsString::from).collect(),
        is_clean,
    };
    let mut ways = vec![way("ssh on PATH".to_owned(), &["/bin/sh", "-c", &asked], false)];
    let mut shells: Vec<String> = vec!["/bin/sh".to_owned(), "/bin/bash".to_owned()];
    shells.extend(std::env::var("SHELL").ok());
    // Programs ask the user database for it, too, and so does every login.
    shells.extend(account_shell());
    shells.sort();
    shells.dedup();
    for shell in shells.iter().filter(|shell| std::path::Path::new(shell).exists()) {
        let name = format!("a login shell ({shell} -lc)");
        ways.push(way(name, &[shell, "-lc", &asked], false));
    }
    let name = "a clean environment (env -i)".to_owned();
    ways.push(way(name, &["/bin/sh", "-c", &asked], true));
    if let Some(ssh) = context.ssh.as_ref().and_then(|ssh| ssh.to_str()) {
        ways.push(way(format!("{ssh} by its path"), &[ssh, "-G", HOST], false));
    }
    ways
}

/// The login shell of this user's account.
fn account_shell() -> Option<String> {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten()?;
    let runs_nothing = ["nologin", "false"].iter().any(|name| user.shell.ends_with(name));
    user.shell.into_os_string().into_string().ok().filter(|_| !runs_nothing)
}

struct Trial(Option<std::process::Child>);

impl Trial {
    fn start(way: &Way, context: &Context) -> Self {
        let Some((program, args)) = way.argv.split_first() else { return Self(None) };
        let mut command = Command::new(program);
        command.args(args);
        if way.is_clean {
            command.env_clear();
            command.envs(std::env::var_os("HOME").map(|home| ("HOME", home)));
        } else {
            for change in environment(context, &|name| std::env::var_os(name)) {
                match change {
                    EnvChange::Remove(name) => command.env_remove(name),
                    EnvChange::Set(name, value) => command.env(name, value),
                };
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        Self(command.spawn().ok())
    }

    /// Whether the gate would have been reached. What cannot be told would not.
    fn is_held(&mut self) -> bool {
        let Some(mut child) = self.0.take() else { return false };
        let deadline = Instant::now() + PATIENCE;
        let reader = child.stdout.take().map(|mut out| {
            std::thread::spawn(move || {
                let mut text = Vec::new();
                let _ = std::io::Read::by_ref(&mut out).take(1 << 20).read_to_end(&mut text);
                String::from_utf8_lossy(&text).contains(MARK)
            })
        });
        let ended = loop {
            match child.try_wait() {
                Ok(Some(_)) => break true,
                Ok(None) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                _ => break false,
            }
        };
        if !ended {
            let _ = child.kill();
            let _ = child.wait();
            return false;
        }
        reader.is_some_and(|reader| reader.join().unwrap_or(false))
    }
}
