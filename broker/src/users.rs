//! The users of this machine.

/// The name of the person the broker runs as.
pub(crate) fn owner_name() -> String {
    user_name(rustix::process::geteuid().as_raw())
}

/// The name of a user.
pub(crate) fn user_name(uid: u32) -> String {
    match nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        _ => format!("uid{uid}"),
    }
}
