//! Who looks at the screen. It must never claim a role that the broker did not give.

use expacti_protocol::principal::Role;

/// The reviewer, as the broker knows them.
#[derive(Debug)]
pub(crate) struct Reviewer {
    /// Their name, clean.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// Changes of rules and policies that wait for them.
    pub changes: usize,
}

impl Reviewer {
    /// Somebody who has not been named yet, and may only look.
    pub(crate) fn unknown() -> Self {
        Self { name: String::new(), role: Role::Viewer, changes: 0 }
    }
}
