//! What a signed decision costs: the gate's statement, the reviewer's signature with a key in a file, and
//! the gate's check. Run with `cargo bench -p expacti-signing`; prints p50 and p99 in microseconds.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::hint::black_box;
use std::time::Instant;

use expacti_protocol::signed::SignedText;
use expacti_signing::{
    Allowed, AllowedSigners, DECISION_NAMESPACE, Decision, Item, Limits, Need, Revoked, Signers,
    approve,
};
use russh::keys::ssh_key::{HashAlg, LineEnding, SshSig};
use russh::keys::{Algorithm, PrivateKey};

const ITEM: &str = r#"{"bytes":8,"challenge":"00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa","cwd":"~","dropped_env":[],"env":[["LANG","C.UTF-8"]],"gate":"ssh-ed25519 AAAA","kind":"exec","made_at":1900000000,"notes_sha256":[],"purpose":"expacti-item","session":{"agent":"bot","host":"web-1.example.com","host_key":"known_hosts","host_key_sha256":null,"isolation":null,"owner":"carol","port":22,"reason_sha256":null,"target":"web-1","user":"deploy","with":[]},"session_id":"sess_01h455vb4pex5vsknk084sn02q","sha256":"00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa","version":1}"#;

fn measure(what: &str, mut step: impl FnMut()) {
    let mut times: Vec<f64> = (0..5_000)
        .map(|_| {
            let begin = Instant::now();
            step();
            begin.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{what:40} p50 {:7.1}  p99 {:7.1}", times[2_500], times[4_950]);
}

fn main() {
    let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap();
    let item = Item::parse(ITEM).unwrap();
    let sign = |namespace: &str, text: &str| {
        SshSig::sign(&key, namespace, HashAlg::Sha512, text.as_bytes())
            .and_then(|signature| signature.to_pem(LineEnding::LF))
            .unwrap()
    };
    measure("the gate states and signs an item", || {
        black_box(sign("expacti-item", &item.text().unwrap()));
    });
    let decide = || {
        let statement = Decision::allowing(vec![Allowed::new(item.clone())]).text().unwrap();
        let signature = sign(DECISION_NAMESPACE, &statement);
        SignedText { statement, signature }
    };
    measure("a reviewer's key signs a decision", || drop(black_box(decide())));
    let list = format!("alice {}\n", key.public_key().to_openssh().unwrap());
    let allowed = AllowedSigners::parse(&list).unwrap();
    let signers = Signers { allowed, revoked: Revoked::default() };
    let needs = [Need { signatures: 1, by: Vec::new(), touch: false, verify: false }];
    let signed = [decide()];
    measure("the gate checks a decision", || {
        let people = approve(&needs, &item, &Limits::default(), &signed, &signers, 1_900_000_001);
        black_box(people).unwrap();
    });
}
