#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

/// Writes the checksum that a header ought to have.
fn sum(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header[..BLOCK].iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn padded(mut data: Vec<u8>) -> Vec<u8> {
    data.resize(data.len().div_ceil(BLOCK) * BLOCK, 0);
    data
}

/// An entry, whose header can be changed before its checksum is made.
fn entry_with(name: &str, kind: u8, data: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut header = vec![0; BLOCK];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", data.len()).as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    change(&mut header);
    sum(&mut header);
    header.extend(padded(data.to_vec()));
    header
}

fn entry(name: &str, kind: u8, data: &[u8]) -> Vec<u8> {
    entry_with(name, kind, data, |_| {})
}

fn link(name: &str, kind: u8, to: &str) -> Vec<u8> {
    entry_with(name, kind, b"", |header| header[157..157 + to.len()].copy_from_slice(to.as_bytes()))
}

fn pax(kind: u8, records: &[(&str, &str)]) -> Vec<u8> {
    let mut data = String::new();
    for (key, value) in records {
        let rest = format!(" {key}={value}\n");
        let length = (1..).find(|n: &usize| n.to_string().len() + rest.len() == *n).unwrap();
        data += &format!("{length}{rest}");
    }
    entry("pax", kind, data.as_bytes())
}

fn end() -> Vec<u8> {
    vec![0; 2 * BLOCK]
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// The names that GNU tar would unpack, as it tells of them; empty where there is none.
fn of_tar(bytes: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut names = BTreeSet::new();
    let packed = bytes.starts_with(b"\x1f\x8b");
    for more in [None, Some("-i")] {
        let child = Command::new("tar")
            .args(["-t", "-f", "-", "--quoting-style=escape"])
            .args(packed.then_some("-z"))
            .args(more)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.unwrap();
        let mut input = child.stdin.take().unwrap();
        let all = bytes.to_vec();
        let feed = std::thread::spawn(move || {
            let _ = input.write_all(&all);
        });
        let out = child.wait_with_output().unwrap();
        feed.join().unwrap();
        names.extend(out.stdout.split(|b| *b == b'\n').filter(|n| !n.is_empty()).map(unescaped));
    }
    names
}

fn unescaped(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(byte) = line.get(at) {
        at += 1;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let escape = line[at];
        at += 1;
        out.push(match escape {
            b'a' => 7,
            b'b' => 8,
            b't' => 9,
            b'n' => 10,
            b'v' => 11,
            b'f' => 12,
            b'r' => 13,
            b'0'..=b'7' => {
                let digits = std::str::from_utf8(&line[at - 1..at + 2]).unwrap();
                at += 2;
                u8::from_str_radix(digits, 8).unwrap()
            }
            other => other,
        });
    }
    out
}

/// What tar unpacks is listed, or a warning comes before everything else.
fn missing(bytes: &[u8]) -> Option<Vec<u8>> {
    let listed = listing(bytes, true, true)?;
    if listed[0].starts_with("WARNING") {
        return None;
    }
    let listed = listed.join("\n") + "\n";
    of_tar(bytes).into_iter().find(|name| {
        let name = shown(name.strip_suffix(b"/").unwrap_or(name));
        !["\n", "/\n", "  [", "/  [", " -> ", "/ -> "]
            .iter()
            .any(|end| listed.contains(&format!(" {name}{end}")))
    })
}

fn is_gnu() -> bool {
    let version = Command::new("tar").arg("--version").output().unwrap();
    String::from_utf8_lossy(&version.stdout).contains("GNU")
}

fn long(name: &str) -> Vec<u8> {
    entry("././@LongLink", b'L', format!("{name}\0").as_bytes())
}

/// Archives that hide something, and what of it must be seen, in a warning or in a row.
fn hostile() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let (a, evil) = (entry("a", b'0', b"abc"), entry("../evil", b'0', b"abc"));
    let deep = "d/".repeat(60) + "evil";
    let with_size = |header: &mut [u8]| header[124..136].copy_from_slice(b"00000001000\0");
    vec![
        ("two members", [packed(&a), packed(&[evil.clone(), end()].concat())].concat(), "../evil"),
        ("two archives", [a.clone(), end(), evil.clone(), end()].concat(), "../evil"),
        (
            "one block of zeros",
            [a.clone(), vec![0; BLOCK], evil.clone(), end()].concat(),
            "../evil",
        ),
        ("zeros first", [vec![0; BLOCK], evil.clone(), end()].concat(), "../evil"),
        ("garbage first", [vec![b'#'; BLOCK], evil.clone(), end()].concat(), "../evil"),
        (
            "garbage between",
            [a.clone(), vec![b'#'; BLOCK], evil.clone(), end()].concat(),
            "../evil",
        ),
        (
            "a global path",
            [pax(b'g', &[("path", "../evil")]), a.clone(), end()].concat(),
            "WARNING: a global header may rename what follows (path)",
        ),
        (
            "a global size",
            [pax(b'g', &[("size", "0")]), entry("a", b'0', &evil), end()].concat(),
            "WARNING: a global header may rename what follows (size)",
        ),
        ("a path", [pax(b'x', &[("path", "../evil")]), a.clone(), end()].concat(), "../evil"),
        (
            "a size",
            [pax(b'x', &[("size", "0")]), entry("a", b'0', &evil), end()].concat(),
            "WARNING: an entry has two sizes",
        ),
        (
            "a sparse name",
            [
                pax(
                    b'x',
                    &[
                        ("GNU.sparse.major", "1"),
                        ("GNU.sparse.minor", "0"),
                        ("GNU.sparse.name", "../evil"),
                        ("GNU.sparse.realsize", "1"),
                    ],
                ),
                entry("a", b'0', &padded(b"0\n".to_vec())),
                end(),
            ]
            .concat(),
            "../evil",
        ),
        ("a long name", [long(&deep), a.clone(), end()].concat(), "d/d/d/evil"),
        (
            "a hard link with a size",
            [entry_with("l", b'1', &evil, with_size), end()].concat(),
            "WARNING: an entry that is no file has a size",
        ),
        ("a link", [link("l", b'2', "../../etc"), end()].concat(), "-> ../../etc  [leads out]"),
        (
            "through a link",
            [link("l", b'2', "/etc"), entry("l/passwd", b'0', b"x"), end()].concat(),
            "l/passwd  [through a link of the archive]",
        ),
        ("a hard link", [link("l", b'1', "/etc/shadow"), end()].concat(), "[leads out]"),
        ("twice", [a.clone(), entry("./a", b'0', b"other"), end()].concat(), "again"),
        ("lines", [entry("a\n-0644 3 b", b'0', b"x"), end()].concat(), "a⟨U+000A⟩-0644 3 b"),
        (
            "without the magic",
            {
                let old = entry_with("../evil", b'0', b"abc", |header| header[257..265].fill(0));
                [old, end()].concat()
            },
            "[leaves the directory]",
        ),
        ("no end", [a.clone(), evil[..BLOCK].to_vec()].concat(), "WARNING: it ends in the middle"),
        (
            "garbage behind",
            [packed(&[a.clone(), end()].concat()), b"more".to_vec()].concat(),
            "WARNING: only the beginning",
        ),
    ]
}

#[test]
fn nothing_that_tar_unpacks_is_hidden() {
    for (what, bytes, expected) in hostile() {
        let listed = listing(&bytes, true, true).unwrap();
        assert!(listed.iter().any(|row| row.contains(expected)), "{what}: {listed:#?}");
        if is_gnu() {
            assert_eq!(missing(&bytes), None, "{what}: {listed:#?}");
        }
    }
    // They do hide something, or this would show nothing.
    if is_gnu() {
        let found = hostile().iter().filter(|(_, bytes, _)| of_tar(bytes).len() > 1).count();
        assert!(found >= 6, "{found}");
    }
}

fn ordinary() -> Vec<u8> {
    [
        pax(b'g', &[("comment", "a commit")]),
        entry("./", b'5', b""),
        entry("./", b'5', b""),
        pax(b'x', &[("path", "ä"), ("mtime", "1.5")]),
        entry("x", b'0', b"abc"),
        long(&"n".repeat(150)),
        entry("x", b'0', &[7; 600]),
        link("bin", b'2', "usr/bin"),
        link("lib/x.so", b'2', "../usr/lib/x.so"),
        end(),
        vec![0; 3 * BLOCK],
    ]
    .concat()
}

#[test]
fn an_ordinary_archive_has_no_warning() {
    let all = ordinary();
    for bytes in [all.clone(), packed(&all)] {
        let listed = listing(&bytes, true, true).unwrap();
        assert_eq!(listed[0], "6 entries, 603 bytes unpacked:", "{listed:#?}");
        assert!(!listed.iter().any(|row| row.contains('[')), "{listed:#?}");
        assert_eq!(missing(&bytes), None);
    }
    // What is still to come is no fault, but said.
    let half = listing(&all[..all.len() - 9 * BLOCK], false, true).unwrap();
    assert!(half[0].contains(" so far"), "{half:#?}");
}

#[test]
fn only_what_is_unpacked_may_begin_with_something_else() {
    let script = b"* * * * * root id\n".repeat(30);
    let bytes = [&script[..BLOCK], &entry("a", b'0', b"abc"), &end()].concat();
    assert_eq!(listing(&bytes, true, false), None);
    assert!(listing(&bytes, true, true).unwrap()[0].starts_with("WARNING: it begins with"));
}

#[test]
fn a_limit_is_told_above_and_below() {
    let zeros = entry("big", b'0', &vec![0; UNPACKED]);
    let bytes = packed(&[zeros, entry("../evil", b'0', b"abc"), end()].concat());
    let listed = listing(&bytes, true, true).unwrap();
    for row in [&listed[0], listed.last().unwrap()] {
        assert!(row.contains("only the first 2097152 bytes of it were looked at"), "{listed:#?}");
    }
    let mut many: Vec<u8> =
        (0..300).flat_map(|number| entry(&format!("file{number}"), b'0', b"")).collect();
    many.extend([entry("/etc/cron.d/x", b'0', b""), end()].concat());
    let listed = listing(&many, true, true).unwrap();
    assert_eq!(listed[0], "WARNING: only 201 of 301 entries are listed");
    assert!(listed.last().unwrap().contains("/etc/cron.d/x  [absolute]"), "{listed:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Broken at random, with checksums that are right again.
    #[test]
    fn nothing_is_hidden_in_what_is_broken(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(
            (
                any::<prop::sample::Index>(),
                prop_oneof![
                    0_usize..12,
                    100_usize..108,
                    124_usize..136,
                    156_usize..158,
                    257_usize..265,
                    345_usize..350,
                    482_usize..500,
                    0_usize..512,
                ],
                prop_oneof![
                    any::<u8>(),
                    b'0'..=b'9',
                    Just(0),
                    Just(b' '),
                    Just(b'/'),
                    Just(b'x'),
                    Just(b'g'),
                    Just(b'L'),
                    Just(b'S'),
                ],
                prop::bool::weighted(0.9),
            ),
            0..4,
        ),
    ) {
        let mut all: Vec<Vec<u8>> = hostile().into_iter().map(|(_, bytes, _)| bytes).collect();
        all.extend(std::iter::repeat_n(ordinary(), 20));
        let mut bytes = which.get(&all).clone();
        if !bytes.starts_with(b"\x1f\x8b") {
            for (block, at, byte, right) in changes {
                let start = block.index(bytes.len() / BLOCK) * BLOCK;
                bytes[start + at] = byte;
                if right {
                    sum(&mut bytes[start..start + BLOCK]);
                }
            }
        }
        if is_gnu() {
            prop_assert_eq!(missing(&bytes), None, "{:#?}", listing(&bytes, true, true));
        }
    }
}
