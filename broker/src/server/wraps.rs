//! Wraps: announced by `expacti wrap`, looked up by the gate.

use axum::Json;
use axum::extract::State;
use expacti_protocol::principal::Role;
use expacti_protocol::uplink::{WrapCheck, WrapGrant, WrapNamespace, WrapRegistration};

use super::answer::Answer;
use super::shared::Conn;
use crate::broker::Broker;
use crate::state::{Peer, Refusal};
use crate::wraps::PeerProcess;

/// The process that asks, if it is one of the broker's own user on this machine.
fn own_process(conn: &Conn) -> Result<&PeerProcess, Refusal> {
    match conn {
        Conn::Local { uid: Some(uid), process } if *uid == rustix::process::geteuid().as_raw() => {
            Ok(process)
        }
        _ => Err(Refusal::not_entitled(
            "wraps are registered on the socket of the local broker, by its own user",
        )),
    }
}

/// A wrap begins. The answer opens connections to the gate.
pub(super) async fn register(
    State(broker): State<Broker>,
    peer: Peer,
    conn: Conn,
    Json(about): Json<WrapRegistration>,
) -> Answer<WrapGrant> {
    if peer.role != Role::Owner || peer.inside_wrap {
        return Err(Refusal::not_entitled("only the owner of the local broker may wrap programs"));
    }
    broker.shared.wraps.register(own_process(&conn)?, about).map(Json)
}

/// A wrap has got its user namespace. Whoever asks is below the wrap (it is the wrap's helper), so its
/// place in the process tree says nothing; it lives in the broker's namespace and knows the token.
pub(super) async fn namespace(
    State(broker): State<Broker>,
    conn: Conn,
    Json(body): Json<WrapNamespace>,
) -> Answer<()> {
    let wraps = &broker.shared.wraps;
    let origin = wraps.origin(own_process(&conn)?, false);
    if let Some(why) = origin.refusal() {
        return Err(Refusal::not_entitled(why));
    }
    wraps.set_namespace(&body.token, body.pid).map(Json)
}

/// The gate asks whose token it was given.
pub(super) async fn check(
    State(broker): State<Broker>,
    peer: Peer,
    Json(body): Json<WrapCheck>,
) -> Answer<WrapRegistration> {
    if peer.role != Role::Gate {
        return Err(Refusal::not_entitled("only a gate asks whose token it was given"));
    }
    broker.shared.wraps.check(&body.token).map(Json)
}
