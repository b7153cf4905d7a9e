//! Every alteration of a log is found and named.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use expacti_audit::{Chain, Checkpoint, Entry, Fault, GENESIS, Summary, Tail, line_hash, verify};

/// A stand-in for a signature: it is good when it repeats the message's hash.
fn sign(message: &str) -> String {
    line_hash(format!("secret{message}").as_bytes())
}

fn check(c: &Checkpoint) -> Result<(), String> {
    if c.key == "key" && c.signature == sign(&c.message) {
        Ok(())
    } else {
        Err("altered: bad signature".into())
    }
}

fn log(n: usize) -> (Vec<String>, Chain) {
    let mut chain = Chain::default();
    let mut lines = Vec::new();
    for i in 0..n {
        let entry = Entry::new("decision", "2026-01-01T00:00:00Z")
            .with("command", format!("echo {i} \"ü\u{202e}\""))
            .with("risk_score", 12)
            .with("recording_offset", 1.5 * i as f64)
            .with_some("comment", None::<String>);
        lines.push(chain.append(&entry).unwrap().line);
    }
    let open = Entry::new("checkpoint", "2026-01-01T00:00:00Z").with("key", "key");
    let signature = sign(&chain.checkpoint_message(&open).unwrap());
    lines.push(chain.append(&open.with("signature", signature)).unwrap().line);
    (lines, chain)
}

fn judge(lines: &[impl AsRef<[u8]>]) -> Result<Summary, Fault> {
    verify(lines, Tail::Checkpoint, &check)
}

#[test]
fn a_good_log_verifies() {
    let (lines, chain) = log(5);
    assert!(lines[0].contains(GENESIS));
    let summary = judge(&lines).unwrap();
    assert_eq!((summary.entries, summary.checkpoints), (6, vec![6]));
    assert_eq!(summary.head, chain.head());
    verify(&lines, Tail::Head { seq: 6, hash: chain.head() }, &check).unwrap();
    let again = Chain::after(6, lines[5].as_bytes());
    assert_eq!(again, chain);
}

#[test]
fn every_flipped_bit_is_found_at_its_entry() {
    let (lines, _) = log(4);
    for at in 0..lines.len() {
        for byte in 0..lines[at].len() {
            for bit in 0..8 {
                let mut bytes: Vec<Vec<u8>> =
                    lines.iter().map(|l| l.clone().into_bytes()).collect();
                bytes[at][byte] ^= 1 << bit;
                if bytes[at][byte] == b'\n' {
                    continue; // a file would read as two lines; covered by the drop test
                }
                let fault = judge(&bytes).unwrap_err();
                assert_eq!(fault.seq, at as u64 + 1, "byte {byte} bit {bit}: {fault}");
            }
        }
    }
}

#[test]
fn every_dropped_swapped_or_doubled_entry_is_found() {
    let (lines, _) = log(4);
    for at in 0..lines.len() {
        let mut dropped = lines.clone();
        dropped.remove(at);
        assert_eq!(judge(&dropped).unwrap_err().seq, at as u64 + 1, "drop {at}");
        let mut doubled = lines.clone();
        doubled.insert(at, lines[at].clone());
        assert_eq!(judge(&doubled).unwrap_err().seq, at as u64 + 2, "double {at}");
        for other in at + 1..lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(at, other);
            assert_eq!(judge(&swapped).unwrap_err().seq, at as u64 + 1, "swap {at} {other}");
        }
    }
    for keep in 0..lines.len() {
        assert!(judge(&lines[..keep]).is_err(), "cut after {keep}");
    }
}

#[test]
fn a_rebuilt_chain_needs_the_key() {
    let (_, chain) = log(4);
    let mut forged = Chain::default();
    let mut lines = Vec::new();
    for _ in 0..4 {
        lines.push(forged.append(&Entry::new("decision", "t").with("allow", true)).unwrap().line);
    }
    let open = Entry::new("checkpoint", "t").with("key", "key").with("signature", "guess");
    lines.push(forged.append(&open).unwrap().line);
    assert_eq!(judge(&lines).unwrap_err().seq, 5);
    assert_eq!(
        verify(&lines[..4], Tail::Head { seq: 5, hash: chain.head() }, &check).unwrap_err().seq,
        5
    );
}

#[test]
fn fixed_fields_cannot_be_overwritten() {
    let mut chain = Chain::default();
    let entry = Entry::new("decision", "t").with("seq", 99).with("prev", "x").with("kind", "y");
    let line = chain.append(&entry).unwrap().line;
    assert_eq!(line, format!(r#"{{"kind":"decision","prev":"{GENESIS}","seq":1,"time":"t"}}"#));
}

#[test]
fn numbers_without_a_canonical_form_are_refused_or_null() {
    let mut chain = Chain::default();
    let before = chain.clone();
    let entry = Entry::new("finished", "t").with("recording_offset", f64::NAN);
    match chain.append(&entry) {
        Ok(link) => assert!(link.line.contains("\"recording_offset\":null")),
        Err(_) => assert_eq!(chain, before),
    }
}
