//! What a client may send, and what must be refused.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::path::RemotePath;

fn name(text: &str) -> RemotePath {
    RemotePath::new(text.as_bytes().to_vec()).unwrap()
}

/// All events of a stream that is fed in pieces of that length, and whether it was complete.
fn read(recursive: bool, stream: &[u8], piece: usize) -> Result<(Vec<Event>, bool), ScpError> {
    let mut parser = Parser::new(recursive);
    let mut found: Vec<Event> = Vec::new();
    for part in stream.chunks(piece.max(1)) {
        let mut input = Bytes::copy_from_slice(part);
        while let Some(got) = parser.next(&mut input)? {
            match (found.last_mut(), got) {
                (Some(Event::Content(all)), Event::Content(more)) => {
                    *all = [all.as_ref(), more.as_ref()].concat().into();
                }
                (_, got) => found.push(got),
            }
        }
        assert!(input.is_empty());
    }
    Ok((found, parser.is_complete()))
}

#[test]
fn a_tree() {
    let stream = b"T1700000000 0 1700000001 0\nD0755 0 app\nC0644 5 a b\nhello\0C0600 0 e\n\0E\n";
    let (found, complete) = read(true, stream, 3).unwrap();
    assert!(complete);
    assert_eq!(
        found,
        [
            Event::Record(Record::Times { modified: 1_700_000_000, accessed: 1_700_000_001 }),
            Event::Record(Record::Directory { mode: 0o755, name: name("app") }),
            Event::Record(Record::File { mode: 0o644, size: 5, name: name("a b") }),
            Event::Content(Bytes::from_static(b"hello")),
            Event::Done,
            Event::Record(Record::File { mode: 0o600, size: 0, name: name("e") }),
            Event::Done,
            Event::Record(Record::End),
        ]
    );
    let (found, complete) = read(false, b"\x01scp: x: No such file\nC0644 2 x\na", 1).unwrap();
    assert_eq!(found[0], Event::Complaint("scp: x: No such file".to_owned()));
    assert!(!complete, "a byte is missing");
}

#[test]
fn hostile_records_are_refused() {
    for (stream, error) in [
        (&b"C0644 1 ../x\n"[..], ScpError::Name),
        (b"C0644 1 ..\n", ScpError::Name),
        (b"C0644 1 .\n", ScpError::Name),
        (b"C0644 1 \n", ScpError::Name),
        (b"C0644 1 a/b\n", ScpError::Name),
        (b"C0644 1 a\0b\n", ScpError::Name),
        (b"C0644 1 a\rb\n", ScpError::Name),
        (b"D0755 0 /etc\n", ScpError::Name),
        (b"C0644 -1 x\n", ScpError::Malformed),
        (b"C0644 +1 x\n", ScpError::Malformed),
        (b"C0644 01 x\n", ScpError::Malformed),
        (b"C0644 99999999999999999999 x\n", ScpError::Malformed),
        (b"C644 1 x\n", ScpError::Malformed),
        (b"C00644 1 x\n", ScpError::Malformed),
        (b"C0648 1 x\n", ScpError::Malformed),
        (b"C+644 1 x\n", ScpError::Malformed),
        (b"C0644 1\n", ScpError::Malformed),
        (b"D0755 7 x\n", ScpError::Malformed),
        (b"T1 1 1 0\n", ScpError::Malformed),
        (b"T1 0 1\n", ScpError::Malformed),
        (b"T4294967296 0 1 0\n", ScpError::Malformed),
        (b"Ex\n", ScpError::Malformed),
        (b"E\n", ScpError::End),
        (b"T1 0 1 0\nT1 0 1 0\n", ScpError::Times),
        (b"D0755 0 x\nT1 0 1 0\nE\n", ScpError::Times),
        (b"C0644 1 x\nab", ScpError::Content),
        (b"C0644 1 x\na\x01scp: x: input/output error\n", ScpError::Content),
        (b"hello\n", ScpError::Unknown),
        (b"\0", ScpError::Unknown),
        (b"\n", ScpError::Unknown),
    ] {
        for piece in [1, 7, 1000] {
            let shown = String::from_utf8_lossy(stream);
            assert_eq!(read(true, stream, piece).unwrap_err(), error, "{shown:?}");
        }
    }
    assert_eq!(read(false, b"D0755 0 x\n", 9), Err(ScpError::Directory));
    assert_eq!(read(true, &b"D0755 0 x\n".repeat(65), 50), Err(ScpError::Deep));
    assert_eq!(read(true, &b"C0644 0 x\n\0".repeat(10_000), 50), Err(ScpError::Many));
    assert_eq!(read(true, &[b'C'; 10_000], 100), Err(ScpError::Long));
    let long = format!("C0644 1 {}\n", "x".repeat(256));
    assert_eq!(read(true, long.as_bytes(), 99), Err(ScpError::Name));
}

/// A record and, for a file, its content.
fn step() -> impl Strategy<Value = (Record, Vec<u8>)> {
    let mode = 0u32..0o10000;
    let names = "[a-zA-Z0-9 ._-]{1,12}".prop_filter("a name", |n| n != "." && n != "..");
    prop_oneof![
        (mode.clone(), names.clone(), proptest::collection::vec(any::<u8>(), 0..40)).prop_map(
            |(mode, n, content)| {
                (Record::File { mode, size: content.len() as u64, name: name(&n) }, content)
            }
        ),
        (mode, names).prop_map(|(mode, n)| (Record::Directory { mode, name: name(&n) }, vec![])),
        Just((Record::End, vec![])),
        (any::<u32>(), any::<u32>())
            .prop_map(|(modified, accessed)| (Record::Times { modified, accessed }, vec![])),
    ]
}

fn written(got: &[Event]) -> Vec<u8> {
    let mut out = Vec::new();
    for got in got {
        match got {
            Event::Record(record) => out.extend_from_slice(&record.encode()),
            Event::Content(content) => out.extend_from_slice(content),
            Event::Done => out.push(0),
            Event::Complaint(_) => panic!("nobody complained"),
        }
    }
    out
}

proptest! {
    /// What is accepted is written out again byte for byte, however it was split.
    #[test]
    fn what_is_read_is_what_is_written(
        steps in proptest::collection::vec(step(), 0..30), piece in 1usize..50,
    ) {
        let mut stream = Vec::new();
        for (record, content) in &steps {
            stream.extend_from_slice(&record.encode());
            if let Record::File { .. } = record {
                stream.extend_from_slice(content);
                stream.push(0);
            }
        }
        let whole = read(true, &stream, stream.len());
        let pieces = read(true, &stream, piece);
        prop_assert_eq!(&whole, &pieces);
        if let Ok((got, _)) = whole {
            prop_assert_eq!(written(&got), stream);
        }
    }

    /// Any bytes give an error, or exactly what came in; and no name leads out of its directory.
    #[test]
    fn any_bytes(
        stream in proptest::collection::vec(
            prop_oneof![
                Just(b'C'), Just(b'D'), Just(b'E'), Just(b'T'), Just(b'0'), Just(b'1'), Just(b' '),
                Just(b'\n'), Just(b'.'), Just(b'/'), Just(0), any::<u8>(),
            ],
            0..120,
        ),
        piece in 1usize..50,
    ) {
        let mut line = b"C0644 3 ".to_vec();
        line.extend_from_slice(&stream);
        for stream in [stream, line] {
            let found = read(true, &stream, piece);
            prop_assert_eq!(&found, &read(true, &stream, 1000));
            let Ok((got, _)) = found else { continue };
            for got in &got {
                if let Event::Record(Record::File { name, .. } | Record::Directory { name, .. }) = got {
                    prop_assert!(!name.as_bytes().contains(&b'/'));
                    prop_assert!(!matches!(name.as_bytes(), b"" | b"." | b".."));
                }
            }
            if !got.iter().any(|got| matches!(got, Event::Complaint(_))) {
                prop_assert!(stream.starts_with(&written(&got)));
            }
        }
    }
}
