//! The stock `ssh` client for one command line: how its arguments are read, and where it leads.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use crate::args::{self, Invocation, Origin, Request};
use crate::context::Context;
use crate::error::WrapError;
use crate::options;
use crate::ssh_config::ResolveEnv;

/// Reads the arguments of `ssh` with the letters that this client knows.
pub(crate) fn read(ssh: &Path, args: &[OsString], from: Origin) -> Result<Invocation, WrapError> {
    args::read(letters(ssh, args), args, from)
}

/// The option letters for these arguments.
pub(crate) fn letters(ssh: &Path, args: &[OsString]) -> &'static str {
    // `-P` takes a value only since OpenSSH 9.4; only then does the version matter.
    let holds_p =
        args.iter().any(|a| a.to_str().is_some_and(|a| a.starts_with('-') && a.contains('P')));
    if holds_p && !tag_is_known(ssh) { options::LETTERS_BEFORE_9_4 } else { options::LETTERS }
}

/// Whether `-P TAG` is known: only then does the client print a tag that was set.
pub(crate) fn tag_is_known(ssh: &Path) -> bool {
    let mut probe = Command::new(ssh);
    probe.args(["-TG", "-Fnone", "-oTag=x", "expacti"]).stdin(std::process::Stdio::null());
    probe.output().is_ok_and(|out| out.status.success())
}

/// The configuration of `wrap --ssh-config`, unless the command line names another.
pub(crate) fn use_config(request: &mut Request, file: Option<&Path>) {
    if let (None, Some(file)) = (&request.config, file) {
        request.config = Some(file.into());
        request.config_is_users = true;
    }
}

/// What the user's own command line is resolved in.
pub(crate) fn environment<'a>(
    context: &'a Context,
    cwd: &'a Path,
) -> Result<ResolveEnv<'a>, WrapError> {
    let (ssh, dir, wrap_pid) = (context.ssh()?, &context.dir, context.wrap_pid);
    Ok(ResolveEnv { ssh, dir, wrap_pid, var: &variable, cwd, fixed: None })
}

/// A variable of this process's environment.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(OsStr::new(name)).ok()
}
