//! The list of signers and that of revoked keys: what they say, and what makes them unusable.

use expacti_signing::{AllowedSigners, Revoked, SignerFault, SignersFault};
use jiff::tz::TimeZone;

use crate::keygen::{Dir, NAMESPACE, now, person, signers, signers_without, verified};

const MESSAGE: &[u8] = b"{}";
const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
const B: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMfIKyyjmnr3RdJ8WjFgiTRbm8B8OIBQpV5WbHbPAlPS";

fn signed() -> (Dir, String) {
    let dir = Dir::new();
    dir.key("key", &["-t", "ed25519"]);
    let signature = dir.sign("key", NAMESPACE, MESSAGE);
    (dir, signature)
}

fn faults(list: &str) -> Vec<SignersFault> {
    AllowedSigners::parse(list).err().unwrap_or_default()
}

#[test]
fn lines_are_read_as_ssh_keygen_reads_them() {
    let (dir, signature) = signed();
    let key = dir.public("key");
    for list in [
        format!("# who may sign\n\n  \t\n alice {key}\n"),
        format!("alice\t{key}\r\n"),
        format!("alice,*@example.com {key}"),
        format!("\"alice,alice@example.com\" {key}"),
        format!("alice NameSpaces=\"file,expacti-*\" {key}"),
        format!("alice namespaces=\"*,!file\",valid-after=\"20200101\" {key}"),
        format!("alice valid-after=\"202001010000Z\",valid-before=\"20991231235959\"  {key}"),
        format!("bob {B}\nalice {key}\n"),
        // One person with the same key for different things.
        format!("alice namespaces=\"file\" {key}\nalice {key}\n"),
    ] {
        assert_eq!(person(&list, &signature, MESSAGE), Ok("alice".to_owned()), "{list}");
        assert!(dir.verifies(&list, "alice", &signature, MESSAGE, &[]), "{list}");
    }
    for list in [
        format!("bob {B}\n"),
        format!("alice cert-authority {key}\n"),
        format!("alice namespaces=\"file\" {key}\n"),
        format!("alice namespaces=\"*,!expacti-*\" {key}\n"),
        format!("alice valid-before=\"20200101\" {key}\n"),
        format!("alice valid-after=\"20990101\" {key}\n"),
    ] {
        assert!(person(&list, &signature, MESSAGE).is_err(), "{list}");
        assert!(!dir.verifies(&list, "alice", &signature, MESSAGE, &[]), "{list}");
    }
}

#[test]
fn times_hold_to_the_second_as_with_ssh_keygen() {
    let (dir, signature) = signed();
    let verified = verified(&signature, MESSAGE);
    let list = format!(
        "alice valid-after=\"20300101120000Z\",valid-before=\"203001021200Z\" {}\n",
        dir.public("key")
    );
    let signers = signers(&list);
    let first = "2030-01-01T12:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second();
    let last = first + 86_400;
    for (time, counts) in [(first - 1, false), (first, true), (last, true), (last + 1, false)] {
        let found = signers.person(&verified, NAMESPACE, time);
        assert_eq!(found.is_ok(), counts, "{time}: {found:?}");
        let text = jiff::Timestamp::from_second(time).unwrap().strftime("%Y%m%d%H%M%S").to_string();
        let option = format!("verify-time={text}Z");
        let there = dir.verifies(&list, "alice", &signature, MESSAGE, &["-O", &option]);
        assert_eq!(there, counts, "{time}");
        if let Ok(person) = found {
            assert_eq!(person.valid_before, Some(last + 1));
        }
    }
    assert!(matches!(signers.person(&verified, NAMESPACE, 0), Err(SignerFault::NotYet(_))));
}

#[test]
fn a_time_without_z_is_local_and_in_doubt_the_one_at_which_less_counts() {
    let (dir, signature) = signed();
    let verified = verified(&signature, MESSAGE);
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let counts = |option: &str, time: &str| {
        let list = format!("alice {option} {}\n", dir.public("key"));
        let allowed = AllowedSigners::parse_in(&list, &zone).unwrap();
        let signers = expacti_signing::Signers { allowed, revoked: Revoked::default() };
        let time = time.parse::<jiff::Timestamp>().unwrap().as_second();
        signers.person(&verified, NAMESPACE, time).is_ok()
    };
    assert!(!counts("valid-after=\"203001010100\"", "2029-12-31T23:59:59Z"));
    assert!(counts("valid-after=\"203001010100\"", "2030-01-01T00:00:00Z"));
    // 02:30 comes twice on 27 October 2030: 00:30 and 01:30 UTC.
    assert!(!counts("valid-after=\"203010270230\"", "2030-10-27T00:45:00Z"));
    assert!(counts("valid-after=\"203010270230\"", "2030-10-27T01:30:00Z"));
    assert!(counts("valid-before=\"203010270230\"", "2030-10-27T00:30:00Z"));
    assert!(!counts("valid-before=\"203010270230\"", "2030-10-27T00:45:00Z"));
}

#[test]
fn one_bad_line_makes_the_list_unusable_and_all_are_told() {
    let bad = format!("alice {A}\nbob\n# fine\nbob {A}\nAlice {B}\ncarol ssh-ed25519 AAAA\n");
    let found: Vec<String> = faults(&bad).iter().map(ToString::to_string).collect();
    let expected = [
        "line 2: there is nothing but names: write NAME KIND KEY",
        "line 4: the key is already that of alice in line 1",
        "line 5: Alice and alice differ only in capital letters",
        "line 6: it is no SSH public key in the form that OpenSSH writes",
    ];
    assert_eq!(found, expected);
}

#[test]
fn hostile_lines_are_faults() {
    let other = B.replace("ssh-ed25519", "ssh-rsa");
    let cut = A.strip_suffix('i').unwrap();
    for line in [
        // Names that are none, or those of many.
        format!("* {A}"),
        format!("*@example.com {A}"),
        format!("al?ce,alice {A}"),
        format!("!alice {A}"),
        format!("alice,!alice {A}"),
        format!("alice,!al* {A}"),
        format!("alice,,bob {A}"),
        format!(",alice {A}"),
        format!("\"\" {A}"),
        format!("\"alice {A}"),
        format!("\"alice\"{A}"),
        format!("\"alice bob\" {A}"),
        format!("al\u{202e}ice {A}"),
        format!("al\u{0}ice {A}"),
        format!("{} {A}", "a".repeat(300)),
        A.to_owned(),
        // Options that are none, or say nothing.
        format!("alice zone=\"x\" {A}"),
        format!("alice no-cert-authority {A}"),
        format!("alice cert-authority=\"yes\" {A}"),
        format!("* cert-authority,cert-authority {A}"),
        format!("alice namespaces {A}"),
        format!("alice namespaces=file {A}"),
        format!("alice namespaces=\"\" {A}"),
        format!("alice namespaces=\"file {A}"),
        format!("alice namespaces=\"a\",namespaces=\"b\" {A}"),
        format!("alice namespaces=\"a\"x {A}"),
        format!("alice namespaces=\"a\", {A}"),
        format!("alice , {A}"),
        format!("alice valid-after=\"\" {A}"),
        format!("alice valid-after=\"2030\" {A}"),
        format!("alice valid-after=\"20300230\" {A}"),
        format!("alice valid-after=\"20300101250000\" {A}"),
        format!("alice valid-after=\"+2030010\" {A}"),
        format!("alice valid-after=\"２０３００１０１\" {A}"),
        format!("alice valid-before=\"19700101Z\" {A}"),
        format!("alice valid-before=\"20300101ZZ\" {A}"),
        format!("alice valid-before=\"20300101+01:00\" {A}"),
        format!("alice valid-after=\"20300102\",valid-before=\"20300101\" {A}"),
        format!("alice valid-after=\"20300101Z\",valid-before=\"20300101Z\" {A}"),
        // Keys that are none.
        "alice".to_owned(),
        "alice ssh-ed25519".to_owned(),
        format!("alice {cut}"),
        format!("alice {A}="),
        format!("alice {A}AAAA"),
        format!("alice {other}"),
        format!("alice {}", A.replace("ssh-ed25519", "ssh-unknown")),
        format!("alice {}", A.replace("ssh-ed25519", "x-key@example.com")),
        "alice ssh-dss AAAAB3NzaC1kc3MAAAABAwAAAAEDAAAAAQMAAAABAw==".to_owned(),
        "alice command=\"x\" ssh-ed25519 AAAA".to_owned(),
    ] {
        let found = faults(&format!("# first\n{line}\n"));
        assert_eq!(found.len(), 1, "{line}: {found:?}");
        assert_eq!(found[0].line, 2, "{line}");
        assert!(!found[0].what.is_empty() && !found[0].what.contains('\u{202e}'), "{found:?}");
    }
    assert_eq!(faults(&format!("alice {A}\n# {}", "x".repeat(1 << 20))).len(), 1);
}

#[test]
fn certificates_are_not_taken_for_keys() {
    let dir = Dir::new();
    dir.key("ca", &["-t", "ed25519"]);
    dir.key("key", &["-t", "ed25519"]);
    dir.ok(&["-q", "-s", "ca", "-I", "x", "-n", "alice", "key.pub"], b"");
    let certificate = dir.public("key-cert");
    for list in [format!("alice {certificate}"), format!("* cert-authority {certificate}")] {
        assert_eq!(faults(&list)[0].what, "it is a certificate: give the key itself");
    }
    assert!(Revoked::parse(&certificate).is_err());
}

#[test]
fn revoked_keys_count_for_nothing() {
    let (dir, signature) = signed();
    let verified = verified(&signature, MESSAGE);
    let key = dir.public("key");
    let list = format!("alice {key}\n");
    let fingerprint = signers(&list).person(&verified, NAMESPACE, now()).unwrap().key_fingerprint;
    for revoked in [
        key.clone(),
        format!("# lost\n\n{A}\n{key}\n"),
        fingerprint.clone(),
        format!("  {fingerprint} lost\r\n"),
    ] {
        let refused = signers_without(&list, &revoked).person(&verified, NAMESPACE, now());
        assert_eq!(refused, Err(SignerFault::Revoked(fingerprint.clone())), "{revoked}");
    }
    assert!(signers_without(&list, A).person(&verified, NAMESPACE, now()).is_ok());
}

#[test]
fn a_bad_list_of_revoked_keys_is_unusable() {
    let (dir, _) = signed();
    dir.ok(&["-q", "-k", "-f", "krl", "key.pub"], b"");
    let krl = std::fs::read(dir.path("krl")).unwrap();
    let faults = Revoked::parse(krl).unwrap_err();
    assert!(faults[0].what.contains("binary list (KRL)"), "{faults:?}");
    let text = "SHA256:short\nMD5:00:11\nSHA512:x\nnothing\nalice ssh-ed25519 AAAA\n";
    assert_eq!(Revoked::parse(text).unwrap_err().len(), 5);
    assert_eq!(Revoked::parse(b"\xff").unwrap_err().len(), 1);
}

#[test]
fn the_people_of_a_list_are_known_by_name() {
    let list = format!("bob,robert {A}\nalice {B}\n");
    let allowed = AllowedSigners::parse(&list).unwrap();
    assert_eq!(allowed.people().into_iter().collect::<Vec<_>>(), ["alice", "bob"]);
    assert!(AllowedSigners::parse("# nobody\n").unwrap().is_empty());
}
