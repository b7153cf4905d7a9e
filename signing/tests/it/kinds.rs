//! Each kind of key: what `ssh-keygen` signs is taken here, and what is signed here `ssh-keygen` takes.

use expacti_signing::{KeyFault, Presence, SigFault, Signed, SignerFault, SigningKey, Via};

use crate::keygen::{Dir, NAMESPACE, now, person, signers, sk_dummy, verified};

const MESSAGE: &[u8] = b"{\"a\":1}";

#[tokio::test]
async fn every_kind_of_key_signs_alike_here_and_there() {
    let dir = Dir::new();
    for (at, options) in [
        &["-t", "ed25519"][..],
        &["-t", "ecdsa", "-b", "256"],
        &["-t", "ecdsa", "-b", "384"],
        &["-t", "ecdsa", "-b", "521"],
        &["-t", "rsa", "-b", "2048"],
        &["-t", "rsa", "-b", "3072"],
    ]
    .iter()
    .enumerate()
    {
        let name = format!("key{at}");
        let path = dir.key(&name, options);
        let list = format!("alice,al@example.com {}\n", dir.public(&name));
        for hash in ["sha256", "sha512"] {
            let hash = format!("hashalg={hash}");
            let args = ["-Y", "sign", "-f", &name, "-n", NAMESPACE, "-O", &hash];
            let signature = dir.ok(&args, MESSAGE);
            assert_eq!(person(&list, &signature, MESSAGE), Ok("alice".to_owned()), "{options:?}");
            assert_eq!(verified(&signature, MESSAGE).presence(), None);
            let other = Signed::parse(&signature).unwrap();
            assert_eq!(other.verify(NAMESPACE, b"other"), Err(SigFault::Invalid));
            let namespace = other.verify("file", MESSAGE);
            assert!(matches!(namespace, Err(SigFault::Namespace { .. })), "{namespace:?}");
        }
        let key = SigningKey::load_via(&path, Via::default()).unwrap();
        assert!(!key.needs_touch());
        let signature = key.sign(NAMESPACE, MESSAGE).await.unwrap();
        assert!(dir.verifies(&list, "alice", &signature, MESSAGE, &[]), "{options:?}");
        assert!(!dir.verifies(&list, "alice", &signature, b"other", &[]), "{options:?}");
        assert_eq!(person(&list, &signature, MESSAGE), Ok("alice".to_owned()));
    }
}

#[test]
fn a_signature_may_lack_its_last_line_feed_and_nothing_else() {
    let dir = Dir::new();
    dir.key("key", &["-t", "ed25519"]);
    let signature = dir.sign("key", NAMESPACE, MESSAGE);
    assert!(Signed::parse(signature.trim_end()).is_ok());
    for other in [
        format!("{signature}\n"),
        format!(" {signature}"),
        signature.replace('\n', "\r\n"),
        signature.replacen("\n", "\n\n", 1),
        signature.replace("\n-----END", "=\n-----END"),
        signature.replace("-----BEGIN", "text\n-----BEGIN"),
        signature.replace("SSH SIGNATURE", "SSH Signature"),
    ] {
        assert_ne!(other, signature);
        assert_eq!(Signed::parse(&other), Err(SigFault::Unreadable), "{other}");
    }
}

#[test]
fn a_short_rsa_key_does_not_count() {
    let dir = Dir::new();
    dir.key("key", &["-t", "rsa", "-b", "1024"]);
    let signature = dir.sign("key", NAMESPACE, MESSAGE);
    assert_eq!(Signed::parse(&signature), Err(SigFault::Key(KeyFault::RsaBits(1024))));
    let list = format!("alice {}", dir.public("key"));
    let faults = expacti_signing::AllowedSigners::parse(&list).unwrap_err();
    assert!(faults[0].to_string().starts_with("line 1: an RSA key of 1024 bits"), "{faults:?}");
}

#[tokio::test]
async fn security_keys_say_whether_they_were_touched() {
    let Some(provider) = sk_dummy() else { return };
    let via = Via { agent: None, provider: Some(provider.to_owned()) };
    let dir = Dir::new();
    for kind in ["ed25519-sk", "ecdsa-sk"] {
        let path = dir.key(kind, &["-t", kind]);
        let list = format!("alice {}\n", dir.public(kind));
        let here = SigningKey::load_via(&path, via.clone()).unwrap();
        assert!(here.needs_touch());
        for signature in
            [dir.sign(kind, NAMESPACE, MESSAGE), here.sign(NAMESPACE, MESSAGE).await.unwrap()]
        {
            assert_eq!(person(&list, &signature, MESSAGE), Ok("alice".to_owned()));
            let presence = verified(&signature, MESSAGE).presence();
            let counter = 0x1234_5678;
            assert_eq!(presence, Some(Presence { touched: true, verified: false, counter }));
            assert!(dir.verifies(&list, "alice", &signature, MESSAGE, &[]));
        }
    }
}

#[tokio::test]
async fn a_security_key_that_nobody_touched_counts_for_nothing() {
    let Some(provider) = sk_dummy() else { return };
    let dir = Dir::new();
    for kind in ["ed25519-sk", "ecdsa-sk"] {
        let path = dir.key(kind, &["-t", kind, "-O", "no-touch-required"]);
        let list = format!("alice {}\n", dir.public(kind));
        let signature = dir.sign(kind, NAMESPACE, MESSAGE);
        // OpenSSH takes it; the flags are in the signature.
        assert!(dir.verifies(&list, "alice", &signature, MESSAGE, &[]));
        assert!(!verified(&signature, MESSAGE).presence().unwrap().touched);
        let refused = person(&list, &signature, MESSAGE);
        assert!(matches!(refused, Err(SignerFault::NotTouched(_))), "{refused:?}");

        let via = Via { agent: None, provider: Some(provider.to_owned()) };
        let error = SigningKey::load_via(&path, via).unwrap().sign(NAMESPACE, MESSAGE).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("nobody touched the security key"), "{error}");
    }
}

#[test]
fn a_pin_is_seen_in_the_flags() {
    if sk_dummy().is_none() {
        return;
    }
    let dir = Dir::new();
    dir.key("key", &["-t", "ed25519-sk", "-O", "verify-required"]);
    let signature = dir.sign("key", NAMESPACE, MESSAGE);
    let list = format!("alice {}\n", dir.public("key"));
    let verified = verified(&signature, MESSAGE);
    let person = signers(&list).person(&verified, NAMESPACE, now()).unwrap();
    let presence = person.presence.unwrap();
    assert!(presence.touched && presence.verified);
}
