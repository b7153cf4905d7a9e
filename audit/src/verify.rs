//! Verification of a whole log, line by line, without trusting anything in it.

use std::fmt;

use serde_json::Value;

use crate::checkpoint::{Checkpoint, checkpoint_message};
use crate::entry::{MAX_LINE, canonical};
use crate::hash::{GENESIS, line_hash};

/// Checks a checkpoint's signature; the reason when it is not good.
pub type SignatureCheck<'a> = &'a dyn Fn(&Checkpoint) -> Result<(), String>;

/// How the end of the log is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail<'a> {
    /// The last entry must be a checkpoint: an exported file.
    Checkpoint,
    /// The log must end with this hash at this place: a live database, whose head is known.
    Head {
        /// The last entry's place.
        seq: u64,
        /// SHA-256 of its line, in hex.
        hash: &'a str,
    },
}

/// The first thing that is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The entry that is altered, missing or out of place.
    pub seq: u64,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {}: {}", self.seq, self.what)
    }
}

impl std::error::Error for Fault {}

/// What a good log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// How many entries.
    pub entries: u64,
    /// SHA-256 of the last line, in hex.
    pub head: String,
    /// The checkpoints' places, each with a good signature.
    pub checkpoints: Vec<u64>,
    /// The public key that signed them.
    pub key: Option<String>,
}

/// What one line says of itself.
struct Line {
    prev: String,
    hash: String,
    signed: Option<Checkpoint>,
}

fn read_line(seq: u64, line: &[u8]) -> Result<Line, Fault> {
    let fault = |what: String| Fault { seq, what };
    if line.len() > MAX_LINE {
        return Err(fault(format!("the line is longer than {MAX_LINE} bytes")));
    }
    let value: Value = serde_json::from_slice(line)
        .map_err(|e| fault(format!("altered: not an entry of the log ({e})")))?;
    let text = canonical(&value).map_err(|e| fault(e.to_string()))?;
    if text.as_bytes() != line {
        return Err(fault("altered: not in canonical form".to_owned()));
    }
    let number = value.get("seq").and_then(Value::as_u64);
    match number {
        Some(found) if found == seq => {}
        Some(found) if found > seq => {
            return Err(fault(format!("missing: entry {found} stands in its place")));
        }
        Some(found) => {
            return Err(fault(format!("out of place: entry {found} stands here again")));
        }
        None => return Err(fault("altered: it has no number".to_owned())),
    }
    let field = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let prev = field("prev").ok_or_else(|| fault("altered: it names no previous entry".into()))?;
    let kind = field("kind").ok_or_else(|| fault("altered: it has no kind".into()))?;
    if field("time").is_none() {
        return Err(fault("altered: it has no time".into()));
    }
    let signed = checkpoint_message(&value);
    if kind != "checkpoint" && value.get("signature").is_some() {
        return Err(fault("altered: only a checkpoint carries a signature".into()));
    }
    if kind == "checkpoint" && signed.is_none() {
        return Err(fault("altered: a checkpoint without key and signature".into()));
    }
    Ok(Line { prev, hash: line_hash(line), signed })
}

/// Verifies a log from its first entry. `lines` come without newlines.
pub fn verify<L: AsRef<[u8]>>(
    lines: impl IntoIterator<Item = L>,
    tail: Tail<'_>,
    check: SignatureCheck<'_>,
) -> Result<Summary, Fault> {
    let mut lines = lines.into_iter();
    let mut entries = 0_u64;
    let mut head = GENESIS.to_owned();
    let mut checkpoints = Vec::new();
    let mut key = None;
    let mut ends_in_checkpoint = false;
    while let Some(bytes) = lines.next() {
        let seq = entries.saturating_add(1);
        let line = read_line(seq, bytes.as_ref())?;
        if line.prev != head {
            let next = lines.next().and_then(|l| read_line(seq.saturating_add(1), l.as_ref()).ok());
            return Err(broken_link(seq, &line, next.as_ref(), check));
        }
        ends_in_checkpoint = line.signed.is_some();
        if let Some(signed) = &line.signed {
            check(signed).map_err(|what| Fault { seq, what })?;
            if key.as_ref().is_some_and(|k| *k != signed.key) {
                let what = "signed by another key than the checkpoints before it".to_owned();
                return Err(Fault { seq, what });
            }
            key = Some(signed.key.clone());
            checkpoints.push(seq);
        }
        head = line.hash;
        entries = seq;
    }
    let next = entries.saturating_add(1);
    match tail {
        Tail::Checkpoint if !ends_in_checkpoint => Err(Fault {
            seq: next,
            what: "missing: the log does not end in a checkpoint, so its last entries may be gone"
                .to_owned(),
        }),
        Tail::Head { seq, .. } if seq > entries => {
            Err(Fault { seq: next, what: format!("missing: the log should have {seq} entries") })
        }
        Tail::Head { seq, .. } if seq < entries => Err(Fault {
            seq: seq.saturating_add(1),
            what: format!("the log should end at entry {seq}"),
        }),
        Tail::Head { hash, .. } if hash != head => {
            Err(Fault { seq: entries, what: "altered: it is not the last entry written".into() })
        }
        _ => Ok(Summary { entries, head, checkpoints, key }),
    }
}

/// Entry `seq` does not name the hash of the entry before it: one of the two was altered. When
/// the entry itself is vouched for (by the one after it, or by its signature), it is the other.
fn broken_link(seq: u64, line: &Line, next: Option<&Line>, check: SignatureCheck<'_>) -> Fault {
    let vouched = next.is_some_and(|n| n.prev == line.hash)
        || line.signed.as_ref().is_some_and(|s| check(s).is_ok());
    if seq == 1 {
        return Fault { seq, what: "altered: it is not the first entry of a log".to_owned() };
    }
    if vouched {
        Fault {
            seq: seq.saturating_sub(1),
            what: "altered: its hash is not the one entry ".to_owned()
                + &seq.to_string()
                + " names",
        }
    } else {
        Fault { seq, what: "altered: it does not name the entry before it".to_owned() }
    }
}
