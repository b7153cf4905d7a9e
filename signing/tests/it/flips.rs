//! A signature counts for exactly the bytes that were signed, and only as it was written.

use expacti_protocol::signed::SignedText;
use expacti_signing::{Allowed, Decision, Limits, Person, Signed, Signers, approve};
use proptest::prelude::*;

use crate::check::{People, item, need};
use crate::keygen::{Dir, NAMESPACE, armor, now, signers, sk_dummy, unarmor};

const MESSAGE: &[u8] = b"{\"a\":1}";

fn person(signers: &Signers, signature: &str, message: &[u8]) -> Option<Person> {
    let verified = Signed::parse(signature).ok()?.verify(NAMESPACE, message).ok()?;
    signers.person(&verified, NAMESPACE, now()).ok()
}

/// No byte of a signature can be another.
fn no_other_byte(list: &str, signature: &str) {
    let signers = signers(list);
    assert!(person(&signers, signature, MESSAGE).is_some());
    let bytes = unarmor(signature);
    assert_eq!(armor(&bytes), signature);
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 1 << (at % 8);
        assert_eq!(person(&signers, &armor(&other), MESSAGE), None, "byte {at}");
        let cut = armor(&bytes[..at]);
        assert_eq!(person(&signers, &cut, MESSAGE), None, "cut at {at}");
    }
    for (at, letter) in signature.char_indices() {
        let other = if letter == 'A' { 'B' } else { 'A' };
        let mut text = signature.to_owned();
        text.replace_range(at..=at, &other.to_string());
        // The last line feed is the only one that may be missing.
        assert_eq!(person(&signers, &text, MESSAGE), None, "letter {at}");
    }
}

#[test]
fn no_byte_of_a_signature_can_be_another() {
    let dir = Dir::new();
    let mut kinds =
        vec![&["-t", "ed25519"][..], &["-t", "ecdsa", "-b", "256"], &["-t", "rsa", "-b", "2048"]];
    if sk_dummy().is_some() {
        kinds.push(&["-t", "ed25519-sk"]);
        kinds.push(&["-t", "ecdsa-sk"]);
    }
    for (at, options) in kinds.iter().enumerate() {
        let name = format!("key{at}");
        dir.key(&name, options);
        let list = format!("alice {}\n", dir.public(&name));
        no_other_byte(&list, &dir.sign(&name, NAMESPACE, MESSAGE));
    }
}

#[test]
fn no_byte_of_a_certificate_can_be_another() {
    let dir = Dir::new();
    dir.key("ca", &["-t", "ed25519"]);
    dir.key("key", &["-t", "ed25519"]);
    dir.ok(&["-q", "-s", "ca", "-I", "id", "-n", "alice,x", "key.pub"], b"");
    let list = format!("alice,b* cert-authority {}\n", dir.public("ca"));
    no_other_byte(&list, &dir.sign("key-cert.pub", NAMESPACE, MESSAGE));
}

#[test]
fn no_byte_of_a_statement_can_be_another() {
    let people = People::new();
    let held = item("uptime");
    let text = Decision::allowing(vec![Allowed::new(held.clone())]).text().unwrap();
    let signed = people.signs("alice", &text);
    let check = |signed: &SignedText| {
        let signed = std::slice::from_ref(signed);
        approve(&[need(1)], &held, &Limits::default(), signed, &people.signers, now())
    };
    assert!(check(&signed).is_ok());
    for (at, _) in text.char_indices() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1 << (at % 7);
        let statement = String::from_utf8(bytes).unwrap();
        let other = SignedText { statement, ..signed.clone() };
        assert!(check(&other).is_err(), "byte {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_other_message_or_namespace(other in any::<Vec<u8>>(), namespace in any::<String>()) {
        let (signature, list) = once();
        prop_assume!(other != MESSAGE && namespace != NAMESPACE);
        let signers = signers(list);
        prop_assert_eq!(person(&signers, signature, &other), None);
        let signed = Signed::parse(signature).unwrap();
        prop_assert!(signed.verify(&namespace, MESSAGE).is_err());
        let verified = signed.verify(NAMESPACE, MESSAGE).unwrap();
        prop_assert!(signers.person(&verified, &namespace, now()).is_err());
    }
}

/// One signature, and the list that it is on.
fn once() -> &'static (String, String) {
    static ONCE: std::sync::OnceLock<(String, String)> = std::sync::OnceLock::new();
    ONCE.get_or_init(|| {
        let dir = Dir::new();
        dir.key("key", &["-t", "ed25519"]);
        (dir.sign("key", NAMESPACE, MESSAGE), format!("alice {}\n", dir.public("key")))
    })
}
