//! The heads of brokers' logs that this machine has seen: a log that goes back, or forks, is refused.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use expacti_audit::{Note, NoteKey, TreeHead, decode_hash, encode_hash, extends};
use expacti_broker::{check_ed25519, read_ed25519};
use expacti_protocol::client::{Client, ClientError};
use expacti_protocol::exit;
use expacti_protocol::reviewer::ErrorCode;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::failure::Failure;
use crate::print;

/// The last head of one broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    key: String,
    origin: String,
    root: String,
    size: u64,
}

/// What the broker says of its log now.
#[derive(Debug, Deserialize)]
struct Shown {
    checkpoint: String,
    key: String,
    proof: Option<Vec<String>>,
}

/// Asks the broker for the head of its log, and refuses one that does not add to the last one that was seen
/// of this broker. What is seen first is taken as it is.
///
/// # Errors
/// With both heads, where the log went back or forks.
pub(crate) async fn check(config: &Config, client: &Client) -> Result<(), Failure> {
    let path = config.home.heads_seen();
    // The address as it is configured: a broker that this command has opened has another socket.
    let broker = config.endpoint()?.display();
    let seen = read(&path)?.remove(&broker);
    let from = seen.as_ref().map_or(0, |seen| seen.size);
    let answer = client.get::<Shown>(&format!("/v1/checkpoint/consistency?from={from}")).await;
    let shown = match answer {
        Ok(shown) => shown,
        // A log without an entry, or a broker that has no heads yet.
        Err(ClientError::Refused { code: ErrorCode::NotFound, message }) => match seen {
            None => return Ok(()),
            Some(seen) => return Err(refuse(&broker, &path, &seen, &message)),
        },
        Err(other) => return Err(other.into()),
    };
    let now = judge(seen.as_ref(), &shown).map_err(|why| match &seen {
        Some(seen) => refuse(&broker, &path, seen, &why),
        None => Failure::new(exit::REFUSED, format!("the log of {broker} is refused: {why}")),
    })?;
    if seen.as_ref() != Some(&now)
        && let Err(e) = remember(&path, broker, now)
    {
        let path = path.display();
        print::note(&format!("failed to remember the head of the log in {path}: {e}"));
    }
    Ok(())
}

fn refuse(broker: &str, path: &Path, seen: &Seen, why: &str) -> Failure {
    let Seen { origin, root, size, .. } = seen;
    Failure::new(
        exit::REFUSED,
        format!(
            "the log of {broker} is refused: {}. This machine has seen {origin} with {size} entries \
             and the root {root}. Entries were taken away or changed, or another database was put \
             in place: ask who runs the broker. If it was meant, take the broker out of {}",
            print::safe(why),
            path.display()
        ),
    )
}

/// The head that is shown, if it is good and adds to the one that was seen.
fn judge(seen: Option<&Seen>, shown: &Shown) -> Result<Seen, String> {
    let key = read_ed25519(&shown.key).ok_or("its key is no Ed25519 key")?;
    let note = Note::parse(&shown.checkpoint).map_err(|e| e.to_string())?;
    let head = TreeHead::parse(&note.body).map_err(|e| e.to_string())?;
    note.check(&[&NoteKey::of_log(&head.origin, key)], &check_ed25519)
        .map_err(|e| e.to_string())?;
    let now = Seen {
        key: shown.key.clone(),
        origin: head.origin.clone(),
        root: encode_hash(&head.root),
        size: head.size,
    };
    let Some(seen) = seen else { return Ok(now) };
    let both = format!("{} with {} entries and the root {}", now.origin, now.size, now.root);
    if seen.key != now.key {
        return Err(format!("{both} is signed by {}, not by {}", now.key, seen.key));
    }
    if seen.origin != now.origin {
        return Err(format!("it now shows another log, {both}"));
    }
    if now.size < seen.size {
        return Err(format!("it went back, to {both}"));
    }
    let proof = shown.proof.iter().flatten().map(|hash| decode_hash(hash));
    let proof = proof.collect::<Option<Vec<_>>>();
    let root = decode_hash(&seen.root);
    match (proof, root) {
        (Some(proof), Some(root)) if extends(seen.size, &root, now.size, &head.root, &proof) => {
            Ok(now)
        }
        _ => Err(format!("it forks: nothing proves that what was seen is the beginning of {both}")),
    }
}

fn read(path: &Path) -> Result<BTreeMap<String, Seen>, Failure> {
    let fail = |why: String| {
        let path = path.display();
        Failure::failed(format!("failed to read the heads of logs in {path}: {why}"))
    };
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|e| fail(e.to_string())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(e) => Err(fail(e.to_string())),
    }
}

fn remember(path: &Path, broker: String, now: Seen) -> Result<(), Failure> {
    let dir = path.parent().unwrap_or(Path::new("."));
    expacti_broker::private_dir(dir)?;
    // Somebody else may have seen more meanwhile.
    let mut all = read(path)?;
    if all.get(&broker).is_some_and(|other| other.size >= now.size) {
        return Ok(());
    }
    all.insert(broker, now);
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(&serde_json::to_vec_pretty(&all)?)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}
