//! The environment of a wrapped program: the shims come first, and nothing in it leads round them.

use std::ffi::OsString;
use std::path::Path;

use crate::context::{Context, shell_word};

/// The changes of the environment for the wrapped program: name and value, or `None` to remove.
pub(crate) fn environment(
    context: &Context,
    var: &dyn Fn(&str) -> Option<OsString>,
) -> Vec<(&'static str, Option<OsString>)> {
    let ssh = context.ssh_shim();
    let mut path = OsString::from(&context.dir);
    if let Some(before) = var("PATH").filter(|p| !p.is_empty()) {
        path.push(":");
        path.push(before);
    }
    let mut changes = vec![
        (expacti_protocol::uplink::WRAP_ENV, Some(context.wrap_pid.to_string().into())),
        ("PATH", Some(path)),
        // A reviewer's token is nothing for an agent.
        ("EXPACTI_TOKEN", None),
        ("AUTOSSH_PATH", Some(ssh.clone().into())),
        ("ANSIBLE_SSH_EXECUTABLE", Some(ssh.clone().into())),
        ("ANSIBLE_SCP_EXECUTABLE", Some(context.dir.join("scp").into())),
        ("ANSIBLE_SFTP_EXECUTABLE", Some(context.dir.join("sftp").into())),
    ];
    // These hold a command line; what is set stays, but for a full path to ssh, which would go round
    // the gate.
    let command = |name: &'static str| -> Option<OsString> {
        let text = var(name)?.into_string().ok()?;
        let first = text.split_whitespace().next()?;
        let names_ssh = first.contains('/') && Path::new(first).file_name() == Some("ssh".as_ref());
        let rest = names_ssh.then(|| text.trim_start().strip_prefix(first)).flatten()?;
        Some(format!("{}{rest}", shell_word(&ssh).ok()?).into())
    };
    for name in ["GIT_SSH_COMMAND", "RSYNC_RSH"] {
        changes.extend(command(name).map(|value| (name, Some(value))));
    }
    if var("RSYNC_RSH").is_none() {
        changes.push(("RSYNC_RSH", Some(ssh.clone().into())));
    }
    let names_ssh = |value: OsString| Path::new(&value).file_name() == Some("ssh".as_ref());
    if var("GIT_SSH").is_none_or(names_ssh) {
        changes.push(("GIT_SSH", Some(ssh.into())));
    }
    changes
}
