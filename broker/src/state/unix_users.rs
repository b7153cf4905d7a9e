//! People whom the broker of a whole machine knows by their user there.

use expacti_protocol::http::{NewPrincipal, UnixUser};
use expacti_protocol::principal::Role;

use super::model::State;
use super::ports::Refusal;

impl State {
    /// The person who is that user of the machine: name and number must both be those that were registered.
    pub(crate) fn person_of_unix_user(&self, uid: u32, name: &str) -> Option<(String, Role)> {
        let is = |user: &UnixUser| user.uid == uid && user.name == name;
        self.principals
            .values()
            .find(|p| p.role.may_view() && p.unix_user.as_ref().is_some_and(is))
            .map(|p| (p.name.clone(), p.role))
    }

    /// What is wrong with the user that a new principal is said to be.
    pub(super) fn check_unix_user(&self, new: &NewPrincipal) -> Result<(), Refusal> {
        let Some(user) = &new.unix_user else { return Ok(()) };
        if !new.role.may_view() || new.role == Role::Owner {
            return Err(Refusal::invalid(format!(
                "{} ({}) cannot be a user of the machine: only a person can",
                new.name, new.role
            )));
        }
        if user.uid == 0 || user.name.is_empty() {
            return Err(Refusal::invalid("root is the owner here, and needs no other name"));
        }
        let same = |other: &UnixUser| other.uid == user.uid || other.name == user.name;
        match self.principals.values().find(|p| p.unix_user.as_ref().is_some_and(same)) {
            Some(other) => Err(Refusal::invalid(format!(
                "user {} of the machine is {} already: one user is one person",
                user.name, other.name
            ))),
            None => Ok(()),
        }
    }
}
