//! The broker of a whole machine, which runs as a user of its own: who connects to its Unix socket is known
//! by the user, and by nothing else. A token that is shown there is not looked at.

use std::io;

use axum::http::Method;
use expacti_protocol::principal::Role;
use expacti_protocol::uplink::WrapRegistration;

use crate::broker::Broker;
use crate::state::{Peer, Refusal};
use crate::users::{owner_name, user_name};

impl Broker {
    /// From now on it is the broker of the whole machine: every user may connect to its Unix socket.
    ///
    /// # Errors
    /// Where the system does not let it see in which user namespace the processes of others live.
    pub fn set_machine(&self) -> io::Result<()> {
        if !can_place_others() {
            return Err(io::Error::other(
                "the processes of other users cannot be told from wrapped programs here: the service must \
                 run in the first user namespace of the machine, with a /proc that shows all processes (no \
                 hidepid, no ProtectProc)",
            ));
        }
        self.shared.set_machine();
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn can_place_others() -> bool {
    expacti_kernel::can_place_hidden()
}

#[cfg(not(target_os = "linux"))]
fn can_place_others() -> bool {
    false
}

/// Who a user of the machine is: root and the service's own user are the owner, a user who is registered
/// is that person, and everybody else runs programs whose commands are held.
pub(super) async fn peer_of(
    broker: &Broker,
    uid: Option<u32>,
    inside_wrap: bool,
) -> Result<Peer, Refusal> {
    let uid = uid.ok_or_else(|| {
        Refusal::not_entitled("the system does not say which user connected, so nobody did")
    })?;
    if uid == 0 || uid == rustix::process::geteuid().as_raw() {
        return Ok(Peer { name: owner_name(), role: Role::Owner, inside_wrap });
    }
    let name = user_name(uid);
    let asked = name.clone();
    let known =
        broker.handle.run(move |state, _, _| Ok(state.person_of_unix_user(uid, &asked))).await?;
    Ok(match known {
        Some((name, role)) => Peer { name, role, inside_wrap },
        None => Peer { name, role: Role::Agent, inside_wrap },
    })
}

/// Why a user who is nobody here may not ask for that. What everybody may ask is not asked about.
pub(super) fn refusal(peer: &Peer, method: &Method, path: &str) -> Option<Refusal> {
    if peer.role != Role::Agent || (method == Method::POST && path == "/v1/wraps") {
        return None;
    }
    let name = &peer.name;
    Some(Refusal::not_entitled(format!(
        "user {name} is no reviewer of this machine, and may wrap programs and ask for the status only; an \
         administrator makes {name} one: sudo expacti reviewer add {name} --unix-user {name}"
    )))
}

/// What is registered for a wrap of that user's: nobody speaks for another user, and who runs agents does not
/// decide on them. A reviewer's own programs are an exception, as on a machine of one person.
pub(super) fn of_user(uid: u32, peer: &Peer, about: WrapRegistration) -> WrapRegistration {
    let user = user_name(uid);
    WrapRegistration {
        agent: format!("{user}/{}", about.agent),
        owner: (peer.role == Role::Agent).then(|| user.clone()),
        unix_user: Some(user),
        ..about
    }
}
