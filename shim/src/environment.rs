//! The environment of a wrapped program: the shims come first, and no known variable leads round them.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use expacti_protocol::uplink::WRAP_ENV;

use crate::context::{Context, shell_word};

/// A change of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EnvChange {
    Remove(&'static str),
    Set(&'static str, OsString),
}

/// The client runs its `ProxyCommand` with `$SHELL -c`, which may be slow, or no shell at all
/// (nologin).
pub(crate) fn posix_shell() -> EnvChange {
    EnvChange::Set("SHELL", "/bin/sh".into())
}

/// The changes of the environment for the wrapped program. `var` reads the present one.
pub(crate) fn environment(
    context: &Context,
    var: &dyn Fn(&str) -> Option<OsString>,
) -> Vec<EnvChange> {
    let ssh = context.ssh_shim();
    let mut path = OsString::from(&context.dir);
    if let Some(before) = var("PATH").filter(|p| !p.is_empty()) {
        path.push(":");
        path.push(before);
    }
    let mut changes = vec![
        EnvChange::Set(WRAP_ENV, context.wrap_pid.to_string().into()),
        EnvChange::Set("PATH", path),
        // An agent must not have a reviewer's token.
        EnvChange::Remove("EXPACTI_TOKEN"),
        EnvChange::Set("AUTOSSH_PATH", ssh.clone().into()),
        EnvChange::Set("ANSIBLE_SSH_EXECUTABLE", ssh.clone().into()),
        EnvChange::Set("ANSIBLE_SCP_EXECUTABLE", context.dir.join("scp").into()),
        EnvChange::Set("ANSIBLE_SFTP_EXECUTABLE", context.dir.join("sftp").into()),
    ];
    // These hold a command line, which stays as it is unless it names ssh by a full path: that would
    // go round the gate.
    for name in ["GIT_SSH_COMMAND", "RSYNC_RSH"] {
        let command = var(name).and_then(|command| with_shim(&command, &ssh));
        changes.extend(command.map(|command| EnvChange::Set(name, command)));
    }
    if var("RSYNC_RSH").is_none() {
        changes.push(EnvChange::Set("RSYNC_RSH", ssh.clone().into()));
    }
    let names_ssh = |value: OsString| Path::new(&value).file_name() == Some("ssh".as_ref());
    if var("GIT_SSH").is_none_or(names_ssh) {
        changes.push(EnvChange::Set("GIT_SSH", ssh.into()));
    }
    changes
}

/// A command line with the shim in the place of a full path to `ssh`; `None` when it has none.
fn with_shim(command: &OsStr, shim: &Path) -> Option<OsString> {
    let text = command.to_str()?;
    let first = text.split_whitespace().next()?;
    let names_ssh = first.contains('/') && Path::new(first).file_name() == Some("ssh".as_ref());
    let rest = names_ssh.then(|| text.trim_start().strip_prefix(first)).flatten()?;
    Some(format!("{}{rest}", shell_word(shim).ok()?).into())
}
