//! How many connections each user of the machine has: one user's are never all that there may be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// See the module.
pub(super) struct Users {
    each: usize,
    connected: Mutex<HashMap<u32, usize>>,
}

/// A connection of a user; dropping it ends it.
pub(super) struct Place {
    users: Arc<Users>,
    uid: u32,
}

impl Users {
    /// Allows `each` user that many at the same time.
    pub(super) fn new(each: usize) -> Arc<Self> {
        Arc::new(Self { each, connected: Mutex::default() })
    }

    /// A place for a connection of that user; `None` when there are too many already.
    pub(super) fn enter(self: &Arc<Self>, uid: u32) -> Option<Place> {
        let mut connected = self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        let here = connected.entry(uid).or_default();
        if *here >= self.each {
            return None;
        }
        *here += 1;
        Some(Place { users: Arc::clone(self), uid })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connected = self.users.connected.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(here) = connected.get_mut(&self.uid) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                connected.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_user_never_takes_anothers_place() {
        let users = Users::new(2);
        let first = users.enter(1).unwrap();
        let _second = users.enter(1).unwrap();
        assert!(users.enter(1).is_none());
        let other = users.enter(2).unwrap();
        drop(first);
        let _third = users.enter(1).unwrap();
        drop(other);
        assert_eq!(users.connected.lock().unwrap().len(), 1);
    }
}
