//! What one agent may keep waiting.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use expacti_protocol::digest::Digest;
use expacti_protocol::gate::GateEvent;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::input::InputRef;
use expacti_protocol::principal::Role;
use expacti_protocol::session::SessionInfo;

use super::world::*;
use crate::state::Refusal;
use crate::state::quota::{MAX_BYTES, MAX_WAITING};

fn session_of(w: &mut World, agent: &str) -> SessionId {
    let info = SessionInfo { agent: agent.to_owned(), ..SessionInfo::default() };
    w.run(|state, now| state.open_session(GATE, info, now)).unwrap()
}

fn try_submit(w: &mut World, session: &SessionId, command: &str) -> Result<CommandId, Refusal> {
    match w.run(|state, now| state.submit(GATE, 1, submission(session, command), now))? {
        GateEvent::Submitted { id, .. } => Ok(id),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_agent_with_many_sessions_uses_up_its_own_part_only() {
    let mut w = World::new();
    let sessions: Vec<_> = (0..8).map(|_| session_of(&mut w, "greedy")).collect();
    let mut ids = Vec::new();
    for n in 0..MAX_WAITING {
        ids.push(try_submit(&mut w, &sessions[n % sessions.len()], "id").unwrap());
    }
    let refused = try_submit(&mut w, &sessions[0], "id").unwrap_err();
    assert!(refused.message.contains("256 items of agent \"greedy\""), "{refused:?}");
    let fresh = session_of(&mut w, "greedy");
    assert!(try_submit(&mut w, &fresh, "id").is_err(), "a new session is the same agent's");
    let other = session_of(&mut w, "bot");
    try_submit(&mut w, &other, "id").unwrap();
    // What is decided makes room.
    w.decide(&peer("alice", Role::Reviewer), &ids[0], false).unwrap();
    try_submit(&mut w, &fresh, "id").unwrap();
    assert!(try_submit(&mut w, &fresh, "id").is_err());
}

#[test]
fn the_bytes_of_items_and_of_their_input_are_bounded_together() {
    let mut w = World::new();
    let mebibyte = 1024 * 1024;
    let command = format!("echo {}", "x".repeat(mebibyte - 5));
    let (a, b) = (session_of(&mut w, "greedy"), session_of(&mut w, "greedy"));
    let taking = try_submit(&mut w, &a, "python3").unwrap();
    for n in 0..MAX_BYTES / mebibyte - 1 {
        try_submit(&mut w, if n % 2 == 0 { &a } else { &b }, &command).unwrap();
    }
    let refused = try_submit(&mut w, &a, &command).unwrap_err();
    assert!(refused.message.contains("bytes already"), "{refused:?}");
    let mut join = |id: &CommandId, session: &SessionId, data: &[u8]| {
        let given = InputRef { bytes: data.len() as u64, sha256: Digest::of(data), ended: true };
        w.run(|state, now| state.join(GATE, id, session, (0, data), (given, None), now))
    };
    let refused = join(&taking, &a, &vec![b'x'; mebibyte]).unwrap_err();
    assert!(refused.message.contains("bytes already"), "{refused:?}");
    join(&taking, &a, b"print(1)\n").unwrap();
    let other = session_of(&mut w, "bot");
    try_submit(&mut w, &other, &command).unwrap();
}
