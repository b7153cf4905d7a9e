//! What looks like a signature or a list and is none: it is refused, and nothing panics.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use expacti_protocol::digest::Digest;
use expacti_signing::{
    AllowedSigners, Decision, Item, KeyFault, MAX_SIGNATURE, Revoked, SigFault, Signed,
};
use proptest::prelude::*;

use crate::keygen::{Dir, NAMESPACE, armor, envelope, field, fields, unarmor};

/// The fields of a signature by a key of some kind.
fn of(options: &[&str]) -> Vec<Vec<u8>> {
    let dir = Dir::new();
    dir.key("key", options);
    fields(&unarmor(&dir.sign("key", NAMESPACE, b"{}")))
}

fn parse(fields: &[Vec<u8>]) -> Result<Signed, SigFault> {
    Signed::parse(&armor(&envelope(1, fields)))
}

fn with(fields: &[Vec<u8>], at: usize, bytes: &[u8]) -> Result<Signed, SigFault> {
    let mut fields = fields.to_vec();
    fields[at] = bytes.to_vec();
    parse(&fields)
}

const KEY: usize = 0;
const NAME: usize = 1;
const RESERVED: usize = 2;
const HASH: usize = 3;
const SIGNATURE: usize = 4;

#[test]
fn only_the_fields_of_version_1_are_taken() {
    let good = of(&["-t", "ed25519"]);
    assert!(parse(&good).is_ok());
    for version in [0, 2, u32::MAX] {
        let other = Signed::parse(&armor(&envelope(version, &good)));
        assert_eq!(other, Err(SigFault::Version(version)));
    }
    assert_eq!(with(&good, RESERVED, b"x"), Err(SigFault::Reserved));
    for hash in ["sha1", "SHA512", "sha384", "md5", ""] {
        assert_eq!(with(&good, HASH, hash.as_bytes()), Err(SigFault::Hash(hash.to_owned())));
    }
    assert_eq!(with(&good, NAME, b""), Err(SigFault::Unreadable));
    assert_eq!(with(&good, NAME, b"\xff"), Err(SigFault::Unreadable));
    let more = [&good[..], &[b"x".to_vec()]].concat();
    assert_eq!(parse(&more), Err(SigFault::Unreadable));
    assert_eq!(parse(&good[..4]), Err(SigFault::Unreadable));
    let key = [&good[KEY][..], b"x"].concat();
    assert_eq!(with(&good, KEY, &key), Err(SigFault::Key(KeyFault::Unreadable)));
    let signature = [&good[SIGNATURE][..], b"x"].concat();
    assert_eq!(with(&good, SIGNATURE, &signature), Err(SigFault::Unreadable));
    let other = "x".repeat(MAX_SIGNATURE + 1);
    assert_eq!(Signed::parse(&other), Err(SigFault::TooLong));
}

#[test]
fn an_algorithm_that_is_not_one_of_the_key_does_not_count() {
    let rsa = of(&["-t", "rsa", "-b", "2048"]);
    let bytes = rsa[SIGNATURE].strip_prefix(&field(b"rsa-sha2-512")[..]).unwrap();
    assert!(parse(&rsa).is_ok());
    // RSA with SHA-1.
    let old = [&field(b"ssh-rsa"), bytes].concat();
    assert_eq!(with(&rsa, SIGNATURE, &old), Err(SigFault::Algorithm("ssh-rsa".to_owned())));
    let ed25519 = of(&["-t", "ed25519"]);
    let other = with(&rsa, SIGNATURE, &ed25519[SIGNATURE]);
    assert_eq!(other, Err(SigFault::Algorithm("ssh-ed25519".to_owned())));
    let other = with(&ed25519, SIGNATURE, &rsa[SIGNATURE]);
    assert_eq!(other, Err(SigFault::Algorithm("rsa-sha2-512".to_owned())));
    let security = [&field(b"sk-ssh-ed25519@openssh.com")[..], &field(&[0; 64]), &[1, 0, 0, 0, 0]];
    let other = with(&ed25519, SIGNATURE, &security.concat());
    assert!(matches!(other, Err(SigFault::Algorithm(_))), "{other:?}");
}

#[test]
fn keys_that_do_not_count_are_refused_before_their_signature() {
    let good = of(&["-t", "ed25519"]);
    let number = [0x7f; 20];
    let dsa = [field(b"ssh-dss"), field(&number), field(&number), field(&number), field(&number)];
    let kind = |name: &str| Err(SigFault::Key(KeyFault::Kind(name.to_owned())));
    assert_eq!(with(&good, KEY, &dsa.concat()), kind("ssh-dss"));
    let other = [field(b"x@example.com"), field(b"x")].concat();
    assert_eq!(with(&good, KEY, &other), kind("x@example.com"));
    let website = [field(b"sk-ssh-ed25519@openssh.com"), field(&[7; 32]), field(b"https://x")];
    let refused = Err(SigFault::Key(KeyFault::Application("https://x".to_owned())));
    assert_eq!(with(&good, KEY, &website.concat()), refused);
    let line = format!("a sk-ssh-ed25519@openssh.com {}", STANDARD.encode(website.concat()));
    assert!(AllowedSigners::parse(&line).unwrap_err()[0].what.contains("https://x"));
    // A compressed point has another fingerprint than the same key as OpenSSH writes it.
    let point = [&[2][..], &[7; 32]].concat();
    let compressed = [field(b"ecdsa-sha2-nistp256"), field(b"nistp256"), field(&point)].concat();
    let unreadable = Err(SigFault::Key(KeyFault::Unreadable));
    assert_eq!(with(&good, KEY, &compressed), unreadable);
    // With these, signatures need no private key: points of order 1, 2, 4 and 8, and the exponent 1.
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    let eighth = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85";
    let eighth = *eighth.parse::<Digest>().unwrap().as_bytes();
    // The first two once more, as numbers that should have been reduced; and with the sign of a zero.
    let (mut zero_again, mut one_again, mut signed) = ([0xff; 32], [0xff; 32], one);
    (zero_again[0], zero_again[31]) = (0xed, 0x7f);
    (one_again[0], one_again[31]) = (0xee, 0x7f);
    signed[31] = 0x80;
    for point in [[0; 32], one, minus_one, eighth, zero_again, one_again, signed] {
        let plain = [field(b"ssh-ed25519"), field(&point)].concat();
        assert_eq!(with(&good, KEY, &plain), Err(SigFault::Key(KeyFault::Weak)));
        let security = [field(b"sk-ssh-ed25519@openssh.com"), field(&point), field(b"ssh:")];
        assert_eq!(with(&good, KEY, &security.concat()), Err(SigFault::Key(KeyFault::Weak)));
        let line = format!("alice ssh-ed25519 {}", STANDARD.encode(plain));
        assert!(AllowedSigners::parse(&line).unwrap_err()[0].what.contains("anybody can sign"));
    }
    let exponent = [field(b"ssh-rsa"), field(&[1]), field(&[0x7f; 256])].concat();
    assert_eq!(with(&good, KEY, &exponent), Err(SigFault::Key(KeyFault::Weak)));
    let huge = [field(b"ssh-rsa"), field(&[1, 0, 1]), field(&[0x7f; 4096])].concat();
    let refused = with(&good, KEY, &huge);
    assert!(matches!(refused, Err(SigFault::Key(KeyFault::RsaBits(_)))), "{refused:?}");
}

/// A certificate whose authority is a certificate, and so on.
fn nested(levels: usize) -> Vec<u8> {
    let mut key = [field(b"ssh-ed25519"), field(&[7; 32])].concat();
    for _ in 0..levels {
        let signature = [field(b"ssh-ed25519"), field(&[0; 64])].concat();
        let parts = [
            field(b"ssh-ed25519-cert-v01@openssh.com"),
            field(b"n"),
            field(&[7; 32]),
            vec![0; 8],
            1_u32.to_be_bytes().to_vec(),
            field(b"id"),
            field(&field(b"alice")),
            vec![0; 8],
            vec![0xff; 8],
            field(b""),
            field(b""),
            field(b""),
            field(&key),
            field(&signature),
        ];
        key = parts.concat();
    }
    key
}

#[test]
fn a_certificate_of_certificates_is_refused_at_any_depth() {
    let good = of(&["-t", "ed25519"]);
    assert!(with(&good, KEY, &nested(1)).is_ok());
    for levels in [2, 3, 8, 9, 150] {
        let refused = with(&good, KEY, &nested(levels));
        assert!(matches!(refused, Err(SigFault::Key(_))), "{levels}: {refused:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_in_an_armour(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Signed::parse(&armor(&bytes)).is_err());
        prop_assert!(Signed::parse(&armor(&[b"SSHSIG\0\0\0\x01", &bytes[..]].concat())).is_err());
    }

    #[test]
    fn any_fields(
        key in prop::collection::vec(any::<u8>(), 0..200),
        kind in 0..9_usize,
        signature in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let kinds = [
            "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com",
            "sk-ecdsa-sha2-nistp256@openssh.com", "ssh-ed25519-cert-v01@openssh.com",
            "sk-ssh-ed25519-cert-v01@openssh.com", "ssh-rsa-cert-v01@openssh.com", "x@y",
        ];
        let kind = field(kinds[kind].as_bytes());
        let fields = [
            [&kind, &key[..]].concat(),
            NAMESPACE.as_bytes().to_vec(),
            Vec::new(),
            b"sha512".to_vec(),
            [&kind, &field(&signature)[..], &signature].concat(),
        ];
        if let Ok(signed) = parse(&fields) {
            let verified = signed.verify(NAMESPACE, b"text");
            prop_assert!(verified.is_err());
        }
    }

    #[test]
    fn any_text(text in any::<String>(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Signed::parse(&text).is_err());
        prop_assert!(Decision::parse(&text).is_err());
        prop_assert!(Item::parse(&text).is_err());
        let _ = AllowedSigners::parse(&text);
        let _ = Revoked::parse(&bytes);
    }

    #[test]
    fn any_line_of_the_parts_of_lines(parts in prop::collection::vec(0..16_usize, 0..12)) {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
        let all = [
            "alice", " ", "\"", ",", "=", "\\", "!", "*", "cert-authority", "namespaces=\"a\"",
            "valid-after=\"20300101\"", "valid-before=\"", "Z\"", "\t", "#", key,
        ];
        let line: String = parts.iter().map(|at| all[*at]).collect();
        if let Ok(list) = AllowedSigners::parse(&line) {
            // A list with a key in it names somebody or an authority.
            let named = !list.people().is_empty() || line.contains("cert-authority");
            prop_assert!(list.is_empty() || named, "{line}");
        }
    }
}
