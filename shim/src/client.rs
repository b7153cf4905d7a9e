//! The stock `ssh` client, ready to run for one command line: its arguments and the header of its
//! connection. It never runs with an argument that was not understood.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::args::{self, Invocation, Origin, Request};
use crate::client_args::client_args;
use crate::context::Context;
use crate::error::WrapError;
use crate::options;
use crate::resolve::resolve;
use crate::ssh_config::ResolveEnv;
use crate::uplink::UplinkHeader;

/// The client and its arguments for one command line of `ssh`.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The arguments, without the program.
    pub(crate) args: Vec<OsString>,
    /// The client goes to the background.
    pub(crate) background: bool,
}

/// Resolves the target of a connection and leaves its header for the uplink.
pub(crate) fn prepare(
    context: &Context,
    request: &Request,
    status_line: bool,
) -> Result<Prepared, WrapError> {
    let var = |name: &str| std::env::var(name).ok();
    let cwd = std::env::current_dir().map_err(WrapError::io("find the working directory"))?;
    let env = ResolveEnv { ssh: context.ssh()?, wrap_pid: context.wrap_pid, var: &var, cwd: &cwd };
    let resolved = resolve(request, &env)?;
    let mut uplink = context.uplink(status_line);
    uplink.route = resolved.route;
    let header = UplinkHeader { gate: context.gate.clone(), uplink }.store(&context.dir)?;
    let args =
        client_args(request, &resolved.settings, &context.expacti, &header, &context.known_hosts)?;
    Ok(Prepared { args, background: request.background })
}

/// Reads the arguments of `ssh` with the letters that this client knows.
pub(crate) fn read(ssh: &Path, args: &[OsString], from: Origin) -> Result<Invocation, WrapError> {
    let invocation = args::read(options::LETTERS, args, from);
    // `-P` takes a value only since OpenSSH 9.4; only then does the version matter.
    let holds_p =
        args.iter().any(|a| a.to_str().is_some_and(|a| a.starts_with('-') && a.contains('P')));
    if holds_p && !tag_is_known(ssh) {
        return args::read(options::LETTERS_BEFORE_9_4, args, from);
    }
    invocation
}

/// Whether `-P TAG` is known: only then does the client print a tag that was set.
pub(crate) fn tag_is_known(ssh: &Path) -> bool {
    let mut probe = Command::new(ssh);
    probe.args(["-TG", "-Fnone", "-oTag=x", "expacti"]).stdin(std::process::Stdio::null());
    probe.output().is_ok_and(|out| out.status.success())
}
