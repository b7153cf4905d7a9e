//! Certificates: whose name they give, and which give none.

use expacti_signing::{Signed, SignerFault, SignerKey};

use crate::keygen::{Dir, NAMESPACE, now, person, signers, signers_without, sk_dummy, verified};

const MESSAGE: &[u8] = b"{}";

/// A directory with the key of an authority, `ca`, and one that it certifies, `key`.
fn certified(options: &[&str]) -> (Dir, String) {
    let dir = Dir::new();
    dir.key("ca", &["-t", "ed25519"]);
    dir.key("key", &["-t", "ed25519"]);
    let signature = sign(&dir, "ca", options);
    (dir, signature)
}

/// Certifies `key`, and signs with the certificate.
fn sign(dir: &Dir, authority: &str, options: &[&str]) -> String {
    let args = [&["-q", "-s", authority, "-I", "some key"], options, &["key.pub"]].concat();
    dir.ok(&args, b"");
    dir.sign("key-cert.pub", NAMESPACE, MESSAGE)
}

fn list(dir: &Dir, patterns: &str) -> String {
    format!("{patterns} cert-authority {}\n", dir.public("ca"))
}

fn why(refused: Result<String, SignerFault>) -> String {
    refused.unwrap_err().to_string()
}

#[test]
fn the_person_is_the_principal_that_the_list_lets_the_authority_name() {
    let (dir, signature) = certified(&["-n", "alice@example.com"]);
    assert!(matches!(Signed::parse(&signature).unwrap().key(), SignerKey::Certificate(_)));
    for patterns in ["*@example.com", "alice@example.com", "\"*@example.com,*@other.com\""] {
        let list = list(&dir, patterns);
        assert_eq!(person(&list, &signature, MESSAGE), Ok("alice@example.com".to_owned()));
        assert!(dir.verifies(&list, "alice@example.com", &signature, MESSAGE, &[]));
    }
    for patterns in ["*@other.com", "alice", "*@example.com,!alice@*"] {
        let list = list(&dir, patterns);
        assert!(why(person(&list, &signature, MESSAGE)).contains("may not name"), "{patterns}");
        assert!(!dir.verifies(&list, "alice@example.com", &signature, MESSAGE, &[]));
    }
}

#[test]
fn several_principals_are_one_person_only_where_one_of_them_matches() {
    let (dir, signature) = certified(&["-n", "alice@example.com,root,bob@example.com"]);
    let refused = person(&list(&dir, "*@example.com"), &signature, MESSAGE);
    assert!(why(refused).contains("more than one person"));
    let found = person(&list(&dir, "alice@*"), &signature, MESSAGE);
    assert_eq!(found, Ok("alice@example.com".to_owned()));
    // Two lines for one authority name one person together.
    let two = list(&dir, "alice@*") + &list(&dir, "bob@*");
    assert!(why(person(&two, &signature, MESSAGE)).contains("more than one person"));
}

#[test]
fn a_certificate_for_everybody_or_for_no_name_is_nobodys() {
    let (dir, signature) = certified(&[]);
    assert!(why(person(&list(&dir, "*"), &signature, MESSAGE)).contains("may not name"));
    for principal in ["al*", "a b", "!alice", "a\u{202e}b"] {
        let (dir, signature) = certified(&["-n", principal]);
        let refused = person(&list(&dir, "*"), &signature, MESSAGE);
        assert!(why(refused).contains("cannot be the name of a person"), "{principal:?}");
    }
}

#[test]
fn certificates_of_hosts_and_with_unknown_conditions_do_not_count() {
    let (dir, signature) = certified(&["-h", "-n", "alice"]);
    assert!(why(person(&list(&dir, "*"), &signature, MESSAGE)).contains("one of a host"));
    for option in ["force-command=/bin/true", "source-address=127.0.0.1/32", "critical:x=y"] {
        let (dir, signature) = certified(&["-n", "alice", "-O", option]);
        let refused = why(person(&list(&dir, "*"), &signature, MESSAGE));
        assert!(refused.contains("has the critical option"), "{option}: {refused}");
    }
    let (dir, signature) = certified(&["-n", "alice", "-O", "extension:x=y"]);
    assert_eq!(person(&list(&dir, "*"), &signature, MESSAGE), Ok("alice".to_owned()));
}

#[test]
fn a_certificate_counts_within_its_time() {
    let (dir, signature) = certified(&["-n", "alice", "-V", "20300101000000Z:20300102000000Z"]);
    // Debian's ssh-keygen may read the times as local ones; the certificate itself tells.
    let verified = verified(&signature, MESSAGE);
    let SignerKey::Certificate(certificate) = verified.key() else { panic!("a plain key") };
    let first = i64::try_from(certificate.valid_after()).unwrap();
    let end = i64::try_from(certificate.valid_before()).unwrap();
    assert_eq!(end - first, 86_400);
    let signers = signers(&list(&dir, "*"));
    for (time, counts) in [(first - 1, false), (first, true), (end - 1, true), (end, false)] {
        let found = signers.person(&verified, NAMESPACE, time);
        assert_eq!(found.is_ok(), counts, "{time}: {found:?}");
        if let Ok(person) = found {
            assert_eq!(person.valid_before, Some(end));
        }
    }
    assert!(signers.person(&verified, NAMESPACE, -1).is_err());
}

#[test]
fn the_end_of_the_line_ends_the_certificate_too() {
    let (dir, signature) = certified(&["-n", "alice", "-V", "always:forever"]);
    let verified = verified(&signature, MESSAGE);
    let until = |options: &str| {
        let list = format!("* cert-authority{options} {}\n", dir.public("ca"));
        signers(&list).person(&verified, NAMESPACE, now()).map(|person| person.valid_before)
    };
    assert_eq!(until(""), Ok(None));
    // The last second counts; the next does not.
    assert_eq!(until(",valid-before=\"20991231235959Z\""), Ok(Some(4_102_444_800)));
    assert!(matches!(until(",valid-before=\"20200101Z\""), Err(SignerFault::Expired(_))));
    assert!(matches!(until(",namespaces=\"git\""), Err(SignerFault::Namespace { .. })));
}

#[test]
fn only_an_authority_on_the_list_certifies() {
    let (dir, signature) = certified(&["-n", "alice"]);
    dir.key("other", &["-t", "ed25519"]);
    for list in [
        String::new(),
        format!("* cert-authority {}\n", dir.public("other")),
        // The key of the authority as that of a person, and the certified key by itself.
        format!("alice {}\n", dir.public("ca")),
        format!("alice {}\n", dir.public("key")),
        format!("* cert-authority {}\n", dir.public("key")),
    ] {
        let refused = person(&list, &signature, MESSAGE);
        assert!(matches!(refused, Err(SignerFault::UnknownAuthority(_))), "{list}: {refused:?}");
    }
    // An authority is no person.
    let plain = dir.sign("ca", NAMESPACE, MESSAGE);
    let refused = person(&list(&dir, "*"), &plain, MESSAGE);
    assert!(matches!(refused, Err(SignerFault::Unknown(_))), "{refused:?}");
}

#[test]
fn an_authority_and_a_certified_key_can_be_revoked() {
    let (dir, signature) = certified(&["-n", "alice"]);
    let verified = verified(&signature, MESSAGE);
    let list = list(&dir, "*");
    for revoked in ["ca", "key"] {
        let signers = signers_without(&list, &dir.public(revoked));
        let refused = signers.person(&verified, NAMESPACE, now());
        assert!(matches!(refused, Err(SignerFault::Revoked(_))), "{revoked}: {refused:?}");
    }
    dir.key("other", &["-t", "ed25519"]);
    let signers = signers_without(&list, &dir.public("other"));
    assert_eq!(signers.person(&verified, NAMESPACE, now()).unwrap().name, "alice");
}

#[test]
fn authorities_of_every_kind_certify_and_not_with_sha1() {
    let (dir, _) = certified(&["-n", "alice"]);
    for (name, options) in [
        ("ca1", &["-t", "ecdsa", "-b", "384"][..]),
        ("ca2", &["-t", "rsa", "-b", "2048"]),
        ("ca3", &["-t", "rsa", "-b", "1024"]),
    ] {
        dir.key(name, options);
        let signature = sign(&dir, name, &["-n", "alice"]);
        if name == "ca3" {
            assert!(Signed::parse(&signature).is_err());
            continue;
        }
        let list = format!("* cert-authority {}\n", dir.public(name));
        assert_eq!(person(&list, &signature, MESSAGE), Ok("alice".to_owned()), "{options:?}");
    }
    let signature = sign(&dir, "ca2", &["-t", "ssh-rsa", "-n", "alice"]);
    let list = format!("* cert-authority {}\n", dir.public("ca2"));
    let refused = why(person(&list, &signature, MESSAGE));
    assert!(refused.contains("an algorithm that does not count"), "{refused}");
}

#[test]
fn the_flags_of_a_certified_security_key_count() {
    if sk_dummy().is_none() {
        return;
    }
    let dir = Dir::new();
    dir.key("ca", &["-t", "ed25519"]);
    for (options, certificate, counts) in [
        (&[][..], &[][..], true),
        (&["-O", "no-touch-required"], &["-O", "no-touch-required"], false),
        (&[], &["-O", "verify-required"], false),
        (&["-O", "verify-required"], &["-O", "verify-required"], true),
    ] {
        let _ = std::fs::remove_file(dir.path("key"));
        dir.key("key", &[&["-t", "ed25519-sk"], options].concat());
        let signature = sign(&dir, "ca", &[&["-n", "alice"], certificate].concat());
        let found = person(&list(&dir, "*"), &signature, MESSAGE);
        assert_eq!(found.is_ok(), counts, "{options:?} {certificate:?}: {found:?}");
        assert!(dir.verifies(&list(&dir, "*"), "alice", &signature, MESSAGE, &[]));
    }
}
