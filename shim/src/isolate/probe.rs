//! `expacti __probe`: whether this user may make the namespaces of a wrap, found out by making them.

use std::path::Path;
use std::process::{Command, Stdio};

use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};

use crate::error::WrapError;

/// Why namespaces cannot be had here; `None` when they can.
pub(crate) fn obstacle(expacti: &Path) -> Result<Option<String>, WrapError> {
    let output = Command::new(expacti)
        .arg("__probe")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(WrapError::io("find out what this machine allows"))?;
    if output.status.success() {
        return Ok(None);
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let said = expacti_protocol::one_line(&said);
    let hint = hint();
    Ok(Some(match (said.is_empty(), hint) {
        (true, _) => "making namespaces ended without an answer".to_owned(),
        (false, Some(hint)) => format!("{said} ({hint})"),
        (false, None) => said,
    }))
}

/// `expacti __probe`: the exit status; the reason on standard output.
pub(crate) fn probe() -> u8 {
    match try_it() {
        Ok(()) => expacti_protocol::exit::OK,
        Err((what, error)) => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stdout(), "{what}: {error}");
            expacti_protocol::exit::FAILED
        }
    }
}

fn try_it() -> Result<(), (&'static str, std::io::Error)> {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    expacti_kernel::enter_new_namespaces().map_err(|e| ("namespaces cannot be made", e))?;
    let write = |path: &str, text: String| {
        std::fs::write(path, text).map_err(|e| ("the user cannot be mapped", e))
    };
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
    // AppArmor lets them be made on Ubuntu, and then refuses what they are for.
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .map_err(|e| ("mounts cannot be separated", e.into()))?;
    // A /proc with something mounted in it (a container's) cannot be mounted anew.
    let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    // One on a directory that is always empty hides nothing.
    let hides = |m: &super::watch::Mount| m.is_below("/proc") && !m.is_below("/proc/sys/fs");
    if super::watch::parse(&mounts).iter().any(hides) {
        let masked = std::io::Error::other("parts of it are masked, as in a container");
        return Err(("/proc cannot be mounted", masked));
    }
    mount("tmpfs", "/proc", "tmpfs", MountFlags::empty(), None)
        .map_err(|e| ("nothing can be mounted", e.into()))
}

/// What on this machine keeps users from making namespaces.
fn hint() -> Option<&'static str> {
    let is = |path: &str, value: &str| {
        std::fs::read_to_string(path).is_ok_and(|text| text.trim() == value)
    };
    if is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        return Some(
            "AppArmor allows them only to programs with a profile: deploy/apparmor/expacti is one, \
             docs/ISOLATION.md says how to install it",
        );
    }
    if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        return Some(
            "the administrator allows them with sysctl kernel.unprivileged_userns_clone=1",
        );
    }
    if is("/proc/sys/user/max_user_namespaces", "0") {
        return Some("the administrator allows them with sysctl user.max_user_namespaces=10000");
    }
    None
}
