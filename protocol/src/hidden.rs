//! Keeps other programs of the same user from reading this process's memory or attaching to it: its
//! tokens, and what it is about to decide.
//!
//! The kernel then refuses also a harmless look at the process, such as the broker's on its user
//! namespace. In the first one of the system the broker knows another way; elsewhere [`Seen`] is for that.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// How hidden this process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hidden {
    /// As any other program.
    No,
    /// But while it asks the broker of this machine.
    UnlessAsking,
    /// Always.
    Always,
}

struct State {
    hidden: Hidden,
    asking: usize,
}

static STATE: Mutex<State> = Mutex::new(State { hidden: Hidden::No, asking: 0 });

/// From now on nobody but root may look at this process. Where the broker of this machine could then not
/// tell in which user namespace it lives (in a container of an ordinary user; where `/proc` hides
/// processes), it is seen in the moments in which it asks.
pub fn hide() {
    hide_as(if can_place_hidden() { Hidden::Always } else { Hidden::UnlessAsking });
}

#[cfg(target_os = "linux")]
fn can_place_hidden() -> bool {
    expacti_kernel::can_place_hidden()
}

#[cfg(not(target_os = "linux"))]
fn can_place_hidden() -> bool {
    true
}

/// From now on nobody but root may look at this process.
pub fn hide_for_good() {
    hide_as(Hidden::Always);
}

fn hide_as(hidden: Hidden) {
    let mut state = lock();
    state.hidden = state.hidden.max(hidden);
    apply(&state);
}

fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// While one of these lives, the broker of this machine can see in which user namespace this process
/// lives, unless it is hidden for good.
#[derive(Debug)]
pub struct Seen(());

impl Seen {
    /// From now on, until it is dropped.
    pub fn now() -> Self {
        let mut state = lock();
        state.asking += 1;
        if state.asking == 1 {
            apply(&state);
        }
        Self(())
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        let mut state = lock();
        state.asking = state.asking.saturating_sub(1);
        if state.asking == 0 {
            apply(&state);
        }
    }
}

#[cfg(target_os = "linux")]
fn apply(state: &State) {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    let behavior = match (state.hidden, state.asking) {
        (Hidden::No, _) => return,
        (Hidden::UnlessAsking, 1..) => DumpableBehavior::Dumpable,
        (Hidden::UnlessAsking, 0) | (Hidden::Always, _) => DumpableBehavior::NotDumpable,
    };
    // The kernel knows both values and refuses neither.
    let _ = set_dumpable_behavior(behavior);
}

/// Other systems have no such switch.
#[cfg(not(target_os = "linux"))]
fn apply(_: &State) {}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use rustix::process::{DumpableBehavior, dumpable_behavior};

    use super::*;

    // One test, as this is a state of the whole process.
    #[test]
    fn hidden_but_while_the_broker_is_asked() {
        let is = || dumpable_behavior().unwrap() == DumpableBehavior::NotDumpable;
        assert!(!is());
        drop(Seen::now());
        assert!(!is(), "hidden without having been asked to");
        hide_as(Hidden::UnlessAsking);
        assert!(is());
        let one = Seen::now();
        let two = Seen::now();
        assert!(!is());
        drop(one);
        assert!(!is());
        drop(two);
        assert!(is());
        hide_for_good();
        let _seen = Seen::now();
        hide();
        assert!(is(), "seen though hidden for good");
    }
}
