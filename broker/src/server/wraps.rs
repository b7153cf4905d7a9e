//! Wraps: announced by `expacti wrap`, looked up by the gate.

use axum::Json;
use axum::extract::State;
use expacti_protocol::principal::Role;
use expacti_protocol::uplink::{WrapCheck, WrapGrant, WrapNamespace, WrapRegistration};

use super::answer::Answer;
use super::machine;
use super::shared::Conn;
use crate::broker::Broker;
use crate::state::{Peer, Refusal};
use crate::wraps::PeerProcess;

/// The process that asks, and its user, if it is one of the broker's own user on this machine. With the
/// broker of a whole machine it may be anybody's.
fn own_process<'a>(broker: &Broker, conn: &'a Conn) -> Result<(&'a PeerProcess, u32), Refusal> {
    let own = rustix::process::geteuid().as_raw();
    match conn {
        Conn::Local { uid: Some(uid), process }
            if *uid == own || broker.shared.serves_machine() =>
        {
            Ok((process, *uid))
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
    let machine = broker.shared.serves_machine();
    if !(machine || peer.role == Role::Owner) || peer.inside_wrap {
        return Err(Refusal::not_entitled("only the owner of the local broker may wrap programs"));
    }
    let (process, uid) = own_process(&broker, &conn)?;
    let wraps = &broker.shared.wraps;
    if machine {
        return wraps.register_of(process, uid, machine::of_user(uid, &peer, about)).map(Json);
    }
    let about = WrapRegistration { owner: None, unix_user: None, ..about };
    wraps.register(process, about).map(Json)
}

/// A wrap has got its user namespace. Whoever asks is below the wrap (it is the wrap's helper), so its
/// place in the process tree says nothing; it lives in the broker's namespace and knows the token.
pub(super) async fn namespace(
    State(broker): State<Broker>,
    conn: Conn,
    Json(body): Json<WrapNamespace>,
) -> Answer<()> {
    let wraps = &broker.shared.wraps;
    let (process, uid) = own_process(&broker, &conn)?;
    let origin = wraps.origin(process, false);
    if let Some(why) = origin.refusal() {
        return Err(Refusal::not_entitled(why));
    }
    if broker.shared.serves_machine() {
        return wraps.see_namespace_of(&body.token, body.pid, uid).map(Json);
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
    broker.shared.wraps.check(&body.token, body.uid).map(Json)
}
