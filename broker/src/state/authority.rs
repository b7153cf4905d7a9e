//! Who may administer the broker. It must never let a program run by `expacti wrap`, or a principal
//! that was removed, do what a person may.

use expacti_protocol::principal::Role;

use super::model::State;
use super::ports::{Peer, Refusal};

pub(super) fn needs_admin(by: &Peer, what: &str) -> Result<(), Refusal> {
    if by.inside_wrap {
        return Err(Refusal::not_entitled(format!("a program run by expacti wrap may not {what}")));
    }
    if by.may_administer() {
        Ok(())
    } else {
        Err(Refusal::not_entitled(format!("{} ({}) may not {what}", by.name, by.role)))
    }
}

impl State {
    /// Refuses a peer whose principal was removed (or is another now) since it connected.
    pub(crate) fn still_known(&self, peer: &Peer) -> Result<(), Refusal> {
        let known = peer.role == Role::Owner
            || self.principals.get(&peer.name).is_some_and(|p| p.role == peer.role);
        if known {
            Ok(())
        } else {
            Err(Refusal::not_entitled(format!("{} ({}) was removed", peer.name, peer.role)))
        }
    }
}
