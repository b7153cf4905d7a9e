//! What agents read of files is in the log.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use expacti_protocol::digest::Digest;
use expacti_protocol::ids::SessionId;
use expacti_protocol::reads::{FileRead, MoreRead};

use super::world::*;
use crate::state::{GateId, Write};

fn read(path: &str) -> FileRead {
    FileRead {
        path: path.to_owned(),
        size: Some(5),
        bytes: 5,
        sha256: Digest::of(b"hello"),
        scattered: false,
        command_id: None,
    }
}

fn log(w: &World, kind: &str) -> Vec<String> {
    let wanted = format!(r#""kind":"{kind}""#);
    let lines = w.disk.iter().filter_map(|write| match write {
        Write::Audit { line, .. } if line.contains(&wanted) => Some(line.clone()),
        _ => None,
    });
    lines.collect()
}

fn tell(w: &mut World, gate: GateId, id: &SessionId, files: &[FileRead]) -> bool {
    w.run(|state, now| state.files_read(gate, id, files, None, now)).is_ok()
}

#[test]
fn every_file_has_an_entry() {
    let mut w = World::new();
    let session = w.session();
    assert!(tell(&mut w, GATE, &session, &[read("/srv/a"), read("\"/srv/b c\"")]));
    let entries = log(&w, "file_read");
    assert_eq!(entries.len(), 2);
    for (entry, path) in entries.iter().zip([r#""/srv/a""#, r#""\"/srv/b c\"""#]) {
        assert!(entry.contains(&format!(r#""path":{path}"#)), "{entry}");
        assert!(entry.contains(&Digest::of(b"hello").to_string()), "{entry}");
        assert!(entry.contains(session.as_str()) && entry.contains(r#""agent":"#), "{entry}");
    }
    let more = MoreRead { files: 7, bytes: 70, sha256: Digest::of(b"list") };
    w.run(|state, now| state.files_read(GATE, &session, &[], Some(&more), now)).unwrap();
    let entries = log(&w, "files_read");
    assert!(entries[0].contains(r#""files":7"#), "{entries:?}");
    assert!(entries[0].contains(&format!(r#""list_sha256":"{}""#, Digest::of(b"list"))));
}

#[test]
fn a_gate_tells_of_its_own_sessions_only_and_of_ended_ones_too() {
    let mut w = World::new();
    let session = w.session();
    assert!(!tell(&mut w, GateId(2), &session, &[read("/srv/a")]));
    assert!(!tell(&mut w, GATE, &session, &vec![read("/srv/a"); 65]));
    assert!(log(&w, "file_read").is_empty());
    w.run(|s, now| s.close_session(GATE, &session, now)).unwrap();
    assert!(tell(&mut w, GATE, &session, &[read("/srv/a")]));
    let entries = log(&w, "file_read");
    assert!(entries[0].contains(r#""late":true"#), "{entries:?}");
}
