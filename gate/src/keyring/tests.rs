//! The holder of keys, asked over a real socket, in this process.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use russh::keys::agent::AgentIdentity;
use russh::keys::signature::Verifier as _;
use russh::keys::ssh_key::Certificate;
use russh::keys::{HashAlg, PublicKey};

use super::{KeyFile, Keyring};

fn keygen(args: &[&str]) {
    let made = Command::new("ssh-keygen").arg("-q").args(args).status().unwrap();
    assert!(made.success(), "{args:?}");
}

fn key(dir: &Path, name: &str, kind: &[&str], passphrase: &str) -> PathBuf {
    let path = dir.join(name);
    keygen(&[&["-N", passphrase, "-f", path.to_str().unwrap(), "-t"], kind].concat());
    path
}

async fn signs(
    ring: &Arc<Keyring>,
    file: &Path,
    hash: Option<HashAlg>,
) -> Result<PublicKey, String> {
    let (mut agent, mut found) = ring.open(vec![file.to_owned()], false).await?;
    let KeyFile::Key(public) = found.remove(0) else { return Err(format!("{found:?}")) };
    let listed = agent.request_identities().await.map_err(|e| e.to_string())?;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].public_key().key_data(), public.key_data());
    let signature = agent.sign_request_signature(&public, hash, b"this").await;
    let signature = signature.map_err(|e| e.to_string())?;
    assert!(public.key_data().verify(b"that", &signature).is_err());
    public.key_data().verify(b"this", &signature).map_err(|e| e.to_string())?;
    Ok(public)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_key_signs_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let ring = Arc::new(Keyring::new(None));
    let ed = key(dir.path(), "ed", &["ed25519"], "");
    for kind in [&["ed25519"][..], &["ecdsa", "-b", "256"], &["ecdsa", "-b", "521"]] {
        let file = key(dir.path(), &kind.join("-"), kind, "");
        let public = signs(&ring, &file, None).await.unwrap();
        let expected = std::fs::read_to_string(file.with_extension("pub")).unwrap();
        assert_eq!(public.key_data(), PublicKey::from_openssh(&expected).unwrap().key_data());
    }
    let rsa = key(dir.path(), "rsa", &["rsa", "-b", "2048"], "");
    for hash in [HashAlg::Sha256, HashAlg::Sha512] {
        signs(&ring, &rsa, Some(hash)).await.unwrap();
    }
    assert!(signs(&ring, &rsa, None).await.is_err(), "signed with SHA-1");
    // Only with the keys of this login.
    let (mut agent, _) = ring.open(vec![rsa], false).await.unwrap();
    let other =
        PublicKey::from_openssh(&std::fs::read_to_string(ed.with_extension("pub")).unwrap());
    assert!(agent.sign_request_signature(&other.unwrap(), None, b"this").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_stands_for_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let ring = Arc::new(Keyring::new(None));
    let ca = key(dir.path(), "ca", &["ed25519"], "");
    let file = key(dir.path(), "id", &["ed25519"], "");
    let public = file.with_extension("pub");
    keygen(&["-s", ca.to_str().unwrap(), "-I", "x", "-n", "x", public.to_str().unwrap()]);
    let text = std::fs::read_to_string(dir.path().join("id-cert.pub")).unwrap();
    let certificate = Certificate::from_openssh(text.trim()).unwrap();
    let identity = AgentIdentity::Certificate { certificate, comment: String::new() };
    let (mut agent, _) = ring.open(vec![file], false).await.unwrap();
    let signed = agent.sign_request(&identity, None, b"this".to_vec()).await.unwrap();
    assert!(signed.len() > 64);
    // Not one of another key.
    let (mut agent, _) = ring.open(vec![ca], false).await.unwrap();
    assert!(agent.sign_request(&identity, None, b"this".to_vec()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_key_is_named_and_a_dead_holder_is_started_again() {
    let dir = tempfile::tempdir().unwrap();
    let ring = Arc::new(Keyring::new(None));
    let good = key(dir.path(), "good", &["ed25519"], "");
    let files = vec![
        key(dir.path(), "locked", &["ed25519"], "secret"),
        dir.path().join("missing"),
        good.with_extension("pub"),
        good.clone(),
    ];
    let (_, found) = ring.open(files, false).await.unwrap();
    assert!(matches!(found[0], KeyFile::Encrypted), "{found:?}");
    assert!(matches!(found[1], KeyFile::Unusable(_)), "{found:?}");
    assert!(matches!(found[2], KeyFile::Unusable(_)), "{found:?}");
    assert!(matches!(found[3], KeyFile::Key(_)), "{found:?}");
    // The gate's own keys must be nobody else's.
    std::fs::set_permissions(&good, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (_, found) = ring.open(vec![good.clone()], true).await.unwrap();
    assert!(matches!(&found[0], KeyFile::Unusable(why) if why.contains("chmod 600")), "{found:?}");
    // A process that ends at once holds nothing.
    let gone = Arc::new(Keyring::new(Some("/bin/true".into())));
    let why = gone.open(vec![good.clone()], false).await.err().unwrap();
    assert!(why.contains("does not answer"), "{why}");
    ring.kill_for_test();
    signs(&ring, &good, None).await.unwrap();
}
